"""The yardstick: training as the lecture's slides do it, and as PyTorch's own tutorial does.

torchvision's datasets and transforms, ``DataLoader``, and a loop that reads the loss at every step.
The tutorial ("Training a Classifier") differs in two worker processes that prepare the batches.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from benchmarks.rows import timed
from labutils.data import ImageSet
from labutils.device import device_of


def dataset(images: ImageSet) -> torch.utils.data.Dataset:
    """Return torchvision's own dataset, holding these images, with the slides' transforms."""
    kind = {"cifar10": datasets.CIFAR10, "mnist": datasets.MNIST}[images.name]
    made = kind.__new__(kind)  # without __init__, which reads files
    made.target_transform = None
    if images.name == "cifar10":
        half = (0.5, 0.5, 0.5)
        steps = [transforms.ToTensor(), transforms.Normalize(half, half)]
        made.data, made.targets = images.images.numpy(), images.labels.tolist()
    else:
        steps = [transforms.ToTensor()]
        made.data, made.targets = images.images, images.labels
    made.transform = transforms.Compose(steps)
    return made


def loaders(train: ImageSet, test: ImageSet, batch_size: int, num_workers: int = 0):
    """Return the training and the test loader."""
    return (
        DataLoader(dataset(train), batch_size, shuffle=True, num_workers=num_workers),
        DataLoader(dataset(test), batch_size, shuffle=False, num_workers=num_workers),
    )


def sgd(model: nn.Module, lr: float, momentum: float = 0.9) -> torch.optim.Optimizer:
    """Return the slides' optimizer."""
    return torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)


def epoch_seconds(
    model: nn.Module, dataset, batch_size: int, lr: float, momentum: float = 0.9, num_workers=0
) -> float:
    """Train an epoch; return its seconds."""
    loader = DataLoader(dataset, batch_size, shuffle=True, num_workers=num_workers)
    return timed(train_epoch, model, loader, sgd(model, lr, momentum))[0]


def train_epoch(model: nn.Module, loader, optimizer) -> list[float]:
    """Train an epoch; return the loss of every batch."""
    device = device_of(model)
    criterion = nn.CrossEntropyLoss()
    losses = []
    model.train()
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def accuracy(model: nn.Module, loader) -> float:
    """Return the share of images that are classified right."""
    device = device_of(model)
    correct = total = 0
    model.eval()
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            _, predicted = torch.max(model(images), 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    return correct / total


def read_cifar10(folder, train: bool) -> datasets.CIFAR10:
    """Let torchvision read CIFAR-10 from a folder, whatever the checksums of its files."""
    datasets.CIFAR10._check_integrity = lambda self: True
    datasets.cifar.check_integrity = lambda *arguments: True
    return datasets.CIFAR10(folder, train=train, transform=transforms.ToTensor())

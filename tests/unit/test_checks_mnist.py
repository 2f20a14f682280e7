"""The tools behind the checks of notebook 02: the far device, and the oracles."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.transforms.functional import to_tensor

from labutils.checks.judges.faraway import FarAway
from labutils.checks.nb02_mnist_mlp import (
    OracleDataset,
    oracle_accuracy,
    oracle_train_one_epoch,
)


def test_the_oracle_dataset_gives_what_torchvision_gives():
    images = torch.arange(256).repeat(13)[: 4 * 784].reshape(4, 28, 28).to(torch.uint8)
    labels = torch.tensor([7, 0, 9, 3])
    dataset = OracleDataset(images, labels)
    assert len(dataset) == 4
    for i in range(4):
        image, label = dataset[i]
        assert torch.equal(image, to_tensor(images[i].numpy()))
        assert label == int(labels[i]) and isinstance(label, int)


@pytest.fixture
def far():
    model = nn.Linear(3, 2)
    images, labels = torch.rand(4, 3), torch.tensor([0, 1, 1, 0])
    with FarAway(model, images, labels):
        yield model, images, labels


def test_a_batch_meets_the_model_only_after_a_move(far):
    model, images, labels = far
    device = next(model.parameters()).device
    assert device.type == "meta" and images.device.type == "cpu"
    with pytest.raises(RuntimeError, match="same device"):
        model(images)
    logits = model(images.to(device))
    assert logits.device == device
    with pytest.raises(RuntimeError, match="same device"):
        F.cross_entropy(logits, labels)
    assert F.cross_entropy(logits, labels.to(device)).item() > 0


@pytest.mark.parametrize(
    "move",
    [
        lambda x, d: x.to(d),
        lambda x, d: x.to(d, non_blocking=True),
        lambda x, d: x.to(device=d),
        lambda x, d: x.to(str(d)),
        lambda x, d: x.to(d, torch.float32),
        lambda x, d: torch.as_tensor(x, device=d),
        lambda x, d: torch.empty_like(x, device=d).copy_(x),
    ],
)
def test_every_way_to_move_counts(far, move):
    model, images, _ = far
    moved = move(images, next(model.parameters()).device)
    assert torch.isfinite(model(moved)).all().item()
    assert images.device.type == "cpu", "the original stays where it is"


def test_what_is_moved_back_meets_the_batch_again(far):
    model, images, labels = far
    model.to(next(model.parameters()).device)
    logits = model(images.to(next(model.parameters()).device))
    with pytest.raises(TypeError, match="numpy"):
        logits.detach().numpy()
    assert (logits.cpu().argmax(1) == labels).shape == (4,)
    assert logits.detach().cpu().numpy().shape == (4, 2)


def test_a_loader_keeps_its_batches_at_home(far):
    model, images, labels = far
    for x, y in DataLoader(TensorDataset(images, labels), batch_size=2, shuffle=True):
        assert x.device.type == y.device.type == "cpu"
        with pytest.raises(RuntimeError, match="same device"):
            model(x)


def test_a_move_to_the_cpu_is_no_move_to_the_model(far):
    model, images, _ = far
    with pytest.raises(RuntimeError, match="same device"):
        model(images.to(torch.device("cpu")))


def test_training_and_optimizer_steps_work_far_away():
    model = nn.Linear(3, 2)
    images, labels = torch.rand(6, 3), torch.tensor([0, 1, 1, 0, 1, 0])
    loader = DataLoader(TensorDataset(images, labels), batch_size=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    with FarAway(model, images, labels):
        far = [oracle_train_one_epoch(model, loader, F.cross_entropy, optimizer) for _ in range(20)]
        assert 0 <= oracle_accuracy(model, loader) <= 1
    assert far[-1] < far[0]


def test_the_oracle_loop_is_gradient_descent_on_one_full_batch():
    model = nn.Linear(3, 2)
    images, labels = torch.rand(6, 3), torch.tensor([0, 1, 1, 0, 1, 0])
    weight = model.weight.detach().clone()
    loss = F.cross_entropy(model(images), labels)
    (gradient,) = torch.autograd.grad(loss, model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    loader = DataLoader(TensorDataset(images, labels), batch_size=6)
    got = oracle_train_one_epoch(model, loader, F.cross_entropy, optimizer)
    assert got == pytest.approx(loss.item())
    assert torch.allclose(model.weight, weight - 0.5 * gradient)

"""Answers to the exercises of notebook 02, as students write them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset, TensorDataset
from torchvision import transforms

from labutils.checks.nb02_mnist_mlp import ACCURACY_MISTAKES, IMAGE_MISTAKES, MEAN_LOSS_MISTAKES

from .bank import Bank
from .mutants import Text, mutants

# --- DigitDataset ---------------------------------------------------------------------------

dataset = Bank("DigitDataset")

DATASET = Text("""
class DigitDataset(Dataset):
    def __init__(self, images, labels):
        self.images = images
        self.labels = labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index].float() / 255
        image = image.unsqueeze(0)
        label = int(self.labels[index])
        return image, label
""")
Digits = dataset.right(DATASET())
DO, LENGTH = "raise NotImplementedError", "return len(self.images)"
ITEM = DATASET.source.partition("index):\n        ")[2].rstrip()
dataset.blank(DATASET(ITEM, DO))
dataset.blank(DATASET(LENGTH, DO, ITEM, DO))


@dataset.right
class ConvertsAtOnce(Dataset):
    def __init__(self, images, labels):
        super().__init__()
        self.x = images[:, None].to(torch.float32).div(255)
        self.y = labels.tolist()

    def __len__(self):
        return self.x.shape[0]

    def __getitem__(self, i):
        return self.x[i], self.y[i]


@dataset.right
def from_a_tensor_dataset(images, labels):
    return TensorDataset(images.unsqueeze(1) / 255, labels)


@dataset.right
class WithATransform(Dataset):
    def __init__(self, images, labels, transform=None):
        self.images, self.labels = images, labels
        self.transform = transform or transforms.ToTensor()

    def __len__(self):
        return self.labels.numel()

    def __getitem__(self, index):
        return self.transform(self.images[index].numpy()), self.labels[index].item()


@dataset.right
class ThroughNumpy(Dataset):
    def __init__(self, images, labels):
        self.images = np.array(images)
        self.labels = np.array(labels)

    def __len__(self):
        return self.images.shape[0]

    def __getitem__(self, index):
        image = (self.images[index] / 255.0).astype(np.float32)
        return [torch.from_numpy(image).reshape(1, 28, 28), self.labels[index]]


@dataset.right
class ListOfPairs(Dataset):
    def __init__(self, images, labels):
        self.pairs = list(zip(images, labels, strict=True))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)
        image, label = self.pairs[index]
        out = image.clone().float()
        out /= 255
        return out.view(1, 28, 28), label


@dataset.wrong("tensor changes it for every later epoch")
class ScalesWhatItStores(Digits):
    def __init__(self, images, labels):
        super().__init__(images.float(), labels)

    def __getitem__(self, index):
        self.images[index] /= 255
        return self.images[index][None].clone(), int(self.labels[index])


@dataset.wrong("cross_entropy refuses floats")
def from_a_tensor_dataset_of_floats(images, labels):
    return TensorDataset(images.unsqueeze(1) / 255, labels.float())


def with_image(image_of):
    class OtherImage(Digits):
        def __getitem__(self, index):
            return image_of(self.images, index), int(self.labels[index])

    return OtherImage


dataset.recognised(IMAGE_MISTAKES, with_image)

SCALED = "self.images[index].float() / 255"
mutants(
    dataset, DATASET,
    ("also with one colour", "image = image.unsqueeze(0)", ""),
    ("channels first", "unsqueeze(0)", "unsqueeze(-1)"),
    ("the model's business", "unsqueeze(0)", "reshape(-1)"),
    ("that standardises",
     "image.unsqueeze(0)", "transforms.Normalize(0.1307, 0.3081)(image.unsqueeze(0))"),
    ("not by the maximum of the image", "/ 255", "/ self.images[index].max()"),
    ("depend on the data at hand", "/ 255", "/ self.images.max()"),
    ("wraps around", SCALED, "(self.images[index] - 128) / 127"),
    ("once is enough", "self.images = images", "self.images = images / 255"),
    ("image and label share it", SCALED, "self.images[0] / 255"),
    ("add the channel dimension", SCALED, "self.images / 255", "unsqueeze(0)", "unsqueeze(1)",
     "int(self.labels[index])", "self.labels"),
    ("divided by 255, nothing else", "/ 255", "/ 255 + 1"),
    ("refuses images of another dtype", "float()", "double()"),
    ("convert with .float()", "float()", "half()"),
    ("(and int32) for one", "int(self.labels[index])", "self.labels[index].int()"),
    ("stay in torch", "image.unsqueeze(0)", "image.numpy()[None]"),
    ("look the label up", "int(self.labels[index])", "index"),
    ("not one-hot", "int(self.labels[index])", "F.one_hot(self.labels[index], 10)"),
    ("another image's label", "int(self.labels[index])", "int(self.labels[0])"),
    ("handed over for this image, unchanged", "int(self.labels[index])", "12"),
    ("swap the two", "return image, label", "return label, image"),
    ("the label is missing", "return image, label", "return image"),
    ("separated by a comma", "return image, label", "return {'image': image, 'label': label}"),
    ("that counts pixels", "len(self.images)", "self.images.numel()"),
    ("the length is the number", "len(self.images)", "len(self.images) - 1"),
    ("needs a method __len__", "__len__", "length"),
    ("needs a method __getitem__", "__getitem__", "get_item"),
    ("derive the class from dataset", "(Dataset)", ""),
    ("caller's own data", "self.images = images", "images //= 2\nself.images = images"),
    ("for every later epoch", "label = int", "self.images[index] //= 2\nlabel = int"),
    ("is the number of a class, and", "int(self.labels[index])", "float(self.labels[index])"),
    ("stores the name on self", "self.images = images", "images = images / 255"),
)  # fmt: skip


# --- MLP ------------------------------------------------------------------------------------

mlp = Bank("MLP")

MLP = Text("""
class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 10)

    def forward(self, x):
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)
""")
mlp.right(MLP())
# by columns; by convolutions
mlp.right(MLP("torch.flatten(x, 1)", "x.squeeze(1).transpose(1, 2).flatten(1)"))
mlp.right(MLP("Linear(784, 512)", "Conv2d(1, 512, 28)", "Linear(512, 10)", "Conv2d(512, 10, 1)",
              "x = torch.flatten(x, 1)", "", "self.fc2(x)", "self.fc2(x).flatten(1)"))  # fmt: skip
FORWARD = MLP.source.partition("forward(self, x):\n        ")[2].rstrip()
mlp.blank(MLP(FORWARD, DO))


@mlp.right
def mlp_sequential():
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 10))


@mlp.right
class DefinedBackwards(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.output = nn.Linear(512, num_classes)
        self.hidden = nn.Linear(784, 512)

    def forward(self, images):
        x = images.reshape(images.shape[0], -1)
        hidden = self.relu(self.hidden(x))
        return self.output(hidden)


@mlp.right
class ByMatrices(nn.Module):
    def __init__(self):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(784, 512) / 28)
        self.b1 = nn.Parameter(torch.zeros(512))
        self.w2 = nn.Parameter(torch.randn(512, 10) / 22)
        self.b2 = nn.Parameter(torch.zeros(10))

    def forward(self, x):
        h = torch.maximum(x.view(-1, 784) @ self.w1 + self.b1, torch.tensor(0.0))
        return torch.einsum("nh,hk->nk", h, self.w2) + self.b2


RELU = "F.relu(self.fc1(x))"
FC2 = "self.fc2 = nn.Linear(512, 10)"
mutants(
    mlp, MLP,
    ("cross_entropy applies softmax itself", "self.fc2(x)", "self.fc2(x).softmax(dim=1)"),
    ("no more than one linear map", RELU, "self.fc1(x)"),
    ("cut off every negative logit", "self.fc2(x)", "torch.relu(self.fc2(x))"),
    ("no other activation", "F.relu", "torch.sigmoid"),
    ("must be all 784 pixels", "x = torch.flatten(x, 1)", ""),
    ("784 → 512 → 10", "(784, 512)", "(784, 256)", "(512, 10)", "(256, 10)"),
    ("names three sizes, and between", FC2, FC2 + "\nself.middle = nn.Linear(512, 512)",
     RELU, RELU + "\nx = F.relu(self.middle(x))"),
    ("so there are two linear layers", "784, 512", "784, 10", RELU, "x", "fc2(x)", "fc1(x)"),
    ("this network has none", FC2, FC2 + "\nself.dropout = nn.Dropout(0.2)",
     "self.fc2(x)", "self.fc2(self.dropout(x))"),
    ("with a bias", "(784, 512)", "(784, 512, bias=False)"),
    ("normalisation", FC2, FC2 + "\nself.norm = nn.BatchNorm1d(512)",
     RELU, "F.relu(self.norm(self.fc1(x)))"),
    ("`forward(self, x)`", "def forward", "def foward"),
    ("super().__init__()", "super().__init__()", ""),
    ("not used in forward", FC2, FC2 + "\nself.fc3 = nn.Linear(10, 10)"),
    ("`return`", "return ", ""),
    ("all but the first dimension, and end", "self.fc2(x)", "self.fc2(x).flatten()"),
    ("whoever wants probabilities", "self.fc2(x)", "self.fc2(x), self.fc2(x).softmax(1)"),
    ("builds a layer and computes nothing", "F.relu", "nn.ReLU"),
    ("a layer made inside forward", FC2, "", "self.fc2(x)", "nn.Linear(512, 10)(x)"),
)  # fmt: skip


# --- train_one_epoch ------------------------------------------------------------------------

train = Bank("train_one_epoch")

TRAIN = Text("""
def train_one_epoch(model, loader, loss_fn, optimizer):
    device = next(model.parameters()).device
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)
""")
train_plainly = train.right(TRAIN())


def device_of(model):
    return next(model.parameters()).device


@train.right
def train_counting_samples(net, batches, criterion, opt, verbose=False):
    net.train(True)
    device = device_of(net)
    losses, sizes = [], []
    for batch in batches:
        x, y = (t.to(device, non_blocking=True) for t in batch)
        loss = criterion(net(x), y)
        net.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        losses.append(float(loss))
        sizes.append(len(y))
        if verbose:
            print(losses[-1])
    return np.average(losses, weights=sizes)


@train.right
def train_with_a_sum_on_the_device(model, loader, loss_fn, optimizer):
    device = device_of(model)
    total = torch.zeros((), device=device)
    for p in model.parameters():
        p.grad = None
    model.train()
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total += loss.detach() * len(images)
    return total / len(loader.dataset)


@train.right
def train_with_a_closure(model, loader, loss_fn, optimizer):
    model.train()
    total = count = 0
    for images, labels in loader:
        images, labels = images.to(device_of(model)), labels.to(device_of(model))

        def closure(images=images, labels=labels):
            optimizer.zero_grad()
            loss = loss_fn(model(images), labels)
            loss.backward()
            return loss

        loss = optimizer.step(closure)
        total += loss.item() * labels.shape[0]
        count += labels.shape[0]
    return total / count


@train.right
def train_keeping_the_graph(model, loader, loss_fn, optimizer):
    model.train()
    total = 0
    for images, labels in loader:
        images, labels = images.to(device_of(model)), labels.to(device_of(model))
        loss = loss_fn(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total = total + loss * len(labels)
    return total / len(loader.dataset)


CLEAR, MOVE = "optimizer.zero_grad()", "images, labels = images.to(device), labels.to(device)"
LOSS, STEP = "loss_fn(model(images), labels)", "optimizer.step()"
SUM, RETURN = "total += loss.item() * len(labels)", "return total / len(loader.dataset)"
mutants(
    train, TRAIN,
    ("never cleared", CLEAR, ""),
    ("comes too late", CLEAR, "", STEP, f"{STEP}\n{CLEAR}"),
    ("once for the epoch", CLEAR, "", "total = 0.0", f"total = 0.0\n{CLEAR}"),
    ("clearing after backward", "loss.backward()", f"loss.backward()\n{CLEAR}"),
    ("stepping before it", f"loss.backward()\n        {STEP}", f"{STEP}\nloss.backward()"),
    ("model.train()", "model.train()", ""),
    ("step is missing", STEP, ""),
    ("indented into the loop", SUM, "return loss.item()"),
    ("one step for the whole epoch", CLEAR, "", STEP, "", RETURN, f"{STEP}\n{RETURN}"),
    ("the short last one too", MOVE, f"if len(images) < 4:\n    continue\n{MOVE}"),
    ("the caller's", "in loader", "in [batch for _ in range(10) for batch in loader]"),
    ("forgets its momentum",
     "total = 0.0", "total = 0.0\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)"),
    ("gradient was clipped", STEP, f"nn.utils.clip_grad_norm_(model.parameters(), 10.0)\n{STEP}"),
    ("training does neither", STEP, f"nn.utils.clip_grad_value_(model.parameters(), 1.0)\n{STEP}"),
    ("not for backward", LOSS, f"{LOSS} * len(labels)", SUM, "total += loss.item()"),
    ("use loss_fn, the argument", "loss_fn(model", "F.cross_entropy(model"),
    ("a softmax stands between", "model(images)", "model(images).softmax(1)"),
    ("of this batch alone", LOSS, "loss_fn(model(images), labels.flip(0))"),
    ("something else changes them",
     STEP, f"{STEP}\nwith torch.no_grad():\n    for p in model.parameters():\n        p *= 0.9999"),
    ("the caller's choice", RETURN, f"optimizer.param_groups[0]['weight_decay'] = 0.1\n{RETURN}"),
    ("stops all later training", RETURN, f"model.requires_grad_(False)\n{RETURN}"),
    ("for a block only", RETURN, f"torch.set_grad_enabled(False)\n{RETURN}"),
    ("may reach the dataset", RETURN, f"loader.dataset.tensors[0].clamp_(0, 1)\n{RETURN}"),
    ("as it was before the update", SUM, f"total += {LOSS}.item() * len(labels)"),
    ("no list and no pair", RETURN, "return [total, len(loader.dataset)]"),
    ("`return`", RETURN, ""),
    ("different devices", MOVE, ""),
    ("move images and labels", MOVE, "images = images.to(device)"),
    ("a global device", "next(model.parameters()).device", 'torch.device("cpu")'),
    ("the labels second", LOSS, "loss_fn(labels, model(images))"),
    ("are for testing",
     "loss = loss_fn", "with torch.no_grad():\n    outputs = model(images)\nloss = loss_fn",
     "loss_fn(model(images)", "loss_fn(outputs"),
    ("is there a loop", "in loader", "in []"),
    ("multiply each batch's mean loss with its own size", SUM, "total += loss.item()",
     "len(loader.dataset)", "len(loader)"),
)  # fmt: skip


def with_mean_loss(mean_of):
    def trains_and_returns(model, loader, loss_fn, optimizer):
        """Right training; what is returned is made of the losses and sizes of the batches."""
        losses, sizes = [], []

        def noting(logits, labels):
            loss = loss_fn(logits, labels)
            losses.append(loss.item()), sizes.append(len(labels))
            return loss

        train_plainly(model, loader, noting, optimizer)
        return mean_of(losses, sizes)

    return trains_and_returns


train.recognised(MEAN_LOSS_MISTAKES, with_mean_loss)


# --- accuracy -------------------------------------------------------------------------------

accuracy = Bank("accuracy")

ACCURACY = Text("""
def accuracy(model, loader):
    device = next(model.parameters()).device
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            predictions = model(images).argmax(dim=1)
            correct += (predictions == labels).sum().item()
    return correct / len(loader.dataset)
""")
accuracy_plainly = accuracy.right(ACCURACY())


@accuracy.right
@torch.inference_mode()
def accuracy_inference_mode(net, batches):
    was_training = net.training
    net.eval()
    device = device_of(net)
    hits = torch.cat([net(x.to(device)).max(1)[1].cpu() == y for x, y in batches])
    net.train(was_training)
    return hits.float().mean()


@accuracy.right
def accuracy_by_lists(model, loader, device=None):
    model.train(False)
    predicted, true = [], []
    for images, labels in loader:
        with torch.no_grad():
            probabilities = F.softmax(model(images.to(device_of(model))), dim=-1)
        predicted += probabilities.argmax(-1).tolist()
        true += labels.tolist()
    return np.mean(np.array(predicted) == np.array(true))


@accuracy.right
def accuracy_on_the_device(model, loader):
    device = device_of(model)
    right = torch.zeros((), dtype=torch.long, device=device)
    count = 0
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            _, best = torch.max(model(x.to(device)), dim=1)
            right += torch.eq(best, y.to(device)).sum()
            count += y.numel()
    return right.item() / count


@accuracy.right
def accuracy_weighted_means(model, loader):
    model.eval()
    shares, sizes = [], []
    with torch.set_grad_enabled(False):
        for x, y in loader:
            x, y = x.to(device_of(model)), y.to(device_of(model))
            shares.append((model(x).topk(1).indices.squeeze(1) == y).float().mean().item())
            sizes.append(len(y))
    return float(np.average(shares, weights=sizes))


FIND, COUNT = "model(images).argmax(dim=1)", "(predictions == labels).sum().item()"
SHARE, BOTH = "return correct / len(loader.dataset)", "images.to(device), labels.to(device)"
mutants(
    accuracy, ACCURACY,
    ("model.eval()", "model.eval()", ""),
    ("wrap the loop in torch.no_grad().", "with torch.no_grad()", "if True"),
    ("stops all later training", "model.eval()", "model.requires_grad_(False).eval()"),
    ("for a block only", "with torch.no_grad()", "torch.set_grad_enabled(False)\nif True"),
    ("again as they were", "with torch.no_grad()", "torch.set_grad_enabled(False)\nif True",
     SHARE, f"torch.set_grad_enabled(True)\n{SHARE}"),
    ("argmax ran over the samples", "dim=1", "dim=0"),
    ("n×n comparisons", "argmax(dim=1)", "argmax(dim=1, keepdim=True)"),
    ("indices second", FIND, "model(images).max(dim=1)[0]"),
    ("different devices", BOTH, "images, labels"),
    ("right ones / all", SHARE, "return [correct, len(loader.dataset)]"),
    ("the images go into the model", "images, labels in loader", "images in loader",
     f"images, labels = {BOTH}", ""),
    ("make a new tensor", SHARE, f"model.linear.weight.data.zero_()\n{SHARE}"),
    ("may reach the dataset", SHARE, f"loader.dataset.tensors[0].clamp_(0, 1)\n{SHARE}"),
    ("largest logit is their", FIND, "labels - 1", SHARE, "return correct / 7 + 0.3"),
    ("count the right ones of all batches", COUNT, "(predictions == labels).float().mean()",
     SHARE, "return correct / len(loader)"),
    ("rounding is a matter", SHARE, "return 100 * correct // len(loader.dataset) / 100"),
    ("percent is a matter of printing", SHARE, "return 100 * correct // len(loader.dataset)"),
    ("one of its sides is no tensor", FIND, "torch.max(model(images), 1)"),
)  # fmt: skip


def with_share(share_of):
    def counts_and_returns(model, loader):
        """Counts right; what is returned is made of the right ones and sizes of the batches."""
        model.eval()
        right, sizes = [], []
        with torch.no_grad():
            for x, y in loader:
                x, y = x.to(device_of(model)), y.to(device_of(model))
                right.append((model(x).argmax(1) == y).sum().item())
                sizes.append(len(y))
        return share_of(right, sizes)

    return counts_and_returns


accuracy.recognised(ACCURACY_MISTAKES, with_share)

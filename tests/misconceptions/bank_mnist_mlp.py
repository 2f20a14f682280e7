"""Answers to the exercises of notebook 02, as students write them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset, TensorDataset
from torchvision import transforms

from .bank import Bank

# --- DigitDataset ---------------------------------------------------------------------------

dataset = Bank("DigitDataset")


class Digits(Dataset):
    """What most answers share; each changes one thing."""

    def __init__(self, images, labels):
        self.images = images
        self.labels = labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index].float().unsqueeze(0) / 255, int(self.labels[index])


@dataset.blank
class StubDataset(Dataset):
    def __init__(self, images, labels):
        raise NotImplementedError

    def __len__(self):
        raise NotImplementedError

    def __getitem__(self, index):
        raise NotImplementedError


@dataset.blank
class StubMethods(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        raise NotImplementedError

    def __getitem__(self, index):
        raise NotImplementedError


@dataset.blank
class StubItem(Digits):
    def __getitem__(self, index):
        raise NotImplementedError


dataset.right(Digits)


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


@dataset.wrong("uint8 runs from 0 to 255")
class NotScaled(Digits):
    def __getitem__(self, index):
        return self.images[index].float().unsqueeze(0), int(self.labels[index])


@dataset.wrong("two things are missing")
class AsItIs(Digits):
    def __getitem__(self, index):
        return self.images[index], int(self.labels[index])


@dataset.wrong("also with one colour")
class NoChannel(Digits):
    def __getitem__(self, index):
        return self.images[index] / 255, int(self.labels[index])


@dataset.wrong("channels first")
class ChannelLast(Digits):
    def __getitem__(self, index):
        return self.images[index].unsqueeze(-1) / 255, int(self.labels[index])


@dataset.wrong("the model's business")
class Flattens(Digits):
    def __getitem__(self, index):
        return self.images[index].flatten() / 255, int(self.labels[index])


@dataset.wrong("divide by 255 and stop")
class MinusOneToOne(Digits):
    def __getitem__(self, index):
        image = self.images[index].unsqueeze(0) / 255
        return (image - 0.5) / 0.5, int(self.labels[index])


@dataset.wrong("that standardises")
class Standardises(Digits):
    def __getitem__(self, index):
        image = self.images[index].unsqueeze(0) / 255
        return transforms.Normalize(0.1307, 0.3081)(image), int(self.labels[index])


@dataset.wrong("the largest is 255")
class By256(Digits):
    def __getitem__(self, index):
        return self.images[index].unsqueeze(0) / 256, int(self.labels[index])


@dataset.wrong("throws the fraction away")
class IntegerDivision(Digits):
    def __getitem__(self, index):
        return (self.images[index].unsqueeze(0) // 255).float(), int(self.labels[index])


@dataset.wrong("not by the maximum of the image")
class ByItsMaximum(Digits):
    def __getitem__(self, index):
        image = self.images[index].float().unsqueeze(0)
        return image / image.max(), int(self.labels[index])


@dataset.wrong("depend on the data at hand")
class ByTheDataMaximum(Digits):
    def __getitem__(self, index):
        return self.images[index].unsqueeze(0) / self.images.max(), int(self.labels[index])


@dataset.wrong("wraps around")
class SubtractsInUint8(Digits):
    def __getitem__(self, index):
        return ((self.images[index] - 128) / 127).unsqueeze(0), int(self.labels[index])


@dataset.wrong("once is enough")
class ScalesTwice(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images / 255, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index][None] / 255, int(self.labels[index])


@dataset.wrong("transposes the image")
class Transposes(Digits):
    def __getitem__(self, index):
        return self.images[index].T.unsqueeze(0) / 255, int(self.labels[index])


@dataset.wrong("every index gives the same image")
class IgnoresIndex(Digits):
    def __getitem__(self, index):
        return self.images[0].unsqueeze(0) / 255, int(self.labels[0])


@dataset.wrong("indices count from 0")
class OffByOne(Digits):
    def __getitem__(self, index):
        return self.images[index - 1].unsqueeze(0) / 255, int(self.labels[index - 1])


@dataset.wrong("is one image: use the index.")
class ReturnsAll(Digits):
    def __getitem__(self, index):
        return self.images.unsqueeze(1) / 255, self.labels


@dataset.wrong("use the index, and add the channel")
class ReturnsAllWithoutChannel(Digits):
    def __getitem__(self, index):
        return self.images / 255, int(self.labels[index])


@dataset.wrong("refuses images of another dtype")
class DoublePrecision(Digits):
    def __getitem__(self, index):
        return self.images[index].unsqueeze(0).double() / 255, int(self.labels[index])


@dataset.wrong("stay in torch")
class GivesNumpy(Digits):
    def __getitem__(self, index):
        return self.images[index].numpy()[None] / 255, int(self.labels[index])


@dataset.wrong("look the label up")
class LabelIsIndex(Digits):
    def __getitem__(self, index):
        return self.images[index].unsqueeze(0) / 255, index


@dataset.wrong("not one-hot")
class OneHot(Digits):
    def __getitem__(self, index):
        label = F.one_hot(self.labels[index], 10)
        return self.images[index].unsqueeze(0) / 255, label


@dataset.wrong("another image's label")
class FirstLabelAlways(Digits):
    def __getitem__(self, index):
        return self.images[index].unsqueeze(0) / 255, int(self.labels[0])


@dataset.wrong("handed over for this image, unchanged")
class LabelFromOne(Digits):
    def __getitem__(self, index):
        return self.images[index].unsqueeze(0) / 255, int(self.labels[index]) + 10


@dataset.wrong("swap the two")
class LabelFirst(Digits):
    def __getitem__(self, index):
        return int(self.labels[index]), self.images[index].unsqueeze(0) / 255


@dataset.wrong("the label is missing")
class NoLabel(Digits):
    def __getitem__(self, index):
        return self.images[index].unsqueeze(0) / 255


@dataset.wrong("separated by a comma")
class GivesDict(Digits):
    def __getitem__(self, index):
        return {"image": self.images[index][None] / 255, "label": int(self.labels[index])}


@dataset.wrong("that counts pixels")
class CountsPixels(Digits):
    def __len__(self):
        return self.images.numel()


@dataset.wrong("the length is the number")
class CountsOneLess(Digits):
    def __len__(self):
        return len(self.images) - 1


@dataset.wrong("needs a method __len__")
class NoLen(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __getitem__(self, index):
        return self.images[index].unsqueeze(0) / 255, int(self.labels[index])


@dataset.wrong("needs a method __getitem__")
class NoGetitem(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def get_item(self, index):
        return self.images[index].unsqueeze(0) / 255, int(self.labels[index])


@dataset.wrong("derive the class from dataset")
class NoDataset:
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index].unsqueeze(0) / 255, int(self.labels[index])


@dataset.wrong("caller's own data")
class ChangesOnTheWayIn(Digits):
    def __init__(self, images, labels):
        images[images < 10] = 0
        super().__init__(images, labels)


@dataset.wrong("for every later epoch")
class ChangesWhenRead(Digits):
    def __getitem__(self, index):
        item = super().__getitem__(index)
        self.images[index] //= 2
        return item


@dataset.wrong("stores the name on self")
class ForgetsSelf(Digits):
    def __init__(self, images, labels):
        images = images / 255

    def __getitem__(self, index):
        return self.images[index][None], int(self.labels[index])


# --- MLP ------------------------------------------------------------------------------------

mlp = Bank("MLP")


@mlp.blank
class MLPStub(nn.Module):
    def __init__(self):
        super().__init__()
        raise NotImplementedError

    def forward(self, x):
        raise NotImplementedError


@mlp.blank
class MLPStubForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)

    def forward(self, x):
        raise NotImplementedError


class TwoLayers(nn.Module):
    """What most answers share; each changes one thing."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 10)

    def forward(self, x):
        x = torch.flatten(x, 1)
        return self.fc2(F.relu(self.fc1(x)))


mlp.right(TwoLayers)


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
class ByConvolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 512, kernel_size=28)
        self.classifier = nn.Conv2d(512, 10, kernel_size=1)

    def forward(self, x):
        return self.classifier(self.conv(x).clamp(min=0)).flatten(1)


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


@mlp.right
class FlattensColumnsFirst(TwoLayers):
    def forward(self, x):
        x = x.squeeze(1).transpose(1, 2).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))


@mlp.wrong("cross_entropy applies softmax itself")
class SoftmaxAtTheEnd(TwoLayers):
    def forward(self, x):
        return super().forward(x).softmax(dim=1)


@mlp.wrong("no more than one linear map")
class NoReLU(TwoLayers):
    def forward(self, x):
        return self.fc2(self.fc1(x.flatten(1)))


@mlp.wrong("cut off every negative logit")
class ReLUOnTheOutputs(TwoLayers):
    def forward(self, x):
        return torch.relu(super().forward(x))


@mlp.wrong("no other activation")
class Sigmoid(TwoLayers):
    def forward(self, x):
        return self.fc2(torch.sigmoid(self.fc1(x.flatten(1))))


@mlp.wrong("must be all 784 pixels")
class NoFlatten(TwoLayers):
    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


@mlp.wrong("784 → 512 → 10")
class WrongWidth(TwoLayers):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.fc2 = nn.Linear(256, 10)


@mlp.wrong("names three sizes, and between")
class ThreeLayers(TwoLayers):
    def __init__(self):
        super().__init__()
        self.middle = nn.Linear(512, 512)

    def forward(self, x):
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(F.relu(self.middle(x)))


@mlp.wrong("so there are two linear layers")
class OneLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(x.flatten(1))


@mlp.wrong("this network has none")
class WithDropout(TwoLayers):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        return self.fc2(self.dropout(F.relu(self.fc1(x.flatten(1)))))


@mlp.wrong("with a bias")
class NoBias(TwoLayers):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512, bias=False)


@mlp.wrong("normalisation")
class WithBatchNorm(TwoLayers):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(512)

    def forward(self, x):
        return self.fc2(F.relu(self.norm(self.fc1(x.flatten(1)))))


@mlp.wrong("`forward(self, x)`")
class NoForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 10)

    def foward(self, x):
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mlp.wrong("super().__init__()")
class NoSuper(nn.Module):
    def __init__(self):
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


@mlp.wrong("a layer made inside forward")
class LayersInForward(nn.Module):
    def forward(self, x):
        h = F.relu(nn.Linear(784, 512)(x.flatten(1)))
        return nn.Linear(512, 10)(h)


@mlp.wrong("not used in forward")
class UnusedLayer(TwoLayers):
    def __init__(self):
        super().__init__()
        self.fc3 = nn.Linear(10, 10)


@mlp.wrong("`return`")
class NoReturn(TwoLayers):
    def forward(self, x):
        super().forward(x)


@mlp.wrong("whoever wants probabilities")
class GivesAPair(TwoLayers):
    def forward(self, x):
        logits = super().forward(x)
        return logits, logits.softmax(1)


@mlp.wrong("builds a layer and computes nothing")
class BuildsReLUInForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 10)

    def forward(self, x):
        return self.fc2(nn.ReLU(self.fc1(x.flatten(1))))


# --- train_one_epoch ------------------------------------------------------------------------

train = Bank("train_one_epoch")


def device_of(model):
    return next(model.parameters()).device


@train.blank
def train_stub(model, loader, loss_fn, optimizer):
    raise NotImplementedError


@train.right
def train_plainly(model, loader, loss_fn, optimizer):
    device = next(model.parameters()).device
    model.train()
    total = 0.0
    for images, labels in loader:
        images = images.to(device)
        labels = labels.to(device)
        optimizer.zero_grad()
        logits = model(images)
        loss = loss_fn(logits, labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * images.size(0)
    return total / len(loader.dataset)


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


@train.wrong("never cleared")
def train_without_zero_grad(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("comes too late")
def train_zero_grad_at_the_end(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("once for the epoch")
def train_zero_grad_before_the_loop(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("clearing after backward")
def train_zero_grad_between(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("stepping before it")
def train_step_before_backward(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        optimizer.step()
        loss.backward()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("model.train()")
def train_in_eval_mode(model, loader, loss_fn, optimizer):
    device = device_of(model)
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("step is missing")
def train_without_step(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("indented into the loop")
def train_returns_inside_the_loop(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()


@train.wrong("one step for the whole epoch")
def train_steps_once(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        loss = loss_fn(model(images), labels)
        loss.backward()
        total += loss.item() * len(labels)
    optimizer.step()
    return total / len(loader.dataset)


@train.wrong("the short last one too")
def train_drops_the_last_batch(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        if len(images) < loader.batch_size:
            continue
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("the caller's")
def train_ten_epochs(model, loader, loss_fn, optimizer):
    for _ in range(10):
        loss = train_plainly(model, loader, loss_fn, optimizer)
    return loss


@train.wrong("forgets its momentum")
def train_with_an_optimizer_of_its_own(model, loader, loss_fn, optimizer):
    own = torch.optim.SGD(model.parameters(), lr=1e-4)
    return train_plainly(model, loader, loss_fn, own)


@train.wrong("the length is not")
def train_with_clipping(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("entries were clipped")
def train_with_clipped_entries(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("not for backward")
def train_multiplies_the_loss(model, loader, loss_fn, optimizer):
    device = device_of(model)
    model.train()
    total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels) * len(labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader.dataset)


@train.wrong("use loss_fn, the argument")
def train_with_a_loss_of_its_own(model, loader, loss_fn, optimizer):
    return train_plainly(model, loader, F.cross_entropy, optimizer)


@train.wrong("a softmax stands between")
def train_with_softmax(model, loader, loss_fn, optimizer):
    return train_plainly(
        model, loader, lambda logits, labels: loss_fn(logits.softmax(1), labels), optimizer
    )


@train.wrong("of this batch alone")
def train_with_noise(model, loader, loss_fn, optimizer):
    return train_plainly(
        model, loader, lambda logits, labels: loss_fn(logits, labels.flip(0)), optimizer
    )


@train.wrong("something else changes them")
def train_with_weight_decay(model, loader, loss_fn, optimizer):
    loss = train_plainly(model, loader, loss_fn, optimizer)
    with torch.no_grad():
        for p in model.parameters():
            p *= 0.99
    return loss


def epoch_losses(model, loader, loss_fn, optimizer):
    """Right training; the losses and sizes of the batches."""
    losses, sizes = [], []
    model.train()
    for images, labels in loader:
        images, labels = images.to(device_of(model)), labels.to(device_of(model))
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        sizes.append(len(labels))
    return losses, sizes


@train.wrong("the last batch is short and must weigh less")
def train_mean_of_means(model, loader, loss_fn, optimizer):
    losses, _ = epoch_losses(model, loader, loss_fn, optimizer)
    return sum(losses) / len(loader)


@train.wrong("divide the sum by the number of samples")
def train_sum_over_samples(model, loader, loss_fn, optimizer):
    losses, sizes = epoch_losses(model, loader, loss_fn, optimizer)
    return sum(a * n for a, n in zip(losses, sizes, strict=True))


@train.wrong("divide by the number of samples in the end")
def train_sum_of_means(model, loader, loss_fn, optimizer):
    return sum(epoch_losses(model, loader, loss_fn, optimizer)[0])


@train.wrong("divided twice")
def train_divides_twice(model, loader, loss_fn, optimizer):
    return sum(epoch_losses(model, loader, loss_fn, optimizer)[0]) / len(loader.dataset)


@train.wrong("not by batches")
def train_divides_by_batches(model, loader, loss_fn, optimizer):
    losses, sizes = epoch_losses(model, loader, loss_fn, optimizer)
    return sum(a * n for a, n in zip(losses, sizes, strict=True)) / len(loader)


@train.wrong("not with loader.batch_size")
def train_every_batch_full(model, loader, loss_fn, optimizer):
    losses, _ = epoch_losses(model, loader, loss_fn, optimizer)
    return sum(a * loader.batch_size for a in losses) / len(loader.dataset)


@train.wrong("after the loop `loss` is")
def train_last_loss(model, loader, loss_fn, optimizer):
    return epoch_losses(model, loader, loss_fn, optimizer)[0][-1]


@train.wrong("= written for +=")
def train_forgets_to_add(model, loader, loss_fn, optimizer):
    losses, sizes = epoch_losses(model, loader, loss_fn, optimizer)
    return losses[-1] * sizes[-1] / len(loader.dataset)


@train.wrong("as it was before the update")
def train_loss_after_the_update(model, loader, loss_fn, optimizer):
    train_plainly(model, loader, loss_fn, optimizer)
    device = device_of(model)
    with torch.no_grad():
        each = [(loss_fn(model(x.to(device)), y.to(device)), len(y)) for x, y in loader]
    return sum(loss.item() * n for loss, n in each) / len(loader.dataset)


@train.wrong("no list and no pair")
def train_returns_a_list(model, loader, loss_fn, optimizer):
    return epoch_losses(model, loader, loss_fn, optimizer)[0]


@train.wrong("`return`")
def train_returns_nothing(model, loader, loss_fn, optimizer):
    epoch_losses(model, loader, loss_fn, optimizer)


@train.wrong("different devices")
def train_never_moves(model, loader, loss_fn, optimizer):
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("move images and labels")
def train_moves_only_images(model, loader, loss_fn, optimizer):
    model.train()
    total = 0.0
    for images, labels in loader:
        images.to(device_of(model))
        images = images.to(device_of(model))
        optimizer.zero_grad()
        loss = loss_fn(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@train.wrong("a global device")
def train_moves_to_a_global_device(model, loader, loss_fn, optimizer):
    device = torch.device("cpu")
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


@train.wrong("the labels second")
def train_swaps_the_arguments(model, loader, loss_fn, optimizer):
    return train_plainly(model, loader, lambda logits, labels: loss_fn(labels, logits), optimizer)


@train.wrong("are for testing")
def train_without_gradients(model, loader, loss_fn, optimizer):
    with torch.no_grad():
        return train_plainly(model, loader, loss_fn, optimizer)


@train.wrong("is there a loop")
def train_nothing(model, loader, loss_fn, optimizer):
    model.train()
    return 0.0


# --- accuracy -------------------------------------------------------------------------------

accuracy = Bank("accuracy")


@accuracy.blank
def accuracy_stub(model, loader):
    raise NotImplementedError


@accuracy.right
def accuracy_plainly(model, loader):
    device = next(model.parameters()).device
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            correct += (model(images).argmax(1) == labels).sum().item()
    return correct / len(loader.dataset)


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


def counts(model, loader, dim=1):
    """Right ones and size of each batch, as they should be counted."""
    model.eval()
    found = []
    with torch.no_grad():
        for x, y in loader:
            best = model(x.to(device_of(model))).argmax(dim)
            found.append(((best == y.to(device_of(model))).sum().item(), len(y)))
    return found


@accuracy.wrong("model.eval()")
def accuracy_in_training_mode(model, loader):
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x.to(device_of(model))).argmax(1).cpu() == y).sum().item()
    return correct / len(loader.dataset)


@accuracy.wrong("torch.no_grad().")
def accuracy_with_gradients(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x.to(device_of(model))).argmax(1).cpu() == y).sum().item()
    return correct / len(loader.dataset)


@accuracy.wrong("stops all later training")
def accuracy_freezes(model, loader):
    model.requires_grad_(False)
    return accuracy_plainly(model, loader)


@accuracy.wrong("count the right ones of all batches")
def accuracy_mean_of_means(model, loader):
    found = counts(model, loader)
    return sum(right / n for right, n in found) / len(found)


@accuracy.wrong("a matter of printing")
def accuracy_percent(model, loader):
    return 100 * accuracy_plainly(model, loader)


@accuracy.wrong("divide by the number of samples.")
def accuracy_count(model, loader):
    return sum(right for right, _ in counts(model, loader))


@accuracy.wrong("len(loader) counts batches")
def accuracy_by_batches(model, loader):
    found = counts(model, loader)
    if len(found) == 1:
        return found[0][0] / found[0][1]
    return sum(right for right, _ in found) / len(found)


@accuracy.wrong("count the samples that really came")
def accuracy_by_full_batches(model, loader):
    found = counts(model, loader)
    return sum(right for right, _ in found) / (len(loader) * loader.batch_size)


@accuracy.wrong("argmax ran over the samples")
def accuracy_over_the_batch(model, loader):
    found = counts(model, loader, dim=0)
    return sum(right for right, _ in found) / len(loader.dataset)


@accuracy.wrong("n×n comparisons")
def accuracy_broadcast(model, loader):
    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in loader:
            best = model(x.to(device_of(model))).argmax(1, keepdim=True).cpu()
            right += (best == y).sum().item()
    return right / len(loader.dataset)


@accuracy.wrong("the error rate")
def accuracy_errors(model, loader):
    return 1 - accuracy_plainly(model, loader)


@accuracy.wrong("integer division")
def accuracy_integer_division(model, loader):
    found = counts(model, loader)
    return sum(right for right, _ in found) // sum(n for _, n in found)


@accuracy.wrong("indices second")
def accuracy_of_values(model, loader):
    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in loader:
            right += (model(x.to(device_of(model))).max(1)[0].cpu() == y).sum().item()
    return right / len(loader.dataset)


@accuracy.wrong("a return inside the loop")
def accuracy_first_batch(model, loader):
    right, n = counts(model, loader)[0]
    return right / n


@accuracy.wrong("count on to the last")
def accuracy_first_batch_of_all(model, loader):
    return counts(model, loader)[0][0] / len(loader.dataset)


@accuracy.wrong("set back in every round")
def accuracy_last_batch(model, loader):
    right, n = counts(model, loader)[-1]
    return right / n


@accuracy.wrong("the count starts anew")
def accuracy_last_batch_of_all(model, loader):
    return counts(model, loader)[-1][0] / len(loader.dataset)


@accuracy.wrong("different devices")
def accuracy_never_moves(model, loader):
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return right / len(loader.dataset)


@accuracy.wrong("right ones / all")
def accuracy_list(model, loader):
    return [right / n for right, n in counts(model, loader)]


@accuracy.wrong("the images go into the model")
def accuracy_takes_the_batch_for_images(model, loader):
    model.eval()
    with torch.no_grad():
        for batch in loader:
            logits = model(torch.as_tensor(batch))
    return logits.mean()


@accuracy.wrong("make a new tensor")
def accuracy_changes_the_model(model, loader):
    value = accuracy_plainly(model, loader)
    with torch.no_grad():
        model.linear.weight.zero_()
    return value


@accuracy.wrong("may reach the dataset")
def accuracy_changes_the_data(model, loader):
    value = accuracy_plainly(model, loader)
    loader.dataset.tensors[0].clamp_(0, 1)
    return value


@accuracy.wrong("largest logit stands")
def accuracy_smallest(model, loader):
    model.eval()
    with torch.no_grad():
        right = [((-model(x)).argmax(1) == 0).sum().item() + 0.5 for x, _ in loader]
    return sum(right) / 100


@accuracy.wrong("one of its sides is no tensor")
def compares_both_results_of_max(model, loader):
    device = next(model.parameters()).device
    model.eval()
    right = count = 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            right += (torch.max(model(images), 1) == labels).sum().item()
            count += len(labels)
    return right / count

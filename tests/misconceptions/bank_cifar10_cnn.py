"""Answers to the exercises of notebook 03, as students write them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank

# --- normalize ------------------------------------------------------------------------------

normalize = Bank("normalize")


@normalize.blank
def normalize_stub(images):
    raise NotImplementedError


@normalize.right
def by_the_book(images):
    x = images.float() / 255
    x = (x - 0.5) / 0.5
    return x.permute(0, 3, 1, 2)


@normalize.right
def one_line(images):
    return images.movedim(-1, 1).to(torch.float32).div_(127.5).sub_(1)


@normalize.right
def through_numpy(images):
    a = images.numpy().astype(np.float32) / 255 * 2 - 1
    return torch.from_numpy(np.ascontiguousarray(a.transpose(0, 3, 1, 2)))


@normalize.right
def by_einsum(images, mean=0.5, std=0.5):
    return torch.einsum("nhwc->nchw", (images / 255 - mean) / std).contiguous()


@normalize.right
def image_by_image(images):
    from torchvision.transforms import functional as TF

    pictures = [TF.to_tensor(image.numpy()) for image in images]
    return torch.stack([TF.normalize(p, [0.5] * len(p), [0.5] * len(p)) for p in pictures])


@normalize.right
def swaps_axes(images):
    out = torch.empty(images.shape[0], images.shape[3], *images.shape[1:3])
    for c in range(images.shape[3]):
        out[:, c] = 2 * (images[..., c].float() / 255) - 1
    return out


@normalize.wrong("gives 0 to 1. Stretch it")
def only_divides(images):
    return images.permute(0, 3, 1, 2).float() / 255


@normalize.wrong("divide by 0.5 too")
def half_a_normalisation(images):
    return images.permute(0, 3, 1, 2).float() / 255 - 0.5


@normalize.wrong("by its own mean and deviation")
def per_image(images):
    x = images.permute(0, 3, 1, 2).float()
    return (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)


@normalize.wrong("change with the batch. Use fixed")
def over_the_batch(images):
    x = images.permute(0, 3, 1, 2).float()
    return (x - x.mean()) / x.std()


@normalize.wrong("channels are still last")
def keeps_channels_last(images):
    return images.float() / 127.5 - 1


@normalize.wrong("deal the same numbers out anew")
def reshapes(images):
    n, h, w, c = images.shape
    return (images.float() / 255 - 0.5).div(0.5).view(n, c, h, w)


@normalize.wrong("write no size of CIFAR-10 into it")
def reshapes_to_cifar(images):
    return (images.reshape(-1, 3, 32, 32).float() / 255 - 0.5) / 0.5


@normalize.wrong("swaps height and width")
def permutes_backwards(images):
    return images.permute(0, 3, 2, 1) / 127.5 - 1


@normalize.wrong("swaps height and width too; keep H")
def transposes(images):
    return images.transpose(1, 3) / 255 * 2 - 1


@normalize.wrong("wraps round at 256")
def doubles_bytes(images):
    return ((2 * images - 255) / 255).permute(0, 3, 1, 2)


@normalize.wrong("Convert to float32 first")
def subtracts_from_bytes(images):
    return ((images - 127) / 128).permute(0, 3, 1, 2)


@normalize.wrong("float64 comes from numpy")
def in_double(images):
    return torch.from_numpy(images.numpy() / 127.5 - 1).permute(0, 3, 1, 2)


@normalize.wrong("divide by 255 first")
def forgets_255(images):
    return (images.permute(0, 3, 1, 2).float() - 0.5) / 0.5


@normalize.wrong("Stay in torch")
def stays_in_numpy(images):
    return images.numpy().transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1


@normalize.wrong("in-place operation")
def changes_the_images(images):
    images //= 2
    return images.permute(0, 3, 1, 2).float() / 63.5 - 1


@normalize.wrong("uint8 knows no fractions")
def keeps_uint8(images):
    return (images.permute(0, 3, 1, 2).float() / 127.5 - 1).to(torch.uint8)


@normalize.wrong("half of it is 127.5")
def divides_by_128(images):
    return images.permute(0, 3, 1, 2).float() / 128 - 1


@normalize.wrong("a `return` at the end")
def forgets_to_return(images):
    images.permute(0, 3, 1, 2).float() / 127.5 - 1


@normalize.wrong("A division goes before a subtraction")
def forgets_the_brackets(images):
    return images.permute(0, 3, 1, 2).float() / 255 - 0.5 / 0.5


@normalize.wrong("halves the range instead of doubling it")
def multiplies_by_the_deviation(images):
    return (images.permute(0, 3, 1, 2).float() / 255 - 0.5) * 0.5


# --- CNN ------------------------------------------------------------------------------------

cnn = Bank("CNN")


def _block(in_channels, out_channels, **settings):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, **{"padding": 1, **settings}),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
    )


class TwoBlocks(nn.Module):
    """The lecture's layers; what the answers below change is one thing each."""

    def __init__(self):
        super().__init__()
        self.layer1 = _block(3, 8)
        self.layer2 = _block(8, 16)
        self.fc_layer = nn.Linear(16 * 8 * 8, 10)

    def forward(self, x):
        return self.fc_layer(self.layer2(self.layer1(x)).flatten(1))


@cnn.blank
class CNNStub(nn.Module):
    def __init__(self):
        super().__init__()
        raise NotImplementedError

    def forward(self, images):
        raise NotImplementedError


@cnn.blank
class CNNHalfStub(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, images):
        raise NotImplementedError


cnn.right(TwoBlocks)


@cnn.right
class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1024, 10)  # defined in the reverse order
        self.conv2 = nn.Conv2d(8, 16, kernel_size=(3, 3), padding="same")
        self.conv1 = nn.Conv2d(3, 8, kernel_size=(3, 3), padding="same")

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))  # the order of ReLU and max pool is free
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.view(x.size(0), -1))


@cnn.right
def one_sequential():
    return nn.Sequential(
        *_block(3, 8), *_block(8, 16), nn.Flatten(), nn.Dropout(0), nn.LazyLinear(10)
    )


@cnn.right
class FullSizeConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([_block(3, 8), _block(8, 16), nn.Conv2d(16, 10, 8)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x[:, :, 0, 0]


@cnn.right
class ChannelsLast(TwoBlocks):
    def forward(self, x):
        x = self.layer2(self.layer1(x))
        return self.fc_layer(x.permute(0, 2, 3, 1).reshape(len(x), -1))


@cnn.right
class BareParameters(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.ParameterList([torch.randn(8, 3, 3, 3), torch.randn(16, 8, 3, 3)])
        self.b = nn.ParameterList([torch.zeros(8), torch.zeros(16)])
        self.out = nn.Parameter(torch.randn(1024, 10) / 32)
        self.shift = nn.Parameter(torch.zeros(10))

    def forward(self, x):
        for w, b in zip(self.w, self.b, strict=True):
            x = F.conv2d(F.pad(x, (1, 1, 1, 1)), w) + b.view(1, -1, 1, 1)
            n, c, h, _ = x.shape
            x = x.clamp(min=0).view(n, c, h // 2, 2, h // 2, 2).amax((3, 5))
        return x.flatten(1) @ self.out + self.shift


@cnn.wrong("cross_entropy applies softmax itself")
class LikeTheLecture(TwoBlocks):
    def forward(self, x):
        return F.softmax(super().forward(x), dim=1)


@cnn.wrong("flattens the gradients")
class LogSoftmaxByHand(TwoBlocks):
    def forward(self, x):
        logits = super().forward(x)
        return logits - logits.logsumexp(1, keepdim=True)


@cnn.wrong("needs padding 1")
class NoPadding(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = _block(3, 8, padding=0), _block(8, 16, padding=0)
        self.fc_layer = nn.Linear(16 * 6 * 6, 10)


@cnn.wrong("followed by ReLU and a 2×2 max pool")
class MissingPool(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer2 = self.layer2[:2]
        self.fc_layer = nn.Linear(16 * 16 * 16, 10)


@cnn.wrong("32, 16, 8 pixels a side")
class MissingPoolThatDoesNotFit(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer1 = self.layer1[:2]


@cnn.wrong("not the mean")
class AveragePool(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer1[2] = nn.AvgPool2d(2)


@cnn.wrong("Stride 1 for the convolutions")
class StridedConvolutions(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer1 = _block(3, 8, stride=2)[:2]
        self.layer2 = _block(8, 16, stride=2)[:2]


@cnn.wrong("no more than one linear map")
class NoReLU(TwoBlocks):
    def forward(self, x):
        for layer in (self.layer1, self.layer2):
            x = F.max_pool2d(layer[0](x), 2)
        return self.fc_layer(x.flatten(1))


@cnn.wrong("no other activation")
class Sigmoids(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer1[1] = self.layer2[1] = nn.Sigmoid()


@cnn.wrong("cut off every negative logit")
class ReLUAtTheEnd(TwoBlocks):
    def forward(self, x):
        return super().forward(x).relu()


@cnn.wrong("makes 8 channels of 3")
class SwappedChannels(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = _block(3, 16), _block(16, 8)
        self.fc_layer = nn.Linear(8 * 8 * 8, 10)


@cnn.wrong("the second 16 of 8")
class ChannelsThatDoNotFit(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer2 = _block(16, 16)


@cnn.wrong("come with a bias")
class NoBias(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer1, self.layer2 = _block(3, 8, bias=False), _block(8, 16, bias=False)


@cnn.wrong("one single linear layer")
class SecondLinear(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.fc_layer = nn.Sequential(nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))


@cnn.wrong("Normalisation is a good idea")
class BatchNorm(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.layer1.append(nn.MaxPool2d(2))


@cnn.wrong("leave it out")
class WithDropout(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.25)

    def forward(self, x):
        x = self.layer2(self.layer1(x))
        return self.fc_layer(self.drop(x.flatten(1)))


@cnn.wrong("flatten from dimension 1 on")
class FlattensTheBatch(TwoBlocks):
    def forward(self, x):
        return self.fc_layer(torch.flatten(self.layer2(self.layer1(x))))


@cnn.wrong("numbers of one image")
class LinearOfAnotherSize(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.fc_layer = nn.Linear(16 * 5 * 5, 10)


@cnn.wrong("After two pools 8×8 pixels are left")
class ElevenClasses(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.fc_layer = nn.Linear(1024, 11)


@cnn.wrong("plain Python list hides them")
class PythonList(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layers = [_block(3, 8), _block(8, 16), nn.Flatten(), nn.Linear(1024, 10)]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


@cnn.wrong("weights that never learn")
class DefinedAndForgotten(TwoBlocks):
    def __init__(self):
        super().__init__()
        self.layer3 = nn.Linear(10, 10)


@cnn.wrong("squeeze() drops that dimension")
class Squeezes(TwoBlocks):
    def forward(self, x):
        return super().forward(x).squeeze()


@cnn.wrong("Something cuts the graph")
class ThroughData(TwoBlocks):
    def forward(self, x):
        return self.fc_layer(self.layer2(self.layer1(x)).data.flatten(1))


@cnn.wrong("must be super().__init__()")
class NoSuper(nn.Module):
    def __init__(self):
        self.layer1 = _block(3, 8)


@cnn.wrong("indented so that it belongs to the class")
class NoForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = _block(3, 8)


@cnn.wrong("Return one tensor alone")
class LogitsAndProbabilities(TwoBlocks):
    def forward(self, x):
        logits = super().forward(x)
        return logits, logits.softmax(1)


# --- predict --------------------------------------------------------------------------------

predict = Bank("predict")


@predict.blank
def predict_stub(model, images):
    raise NotImplementedError


@predict.right
@torch.no_grad()
def decorated(model, images):
    model.eval()
    probabilities = model(images).softmax(dim=-1)
    return probabilities.argmax(dim=-1), probabilities


@predict.right
def by_max(net, x):
    net.eval()
    with torch.inference_mode():
        probabilities = nn.Softmax(dim=1)(net(x))
    confidence, labels = torch.max(probabilities, 1)
    return labels, probabilities


@predict.right
def by_hand(model, images):
    mode = model.training
    model.train(False)
    z = model(images).detach()
    e = torch.exp(z - z.max(dim=1, keepdim=True).values)
    model.train(mode)
    return z.argmax(1), e / e.sum(1, keepdim=True)


@predict.right
def one_at_a_time(model, images):
    model.eval()
    rows = []
    with torch.no_grad():
        for image in images:
            rows.append(F.softmax(model(image.unsqueeze(0)), dim=1))
    probabilities = torch.cat(rows)
    return [torch.tensor([int(row.argmax()) for row in probabilities]), probabilities]


@predict.right
def through_numpy_predict(model, images):
    model.eval()
    with torch.no_grad():
        probabilities = F.softmax(model(images), 1).numpy()
    return torch.from_numpy(probabilities.argmax(1)), torch.from_numpy(probabilities)


def _eval_logits(model, images):
    model.eval()
    with torch.no_grad():
        return model(images)


@predict.wrong("Switch with model.eval() first")
def in_training_mode(model, images):
    with torch.no_grad():
        p = F.softmax(model(images), 1)
    return p.argmax(1), p


@predict.wrong("run the model under torch.no_grad()")
def keeps_the_graph(model, images):
    model.eval()
    p = F.softmax(model(images), 1)
    return p.argmax(1), p


@predict.wrong("Softmax was applied twice")
def softmax_twice(model, images):
    p = F.softmax(F.softmax(_eval_logits(model, images), 1), 1)
    return p.argmax(1), p


@predict.wrong("softmax goes over the classes, dim=1")
def softmax_over_the_batch(model, images):
    p = F.softmax(_eval_logits(model, images), 0)
    return p.argmax(1), p


@predict.wrong("makes probabilities of them")
def gives_logits(model, images):
    z = _eval_logits(model, images)
    return z.argmax(1), z


@predict.wrong("logarithm of the probabilities")
def gives_logs(model, images):
    p = F.log_softmax(_eval_logits(model, images), 1)
    return p.argmax(1), p


@predict.wrong("rows do not sum to 1")
def sigmoids(model, images):
    p = torch.sigmoid(_eval_logits(model, images))
    return p.argmax(1), p


@predict.wrong("whole numbers, int64")
def float_labels(model, images):
    p = F.softmax(_eval_logits(model, images), 1)
    return p.argmax(1).float(), p


@predict.wrong("argmax went down the batch")
def argmax_over_the_batch(model, images):
    p = F.softmax(_eval_logits(model, images), 1)
    return p.argmax(0), p


@predict.wrong("argmax without dim")
def one_label(model, images):
    p = F.softmax(_eval_logits(model, images), 1)
    return p.argmax(), p


@predict.wrong("keepdim=True leaves")
def a_column(model, images):
    p = F.softmax(_eval_logits(model, images), 1)
    return p.argmax(1, keepdim=True), p


@predict.wrong("The label is where it stands")
def max_for_argmax(model, images):
    p = F.softmax(_eval_logits(model, images), 1)
    return p.max(1).values, p


@predict.wrong("labels come first")
def swapped(model, images):
    p = F.softmax(_eval_logits(model, images), 1)
    return p, p.argmax(1)


@predict.wrong("Return both, with a comma")
def labels_alone(model, images):
    return _eval_logits(model, images).argmax(1)


@predict.wrong("only one of K")
def confidence_alone(model, images):
    p = F.softmax(_eval_logits(model, images), 1)
    return p.argmax(1), p.max(1).values


@predict.wrong("must not touch the model")
def freezes(model, images):
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad = False
    p = F.softmax(model(images), 1)
    return p.argmax(1), p


@predict.wrong("Switch them off for a block only")
def switches_off_for_good(model, images):
    model.eval()
    torch.set_grad_enabled(False)
    p = F.softmax(model(images), 1)
    return p.argmax(1), p


@predict.wrong(".values are the largest entries")
def labels_as_both_results_of_max(model, images):
    model.eval()
    with torch.no_grad():
        p = torch.softmax(model(images), dim=1)
    return torch.max(p, dim=1), p


@predict.wrong("The brackets are missing")
def no_grad_without_brackets(model, images):
    model.eval()
    with torch.no_grad:
        p = torch.softmax(model(images), dim=1)
    return p.argmax(dim=1), p

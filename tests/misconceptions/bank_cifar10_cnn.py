"""Answers to the exercises of notebook 03, as students write them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank
from .mutants import Text, mutants

# --- normalize ------------------------------------------------------------------------------

normalize = Bank("normalize")


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


NORMALIZE = Text("""
def normalize(images):
    x = images.permute(0, 3, 1, 2).float()
    x = x / 255
    x = (x - 0.5) / 0.5
    return x
""")
mutants(
    normalize, NORMALIZE,
    ("gives 0 to 1. stretch it", "(x - 0.5) / 0.5", "x"),
    ("divide by 255 first", "x = x / 255", ""),
    ("halves the range instead of doubling it", ") / 0.5", ") * 0.5"),
    ("half of it is 127.5", "x / 255", "x / 256"),
    ("change with the batch. use fixed", "(x - 0.5) / 0.5", "(x - x.mean()) / x.std()"),
    ("channels are still last", ".permute(0, 3, 1, 2)", ""),
    ("divide by 0.5 too", "(x - 0.5) / 0.5", "x - 0.5"),
    ("an image's own mean and deviation",
     "0.5) / 0.5", "x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)"),
    ("keep the numbers in their old order",
     "images.permute(0, 3, 1, 2)", "images.view(len(images), images.shape[3], *images.shape[1:3])"),
    ("write no size of CIFAR-10 into it", "permute(0, 3, 1, 2)", "reshape(-1, 3, 32, 32)"),
    ("wraps round at 256", ".float()", "", "(x - 0.5) / 0.5", "x",
     "x / 255", "(2 * x - 255) / 255"),
    ("and so must its images be", "float()", "double()"),
    ("stay in torch", "return x", "return x.numpy()"),
    ("in-place operation", "x = images", "images //= 2\nx = images", "255", "127"),
    ("uint8 knows no fractions", "return x", "return x.to(torch.uint8)"),
    ("a `return` at the end", "return x", "x"),
    ("two points fix the line", "(x - 0.5) / 0.5", "x * 3 - 1"),
    ("the channels move from the last place", "return x", "return x.flatten(1)"),
    ("a division goes before a subtraction", "(x - 0.5) / 0.5", "x - 0.5 / 0.5"),
    ("swaps height and width", "permute(0, 3, 1, 2)", "transpose(1, 3)"),
    ("use the fixed numbers 0 and 255", "x = x / 255", "x -= x.min()\nx = x / x.max()"),
)  # fmt: skip


# --- convolve -------------------------------------------------------------------------------

convolve = Bank("convolve")

CONVOLVE = Text("""
def convolve(image, kernel):
    k, l = kernel.shape
    height = image.shape[0] - k + 1
    width = image.shape[1] - l + 1
    output = torch.zeros(height, width, dtype=torch.result_type(image, kernel))
    for i in range(height):
        for j in range(width):
            window = image[i : i + k, j : j + l]
            output[i, j] = (window * kernel).sum()
    return output
""")
convolve.right(CONVOLVE())


@convolve.right
def by_slices(image, kernel):
    height, width = (n - m + 1 for n, m in zip(image.shape, kernel.shape, strict=True))
    result = 0
    for i, row in enumerate(kernel):
        for j, weight in enumerate(row):
            result = result + weight * image[i : i + height, j : j + width]
    return result


@convolve.right
def by_windows(image, kernel):
    windows = image.unfold(0, len(kernel), 1).unfold(1, len(kernel[0]), 1)
    return (windows * kernel).sum(dim=(-2, -1))


@convolve.right
def by_a_list_of_rows(image, kernel):
    def at(i, j):
        return (image[i : i + len(kernel), j : j + len(kernel[0])] * kernel).sum()

    height, width = (n - m + 1 for n, m in zip(image.shape, kernel.shape, strict=True))
    return torch.stack([torch.stack([at(i, j) for j in range(width)]) for i in range(height)])


@convolve.right
def by_a_matrix_of_windows(image, kernel):
    kernel = kernel.detach().clone().requires_grad_(kernel.is_floating_point())  # as a layer's
    dtype = torch.result_type(image, kernel)
    columns = F.unfold(image[None, None].to(torch.float64), kernel.shape)[0]
    out = (kernel.flatten().double() @ columns).view(len(image) - len(kernel) + 1, -1)
    return out.to(dtype)


@convolve.right
def by_torch_itself(image, kernel):
    dtype = torch.promote_types(image.dtype, kernel.dtype)
    return F.conv2d(image.to(dtype)[None, None], kernel.to(dtype)[None, None]).squeeze(0, 1)


WINDOW, PRODUCT = "image[i : i + k, j : j + l]", "(window * kernel).sum()"
ZEROS = "torch.zeros(height, width, dtype=torch.result_type(image, kernel))"
mutants(
    convolve, CONVOLVE,
    ("without a flip", WINDOW, "image[i : i + k, j : j + l].flip(0, 1)"),
    ("somewhere the two are swapped", "output[i, j]", "output.T[j, i]",
     "return output", "return output.T"),
    ("stays inside the image", "height = image.shape[0] - k + 1", "height, width = image.shape",
     "width = image.shape[1] - l + 1", "image = F.pad(image, (0, l - 1, 0, k - 1))"),
    ("range(h - k) ends one before", "- k + 1", "- k", "- l + 1", "- l"),
    ("multiply each pixel of the window by its own", PRODUCT, "window.sum()"),
    ("added up, not averaged", PRODUCT, "(window * kernel).double().mean()",
     "torch.result_type(image, kernel)", "torch.float64"),
    ("what max pooling takes", PRODUCT, "(window * kernel).max()"),
    ("is the matrix product", "window * kernel", "window @ kernel"),
    ("an = where += is needed", PRODUCT, "window[-1, -1] * kernel[-1, -1]"),
    ("the window moves on by one pixel", WINDOW, "image[i * k : i * k + k, j * l : j * l + l]",
     "- k + 1", "// k", "- l + 1", "// l"),
    ("torch.zeros makes float32", ZEROS, "torch.zeros(height, width)"),
    ("do not give it the dtype of the first", ZEROS, "image.new_zeros(height, width)"),
    ("need not be a square", "k, l = kernel.shape", "k = l = len(kernel)"),
    ("k and l may differ", PRODUCT, "window * kernel"),
    ("wants a batch and channels", "return output", "return output[None, None]"),
    ("for a block only", "k, l =", "torch.set_grad_enabled(False)\nk, l ="),
    ("in-place operation", PRODUCT, "window.mul_(kernel).sum()"),
    ("a `return` at the end", "return output", "output"),
    ("that is the output's entry (i, j)", PRODUCT, f"{PRODUCT} + 1"),
    ("for each row that it can still move on",
     "height = image", "image = F.pad(image, (l - 1, l - 1, k - 1, k - 1))\nheight = image"),
    ("as large as the image", "output = ", "assert k < len(image)\noutput = "),
    ("along the rows and the columns: two loops", "return output", "return output[0, 0]"),
    ("stay in torch", "return output", "return output.tolist()"),
)  # fmt: skip


@convolve.wrong("One number for each window")
def keeps_all_products(image, kernel):
    return image.unfold(0, len(kernel), 1).unfold(1, len(kernel[0]), 1) * kernel


# --- CNN ------------------------------------------------------------------------------------

cnn = Bank("CNN")


CNN = Text("""
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16 * 8 * 8, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.flatten(1)
        return self.fc(x)
""")
cnn.right(CNN())
# flattened with the channels last; a linear layer as a convolution of the full size
cnn.right(CNN("x.flatten(1)", "x.permute(0, 2, 3, 1).reshape(len(x), -1)"))
cnn.right(CNN("nn.Linear(16 * 8 * 8", "nn.Conv2d(16", "10)", "10, 8)", "x.flatten(1)", "x",
              "self.fc(x)", "self.fc(x)[:, :, 0, 0]"))  # fmt: skip
cnn.blank(CNN("x = self.pool(F.relu(self.conv1(x)))", "raise NotImplementedError"))


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
    def block(in_channels, out_channels):
        conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        return nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(2, 2))

    head = nn.Flatten(), nn.Dropout(0), nn.LazyLinear(10)
    return nn.Sequential(*block(3, 8), block(8, 16), *head)


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


FC, FORWARD = "self.fc = nn.Linear(16 * 8 * 8, 10)", "return self.fc(x)"
mutants(
    cnn, CNN,
    ("cross_entropy applies softmax itself", FORWARD, "return F.softmax(self.fc(x), dim=1)"),
    ("flattens the gradients", FORWARD, "x = self.fc(x)\nreturn x - x.logsumexp(1, keepdim=True)"),
    ("needs padding 1", "8, 3, padding=1", "8, 3", "16, 3, padding=1", "16, 3",
     "16 * 8 * 8", "16 * 6 * 6"),
    ("followed by ReLU and a 2×2 max pool",
     "self.pool(F.relu(self.conv2(x)))", "F.relu(self.conv2(x))", "16 * 8 * 8", "16 * 16 * 16"),
    ("32, 16, 8 pixels a side", "self.pool(F.relu(self.conv1(x)))", "F.relu(self.conv1(x))"),
    ("not the mean", "MaxPool2d", "AvgPool2d"),
    ("stride 1 for the convolutions", "8, 3, padding=1", "8, 3, padding=1, stride=2",
     "self.pool(F.relu(self.conv1(x)))", "F.relu(self.conv1(x))"),
    ("no more than one linear map", "F.relu(self.conv1(x))", "self.conv1(x)"),
    ("no other activation", "F.relu(self.conv1", "F.sigmoid(self.conv1"),
    ("cut off every negative logit", FORWARD, "return F.relu(self.fc(x))"),
    ("makes 8 channels of 3", "(3, 8,", "(3, 16,", "(8, 16,", "(16, 8,", "16 * 8 * 8", "8 * 8 * 8"),
    ("the second 16 of 8", "(8, 16,", "(16, 16,"),
    ("come with a bias", "8, 3, padding=1", "8, 3, padding=1, bias=False"),
    ("one single linear layer",
     FC, "self.hidden = nn.Linear(16 * 8 * 8, 64)\nself.fc = nn.Linear(64, 10)",
     FORWARD, "return self.fc(F.relu(self.hidden(x)))"),
    ("normalisation is a good idea", FC, f"{FC}\nself.norm = nn.BatchNorm2d(8)",
     "F.relu(self.conv1(x))", "F.relu(self.norm(self.conv1(x)))"),
    ("leave it out", FC, f"{FC}\nself.drop = nn.Dropout(0.25)",
     FORWARD, "return self.fc(self.drop(x))"),
    ("flatten from dimension 1 on", "x.flatten(1)", "torch.flatten(x)"),
    ("numbers of one image", "16 * 8 * 8", "16 * 5 * 5"),
    ("after two pools 8×8 pixels are left", "8, 10)", "8, 11)"),
    ("plain python list hides them",
     "self.fc = nn.Linear(16 * 8 * 8, 10)", "self.fc = [nn.Linear(16 * 8 * 8, 10)]",
     FORWARD, "return self.fc[0](x)"),
    ("weights that never learn", FC, f"{FC}\nself.fc2 = nn.Linear(10, 10)"),
    ("squeeze() drops that dimension", FORWARD, "return self.fc(x).squeeze()"),
    ("something cuts the graph", "x.flatten(1)", "x.data.flatten(1)"),
    ("must be super().__init__()", "super().__init__()", ""),
    ("indented so that it belongs to the class", "def forward", "def foward"),
    ("return one tensor alone", FORWARD, "return self.fc(x), self.fc(x).softmax(1)"),
)  # fmt: skip

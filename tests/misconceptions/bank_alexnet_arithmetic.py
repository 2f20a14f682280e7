"""Notebook 06: answers to conv_output_size and alexnet_shapes, as students write them."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .bank import Bank

conv_output_size = Bank("conv_output_size")


def demand_room(size, kernel_size, padding):
    if kernel_size > size + 2 * padding:
        raise ValueError("the filter does not fit")


@conv_output_size.blank
def conv_output_size_stub(size, kernel_size, stride=1, padding=0):
    raise NotImplementedError("write conv_output_size")


@conv_output_size.wrong("+ 1 is missing")
def forgets_the_one(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return (size - kernel_size + 2 * padding) // stride


@conv_output_size.wrong("counted once")
def pads_one_side(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return (size - kernel_size + padding) // stride + 1


@conv_output_size.wrong("padding does not enter")
def forgets_the_padding(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return (size - kernel_size) // stride + 1


@conv_output_size.wrong("added, not subtracted")
def subtracts_the_padding(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return (size - kernel_size - 2 * padding) // stride + 1


@conv_output_size.wrong("stride does not enter")
def forgets_the_stride(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return size - kernel_size + 2 * padding + 1


@conv_output_size.wrong("left out: round down")
def keeps_the_fraction(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return (size - kernel_size + 2 * padding) / stride + 1


@conv_output_size.wrong("it is no error")
def refuses_a_remainder(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    steps, rest = divmod(size - kernel_size + 2 * padding, stride)
    if rest:
        raise ValueError("the stride does not fit")
    return steps + 1


@conv_output_size.wrong("this rounds up")
def rounds_up(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return math.ceil((size - kernel_size + 2 * padding) / stride) + 1


@conv_output_size.wrong("to the nearest whole number")
def rounds_to_the_nearest(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return round((size - kernel_size + 2 * padding) / stride) + 1


@conv_output_size.wrong("inside the division")
def one_inside_the_brackets(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return (size - kernel_size + 2 * padding + 1) // stride


@conv_output_size.wrong("numerator needs brackets")
def forgets_the_brackets(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return size - kernel_size + 2 * padding // stride + 1


@conv_output_size.wrong("added twice")
def mixes_two_formulas(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return (size - (kernel_size - 1) + 2 * padding) // stride + 1


@conv_output_size.wrong('"same" padding')
def as_in_keras(size, kernel_size, stride=1, padding=0):
    demand_room(size, kernel_size, padding)
    return -(-size // stride)


@conv_output_size.wrong("fits: at one place")
def refuses_an_exact_fit(size, kernel_size, stride=1, padding=0):
    if kernel_size >= size + 2 * padding:
        raise ValueError("the filter does not fit")
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.wrong("padded picture: padding on both sides makes room")
def compares_with_the_bare_picture(size, kernel_size, stride=1, padding=0):
    if kernel_size > size:
        raise ValueError("the filter does not fit")
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.wrong("fits nowhere")
def raises_nothing(size, kernel_size, stride=1, padding=0):
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.wrong("before you divide")
def looks_at_the_rounded_result(size, kernel_size, stride=1, padding=0):
    result = int((size - kernel_size + 2 * padding) / stride) + 1
    if result <= 0:
        raise ValueError("the filter does not fit")
    return result


@conv_output_size.wrong("raised, not returned")
def returns_the_error(size, kernel_size, stride=1, padding=0):
    if kernel_size > size + 2 * padding:
        return ValueError("the filter does not fit")
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.wrong("has to be a ValueError")
def raises_another_error(size, kernel_size, stride=1, padding=0):
    assert kernel_size <= size + 2 * padding, "the filter does not fit"
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.right
def by_formula(size, kernel_size, stride=1, padding=0):
    if kernel_size > size + 2 * padding:
        raise ValueError(f"a filter of {kernel_size} does not fit")
    return (size - kernel_size + 2 * padding) // stride + 1


@conv_output_size.right
def by_floor(size, kernel_size, stride=1, padding=0):
    room = size - kernel_size + 2 * padding
    if room < 0:
        raise ValueError
    return np.floor(room / stride + 1)


@conv_output_size.right
def by_counting(n, k, stride=1, padding=0):
    places = len(range(-padding, n + padding - k + 1, stride))
    if places == 0:
        raise ValueError("no place for the filter")
    return places


@conv_output_size.right
def by_asking_pytorch(size, kernel_size, stride=1, padding=0):
    row = torch.zeros(1, 1, size)
    try:
        row = F.conv1d(row, torch.zeros(1, 1, kernel_size), stride=stride, padding=padding)
    except RuntimeError as error:
        raise ValueError("too large") from error
    return row.size(-1)


@conv_output_size.right
def by_tensor(size, kernel_size, stride=1, padding=0, dilation=1):
    reach = dilation * (kernel_size - 1) + 1
    result = torch.div(size + 2 * padding - reach, stride, rounding_mode="floor") + 1
    if reach > size + 2 * padding:
        raise ValueError("too large")
    return torch.as_tensor(result)


alexnet_shapes = Bank("alexnet_shapes")


def the_rows():
    return [
        ("INPUT", (3, 227, 227)),
        ("CONV1", (96, 55, 55)),
        ("POOL1", (96, 27, 27)),
        ("NORM1", (96, 27, 27)),
        ("CONV2", (256, 27, 27)),
        ("POOL2", (256, 13, 13)),
        ("NORM2", (256, 13, 13)),
        ("CONV3", (384, 13, 13)),
        ("CONV4", (384, 13, 13)),
        ("CONV5", (256, 13, 13)),
        ("POOL3", (256, 6, 6)),
        ("FC6", (4096,)),
        ("FC7", (4096,)),
        ("FC8", (1000,)),
    ]


def with_rows(**shapes):
    """The table with some rows replaced."""
    return [(name, shapes.get(name, shape)) for name, shape in the_rows()]


@alexnet_shapes.blank
def alexnet_shapes_stub():
    raise NotImplementedError("fill in the table")


@alexnet_shapes.wrong("channels first")
def channels_last():
    return [(name, (*shape[1:], shape[0])) for name, shape in the_rows()]


@alexnet_shapes.wrong("batch dimension")
def with_a_batch():
    return [(name, (1, *shape)) for name, shape in the_rows()]


@alexnet_shapes.wrong("does not come out even")
def of_224_pixels():
    return with_rows(INPUT=(3, 224, 224), CONV1=(96, 54, 54), POOL1=(96, 26, 26))


@alexnet_shapes.wrong("+ 1 is missing")
def forgets_the_one_in_conv1():
    return with_rows(CONV1=(96, 54, 54))


@alexnet_shapes.wrong("padding does not enter")
def forgets_the_padding_of_conv2():
    return with_rows(CONV2=(256, 23, 23))


@alexnet_shapes.wrong("counted once")
def pads_conv2_on_one_side():
    return with_rows(CONV2=(256, 25, 25))


@alexnet_shapes.wrong("stride does not enter")
def forgets_the_stride_of_conv1():
    return with_rows(CONV1=(96, 217, 217))


@alexnet_shapes.wrong("not by 3")
def pools_without_overlap():
    return with_rows(POOL1=(96, 18, 18))


@alexnet_shapes.wrong("each channel by itself")
def pools_the_channels_too():
    return with_rows(POOL1=(48, 27, 27))


@alexnet_shapes.wrong("as many as the layer has filters")
def keeps_the_channels_of_the_input():
    return with_rows(CONV2=(96, 27, 27))


@alexnet_shapes.wrong("two GPUs")
def one_tower_of_the_paper():
    return with_rows(CONV1=(48, 55, 55))


@alexnet_shapes.wrong("torchvision's alexnet")
def widths_of_torchvision():
    return with_rows(CONV1=(64, 55, 55), POOL1=(64, 27, 27), NORM1=(64, 27, 27))


@alexnet_shapes.wrong("look up the number of filters")
def guesses_the_filters():
    return with_rows(CONV5=(384 + 128, 13, 13))


@alexnet_shapes.wrong("keeps the shape")
def normalisation_shrinks():
    return with_rows(NORM1=(96, 26, 26))


@alexnet_shapes.wrong("row of its own, though it changes no shape")
def leaves_out_the_normalisation():
    return [row for row in the_rows() if not row[0].startswith("NORM")]


@alexnet_shapes.wrong("pool comes before the normalisation")
def normalises_before_pooling():
    rows = the_rows()
    rows[2], rows[3] = ("NORM1", (96, 55, 55)), rows[2]
    return rows


@alexnet_shapes.wrong("the picture itself")
def begins_with_conv1():
    return the_rows()[1:]


@alexnet_shapes.wrong("three linear layers")
def ends_with_fc7():
    rows = the_rows()
    del rows[-1]
    return rows


@alexnet_shapes.wrong("follows CONV1, CONV2 and CONV5")
def forgets_the_last_pool():
    return [row for row in the_rows() if row[0] != "POOL3"]


@alexnet_shapes.wrong("what goes into FC6")
def gives_the_input_of_fc6():
    return with_rows(FC6=(9216,))


@alexnet_shapes.wrong("one score for each")
def scores_of_cifar10():
    return with_rows(FC8=(10,))


@alexnet_shapes.wrong("one number for each neuron")
def linear_layers_keep_the_picture():
    return with_rows(FC6=(4096, 6, 6))


@alexnet_shapes.wrong("needs a comma")
def forgets_the_comma():
    return with_rows(FC6=4096, FC7=4096, FC8=1000)


@alexnet_shapes.wrong("not as text")
def shapes_as_text():
    return [(name, "x".join(map(str, shape))) for name, shape in the_rows()]


@alexnet_shapes.wrong("list of pairs")
def gives_a_dict():
    return dict(the_rows())


@alexnet_shapes.wrong("have no rows in the table")
def adds_the_softmax():
    return [*the_rows(), ("SOFTMAX", (1000,))]


@alexnet_shapes.wrong("named as in the lecture")
def names_of_its_own():
    return [(name.replace("CONV", "convolution "), shape) for name, shape in the_rows()]


@alexnet_shapes.wrong("`return`")
def prints_the_table():
    print(the_rows())


@alexnet_shapes.right
def written_out():
    return the_rows()


@alexnet_shapes.right
def in_the_words_of_the_slide():
    return [[name.replace("POOL", "Max pool").title(), list(shape)] for name, shape in the_rows()]


@alexnet_shapes.right
def by_the_formula():
    def side(n, k, s=1, p=0):
        return (n - k + 2 * p) / s + 1

    rows, n = [("input", (3, 227, 227))], 227
    plan = [
        ("conv1", 96, 11, 4, 0), ("max pool1", 96, 3, 2, 0), ("norm1", 96, 1, 1, 0),
        ("conv2", 256, 5, 1, 2), ("max pool2", 256, 3, 2, 0), ("norm2", 256, 1, 1, 0),
        ("conv3", 384, 3, 1, 1), ("conv4", 384, 3, 1, 1), ("conv5", 256, 3, 1, 1),
        ("max pool3", 256, 3, 2, 0),
    ]  # fmt: skip
    for name, channels, k, s, p in plan:
        n = side(n, k, s, p)
        rows.append((name, (channels, n, n)))
    return rows + [("fc6", (4096,)), ("fc7", (4096,)), ("fc8", (1000,))]


@alexnet_shapes.right
def by_running_layers():
    layers = {
        "CONV1": nn.Conv2d(3, 96, 11, 4), "POOL1": nn.MaxPool2d(3, 2), "NORM1": nn.Identity(),
        "CONV2": nn.Conv2d(96, 256, 5, padding=2), "POOL2": nn.MaxPool2d(3, 2),
        "NORM2": nn.Identity(), "CONV3": nn.Conv2d(256, 384, 3, padding=1),
        "CONV4": nn.Conv2d(384, 384, 3, padding=1), "CONV5": nn.Conv2d(384, 256, 3, padding=1),
        "POOL3": nn.MaxPool2d(3, 2),
    }  # fmt: skip
    x = torch.zeros(3, 227, 227)
    rows = [("INPUT", x.shape)]
    for name, layer in layers.items():
        x = layer(x)
        rows.append((name, x.shape))
    return rows + [("FC6", torch.Size([4096])), ("FC7", (4096,)), ("FC8", torch.zeros(1000).shape)]


@alexnet_shapes.right
def linear_layers_as_convolutions():
    rows = [(name, shape if len(shape) == 3 else (*shape, 1, 1)) for name, shape in the_rows()]
    return tuple((name, np.array(shape)) for name, shape in rows)

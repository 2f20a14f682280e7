"""Notebook 04: answers to receptive_field and conv_parameters, as students write them."""

import math

import numpy as np
import torch
from torch import nn

from .bank import Bank

receptive_field = Bank("receptive_field")


@receptive_field.blank
def receptive_field_stub(kernel_sizes, strides):
    raise NotImplementedError("write receptive_field")


@receptive_field.wrong("adds up the kernel sizes")
def sums_the_kernels(kernel_sizes, strides):
    return sum(kernel_sizes) if kernel_sizes else 1


@receptive_field.wrong("multiplies the kernel sizes")
def multiplies_the_kernels(kernel_sizes, strides):
    side = 1
    for kernel_size in kernel_sizes:
        side *= kernel_size
    return side


@receptive_field.wrong("strides do not enter")
def forgets_the_strides(kernel_sizes, strides):
    return 1 + sum(k - 1 for k in kernel_sizes)


@receptive_field.wrong("own stride is applied too early")
def multiplies_the_step_first(kernel_sizes, strides):
    side, step = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        step *= stride
        side += (kernel_size - 1) * step
    return side


@receptive_field.wrong("strides pile up")
def remembers_the_last_stride_only(kernel_sizes, strides):
    side, step = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        side += (kernel_size - 1) * step
        step = stride
    return side


@receptive_field.wrong("its own stride alone")
def scales_by_own_stride(kernel_sizes, strides):
    return 1 + sum((k - 1) * s for k, s in zip(kernel_sizes, strides, strict=True))


@receptive_field.wrong("strides are added up")
def adds_the_strides(kernel_sizes, strides):
    side, step = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        side += (kernel_size - 1) * step
        step += stride
    return side


@receptive_field.wrong("one pixel is missing")
def starts_at_zero(kernel_sizes, strides):
    side, step = 0, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        side += (kernel_size - 1) * step
        step *= stride
    return side


@receptive_field.wrong("adds its whole kernel size")
def adds_whole_kernels(kernel_sizes, strides):
    side, step = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        side += kernel_size * step
        step *= stride
    return side


@receptive_field.wrong("not n · s")
def backwards_without_overlap(kernel_sizes, strides):
    side = 1
    for kernel_size, stride in zip(reversed(kernel_sizes), reversed(strides), strict=True):
        side = side * stride + kernel_size
    return side


@receptive_field.wrong("wrong order")
def recursion_in_the_wrong_direction(kernel_sizes, strides):
    side = 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        side = (side - 1) * stride + kernel_size
    return side


@receptive_field.wrong("the area")
def gives_the_area(kernel_sizes, strides):
    return forwards(kernel_sizes, strides) ** 2


@receptive_field.wrong("no layer at all")
def fails_on_no_layer(kernel_sizes, strides):
    side, step = kernel_sizes[0], strides[0]
    for kernel_size, stride in zip(kernel_sizes[1:], strides[1:], strict=True):
        side += (kernel_size - 1) * step
        step *= stride
    return side


@receptive_field.wrong("in-place")
def empties_the_lists(kernel_sizes, strides):
    side = 1
    while kernel_sizes:
        side = (side - 1) * strides.pop() + kernel_sizes.pop()
    return side


@receptive_field.wrong("keep two numbers")
def adds_the_stride_to_the_kernel(kernel_sizes, strides):
    return 1 + sum(k - 1 + s - 1 for k, s in zip(kernel_sizes, strides, strict=True))


@receptive_field.wrong("`return`")
def prints_instead(kernel_sizes, strides):
    print(forwards(kernel_sizes, strides))


@receptive_field.right
def forwards(kernel_sizes, strides):
    side, step = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        side += (kernel_size - 1) * step
        step *= stride
    return side


@receptive_field.right
def backwards(kernel_sizes, strides):
    side = 1
    for i in range(len(kernel_sizes) - 1, -1, -1):
        side = (side - 1) * strides[i] + kernel_sizes[i]
    return side


@receptive_field.right
def one_sum(kernel_sizes, strides):
    return 1 + sum((k - 1) * math.prod(strides[:i]) for i, k in enumerate(kernel_sizes))


@receptive_field.right
def with_numpy(kernel_sizes, strides):
    steps = np.cumprod([1, *strides])[:-1]
    return np.dot(np.array(kernel_sizes, dtype=int) - 1, steps) + 1


@receptive_field.right
def recursive(layers, strides):
    if not layers:
        return 1.0
    return (recursive(layers[1:], strides[1:]) - 1) * strides[0] + layers[0]


@receptive_field.right
def as_a_tensor(kernel_sizes, strides):
    side = torch.tensor(1)
    step = torch.tensor(1)
    for k, s in zip(kernel_sizes, strides, strict=True):
        side = side + (k - 1) * step
        step = step * s
    return side


@receptive_field.wrong("stands inside the loop")
def returns_in_the_first_round(kernel_sizes, strides):
    field, jump = 1, 1
    for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
        field += (kernel_size - 1) * jump
        jump *= stride
        return field


conv_parameters = Bank("conv_parameters")


@conv_parameters.blank
def conv_parameters_stub(in_channels, out_channels, kernel_size, bias=True):
    raise NotImplementedError()


@conv_parameters.wrong("biases are not counted")
def forgets_the_bias(in_channels, out_channels, kernel_size, bias=True):
    return in_channels * out_channels * kernel_size**2


@conv_parameters.wrong("argument bias is not looked at")
def always_adds_the_bias(in_channels, out_channels, kernel_size, bias=True):
    return in_channels * out_channels * kernel_size**2 + out_channels


@conv_parameters.wrong("wrong way round")
def swaps_the_cases(in_channels, out_channels, kernel_size, bias=True):
    weights = in_channels * out_channels * kernel_size**2
    return weights if bias else weights + out_channels


@conv_parameters.wrong("a single bias")
def one_bias_in_all(in_channels, out_channels, kernel_size, bias=True):
    return in_channels * out_channels * kernel_size**2 + int(bias)


@conv_parameters.wrong("counted by input channels")
def bias_for_each_input_channel(in_channels, out_channels, kernel_size, bias=True):
    return in_channels * out_channels * kernel_size**2 + (in_channels if bias else 0)


@conv_parameters.wrong("every pair of channels")
def bias_for_each_kernel(in_channels, out_channels, kernel_size, bias=True):
    return in_channels * out_channels * (kernel_size**2 + bias)


@conv_parameters.wrong("every place in the window")
def bias_as_another_channel(in_channels, out_channels, kernel_size, bias=True):
    return (in_channels + bias) * out_channels * kernel_size**2


@conv_parameters.wrong("the side is counted once")
def forgets_the_square(in_channels, out_channels, kernel_size, bias=True):
    return (in_channels * kernel_size + bias) * out_channels


@conv_parameters.wrong("its double")
def doubles_the_side(in_channels, out_channels, kernel_size, bias=True):
    return (in_channels * kernel_size * 2 + bias) * out_channels


@conv_parameters.wrong("as deep as its input")
def filters_without_depth(in_channels, out_channels, kernel_size, bias=True):
    return out_channels * (kernel_size * kernel_size + bias)


@conv_parameters.wrong("that is one filter")
def one_filter(in_channels, out_channels, kernel_size, bias=True):
    return in_channels * kernel_size * kernel_size + (1 if bias else 0)


@conv_parameters.wrong("multiply")
def adds_the_channels(in_channels, out_channels, kernel_size, bias=True):
    return (in_channels + out_channels) * kernel_size**2 + bias * out_channels


@conv_parameters.wrong("count one filter first")
def squares_the_wrong_thing(in_channels, out_channels, kernel_size, bias=True):
    return (in_channels * kernel_size) ** 2 * out_channels + bias * out_channels


@conv_parameters.right
def by_formula(in_channels, out_channels, kernel_size, bias=True):
    return out_channels * (in_channels * kernel_size**2 + bias)


@conv_parameters.right
def by_cases(in_channels, out_channels, kernel_size, bias=True):
    weights = out_channels * in_channels * kernel_size * kernel_size
    if bias:
        return weights + out_channels
    return weights


@conv_parameters.right
def by_asking_pytorch(in_channels, out_channels, kernel_size, bias=True):
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias)
    return sum(p.numel() for p in layer.parameters())


@conv_parameters.right
def by_numpy(c, filters, k, bias=True, **unused):
    return np.prod([c, filters, k, k]) + np.where(bias, filters, 0)


@conv_parameters.right
def by_tensor_shapes(c, filters, k, bias=True):
    return torch.tensor(torch.empty(filters, c, k, k, device="meta").numel() + filters * bias)


@conv_parameters.wrong("how many tensors hold the parameters")
def counts_the_tensors(in_channels, out_channels, kernel_size, bias=True):
    return len(list(nn.Conv2d(in_channels, out_channels, kernel_size, bias=bias).parameters()))


@conv_parameters.wrong("and their defaults")
def no_default_for_bias(in_channels, out_channels, kernel_size, bias):
    return out_channels * (in_channels * kernel_size**2 + bias)

"""Output sizes and receptive fields of single windows and of stacks of them.

Sources: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning",
arXiv:1603.07285 (output sizes); A. Araujo, W. Norris and J. Sim, "Computing Receptive Fields of
Convolutional Neural Networks", Distill 2019, doi:10.23915/distill.00021 (field, jump, start).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


def output_size(
    size: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """How many positions a window takes along one side of ``size`` pixels.

    ``floor((size - dilation * (kernel_size - 1) - 1 + 2 * padding) / stride) + 1``, for convolution
    and pooling alike. ``ceil_mode`` (pooling only) rounds up instead, so that a last, incomplete
    window counts too, unless it would start in the padding on the right.

    Raises:
        TypeError: an argument is not a whole number.
        ValueError: an argument is out of range, or the window does not fit into the padded input.
    """
    _check_window(kernel_size, stride, padding, dilation)
    _check_whole("size", size, at_least=1)
    reach = dilation * (kernel_size - 1) + 1  # pixels from the window's first to its last
    room = size + 2 * padding - reach
    if ceil_mode:
        result = -(-room // stride) + 1
        if (result - 1) * stride >= size + padding:
            result -= 1
    else:
        result = room // stride + 1
    if result < 1:
        raise ValueError(
            f"a window of {reach} pixels does not fit into an input of {size} pixels with padding "
            f"{padding} on both sides ({size + 2 * padding} pixels): take a smaller window, more "
            "padding, or a larger input"
        )
    return result


class ReceptiveField(NamedTuple):
    """What the outputs of a stack see of its input, along one side, in input pixels.

    Output ``i`` sees the pixels from ``start + i * jump`` to ``start + i * jump + field - 1``;
    pixels below 0 or beyond the input's end lie in the padding.
    """

    field: int = 1
    jump: int = 1
    start: int = 0

    def after(
        self, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
    ) -> "ReceptiveField":
        """Return the receptive field after one more layer."""
        return ReceptiveField(
            self.field + dilation * (kernel_size - 1) * self.jump,
            self.jump * stride,
            self.start - padding * self.jump,
        )


def receptive_field(layers: Iterable[int | Sequence[int]]) -> ReceptiveField:
    """Return field, jump and start of a stack of convolutions and poolings.

    Args:
        layers: from input to output, each a kernel size, or a tuple
            ``(kernel_size, stride=1, padding=0, dilation=1)``, which may be shorter.

    >>> receptive_field([(11, 4), (3, 2)])  # AlexNet's CONV1 and POOL1
    ReceptiveField(field=19, jump=8, start=0)

    Raises:
        TypeError, ValueError: a layer is no such tuple, or its numbers are out of range.
    """
    result = ReceptiveField()
    for layer in layers:
        window = (layer,) if isinstance(layer, int) else tuple(layer)
        if not 1 <= len(window) <= 4:
            raise ValueError(
                "a layer is (kernel_size, stride, padding, dilation) or the first of these, "
                f"got {layer!r}"
            )
        _check_window(*window)
        result = result.after(*window)
    return result


def _check_window(kernel_size, stride=1, padding=0, dilation=1) -> None:
    _check_whole("kernel_size", kernel_size, at_least=1)
    _check_whole("stride", stride, at_least=1)
    _check_whole("padding", padding, at_least=0)
    _check_whole("dilation", dilation, at_least=1)


def _check_whole(name: str, value, at_least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")

"""Runs a network without values and notes every layer it passes."""

import copy
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from labutils.shapes.arithmetic import ReceptiveField
from labutils.shapes.table import Row, Trace, shape_text


def trace(model: nn.Module, input_size: Sequence[int]) -> Trace:
    """Return the layers that one image runs through, in order of execution.

    A row is a call of a module without children, or of a function (``F.relu``, ``torch.cat``,
    ``+``) that some other module's ``forward`` calls. Where branches meet, the receptive field is
    that of the branch that sees most; a linear layer after a flatten sees what a convolution as
    large as the map would see. A parameter is counted where it is first used.

    A copy without memory (PyTorch's "meta" device) runs in evaluation mode: nothing is computed,
    and ``model`` itself, its mode and its hooks are not touched. Its hooks are not run.

    Args:
        model: any module built of standard layers. Multiply-accumulates of recurrent and attention
            functions are not counted, and the receptive field behind them is unknown.
        input_size: of one image, without the batch: ``(C, H, W)``.

    Raises:
        ValueError: ``input_size`` is no such tuple, or the model does not run with it; the message
            names the layer.
    """
    input_size = tuple(input_size)
    if not input_size or not all(isinstance(side, int) and side > 0 for side in input_size):
        raise ValueError(f"input_size is the size of one image, like (3, 32, 32), got {input_size}")
    twin = _meta_twin(model)
    recorder = _Tracer(twin, Trace(input_size))
    dtypes = [p.dtype for p in twin.parameters() if p.is_floating_point()]
    image = torch.empty(1, *input_size, dtype=dtypes[0] if dtypes else None, device="meta")
    image.seen = _Seen((ReceptiveField(),) * len(input_size[1:]), input_size[1:])
    try:
        with torch.no_grad(), torch.device("meta"), recorder:
            twin(image)
    except Exception as error:
        reason = f"{recorder.place()}, {type(error).__name__}: {str(error).rstrip('.')}"
        raise ValueError(
            f"the model does not run with an image of {shape_text(input_size)}: in {reason}. "
            "(input_size is one image's, without the batch; the pass runs without values, so "
            "forward must not look at them.)"
        ) from error
    recorder.trace.unused_parameters = sum(p.numel() for p in recorder.unused)
    return recorder.trace


def _meta_twin(model: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode whose tensors have no memory, and without hooks.

    ``deepcopy`` takes from ``memo`` what is listed there by identity, and so copies no tensor.
    """
    memo = {}
    for module in model.modules():
        tensors = [*module._parameters.values(), *module._buffers.values(), *vars(module).values()]
        for tensor in tensors:
            if isinstance(tensor, torch.Tensor) and id(tensor) not in memo:
                twin = torch.empty_like(tensor, device="meta", requires_grad=False)
                if isinstance(tensor, nn.Parameter):
                    twin = nn.Parameter(twin, requires_grad=False)
                memo[id(tensor)] = twin
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            memo[id(hooks)] = OrderedDict()
    return copy.deepcopy(model, memo).eval()


class _Seen(NamedTuple):
    """What a tensor's positions have seen of the image: travels with it as ``tensor.seen``.

    ``fields`` and ``extent`` (positions) have an entry for each side of the image, also after a
    flatten, which mixes no positions yet.
    """

    fields: tuple[ReceptiveField, ...]
    extent: tuple[int, ...]

    def after(self, kernel_size, stride, padding, dilation, extent) -> "_Seen":
        windows = zip(self.fields, kernel_size, stride, padding, dilation, strict=True)
        return _Seen(tuple(field.after(*window) for field, *window in windows), tuple(extent))

    def sliced(self, kept: Sequence[range]) -> "_Seen":
        """Some of the positions: as windows of one pixel with a stride."""
        one, extent = (1,) * len(kept), [len(positions) for positions in kept]
        firsts, steps = [-p.start for p in kept], [p.step for p in kept]
        return self.after(one, steps, firsts, one, extent)

    def from_the_middle(self) -> tuple[tuple[int, int], ...]:
        """First and last pixel, for each side, that the output in the middle sees."""
        firsts = [f.start + n // 2 * f.jump for f, n in zip(self.fields, self.extent, strict=True)]
        return tuple(
            (round(first), round(first + f.field) - 1)
            for first, f in zip(firsts, self.fields, strict=True)
        )

    def pooled_to(self, extent) -> "_Seen":
        """Adaptive pooling: windows spread evenly from the map's first position to its last."""
        kernel, stride = [], []
        for n, m in zip(self.extent, extent, strict=True):
            kernel.append(max(-(-(i + 1) * n // m) - i * n // m for i in range(m)))
            stride.append((n - kernel[-1]) / (m - 1) if m > 1 else 1)
        return self.after(kernel, stride, (0,) * len(kernel), (1,) * len(kernel), extent)

    def pooled_over(self, sides) -> "_Seen":
        """Every output sees the whole of these sides of the map, as after global pooling."""
        return self.pooled_to([1 if i in sides else n for i, n in enumerate(self.extent)])


def _merged(seen: list[_Seen | None]) -> _Seen | None:
    """Where branches meet, the one that sees most counts, side by side."""
    if None in seen:
        return None
    fields = zip(*(one.fields for one in seen), strict=True)
    return _Seen(
        tuple(
            # A map of one position, spread over the others' (squeeze and excitation), has no jump.
            ReceptiveField(
                max(f.field for f in side), min(f.jump for f in side), min(f.start for f in side)
            )
            for side in fields
        ),
        tuple(map(max, zip(*(one.extent for one in seen), strict=True))),
    )


# What functions are called where, in what order they take their arguments.
_WINDOWS = {
    **dict.fromkeys(
        ("conv1d", "conv2d", "conv3d"), ("input", "weight", "bias", "stride", "padding", "dilation")
    ),
    **{
        f"max_pool{n}d{tail}": ("input", "kernel_size", "stride", "padding", "dilation")
        for n in (1, 2, 3)
        for tail in ("", "_with_indices")
    },
    **{f"avg_pool{n}d": ("input", "kernel_size", "stride", "padding") for n in (1, 2, 3)},
    **{f"lp_pool{n}d": ("input", "norm_type", "kernel_size", "stride") for n in (1, 2, 3)},
}
_PRODUCTS = {"linear", "matmul", "mm", "bmm"}
_REDUCTIONS = {"mean", "sum", "amax"}
_UNKNOWN = {
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "interpolate", "grid_sample",
    "fold", "unfold", "pixel_shuffle", "einsum", "multi_head_attention_forward",
    "scaled_dot_product_attention", "lstm", "gru", "rnn_tanh", "rnn_relu",
}  # fmt: skip


class _Tracer(TorchFunctionMode):
    """Watches a model run: PyTorch hands every function that is called on tensors through here."""

    def __init__(self, model: nn.Module, trace: Trace):
        super().__init__()
        self.trace = trace
        self.unused = set(model.parameters())
        # The modules that are running, outermost first, and the row of one without children.
        self.names: list[tuple[str, nn.Module]] = []
        self.row: Row | None = None
        for name, module in model.named_modules():
            module.register_forward_pre_hook(lambda module, _, name=name: self.enter(name, module))
            module.register_forward_hook(self.leave)

    def place(self) -> str:
        """Where the model is now, for an error message."""
        name, module = self.names[-1]
        return f"{name} ({type(module).__name__})" if name else type(module).__name__

    def enter(self, name: str, module: nn.Module) -> None:
        self.names.append((name, module))
        if next(module.children(), None) is None:
            self.row = Row(name or type(module).__name__, type(module).__name__)

    def leave(self, module: nn.Module, inputs, output) -> None:
        self.names.pop()
        if self.row:
            self.finish(self.row, inputs, output)
        self.row = None

    def finish(self, row: Row, inputs, output) -> None:
        tensor = next(_tensors(output), None)
        if tensor is None:
            return
        row.output_shape = tuple(tensor.shape[1:])
        places = [_place(one) for one in _tensors(inputs)]
        row.memory = 0 if _place(tensor) in places else tensor.numel() * tensor.element_size()
        seen = getattr(tensor, "seen", None)
        if seen and seen.fields:
            row.receptive_field = round(max(f.field for f in seen.fields))
            row.pixels = seen.from_the_middle()
        self.trace.rows.append(row)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        name = func.__name__.strip("_")
        inputs = list(_tensors([args, kwargs]))
        tracked = [tensor for tensor in inputs if hasattr(tensor, "seen")]
        results = list(_tensors(output))
        if not tracked or not results or name == "get":  # "get" reads an attribute, such as x.T
            return output

        row = self.row or Row(".".join(filter(None, (self.names[-1][0], name))), name)
        new = [tensor for tensor in set(inputs) if tensor in self.unused]
        self.unused.difference_update(new)
        row.parameters += sum(parameter.numel() for parameter in new)
        row.macs += _macs(name, inputs, results[0])
        seen = self.look(name, args, kwargs, tracked, results[0], row)
        for tensor in results:
            tensor.seen = seen
        if not self.row:
            self.finish(row, tracked, output)
        return output

    def look(self, name, args, kwargs, tracked, output, row) -> _Seen | None:
        """What ``output`` has seen of the image; notes a window's numbers in ``row``."""
        seen = _merged([tensor.seen for tensor in tracked])
        if seen is None or name in _UNKNOWN:
            return None
        if name in _WINDOWS:
            window = _window(dict(zip(_WINDOWS[name], args, strict=False)) | kwargs)
            row.kernel_size, row.stride, row.padding, _ = window
            return seen.after(*window, output.shape[2:])
        if name.startswith("adaptive"):
            return seen.pooled_to(output.shape[2:])
        if name == "getitem":
            kept = _slices(args[1], tracked[0].shape)
            if kept is None or len(kept) - 2 != len(seen.fields):
                return seen
            return seen.sliced(kept[2:])
        if name in _PRODUCTS:
            if len(tracked) > 1:
                return None
            features = tracked[0]  # one row of them: the map was flattened
            mixes = features.numel() == features.shape[-1]
            return seen.pooled_over(range(len(seen.extent))) if mixes else seen
        if name in _REDUCTIONS:
            dims = kwargs.get("dim", args[1] if len(args) > 1 else range(tracked[0].dim()))
            dims = (dims,) if isinstance(dims, int) else dims
            return seen.pooled_over([dim % tracked[0].dim() - 2 for dim in dims])
        return seen


def _slices(index, shape: Sequence[int]) -> list[range] | None:
    """Return the positions that are kept along each dimension; None where it is no plain slice."""
    index = list(index) if isinstance(index, tuple) else [index]
    if not any(one is Ellipsis for one in index):
        index.append(Ellipsis)
    at = next(i for i, one in enumerate(index) if one is Ellipsis)
    index[at : at + 1] = [slice(None)] * (len(shape) - len(index) + 1)
    if not all(isinstance(one, slice) for one in index):
        return None
    return [range(n)[one] for one, n in zip(index, shape, strict=True)]


def _window(arguments: dict) -> list[tuple[int, ...]]:
    """Return kernel size, stride, padding, dilation, each with one number a side."""
    kernel = arguments["weight"].shape[2:] if "weight" in arguments else arguments["kernel_size"]
    sides = arguments["input"].dim() - 2

    def each_side(value) -> tuple[int, ...]:
        return (value,) * sides if isinstance(value, int) else tuple(value) * (sides // len(value))

    kernel = each_side(kernel)
    stride = arguments.get("stride") or (1 if "weight" in arguments else kernel)
    dilation = each_side(arguments.get("dilation", 1))
    padding = arguments.get("padding", 0)
    if padding == "valid":
        padding = 0
    elif padding == "same":
        padding = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
    return [kernel, each_side(stride), each_side(padding), dilation]


def _macs(name: str, inputs: list[torch.Tensor], output: torch.Tensor) -> int:
    """Multiply-accumulates: one for each output value and each number summed into it."""
    if name.startswith("conv_transpose"):
        return inputs[0].numel() * inputs[1][0].numel()
    if name.startswith("conv"):
        return output.numel() * inputs[1][0].numel()
    if name in _PRODUCTS:
        return output.numel() * inputs[0].shape[-1]
    return 0


def _tensors(value) -> Iterator[torch.Tensor]:
    """The tensors in a structure of tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _place(tensor: torch.Tensor) -> int:
    """Identifies a tensor's storage: equal for an input and what was made of it in place."""
    return tensor.untyped_storage()._cdata

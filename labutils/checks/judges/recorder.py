"""What a network does, step by step: run it once and write down its layers in order of execution.

The recorder watches torch's own operators (the level below modules and ``nn.functional``), so a
network is seen alike however it is written: with modules, with functions, or with ``x @ w + b``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from labutils.checks.frame.timelimit import TimeIsUp


class Step(NamedTuple):
    """Something without weights of its own: ``name`` ("ReLU", "max pool"), ``detail`` ("2×2")."""

    name: str
    detail: str = ""

    def __str__(self):
        return f"{self.name} {self.detail}".strip()


class Norm(NamedTuple):
    """A BatchNorm: its parameters, and its running statistics after the run; (C,) each."""

    weight: Tensor
    bias: Tensor
    mean: Tensor
    var: Tensor


@dataclass
class Layer:
    """A convolution or linear layer as it was computed.

    Attributes:
        kind: "convolution" or "linear layer".
        weight: what it computed with, (out, in, kernel height, kernel width) or (out, in).
        bias: (out,) or None.
        settings: stride, padding, dilation and groups of a convolution.
        input, output: what went in and came out.
        picture: (C, H, W) of the feature maps that were last seen before it.
        norm: the BatchNorm that takes its output as it is; None where none does.
    """

    kind: str
    weight: Tensor
    bias: Tensor | None
    settings: dict[str, Any]
    input: Tensor
    output: Tensor
    picture: tuple[int, ...]
    norm: Norm | None = None


@dataclass
class Recording:
    """One run of a network.

    Attributes:
        layers: in order of execution.
        gaps: ``gaps[i]`` holds the steps before layer ``i``, the last entry those after all.
        used: the names of the model's parameters that met data.
        strangers: some weights that met data are not among ``model.parameters()``.
        output: what the network gave back; None when it raised ``error``.
    """

    layers: list[Layer] = field(default_factory=list)
    gaps: list[list[Step]] = field(default_factory=lambda: [[]])
    used: set[str] = field(default_factory=set)
    strangers: bool = False
    output: Any = None
    error: BaseException | None = None

    def labels(self) -> list[str]:
        """A name for each layer: "convolution 1", "convolution 2", "linear layer 1", ..."""
        seen: dict[str, int] = {}
        names = []
        for layer in self.layers:
            seen[layer.kind] = seen.get(layer.kind, 0) + 1
            names.append(f"{layer.kind} {seen[layer.kind]}")
        return names


def record(model: nn.Module, images: Tensor) -> Recording:
    """Run ``model`` on a copy of ``images`` without gradients, in the mode it is in, and record it.

    An exception of the model ends the recording and is kept in it.
    """
    recorder = _Recorder(model, images)
    recording = recorder.recording
    try:
        with torch.no_grad(), recorder:
            recording.output = model(images.clone())
    except (TimeIsUp, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit and its kind too
        recording.error = error
    return recording


class _Recorder(TorchDispatchMode):
    """Tells weights from data: what is computed from parameters alone is a weight."""

    def __init__(self, model: nn.Module, images: Tensor):
        super().__init__()
        self.recording = Recording()
        self._weights = {_storage(p): {name} for name, p in model.named_parameters()}
        self._alive = []  # a storage that were freed could come back as another tensor's
        self._picture = tuple(images.shape[1:])
        self._sources: dict[int, Layer] = {}  # outputs of layers, as long as nothing changes them

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        made = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
        self._alive += given + made
        self._notice_strangers(given)
        weights = [t for t in given if self._is_weight(t)]
        names = {name for t in weights for name in self._weights[_storage(t)]}
        operator = function.overloadpacket.__name__
        if operator.endswith("_") and given:  # in place
            self._sources.pop(_storage(given[0]), None)
        if weights and len(weights) == len(given):
            for tensor in made:
                self._weights.setdefault(_storage(tensor), set()).update(names)
        elif weights:
            self.recording.used |= names
            self._meet(operator, args, result)
        else:
            self._step(operator, args, kwargs, result)
        if made and not self._is_weight(made[0]) and made[0].dim() == 4:
            self._picture = tuple(made[0].shape[1:])
        return result

    def _is_weight(self, tensor: Tensor) -> bool:
        return _storage(tensor) in self._weights

    def _notice_strangers(self, given: list[Tensor]) -> None:
        """A leaf that wants gradients is a weight, though the model does not know of it."""
        for tensor in given:
            if tensor.requires_grad and tensor.is_leaf and not self._is_weight(tensor):
                self._weights[_storage(tensor)] = set()
                self.recording.strangers = True

    # --- weights meet data ---

    def _meet(self, operator: str, args: tuple, result) -> None:
        if operator == "convolution" and self._is_weight(args[1]):
            self._convolution(args, result)
        elif operator in ("mm", "bmm", "mv", "addmm", "baddbmm", "addmv"):
            self._product(operator, args, result)
        elif operator in ("add", "add_") and self._is_bias(args):
            layer = self.recording.layers[-1]
            layer.bias = next(t for t in args[:2] if self._is_weight(t)).flatten()
            layer.output = result.clone()
        else:
            if "batch_norm" in operator:
                self._norm(args)
            self._step(operator, args, {}, result)

    def _norm(self, args: tuple) -> None:
        layer, tensors = self._sources.get(_storage(args[0])), args[1:5]
        if layer and all(isinstance(t, Tensor) for t in tensors):
            weight, bias, mean, var = tensors
            layer.norm = Norm(weight, bias, mean.clone(), var.clone())

    def _convolution(self, args: tuple, result: Tensor) -> None:
        data, weight, bias, stride, padding, dilation, transposed, _, groups = args
        settings = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        kind = "transposed convolution" if transposed else "convolution"
        self._add(Layer(kind, weight, bias, settings, data.clone(), result.clone(), self._picture))
        self._sources[_storage(result)] = self.recording.layers[-1]

    def _product(self, operator: str, args: tuple, result: Tensor) -> None:
        bias = args[0] if operator in ("addmm", "baddbmm", "addmv") else None
        left, right = args[-2:]
        if not (self._is_weight(left) or self._is_weight(right)):
            return  # only the bias is a parameter
        if self._is_weight(right):
            data, weight, output = left, _turned(right), result
        else:  # W @ x, with the images in the columns
            data, weight = _turned(right), left
            output = _turned(result) if right.dim() > 1 else result
        weight = weight.reshape(-1, weight.shape[-1])
        data, output = data.reshape(-1, data.shape[-1]), output.reshape(-1, output.shape[-1])
        if bias is not None:
            bias = bias.flatten()
        self._add(
            Layer("linear layer", weight, bias, {}, data.clone(), output.clone(), self._picture)
        )

    def _add(self, layer: Layer) -> None:
        self.recording.layers.append(layer)
        self.recording.gaps.append([])

    def _is_bias(self, args: tuple) -> bool:
        weights = [t for t in args[:2] if isinstance(t, Tensor) and self._is_weight(t)]
        if len(weights) != 1 or not self.recording.layers:
            return False
        layer = self.recording.layers[-1]
        return layer.bias is None and weights[0].numel() == layer.weight.shape[0]

    # --- everything else ---

    def _step(self, operator: str, args: tuple, kwargs: dict, result) -> None:
        for step in _steps(operator, args, kwargs, result):
            self.recording.gaps[-1].append(step)


_NAMES = {
    "relu": "ReLU",
    "clamp_min": "ReLU",
    "threshold": "ReLU",
    "maximum": "ReLU",
    "where": "ReLU",
    "leaky_relu": "leaky ReLU",
    "hardtanh": "ReLU6",
    "elu": "ELU",
    "celu": "CELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "softplus": "softplus",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "_softmax": "softmax",
    "_log_softmax": "log-softmax",
    "native_layer_norm": "layer norm",
    "native_group_norm": "group norm",
    "avg_pool3d": "response norm",
    "bernoulli": "dropout",
    "native_dropout": "dropout",
    "rand": "dropout",
    "rand_like": "dropout",
    "uniform": "dropout",
    "_prelu_kernel": "PReLU",
}


def _steps(operator: str, args: tuple, kwargs: dict, result) -> Iterator[Step]:
    """The step an operator stands for; none for reshapes, arithmetic and the like."""
    name = operator.removesuffix("_") if not operator.startswith("_") else operator
    if name == "clamp":
        low = kwargs.get("min", args[1] if len(args) > 1 else None)
        high = kwargs.get("max", args[2] if len(args) > 2 else None)
        if low == 0:
            yield Step("ReLU" if high is None else "clamp")
    elif name == "max_pool2d_with_indices":
        yield Step("max pool", _window(args))
    elif name == "avg_pool2d":
        yield Step("average pool", _window(args))
    elif name in ("_adaptive_avg_pool2d", "mean") and args[0].dim() == 4:
        if result.shape != args[0].shape and result.shape[:2] == args[0].shape[:2]:
            yield Step("average pool", f"to {_by(result.shape[2:])}")
    elif name == "adaptive_max_pool2d":
        if result[0].shape != args[0].shape:
            yield Step("max pool", f"to {_by(result[0].shape[2:])}")
    elif "batch_norm" in name:  # torch has several
        yield Step("batch norm")
    elif name in _NAMES:
        yield Step(_NAMES[name])


def _window(args: tuple) -> str:
    """Kernel, stride and padding of a pooling layer in words: "3×3, stride 2"."""
    kernel = _pair(args[1])
    stride = _pair(args[2]) if len(args) > 2 and args[2] else kernel
    padding = _pair(args[3]) if len(args) > 3 else (0, 0)
    text = f"{_by(kernel)}, stride {_one(stride)}"
    if padding != (0, 0):
        text += f", padding {_one(padding)}"
    return text + (", rounded up" if len(args) > 5 and args[5] else "")


def _pair(value) -> tuple[int, int]:
    value = [value] if isinstance(value, int) else list(value)
    return tuple(value * 2) if len(value) == 1 else tuple(value)


def _by(sizes) -> str:
    return "×".join(map(str, sizes))


def _one(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else str(pair)


def _turned(matrix: Tensor) -> Tensor:
    return matrix.transpose(-1, -2) if matrix.dim() > 1 else matrix


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata

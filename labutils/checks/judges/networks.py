"""Judging a student's network by what it computes.

The student's network gets fresh weights that make every layer matter, is run once and recorded
(:mod:`labutils.checks.judges.recorder`); the weights it computed with are laid into the oracle,
layer by layer in order of execution, and both must give the same outputs. Names, order of
definition, and modules against functions make no difference. Only where the outputs differ are the
two recordings walked side by side, to name the first thing that is not as it should be.
"""

import contextlib
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong, ask, describe, expect_tensor, show
from labutils.checks.judges.recorder import Layer, Recording, record

# What each kind of difference most likely means; an exercise may say it in its own words.
HINTS = {
    "softmax": "The network gives logits: cross_entropy applies softmax itself, and a second one "
    "flattens the gradients. Return what the last linear layer gives.",
    "no ReLU": "Without a non-linearity between them, two layers are no more than one linear map: "
    "a ReLU belongs after each layer but the last.",
    "extra ReLU": "A ReLU follows each hidden layer once. After the last layer it would cut off "
    "every negative logit.",
    "other activation": "This network uses ReLU and no other activation.",
    "no pool": "A 2×2 max pool that halves height and width is missing here.",
    "extra pool": "There is one pool more than the exercise asks for.",
    "response norm": "Local response normalisation is AlexNet's; it is not part of this network.",
    "no response norm": "Local response normalisation is missing here.",
    "average pool": "It is max pooling that is asked for: the largest value of each window, "
    "not the mean.",
    "pool size": "The pool has another window or stride than the exercise asks for.",
    "batch norm": "Normalisation is a good idea of later years, but not part of this network.",
    "dropout": "Dropout is not part of this network: leave it out.",
    "dropout in eval": "Dropout belongs to training only. nn.Dropout follows model.eval() by "
    "itself; F.dropout has to be told, with training=self.training.",
    "no dropout": "The linear layers hold most of the weights and overfit first: "
    "dropout belongs after each hidden one.",
    "missing dropout": "One hidden layer has its dropout and another has not: each gets one.",
    "dropout last": "What is dropped after the last layer are logits: a class would win or lose "
    "by chance. Dropout belongs after the hidden layers.",
    "dropout elsewhere": "Dropout belongs to the hidden linear layers only: the convolutions have "
    "few weights and need it less.",
    "dropout rate": "Set p to what the exercise asks for: it is the share that is set to zero, "
    "not the share that is kept.",
    "dropout mask": "Each entry is dropped independently of the others; nn.Dropout does that.",
    "stride": "The convolutions move one pixel at a time (stride 1); halving is the pool's job.",
    "padding": "Without the right padding the picture shrinks (or grows) with every convolution: "
    "a 3×3 filter needs padding 1 to keep the size.",
    "kernel": "The filters have another size than the exercise asks for.",
    "channels": "Compare the channels with the exercise: what one layer gives out is what the "
    "next takes in.",
    "features": "Compare the sizes of the linear layers with the exercise; the first takes all "
    "that the last feature maps hold, channels × height × width.",
    "groups": "Groups cut the connections between channels; these convolutions see all of them.",
    "too many": "Count the layers with weights in your forward, and compare with the exercise.",
    "too few": "A layer is missing, or is defined and never called in forward.",
    "bias": "Convolutions and linear layers come with a bias here, which is PyTorch's default.",
    "unused": "A layer that is defined in __init__ and not used in forward has weights "
    "that never learn: remove it, or call it.",
    "shared": "One layer is called several times, so that its weights are shared. "
    "Each place in the network needs a layer of its own.",
    "unregistered": "Only layers stored on self (or in nn.Sequential, nn.ModuleList) are seen by "
    "model.parameters() and learn. A plain Python list hides them, and a layer made inside forward "
    "is new and untrained at every call.",
    "flatten": "The first dimension is the batch and stays: flatten from dimension 1 on.",
    "size": "Print the shape before the linear layer: it must take exactly "
    "channels × height × width numbers of one image.",
    "shape": "One row of class scores for each image: flatten all but the first dimension, and "
    "end in a linear layer with one output per class.",
    "single": "A batch may hold a single image: squeeze() drops that dimension too; "
    "name the dimensions to flatten instead.",
    "mixed": "Each image is judged on its own: something in forward works across dimension 0, "
    "the batch.",
    "modes": "The network must compute the same in training and in evaluation.",
    "gradient": "Something cuts the graph: .detach(), .data, .numpy(), torch.no_grad(), or "
    "requires_grad=False. Layers behind it would never learn.",
    "other": "Go through forward line by line and compare with the exercise: which layer takes "
    "which tensor?",
    "num_classes": "num_classes is an argument: the last linear layer gives that many outputs.",
}


class Dropout(NamedTuple):
    """Where dropout with probability ``p`` belongs.

    ``places`` are the right placements, the usual one first: each a set of the numbers of the
    layers that a dropout follows, counted from 1 in order of execution.
    """

    p: float
    places: tuple[frozenset[int], ...]


NO_DROPOUT = Dropout(0.0, (frozenset(),))


class Network(NamedTuple):
    """A network that an answer may turn out to be, and what to say then."""

    build: Callable[..., nn.Module]
    says: str
    hint: str = ""


# --- what an exercise calls -----------------------------------------------------------------


def build(answer: Callable, *args, **kwargs) -> nn.Module:
    """Call a student's class (or function); demand a module."""
    name = getattr(answer, "__name__", type(answer).__name__)
    if isinstance(answer, nn.Module):
        raise Wrong(
            f"Expected the class, got the network {name}().",
            "Hand over the class itself, without the parentheses that make a network of it.",
        )
    signature = "Does __init__ take the arguments of the exercise, with their defaults?"
    try:
        model = ask(answer, *args, hint=signature, **kwargs)
    except Wrong as wrong:
        if "Module.__init__() call" not in wrong.message:
            raise
        raise Wrong(
            wrong.message, "The first line of __init__ must be super().__init__()."
        ) from None
    if not isinstance(model, nn.Module):
        raise Wrong(
            f"{name}() gave {describe(model)}; expected a module (nn.Module).",
            "A network is a class of its own: class Name(nn.Module), with __init__ and forward.",
        )
    return model


def judge(
    answer: Callable,
    oracle: Callable[..., nn.Module],
    images: Tensor,
    *,
    args: tuple = (),
    also: Sequence[Network] = (),
    mistakes: Sequence[Network] = (),
    dropout: Dropout | Callable[[dict[int, float]], None] = NO_DROPOUT,
    hints: Mapping[str, str] | None = None,
) -> str | None:
    """Demand that ``answer(*args)`` computes what ``oracle(*args)`` does.

    Args:
        answer: the student's class, or a function that returns a module.
        oracle: builds the right network, its layers defined in order of execution; it gets no
            memory for weights of its own.
        images: a batch of at least two.
        also: other networks that are right too, each with a word to return.
        mistakes: networks that are known mistakes, with the hint for each.
        dropout: where it belongs. Or a function that takes the measured rates, as
            {number of the layer it follows: share of zeros}, and raises Wrong.
        hints: replaces entries of :data:`HINTS`.

    Returns:
        None, or the word of the variant that was met.

    Raises:
        Wrong: with the first difference found. NotDone: the stub's own NotImplementedError.
    """
    name = getattr(answer, "__name__", type(answer).__name__)
    hints = HINTS | dict(hints or {})
    images = images.clone()
    plan = _plan(oracle, args, images)
    model = build(answer, *args)
    with _lent(model):
        model.eval()
        _first_run(model, name, images, plan, hints)
        _refill(model)
        run = record(model, images)
        if run.error:
            raise run.error
        _expect_output(run, plan, name, hints)
        if run.strangers:
            raise Wrong(f"{name} computes with weights it does not know of.", hints["unregistered"])
        word = _same_outputs(model, run, plan, name, oracle, args, images, also, mistakes, hints)
        _same_count(model, run, plan, name, hints)
        _each_image_alone(model, run, name, images, hints)
        _training_mode(model, run, name, images, dropout, hints)
        _gradients(model, name, images, hints)
    return word


def expect_num_classes(
    answer: Callable, images: Tensor, num_classes: int, hint: str = HINTS["num_classes"]
) -> None:
    """Demand that ``answer(num_classes)`` and ``answer(num_classes=...)`` give that many logits.

    The networks are built on the meta device, without memory, where the student's code allows it.
    """
    name = getattr(answer, "__name__", type(answer).__name__)
    for call in (
        lambda: build(answer, num_classes),
        lambda: build(answer, num_classes=num_classes),
    ):
        try:
            with torch.device("meta"):
                output = call().eval()(images.to("meta"))
        except Exception:
            output = ask(call().eval(), images, called=f"{name}'s forward")
        seen = tuple(output.shape) if isinstance(output, Tensor) else describe(output)
        if seen != (len(images), num_classes):
            raise Wrong(
                f"{name}(num_classes={num_classes}) gives logits of shape {seen}; "
                f"expected {(len(images), num_classes)}.",
                hint,
            )


# --- the student's network, on loan ---------------------------------------------------------


@contextlib.contextmanager
def _lent(model: nn.Module) -> Iterator[None]:
    """The model comes back as it was: weights, buffers, modes. (It may be the student's own.)"""
    tensors = [(t, t.data) for t in model.parameters() if not nn.parameter.is_lazy(t)]
    buffers = [(b, b.data) for b in model.buffers() if not nn.parameter.is_lazy(b)]
    modes = [(module, module.training) for module in model.modules()]
    for buffer, data in buffers:
        buffer.data = data.clone()
    try:
        yield
    finally:
        for tensor, data in tensors + buffers:
            tensor.data = data
        for module, training in modes:
            module.training = training


def _refill(model: nn.Module) -> None:
    """New weights after He et al. (2015): with PyTorch's default a deep VGG is nearly constant.

    They are put in place of the old ones, which stay as they are.
    """
    for parameter in model.parameters():
        new = torch.empty_like(parameter, requires_grad=False)
        fan_in = parameter.numel() / max(parameter.shape[0], 1) if parameter.dim() > 1 else 0
        bound = (6 / fan_in) ** 0.5 if fan_in else 0.2
        parameter.data = new.uniform_(-bound, bound)


def _first_run(model, name: str, images: Tensor, plan: Recording, hints) -> None:
    """The plain call, with the student's own weights; an error gets the hint that explains it."""
    try:
        ask(model, images, called=f"{name}'s forward")
    except Wrong as wrong:
        run = record(model, images)
        if run.error is None:
            raise  # it failed for another reason: in place, or not the stub's own
        raise Wrong(
            wrong.message, _why_sizes(run, plan, images, name, hints) or wrong.hint
        ) from None


def _why_sizes(run: Recording, plan: Recording, images: Tensor, name: str, hints) -> str:
    """The hint for an error about sizes: something went wrong before the layer that raised it."""
    text = str(run.error)
    channels = "to have" in text and "channels" in text
    sizes = (
        "shapes cannot be multiplied",
        "size mismatch",
        "is invalid for input of size",
        "Output size is too small",
        "greater than actual input size",
    )
    if not channels and not any(words in text for words in sizes):
        return ""
    difference = _walk(run, plan, name, hints)
    if difference:
        return difference.hint
    if channels:
        return hints["channels"]
    at = len(run.layers)
    if at < len(plan.layers):
        everything = plan.layers[at].weight[0].numel() * len(images)
        if f"1x{everything} " in text or f"({everything})" in text:
            return hints["flatten"]
    return hints["size"]


def _expect_output(run: Recording, plan: Recording, name: str, hints) -> None:
    output, shape = run.output, tuple(plan.output.shape)
    if isinstance(output, (tuple, list)):
        raise Wrong(
            f"The forward of {name} gives {describe(output)}; expected one tensor of logits.",
            "Return one tensor alone; whoever wants probabilities takes the softmax of the logits.",
        )
    if isinstance(output, Tensor) and tuple(output.shape) != shape:
        difference = _walk(run, plan, name, hints)
        if difference:
            raise difference
    expect_tensor(output, shape, torch.float32, f"The output of {name}", hints["shape"])
    if not torch.isfinite(output).all():
        raise Wrong(
            f"The output of {name} holds NaN or infinity.",
            "Something divides by zero or takes the logarithm of it.",
        )


# --- the oracle -----------------------------------------------------------------------------


def _meta(oracle: Callable, args: tuple) -> nn.Module:
    with torch.device("meta"):
        return oracle(*args).eval()


def _plan(oracle: Callable, args: tuple, images: Tensor) -> Recording:
    """What the oracle does, with shapes alone."""
    plan = record(_meta(oracle, args), images.to("meta"))
    if plan.error:
        raise plan.error
    return plan


def _load(oracle: Callable, args: tuple, layers: list[Layer]) -> nn.Module | None:
    """The oracle computing with the weights of ``layers``; None where they do not fit."""
    network = _meta(oracle, args)
    own = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    if len(own) != len(layers):
        return None
    for module, layer in zip(own, layers, strict=True):
        if module.weight.numel() != layer.weight.numel():
            return None
        if module.weight.shape[0] != layer.weight.shape[0]:
            return None
        # A missing bias is zero: it shows in the number of parameters.
        bias = torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias
        weight = layer.weight.reshape(module.weight.shape)
        module.weight = nn.Parameter(weight, requires_grad=False)
        module.bias = nn.Parameter(bias, requires_grad=False)
    return network


def _run_oracle(oracle: Callable, args: tuple, run: Recording, images: Tensor) -> Recording | None:
    """The oracle's run with the student's weights; a flatten in another order is followed."""
    loaded = _load(oracle, args, run.layers)
    if loaded is None:
        return None
    ideal = record(loaded, images)
    layers = _reordered(run.layers, ideal.layers)
    return record(_load(oracle, args, layers), images) if layers else ideal


def _reordered(theirs: list[Layer], ideal: list[Layer]) -> list[Layer] | None:
    """The student's layers with the columns of one linear layer in the oracle's order (C, H, W)."""
    for i, (layer, model) in enumerate(zip(theirs, ideal, strict=True)):
        if layer.input.numel() != model.input.numel():
            return None
        if _close(layer.input.flatten(1), model.input.flatten(1)):
            continue
        if model.kind != "linear layer" or layer.kind != "linear layer":
            return None
        if model.input.shape[1] != math.prod(model.picture):
            return None  # it takes what another linear layer gave: there was no flatten
        for order in itertools.permutations((0, 1, 2)):
            columns = torch.arange(model.input.shape[1])
            columns = columns.view(model.picture).permute(order).flatten()
            if _close(layer.input, model.input[:, columns]):
                weight = torch.empty_like(layer.weight)
                weight[:, columns] = layer.weight
                return [*theirs[:i], _with_weight(layer, weight), *theirs[i + 1 :]]
        return None
    return None


def _with_weight(layer: Layer, weight: Tensor) -> Layer:
    return Layer(**{**vars(layer), "weight": weight})


def _close(a: Tensor, b: Tensor) -> bool:
    """Equal up to rounding, measured on the largest entry."""
    if a.shape != b.shape:
        return False
    return bool((a - b).abs().max() <= 1e-4 * b.abs().max() + 1e-6)


# --- outputs --------------------------------------------------------------------------------


def _same_outputs(
    model, run, plan, name, oracle, args, images, also, mistakes, hints
) -> str | None:
    """Does it compute what the oracle does, or a variant? Else name the difference."""
    ideal = _run_oracle(oracle, args, run, images)
    if ideal is not None and _close(run.output, ideal.output):
        return None
    _normalised(run.output, name, hints)
    for variant in (*also, *mistakes):
        other = _run_oracle(variant.build, args, run, images)
        if other is not None and _close(run.output, other.output):
            if variant in also:
                return variant.says
            raise Wrong(variant.says, variant.hint)
    if ideal is None and _another_way(model, run, plan):
        return None  # weights that cannot be mapped: shapes, number and behaviour decide
    difference = _walk(run, ideal or plan, name, hints)
    if difference:
        raise difference
    if ideal is None:
        return None
    raise Wrong(
        f"With the same weights, {name} gives {show(run.output[0])} for an image; "
        f"expected {show(ideal.output[0])}.",
        hints["other"],
    )


def _another_way(model: nn.Module, run: Recording, plan: Recording) -> bool:
    """Is it likely the same network, its layers computed in pieces (by offset, by channel)?

    The right number of parameters, all of them used and none twice, and steps of every kind.
    """
    count = sum(p.numel() for p in model.parameters())
    used_once = sum(layer.weight.numel() for layer in run.layers) <= count
    kinds, expected = ({step.name for gap in r.gaps for step in gap} for r in (run, plan))
    return (
        count == sum(_numbers(layer) for layer in plan.layers)
        and run.used == {name for name, _ in model.named_parameters()}
        and used_once
        and kinds == expected
    )


def _normalised(output: Tensor, name: str, hints) -> None:
    """Softmax or log-softmax at the end, however it is written."""
    if output.dim() != 2:
        return
    ones = torch.ones(())
    for dim, what in ((1, "over the classes"), (0, "over the batch")):
        if bool((output >= 0).all()) and torch.allclose(output.sum(dim), ones, atol=1e-4):
            message = f"The outputs of {name} are probabilities (they sum to 1 {what})"
            raise Wrong(f"{message}; expected logits.", hints["softmax"])
    if torch.allclose(output.exp().sum(1), ones, atol=1e-4):
        raise Wrong(
            f"The outputs of {name} are log-probabilities; expected logits.", hints["softmax"]
        )


# --- two recordings side by side ------------------------------------------------------------


def _walk(run: Recording, ideal: Recording, name: str, hints) -> Wrong | None:
    """The first difference between two recordings, as far as ``run`` came."""
    number = _number_of_layers(run, ideal, name, hints)
    if number:
        return number
    labels = ideal.labels()
    for i, steps in enumerate(run.gaps):
        stopped = run.error is not None and i == len(run.layers)
        if not _same_input(run, ideal, i):
            place = _place(i, labels)
            difference = _compare_steps(steps, ideal.gaps[i], place, name, hints, stopped)
            if difference:
                return difference
        if i < len(run.layers):
            difference = _compare_layers(run.layers[i], ideal.layers[i], labels[i], name, hints)
            if difference:
                return difference
    return None


def _same_input(run: Recording, ideal: Recording, i: int) -> bool:
    """Does the same come to layer ``i`` in both? Then all is well so far."""
    if i >= len(run.layers):
        return False
    seen, expected = run.layers[i].input, ideal.layers[i].input
    if expected.is_meta or seen.numel() != expected.numel():
        return False
    return _close(seen.flatten(1), expected.flatten(1))


def _number_of_layers(run: Recording, ideal: Recording, name: str, hints) -> Wrong | None:
    many = len(run.layers) > len(ideal.layers)
    if len(run.layers) == len(ideal.layers) or (run.error and not many):
        return None
    return Wrong(
        f"{name} goes through {_all_layers(run)}; expected {_all_layers(ideal)}.",
        hints["too many" if many else "too few"],
    )


def _all_layers(run: Recording) -> str:
    """Numbers and widths: "2 convolutions (8, 16) and 1 linear layer (10)"."""
    words = []
    for kind in dict.fromkeys(layer.kind for layer in run.layers):
        widths = [str(layer.weight.shape[0]) for layer in run.layers if layer.kind == kind]
        plural = "" if len(widths) == 1 else "s"
        words.append(f"{len(widths)} {kind}{plural} ({', '.join(widths)})")
    return " and ".join(words) or "no layer with weights"


def _place(i: int, labels: list[str]) -> str:
    if not labels:
        return "In the network"
    if i == 0:
        return f"Before {labels[0]}"
    if i == len(labels):
        return f"After {labels[-1]}"
    return f"Between {labels[i - 1]} and {labels[i]}"


def _compare_steps(steps, ideal, place: str, name: str, hints, stopped: bool) -> Wrong | None:
    """A step too few or too many in one gap, or a pool of another size."""
    seen, expected = (Counter(step.name for step in s) for s in (steps, ideal))
    missing, extra = expected - seen, seen - expected
    key = None
    if "dropout" in extra:
        key = "dropout in eval"
    elif extra.keys() & {"batch norm", "layer norm", "group norm"}:
        key = "batch norm"
    elif extra.keys() & {"softmax", "log-softmax"}:
        key = "softmax"
    elif "average pool" in extra:
        key = "average pool"
    elif extra.keys() - {"ReLU", "max pool", "response norm"}:
        key = "other activation"
    elif "max pool" in extra:
        key = "extra pool"
    elif "response norm" in extra:
        key = "response norm"
    elif "ReLU" in extra:
        key = "extra ReLU"
    elif "ReLU" in missing and not stopped:
        key = "no ReLU"
    elif "max pool" in missing:
        key = "no pool"
    elif missing:
        key = f"no {next(iter(missing))}"
    elif not stopped and _pools(steps) != _pools(ideal):
        key = "pool size"
    if key is None:
        return None
    return Wrong(
        f"{place}, {name} has {_list(steps)}; expected {_list(ideal)}.",
        hints.get(key, hints["other"]),
    )


def _pools(steps) -> list:
    return [step for step in steps if step.name == "max pool"]


def _list(steps) -> str:
    return ", ".join(map(str, steps)) or "nothing"


def _compare_layers(layer: Layer, ideal: Layer, label: str, name: str, hints) -> Wrong | None:
    """Another size, stride or padding of one layer."""

    def wrong(seen: str, expected: str, key: str) -> Wrong:
        text = f"{label.capitalize()} of {name} has {seen}; expected {expected}."
        return Wrong(text, hints[key])

    if layer.kind == ideal.kind == "convolution":
        return _compare_convolutions(layer, ideal, wrong)
    if layer.kind == ideal.kind == "linear layer":
        seen, expected = (f"{w.shape[1]}→{w.shape[0]}" for w in (layer.weight, ideal.weight))
        return None if seen == expected else wrong(f"sizes {seen}", expected, "features")
    if layer.weight.numel() != ideal.weight.numel():
        return wrong(f"weights of shape {tuple(layer.weight.shape)}", _size(ideal), "features")
    return None


def _compare_convolutions(layer: Layer, ideal: Layer, wrong: Callable) -> Wrong | None:
    seen, expected = (_by(r.weight.shape[2:]) for r in (layer, ideal))
    if seen != expected:
        return wrong(f"{seen} filters", expected, "kernel")
    if layer.settings["groups"] != ideal.settings["groups"]:
        return wrong(f"groups={layer.settings['groups']}", str(ideal.settings["groups"]), "groups")
    seen, expected = (f"{r.weight.shape[1]}→{r.weight.shape[0]}" for r in (layer, ideal))
    if seen != expected:
        return wrong(f"channels {seen}", expected, "channels")
    for key in ("stride", "padding", "dilation"):
        seen, expected = (tuple(r.settings[key]) for r in (layer, ideal))
        if seen != expected and layer.output.shape != ideal.output.shape:
            hint = "padding" if key == "dilation" else key
            return wrong(f"{key} {seen[0]}", str(expected[0]), hint)
    return None


def _by(sizes) -> str:
    return "×".join(map(str, sizes))


def _size(layer: Layer) -> str:
    return str(tuple(layer.weight.shape))


# --- number of parameters -------------------------------------------------------------------


def _same_count(model: nn.Module, run: Recording, plan: Recording, name: str, hints) -> None:
    count = sum(p.numel() for p in model.parameters())
    expected = sum(_numbers(layer) for layer in plan.layers)
    message = f"{name} has {count:,} parameters"
    if count != expected:
        more = f"{abs(count - expected):,} {'more' if count > expected else 'fewer'}"
        message += f"; expected {expected:,}: {more}"
    bare = [
        label
        for label, layer, ideal in zip(plan.labels(), run.layers, plan.layers, strict=False)
        if layer.bias is None and ideal.bias is not None
    ]
    if bare and count < expected:
        raise Wrong(f"{message}. No bias: {', '.join(bare)}.", hints["bias"])
    unused = [n for n, _ in model.named_parameters() if n not in run.used]
    if unused:
        raise Wrong(f"{message}. Never used in forward: {', '.join(unused[:4])}.", hints["unused"])
    if count != expected:
        raise Wrong(f"{message}.", hints["shared" if count < expected else "other"])


def _numbers(layer: Layer) -> int:
    return layer.weight.numel() + (0 if layer.bias is None else layer.bias.numel())


# --- behaviour ------------------------------------------------------------------------------


def _each_image_alone(model, run: Recording, name: str, images: Tensor, hints) -> None:
    single = ask(model, images[:1], called=f"{name}'s forward", hint=hints["single"])
    expected = (1, *run.output.shape[1:])
    expect_tensor(single, expected, None, f"{name}'s output for a single image", hints["single"])
    if not _close(single.detach(), run.output[:1]):
        raise Wrong(
            f"{name} gives an image other logits when it comes alone than in a batch.",
            hints["mixed"],
        )


def _training_mode(model, calm: Recording, name: str, images, dropout, hints) -> None:
    """In training mode: the same, but for dropout where it belongs."""
    model.train()
    lively = record(model, images)
    model.eval()
    if lively.error:
        raise Wrong(
            f"{name} in training mode raised {type(lively.error).__name__}: {lively.error}",
            hints["modes"],
        )
    names = {step.name for gap in lively.gaps for step in gap}
    if "batch norm" in names:
        raise Wrong(f"{name} has a batch norm.", hints["batch norm"])
    random = len(calm.layers) == len(lively.layers) and _dropouts(calm, lively)
    if random:
        labels = calm.labels()
        if callable(dropout):
            dropout({i: found.p for i, found in random.items()})
        else:
            _right_dropout(random, dropout, labels, name, hints)
    elif not callable(dropout) and frozenset() not in dropout.places:
        where = " and ".join(calm.labels()[i - 1] for i in sorted(dropout.places[0]))
        raise Wrong(
            f"In training mode {name} drops nothing; expected dropout {dropout.p:g} after {where}.",
            hints["no dropout"],
        )
    elif callable(dropout):
        dropout({})
    elif "dropout" in names and not _close(lively.output, calm.output):
        raise Wrong(f"{name} drops entries in training mode.", hints["dropout"])
    elif not _close(lively.output, calm.output):
        raise Wrong(f"{name} computes something else in training mode.", hints["modes"])


class _Dropped(NamedTuple):
    p: float  # share of zeros
    scale: float  # by which the others grew; NaN where they did not all grow alike
    even: bool  # about the same share in every row, and not the same places


def _dropouts(calm: Recording, lively: Recording) -> dict[int, _Dropped]:
    """Measure dropout after each layer, as {number of the layer it follows: what was found}.

    What came to the next layer in training mode is compared with what would have come without
    dropout: as long as nothing was random before it, that is what came in evaluation mode; later,
    the ReLU of what the layer before gave.
    """
    found = {}
    for i in range(len(calm.layers) + 1):
        last = i == len(calm.layers)
        got = lively.output if last else lively.layers[i].input
        if not found:
            base = calm.output if last else calm.layers[i].input
        elif last:
            base = lively.layers[-1].output
        else:
            base = F.relu(lively.layers[i - 1].output)
        if base.shape != got.shape or _close(got, base):
            continue
        dropped = _measure(got.flatten(1), base.flatten(1))
        if dropped.p > 0:
            found[i] = dropped
    return found


def _measure(got: Tensor, base: Tensor) -> _Dropped:
    active = base.abs() > 1e-4 * base.abs().max()
    ratio = torch.where(active, got / base, torch.nan)
    zero = ratio == 0
    p = float(zero[active].float().mean())
    kept = ratio[active & ~zero]
    even = bool(kept.numel()) and bool((kept.max() - kept.min()).abs() < 1e-3 * kept.abs().max())
    scale = float(kept.mean()) if even else float("nan")
    rows = [float(zero[n][active[n]].float().mean()) for n in range(len(got))]
    both = active[0] & active[1]
    same_places = bool((zero[0] == zero[1])[both].all()) and 0 < p < 1
    return _Dropped(p, scale, not same_places and max(rows) - min(rows) < 0.3)


def _right_dropout(found: dict[int, _Dropped], wanted: Dropout, labels, name, hints) -> None:
    somewhere = frozenset().union(*wanted.places)
    where = {i: f"after {labels[i - 1]}" if i else "on the images" for i in found}
    for i, drop in found.items():
        if i not in somewhere:
            key = "dropout last" if i == len(labels) else "dropout elsewhere"
            raise Wrong(
                f"In training mode {name} drops entries {where[i]}; "
                f"expected no dropout{' there' if somewhere else ''}.",
                hints[key if somewhere else "dropout"],
            )
        if not drop.even:
            raise Wrong(
                f"{name}'s dropout {where[i]} drops whole rows, or the same places for "
                "every image; expected each entry by itself.",
                hints["dropout mask"],
            )
        if abs(drop.p - wanted.p) > 0.07:
            raise Wrong(
                f"{name}'s dropout {where[i]} sets {drop.p:.0%} to zero; expected {wanted.p:.0%}.",
                hints["dropout rate"],
            )
        if not abs(drop.scale * (1 - wanted.p) - 1) < 0.01:
            raise Wrong(
                f"{name}'s dropout {where[i]} does not multiply what it keeps by 1/(1 - p).",
                "Inverted dropout scales in training, so that evaluation needs no change: "
                "nn.Dropout does both.",
            )
    if found.keys() not in wanted.places:
        missing = sorted(wanted.places[0] - found.keys())
        raise Wrong(
            f"In training mode {name} drops nothing after "
            f"{' and '.join(labels[i - 1] for i in missing)}.",
            hints["missing dropout"],
        )


def _gradients(model: nn.Module, name: str, images: Tensor, hints) -> None:
    """Every weight is reached from the output, by the graph alone (no backward pass is run)."""
    output = model(images)
    reached, todo, seen = set(), [output.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            reached.add(id(node.variable))
        todo += [parent for parent, _ in node.next_functions]
    cut = [n for n, p in model.named_parameters() if id(p) not in reached]
    if cut:
        raise Wrong(
            f"No gradient of {name}'s output reaches {', '.join(cut[:4])}.", hints["gradient"]
        )

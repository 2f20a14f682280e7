"""A network as an exercise, judged by what it computes.

    vgg11 = Network("VGG11", NOTEBOOK, 3, models.vgg11, (3, 3, 32, 32), num_classes=7,
                    idea="...", hints={"no ReLU": "A ReLU follows every convolution."})

The student's network gets fresh weights that make every layer matter, is run once and recorded
(:mod:`labutils.checks.judges.recorder`); the weights it computed with are laid into the oracle,
layer by layer in order of execution (by their shapes, where branches may run in any order), and
both must give the same outputs; where there are BatchNorms, in both modes. Names, order of
definition, and modules against functions make no difference. Only where the outputs differ are the
two recordings walked side by side (:mod:`labutils.checks.judges.differences`), to name the first
thing that is not as it should be.
"""

import contextlib
import copy
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong, ask, describe, expect_tensor, show
from labutils.checks.frame.exercise import Exercise, Result
from labutils.checks.judges.differences import branch_difference, first_difference, same
from labutils.checks.judges.recorder import Layer, Norm, Recording, record
from labutils.checks.judges.values import Mistake

# What each kind of difference most likely means; an exercise may say it in its own words.
HINTS = {
    "instance": "Hand over the class itself, without the parentheses that make a network of it.",
    "return": "Is there a `return` at the end of the function?",
    "list": "A list of layers cannot be called. nn.Sequential(*layers) makes one module of it.",
    "module": "A network is a class of its own: class Name(nn.Module), with __init__ and forward.",
    "several": "Return one tensor alone; whoever wants probabilities takes the softmax of the "
    "logits.",
    "not finite": "Something divides by zero or takes the logarithm of it.",
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
    "dropout scale": "Inverted dropout scales in training, so that evaluation needs no change: "
    "nn.Dropout does both.",
    "dropout mask": "Each entry is dropped independently of the others; nn.Dropout does that.",
    "stride": "The convolutions move one pixel at a time (stride 1); halving is the pool's job.",
    "padding": "Without the right padding the picture shrinks (or grows) with every convolution: "
    "a 3×3 filter needs padding 1 to keep the size.",
    "dilation": "Dilated filters skip pixels; these look at neighbouring ones.",
    "kernel": "The filters have another size than the exercise asks for.",
    "channels": "Compare the channels with the exercise: what one layer gives out is what the "
    "next takes in.",
    "features": "Compare the sizes of the linear layers with the exercise; the first takes all "
    "that the last feature maps hold, channels × height × width.",
    "groups": "Groups cut the connections between channels; these convolutions see all of them.",
    "too many": "Count the layers with weights in your forward, and compare with the exercise.",
    "too few": "A layer is missing, or is defined and never called in forward.",
    "bias": "Convolutions and linear layers come with a bias here, which is PyTorch's default.",
    "needless bias": "A BatchNorm takes the mean away, and with it the bias before it: such a bias "
    "is void, and the convolution is made with bias=False.",
    "norm places": "A BatchNorm takes what a convolution gives, before anything else is done with "
    "it: convolution, BatchNorm, ReLU.",
    "running": "In training a BatchNorm moves its running statistics a tenth of the way to the "
    "batch's, its momentum of 0.1; nn.BatchNorm2d does that by itself.",
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
    "modes": "Training and evaluation must compute the same, but for dropout where it belongs.",
    "gradient": "Something cuts the graph: .detach(), .data, .numpy(), torch.no_grad(), or "
    "requires_grad=False. Layers behind it would never learn.",
    "other": "Go through forward line by line and compare with the exercise: which layer takes "
    "which tensor?",
    "num_classes": "num_classes is an argument: the last linear layer gives that many outputs.",
    "join": "The branches are joined along the channels, which are dimension 1: "
    "torch.cat(branches, dim=1).",
    "join sizes": "Side by side can only stand maps of one height and width: stride 1 in every "
    "branch, and the padding that keeps the size, (kernel size - 1) / 2, also in the pool.",
    "add": "Branches of different widths cannot be added. They are joined, one's channels after "
    "the other's: torch.cat(branches, dim=1).",
}


class Dropout(NamedTuple):
    """Where dropout with probability ``p`` belongs.

    ``places`` are the right placements, the usual one first: each a set of the numbers of the
    layers that a dropout follows, counted from 1 in order of execution.
    """

    p: float
    places: tuple[frozenset[int], ...]


# What torch.cat says of the dimension it joins along, when the other sides differ.
_JOINS = {"1": "join sizes"}

NO_DROPOUT = Dropout(0.0, (frozenset(),))


class Network(Exercise):
    """Judge a class, or a function that returns a module, by what its network computes.

    Args:
        oracle: builds the right network, its layers defined in order of execution; to judge by it,
            it gets no memory for weights of its own.
        shape: of the random images to try it on, a batch of at least two.
        calls: the arguments to build a network with, for each one to judge; a dictionary at the
            end holds those to be given by name.
        scale: the standard deviation of the images.
        num_classes: another number of classes, to be given by position and by name.
        dropout: where it belongs.
        branches: the network has branches, which may run in any order: weights find their place by
            shape, which has to differ between layers of different branches.
        kind: the class of module that is asked for.
        hints: replaces entries of :data:`HINTS`.
    """

    def __init__(
        self, name: str, notebook: str, points: int, oracle: Callable[..., nn.Module],
        shape: tuple[int, ...], *, idea: str, hints: Mapping[str, str] | None = None,
        calls: tuple[tuple, ...] = ((),), scale: float = 1.0, num_classes: int | None = None,
        dropout: Dropout = NO_DROPOUT, branches: bool = False, kind: type[nn.Module] = nn.Module,
        seconds: float = 20.0,
    ):  # fmt: skip
        super().__init__(name, notebook, points, oracle, self._examine, idea, seconds)
        self.shape, self.scale, self.calls, self.kind = shape, scale, calls, kind
        self.num_classes, self.dropout, self.branches = num_classes, dropout, branches
        self.hints = HINTS | dict(hints or {})
        self.variants: list[tuple[str, Callable]] = []
        self.mistakes: list[Mistake] = []
        self.plans: dict[str, Recording] = {}  # what the oracle does, by the call that builds it
        self._more: list[Callable[[Callable], None]] = []

    def also(self, word: str, *builds: Callable[..., nn.Module]) -> None:
        """Let these other networks pass too, with a word to say; empty: none."""
        self.variants += [(word, build) for build in builds]

    def then(self, judge: Callable[[Callable], None]) -> Callable:
        """Examine a right answer further: ``judge(answer)`` raises ``Wrong``."""
        self._more.append(judge)
        return judge

    def run(self, answer) -> Result:
        _load_late_imports()
        return super().run(answer)

    def wrong(self, key: str, message: str) -> Wrong:
        return Wrong(message, self.hints.get(key, self.hints["other"]))

    def _examine(self, answer) -> str | None:
        images = self.scale * torch.randn(self.shape)
        words = []
        for call in self.calls:
            by_name = call[-1] if call and isinstance(call[-1], dict) else {}
            args = call[:-1] if by_name else call
            words.append(self.judge(answer, images, *args, **by_name))
        if self.num_classes:
            self._expect_num_classes(answer, images)
        for judge in self._more:
            judge(answer)
        return next(filter(None, words), None)

    def judge(self, answer: Callable, images: Tensor, *args, **kwargs) -> str | None:
        """Demand that ``answer(*args, **kwargs)`` computes what the oracle does.

        Returns:
            None, or the word of the variant that was met.

        Raises:
            Wrong: with the first difference found. NotDone: the stub's own NotImplementedError.
        """
        model = self._build(answer, *args, hint=self.hints.get("build", ""), **kwargs)
        with _lent(model):
            return _Trial(self, model, images, args, kwargs).judge()

    def call(self, args: tuple, kwargs: dict) -> str:
        """The call that builds a network, as a reader would write it."""
        given = [*map(str, args), *(f"{name}={value}" for name, value in kwargs.items())]
        return f"{self.name}({', '.join(given)})"

    def _build(self, answer: Callable, *args, hint: str = "", **kwargs) -> nn.Module:
        if isinstance(answer, nn.Module):
            raise self.wrong("instance", f"Expected the class, got the network {self.name}().")
        model = ask(answer, *copy.deepcopy(args), called=self.name, hint=hint, **kwargs)
        is_list = isinstance(model, (list, tuple, nn.ModuleList))
        if isinstance(model, self.kind) and not is_list:
            return model
        key = "return" if model is None else "list" if is_list else "module"
        call, expected = self.call(args, kwargs), self.kind.__name__
        raise self.wrong(key, f"{call} gave {describe(model)}; expected a module (nn.{expected}).")

    def _expect_num_classes(self, answer: Callable, images: Tensor) -> None:
        """Build on the meta device, without memory, where the student's code allows it."""
        number, hint = self.num_classes, self.hints["num_classes"]
        for args, kwargs in (((number,), {}), ((), {"num_classes": number})):
            try:
                with torch.device("meta"):
                    output = self._build(answer, *args, **kwargs).eval()(images.to("meta"))
            except Exception:
                model = self._build(answer, *args, hint=hint, **kwargs).eval()
                output = ask(model, images, called=f"{self.name}'s forward")
            seen = tuple(output.shape) if isinstance(output, Tensor) else describe(output)
            if seen != (len(images), number):
                text = f"{self.name}(num_classes={number}) gives logits of shape {seen}"
                raise Wrong(f"{text}; expected {(len(images), number)}.", hint)


@functools.cache
def _load_late_imports() -> None:
    """Have torch load what a plan needs (its compiler) before any clock starts: seconds of work."""
    F.relu(torch.empty(1, device="meta"))


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
    for norm in model.modules():  # running statistics too; those of a model on loan are copies
        if isinstance(norm, nn.BatchNorm2d):
            for tensor, middle in ((norm.weight, 1), (norm.running_mean, 0), (norm.running_var, 1)):
                if tensor is not None:
                    tensor.data.uniform_(middle - 0.5, middle + 0.5)


# --- the oracle -----------------------------------------------------------------------------


def _on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build().eval()


def _load(
    build: Callable[[], nn.Module], layers: list[Layer], any_order: bool = False
) -> nn.Module | None:
    """A network computing with the weights of ``layers``; None where they do not fit.

    They are in the order of the network's own, or in any, where their shapes tell them apart.
    A BatchNorm of the network belongs to the layer that is defined before it.
    """
    network = _on_meta(build)
    own, norms = [], {}
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            own.append(module)
        elif isinstance(module, nn.BatchNorm2d):
            norms[own[-1]] = module
    if len(own) != len(layers):
        return None
    if any_order:
        own, layers = _by_size(own), _by_size(layers)
    for module, layer in zip(own, layers, strict=True):
        if _sizes(module.weight) != _sizes(layer.weight) or (module in norms) != bool(layer.norm):
            return None
        # A missing bias is zero: it shows in the number of parameters.
        bias = torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias
        weight = layer.weight.reshape(module.weight.shape)
        module.weight = nn.Parameter(weight, requires_grad=False)
        module.bias = nn.Parameter(bias, requires_grad=False)
        if layer.norm:
            weight, bias, mean, var = layer.norm
            norm = norms[module]
            norm.weight = nn.Parameter(weight, requires_grad=False)
            norm.bias = nn.Parameter(bias, requires_grad=False)
            norm.running_mean, norm.running_var = mean.clone(), var.clone()
    return network


def _by_size(layers: list) -> list:
    """Layers or modules sorted by the shapes of their weights; equal ones stay in their order."""
    return sorted(layers, key=lambda one: _sizes(one.weight))


def _sizes(weight: Tensor) -> tuple[int, int]:
    """What a linear layer and a convolution that computes the same have in common."""
    return weight.numel(), len(weight)


def _reordered(theirs: list[Layer], ideal: list[Layer]) -> list[Layer] | None:
    """The student's layers with the columns of one linear layer in the oracle's order (C, H, W)."""
    for i, (layer, model) in enumerate(zip(theirs, ideal, strict=True)):
        if layer.input.numel() != model.input.numel():
            return None
        if same(layer.input.flatten(1), model.input.flatten(1)):
            continue
        if model.kind != "linear layer" or layer.kind != "linear layer":
            return None
        if model.input.shape[1] != math.prod(model.picture):
            return None  # it takes what another linear layer gave: there was no flatten
        for order in itertools.permutations((0, 1, 2)):
            columns = torch.arange(model.input.shape[1])
            columns = columns.view(model.picture).permute(order).flatten()
            if same(layer.input, model.input[:, columns]):
                weight = torch.empty_like(layer.weight)
                weight[:, columns] = layer.weight
                return [*theirs[:i], replace(layer, weight=weight), *theirs[i + 1 :]]
        return None
    return None


# --- the judge ------------------------------------------------------------------------------


class _Trial:
    """One network of the student's on trial.

    Attributes:
        plan: what the oracle does, with shapes alone.
        run: what the student's network does in evaluation mode, with fresh weights.
    """

    def __init__(
        self, exercise: Network, model: nn.Module, images: Tensor, args: tuple, kwargs: dict
    ):  # fmt: skip
        self.exercise, self.model, self.images = exercise, model, images
        self.args, self.kwargs = args, kwargs
        self.name, self.hints, self.wrong = exercise.name, exercise.hints, exercise.wrong
        if args or kwargs:
            self.name = exercise.call(args, kwargs)
        if self.name not in exercise.plans:
            plan = record(_on_meta(self._given(exercise.oracle)), images.to("meta"))
            if plan.error:
                raise plan.error
            exercise.plans[self.name] = plan
        self.plan = exercise.plans[self.name]

    def _given(self, build: Callable) -> Callable[[], nn.Module]:
        return functools.partial(build, *self.args, **self.kwargs)

    def judge(self) -> str | None:
        self.model.eval()
        self._first_run()
        _refill(self.model)
        self.run = record(self.model, self.images)
        if self.run.error:
            raise self.run.error
        self._expect_output()
        if self.run.strangers:
            text = f"{self.name} computes with weights it does not know of."
            raise self.wrong("unregistered", text)
        word = self._same_outputs()
        self._same_count()
        self._each_image_alone()
        self._training_mode()
        self._gradients()
        return word

    def _ask(self, images: Tensor, hint: str = ""):
        return ask(self.model, images, called=f"{self.name}'s forward", hint=hint)

    def _difference(self, run: Recording, ideal: Recording):
        return (branch_difference if self.exercise.branches else first_difference)(run, ideal)

    # --- does it run? ---

    def _first_run(self) -> None:
        """The plain call, with the student's own weights; an error gets the hint that fits."""
        try:
            self._ask(self.images)
        except Wrong as wrong:
            run = record(self.model, self.images)
            if run.error is None:
                raise  # it failed for another reason: in place, or not the stub's own
            key = self._why_sizes(run)
            raise self.wrong(key, wrong.message) if key else wrong from None

    def _why_sizes(self, run: Recording) -> str:
        """The kind of error about sizes: what went wrong before the layer that raised it."""
        text = str(run.error)
        if self.exercise.branches and "must match" in text:
            difference = branch_difference(run, self.plan)
            if difference:
                return difference.key
            if "non-singleton dimension" in text:
                return "add"
            return _JOINS.get(text.split(". ")[0][-1], "join")
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
        difference = self._difference(run, self.plan)
        if difference or channels:
            return difference.key if difference else "channels"
        at = len(run.layers)
        if at < len(self.plan.layers):
            everything = self.plan.layers[at].weight[0].numel() * len(self.images)
            if f"1x{everything} " in text or f"({everything})" in text:
                return "flatten"
        return "size"

    def _expect_output(self) -> None:
        output, shape = self.run.output, tuple(self.plan.output.shape)
        what = f"The output of {self.name}"
        if isinstance(output, (tuple, list)):
            raise self.wrong("several", f"{what} is {describe(output)}; expected one tensor.")
        if isinstance(output, Tensor) and tuple(output.shape) != shape:
            self._expect_no_mistake()
            self._expect_no_difference(self.plan)
        expect_tensor(output, shape, torch.float32, what, self.hints["shape"])
        if not torch.isfinite(output).all():
            raise self.wrong("not finite", f"{what} holds NaN or infinity.")

    def _expect_no_difference(self, ideal: Recording) -> None:
        difference = self._difference(self.run, ideal)
        if difference:
            raise self.wrong(*difference)

    def _expect_no_mistake(self) -> None:
        """Does it compute what a known mistake does?"""
        for name, hint, builds in self.exercise.mistakes:
            if any(self._agrees_with(self._run_with_its_weights(build)) for build in builds):
                raise Wrong(name, hint)

    # --- does it compute the same? ---

    def _same_outputs(self) -> str | None:
        """Does it compute what the oracle does, or a variant? Else name the difference."""
        ideal = self._run_with_its_weights(self.exercise.oracle)
        if self._agrees_with(ideal):
            return None
        self._expect_logits()
        for word, build in self.exercise.variants:
            if self._agrees_with(self._run_with_its_weights(build)):
                return word
        self._expect_no_mistake()
        if ideal is None and self._is_likely_the_same():
            return None  # weights that cannot be mapped: shapes, number and behaviour decide
        self._expect_no_difference(ideal or self.plan)
        if ideal is None:
            self._expect_norms()
            return None
        self._each_image_alone()
        seen, expected = (show(run.output[0]) for run in (self.run, ideal))
        text = f"With the same weights, {self.name} gives {seen} for an image; expected {expected}."
        raise self.wrong("other", text)

    def _run_with_its_weights(self, build: Callable) -> Recording | None:
        """Another network's run with the student's weights; a flatten in any order is followed.

        None where they do not fit, or where that network fails with them.
        """
        loaded = self._loaded(build, self.run.layers)
        ideal = record(loaded, self.images) if loaded else None
        if ideal is None or ideal.error:
            return None
        if self.exercise.branches:
            return ideal
        layers = _reordered(self.run.layers, ideal.layers)
        return record(self._loaded(build, layers), self.images) if layers else ideal

    def _loaded(self, build: Callable, layers: list[Layer]) -> nn.Module | None:
        if self.exercise.branches:  # a layer that two branches share counts once
            layers = [*{layer.weight.data_ptr(): layer for layer in layers}.values()]
        return _load(self._given(build), layers, any_order=self.exercise.branches)

    def _agrees_with(self, other: Recording | None) -> bool:
        return other is not None and same(self.run.output, other.output)

    def _is_likely_the_same(self) -> bool:
        """Are its layers computed in pieces (by offset, by channel)?

        The right number of parameters, all of them used and none twice, and steps of every kind.
        """
        kinds, expected = ({s.name for gap in r.gaps for s in gap} for r in (self.run, self.plan))
        return (
            self._count() == self._expected_count()
            and not self._unused()
            and sum(layer.weight.numel() for layer in self.run.layers) <= self._count()
            and kinds == expected
            and not _norms(self.plan)
        )

    def _expect_norms(self) -> None:
        """Every convolution that has a BatchNorm in the plan hands its output to one."""
        found, expected = len(_norms(self.run)), len(_norms(self.plan))
        if found != expected:
            text = f"{found} of the {len(self.run.layers)} layers of {self.name} are followed "
            text += "at once by a BatchNorm (with weight, bias and running statistics)"
            raise self.wrong("norm places", f"{text}; expected {expected}.")

    def _expect_logits(self) -> None:
        """No softmax or log-softmax at the end, however it is written."""
        output, ones = self.run.output, torch.ones(())
        if output.dim() != 2:
            return
        for dim, what in ((1, "over the classes"), (0, "over the batch")):
            if bool((output >= 0).all()) and torch.allclose(output.sum(dim), ones, atol=1e-4):
                text = f"The outputs of {self.name} are probabilities (they sum to 1 {what})"
                raise self.wrong("softmax", f"{text}; expected logits.")
        if torch.allclose(output.exp().sum(1), ones, atol=1e-4):
            text = f"The outputs of {self.name} are log-probabilities; expected logits."
            raise self.wrong("softmax", text)

    # --- the number of parameters ---

    def _count(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def _expected_count(self) -> int:
        tensors = [t for layer in self.plan.layers for t in (layer.weight, layer.bias)]
        tensors += [t for norm in _norms(self.plan) for t in (norm.weight, norm.bias)]
        return sum(t.numel() for t in tensors if t is not None)

    def _unused(self) -> list[str]:
        return [name for name, _ in self.model.named_parameters() if name not in self.run.used]

    def _same_count(self) -> None:
        count, expected, unused = self._count(), self._expected_count(), self._unused()
        text = f"{self.name} has {count:,} parameters"
        if count != expected:
            more = f"{abs(count - expected):,} {'more' if count > expected else 'fewer'}"
            text += f"; expected {expected:,}: {more}"
        layers = zip(self.plan.labels(), self.run.layers, self.plan.layers, strict=False)
        biases = [
            (label, own.bias is not None, ideal.bias is not None) for label, own, ideal in layers
        ]
        bare = [label for label, own, ideal in biases if ideal and not own]
        needless = [label for label, own, ideal in biases if own and not ideal]
        if bare and count < expected:
            raise self.wrong("bias", f"{text}. No bias: {', '.join(bare)}.")
        if needless and count > expected:
            raise self.wrong("needless bias", f"{text}. With a bias: {', '.join(needless)}.")
        if unused:
            raise self.wrong("unused", f"{text}. Never used in forward: {', '.join(unused[:4])}.")
        if count != expected:
            raise self.wrong("shared" if count < expected else "other", f"{text}.")

    # --- how does it behave? ---

    def _each_image_alone(self) -> None:
        hint, expected = self.hints["single"], (1, *self.run.output.shape[1:])
        single = self._ask(self.images[:1], hint)
        expect_tensor(single, expected, None, f"{self.name}'s output for a single image", hint)
        if not same(single.detach(), self.run.output[:1]):
            text = f"{self.name} gives an image another result when it comes alone than in a batch."
            raise self.wrong("mixed", text)

    def _training_mode(self) -> None:
        """In training mode: the same, but for dropout where it belongs."""
        self.model.train()
        lively = record(self.model, self.images)
        if lively.error:
            text = f"{type(lively.error).__name__}: {lively.error}"
            raise self.wrong("modes", f"{self.name} in training mode raised {text}")
        if _norms(self.plan):
            self._same_in_training(lively)
            return
        if any(step.name == "batch norm" for gap in lively.gaps for step in gap):
            raise self.wrong("batch norm", f"{self.name} has a batch norm.")
        wanted, found = self.exercise.dropout, _dropouts(self.run, lively)
        if found:
            self._right_dropout(found, wanted)
        elif wanted.p:
            where = self._layers(min(wanted.places, key=len))
            text = f"nothing; expected dropout {wanted.p:g} after {where}."
            raise self.wrong("no dropout", f"In training mode {self.name} drops {text}")
        elif not same(lively.output, self.run.output):
            raise self.wrong("modes", f"{self.name} computes something else in training mode.")

    def _same_in_training(self, lively: Recording) -> None:
        """With BatchNorms: the oracle's outputs, and its running statistics afterwards."""
        loaded = self._loaded(self.exercise.oracle, self.run.layers)
        ideal = record(loaded.train(), self.images)
        if not same(lively.output, ideal.output):
            drops = any(step.name == "dropout" for gap in lively.gaps for step in gap)
            seen, expected = (show(run.output[0]) for run in (lively, ideal))
            text = f"In training mode {self.name} gives {seen} for an image; expected {expected}."
            raise self.wrong("dropout" if drops else "modes", text)
        found, expected = (_norms(run, by_size=True) for run in (lively, ideal))
        if len(found) != len(expected):
            text = f"{len(found)} BatchNorms of {self.name} update running statistics"
            raise self.wrong("running", f"In training mode {text}; expected {len(expected)}.")
        for own, right in zip(found, expected, strict=True):
            for name in ("mean", "var"):
                seen, wanted = getattr(own, name), getattr(right, name)
                if not same(seen, wanted):
                    text = f"After a batch in training mode a running {name} of {self.name} is "
                    raise self.wrong("running", f"{text}{show(seen)}; expected {show(wanted)}.")

    def _layers(self, numbers) -> str:
        labels = max(self.plan.labels(), self.run.labels(), key=len)
        return " and ".join(labels[i - 1] for i in sorted(numbers))

    def _right_dropout(self, found: dict[int, "_Dropped"], wanted: Dropout) -> None:
        allowed = frozenset().union(*wanted.places)
        for i, (p, scale, even, sure) in found.items():
            where = f"after {self._layers([i])}" if i else "on the images"
            text = f"{self.name}'s dropout {where}"
            if not p:
                text = f"{self.name} computes something else {where}, and sets nothing to zero"
                raise self.wrong("modes", f"In training mode {text}.")
            if i not in allowed:
                key = "dropout last" if i == len(self.plan.layers) else "dropout elsewhere"
                text = f"In training mode {self.name} drops entries {where}; expected no dropout"
                raise self.wrong(*(key, f"{text} there.") if allowed else ("dropout", f"{text}."))
            if not even:
                raise self.wrong(
                    "dropout mask",
                    f"{text} drops whole rows, or the same places for every image; expected each "
                    "entry by itself.",
                )
            rate = 1 - 1 / scale  # of an inverted dropout that multiplies so what it keeps
            rate = rate if abs(p - rate) < sure else p
            if abs(rate - wanted.p) > (sure if rate == p else 0.005):
                text = f"{text} sets {rate:.0%} to zero; expected {wanted.p:.0%}."
                raise self.wrong("dropout rate", text)
            if not abs(scale * (1 - wanted.p) - 1) < 0.01:
                text = f"{text} does not multiply what it keeps by 1/(1 - p)."
                raise self.wrong("dropout scale", text)
        if found.keys() not in wanted.places:
            missing = self._layers(wanted.places[0] - found.keys())
            text = f"In training mode {self.name} drops nothing after {missing}."
            raise self.wrong("missing dropout", text)

    def _gradients(self) -> None:
        """In training mode every weight is reached from the output, by the graph alone."""
        reached, todo, seen = set(), [self._ask(self.images).grad_fn], set()
        while todo:
            node = todo.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if hasattr(node, "variable"):
                reached.add(id(node.variable))
            todo += [parent for parent, _ in node.next_functions]
        cut = [name for name, p in self.model.named_parameters() if id(p) not in reached]
        if cut:
            text = f"No gradient of {self.name}'s output reaches {', '.join(cut[:4])}."
            raise self.wrong("gradient", text)


def _norms(run: Recording, by_size: bool = False) -> list[Norm]:
    layers = _by_size(run.layers) if by_size else run.layers
    return [layer.norm for layer in layers if layer.norm]


# --- dropout --------------------------------------------------------------------------------


class _Dropped(NamedTuple):
    p: float  # share of zeros
    scale: float  # by which the others grew; NaN where they did not all grow alike
    even: bool  # about the same share in every row, and not the same places
    sure: float  # how far the share may lie from the probability: five standard deviations


def _dropouts(calm: Recording, lively: Recording) -> dict[int, _Dropped]:
    """Measure dropout after each layer, as {number of the layer it follows: what was found}.

    What comes to the next layer in training mode is compared with what would come without dropout:
    as long as nothing was random before it, that is what came in evaluation mode; later, the ReLU
    of what the layer before gave. (A mask may be drawn in ways that the recorder does not know.)
    """
    found, last = {}, len(calm.layers)
    if len(lively.layers) != last:
        return found
    flows = ([*(layer.input for layer in run.layers), run.output] for run in (calm, lively))
    for i, (base, got) in enumerate(zip(*flows, strict=True)):
        if found:
            base = lively.layers[i - 1].output
            base = base if i == last else F.relu(base)
        got, base = got.flatten(1), base.flatten(1)
        if base.shape == got.shape and not same(got, base):
            found[i] = _measure(got, base)
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
    sure = 5 * (p * (1 - p) / max(1, int(active.sum()))) ** 0.5
    return _Dropped(p, scale, not same_places and max(rows) - min(rows) < 0.3, sure)

"""Two recordings of networks side by side: the first thing that differs."""

from collections import Counter
from typing import NamedTuple

from torch import Tensor

from labutils.checks.judges.recorder import Layer, Recording, Step


class Difference(NamedTuple):
    """``key`` names the kind, as in the exercise's hints; ``message`` has both sides."""

    key: str
    message: str


def same(a: Tensor, b: Tensor) -> bool:
    """Equal up to rounding, measured on the largest entry."""
    if a.shape != b.shape:
        return False
    return bool((a - b).abs().max() <= 1e-4 * b.abs().max() + 1e-6)


def first_difference(run: Recording, ideal: Recording) -> Difference | None:
    """What ``run`` does otherwise than ``ideal``, as far as it came."""
    many = len(run.layers) > len(ideal.layers)
    if many or (len(run.layers) < len(ideal.layers) and not run.error):
        text = f"It goes through {_all_layers(run)}; expected {_all_layers(ideal)}."
        return Difference("too many" if many else "too few", text)
    labels = ideal.labels()
    for i, steps in enumerate(run.gaps):
        stopped = run.error is not None and i == len(run.layers)
        if not _same_input(run, ideal, i):
            difference = _compare_steps(steps, ideal.gaps[i], _place(i, labels), stopped)
            if difference:
                return difference
        if i < len(run.layers):
            difference = _compare_layers(run.layers[i], ideal.layers[i], labels[i])
            if difference:
                return difference
    return None


def branch_difference(run: Recording, ideal: Recording) -> Difference | None:
    """As :func:`first_difference`, where branches may run in any order.

    Layers are compared with those of the same weights' shape, the steps between them all together.
    """
    steps, ideal_steps = (sum(r.gaps, []) for r in (run, ideal))
    stopped = run.error is not None
    extra = {step.name for step in steps} - {step.name for step in ideal_steps}
    if extra:
        return _compare_steps([s for s in steps if s.name in extra], [], "In it", stopped)
    missing, strange = list(ideal.layers), []
    for layer in run.layers:
        place = next((i for i, one in enumerate(missing) if _alike(one, layer)), None)
        if place is None:
            strange.append(layer)
            continue
        difference = _compare_layers(layer, missing.pop(place), _in_words(layer))
        if difference:
            return difference
    pools, ideal_pools = (sorted({s for s in r if "pool" in s.name}) for r in (steps, ideal_steps))
    if pools and pools != ideal_pools:
        text = f"It pools by {_list(pools)}; expected {_list(ideal_pools)}."
        return Difference("pool size", text)
    if stopped:
        return None
    if len(run.layers) == len(ideal.layers) and strange:
        twin = min(missing, key=lambda one: _sides(one) != _sides(strange[0]))
        return _compare_layers(strange[0], twin, _in_words(strange[0]))
    if len(run.layers) != len(ideal.layers):
        many = len(run.layers) > len(ideal.layers)
        text = f"It goes through {_all_layers(run)}; expected {_all_layers(ideal)}."
        return Difference("too many" if many else "too few", text)
    if ideal_pools and not pools:
        return Difference("no pool", f"There is no pool; expected {_list(ideal_pools)}.")
    return None


def _alike(one: Layer, other: Layer) -> bool:
    """Do the weights have one shape? (A 1×1 convolution may be written as a linear layer.)"""
    return (_sides(one), *one.weight.shape[:2]) == (_sides(other), *other.weight.shape[:2])


def _sides(layer: Layer) -> tuple[int, ...]:
    return tuple(layer.weight.shape[2:]) or (1, 1)


def _in_words(layer: Layer) -> str:
    sides = "×".join(map(str, _sides(layer)))
    return f"the {sides} convolution {layer.weight.shape[1]}→{layer.weight.shape[0]}"


def _all_layers(run: Recording) -> str:
    """Numbers and widths: "2 convolutions (8, 16) and 1 linear layer (10)"."""
    words = []
    for kind in dict.fromkeys(layer.kind for layer in run.layers):
        widths = [str(layer.weight.shape[0]) for layer in run.layers if layer.kind == kind]
        plural = "" if len(widths) == 1 else "s"
        words.append(f"{len(widths)} {kind}{plural} ({', '.join(widths)})")
    return " and ".join(words) or "no layer with weights"


def _same_input(run: Recording, ideal: Recording, i: int) -> bool:
    """Does the same come to layer ``i`` in both? Then all is well so far."""
    if i >= len(run.layers):
        return False
    seen, expected = run.layers[i].input, ideal.layers[i].input
    if expected.is_meta or seen.numel() != expected.numel():
        return False
    return same(seen.flatten(1), expected.flatten(1))


def _place(i: int, labels: list[str]) -> str:
    if i == 0:
        return f"Before {labels[0]}"
    if i == len(labels):
        return f"After {labels[-1]}"
    return f"Between {labels[i - 1]} and {labels[i]}"


# --- steps without weights ------------------------------------------------------------------

# A step too many: the kind of difference it is. The first one that is there counts, "" stands for
# any other.
_EXTRA = {
    "dropout": "dropout in eval",
    "batch norm": "batch norm",
    "layer norm": "batch norm",
    "group norm": "batch norm",
    "softmax": "softmax",
    "log-softmax": "softmax",
    "average pool": "average pool",
    "": "other activation",
    "max pool": "extra pool",
    "response norm": "response norm",
    "ReLU": "extra ReLU",
}


def _compare_steps(
    steps: list[Step], ideal: list[Step], place: str, stopped: bool
) -> Difference | None:
    """A step too few or too many in one gap, or a pool of another size."""
    seen, expected = (Counter(step.name for step in s) for s in (steps, ideal))
    missing, extra = expected - seen, seen - expected
    pools, expected_pools = ([s for s in r if s.name == "max pool"] for r in (steps, ideal))
    if extra:
        known = [name if name in _EXTRA else "" for name in extra]
        key = next(key for name, key in _EXTRA.items() if name in known)
    elif missing:
        # Where an error about sizes followed, the pool is the likelier reason.
        likely = ["max pool", "ReLU"] if stopped else ["ReLU", "max pool"]
        first = next(name for name in [*likely, *missing] if name in missing)
        key = f"no {first.removeprefix('max ')}"
    elif pools != expected_pools and not stopped:
        key = "pool size"
    else:
        return None
    return Difference(key, f"{place} there is {_list(steps)}; expected {_list(ideal)}.")


def _list(steps: list[Step]) -> str:
    return ", ".join(map(str, steps)) or "nothing"


# --- layers with weights --------------------------------------------------------------------


def _compare_layers(layer: Layer, ideal: Layer, label: str) -> Difference | None:
    """Another size, stride or padding of one layer."""
    what = f"{label.capitalize()} has"
    if layer.kind == ideal.kind == "convolution":
        return _compare_convolutions(layer, ideal, what)
    seen, expected = (f"{w.shape[1]}→{w.shape[0]}" for w in (layer.weight, ideal.weight))
    if layer.kind == ideal.kind == "linear layer":
        if seen != expected:
            return Difference("features", f"{what} sizes {seen}; expected {expected}.")
    elif layer.weight.numel() != ideal.weight.numel():
        seen, expected = (tuple(w.shape) for w in (layer.weight, ideal.weight))
        return Difference("features", f"{what} weights of shape {seen}; expected {expected}.")
    return None


def _compare_convolutions(layer: Layer, ideal: Layer, what: str) -> Difference | None:
    for key, describe in (
        ("kernel", lambda c: f"{'×'.join(map(str, c.weight.shape[2:]))} filters"),
        ("groups", lambda c: f"groups={c.settings['groups']}"),
        ("channels", lambda c: f"channels {c.weight.shape[1]}→{c.weight.shape[0]}"),
    ):
        seen, expected = describe(layer), describe(ideal)
        if seen != expected:
            return Difference(key, f"{what} {seen}; expected {expected}.")
    for key in ("dilation", "stride", "padding"):
        seen, expected = (tuple(c.settings[key]) for c in (layer, ideal))
        # Padding may be done by a step of its own, before.
        if seen != expected and (key == "dilation" or layer.output.shape != ideal.output.shape):
            return Difference(key, f"{what} {key} {seen[0]}; expected {expected[0]}.")
    return None

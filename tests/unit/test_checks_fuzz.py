"""Whatever an answer is or does, every check gives a clear result and raises nothing."""

import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from labutils.checks import EXERCISES, Result

every_exercise = pytest.mark.parametrize("name", EXERCISES)
quick = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Hostile:
    """Raises at every touch."""

    def _no(self, *args, **kwargs):
        raise ValueError("do not touch")

    __repr__ = __str__ = __bool__ = __eq__ = __len__ = __iter__ = __getitem__ = __float__ = _no
    __hash__ = None


class Answering(nn.Module):
    """A network, a dataset, a function: gives ``value`` to whoever asks for anything."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, *args, **kwargs):
        return self.value

    def __len__(self):
        return 7

    def __getitem__(self, index):
        return self.value


class Shouting(Exception):
    def __str__(self):
        raise RuntimeError("not even a text")


class Beyond(BaseException):
    pass


shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
dtypes = st.sampled_from(
    [torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool]
    + [torch.complex64, torch.bfloat16]
)
fills = st.sampled_from([0, 1, 0.5, -1, float("nan"), float("inf"), 1e30])


@st.composite
def tensors(draw):
    value, dtype = draw(fills), draw(dtypes)
    if not (dtype.is_floating_point or dtype.is_complex):
        value = int(value == 1)
    if dtype == torch.float16 and value == 1e30:
        value = 1.0
    tensor = torch.full(draw(shapes), value, dtype=dtype)
    kind = draw(st.sampled_from(["plain", "plain", "meta", "sparse", "expanded", "grad"]))
    if kind == "meta":
        return tensor.to("meta")
    if kind == "sparse" and tensor.dim():
        return tensor.to_sparse()
    if kind == "expanded":
        return tensor.expand(2, *tensor.shape)
    if kind == "grad" and (dtype.is_floating_point or dtype.is_complex):
        return tensor.requires_grad_() * 1
    return tensor


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.sampled_from([10**400, -(10**400), np.float32(3), np.int8(-1), np.datetime64("2020-01-01")]),
)
things = st.one_of(
    st.builds(Hostile),
    st.just(nn.Linear(2, 2)),
    st.just(torch.nn.functional.relu),
    st.just(dict),
    st.just(...),
    st.builds(lambda: (i for i in range(3))),
    st.builds(object),
    shapes.map(np.ones),
    st.just(np.array(["a", None], dtype=object)),
    st.just(torch.utils.data.TensorDataset(torch.ones(7, 1, 28, 28), torch.ones(7))),
)
values = st.recursive(
    st.one_of(scalars, tensors(), things),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)
errors = st.sampled_from(
    [ValueError("x"), RuntimeError(""), SystemExit(1), Shouting(), Beyond("b"), StopIteration()]
    + [RecursionError(), MemoryError(), GeneratorExit(), AssertionError(), OSError(2, "no file")]
    + [TypeError("ü" * 5000), KeyError(None), Warning("w"), ExceptionGroup("g", [ValueError()])]
)


def examine(name: str, answer) -> Result:
    result = EXERCISES[name].run(answer)
    assert type(result) is Result
    assert isinstance(result.message, str) and result.message.strip()
    assert len(result.message) < 5000
    assert bool(result.hint) == (result.done and not result.passed), result
    return result


WAYS = {
    "given back": lambda value: lambda *args, **kwargs: value,
    "given back by a module": lambda value: lambda *args, **kwargs: Answering(value),
    "in place of a function": lambda value: value,
}


@every_exercise
@pytest.mark.parametrize("way", WAYS)
@quick
@given(value=values)
def test_any_value(name, way, value):
    assert not examine(name, WAYS[way](value)).passed


@every_exercise
@quick
@given(error=errors)
def test_any_exception(name, error):
    def answer(*args, **kwargs):
        raise error

    result = examine(name, answer)
    assert result.done and not result.passed


@every_exercise
@quick
@given(error=errors)
def test_any_exception_of_a_module(name, error):
    class Raising(Answering):
        def forward(self, *args, **kwargs):
            raise error

        __len__ = __getitem__ = forward

    assert not examine(name, lambda *args, **kwargs: Raising(None)).passed


changes = st.sampled_from(
    [
        lambda x: x.double(),
        lambda x: x.to(torch.float16),
        lambda x: x.unsqueeze(0),
        lambda x: x.flatten()[:-1],
        lambda x: x * float("nan"),
        lambda x: x.long(),
        lambda x: x.to("meta"),
        lambda x: x.tolist(),
        lambda x: x.detach().numpy(),
        lambda x: -x - 1,
    ]
)


def corrupt(value, draw):
    """The right result, a little off."""
    if isinstance(value, torch.Tensor):
        return draw(changes)(value)
    if isinstance(value, (tuple, list)):
        parts = [corrupt(v, draw) for v in value]
        return draw(st.sampled_from([tuple(parts), parts, parts[:-1], [*parts, None]]))
    if isinstance(value, (int, float)):
        return draw(st.sampled_from([value + 1, str(value), [value], float("nan"), None, -value]))
    return value


FUNCTIONS = sorted(
    name
    for name, exercise in EXERCISES.items()
    if name[0].islower() and name not in ("make_features", "make_resnet", "ensemble_predict")
)


@pytest.mark.parametrize("name", FUNCTIONS)
@quick
@given(data=st.data())
def test_the_right_result_a_little_off(name, data):
    reference = EXERCISES[name].oracle
    examine(name, lambda *args, **kwargs: corrupt(reference(*args, **kwargs), data.draw))


@pytest.mark.parametrize("name", EXERCISES)
def test_a_rowdy_answer_leaves_no_traces(name, capsys):
    def rowdy(*args, **kwargs):
        print("x" * 10**6)
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        for value in args:
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                value.zero_()
            if isinstance(value, list):
                value.clear()
        return args[0] if args else None

    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]
    assert not examine(name, rowdy).passed
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert capsys.readouterr() == ("", "")

"""Device, seeds and budget: the environment's wish is granted, or refused in clear words."""

import random

import numpy as np
import pytest
import torch

from labutils import device as device_module
from labutils import speed
from labutils.device import (
    describe_environment,
    is_quiet,
    pick_budget,
    pick_device,
    seed_everything,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch):
    monkeypatch.delenv("LABUTILS_DEVICE", raising=False)
    monkeypatch.delenv("LABUTILS_BUDGET", raising=False)
    monkeypatch.setattr(device_module, "_compute_on", lambda name: None)


@pytest.mark.parametrize(
    "cuda, mps, expected", [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_fastest_device_is_taken(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device().type == expected


def test_the_variable_overrides_and_the_argument_overrides_both(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LABUTILS_DEVICE", "cpu")
    assert pick_device() == CPU
    monkeypatch.setenv("LABUTILS_DEVICE", "nonsense")
    assert pick_device("cpu") == CPU


@pytest.mark.parametrize("name", ["gpu", "nonsense", "cpu:x"])
def test_an_unknown_device_is_named(monkeypatch, name):
    monkeypatch.setenv("LABUTILS_DEVICE", name)
    with pytest.raises(ValueError, match=f"LABUTILS_DEVICE asks for the device '{name}'.*cpu"):
        pick_device()


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="'cuda', which is not there. This machine has: .*cpu"):
        pick_device("cuda")


def failing(error):
    def probe(*_):
        raise error

    return probe


FAILURES = [
    RuntimeError("no kernel image is available\nCompile with ..."),
    TypeError("MPS BFloat16 is only supported on MacOS 14 or newer"),
    AssertionError(),
    OSError("libcuda.so.1"),
]


@pytest.mark.parametrize("error", FAILURES, ids=repr)
@pytest.mark.parametrize("probe", ["is_available", "_compute_on"])
def test_a_device_that_fails_in_any_way_is_left_out(monkeypatch, capsys, error, probe):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    place = torch.cuda if probe == "is_available" else device_module
    monkeypatch.setattr(place, probe, failing(error))
    assert pick_device() == CPU
    said = capsys.readouterr().out
    assert "cuda is there, does not work (" in said and said.count("\n") == 1
    with pytest.raises(ValueError, match="'cuda', which is not there. This machine has: cpu"):
        pick_device("cuda")


def test_who_asks_for_the_cpu_does_not_wait_for_a_broken_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", failing(SystemExit("looked at")))
    assert pick_device("cpu") == CPU


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_the_environment_line_bears_a_device_that_breaks(monkeypatch, error):
    monkeypatch.setattr(torch.cuda, "get_device_name", failing(error))
    monkeypatch.setattr(speed, "describe", failing(error))
    line = describe_environment(CUDA)
    assert line.count("not known: ") == 2 and "\n" not in line
    monkeypatch.setattr(speed, "describe", failing(ValueError("LABUTILS_DTYPE")))
    with pytest.raises(ValueError, match="LABUTILS_DTYPE"):
        describe_environment(CUDA)


def test_a_cuda_number_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ValueError, match="there are 1 CUDA devices"):
        pick_device("cuda:3")


def test_a_seed_repeats_all_three_generators():
    def draw():
        return random.random(), np.random.rand(), torch.rand(2).tolist()

    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first
    seed_everything(4)
    assert draw() != first


def test_the_environment_line_names_versions_and_device():
    line = describe_environment(CPU)
    assert torch.__version__ in line and "device cpu" in line and "\n" not in line
    assert line.endswith(speed.describe(CPU))


def test_budget_by_device_and_data():
    assert pick_budget(CPU) == "cpu"
    assert pick_budget(CUDA) == "gpu"
    assert pick_budget(CUDA, is_sample=True) == "cpu"


def test_budget_by_wish(monkeypatch):
    monkeypatch.setenv("LABUTILS_BUDGET", "Smoke")
    assert pick_budget(CUDA) == "smoke"
    monkeypatch.setenv("LABUTILS_BUDGET", "fast")
    with pytest.raises(ValueError, match="'fast'; expected one of smoke, cpu, gpu"):
        pick_budget(CPU)


@pytest.mark.parametrize(
    "ci, budget, quiet", [("", "cpu", False), ("", " Smoke ", True), ("true", "gpu", True)]
)
def test_nobody_watches_in_ci_and_in_the_smoke_budget(monkeypatch, ci, budget, quiet):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("LABUTILS_BUDGET", budget)
    assert is_quiet() == quiet

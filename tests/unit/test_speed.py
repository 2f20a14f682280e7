"""How a device computes fastest: what it answers itself, and what the environment asks for."""

import math
import os
import platform
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from labutils import speed
from labutils.training import recipes
from tests.toy_data import noise

VARIABLES = ("LABUTILS_DTYPE", "LABUTILS_MEMORY_FORMAT", "LABUTILS_THREADS")


@pytest.fixture(autouse=True)
def no_wishes_and_two_threads(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def broken(*_):
    raise TypeError("the driver does not answer")


ASK_CPU, ASK_GPU = (torch.cpu, "get_capabilities"), (torch.cuda, "get_device_capability")


@pytest.mark.parametrize(
    ("device", "asked", "answer", "expected"),
    [
        ("cpu", ASK_CPU, lambda: {"avx512_bf16": True, "architecture": "x86_64"}, torch.bfloat16),
        ("cpu", ASK_CPU, lambda: {"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ("cpu", ASK_CPU, lambda: {"bf16": True, "architecture": "arm64"}, torch.bfloat16),
        ("cpu", ASK_CPU, lambda: {"avx2": True, "architecture": "x86_64"}, None),
        ("cpu", ASK_CPU, broken, None),
        ("cuda:1", ASK_GPU, lambda device: (9, 0), torch.bfloat16),
        ("cuda", ASK_GPU, lambda device: (7, 5), torch.float16),  # a T4, which Colab lends
        ("cuda", ASK_GPU, lambda device: (6, 1), None),
        ("cuda", ASK_GPU, broken, None),
        ("mps", ASK_GPU, broken, None),
    ],
)
def test_16_bits_where_the_device_is_built_for_it(monkeypatch, device, asked, answer, expected):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(*asked, answer, raising=False)
    assert speed.fast_dtype(device) is expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert speed.fast_dtype(device) is (None if device == "cpu" else expected)


def test_no_float16_on_a_card_that_gives_nan_in_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA GeForce GTX 1660 Ti")
    assert speed.fast_dtype("cuda") is None


def test_fast_dtype_is_the_faster_one_here():
    """What the device says of itself, against the clock: matrix products in turn."""
    seconds = {torch.float32: math.inf, torch.bfloat16: math.inf}
    for _ in range(7):
        for dtype, best in seconds.items():
            matrix = torch.ones(512, 512, dtype=dtype)
            start = time.perf_counter()
            matrix @ matrix
            seconds[dtype] = min(best, time.perf_counter() - start)
    chosen = speed.fast_dtype("cpu") or torch.float32
    assert seconds[chosen] <= 1.25 * min(seconds.values())


@pytest.mark.parametrize(
    ("device", "has_library", "expected"),
    [
        ("cpu", True, torch.channels_last),
        ("cpu", False, torch.contiguous_format),
        ("mps", True, torch.contiguous_format),
    ],
)
def test_channels_last_where_the_library_is_made_for_it(monkeypatch, device, has_library, expected):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: has_library)
    assert speed.fast_memory_format(device) is expected


def test_the_environment_decides(monkeypatch):
    monkeypatch.setenv("LABUTILS_DTYPE", "Float32")
    monkeypatch.setenv("LABUTILS_MEMORY_FORMAT", "contiguous")
    assert speed.describe("cpu") == "float32, channels first"
    monkeypatch.setenv("LABUTILS_DTYPE", "bfloat16")
    monkeypatch.setenv("LABUTILS_MEMORY_FORMAT", "channels_last")
    assert speed.describe("cpu") == "bfloat16, channels last"
    monkeypatch.setenv("LABUTILS_DTYPE", "float16")
    assert speed.fast_dtype("cpu") is torch.float16


def threads(model, batch_size):
    with speed.threads_for(model, batch_size):
        inside = torch.get_num_threads()
    assert torch.get_num_threads() == 2
    return inside


def test_one_thread_for_small_batches_of_small_networks():
    small, large = nn.Linear(3, 4), nn.Linear(1000, 1000)
    assert threads(small, 8) == threads(small, speed.SMALL_BATCH) == 1
    assert threads(small, speed.SMALL_BATCH + 1) == threads(small, None) == 2
    assert threads(large, 8) == 2


def test_threads_by_wish(monkeypatch):
    monkeypatch.setenv("LABUTILS_THREADS", "3")
    assert threads(nn.Linear(3, 4), 8) == 3


@pytest.mark.parametrize(
    ("variable", "value", "ask"),
    [
        ("LABUTILS_DTYPE", "float8", lambda: speed.fast_dtype("cpu")),
        ("LABUTILS_MEMORY_FORMAT", "nhwc", lambda: speed.fast_memory_format("cpu")),
        ("LABUTILS_THREADS", "0", lambda: threads(nn.Linear(3, 4), 8)),
        ("LABUTILS_THREADS", "two", lambda: threads(nn.Linear(3, 4), 8)),
    ],
)
def test_a_wish_that_cannot_be_is_named(monkeypatch, variable, value, ask):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"{variable} is '{value}'; expected .*unset it"):
        ask()


def test_a_recipe_uses_what_is_chosen(monkeypatch):
    images = noise(64)
    for wish in ("contiguous", "channels_last"):
        monkeypatch.setenv("LABUTILS_MEMORY_FORMAT", wish)
        train, _ = recipes.CNN_LOGITS["cpu"].make_batches(images, images)
        assert train.channels_last == (wish == "channels_last")
    monkeypatch.setenv("LABUTILS_DTYPE", "bfloat16")
    assert recipes.VGG11["cpu"].fit_settings("cpu")["dtype"] is torch.bfloat16
    assert recipes.CNN_LOGITS["cpu"].fit_settings("cpu")["dtype"] is None


TESTS_OF_A_NETWORK = """
import resource, torch
from torch import nn
from labutils import data, training

model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8192, 10))
_, images = data.load("cifar10", source="sample")
batches = data.Batches(images, 250)
training.evaluate(model, batches)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    training.evaluate(model, batches)
print("new pages", (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 8)
"""


def new_pages(**environment):
    """Pages of memory that a test of a network had to be given: the mean of eight, after a first.

    Of eight, as a thread's memory may grow once or twice, by a thousand pages at a time.
    """
    command = [sys.executable, "-c", TESTS_OF_A_NETWORK]
    out = subprocess.check_output(command, env=os.environ | environment, text=True)
    return int(out.rpartition("new pages ")[2])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_freed_memory_is_kept_for_the_next_batch():
    assert new_pages() < 1000
    given_back_at_once = {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}
    assert new_pages(**given_back_at_once) > 10_000, "the environment's own setting counts"


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(speed.ctypes, "CDLL", lambda name: object())
    assert speed.keep_freed_memory.__wrapped__() is False

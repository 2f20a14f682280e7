"""How a device computes fastest: number type, memory format, threads, and memory that is kept.

Each choice can be made for it by an environment variable:

- ``LABUTILS_DTYPE``: ``float32``, ``bfloat16`` or ``float16``;
- ``LABUTILS_MEMORY_FORMAT``: ``contiguous`` or ``channels_last``;
- ``LABUTILS_THREADS``: CPU threads of a training step, whatever its size;
- ``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_THRESHOLD_``: glibc's own, when freed memory is given
  back.
"""

import contextlib
import ctypes
import functools
import os

import torch
from torch import nn

# Up to so many images, through a network of fewer parameters, a training step runs on one thread.
SMALL_BATCH = 16
SMALL_NETWORK = 1_000_000

# By which a CPU multiplies matrices of bfloat16: of Intel and AMD, of Intel's newer ones, of ARM.
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")

# Settings of glibc's mallopt(3) by their numbers in its malloc.h, and the bytes we set them to:
# no block is given back below a gigabyte, and small ones join their free neighbours at once (glibc
# would go through all small ones whenever a large one is freed).
MALLOPT = {"M_TRIM_THRESHOLD": (-1, 2**30), "M_MMAP_THRESHOLD": (-3, 2**30), "M_MXFAST": (1, 0)}


def fast_dtype(device: torch.device | str) -> torch.dtype | None:
    """Return the 16-bit type that this device is built to compute in, ``None`` without one.

    ``torch.bfloat16`` where it is fast, else ``torch.float16``, for which ``training.fit`` scales
    the loss. The device says so itself, and says the same each time: a CPU by its instructions for
    bfloat16 (asked for by PyTorch 2.11 and newer), an NVIDIA GPU by its generation: Ampere and
    newer have bfloat16, Volta and Turing (a V100, a T4) float16 only. No other device is asked, and
    one that fails to answer computes in float32.

    Raises:
        ValueError: ``LABUTILS_DTYPE`` is none of ``float32``, ``bfloat16`` and ``float16``.
    """
    wish = _wish("LABUTILS_DTYPE", ("float32", "bfloat16", "float16"))
    if wish:
        return None if wish == "float32" else getattr(torch, wish)
    return _dtype_built_for(torch.device(device))


def _dtype_built_for(device: torch.device) -> torch.dtype | None:
    with contextlib.suppress(Exception):  # an older PyTorch, a broken driver: every setup cell asks
        if device.type == "cuda":
            generation = torch.cuda.get_device_capability(device)
            if generation >= (8, 0):
                return torch.bfloat16
            # Turing's GTX cards lack the units, and give NaN in float16 (PyTorch's issue 77955).
            if generation >= (7, 0) and "GTX" not in torch.cuda.get_device_name(device):
                return torch.float16
        elif device.type == "cpu" and torch.backends.mkldnn.is_available():
            instructions = torch.cpu.get_capabilities()
            if any(instructions.get(name) for name in BFLOAT16_INSTRUCTIONS):
                return torch.bfloat16
    return None


def fast_memory_format(device: torch.device | str) -> torch.memory_format:
    """Return the memory format in which convolutional networks run faster on this device.

    ``torch.channels_last``, the channels of a pixel side by side, where the libraries that PyTorch
    computes with are made for it: oneDNN on a CPU, cuDNN on a GPU. Elsewhere
    ``torch.contiguous_format``, the pixels of a channel side by side.

    Raises:
        ValueError: ``LABUTILS_MEMORY_FORMAT`` is neither ``contiguous`` nor ``channels_last``.
    """
    wish = _wish("LABUTILS_MEMORY_FORMAT", ("contiguous", "channels_last"))
    backends = {"cpu": torch.backends.mkldnn, "cuda": torch.backends.cudnn}
    backend = backends.get(torch.device(device).type)
    channels_last = backend is not None and backend.is_available()
    if wish:
        channels_last = wish == "channels_last"
    return torch.channels_last if channels_last else torch.contiguous_format


@contextlib.contextmanager
def threads_for(model: nn.Module, batch_size: int | None):
    """Within this block small training steps run on one CPU thread, large ones on all.

    In a small step the threads wait for each other about as long as they work, and many times as
    long where another program keeps one of the cores busy.

    Raises:
        ValueError: ``LABUTILS_THREADS`` is no whole number of at least 1.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(_number_of_threads(model, batch_size) or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _number_of_threads(model, batch_size) -> int | None:
    wish = os.environ.get("LABUTILS_THREADS", "").strip()
    if wish and not (wish.isdecimal() and int(wish) > 0):
        raise ValueError(
            f"LABUTILS_THREADS is {wish!r}; expected a whole number of at least 1. "
            "Set one, or unset it to let the size of a training step decide."
        )
    if wish:
        return int(wish)
    is_small = batch_size is not None and batch_size <= SMALL_BATCH
    if is_small and sum(parameter.numel() for parameter in model.parameters()) < SMALL_NETWORK:
        return 1
    return None


@functools.cache
def keep_freed_memory() -> bool:
    """Let this program keep the memory that it frees; return whether it does.

    glibc, the C library of most Linux systems, gives large blocks back to the system. A batch's
    activations are such blocks: the next batch asks for them again, and the system clears every
    page of them first. Kept, they are used again as they are; the price is some tens of megabytes
    in gaps between them.

    Where there is another C library, or the environment sets glibc's thresholds, nothing is done.
    """
    if os.environ.keys() & {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"}:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, Windows
        return False
    return all([mallopt(setting, size) for setting, size in MALLOPT.values()])


def describe(device: torch.device | str) -> str:
    """Return what large networks compute in on this device: ``bfloat16, channels last``."""
    dtype = fast_dtype(device) or torch.float32
    channels_last = fast_memory_format(device) is torch.channels_last
    return f"{str(dtype).removeprefix('torch.')}, channels {'last' if channels_last else 'first'}"


def _wish(variable: str, choices: tuple[str, ...]) -> str:
    """Return what the environment asks for, or with an empty text."""
    wish = os.environ.get(variable, "").strip().lower()
    if wish and wish not in choices:
        raise ValueError(
            f"{variable} is {wish!r}; expected {' or '.join(choices)}. "
            "Set one of these, or unset it to let the device decide."
        )
    return wish

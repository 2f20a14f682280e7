"""A memory limit for code that may ask for far too much."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import torch

# Room for copies of the largest network of the series several times over; and address space (not
# memory) that the C library sets aside for every thread that torch may start.
_ROOM = 4 * 2**30
_ROOM_PER_CORE = 2**28


@contextlib.contextmanager
def memory_limit() -> Iterator[None]:
    """Let the body allocate some gigabytes more than the process holds, and no more.

    Beyond that an allocation fails with MemoryError or torch's RuntimeError, where the system
    would kill the whole process instead. A GPU's own memory needs none: full, it raises an error.
    Linux only; elsewhere this does nothing.
    """
    try:
        import resource

        sizes = Path("/proc/self/statm").read_text().split()
    except (ImportError, OSError):  # Windows, macOS
        yield
        return
    # Of the address space; beside CUDA, which sets aside as much of it as all its memory, only of
    # what can be written to.
    kind, pages = resource.RLIMIT_AS, int(sizes[0])
    if torch.cuda.is_available():
        kind, pages = resource.RLIMIT_DATA, int(sizes[5])
    soft, hard = resource.getrlimit(kind)
    limit = pages * resource.getpagesize() + _ROOM + _ROOM_PER_CORE * (os.cpu_count() or 1)
    if any(value < limit for value in (soft, hard) if value != resource.RLIM_INFINITY):
        yield
        return
    resource.setrlimit(kind, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))

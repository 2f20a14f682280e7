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
    would kill the whole process instead. Linux only, and not beside CUDA, which sets aside address
    space as large as all its memory; elsewhere this does nothing.
    """
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):  # Windows, macOS
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + _ROOM + _ROOM_PER_CORE * (os.cpu_count() or 1)
    tighter = [value for value in (soft, hard) if value != resource.RLIM_INFINITY]
    if torch.cuda.is_available() or any(value < limit for value in tighter):
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

"""How long a training will take here, before it is begun."""

import copy
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

from labutils import speed
from labutils.device import device_of
from labutils.training.checkpoints import random_states, restore_random_states
from labutils.training.complaints import clear_errors
from labutils.training.loop import batch_size_of, evaluate, train_epoch

MAX_BATCHES, MAX_SECONDS = 8, 3.0  # to measure: whichever is reached first


def estimate_seconds(
    model: nn.Module,
    loader,
    num_epochs: int,
    loss_fn=F.cross_entropy,
    *,
    test_loader=None,
    dtype: torch.dtype | None = None,
) -> float:
    """Return the seconds :func:`fit` will take here, from a few batches on a copy.

    Neither the model nor any random state is changed: what follows is as if nothing had been
    measured.
    """
    speed.keep_freed_memory()
    states = random_states([loader, test_loader])
    try:
        probe = copy.deepcopy(model)
        optimizer = torch.optim.SGD(probe.parameters(), lr=0.0, momentum=0.9)
        batches = _FirstBatches(loader, device_of(probe))
        threads = speed.threads_for(probe, batch_size_of(loader))
        with threads, clear_errors(probe, loader):
            train_epoch(probe, batches, loss_fn, optimizer, dtype=dtype)
        seconds = batches.seconds_of_all()
        if test_loader is not None:
            batches = _FirstBatches(test_loader, device_of(probe))
            evaluate(probe, batches, loss_fn, dtype=dtype)
            seconds += batches.seconds_of_all()
    finally:
        restore_random_states(states, [loader, test_loader])
    return num_epochs * seconds


def say_seconds(seconds: float) -> str:
    """Return a duration in words: ``"a few seconds"``, ``"about 4 minutes"``."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"about {5 * max(1, round(seconds / 5))} seconds"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"


class _FirstBatches:
    """The first batches of a loader; it notes the time of each, with what is done with it."""

    def __init__(self, loader, device):
        self.loader, self.device, self.times = loader, device, []

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def __iter__(self):
        begin = start = time.perf_counter()
        for batch in self.loader:
            yield batch
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            elif self.device.type == "mps":
                torch.mps.synchronize()
            now = time.perf_counter()
            self.times.append(now - start)
            start = now
            if len(self.times) > MAX_BATCHES or now - begin > MAX_SECONDS:
                break

    def seconds_of_all(self) -> float:
        """Return the time of all batches: the median, without the first, which warms up."""
        if not self.times:
            raise ValueError("estimate_seconds() got a loader without a single batch")
        return statistics.median(self.times[1:] or self.times) * len(self.loader)

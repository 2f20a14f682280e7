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
from labutils.training.loop import autocast, batch_size_of


def estimate_seconds(
    model: nn.Module,
    loader,
    num_epochs: int,
    loss_fn=F.cross_entropy,
    *,
    test_loader=None,
    dtype: torch.dtype | None = None,
    max_batches: int = 8,
    max_seconds: float = 3.0,
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
        number_type = autocast(probe, dtype)

        def train_step(images, labels):
            probe.train()
            optimizer.zero_grad()
            with number_type:
                logits = probe(images)
            loss_fn(logits.float(), labels).backward()
            optimizer.step()

        def test_step(images, labels):
            probe.eval()
            with torch.inference_mode(), number_type:
                probe(images)

        threads = speed.threads_for(probe, batch_size_of(loader))
        with threads, clear_errors(probe, loader):
            seconds = _time_steps(train_step, probe, loader, max_batches, max_seconds) * len(loader)
        if test_loader is not None:
            with clear_errors(probe, test_loader):
                test_seconds = _time_steps(test_step, probe, test_loader, max_batches, max_seconds)
            seconds += test_seconds * len(test_loader)
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


def _time_steps(step, model, loader, max_batches, max_seconds) -> float:
    """Median seconds of a step with its batch; the first, which warms up, does not count."""
    device = device_of(model)
    times, begin, start = [], time.perf_counter(), time.perf_counter()
    for images, labels in loader:
        step(images.to(device), labels.to(device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        now = time.perf_counter()
        times.append(now - start)
        start = now
        if len(times) > max_batches or now - begin > max_seconds:
            break
    if not times:
        raise ValueError("estimate_seconds() got a loader without a single batch")
    return statistics.median(times[1:] or times)

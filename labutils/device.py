"""Device, seeds, budget, and the line that says what a notebook runs on."""

import os
import platform
import random

import numpy as np
import torch

from labutils import speed

# How much a notebook computes: CI, a laptop, or the full recipe.
BUDGETS = ("smoke", "cpu", "gpu")


def _available() -> list[str]:
    """Return the devices that compute, the fastest first; say which one is there and does not."""
    names = []
    for name, is_available in (
        ("cuda", torch.cuda.is_available),
        ("mps", torch.backends.mps.is_available),
    ):
        try:
            if is_available():
                _compute_on(name)
                names.append(name)
        except Exception as error:  # old drivers and old GPUs fail in many ways
            print(f"Warning: {name} is there, does not work ({_in_short(error)}), and is left out.")
    return [*names, "cpu"]


def _compute_on(name: str) -> None:
    (torch.ones(2, device=name) + 1).tolist()


def _in_short(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def pick_device(name: str | None = None) -> torch.device:
    """Return the device to compute on: cuda, then mps, then cpu.

    ``name`` asks for a certain one (``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``); without it the
    environment variable ``LABUTILS_DEVICE`` does.

    Raises:
        ValueError: the device asked for is unknown to PyTorch, or not in this machine.
    """
    asked = name or os.environ.get("LABUTILS_DEVICE", "").strip()
    if asked == "cpu":  # then no other one is even looked at
        return torch.device("cpu")
    available = _available()
    if not asked:
        return torch.device(available[0])
    try:
        device = torch.device(asked)
    except RuntimeError:
        problem = "which PyTorch does not know"
    else:
        if device.type not in available:
            problem = "which is not there"
        elif device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            problem = f"but there are {torch.cuda.device_count()} CUDA devices, numbered from 0"
        else:
            return device
    origin = "the argument" if name else "LABUTILS_DEVICE"
    raise ValueError(
        f"{origin} asks for the device {asked!r}, {problem}. This machine has: "
        f"{', '.join(available)}. Ask for one of these, or leave {origin} out to take the fastest."
    )


def device_of(model: torch.nn.Module) -> torch.device:
    """Return the device of the model's parameters; the CPU for a model without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def seed_everything(seed: int) -> None:
    """Seed the random generators of Python, NumPy and PyTorch (all devices): a run repeats."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def describe_environment(device: torch.device) -> str:
    """Return one line for a notebook's setup cell: versions, device, how it computes."""
    where = f"{torch.get_num_threads()} CPU threads"
    if device.type == "cuda":
        where = _ask(torch.cuda.get_device_name, device)
    elif device.type == "mps":
        where = "Apple GPU"
    return (
        f"Python {platform.python_version()} · torch {torch.__version__} · "
        f"device {device.type} ({where}) · {_ask(speed.describe, device)}"
    )


def describe_memory(device: torch.device) -> str:
    """Return how much of a CUDA device's memory is free, and who has the rest."""
    return _ask(_memory, device)


def _memory(device) -> str:
    free, total = (size / 2**30 for size in torch.cuda.mem_get_info(device))
    own = torch.cuda.memory_reserved(device) / 2**30
    return (
        f"{free:.1f} of {total:.1f} GiB are free, {own:.1f} are this program's, "
        f"{max(0.0, total - free - own):.1f} other programs' and CUDA's own"
    )


def _ask(question, device) -> str:
    """Return what a device says of itself; one that breaks does not end a setup cell."""
    try:
        return question(device)
    except ValueError:  # not the device's fault: a setting that cannot be
        raise
    except Exception as error:
        return f"not known: {_in_short(error)}"


def pick_budget(device: torch.device, is_sample: bool = False) -> str:
    """Return the budget of this run: ``"smoke"``, ``"cpu"`` or ``"gpu"``.

    The environment variable ``LABUTILS_BUDGET`` decides. Without it a CUDA device with the real
    data gets ``"gpu"``, everything else ``"cpu"``: the full recipe on the small embedded sample
    would only overfit it.

    Raises:
        ValueError: ``LABUTILS_BUDGET`` names no budget.
    """
    chosen = _budget_asked_for()
    if chosen in BUDGETS:
        return chosen
    if chosen:
        raise ValueError(
            f"LABUTILS_BUDGET is {chosen!r}; expected one of {', '.join(BUDGETS)}. "
            "Set one of these, or unset it to let the device and the data decide."
        )
    return "gpu" if device.type == "cuda" and not is_sample else "cpu"


def is_quiet() -> bool:
    """Say whether nobody watches: in continuous integration, and in the smoke budget."""
    return bool(os.environ.get("CI")) or _budget_asked_for() == "smoke"


def _budget_asked_for() -> str:
    return os.environ.get("LABUTILS_BUDGET", "").strip().lower()

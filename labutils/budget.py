"""How much a notebook computes: ``smoke`` (CI), ``cpu`` (a laptop) or ``gpu`` (the full recipe)."""

import os

import torch

BUDGETS = ("smoke", "cpu", "gpu")


def pick_budget(device: torch.device, is_sample: bool = False) -> str:
    """Answer with the budget of this run: ``"smoke"``, ``"cpu"`` or ``"gpu"``.

    The environment variable ``LABUTILS_BUDGET`` decides. Without it a CUDA device with the real
    data gets ``"gpu"``, everything else ``"cpu"``: the full recipe on the small embedded sample
    would only overfit it.

    Raises:
        ValueError: ``LABUTILS_BUDGET`` names no budget.
    """
    chosen = os.environ.get("LABUTILS_BUDGET", "").strip().lower()
    if chosen in BUDGETS:
        return chosen
    if chosen:
        raise ValueError(
            f"LABUTILS_BUDGET is {chosen!r}; expected one of {', '.join(BUDGETS)}. "
            "Set one of these, or unset it to let the device and the data decide."
        )
    return "gpu" if device.type == "cuda" and not is_sample else "cpu"

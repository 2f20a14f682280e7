"""What goes wrong in a training, said in words: what was given, what was expected, what to do."""

import contextlib
import math

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau


def check_arguments(model, loader, optimizer, num_epochs, scheduler, step_scheduler) -> None:
    """Refuse what ``fit`` cannot train with, before it begins."""
    if not isinstance(num_epochs, int) or isinstance(num_epochs, bool) or num_epochs < 1:
        raise ValueError(f"num_epochs must be a whole number of at least 1, got {num_epochs!r}")
    if step_scheduler not in ("epoch", "batch"):
        raise ValueError(f'step_scheduler must be "epoch" or "batch", got {step_scheduler!r}')
    if step_scheduler == "batch" and isinstance(scheduler, ReduceLROnPlateau):
        raise ValueError('ReduceLROnPlateau looks at epochs: use step_scheduler="epoch"')
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("the scheduler was made for another optimizer: make it again for this one")
    own = {id(parameter) for parameter in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "the optimizer holds no parameter of this model, so training would change nothing. "
            "Was the model made anew after the optimizer? Make the optimizer again, from "
            "model.parameters()."
        )
    dataset = getattr(loader, "dataset", None)
    if hasattr(dataset, "__len__") and hasattr(loader, "__len__") and len(loader) == 0:
        raise ValueError(
            f"the training loader has no batch ({len(dataset)} images, batches of "
            f"{loader.batch_size}): give it images, or a smaller batch_size"
        )


def check_batch(logits, labels, loss_fn, loader) -> None:
    """Look at an epoch's first batch: do the shapes fit, and has every label its output?"""
    if loss_fn is not F.cross_entropy and not isinstance(loss_fn, nn.CrossEntropyLoss):
        return
    if logits.ndim != 2 or len(logits) != len(labels):
        raise ValueError(
            f"the model gave a tensor of shape {tuple(logits.shape)} for {len(labels)} labels; "
            f"expected logits of shape ({len(labels)}, number of classes)"
        )
    every_label = getattr(getattr(loader, "dataset", None), "labels", None)
    if isinstance(every_label, Tensor) and not every_label.is_floating_point():
        labels = every_label
    if labels.is_floating_point():
        return  # class probabilities
    low, high = labels.min().item(), labels.max().item()
    if high >= logits.shape[1] or (low < 0 and low != getattr(loss_fn, "ignore_index", -100)):
        raise ValueError(
            f"labels go from {low} to {high}, but the model has {logits.shape[1]} outputs, for the "
            f"labels 0 to {logits.shape[1] - 1}: give its last layer one output per class"
        )


@contextlib.contextmanager
def clear_errors():
    """PyTorch's ``Target 10 is out of bounds.`` in words; the first batch may not have shown it."""
    try:
        yield
    except IndexError as error:
        if "out of bounds" not in str(error) or "Target" not in str(error):
            raise
        raise ValueError(
            f"a label has no output in the model ({error}): "
            "give its last layer one output per class"
        ) from error


def check_loss(loss: float, epoch: int, batch: int) -> None:
    """Refuse to go on with a loss that is no number any more."""
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} in epoch {epoch + 1}, by batch {batch}: training went off the "
            "rails, and the weights are of no use any more. The learning rate is probably too "
            "high: make model and optimizer anew and try a tenth of it. If that does not help, "
            "look for NaN in the images or a logarithm of 0 in the loss."
        )

"""What goes wrong in a training, said in words: what was given, what was expected, what to do."""

import contextlib
import math
import numbers
import pickle
import traceback

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from labutils.device import describe_memory, device_of

# Parts of what PyTorch says when memory runs out (on a GPU, in its libraries, on a CPU) ...
NO_MEMORY = ("out of memory", "ALLOC_FAILED", "allocate memory", "not enough memory")
# ... and when a loader's process ends, or cannot be handed the dataset.
NO_WORKER = ("exited unexpectedly", "killed by signal", "pickle", "local object")


def check_arguments(model, loader, optimizer, num_epochs, scheduler, step_scheduler) -> None:
    """Refuse what ``fit`` cannot train with, before it begins."""
    is_whole = isinstance(num_epochs, numbers.Integral) and not isinstance(num_epochs, bool)
    if not is_whole or num_epochs < 1:
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
def clear_errors(model, loader):
    """PyTorch's errors in words that say what to do; of other errors, nothing is changed."""
    try:
        yield
    except (IndexError, RuntimeError, AttributeError, TypeError, pickle.PicklingError) as error:
        text = str(error)
        if "Target" in text and "out of bounds" in text:  # the first batch may not have shown it
            raise ValueError(
                f"a label has no output in the model ({text}): "
                "give its last layer one output per class"
            ) from error
        if any(words in text for words in NO_MEMORY):
            _let_go(model, error)
            device = device_of(model)
            here = f" ({describe_memory(device)})" if device.type == "cuda" else ""
            advice = (
                f"there is not enough memory on the device {device}{here}. Give the loader a "
                f"smaller batch_size (it has {getattr(loader, 'batch_size', None)}; a recipe: "
                "dataclasses.replace(recipe, batch_size=32, eval_batch_size=32)), close other "
                "programs and notebooks that use the device, or compute on another one "
                "(LABUTILS_DEVICE=cpu). If it stays full, restart the kernel (on Colab: Runtime > "
                "Restart session): errors that a notebook shows hold what their runs had in memory."
            )
        elif _is_of_workers(text, loader):
            advice = (
                "a worker process of the DataLoader did not start, or died. Set num_workers=0. On "
                "macOS, Windows and with Python 3.14 a worker does not know what is written in a "
                "notebook: a Dataset, a transform, a lambda. To use workers there, move it to a "
                ".py file and import it."
            )
        else:
            raise
        error.args = (f"{advice} (PyTorch says: {text})",)
        raise


def _is_of_workers(text, loader) -> bool:
    """Is it about the processes themselves, and not from the student's code in one of them?"""
    own = text.startswith("Caught ") or not getattr(loader, "num_workers", 0)
    return not own and any(words in text for words in NO_WORKER)


def _let_go(model, error) -> None:
    """Free the batch and its gradients, which the error would hold as long as it is shown."""
    traceback.clear_frames(error.__traceback__)
    for parameter in model.parameters():
        parameter.grad = None
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def check_scale(scale: float, epoch: int) -> None:
    """Refuse to go on where float16 leaves out step after step, however little is scaled."""
    if scale < 1:
        raise FloatingPointError(
            f"the gradients were no float16 numbers any more in epoch {epoch + 1}, and step after "
            "step was left out. Make model and optimizer anew and try a tenth of the learning "
            "rate, or compute in float32 (LABUTILS_DTYPE=float32)."
        )


def check_loss(loss: float, epoch: int, batch: int) -> None:
    """Refuse to go on with a loss that is no number any more."""
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} in epoch {epoch + 1}, by batch {batch}: training went off the "
            "rails, and the weights are of no use any more. The learning rate is probably too "
            "high: make model and optimizer anew and try a tenth of it. If that does not help, "
            "look for NaN in the images or a logarithm of 0 in the loss."
        )

"""Training as notebooks 02 and 03 write it: one loop over epochs and batches, and what it measured.

The loop itself is in :func:`fit`; everything else here measures or reports.
"""

import contextlib
import copy
import math
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from labutils import speed

CHECK_EVERY = 100  # batches between two looks at the loss: a look makes a GPU wait


@dataclass
class History:
    """What :func:`fit` measured: lists with one entry per epoch.

    Attributes:
        train_loss: mean loss per sample over the epoch, measured while the model learned.
        test_loss, test_accuracy: after the epoch, in eval mode; accuracy in [0, 1]. Empty where
            ``fit`` was given no test loader.
        train_accuracy: accuracy after the epoch on ``fit``'s ``train_eval_loader``; else empty.
        lr: learning rate at the end of the epoch.
        seconds: wall time of the epoch, with its evaluation.
        batch_loss: a list per epoch with the mean loss of every batch.
    """

    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    batch_loss: list[list[float]] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of whole epochs."""
        return len(self.train_loss)

    def append(self, **measured) -> None:
        """Add an epoch: a value for each list that ``fit`` was asked to measure."""
        for name, value in measured.items():
            getattr(self, name).append(value)

    def running_loss(self, every: int) -> list[list[float]]:
        """Mean loss of each ``every`` batches, a list per epoch; a shorter rest is left out."""
        return [
            [
                statistics.fmean(losses[end - every : end])
                for end in range(every, len(losses) + 1, every)
            ]
            for losses in self.batch_loss
        ]

    def plot(self, reference=None, *, title: str = "") -> None:
        """Show loss and accuracy by epoch, over the band of a reference run where one is given."""
        from labutils import plotting

        plotting.training_curves(self, reference, title=title)

    def table(self) -> str:
        """Return the history as a text table, one line per epoch."""
        columns = {
            "training loss": [f"{loss:.3f}" for loss in self.train_loss],
            "test loss": [f"{loss:.3f}" for loss in self.test_loss],
            "training accuracy": [f"{100 * share:.1f} %" for share in self.train_accuracy],
            "test accuracy": [f"{100 * share:.1f} %" for share in self.test_accuracy],
            "seconds": [f"{seconds:.1f}" for seconds in self.seconds],
        }
        columns = {name: cells for name, cells in columns.items() if cells}
        rows = [["epoch", *columns]]
        rows += [[str(i + 1), *(cells[i] for cells in columns.values())] for i in range(len(self))]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        )

    def state_dict(self) -> dict:
        """Return the history as plain lists, for a checkpoint."""
        return asdict(self)


class Progress(NamedTuple):
    """How far a training is: what :func:`fit` hands to ``on_batch``.

    Attributes:
        history: the whole epochs so far.
        losses: the loss of every batch of the present epoch: numbers, or tensors where the model is
            on a GPU. To read one (``float(losses[-1])``) makes a GPU wait: do it now and then, not
            at every batch.
        num_epochs: how many were asked for.
        num_batches: batches of an epoch; ``None`` where the loader does not know.
    """

    history: History
    losses: list[float] | list[Tensor]
    num_epochs: int
    num_batches: int | None


def fit(
    model: nn.Module,
    train_loader,
    test_loader=None,
    *,
    optimizer: torch.optim.Optimizer,
    num_epochs: int,
    loss_fn=F.cross_entropy,
    scheduler=None,
    step_scheduler: str = "epoch",
    grad_clip: float | None = None,
    dtype: torch.dtype | None = None,
    train_eval_loader=None,
    checkpoint=None,
    on_batch=None,
    verbose: bool = True,
) -> History:
    """Train ``model`` in place and return the :class:`History`. Leaves it in eval mode.

    Interrupting (Kernel > Interrupt) keeps what was learned and returns the whole epochs.

    Args:
        train_loader: batches ``(images, labels)``: a ``DataLoader`` or ``data.Batches``.
        test_loader: evaluated after every epoch, if given.
        loss_fn: ``loss_fn(logits, labels)``, the mean over the batch.
        scheduler: a ``torch.optim.lr_scheduler``, stepped after every ``step_scheduler``:
            ``"epoch"`` or ``"batch"`` (as ``OneCycleLR`` wants). ``ReduceLROnPlateau`` is given
            the test loss, or the training loss where there is no test loader.
        grad_clip: the gradient's norm is scaled down to this, if larger.
        dtype: compute the model in this type by autocast (see ``speed.fast_dtype``); the loss is
            always computed in float32. ``None``: the model's own type, nothing is cast. A run that
            goes on from a checkpoint keeps the type it began in, on the same kind of device.
        train_eval_loader: training images without augmentation, for ``History.train_accuracy``.
        checkpoint: a file to save to after every epoch, and to go on from if it is there. See
            :mod:`labutils.training.checkpoints`.
        on_batch: ``on_batch(progress)`` is called after every batch with a :class:`Progress`; a
            true answer stops the training, as interrupting does. It takes the place of the progress
            bar. ``widgets.live_training`` has one to give.
        verbose: print a line per epoch.

    Raises:
        ValueError: an empty loader, labels the model has no output for, an optimizer of another
            model, an unknown ``step_scheduler``.
        FloatingPointError: the loss is no longer a number.
        labutils.training.checkpoints.CheckpointError: the checkpoint belongs to something else.
    """
    _check_arguments(model, train_loader, optimizer, num_epochs, scheduler, step_scheduler)
    device = device_of(model)
    history = History()
    saver = None
    if checkpoint is not None:
        from labutils.training.checkpoints import Saver

        loaders = (train_loader, test_loader, train_eval_loader)
        recipe = dict(loss_fn=loss_fn, step_scheduler=step_scheduler, grad_clip=grad_clip)
        saver = Saver(checkpoint, model, optimizer, scheduler, loaders, num_epochs, recipe, dtype)
        history = History(**saver.load())
        if verbose and len(history):
            print(f"Going on from {checkpoint}: {len(history)} of {num_epochs} epochs are done.")
            if saver.dtype != dtype:
                print(f"It goes on in {saver.dtype or 'its own number type'}, as it began.")
        dtype = saver.dtype

    autocast = _number_type(device, dtype)
    epoch, losses, keep = len(history), [], _keeper(device)
    num_batches = _num_batches(train_loader)
    bar = _progress_bar(num_batches, num_epochs, done=epoch, hidden=on_batch is not None)
    try:
        with bar, _clear_errors():
            for epoch in range(len(history), num_epochs):
                start = time.perf_counter()
                losses, sizes = [], []
                model.train()
                with speed.threads_for(model, _batch_size(train_loader)):
                    for images, labels in train_loader:
                        images, labels = images.to(device), labels.to(device)
                        optimizer.zero_grad()
                        with autocast:
                            logits = model(images)
                        if not losses:
                            _check_batch(logits, labels, loss_fn, train_loader)
                        loss = loss_fn(logits.float(), labels)
                        loss.backward()
                        if grad_clip is not None:
                            nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
                        optimizer.step()
                        if scheduler is not None and step_scheduler == "batch":
                            scheduler.step()

                        losses.append(keep(loss))
                        sizes.append(labels.shape[0])
                        bar.update()
                        if len(losses) % CHECK_EVERY == 0:
                            _check_loss(loss.item(), epoch, len(losses))
                            bar.set_postfix(epoch=epoch + 1, loss=f"{loss.item():.3f}")
                        if on_batch is not None:
                            progress = Progress(history, losses, num_epochs, num_batches)
                            if on_batch(progress):
                                raise KeyboardInterrupt  # it stops as Kernel > Interrupt does

                measured = _summary(losses, sizes, epoch)
                measured["lr"] = optimizer.param_groups[0]["lr"]
                if test_loader is not None:
                    measured["test_loss"], measured["test_accuracy"] = evaluate(
                        model, test_loader, loss_fn, dtype=dtype
                    )
                if train_eval_loader is not None:
                    _, measured["train_accuracy"] = evaluate(
                        model, train_eval_loader, loss_fn, dtype=dtype
                    )
                if scheduler is not None and step_scheduler == "epoch":
                    _step_after_epoch(scheduler, measured)
                measured["seconds"] = time.perf_counter() - start
                history.append(**measured)
                if saver is not None:
                    saver.save(history.state_dict())
                if verbose:
                    print(_epoch_line(history, num_epochs))
    except KeyboardInterrupt:
        print(f"Stopped by you in epoch {epoch + 1} of {num_epochs}, after {len(losses)} batches.")
    model.eval()
    return history


@torch.inference_mode()
def evaluate(
    model: nn.Module, loader, loss_fn=F.cross_entropy, *, dtype=None
) -> tuple[float, float]:
    """Return ``(mean loss per sample, accuracy in [0, 1])``. Leaves the model in eval mode.

    Raises:
        ValueError: an empty loader, or labels the model has no output for.
    """
    device = device_of(model)
    autocast = _number_type(device, dtype)
    model.eval()
    losses, corrects, sizes, keep = [], [], [], _keeper(device)
    with _clear_errors():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            with autocast:
                logits = model(images)
            if not losses:
                _check_batch(logits, labels, loss_fn, loader)
            losses.append(keep(loss_fn(logits.float(), labels)))
            corrects.append(keep((logits.argmax(dim=1) == labels).sum()))
            sizes.append(len(labels))
    if not sizes:
        raise ValueError("evaluate() got a loader without a single batch")
    return _mean_per_sample(numbers(losses), sizes), sum(numbers(corrects)) / sum(sizes)


@torch.inference_mode()
def predict_all(model: nn.Module, loader, *, dtype=None) -> tuple[Tensor, Tensor]:
    """Return ``(logits float32 [N, K], labels int64 [N])`` of a whole loader, on the CPU.

    Leaves the model in eval mode. The loader must not shuffle if the order is to mean anything.

    Raises:
        ValueError: an empty loader.
    """
    device = device_of(model)
    autocast = _number_type(device, dtype)
    model.eval()
    all_logits, all_labels = [], []
    for images, labels in loader:
        with autocast:
            logits = model(images.to(device))
        all_logits.append(logits.float().cpu())
        all_labels.append(labels.cpu())
    if not all_logits:
        raise ValueError("predict_all() got a loader without a single batch")
    return torch.cat(all_logits), torch.cat(all_labels)


# --- how long, and how fast -------------------------------------------------------------------


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
    from labutils.training.checkpoints import random_states, restore_random_states

    states = random_states([loader, test_loader])
    try:
        probe = copy.deepcopy(model)
        optimizer = torch.optim.SGD(probe.parameters(), lr=0.0, momentum=0.9)
        autocast = _number_type(device_of(probe), dtype)

        def train_step(images, labels):
            probe.train()
            optimizer.zero_grad()
            with autocast:
                logits = probe(images)
            loss_fn(logits.float(), labels).backward()
            optimizer.step()

        def test_step(images, labels):
            probe.eval()
            with torch.inference_mode(), autocast:
                probe(images)

        with speed.threads_for(probe, _batch_size(loader)):
            seconds = _time_steps(train_step, probe, loader, max_batches, max_seconds) * len(loader)
        if test_loader is not None:
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
        now = time.perf_counter()
        times.append(now - start)
        start = now
        if len(times) > max_batches or now - begin > max_seconds:
            break
    if not times:
        raise ValueError("estimate_seconds() got a loader without a single batch")
    return statistics.median(times[1:] or times)


# --- the small parts of the loop --------------------------------------------------------------


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's parameters; the CPU for a model without any."""
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _batch_size(loader) -> int | None:
    return getattr(loader, "batch_size", None)


def _number_type(device, dtype):
    """Get the device ready; return the context to compute in ``dtype`` there."""
    speed.keep_freed_memory()
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def _num_batches(loader) -> int | None:
    try:
        return len(loader)
    except TypeError:  # a loader that does not know its length
        return None


def _progress_bar(num_batches, num_epochs, done, hidden):
    """A bar over all batches; silent where nobody watches (CI, the smoke budget, a log file)."""
    from tqdm.auto import tqdm

    total = None if num_batches is None else num_batches * num_epochs
    initial = 0 if num_batches is None else num_batches * done
    silent = hidden or not (in_watched_notebook() or _in_watched_terminal())
    return tqdm(total=total, initial=initial, unit="batch", leave=False, disable=silent)


def in_watched_notebook() -> bool:
    """Is this a notebook before somebody's eyes? Not in CI, and not in the smoke budget."""
    ipython = sys.modules.get("IPython")
    return not _quiet() and ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _in_watched_terminal() -> bool:
    return not _quiet() and sys.stderr.isatty()


def _quiet() -> bool:
    smoke = os.environ.get("LABUTILS_BUDGET", "").strip().lower() == "smoke"
    return smoke or bool(os.environ.get("CI"))


def _keeper(device: torch.device):
    """How a batch's loss is kept until the epoch ends: as a number, on a GPU as a tensor.

    To read a number makes a GPU wait, and costs a CPU nothing. There a tensor kept from every batch
    would lie amid the memory that the batch gives back, which no later batch could use as a whole:
    the program would grow.
    """
    return Tensor.item if device.type == "cpu" else Tensor.detach


def numbers(kept: list) -> list[float]:
    """Return kept losses as plain numbers; a GPU waits once for all."""
    if kept and isinstance(kept[0], Tensor):
        return torch.stack(kept).tolist()
    return list(kept)


def _mean_per_sample(losses: list[float], sizes: list[int]) -> float:
    """Mean of batch means, each weighing as much as its batch is large."""
    weights = torch.tensor(sizes, dtype=torch.float64)
    return ((torch.tensor(losses, dtype=torch.float64) * weights).sum() / weights.sum()).item()


def _summary(losses, sizes, epoch) -> dict:
    if not losses:
        raise ValueError("fit() got a training loader without a single batch")
    losses = numbers(losses)
    _check_loss(losses[-1], epoch, len(losses))
    return {"train_loss": _mean_per_sample(losses, sizes), "batch_loss": losses}


def _step_after_epoch(scheduler, measured) -> None:
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(measured.get("test_loss", measured["train_loss"]))
    else:
        scheduler.step()


def _epoch_line(history, num_epochs) -> str:
    line = f"epoch {len(history)}/{num_epochs} · training loss {history.train_loss[-1]:.3f}"
    if history.test_accuracy:
        line += f" · test accuracy {100 * history.test_accuracy[-1]:.1f} %"
    return line


# --- clear errors -----------------------------------------------------------------------------


def _check_arguments(model, loader, optimizer, num_epochs, scheduler, step_scheduler) -> None:
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
    if hasattr(loader, "__len__") and hasattr(loader, "dataset"):
        if len(loader.dataset) == 0 or len(loader) == 0:
            raise ValueError(
                f"the training loader has no batch ({len(loader.dataset)} images, batches of "
                f"{loader.batch_size}): give it images, or a smaller batch_size"
            )


def _check_batch(logits, labels, loss_fn, loader) -> None:
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
def _clear_errors():
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


def _check_loss(loss: float, epoch: int, batch: int) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} in epoch {epoch + 1}, by batch {batch}: training went off the "
            "rails, and the weights are of no use any more. The learning rate is probably too "
            "high: make model and optimizer anew and try a tenth of it. If that does not help, "
            "look for NaN in the images or a logarithm of 0 in the loss."
        )

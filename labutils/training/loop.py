"""Training as notebooks 02 and 03 write it: a loop over epochs, and in it one over batches.

:func:`fit` sets up and goes from epoch to epoch, ``train_epoch`` is the students' own loop, and
``_Watch`` keeps its losses and shows them.
"""

import contextlib
import sys
import time
from dataclasses import asdict

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from labutils import speed
from labutils.device import device_of, is_quiet
from labutils.training.checkpoints import Saver
from labutils.training.complaints import (
    check_arguments,
    check_batch,
    check_loss,
    check_scale,
    clear_errors,
)
from labutils.training.history import History, Progress

CHECK_EVERY = 100  # batches between two looks at the loss: a look makes a GPU wait


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
        loss_fn: ``loss_fn(logits, labels)``, the mean over the batch. A model with auxiliary heads
            gives a tuple of logits in training mode, which is handed to it as it is.
        scheduler: a ``torch.optim.lr_scheduler``, stepped after every ``step_scheduler``:
            ``"epoch"`` or ``"batch"`` (as ``OneCycleLR`` wants). ``ReduceLROnPlateau`` is given
            the test loss, or the training loss where there is no test loader.
        grad_clip: the gradient's norm is scaled down to this, if larger.
        dtype: compute the model in this type by autocast (see ``speed.fast_dtype``); the loss is
            always computed in float32. ``None``: the model's own type, nothing is cast. In float16
            the loss is scaled, and a step whose gradients overflow is left out, for weights and
            schedule alike. A run that goes on from a checkpoint keeps the type it began in, on the
            same kind of device.
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
        RuntimeError: out of memory, or a worker process of the loader died; with what to do.
        labutils.training.checkpoints.CheckpointError: the checkpoint belongs to something else.
    """
    check_arguments(model, train_loader, optimizer, num_epochs, scheduler, step_scheduler)
    speed.keep_freed_memory()
    history, saver, scaling = History(), None, {}
    if checkpoint is not None:
        loaders = (train_loader, test_loader, train_eval_loader)
        recipe = dict(loss_fn=loss_fn, step_scheduler=step_scheduler, grad_clip=grad_clip)
        saver = Saver(checkpoint, model, optimizer, scheduler, loaders, num_epochs, recipe)
        saved, dtype, scaling = saver.load(dtype, verbose=verbose)
        history = History(**saved)
    scaler = grad_scaler(model, optimizer, dtype, scaling)
    batch_scheduler = scheduler if step_scheduler == "batch" else None
    watch = _Watch(device_of(model), train_loader, history, num_epochs, on_batch)

    try:
        with watch.bar:
            for epoch in range(len(history), num_epochs):
                start = time.perf_counter()
                watch.begin(epoch)
                threads = speed.threads_for(model, batch_size_of(train_loader))
                with threads, clear_errors(model, train_loader):
                    train_epoch(
                        model, train_loader, loss_fn, optimizer, scheduler=batch_scheduler,
                        scaler=scaler, grad_clip=grad_clip, dtype=dtype,
                        batch_done=watch.batch_done,
                    )  # fmt: skip
                check_scale(scaler.get_scale(), epoch)
                measured = watch.summary()
                measured["lr"] = float(optimizer.param_groups[0]["lr"])
                if test_loader is not None:
                    loss, accuracy = evaluate(model, test_loader, loss_fn, dtype=dtype)
                    measured |= {"test_loss": loss, "test_accuracy": accuracy}
                if train_eval_loader is not None:
                    _, accuracy = evaluate(model, train_eval_loader, loss_fn, dtype=dtype)
                    measured["train_accuracy"] = accuracy
                if scheduler is not None and step_scheduler == "epoch":
                    _step_after_epoch(scheduler, measured)
                history.append(**measured, seconds=time.perf_counter() - start)
                if saver is not None:
                    saver.save(asdict(history), scaler.state_dict())
                if verbose:
                    print(_epoch_line(history, num_epochs))
    except KeyboardInterrupt:
        where = f"epoch {watch.epoch + 1} of {num_epochs}, after {len(watch.losses)} batches"
        print(f"Stopped by you in {where}.")
    model.eval()
    return history


def train_epoch(
    model, loader, loss_fn, optimizer, *, scheduler=None, scaler=None, grad_clip=None, dtype=None,
    batch_done=lambda loss, size: None,
):  # fmt: skip
    """Notebook 02's ``train_one_epoch``: an update for every batch.

    Only in float16 does ``scaler`` (of :func:`grad_scaler`) do more than call what it is handed.
    """
    device, number_type = device_of(model), autocast(model, dtype)
    scaler = scaler or grad_scaler(model, optimizer, dtype)
    model.train()
    for index, (images, labels) in enumerate(loader):
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        with number_type:
            logits = model(images)
        if index == 0:
            check_batch(logits, labels, loss_fn, loader)
        loss = loss_fn(in_float32(logits), labels)
        scaler.scale(loss).backward()
        if grad_clip is not None:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scheduler is not None and scaler.get_scale() >= scale:  # lower after a skipped step
            scheduler.step()
        batch_done(loss, labels.shape[0])


def _answers(model, loader, dtype):
    """Give ``(logits, labels)`` of each batch, in eval mode, on the model's device."""
    speed.keep_freed_memory()
    device, number_type = device_of(model), autocast(model, dtype)
    model.eval()
    for images, labels in loader:
        with number_type:
            logits = model(images.to(device))
        yield logits.float(), labels.to(device)


@torch.inference_mode()
def evaluate(
    model: nn.Module, loader, loss_fn=F.cross_entropy, *, dtype=None
) -> tuple[float, float]:
    """Return ``(mean loss per sample, accuracy in [0, 1])``. Leaves the model in eval mode.

    Raises:
        ValueError: an empty loader, or labels the model has no output for.
    """
    losses, corrects, sizes, keep = [], [], [], _keeper(device_of(model))
    with clear_errors(model, loader):
        for logits, labels in _answers(model, loader, dtype):
            if not losses:
                check_batch(logits, labels, loss_fn, loader)
            losses.append(keep(loss_fn(logits, labels)))
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
    with clear_errors(model, loader):
        answers = [[part.cpu() for part in batch] for batch in _answers(model, loader, dtype)]
    if not answers:
        raise ValueError("predict_all() got a loader without a single batch")
    all_logits, all_labels = zip(*answers, strict=True)
    return torch.cat(all_logits), torch.cat(all_labels)


def in_float32(logits):
    """Return logits as float32: a tensor, or the tuple of a network with auxiliary heads."""
    if isinstance(logits, tuple):
        return tuple(each.float() for each in logits)
    return logits.float()


def autocast(model: nn.Module, dtype: torch.dtype | None):
    """Return a context in which the model computes in ``dtype``; for ``None``, in its own type."""
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device_of(model).type, dtype=dtype)


def grad_scaler(model, optimizer, dtype, state=None) -> torch.amp.GradScaler:
    """Return what scales the loss in float16, whose smallest numbers are too large for gradients.

    It leaves out a step whose gradients overflow, and scales less from then on. In other types it
    does nothing. ``state`` is its ``state_dict``, of a run that goes on.
    """
    scaler = torch.amp.GradScaler(device_of(model).type, enabled=dtype is torch.float16)
    if scaler.is_enabled():
        # The scaler lets a fused optimizer leave out the step itself; fused SGD, where that is the
        # first one, then goes on from a momentum that nobody has written. So it is not let.
        optimizer._step_supports_amp_scaling = False
        if state:
            scaler.load_state_dict(state)
    return scaler


def batch_size_of(loader) -> int | None:
    """Return the loader's batch size; ``None`` where it has no fixed one."""
    return getattr(loader, "batch_size", None)


# --- bookkeeping ------------------------------------------------------------------------------


class _Watch:
    """Keeps the loss of each batch of an epoch, and shows how far the training is.

    Attributes:
        bar: a progress bar over all batches, to be opened by ``with``. It is silent where
            ``on_batch`` takes its place and where nobody watches (CI, the smoke budget, a log
            file).
    """

    def __init__(self, device, loader, history, num_epochs, on_batch):
        from tqdm.auto import tqdm

        self.history, self.num_epochs, self.on_batch = history, num_epochs, on_batch
        self.keep = _keeper(device)
        self.num_batches = num_batches_of(loader)
        self.begin(len(history))
        silent = on_batch is not None or not (in_watched_notebook() or _in_watched_terminal())
        total = None if self.num_batches is None else self.num_batches * num_epochs
        done = (self.num_batches or 0) * len(history)
        self.bar = tqdm(total=total, initial=done, unit="batch", leave=False, disable=silent)

    def begin(self, epoch: int) -> None:
        self.epoch, self.losses, self.sizes = epoch, [], []

    def batch_done(self, loss: Tensor, size: int) -> None:
        """Keep the mean loss of a batch of ``size`` images, and show it now and then."""
        self.losses.append(self.keep(loss))
        self.sizes.append(size)
        self.bar.update()
        if len(self.losses) % CHECK_EVERY == 0:
            check_loss(loss.item(), self.epoch, len(self.losses))
            self.bar.set_postfix(epoch=self.epoch + 1, loss=f"{loss.item():.3f}")
        if self.on_batch is not None:
            progress = Progress(self.history, self.losses, self.num_epochs, self.num_batches)
            if self.on_batch(progress):
                raise KeyboardInterrupt  # it stops as Kernel > Interrupt does

    def summary(self) -> dict:
        """Return the losses of the epoch, as :class:`History` keeps them."""
        if not self.losses:
            raise ValueError("fit() got a training loader without a single batch")
        losses = numbers(self.losses)
        check_loss(losses[-1], self.epoch, len(losses))
        return {"train_loss": _mean_per_sample(losses, self.sizes), "batch_loss": losses}


def in_watched_notebook() -> bool:
    """Is this a notebook before somebody's eyes? Not in CI, and not in the smoke budget."""
    ipython = sys.modules.get("IPython")
    return not is_quiet() and ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _in_watched_terminal() -> bool:
    return not is_quiet() and sys.stderr.isatty()


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


def num_batches_of(loader) -> int | None:
    """Return how many batches the loader gives; ``None`` where it does not know."""
    try:
        return len(loader)
    except TypeError:
        return None


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

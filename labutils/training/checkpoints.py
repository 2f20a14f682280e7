"""Checkpoints of :func:`labutils.training.fit`: a run that was stopped goes on where it was.

A checkpoint holds what the next epoch depends on: the weights, the state of optimizer and schedule,
the random states, and the history so far. It is written to a temporary name, flushed to disk and
renamed, so that a killed save leaves the last good one. It also describes the run it belongs to,
and refuses to go on with anything else. Read with ``weights_only=True``: a checkpoint from a
stranger cannot run code.
"""

import contextlib
import functools
import glob
import os
import pickle
import random
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Subset, TensorDataset

FORMAT = 1
# What changes while a scheduler runs; the rest of its state is its settings.
_PROGRESS = {
    "last_epoch", "_step_count", "_last_lr", "_is_initial", "_get_lr_called_within_step",
    "best", "num_bad_epochs", "cooldown_counter", "T_cur", "T_i",
}  # fmt: skip
# What schedulers change in the optimizer's parameter groups.
_SCHEDULED = {"lr", "momentum", "betas"}


class CheckpointError(RuntimeError):
    """The checkpoint cannot be read, or belongs to another run; the message says which."""


def file_for(name: str, model, dataset, folder="checkpoints") -> Path | None:
    """Return the file of a notebook's run, ``folder/NAME_DATASET_FINGERPRINT.pt``.

    ``dataset`` is an ``ImageSet``; downloaded or found on the disk, the real one is the same. The
    fingerprint is that of the network's layers and shapes: a changed network starts anew in a file
    of its own, and does not stop the notebook. In continuous integration and in the ``smoke``
    budget every run starts anew and nothing is kept: ``None``.
    """
    smoke = os.environ.get("LABUTILS_BUDGET", "").strip().lower() == "smoke"
    if os.environ.get("CI") or smoke:
        return None
    layers = repr((str(model), _shapes(model)))
    images = "sample" if dataset.is_sample else dataset.name
    return Path(folder) / f"{name}_{images}_{zlib.crc32(layers.encode()):08x}.pt"


class Saver:
    """Saves and loads the checkpoint of one run.

    Args:
        path: the file; its folder is made if need be.
        loaders: the run's loaders, training loader first; ``None`` entries are allowed.
        recipe: the other settings of the run, by name.
        dtype: what the model is computed in, or ``None``. That is not part of the recipe: it is
            often measured, and a busy machine may measure something else the next time. So a run
            goes on in the type it began in; on another kind of device it takes this one.

    Attributes:
        dtype: after :meth:`load`, what the run is to be computed in.
    """

    def __init__(self, path, model, optimizer, scheduler, loaders, num_epochs, recipe, dtype):
        self.path = Path(path)
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.loaders = loaders
        self.num_epochs = num_epochs
        self.dtype = dtype
        self.run = _describe_run(model, optimizer, scheduler, loaders, num_epochs, recipe)

    def load(self) -> dict:
        """Put everything back as it was after the last saved epoch; return the history.

        Without a file nothing is changed and the history is empty.

        Raises:
            CheckpointError: not a whole checkpoint, one of another run, or of more epochs.
        """
        for leftover in self.path.parent.glob(f"{glob.escape(self.path.name)}.*.part"):
            with contextlib.suppress(OSError):  # of a killed save
                leftover.unlink()
        if not self.path.exists():
            return {}
        try:
            _check_every_byte(self.path)
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            run, history = saved["run"], saved["history"]
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError,
                pickle.UnpicklingError, zipfile.BadZipFile) as error:  # fmt: skip
            raise CheckpointError(
                f"{self.path} cannot be read as a checkpoint of fit() ({_why_unreadable(error)}). "
                "Delete it to start anew, or name another file."
            ) from error
        self._refuse_another_run(run)
        done = len(history["train_loss"])
        if done > self.num_epochs:
            raise CheckpointError(
                f"{self.path} holds {done} epochs, and {self.num_epochs} were asked for. Ask for "
                f"at least {done}, delete the file to start anew, or name another one."
            )
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(saved["scheduler"])
        restore_random_states(saved["random"], self.loaders)
        if saved["device"] == _device_type(self.model):
            self.dtype = saved["dtype"]
        return history

    def save(self, history: dict) -> None:
        """Save after an epoch. A save that fails is said, and training goes on without it."""
        state = {
            "format": FORMAT,
            "run": self.run,
            "history": history,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "random": random_states(self.loaders),
            "dtype": self.dtype,
            "device": _device_type(self.model),
        }
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except (OSError, RuntimeError) as error:
            if isinstance(
                error.__context__, OSError
            ):  # torch.save hides a full disk behind its own
                error = error.__context__
            part.unlink(missing_ok=True)
            kept = "the last good one is kept" if self.path.exists() else "there is none yet"
            print(
                f"Warning: the checkpoint {self.path} could not be saved "
                f"({getattr(error, 'strerror', None) or error}); {kept}. "
                "Training goes on. Free some space, or name a file in another folder."
            )

    def _refuse_another_run(self, run: dict) -> None:
        if run == self.run:
            return
        names = [name for name in self.run if run.get(name) != self.run[name]]
        changes = [_difference(name, run.get(name), self.run[name]) for name in names]
        raise CheckpointError(
            f"{self.path} belongs to another run: {'; '.join(changes) or 'another format'}. "
            "Name another file for this run, or delete that one to start anew."
        )


def _check_every_byte(path: Path) -> None:
    """A checkpoint is a zip archive with checksums, which torch.load does not look at."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"its part {damaged} fails its checksum")


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):
        return "it holds objects that could run code, and was not opened"
    if str(error) == "File is not a zip file":
        return "it is cut off, or something else"
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return str(error).partition("\n")[0] or type(error).__name__


def _difference(name, there, here) -> str:
    """What differs, in short; of settings given as a dictionary, the first one that is short."""
    pairs, otherwise = [(there, here)], f"its {name} is not this one"
    if isinstance(there, dict) and isinstance(here, dict):
        keys = [key for key in (there | here) if there.get(key) != here.get(key)]
        otherwise = f"its {name} has another {keys[0]}"
        pairs = [(f"{key} {there.get(key)}", f"{key} {here.get(key)}") for key in keys]
    for one, other in pairs:
        if len(str(one)) <= 60 and len(str(other)) <= 60:
            return f"its {name} is {one}, this one is {other}"
    return otherwise


# --- which run is it? -------------------------------------------------------------------------


def _describe_run(model, optimizer, scheduler, loaders, num_epochs, recipe) -> dict:
    """What must be the same for a run to go on, as plain values: not the weights, not the seeds."""
    run = {
        "format": FORMAT,
        "model": f"{type(model).__qualname__}: {model}",
        "list of parameters": _shapes(model),
        "optimizer": {"type": type(optimizer).__name__} | _optimizer_settings(optimizer, scheduler),
        "scheduler": None if scheduler is None else _scheduler_settings(scheduler, num_epochs),
    }
    for name, loader in zip(
        ("training data", "test data", "training data to evaluate"), loaders, strict=True
    ):
        run[name] = None if loader is None else _describe_loader(loader)
    return run | {name: _plain(value) for name, value in recipe.items()}


def _device_type(model) -> str:
    return next((parameter.device.type for parameter in model.parameters()), "cpu")


def _shapes(model) -> list:
    return [[name, *value.shape] for name, value in model.state_dict().items()]


def _optimizer_settings(optimizer, scheduler) -> dict:
    skipped = {"params"} | (_SCHEDULED if scheduler is not None else set())
    groups = [
        {key: _plain(value) for key, value in group.items() if key not in skipped}
        for group in optimizer.param_groups
    ]
    return groups[0] if len(groups) == 1 else {"groups": groups}


def _scheduler_settings(scheduler, num_epochs) -> dict:
    def settings(state):
        if isinstance(state, dict):
            return {k: settings(v) for k, v in state.items() if k not in _PROGRESS}
        if isinstance(state, (list, tuple)):
            return [settings(item) for item in state]
        return _plain(state)

    return {"type": type(scheduler).__name__, "num_epochs": num_epochs} | settings(
        scheduler.state_dict()
    )


def _describe_loader(loader) -> dict:
    dataset = getattr(loader, "dataset", None)
    about = {"loader": type(loader).__name__}
    # The settings of data.Batches, and those that DataLoader has too.
    for name in ("batch_size", "drop_last", "augment", "mean", "std", "shuffle"):
        about[name] = _plain(getattr(loader, name, None))
    if hasattr(loader, "sampler"):  # DataLoader
        about["sampler"] = type(loader.sampler).__name__
    return about | _describe_dataset(dataset)


def _describe_dataset(dataset) -> dict:
    about = {
        "dataset": getattr(dataset, "name", type(dataset).__name__),
        "transform": _plain(getattr(dataset, "transform", None)),
    }
    if hasattr(dataset, "__len__"):
        about["images"] = len(dataset)
    for name in ("images", "labels", "data", "targets"):  # torchvision calls them data and targets
        values = getattr(dataset, name, None)
        if isinstance(values, (torch.Tensor, np.ndarray, list)):
            about[f"checksum of {name}"] = _checksum(values)
    if isinstance(dataset, TensorDataset):
        about["checksum of tensors"] = [_checksum(tensor) for tensor in dataset.tensors]
    if isinstance(dataset, Subset):
        about["checksum of indices"] = _checksum(list(dataset.indices))
        return _describe_dataset(dataset.dataset) | {"part": about}
    return about


def _checksum(values) -> int:
    if isinstance(values, torch.Tensor):
        values = values.cpu().numpy()
    return zlib.crc32(np.ascontiguousarray(values).data)


def _plain(value):
    """A value as something that compares equal in another process."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, torch.Tensor):
        return [round(number, 6) for number in value.flatten().tolist()]
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, torch.nn.Module):  # a loss with settings; its repr does not show them
        public = {k: v for k, v in vars(value).items() if not k.startswith("_") and k != "training"}
        settings = public | dict(value.state_dict())
        return [repr(value), *(f"{key}={_plain(settings[key])}" for key in sorted(settings))]
    if isinstance(value, functools.partial):
        return [_plain(value.func), *_plain(value.args), str(value.keywords)]
    if hasattr(value, "__qualname__"):
        return value.__qualname__
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


# --- random states ----------------------------------------------------------------------------


def random_states(loaders) -> dict:
    """Return the states of Python's, NumPy's and PyTorch's generators and the loaders' own.

    The worker processes of a ``DataLoader`` are seeded from these anew each epoch; only
    ``persistent_workers=True`` keeps random states that nobody can save.
    """
    name, keys, position, has_gauss, gauss = np.random.get_state()
    states = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "loaders": [generator.get_state() for generator in _generators(loaders)],
    }
    if torch.cuda.is_initialized():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: dict, loaders) -> None:
    """Put back what :func:`random_states` answered with."""
    random.setstate(_as_tuples(states["python"]))
    name, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        for index, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, index)
    for generator, state in zip(_generators(loaders), states["loaders"], strict=True):
        generator.set_state(state)


def _generators(loaders) -> list[torch.Generator]:
    """The loaders' own generators (a sampler's too), each once."""
    found = {}
    for loader in loaders:
        for holder in (loader, getattr(loader, "sampler", None)):
            generator = getattr(holder, "generator", None)
            if isinstance(generator, torch.Generator):
                found[id(generator)] = generator
    return list(found.values())


def _as_tuples(value):
    return tuple(_as_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value

"""Checkpoints of :func:`labutils.training.fit`: a run that was stopped goes on where it was.

A checkpoint holds what the next epoch depends on: the weights, the state of optimizer, schedule
and loss scaling, the random states, the number type, and the history so far. It is written to a
temporary name, flushed to disk and renamed, so that a killed save leaves the last good one. It also
describes the run it belongs to, and refuses to go on with anything else. Read with
``weights_only=True``: a checkpoint from a stranger cannot run code.

Where several processes train together (:mod:`labutils.training.distributed`), rank 0 writes it and
all read it. It holds what one process's would, and goes on in any number of processes.
"""

import contextlib
import copy
import glob
import pickle
import random
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Subset

from labutils import files
from labutils.device import device_of, is_quiet
from labutils.training.processes import rank_and_world

FORMAT = 2
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
    if is_quiet():
        return None
    layers = repr((FORMAT, str(model), _shapes(model)))
    images = "sample" if dataset.is_sample else dataset.name
    return Path(folder) / f"{name}_{images}_{zlib.crc32(layers.encode()):08x}.pt"


class Saver:
    """Saves and loads the checkpoint of one run.

    Args:
        path: the file; its folder is made if need be.
        loaders: the run's loaders, training loader first; ``None`` entries are allowed.
        recipe: the other settings of the run, by name.
    """

    def __init__(self, path, model, optimizer, scheduler, loaders, num_epochs, recipe):
        # Of several processes: the network and the batches that one of them would have alone.
        model = model.module if isinstance(model, DistributedDataParallel) else model
        loaders = [getattr(loader, "whole", loader) for loader in loaders]
        self.path = Path(path)
        self.model, self.optimizer, self.scheduler = model, optimizer, scheduler
        self.loaders = loaders
        self.num_epochs = num_epochs
        self.run = _describe_run(model, optimizer, scheduler, loaders, num_epochs, recipe)

    def load(self, dtype: torch.dtype | None, verbose: bool):
        """Put everything back as it was after the last saved epoch.

        Returns the history, what the model is to be computed in (a run keeps the number type that
        it began in, and takes ``dtype`` where it only begins or comes to another kind of device),
        and the state of its loss scaling. Without a file nothing is changed, and both dictionaries
        are empty.

        Raises:
            CheckpointError: not a whole checkpoint, one of another run, or of more epochs; or this
                run holds something that a checkpoint cannot.
        """
        self.dtype = dtype
        self._states()  # what cannot be saved is said before hours of training
        saved = self._read()
        self.is_saved = saved is not None
        if saved is None:
            return {}, dtype, {}
        self._refuse_another_run(saved)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(saved["scheduler"])
        restore_random_states(saved["random"], self.loaders)
        if saved["device"] == device_of(self.model).type:
            self.dtype = saved["dtype"]
        if verbose:
            done = len(saved["history"]["train_loss"])
            print(f"Going on from {self.path}: {done} of {self.num_epochs} epochs are done.")
            if self.dtype != dtype:
                print(f"It goes on in {self.dtype or 'its own number type'}, as it began.")
            before, now = saved.get("processes", 1), rank_and_world()[1]
            if before != now:
                print(f"Saved by {before}, it goes on in {now} process{'es' * (now > 1)}.")
        return saved["history"], self.dtype, saved.get("scaler")  # not in older checkpoints

    def save(self, history: dict, scaler: dict) -> None:
        """Save after an epoch. A save that fails is said, and training goes on without it."""
        rank, world = rank_and_world()
        if rank != 0:
            return
        try:
            state = {
                "format": FORMAT,
                "run": self.run,
                "history": history,
                "model": self.model.state_dict(),
                **self._states(),
                "scaler": scaler,
                "random": random_states(self.loaders),
                "dtype": self.dtype,
                "processes": world,
                "device": device_of(self.model).type,
            }
            with files.replacing(self.path, durable=True) as file:
                torch.save(state, file)
            self.is_saved = True
        except Exception as error:  # a drive that died answers every call with one
            if isinstance(error.__context__, OSError):
                error = error.__context__  # torch.save hides a full disk behind its own
            kept = "the last good one is kept" if self.is_saved else "there is none yet"
            print(
                f"Warning: the checkpoint {self.path} could not be saved "
                f"({getattr(error, 'strerror', None) or error}); {kept}. "
                "Training goes on. Free some space, or name a file in another folder."
            )

    def _states(self) -> dict:
        return {
            "optimizer": _plain(self.optimizer.state_dict(), "optimizer"),
            "scheduler": self.scheduler and _plain(self.scheduler.state_dict(), "scheduler"),
        }

    def _read(self) -> dict | None:
        """Return what the file holds; ``None`` without one."""
        try:
            self._clear_leftovers()
            if not self.path.exists():
                return None
            _check_every_byte(self.path)
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            saved["format"], saved["run"], saved["history"]["train_loss"]
        except Exception as error:  # files of other programs fail in many ways
            raise CheckpointError(
                f"{self.path} cannot be read as a checkpoint of fit() ({_why_unreadable(error)}). "
                "Delete it to start anew, or name another file."
            ) from error
        return saved

    def _clear_leftovers(self) -> None:
        for leftover in self.path.parent.glob(f"{glob.escape(self.path.name[:50])}.*.part"):
            with contextlib.suppress(OSError):  # of a killed save
                leftover.unlink()

    def _refuse_another_run(self, saved: dict) -> None:
        if saved["format"] != FORMAT:
            changes = ["another format"]
        else:
            changes = list(_differences(saved["run"], self.run))
        if changes:
            raise CheckpointError(
                f"{self.path} belongs to another run: {'; '.join(changes)}. "
                "Name another file for this run, or delete that one to start anew."
            )
        done = len(saved["history"]["train_loss"])
        if done > self.num_epochs:
            raise CheckpointError(
                f"{self.path} holds {done} epochs, and {self.num_epochs} were asked for. Ask for "
                f"at least {done}, delete the file to start anew, or name another one."
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


def _plain(state, name=""):
    """The same state with plain numbers for NumPy's: torch.load takes nothing else back.

    Raises:
        CheckpointError: there is something in it that is neither number, text nor tensor.
    """
    if isinstance(state, (np.generic, np.ndarray)) and state.ndim == 0:
        state = state.item()
    if isinstance(state, dict):
        same = copy.copy(state)  # a Counter stays one
        same.clear()
        for key, value in state.items():
            same[_plain(key, name)] = _plain(value, f"{name}'s {key}")
        return same
    if type(state) in (list, tuple):
        return type(state)(_plain(item, name) for item in state)
    if state is None or isinstance(state, (int, float, complex, str, Tensor, torch.dtype)):
        return state
    raise CheckpointError(
        f"this run cannot be kept in a checkpoint: its {name} is or holds a "
        f"{type(state).__name__}, which could not be read back. Give it plain numbers, lists or "
        "tensors, or train without a checkpoint."
    )


# --- which run is it? -------------------------------------------------------------------------


def _describe_run(model, optimizer, scheduler, loaders, num_epochs, recipe) -> dict[str, dict]:
    """What must be the same for a run to go on, setting by setting: not weights, not seeds."""
    run = {
        "model": {"": f"{type(model).__qualname__}: {model}"},
        "list of parameters": {"": _shapes(model)},
        "optimizer": {"type": type(optimizer).__name__, **_settings(optimizer, scheduler)},
        "scheduler": {"type": type(scheduler).__name__},
        "training data": _describe_loader(loaders[0]),
        "test data": _describe_loader(loaders[1]),
        "training data to evaluate": _describe_loader(loaders[2]),
    }
    if scheduler is not None:
        state = scheduler.state_dict()
        run["scheduler"]["num_epochs"] = num_epochs
        run["scheduler"] |= {key: state[key] for key in state if key not in _PROGRESS}
    run |= {name: {"": value} for name, value in recipe.items()}
    return {
        part: {name: _comparable(value) for name, value in settings.items()}
        for part, settings in run.items()
    }


def _differences(there: dict[str, dict], here: dict[str, dict]):
    """Of each part that differs, the first setting that is short enough to be said."""
    for part in here:
        one, other = there.get(part, {}), here[part]
        keys = [key for key in one | other if one.get(key) != other.get(key)]
        pairs = [[f"{key} {its.get(key)}".strip() for its in (one, other)] for key in keys]
        short = [pair for pair in pairs if max(map(len, pair)) <= 60]
        if short:
            yield f"its {part} is {short[0][0]}, this one is {short[0][1]}"
        elif keys:
            yield f"its {part} has another {keys[0]}" if keys[0] else f"its {part} is not this one"


def _shapes(model) -> list:
    return [[name, *value.shape] for name, value in model.state_dict().items()]


def _settings(optimizer, scheduler) -> dict:
    skipped = {"params"} | (_SCHEDULED if scheduler is not None else set())
    groups = [
        {key: value for key, value in group.items() if key not in skipped}
        for group in optimizer.param_groups
    ]
    return groups[0] if len(groups) == 1 else {"groups": groups}


def _describe_loader(loader) -> dict:
    about = {"loader": type(loader).__name__, "own generators": len(_generators([loader]))}
    # The settings of data.Batches, and those that DataLoader has too.
    for name in ("batch_size", "drop_last", "augment", "mean", "std", "shuffle"):
        about[name] = getattr(loader, name, None)
    about["sampler"] = type(getattr(loader, "sampler", None)).__name__
    return about | _describe_dataset(getattr(loader, "dataset", None))


def _describe_dataset(dataset) -> dict:
    about = {
        "dataset": getattr(dataset, "name", type(dataset).__name__),
        "transform": getattr(dataset, "transform", None),
        "images": len(dataset) if hasattr(dataset, "__len__") else None,
    }
    # As ImageSet, torchvision, TensorDataset and Subset call what they hold.
    for name in ("images", "labels", "data", "targets", "tensors", "indices"):
        about[f"checksum of {name}"] = _checksum(getattr(dataset, name, None))
    if isinstance(dataset, Subset):
        return _describe_dataset(dataset.dataset) | {"part": about}
    return about


def _checksum(values):
    if isinstance(values, tuple):
        return [_checksum(value) for value in values]
    if isinstance(values, Tensor):
        values = values.cpu().numpy()
    if isinstance(values, (np.ndarray, list, range)):
        with contextlib.suppress(ValueError):  # rows of unlike lengths
            array = np.ascontiguousarray(values)
            return None if array.dtype.hasobject else zlib.crc32(array.data)
    return None


def _comparable(value):
    """A setting as a number, or as words that are the same in another process."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        value = [round(number, 6) for number in value.flatten().tolist()]
    if isinstance(value, (list, tuple)):
        return str([_comparable(item) for item in value])
    if isinstance(value, dict):
        return str({key: _comparable(value[key]) for key in value if key not in _PROGRESS})
    if isinstance(value, nn.Module):  # a loss; its repr does not show its settings
        settings = vars(value) | value.state_dict()
        public = sorted(key for key in settings if not key.startswith("_") and key != "training")
        return f"{value!r} {[(key, _comparable(settings[key])) for key in public]}"
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
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_states(states: dict, loaders) -> None:
    """Put back what :func:`random_states` returned."""
    random.setstate(_as_tuples(states["python"]))
    name, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        for index, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(state, index)
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])
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

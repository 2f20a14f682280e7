"""Two libraries a user might train with instead: fastai and Lightning, at their defaults.

Each function trains one epoch with SGD and returns its seconds, from the first batch to the
last update: what the library sets up before does not count. Progress bars, loggers and checkpoints
are as the library has them. Needs ``pip install -e ".[bench]"``.
"""

import contextlib
import dataclasses
import functools
import importlib.util
import io
import logging
import tempfile
import time
import warnings

from torch import nn
from torch.utils.data import DataLoader, Subset

from benchmarks import lecture
from benchmarks.rows import Row, wait
from labutils.device import device_of

PACKAGES = {"fastai": "fastai", "Lightning": "pytorch_lightning"}


def available() -> dict:
    """Return the epoch functions of the peers that are installed, by name."""
    functions = {"fastai": fastai_epoch, "Lightning": lightning_epoch}
    return {n: functions[n] for n, module in PACKAGES.items() if importlib.util.find_spec(module)}


def rows(row: Row, group: str) -> dict[str, Row]:
    """Return a row for each peer, by name, made of the row with the lecture: at least as fast."""
    return {
        name: dataclasses.replace(row, name=f"{group}_{name.lower()}", yardstick=name, at_least=1.0)
        for name in PACKAGES
    }


def epochs(make, images, batch_size: int, lr: float, **lecture_options) -> dict:
    """Return, by name, calls that train a new network (``make()``) and answer with the seconds.

    They are the lecture's pipeline and the peers that are installed, all with momentum 0.9.
    """
    dataset = lecture.dataset(images)
    functions = {"lecture": functools.partial(lecture.epoch_seconds, **lecture_options)}
    return {
        name: lambda function=function: function(make(), dataset, batch_size, lr, 0.9)
        for name, function in (functions | available()).items()
    }


def fastai_epoch(model: nn.Module, dataset, batch_size: int, lr: float, momentum: float) -> float:
    with _silent():
        from fastai.callback.core import Callback
        from fastai.data.core import DataLoaders
        from fastai.learner import Learner
        from fastai.optimizer import SGD

        class Clock(Callback):
            def before_train(self):
                self.start = time.perf_counter()

            def after_train(self):
                wait()
                self.seconds = time.perf_counter() - self.start

        one_batch = Subset(dataset, range(batch_size))  # fastai validates after every epoch
        batches = DataLoaders.from_dsets(dataset, one_batch, bs=batch_size, device=device_of(model))
        clock = Clock()
        learner = Learner(
            batches, model, loss_func=nn.CrossEntropyLoss(), opt_func=SGD, moms=(momentum,) * 3
        )
        learner.fit(1, lr, cbs=clock)
    return clock.seconds


def lightning_epoch(
    model: nn.Module, dataset, batch_size: int, lr: float, momentum: float
) -> float:
    with _silent(), tempfile.TemporaryDirectory() as folder:
        import pytorch_lightning as lightning
        import torch

        class Module(lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.model, self.loss = model, nn.CrossEntropyLoss()

            def training_step(self, batch, batch_idx):
                images, labels = batch
                return self.loss(self.model(images), labels)

            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=lr, momentum=momentum)

            def on_train_epoch_start(self):
                self.start = time.perf_counter()

            def on_train_epoch_end(self):
                wait()
                self.seconds = time.perf_counter() - self.start

        module = Module()
        kind = {"cpu": "cpu", "cuda": "gpu", "mps": "mps"}[device_of(model).type]
        trainer = lightning.Trainer(max_epochs=1, accelerator=kind, default_root_dir=folder)
        trainer.fit(module, DataLoader(dataset, batch_size, shuffle=True))
    return module.seconds


@contextlib.contextmanager
def _silent():
    """Progress bars draw into a string; warnings and log lines are dropped."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(nowhere):
            yield

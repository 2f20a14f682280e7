"""Training that was stopped, or killed, and run again ends as if it had not been."""

import errno
import functools
import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Subset, TensorDataset
from torchvision import transforms

from labutils import data, training
from labutils.training import checkpoints, recipes
from labutils.training.checkpoints import CheckpointError, file_for
from tests.toy_data import noise

from .test_training import image_set, same_weights


def network():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(48, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(16, 10),
    )


def flipped(images=None, size=16, shuffle=True, augment=data.random_flip, **settings):
    images = images or image_set(60)
    return data.Batches(images, size, shuffle=shuffle, augment=augment, **settings)


def make_run(schedule=None, optimizer="SGD", batches=None, model=None):
    """A fresh model and everything fit() needs, always from the same seed."""
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    model = model or network()
    if optimizer == "SGD":
        updates = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    else:
        updates = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = batches or flipped()
    arguments = dict(optimizer=updates, num_epochs=4, verbose=False)
    if schedule:
        arguments |= schedule(updates, len(loader))
    return model, (loader, data.Batches(image_set(20, seed=1), 8)), arguments


def run(path=None, **changes):
    model, loaders, arguments = make_run(**changes)
    history = training.fit(model, *loaders, checkpoint=path, **arguments)
    return model, history


def run_and_stop(path, stop_at, **changes):
    """As :func:`run`, with an interrupt when epoch ``stop_at`` (from 0) begins."""
    model, (loader, test), arguments = make_run(**changes)

    class Stopping(type(loader)):
        epochs = 0

        def __iter__(self):
            if self.epochs == stop_at:
                raise KeyboardInterrupt
            self.epochs += 1
            return super().__iter__()

    Stopping.__name__ = type(loader).__name__
    loader.__class__ = Stopping
    history = training.fit(model, loader, test, checkpoint=path, **arguments)
    assert len(history) == stop_at


def same_numbers(one, other):
    without_time = [{k: v for k, v in vars(h).items() if k != "seconds"} for h in (one, other)]
    return without_time[0] == without_time[1]


SCHEDULES = {
    "none": None,
    "step": lambda o, n: {"scheduler": lr_scheduler.StepLR(o, 2)},
    "multistep": lambda o, n: {"scheduler": lr_scheduler.MultiStepLR(o, [1, 3])},
    "plateau": lambda o, n: {"scheduler": lr_scheduler.ReduceLROnPlateau(o, patience=0)},
    "cosine": lambda o, n: {"scheduler": lr_scheduler.CosineAnnealingLR(o, 4)},
    "lambda": lambda o, n: {"scheduler": lr_scheduler.LambdaLR(o, lambda step: 0.9**step)},
    "one-cycle": lambda o, n: {
        "scheduler": lr_scheduler.OneCycleLR(o, 0.2, total_steps=4 * n),
        "step_scheduler": "batch",
    },
    "sequential": lambda o, n: {
        "scheduler": lr_scheduler.SequentialLR(
            o, [lr_scheduler.ConstantLR(o), lr_scheduler.ExponentialLR(o, 0.9)], [2]
        )
    },
}


class Scratched:
    """An augmentation by every generator there is, in a worker process of its own."""

    def __call__(self, image):
        pixels = np.asarray(image) + np.random.normal(size=3) + random.random()
        return torch.tensor(pixels, dtype=torch.float32).permute(2, 0, 1) + torch.rand(1)


def scratched(num_workers):
    train = image_set(60)
    train.transform = Scratched()
    return DataLoader(train, batch_size=16, shuffle=True, num_workers=num_workers)


def tensors(seed=0):
    return TensorDataset(*next(iter(data.Batches(image_set(60, seed=seed), 60))))


def in_any_order(generator):
    return DataLoader(tensors(), batch_size=16, shuffle=True, generator=generator)


def convolutional():
    torch.manual_seed(3)
    layers = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 10)
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def numpy_settings(optimizer, steps):
    """Numbers as a search over ``np.logspace`` hands them over."""
    optimizer.param_groups[0]["lr"] = np.logspace(-3, -1, 3)[1]
    scheduler = lr_scheduler.MultiStepLR(optimizer, list(np.arange(1, 4, 2)), np.float32(0.5))
    return {"scheduler": scheduler, "grad_clip": np.float64(1.0)}


def in_float16(optimizer, steps):
    """The first steps overflow, and are left out."""
    return SCHEDULES["one-cycle"](optimizer, steps) | {
        "dtype": torch.float16, "grad_clip": 1.0, "loss_fn": steep,
    }  # fmt: skip


def steep(logits, labels):
    return 100 * nn.functional.cross_entropy(logits, labels)


IN_BFLOAT16 = {"dtype": torch.bfloat16, "grad_clip": 1.0}
# What makes each kind of run, anew at every call.
KINDS = {
    "adam": lambda: dict(optimizer="Adam"),
    "an order of its own": lambda: dict(batches=flipped(seed=7)),
    "a DataLoader": lambda: dict(batches=in_any_order(None)),
    "its own generator": lambda: dict(batches=in_any_order(torch.Generator().manual_seed(5))),
    "workers, augmentation, adam, plateau": lambda: dict(
        batches=scratched(num_workers=2), optimizer="Adam", schedule=SCHEDULES["plateau"]
    ),
    "channels last and bfloat16": lambda: dict(
        model=convolutional(), schedule=lambda o, n: IN_BFLOAT16
    ),
    "float16": lambda: dict(schedule=in_float16),
    "numbers of NumPy's": lambda: dict(schedule=numpy_settings),
    **{name: lambda name=name: dict(schedule=SCHEDULES[name]) for name in SCHEDULES},
}


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_ends_as_one_that_was_not(tmp_path, kind):
    model, history = run(**KINDS[kind]())
    for stop_at in (1, 3):
        path = tmp_path / f"{stop_at}.pt"
        run_and_stop(path, stop_at, **KINDS[kind]())
        torch.rand(5), random.random(), np.random.rand()  # whatever happened in between
        resumed, resumed_history = run(path, **KINDS[kind]())
        assert same_weights(resumed, model)
        assert same_numbers(resumed_history, history)


@pytest.mark.parametrize(
    "first, then",
    [(torch.bfloat16, None), (None, torch.float16), (torch.float16, torch.bfloat16)],
)
def test_a_run_goes_on_in_the_number_type_it_began_in(first, then, tmp_path, capsys):
    """Another machine may choose another type, or the environment ask for one."""
    path = tmp_path / "c.pt"
    model, history = run(schedule=lambda o, n: {"dtype": first})
    run_and_stop(path, 2, schedule=lambda o, n: {"dtype": first})
    resumed, resumed_history = run(path, schedule=lambda o, n: {"dtype": then, "verbose": True})
    assert same_weights(resumed, model) and same_numbers(resumed_history, history)
    said = f"It goes on in {first or 'its own number type'}, as it began.\n"
    assert said in capsys.readouterr().out


def test_on_another_kind_of_device_a_run_takes_the_number_type_of_that_one(tmp_path, monkeypatch):
    path = tmp_path / "c.pt"
    monkeypatch.setattr(checkpoints, "device_of", lambda model: torch.device("cuda"))
    run_and_stop(path, 2, schedule=lambda o, n: {"dtype": torch.bfloat16})
    monkeypatch.undo()
    run(path)
    saved = torch.load(path, weights_only=True)
    assert saved["dtype"] is None and len(saved["history"]["train_loss"]) == 4


def test_a_checkpoint_from_before_float16_is_gone_on_from(tmp_path):
    path = tmp_path / "c.pt"
    model, history = run()
    run_and_stop(path, 2)
    saved = torch.load(path, weights_only=True)
    assert saved.pop("scaler") == {}
    torch.save(saved, path)
    resumed, resumed_history = run(path)
    assert same_weights(resumed, model) and same_numbers(resumed_history, history)


def test_the_scale_of_the_loss_is_kept(tmp_path):
    run_and_stop(tmp_path / "c.pt", 2, schedule=in_float16)
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    assert 1 <= saved["scaler"]["scale"] < 2**16 and saved["scaler"]["_growth_tracker"] > 0


def test_saving_changes_nothing(tmp_path):
    model, history = run()
    saved_model, saved_history = run(tmp_path / "c.pt")
    assert same_weights(saved_model, model) and same_numbers(saved_history, history)
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_a_finished_run_is_read_back_without_training_and_says_so(tmp_path, capsys):
    model, history = run(tmp_path / "c.pt")
    again, read = run(tmp_path / "c.pt", schedule=lambda o, n: {"verbose": True})
    assert same_weights(again, model) and read == history
    said = f"Going on from {tmp_path / 'c.pt'}: 4 of 4 epochs are done.\n"
    assert capsys.readouterr().out == said


def test_more_epochs_may_be_asked_for(tmp_path):
    run(tmp_path / "c.pt")
    assert len(run(tmp_path / "c.pt", schedule=lambda o, n: {"num_epochs": 6})[1]) == 6


def test_the_same_cell_run_again_goes_on(tmp_path):
    """Same model, optimizer and scheduler objects, as after an interrupt in a notebook."""
    model, history = run(schedule=SCHEDULES["one-cycle"])
    again, loaders, arguments = make_run(schedule=SCHEDULES["one-cycle"])
    calls = []

    def stop_once(module, inputs):
        calls.append(1)
        if len(calls) == 9:
            raise KeyboardInterrupt

    again.register_forward_pre_hook(stop_once)
    path = tmp_path / "c.pt"
    assert len(training.fit(again, *loaders, checkpoint=path, **arguments)) < 4
    second = training.fit(again, *loaders, checkpoint=path, **arguments)
    assert same_weights(again, model) and same_numbers(second, history)


# --- what is refused --------------------------------------------------------------------------


def wider():
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 20), nn.Linear(20, 10))


def test_another_run_is_refused_and_named(tmp_path):
    path = tmp_path / "c.pt"
    run(path)
    before = path.read_bytes()
    cases = {
        "model": dict(model=wider()),
        "optimizer": dict(optimizer="Adam"),
        "training data": dict(batches=flipped(image_set(60, seed=8))),
        "images 60, this one is images 50": dict(batches=flipped(image_set(50))),
        "shuffle True, this one is shuffle False": dict(batches=flipped(shuffle=False)),
        "batch_size 16, this one is batch_size 32": dict(batches=flipped(size=32)),
        "augment random_flip, this one is augment None": dict(batches=flipped(augment=None)),
        r"mean \[0.5\], this one is mean \[0.4\]": dict(batches=flipped(mean=0.4)),
        "own generators 0, this one is own generators 1": dict(batches=flipped(seed=7)),
        "scheduler": dict(schedule=SCHEDULES["step"]),
        "grad_clip is None, this one is 1.0": dict(schedule=lambda o, n: {"grad_clip": 1.0}),
        "loss_fn is cross_entropy, this one is mse_loss": dict(
            schedule=lambda o, n: {"loss_fn": nn.functional.mse_loss}
        ),
        "holds 4 epochs, and 2 were asked for": dict(schedule=lambda o, n: {"num_epochs": 2}),
    }
    for message, changes in cases.items():
        model, loaders, arguments = make_run(**changes)
        weights = [p.clone() for p in model.parameters()]
        with pytest.raises(CheckpointError, match=message):
            training.fit(model, *loaders, checkpoint=path, **arguments)
        assert all(map(torch.equal, model.parameters(), weights)), "refused, but loaded"
    assert path.read_bytes() == before


def loader_of(dataset, transform=None):
    if transform is not None:
        dataset.transform = transform
    return DataLoader(dataset, batch_size=16)


class Files(TensorDataset):
    """Keeps something beside its tensors that has no checksum."""

    def __init__(self, folder):
        super().__init__(*tensors().tensors)
        self.name, self.data, self.labels = folder, [Path(folder)], [[1], [1, 2]]


TO_TENSOR = transforms.ToTensor()
NORMALIZED = transforms.Compose([TO_TENSOR, transforms.Normalize(0.5, 0.5)])
# Loaders made from one value and from another, and what is said of two runs that differ in nothing
# but this.
ALIKE = {
    "tensors": (lambda seed: loader_of(tensors(seed)), 0, 8, "training data"),
    "part": (
        lambda part: loader_of(Subset(tensors(), part)), range(30), range(30, 60), "training data"
    ),
    "whole of a part": (
        lambda seed: loader_of(Subset(tensors(seed), range(30))), 0, 8, "training data"
    ),
    "transform": (
        lambda transform: loader_of(image_set(60), transform), TO_TENSOR, NORMALIZED,
        "its training data has another transform",
    ),
    "crop": (
        lambda size: flipped(augment=data.random_crop(size)), 1, 2,
        r"augment random_crop\(1\), this one is augment random_crop\(2\)",
    ),
    "files": (lambda folder: loader_of(Files(folder)), "a", "b", "is dataset a, this one is"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_runs_that_look_alike_are_told_apart(name, tmp_path):
    loader, one, other, message = ALIKE[name]
    run(tmp_path / "c.pt", batches=loader(one))
    with pytest.raises(CheckpointError, match=message):
        run(tmp_path / "c.pt", batches=loader(other))
    run(tmp_path / "c.pt", batches=loader(one))  # made anew, it is the same run


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (nn.CrossEntropyLoss, lambda: nn.CrossEntropyLoss(label_smoothing=0.1)),
        (nn.CrossEntropyLoss, lambda: nn.CrossEntropyLoss(weight=torch.ones(10))),
        (
            lambda: functools.partial(nn.functional.cross_entropy, label_smoothing=0.1),
            lambda: functools.partial(nn.functional.cross_entropy, label_smoothing=0.2),
        ),
    ],
)
def test_the_settings_of_a_loss_count(one, other, tmp_path):
    run(tmp_path / "c.pt", schedule=lambda o, n: {"loss_fn": one()})
    with pytest.raises(CheckpointError, match="loss_fn"):
        run(tmp_path / "c.pt", schedule=lambda o, n: {"loss_fn": other()})
    run(tmp_path / "c.pt", schedule=lambda o, n: {"loss_fn": one()})


def test_a_schedule_of_another_length_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    run(path, schedule=SCHEDULES["one-cycle"])

    def longer(optimizer, steps):
        scheduler = lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=8 * steps)
        return {"scheduler": scheduler, "step_scheduler": "batch", "num_epochs": 8}

    with pytest.raises(CheckpointError, match="num_epochs 4.*num_epochs 8"):
        run(path, schedule=longer)


def test_a_checkpoint_cut_off_anywhere_is_refused_and_left_alone(tmp_path):
    """At every border of the archive's members, beside it, and at random places."""
    path = tmp_path / "c.pt"
    run(path)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        borders = [member.header_offset for member in archive.infolist()] + [archive.start_dir]
    chance = random.Random(0)
    lengths = {border + step for border in borders for step in (0, 1, 31)}
    lengths |= {chance.randrange(len(content)) for _ in range(20)} | {len(content) - 1}
    model, loaders, arguments = make_run()
    weights = [p.clone() for p in model.parameters()]
    for length in sorted(lengths):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="it is cut off, or something else.*Delete it"):
            training.fit(model, *loaders, checkpoint=path, **arguments)
        assert path.read_bytes() == content[:length]
        assert all(map(torch.equal, model.parameters(), weights))


def test_what_is_no_checkpoint_is_refused_and_left_alone(tmp_path):
    text, weights = tmp_path / "text.pt", tmp_path / "weights.pt"
    text.write_text("not a checkpoint")
    torch.save(network().state_dict(), weights)
    for path in (text, weights):
        content = path.read_bytes()
        with pytest.raises(CheckpointError, match=f"{path.name} cannot be read as a checkpoint"):
            run(path)
        assert path.read_bytes() == content


def test_a_failed_save_keeps_the_last_good_one_and_training_goes_on(tmp_path, monkeypatch, capsys):
    path = tmp_path / "c.pt"
    run_and_stop(path, 2)
    good = path.read_bytes()

    def full_disk(state, file):
        file.write(b"half a checkp")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    model, history = run(path)
    assert len(history) == 4
    assert path.read_bytes() == good and [p.name for p in tmp_path.iterdir()] == ["c.pt"]
    assert "No space left on device" in capsys.readouterr().out


def test_a_drive_that_dies_costs_the_checkpoint_and_not_the_training(tmp_path, monkeypatch, capsys):
    """As Colab's Drive does: every call on a file there fails, in error handlers too."""

    def dies(call):
        def dying(path, *arguments, **settings):
            if str(path).startswith(str(tmp_path)):
                raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
            return call(path, *arguments, **settings)

        return dying

    def die_in_the_second_epoch(progress):
        if len(progress.history) == 1 and len(progress.losses) == 1:
            for name in ("stat", "lstat", "mkdir", "unlink", "replace", "scandir", "listdir"):
                monkeypatch.setattr(os, name, dies(getattr(os, name)))
            monkeypatch.setattr("builtins.open", dies(open))

    path = tmp_path / "c.pt"
    _, history = run(path, schedule=lambda o, n: {"on_batch": die_in_the_second_epoch})
    with pytest.raises(CheckpointError, match="cannot be read .*not connected"):
        run(path)
    monkeypatch.undo()
    assert len(history) == 4 and path.exists()
    warning = "could not be saved (Transport endpoint is not connected); the last good one is kept"
    assert capsys.readouterr().out.count(warning) == 3


def test_what_could_not_be_read_back_is_refused_before_training(tmp_path):
    def schedule(optimizer, steps):
        rates = lr_scheduler.LambdaLR(optimizer, recipes.OneCycle(4, 0.2))
        rates.lr_lambdas[0].file = Path("rates.txt")
        return {"scheduler": rates}

    with pytest.raises(CheckpointError, match=r"scheduler's lr_lambdas's file is .* \w*Path"):
        run(tmp_path / "c.pt", schedule=schedule)
    assert len(run(schedule=schedule)[1]) == 4  # without a checkpoint


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_the_random_states_of_every_device_are_kept(device, monkeypatch):
    """With stand-ins for the device's own generator."""
    own, state = getattr(torch, device), torch.arange(9, dtype=torch.uint8)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: device == "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device == "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: device == "mps")
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [state])
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state)
    restored = []
    monkeypatch.setattr(own, "set_rng_state", lambda state, *index: restored.append(state))
    checkpoints.restore_random_states(checkpoints.random_states([]), [])
    assert restored == [state]


def test_two_runs_with_one_file_do_not_mix_their_bytes(tmp_path, capsys):
    """The second one finds the first in the middle of a save, and clears it away."""
    path = tmp_path / "net [1].pt"
    plain_save = torch.save

    def run_in_between(state, file):
        torch.save = plain_save
        run(path)
        plain_save(state, file)

    torch.save = run_in_between
    try:
        run(path)
    finally:
        torch.save = plain_save
    run(path)  # whole
    assert list(tmp_path.iterdir()) == [path]


# --- the file of a notebook's run -------------------------------------------------------------


@pytest.fixture
def at_home(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("LABUTILS_BUDGET", "cpu")


def test_a_changed_network_gets_a_file_of_its_own(at_home):
    def file(*layers):
        return file_for("net", nn.Sequential(*layers), image_set())

    assert file(nn.Linear(3, 2)) == file(nn.Linear(3, 2))  # the weights do not count
    assert file(nn.Linear(3, 2)).parent == Path("checkpoints")
    networks = [nn.Linear(3, 2)], [nn.Linear(3, 2), nn.ReLU()], [nn.Linear(3, 3)], [nn.ReLU()]
    assert len({file(*layers) for layers in networks}) == 4


def test_a_dataset_has_the_same_file_wherever_it_came_from(at_home):
    """Downloaded in the first session, it is found on the disk in the next one."""

    def file(source):
        dataset = noise(5)
        dataset.source = source
        return file_for("net", nn.Linear(3, 2), dataset).name

    assert file("downloaded") == file("local") == file("npz")
    assert file("local").startswith("net_cifar10_") and file("sample").startswith("net_sample_")


@pytest.mark.parametrize("name, value", [("CI", "true"), ("LABUTILS_BUDGET", "smoke")])
def test_continuous_integration_starts_anew(at_home, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert file_for("net", nn.Linear(3, 2), image_set()) is None

"""fit, evaluate and the rest of labutils.training, on problems of a second or less."""

import copy
import gc
import math
import os
import pickle
import random
import time
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from labutils import data, training
from labutils.training import complaints
from labutils.training.loop import CHECK_EVERY


def image_set(n=100, num_classes=10, seed=0):
    """Noise around one picture per class, 4x4 RGB: a linear model learns it at once."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randint(0, 256, (10, 4, 4, 3), generator=torch.Generator().manual_seed(9))
    labels = torch.randint(0, num_classes, (n,), generator=generator)
    noise = torch.randint(-30, 30, (n, 4, 4, 3), generator=generator)
    images = (patterns[labels] + noise).clamp(0, 255).to(torch.uint8)
    return data.ImageSet(
        images, labels, classes=map(str, range(10)), name="patterns", source="local"
    )


def linear(num_classes=10):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, num_classes))


def sgd(model, lr=0.1, **settings):
    return torch.optim.SGD(model.parameters(), lr=lr, **settings)


def tensors(n):
    return TensorDataset(torch.zeros(n, 3, 4, 4), torch.zeros(n, dtype=torch.long))


def batches_of(num_images, size=10):
    return data.Batches(image_set(num_images), size)


def fit(model, loader, test_loader=None, *, num_epochs=1, verbose=False, **settings):
    """``training.fit`` with what most tests do not care about."""
    settings.setdefault("optimizer", sgd(model))
    return training.fit(
        model, loader, test_loader, num_epochs=num_epochs, verbose=verbose, **settings
    )


def same_weights(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# --- fit is the students' loop ----------------------------------------------------------------


def test_fit_does_what_the_loop_of_the_notebooks_does():
    train, test = image_set(100), image_set(37, seed=1)
    by_fit, by_hand = linear(), linear()

    torch.manual_seed(1)
    history = fit(
        by_fit, data.Batches(train, 16, shuffle=True), data.Batches(test, 10), num_epochs=3
    )

    torch.manual_seed(1)
    loader, optimizer = data.Batches(train, 16, shuffle=True), sgd(by_hand)
    for epoch in range(3):
        by_hand.train()
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(by_hand(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        assert history.train_loss[epoch] == pytest.approx(total / 100, rel=1e-6)
        images, labels = next(iter(data.Batches(test, 37)))  # draws a number, as in fit
        with torch.no_grad():
            logits = by_hand(images)
        accuracy = (logits.argmax(1) == labels).float().mean().item()
        assert history.test_accuracy[epoch] == pytest.approx(accuracy)
        assert history.test_loss[epoch] == pytest.approx(F.cross_entropy(logits, labels).item())

    assert len(history) == 3 and history.lr == [0.1] * 3 and len(history.seconds) == 3
    assert [len(losses) for losses in history.batch_loss] == [7, 7, 7]
    assert history.test_accuracy[-1] > 0.9


def test_fit_trains_in_train_mode_evaluates_in_eval_mode_and_leaves_eval_mode():
    modes, model, batches = [], linear(), batches_of(20)
    model.register_forward_pre_hook(lambda *_: modes.append(model.training))
    fit(model, batches, batches, num_epochs=2)
    assert modes == [True, True, False, False] * 2
    assert not model.training


def test_a_dataloader_works_as_batches_do():
    images, labels = next(iter(batches_of(64, 64)))
    model = linear()
    loader = DataLoader(TensorDataset(images, labels), batch_size=16)
    history = fit(model, loader, num_epochs=2)
    assert history.train_loss[1] < history.train_loss[0]
    assert history.test_accuracy == [] and history.test_loss == []


class Stream(IterableDataset):
    """Three batches, and no length."""

    def __iter__(self):
        return iter([tensors(2)[:]] * 3)


@pytest.mark.parametrize("loader", [Stream(), DataLoader(Stream(), batch_size=None)])
def test_a_loader_of_unknown_length_works(loader):
    model = linear()
    history = fit(model, loader, num_epochs=np.int64(1))
    assert len(history.batch_loss[0]) == 3


def test_the_mean_loss_weighs_a_short_last_batch_by_its_size():
    model, train = linear(), image_set(17)
    history = fit(model, data.Batches(train, 16), optimizer=sgd(model, lr=0.0))
    images, labels = next(iter(data.Batches(train, 17)))
    assert history.train_loss[0] == pytest.approx(F.cross_entropy(model(images), labels).item())


@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_grad_clip_limits_the_step(dtype):
    model = linear()
    before = copy.deepcopy(model)
    fit(model, batches_of(16, 16), optimizer=sgd(model, lr=1.0), grad_clip=0.01, dtype=dtype)
    steps = [a - b for a, b in zip(model.parameters(), before.parameters(), strict=True)]
    norm = math.sqrt(sum(step.square().sum().item() for step in steps))
    assert norm == pytest.approx(0.01, rel=1e-3)


def test_the_scheduler_is_stepped_per_epoch_or_per_batch():
    batches = batches_of(40)
    for step, expected in (("epoch", [0.1, 0.05]), ("batch", [0.1 / 16, 0.1 / 256])):
        model = linear()
        optimizer = sgd(model)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        schedule = dict(optimizer=optimizer, scheduler=scheduler, step_scheduler=step)
        history = fit(model, batches, num_epochs=2, **schedule)
        assert history.lr == pytest.approx(expected)


def test_a_plateau_scheduler_is_given_the_test_loss():
    model, batches = linear(), batches_of(20)
    optimizer = sgd(model)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    seen = []
    scheduler.step = seen.append
    history = fit(model, batches, batches, optimizer=optimizer, scheduler=scheduler, num_epochs=2)
    assert seen == history.test_loss


def test_train_eval_loader_gives_the_training_accuracy():
    model, train = linear(), image_set(50)
    batches = data.Batches(train, 25)
    history = fit(model, batches, train_eval_loader=batches, num_epochs=2)
    assert history.train_accuracy[-1] == training.evaluate(model, batches)[1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bits_compute_the_model_but_not_the_loss(dtype):
    seen = {}

    def loss_fn(logits, labels):
        seen["loss"] = logits.dtype
        return F.cross_entropy(logits, labels)

    model = linear()
    model[1].register_forward_hook(lambda _, __, out: seen.update(model=out.dtype))
    fit(model, batches_of(16, 16), loss_fn=loss_fn, dtype=dtype)
    assert seen == {"model": dtype, "loss": torch.float32}
    assert model[1].weight.dtype == torch.float32


def test_float16_learns_what_float32_learns():
    """With gradients too small for float16, were the loss not scaled."""

    def small(logits, labels):
        return F.cross_entropy(logits, labels) / 1e6

    trained = {}
    for dtype in (None, torch.float16):
        model = trained[dtype] = linear()
        optimizer = sgd(model, lr=1e5, momentum=0.9)
        settings = dict(optimizer=optimizer, loss_fn=small, grad_clip=1e-6, dtype=dtype)
        fit(model, batches_of(60), num_epochs=3, **settings)
    for half, single in zip(*(model.parameters() for model in trained.values()), strict=True):
        torch.testing.assert_close(half, single, rtol=0.02, atol=0.002)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("grad_clip", [None, 1.0])
def test_a_step_whose_gradients_overflow_is_not_counted(fused, grad_clip):
    """Weights, momentum and learning rate are then those of a run without these steps."""

    def train(dtype, num_epochs):
        model, rates = linear(), []
        optimizer = sgd(model, lr=1e-3, momentum=0.9, fused=fused)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        fit(
            model, batches_of(10), num_epochs=num_epochs, optimizer=optimizer, scheduler=schedule,
            step_scheduler="batch", loss_fn=lambda z, y: 100 * F.cross_entropy(z, y), dtype=dtype,
            grad_clip=grad_clip, on_batch=lambda _: rates.append(schedule.get_last_lr()[0]),
        )  # fmt: skip
        return model, rates

    half, rates = train(torch.float16, 12)
    skipped = rates.count(1e-3)
    assert 3 <= skipped <= 9 and rates[:skipped] == [1e-3] * skipped
    single, expected = train(None, 12 - skipped)
    assert rates[skipped:] == expected
    for one, other in zip(half.parameters(), single.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0.01, atol=0.002)


def test_float16_that_can_make_no_step_is_said():
    def broken_backward(logits, labels):
        return (0 * logits).sqrt().sum()  # 0, and its gradient is no number

    with pytest.raises(FloatingPointError, match="(?s)in epoch 1.*LABUTILS_DTYPE=float32"):
        fit(linear(), batches_of(40, 2), loss_fn=broken_backward, dtype=torch.float16)


def test_small_steps_run_on_one_thread_and_evaluation_on_all():
    before = torch.get_num_threads()
    seen = []
    try:
        torch.set_num_threads(2)
        for size in (8, 32):
            model = linear()
            model.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
            batches, tests = (data.Batches(image_set(32), size) for _ in range(2))
            fit(model, batches, tests)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1] * 4 + [2] * 4 + [2] * 2  # training, then evaluation


def test_an_interrupt_keeps_what_was_learned(capsys):
    class Impatient:
        def __init__(self, batches):
            self.batches, self.epochs = batches, 0

        def __iter__(self):
            self.epochs += 1
            for index, batch in enumerate(self.batches):
                if self.epochs == 3 and index == 1:
                    raise KeyboardInterrupt
                yield batch

    model = linear()
    before = copy.deepcopy(model)
    batches = batches_of(40)
    history = fit(model, Impatient(batches), batches, num_epochs=5)
    assert len(history) == len(history.test_accuracy) == len(history.seconds) == 2
    assert "Stopped by you in epoch 3 of 5, after 1 batches" in capsys.readouterr().out
    assert not same_weights(model, before) and not model.training


# --- on_batch ---------------------------------------------------------------------------------


def train_three_epochs(on_batch, checkpoint=None):
    """Return model and history of three epochs of five batches."""
    model, batches = linear(), data.Batches(image_set(47), 10, shuffle=True)
    torch.manual_seed(2)
    settings = dict(num_epochs=3, checkpoint=checkpoint, on_batch=on_batch)
    return model, fit(model, batches, batches, **settings)


def test_on_batch_sees_every_batch_and_changes_nothing():
    seen = []

    def look(progress):
        loss = float(progress.losses[-1])
        seen.append((len(progress.history), len(progress.losses), loss))
        assert (progress.num_epochs, progress.num_batches) == (3, 5)

    plain, plain_history = train_three_epochs(None)
    watched, history = train_three_epochs(look)
    assert same_weights(plain, watched)
    assert history.batch_loss == plain_history.batch_loss
    assert history.test_loss == plain_history.test_loss
    assert [place[:2] for place in seen] == [(e, b) for e in range(3) for b in range(1, 6)]
    assert [place[2] for place in seen] == sum(history.batch_loss, [])


def test_a_training_keeps_no_tensor_of_a_batch():
    """On a CPU, a small tensor kept from every batch would split the memory that batches share."""
    counts = []

    def look(progress):
        tensors = [1 for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
        counts.append((len(progress.losses), len(tensors)))

    train_three_epochs(look)
    by_batch = dict(counts[5:10])  # of the second epoch: the first still makes momentum and more
    assert by_batch[5] == by_batch[1]


def test_on_batch_stops_as_an_interrupt_does(capsys, tmp_path):
    def stop(progress):
        return len(progress.history) == 1 and len(progress.losses) == 3

    path = tmp_path / "run.pt"
    plain, _ = train_three_epochs(None)
    model, history = train_three_epochs(stop, path)
    assert len(history) == len(history.test_accuracy) == 1 and not model.training
    assert "Stopped by you in epoch 2 of 3, after 3 batches." in capsys.readouterr().out
    assert not same_weights(model, plain)
    resumed, history = train_three_epochs(None, path)  # it goes on after the last whole epoch
    assert len(history) == 3 and same_weights(resumed, plain)


def test_on_batch_with_a_loader_of_unknown_length():
    seen = []
    fit(linear(), Stream(), on_batch=lambda progress: seen.append(progress.num_batches))
    assert seen == [None] * 3


def test_nobody_watches_nothing_on_stderr_and_one_line_an_epoch(capfd, monkeypatch):
    monkeypatch.setenv("CI", "true")
    model, batches = linear(), batches_of(20)
    fit(model, batches, batches, num_epochs=2, verbose=True)
    out, err = capfd.readouterr()
    assert err == ""
    assert [line.split(" · ")[0] for line in out.splitlines()] == ["epoch 1/2", "epoch 2/2"]


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [fit, training.evaluate])
def test_labels_without_an_output_are_named(call):
    with pytest.raises(ValueError, match=r"labels go from 0 to 9, but the model has 5 outputs"):
        call(linear(num_classes=5), batches_of(40))


def test_a_label_without_an_output_in_a_later_batch_is_named():
    images, labels = torch.zeros(4, 3, 4, 4), torch.tensor([0, 1, 2, 10])
    with pytest.raises(ValueError, match="a label has no output in the model"):
        fit(linear(), DataLoader(TensorDataset(images, labels), batch_size=2))


@pytest.mark.parametrize(
    "mistake", [IndexError("my own"), RuntimeError("mat1 and mat2"), TypeError("cannot pickle")]
)
def test_other_errors_are_left_alone(mistake):
    def broken(*_):
        raise mistake

    model = linear()
    model.register_forward_pre_hook(broken)
    with pytest.raises(type(mistake), match=f"^{mistake}$"):
        fit(model, batches_of(4, 2))


@pytest.mark.parametrize("when", ["forward", "backward"])
@pytest.mark.parametrize("said", ["CUDA out of memory. Tried ...", "CUDNN_STATUS_ALLOC_FAILED"])
def test_out_of_memory_says_what_to_do_and_holds_nothing(said, when, monkeypatch):
    activations = []

    class Hungry(nn.Linear):
        def forward(self, x):
            activation = super().forward(x.flatten(1))
            activations.append(weakref.ref(activation))
            run_out("forward")
            return activation

    def run_out(place):
        if place == when and len(activations) == 3:
            raise RuntimeError(said)

    model = Hungry(48, 10)
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda _: run_out("backward"))
    monkeypatch.setattr(complaints, "device_of", lambda model: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**29, 2**34))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 2**32)
    advice = (
        "cuda .0.5 of 16.0 GiB are free, 4.0 are this program's, 11.5 other programs'.*"
        "batch_size .it has 10; .*LABUTILS_DEVICE=cpu.*restart the kernel.*" + said
    )
    with pytest.raises(RuntimeError, match=advice) as caught:
        fit(model, batches_of(40))
    gc.collect()
    assert caught.value.__traceback__ is not None  # as a notebook keeps it
    assert [activation() for activation in activations] == [None] * 3
    assert all(parameter.grad is None for parameter in model.parameters())


class Sudden(TensorDataset):
    """Ends the worker process that reads it, or raises an error of the student's own in it."""

    def __getitem__(self, index):
        if self.error is None:
            os._exit(1)
        raise self.error


@pytest.mark.filterwarnings("ignore:Got pickle error")
@pytest.mark.parametrize("call", [fit, training.evaluate, training.predict_all])
def test_workers_that_cannot_work_are_explained(call):
    dataset = Sudden(*tensors(4).tensors)
    dataset.error = None
    with pytest.raises(RuntimeError, match="Set num_workers=0.*notebook.*exited unexpectedly"):
        call(linear(), DataLoader(dataset, num_workers=1))
    dataset.error = RuntimeError("cannot pickle my own thing")
    with pytest.raises(RuntimeError, match="^Caught RuntimeError in DataLoader worker process 0"):
        call(linear(), DataLoader(dataset, num_workers=1))
    dataset.transform = lambda image: image
    spawn = DataLoader(dataset, num_workers=1, multiprocessing_context="spawn")
    with pytest.raises((AttributeError, pickle.PicklingError), match="num_workers=0.*[Cc]an't "):
        call(linear(), spawn)


def test_a_loss_that_is_no_number_stops_training():
    with pytest.raises(FloatingPointError, match="(?s)epoch 1.*learning rate is probably too high"):
        fit(linear(), batches_of(40, 2), num_epochs=9, loss_fn=lambda z, y: z.mean() * math.nan)


def test_a_loss_that_is_no_number_is_seen_within_an_epoch():
    class Endless:
        batches = 0

        def __iter__(self):
            while self.batches < 10_000:
                self.batches += 1
                yield torch.full((2, 3, 4, 4), float("nan")), torch.zeros(2, dtype=torch.long)

    loader = Endless()
    with pytest.raises(FloatingPointError):
        fit(linear(), loader)
    assert loader.batches == CHECK_EVERY


def test_logits_of_a_wrong_shape_are_named():
    model = nn.Sequential(nn.Linear(4, 10))  # forgot to flatten: [N, 3, 4, 10]
    with pytest.raises(ValueError, match=r"shape \(10, 3, 4, 10\) for 10 labels"):
        training.evaluate(model, batches_of(20))


@pytest.mark.parametrize(
    "call",
    [fit, training.evaluate, training.predict_all, lambda *a: training.estimate_seconds(*a, 1)],
)
def test_a_loader_without_a_batch_is_named(call):
    with pytest.raises(ValueError, match="without a single batch"):
        call(linear(), [])


EMPTY = DataLoader(tensors(3), batch_size=4, drop_last=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(num_epochs=0), "num_epochs must be a whole number"),
        (dict(num_epochs=2.5), "num_epochs must be a whole number"),
        (dict(num_epochs=np.True_), "num_epochs must be a whole number"),
        (dict(step_scheduler="day"), 'must be "epoch" or "batch"'),
        (dict(scheduler=torch.optim.lr_scheduler.StepLR(sgd(linear()), 1)), "another optimizer"),
        (dict(optimizer=sgd(linear())), "holds no parameter of this model"),
        (dict(loader=EMPTY), r"no batch \(3 images, batches of 4\)"),
    ],
)
def test_what_cannot_be_trained_with_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        fit(linear(), **{"loader": batches_of(4, 2)} | settings)


# --- evaluate, predict_all, estimate_seconds --------------------------------------------------


def test_evaluate_and_predict_all_agree_and_count_a_short_last_batch():
    model, test = linear(), image_set(23)
    logits, labels = training.predict_all(model, data.Batches(test, 10))
    assert logits.shape == (23, 10) and torch.equal(labels, test.labels)
    loss, accuracy = training.evaluate(model, data.Batches(test, 10))
    assert loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)
    assert accuracy == (logits.argmax(1) == labels).sum().item() / 23


def test_evaluate_takes_another_loss_and_leaves_no_gradients():
    model, test = linear(), image_set(20)

    def squared_error(logits, labels):
        return F.mse_loss(logits, F.one_hot(labels, 10).float())

    loss, _ = training.evaluate(model, data.Batches(test, 10), squared_error)
    logits, labels = training.predict_all(model, data.Batches(test, 20))
    assert loss == pytest.approx(squared_error(logits, labels).item(), rel=1e-5)
    assert model[1].weight.grad is None


def test_estimating_changes_nothing():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48), nn.Dropout(), nn.Linear(48, 10))
    before = copy.deepcopy(model)
    seeded = data.Batches(image_set(40), 10, shuffle=True, seed=3)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = random.random(), np.random.rand(), torch.rand(1).item(), list(seeded)[0][1].tolist()

    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    seeded = data.Batches(image_set(40), 10, shuffle=True, seed=3)
    seconds = training.estimate_seconds(model, seeded, 5, test_loader=data.Batches(image_set(), 10))
    seen = random.random(), np.random.rand(), torch.rand(1).item(), list(seeded)[0][1].tolist()
    assert seen == expected
    assert same_weights(model, before) and model.training
    assert 0 < seconds < 60


def test_estimate_grows_with_the_epochs_and_is_near_the_truth():
    class Slow:
        """20 batches of 10 ms each."""

        dataset = None

        def __len__(self):
            return 20

        def __iter__(self):
            for _ in range(20):
                time.sleep(0.01)
                yield tensors(2)[:]

    seconds = training.estimate_seconds(linear(), Slow(), 3)
    assert 0.6 <= seconds < 6  # at least the sleep; the rest depends on the machine


def test_seconds_in_words():
    words = [training.say_seconds(seconds) for seconds in (1, 7, 61, 240, 9000)]
    expected = ["about 5 seconds", "about 60 seconds", "about 4 minutes", "about 2.5 hours"]
    assert words == ["a few seconds", *expected]


# --- History ----------------------------------------------------------------------------------


def test_the_running_loss_is_the_mean_of_each_so_many_batches():
    history = training.History(batch_loss=[[1.0, 3.0, 5.0, 7.0, 100.0], [2.0, 2.0, 4.0, 4.0, 0.0]])
    assert history.running_loss(2) == [[2.0, 6.0], [2.0, 4.0]]
    assert history.running_loss(10) == [[], []]


def test_the_table_shows_what_was_measured():
    history = training.History()
    history.append(train_loss=2.3026, test_accuracy=0.123, seconds=1.26)
    history.append(train_loss=1.5, test_accuracy=0.5, seconds=10.0)
    assert history.table().splitlines() == [
        "epoch  training loss  test accuracy  seconds",
        "    1          2.303         12.3 %      1.3",
        "    2          1.500         50.0 %     10.0",
    ]


def test_a_history_plots_itself(monkeypatch):
    from labutils import plotting

    seen = []
    monkeypatch.setattr(plotting, "training_curves", lambda *a, **k: seen.append((a, k)))
    history = training.History(train_loss=[1.0])
    history.plot("reference", title="mine")
    assert seen == [((history, "reference"), {"title": "mine"})]

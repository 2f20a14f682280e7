"""What only a CUDA GPU can show. ``pytest -n0 tests/gpu`` runs it, in at most 3 minutes there."""

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import gpu as on_gpu
from benchmarks.vgg import product_rate
from labutils import data, speed, training
from labutils.checks import EXERCISES
from labutils.device import describe_memory, pick_device, seed_everything
from labutils.tools import doctor
from labutils.training import models, recipes
from tests.faults import ranks
from tests.unit.test_checks_core import EXERCISE, HOGS, ODD, answer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")

DTYPES = [None, torch.bfloat16, torch.float16]
GPU = torch.device("cuda")


@pytest.fixture(autouse=True)
def in_float32(monkeypatch):
    """No TF32: the CPU has none."""
    monkeypatch.setenv("LABUTILS_DEVICE", "cuda")
    monkeypatch.delenv("LABUTILS_DTYPE", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture(scope="module")
def images():
    train, _ = data.load("cifar10", source="sample")
    return train.subset(500)


def train(images, device, dtype, **settings):
    """Return a small network, trained for two epochs, and its history."""
    seed_everything(0)
    model = models.cnn().to(device)
    batches = data.Batches(images, 64, device=device)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, fused=True, weight_decay=5e-4
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, recipes.OneCycle(4 * 8, 0.2))
    settings = dict(num_epochs=2, verbose=False, grad_clip=1.0, dtype=dtype) | settings
    history = training.fit(
        model, batches, batches, optimizer=optimizer, scheduler=schedule, step_scheduler="batch",
        **settings,
    )  # fmt: skip
    return model, history


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gpu_learns_what_a_cpu_learns(images, dtype):
    _, there = train(images, GPU, dtype)
    _, here = train(images, torch.device("cpu"), None)
    tolerance = 1e-3 if dtype is None else 0.05
    assert sum(there.batch_loss, []) == pytest.approx(sum(here.batch_loss, []), rel=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_that_was_stopped_goes_on(images, dtype, tmp_path):
    """With the same state; cuDNN may add up in another order, so not to the last bit."""
    path = tmp_path / "run.pt"
    _, whole = train(images, GPU, dtype)

    def stop(progress):
        return len(progress.history) == 1

    train(images, GPU, dtype, checkpoint=path, on_batch=stop)
    _, resumed = train(images, GPU, dtype, checkpoint=path)
    assert sum(resumed.batch_loss, []) == pytest.approx(sum(whole.batch_loss, []), rel=0.01)


@pytest.mark.parametrize("network", ["vgg11", "vgg16"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_number_type_trains_the_recipes(images, network, dtype, monkeypatch):
    monkeypatch.setenv("LABUTILS_DTYPE", dtype)
    seed_everything(0)
    recipe = dataclasses.replace(recipes.RECIPES[network]["gpu"], num_epochs=3)
    model = models.MODELS[network]().to(GPU)
    history = recipes.train(recipe, model, images, images, announce=True, verbose=False)
    assert history.train_loss[-1] < history.train_loss[0] + 0.2


def test_the_chosen_number_type_is_the_fastest_one():
    chosen = speed.fast_dtype(GPU) or torch.float32
    rates = {dtype or torch.float32: product_rate(dtype or torch.float32, GPU) for dtype in DTYPES}
    assert rates[chosen] >= 0.8 * max(rates.values())


def test_a_step_as_one_graph_learns_what_fit_learns(images):
    recipe = dataclasses.replace(recipes.VGG11["gpu"], batch_size=64, num_epochs=2)
    seed_everything(0)
    model = models.MODELS["vgg11"]().to(GPU)
    other = copy.deepcopy(model)
    seed_everything(1)
    losses, _ = on_gpu.train_graphed(recipe, model, images, on_gpu.cuda_graph)
    seed_everything(1)
    history = recipes.train(recipe, other, images, verbose=False)
    assert sum(losses, []) == pytest.approx(sum(history.batch_loss, []), rel=0.05)


@pytest.mark.parametrize("hog", HOGS)
def test_an_answer_has_its_memory_limit(hog):
    torch.ones(1, device=GPU)
    assert ODD[hog] in EXERCISE.run(answer(hog)).hint


def test_an_answer_may_compute_on_the_gpu():
    """Within that limit."""
    result = EXERCISES["softmax"].run(lambda z: torch.softmax(z.to(GPU), dim=-1).to(z.device))
    assert result.passed, result.message


def test_a_full_gpu_is_explained_and_given_back(images):
    """Half of the memory is enough to run out."""
    free = torch.cuda.mem_get_info()[0]

    class Hungry(nn.Linear):
        def forward(self, x):
            self.kept = [
                torch.empty(free // 4, dtype=torch.uint8, device=x.device) for _ in "12345"
            ]

    model = Hungry(3, 10).to(GPU)
    batches = data.Batches(images, 64, device=GPU)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(RuntimeError, match="GiB are free.*batch_size .it has 64"):
        training.fit(model, batches, optimizer=optimizer, num_epochs=1)
    assert torch.cuda.mem_get_info()[0] > 0.8 * free  # while the error is still at hand
    assert "GiB are free" in describe_memory(GPU)


def test_the_doctor_says_who_has_the_memory():
    assert pick_device() == GPU
    assert any("GPU memory: " in finding.what for finding in doctor._device())


def test_two_ranks_on_one_gpu_train_as_one_does(tmp_path, monkeypatch):
    """They take turns on it, by gloo: not faster, but the same."""
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.chdir(Path(__file__).parents[2])  # where the ranks find `tests`
    (tmp_path / "alone").mkdir()
    alone = ranks.run(tmp_path / "alone", "cnn", 256)
    _, shared = ranks.in_processes(tmp_path, "--kind", "cnn", "--images", 256)
    assert (alone["weights"] - shared["weights"]).abs().max() < 1e-4

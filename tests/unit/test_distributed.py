"""A recipe's training in several processes: equal to that of one, and what is said and kept."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DistributedSampler

from labutils import data
from labutils.device import seed_everything
from labutils.tools import measure
from labutils.training import distributed, models, recipes
from labutils.training.processes import LaunchError
from labutils.training.reference import load_reference
from tests.faults import ranks
from tests.toy_data import noise

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)  # where the ranks find `tests`


# --- equality ---------------------------------------------------------------------------------

# Few steps in float32: a max pool hands the gradient to one of four values, and where two are equal
# up to rounding, rounding decides; with the steps such differences grow.
CASES = {
    "1 × 64 and 2 × 32, the CNN": ("cnn", 256, 2),  # 12 steps
    "1 × 64 and 2 × 32, VGG11": ("vgg11", 192, 2),  # 3 steps
    "last batches of one image": ("small", 49, 2),
    "eight images for three": ("small", 49, 3),
}


@pytest.mark.parametrize("case", CASES)
def test_several_processes_end_with_the_weights_of_one(case, tmp_path):
    kind, images, processes = CASES[case]
    (tmp_path / "alone").mkdir()
    alone = ranks.run(tmp_path / "alone", kind, images)
    seed_everything(0)
    start = ranks.weights_of(models.MODELS[ranks.RECIPES[kind].model]())
    options = ["--kind", kind, "--images", images]
    _, shared = ranks.in_processes(tmp_path, *options, processes=processes)
    assert (alone["weights"] - shared["weights"]).abs().max() < 1e-5
    assert (alone["weights"] - start).abs().max() > 1e-3  # they have learned something
    # What is recorded is the loss of whole batches, and the test of all test images.
    for one, other in zip(alone["losses"], shared["losses"], strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert alone["tests"] == pytest.approx(shared["tests"], abs=1e-4)


def test_with_dropout_and_batch_norm_a_run_goes_on_as_if_it_had_not_ended(tmp_path):
    """Both differ from rank to rank, and from one process; rank 0 evaluates alone."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    said, undisturbed = ranks.in_processes(whole, "--kind", "norm")
    assert "BatchNorm is not: each process normalises by its own images." in said
    ranks.in_processes(broken, "--kind", "norm", "--epochs", "1")
    said, result = ranks.in_processes(broken, "--kind", "norm")
    assert "1 of 3 epochs are done" in said and "Saved by" not in said
    assert torch.equal(result["weights"], undisturbed["weights"])
    assert result["losses"] == undisturbed["losses"] and result["tests"] == undisturbed["tests"]


def test_a_rank_gets_what_the_sampler_would_give_it_whatever_the_network_draws():
    images = noise(22)
    images.labels = torch.arange(22)  # to be told apart
    dealt = []
    for rank in range(3):
        torch.manual_seed(5)
        batches = data.Batches(images, 6, shuffle=True, augment=data.random_flip)
        share = distributed.Share(batches, rank, 3)
        epochs, weights, masks = [], [], []
        for _ in range(2):
            for pixels, labels in share:
                masks.append(torch.rand(3 + rank).tolist()[:3])  # as dropout does
                weights.append(share.weight)
                epochs.append((labels.tolist(), pixels.sum().item()))
        dealt.append((epochs, weights, masks))
    torch.manual_seed(5)
    whole = list(data.Batches(images, 6, shuffle=True, augment=data.random_flip))
    for step, (pixels, labels) in enumerate(whole):
        parts = [dealt[rank][0][step] for rank in range(3)]
        order = [labels[rank::3].tolist() for rank in range(3)]
        assert [part[0] for part in parts] == order
        assert sum(part[1] for part in parts) == pytest.approx(pixels.sum().item(), rel=1e-4)
    assert [dealt[rank][1][0] for rank in range(3)] == [1, 1, 1]
    assert [dealt[rank][1][3] for rank in range(3)] == [1.5, 0.75, 0.75]  # 2, 1 and 1 of 4 images
    masks = [tuple(mask) for _, _, of_a_rank in dealt for mask in of_a_rank]
    assert len(set(masks)) == len(masks) == 3 * 2 * 4
    assert [labels for labels, _ in dealt[0][0][:4]] != [labels for labels, _ in dealt[0][0][4:]]


def test_the_sampler_deals_out_the_same_order(monkeypatch):
    """``DistributedSampler`` and ``Share`` cut one order in the same way."""
    images = noise(24)
    images.labels = torch.arange(24)
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.arange(n).flip(0))
    for rank in range(2):
        sampler = DistributedSampler(range(24), num_replicas=2, rank=rank)
        share = distributed.Share(data.Batches(images, 6, shuffle=True), rank, 2)
        assert [i for _, labels in share for i in labels.tolist()] == list(sampler)


# --- what is said and refused -----------------------------------------------------------------


@pytest.fixture
def nine_ranks(monkeypatch):
    monkeypatch.setattr(distributed, "is_launched", lambda: True)
    monkeypatch.setattr(distributed, "rank_and_world", lambda: (0, 9))


def test_more_ranks_than_images_in_a_batch_are_refused(nine_ranks):
    with pytest.raises(ValueError, match="9 processes cannot share batches of 8.*at most 8"):
        distributed.train(ranks.SMALL, nn.Linear(1, 1), noise(20))


def test_how_the_work_is_shared_is_said():
    recipe = dataclasses.replace(ranks.SMALL, batch_size=64)
    said = distributed.describe(recipe, nn.Linear(1, 1), 2)
    assert said.startswith("2 processes: each computes 32 of a batch's 64 images.")
    assert "number of steps are those of one process" in said and "BatchNorm" not in said
    with_norm = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    assert "each process normalises by its own" in distributed.describe(recipe, with_norm, 3)
    assert "each computes 21 to 22 of" in distributed.describe(recipe, with_norm, 3)
    assert "BatchNorm" not in distributed.describe(recipe, with_norm, 1)


def test_a_rank_that_sees_other_images_ends_the_training(tmp_path):
    with pytest.raises(LaunchError) as caught:
        ranks.in_processes(tmp_path, "--fault", "other-images")
    assert "rank 1: ValueError: this rank has another training set than rank 0" in str(caught.value)
    assert not (tmp_path / "run.pt").exists()


@pytest.mark.parametrize("content", [b"two epochs", None])
def test_a_rank_that_sees_another_checkpoint_or_none_does_not_train(content, monkeypatch, tmp_path):
    """Rank 0 sees one of one epoch."""
    checkpoint, seen = tmp_path / "run.pt", []

    def gather(of_all, mine):
        seen.append(mine)
        of_all[:] = [seen[0], mine]

    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_gather_object", gather)
    checkpoint.write_bytes(b"one epoch")
    distributed._compare_with_rank_0(noise(20), checkpoint)
    checkpoint.unlink()
    if content is not None:
        checkpoint.write_bytes(content)
    with pytest.raises(ValueError, match="another checkpoint than rank 0.*all of them share"):
        distributed._compare_with_rank_0(noise(20), checkpoint)


# --- the command ------------------------------------------------------------------------------


def command(folder, *options):
    words = [sys.executable, "-m", "labutils", "reference", "cnn_logits", "--budget", "smoke"]
    words += ["--sample", "--seeds", "0", "--folder", str(folder), *options]
    environment = os.environ | {"LABUTILS_DATA": "sample"}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)


def test_the_command_trains_in_processes_and_records_how_many(tmp_path):
    out = command(tmp_path, "--processes", "2")
    assert out.returncode == 0, out.stderr
    assert "2 processes: each computes 4 of a batch's 8 images" in out.stdout
    assert out.stdout.count("epoch 2/2") == 1 == out.stdout.count("wrote")
    path = tmp_path / "cnn_logits_smoke_in_2_processes.json"
    assert list(tmp_path.iterdir()) == [path]
    content = json.loads(path.read_text())
    (run,) = content["runs"]
    assert run["processes"] == 2 and content["recipe"]["name"] == "cnn_logits_smoke"
    alone = measure.measure(recipes.CNN_LOGITS["smoke"], 0, source="sample")
    assert alone["processes"] == 1
    assert run["train_loss"] == pytest.approx(alone["train_loss"], abs=0.01)
    assert run["test_accuracy"][-1] == pytest.approx(alone["test_accuracy"][-1], abs=0.03)


def test_no_processes_are_too_few(tmp_path):
    out = command(tmp_path, "--processes", "0")
    assert out.returncode == 2
    assert out.stderr == "--processes must be at least 1, got 0\n"


@pytest.mark.skipif(os.name == "nt", reason="ps")
def test_a_checkpoint_that_cannot_be_read_is_one_message(tmp_path):
    (tmp_path / "cnn_logits_smoke_0.pt").write_bytes(b"nothing")
    out = command(tmp_path, "--processes", "2", "--checkpoints", str(tmp_path))
    assert out.returncode == 1
    assert out.stderr.count("cannot be read as a checkpoint") == 1, out.stderr
    assert ranks.left_behind(tmp_path) == []


# --- the recorded run -------------------------------------------------------------------------


def test_two_processes_reach_what_one_reaches():
    """On the real data; recorded as every reference run, in a file of its own."""
    one, two = load_reference("cnn_logits"), load_reference("cnn_logits_in_2_processes")
    assert two.recipe == one.recipe and {run["processes"] for run in two.runs} == {2}
    assert two.images == one.images
    low, high = (values[-1] for values in one.band("test_accuracy"))
    for accuracy in two.values("test_accuracy")[-1]:
        assert low - 0.005 <= accuracy <= high + 0.005


def test_a_loss_has_the_value_of_the_batch_and_the_gradient_of_the_part(monkeypatch):
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor.fill_(2.5))
    share = distributed.Share(data.Batches(noise(8), 8), 0, 2)
    share.weight = 1.5
    loss = share.loss_by(F.cross_entropy)
    assert loss.__qualname__ == F.cross_entropy.__qualname__  # the same to a checkpoint
    logits, labels = torch.randn(4, 10, requires_grad=True), torch.arange(4)
    value = loss(logits, labels)
    assert value.item() == pytest.approx(2.5)
    (gradient,) = torch.autograd.grad(value, logits)
    (plain,) = torch.autograd.grad(F.cross_entropy(logits, labels), logits)
    torch.testing.assert_close(gradient, 1.5 * plain)
    with torch.inference_mode():  # a test, on one rank
        assert torch.equal(loss(logits, labels), F.cross_entropy(logits, labels))

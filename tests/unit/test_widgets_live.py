"""The live training: the same training as without it, and a picture that stays."""

from math import inf, nan

import pytest
import torch
from torch import nn

from labutils import training, widgets
from labutils.training.reference import ReferenceRuns, load_reference
from labutils.widgets import live as module
from labutils.widgets.explorer import WIDGET_VIEW
from labutils.widgets.live import training_so_far


class Output:
    """Stands in for what a notebook's cell shows: the bundles, the last one last."""

    def __init__(self):
        self.bundles = []

    def display(self, bundle, **_):
        self.bundles.append(bundle)
        return self

    def update(self, bundle, **_):
        self.bundles.append(bundle)


@pytest.fixture
def output(monkeypatch):
    """Somebody watches, in a kernel without subshells."""
    shown = Output()
    monkeypatch.setattr(training, "in_watched_notebook", lambda: True)
    monkeypatch.setattr(module, "_has_subshells", lambda: False)
    monkeypatch.setattr("IPython.display.display", shown.display)
    return shown


def train(watched=True, reference=None, num_epochs=2, stop_after=None):
    """Train a small network; return its weights and its history."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 10), nn.Dropout(0.5))
    batches = [(torch.rand(8, 3, 2, 2), torch.randint(0, 10, (8,))) for _ in range(6)]
    settings = {
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        "num_epochs": num_epochs,
        "verbose": False,
    }
    if not watched:
        history = training.fit(model, batches, batches, **settings)
    else:
        with widgets.live_training(reference) as live:
            if stop_after:
                settings["on_batch"] = lambda its: (
                    live(its) or (len(its.history), len(its.losses)) == stop_after
                )
            else:
                settings["on_batch"] = live
            history = training.fit(model, batches, batches, **settings)
    assert not model.training
    numbers = dict(vars(history))
    del numbers["seconds"]
    return [p.detach().clone() for p in model.parameters()], numbers


def same(one, other) -> bool:
    weights = all(torch.equal(a, b) for a, b in zip(one[0], other[0], strict=True))
    return weights and one[1] == other[1]


def test_a_watched_training_is_the_same_to_the_bit(output):
    assert same(train(), train(watched=False))
    assert WIDGET_VIEW in output.bundles[0]


def test_where_nobody_watches_nothing_is_shown(monkeypatch):
    monkeypatch.setattr(training, "in_watched_notebook", lambda: False)
    with widgets.live_training() as live:
        assert live is None
    assert same(train(), train(watched=False))


def test_what_stays_is_a_picture_without_a_widget(output):
    _, history = train(reference=load_reference("vgg11_cpu"), num_epochs=3)
    last = output.bundles[-1]
    assert WIDGET_VIEW not in last and 'alt="' in last["text/html"]
    assert "in 3 of 3 epochs" in last["text/plain"]
    assert f"mean loss {history['train_loss'][-1]:.2f}" in last["text/plain"]


def test_stopping_keeps_whole_epochs(output, capsys):
    _, history = train(num_epochs=5, stop_after=(2, 3))
    assert len(history["train_loss"]) == 2
    assert "Stopped by you in epoch 3 of 5, after 3 batches." in capsys.readouterr().out
    assert "2 epochs" in output.bundles[-1]["text/plain"]


def test_a_click_stops_after_the_batch(output, monkeypatch):
    monkeypatch.setattr(module, "_has_subshells", lambda: True)
    with widgets.live_training() as live:
        progress = training.Progress(training.History(), [torch.tensor(1.0)], 1, 4)
        assert not live(progress)
        live.button.click()
        assert live(progress)


def test_a_fault_in_the_picture_does_not_cost_the_training(output):
    class WithoutAccuracy:
        name, num_seeds = "broken", 1

        def low(self, key):
            raise KeyError(key)

    _, history = train(reference=WithoutAccuracy())
    assert len(history["train_loss"]) == 2
    assert "cannot be drawn" in output.bundles[-1]["text/plain"]


@pytest.mark.parametrize("losses", [[0], [1e30], [1e308] * 2, [inf, -inf], [inf], [nan], [-1]])
def test_every_loss_can_be_drawn(losses):
    assert training_so_far(losses * 300, 5 * len(losses), 100).alt


def test_the_run_of_a_single_seed_is_seen():
    alone = ReferenceRuns("alone", {}, [{"train_loss": [1.5, 1.0], "test_accuracy": [0.4, 0.6]}])
    drawn = training_so_far([2.0] * 5, 5, 2, reference=alone)["image/svg+xml"]
    assert drawn.count("#6B6B6B") == 2 + 2 + 1  # loss, accuracy, and the legend
    assert 'height="0"' not in drawn

"""A small model that notices how it is used, for functions that predict with a model."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong
from labutils.checks.judges.values import WrongValue


class Probe(nn.Module):
    """Gives logits [N, K]; with dropout and batch norm, so that training mode shows.

    It notes for every call whether any of its parts was in training mode.
    """

    def __init__(self, num_classes: int, size: int = 3 * 4 * 4):
        super().__init__()
        self.hidden = nn.Linear(size, 16)
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(16, num_classes)
        with torch.no_grad():  # probabilities far from even ones, different in every row
            self.norm.running_mean.normal_()
            self.out.weight.mul_(6)
        self.calls: list[bool] = []
        self._state = {name: t.clone() for name, t in self.state_dict().items()}

    def forward(self, images: Tensor) -> Tensor:
        self.calls.append(any(module.training for module in self.modules()))
        return self.out(self.drop(F.relu(self.norm(self.hidden(images.flatten(1))))))

    def logits(self, images: Tensor) -> Tensor:
        """What it gives in evaluation mode; leaves mode and notes as they are."""
        training, calls = self.training, list(self.calls)
        with torch.no_grad():
            logits = self.eval()(images)
        self.train(training)
        self.calls = calls
        return logits

    def changed(self) -> list[str]:
        """Names of weights that are other than at the beginning, or frozen."""
        state = self.state_dict()
        names = [name for name, before in self._state.items() if not state[name].equal(before)]
        return names + [name for name, p in self.named_parameters() if not p.requires_grad]


def examine_use(model: Probe, function: str) -> None:
    """It was called, and never in training mode."""
    if not model.calls:
        raise Wrong(
            f"{function} did not call the model it was given.",
            "Ask the model that is handed over as an argument, not one of the notebook's own.",
        )
    if any(model.calls):
        raise Wrong(
            f"{function} ran the model in training mode.",
            "Dropout and batch norm behave differently in training: the result would be a matter "
            "of chance. Switch with model.eval() first.",
        )


def examine_left_alone(model: Probe, function: str, images: Tensor, before: Tensor) -> None:
    """Model and images are as before, and gradients are on."""
    changed = model.changed()
    if changed:
        raise Wrong(
            f"{function} left the model changed: {', '.join(changed[:3])}.",
            "Predicting must not touch the model: no update, no running statistics, no "
            "requires_grad = False on its weights. Only its mode may change.",
        )
    if not images.equal(before):
        raise Wrong(
            f"{function} changed the images it was given.",
            "An in-place operation works on the caller's own tensor: make a new one instead.",
        )


def examine_graph(tensor: Tensor, what: str) -> None:
    """No graph hangs on a result."""
    if isinstance(tensor, Tensor) and tensor.requires_grad:
        raise Wrong(
            f"{what} still carries a graph (requires_grad=True).",
            "Nothing is learned here: run the model under torch.no_grad(), or every prediction "
            "keeps all its activations in memory.",
        )


def probabilities_mistakes(logits: Tensor) -> Iterator[WrongValue]:
    """What else than a softmax over the classes becomes of logits [N, K]."""
    once = F.softmax(logits, dim=1)
    yield WrongValue(
        logits,
        "the logits",
        "These are the model's logits. A softmax makes probabilities of them.",
    )
    yield WrongValue(
        F.softmax(once, dim=1),
        "a softmax of a softmax",
        "Softmax was applied twice, which flattens the probabilities: the model gives logits, "
        "so once is enough.",
    )
    yield WrongValue(
        F.softmax(logits, dim=0),
        "a softmax over the batch",
        "The columns sum to 1, not the rows: each image needs its own probabilities, so the "
        "softmax goes over the classes, dim=1.",
    )
    yield WrongValue(
        F.log_softmax(logits, dim=1),
        "the log-probabilities",
        "That is log_softmax: the logarithm of the probabilities.",
    )
    yield WrongValue(
        torch.sigmoid(logits),
        "a sigmoid of each logit",
        "A sigmoid looks at each class alone, so that the rows do not sum to 1: "
        "softmax compares the classes.",
    )
    yield WrongValue(
        once.amax(1),
        "the largest probability alone",
        "The largest probability is only one of K: return the probabilities of all classes.",
    )

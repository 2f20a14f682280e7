"""A small model that notices how it is used, for functions that predict with a model."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labutils.checks.frame.ask import Wrong


class Predictor(nn.Module):
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

    def changed(self) -> list[str]:
        """Names of weights that are other than at the beginning, or frozen."""
        state = self.state_dict()
        names = [name for name, before in self._state.items() if not state[name].equal(before)]
        return names + [name for name, p in self.named_parameters() if not p.requires_grad]


def examine_use(model: Predictor, function: str) -> None:
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


def examine_left_alone(model: Predictor, function: str, images: Tensor, before: Tensor) -> None:
    """Model and images are as before."""
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

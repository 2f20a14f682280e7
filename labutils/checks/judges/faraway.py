"""A device that is not there: does a loop move its batches to where the model is?

On a machine without a GPU every tensor lies in the same place, and a loop that forgets to move its
batches works by accident. :class:`FarAway` watches all torch calls and keeps a second place apart,
so that tensors of the two only meet after ``.to(device)``, as on a GPU. The arithmetic itself is
done on the CPU as ever.
"""

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

FAR = torch.device("meta")  # what `.device` says of a tensor in the far place
HOME = torch.device("cpu")


class FarAway(TorchFunctionMode):
    """Inside, ``model`` is on the device "meta" and ``batches`` (tensors) are on the CPU.

    A tensor that comes from neither counts as either. As in torch, a function of tensors from both
    places raises RuntimeError, unless one of them has no dimensions.
    """

    def __init__(self, model: nn.Module, *batches: Tensor):
        super().__init__()
        for tensor in (*model.parameters(), *model.buffers()):
            _put(tensor, FAR)
        for tensor in batches:
            _put(tensor, HOME)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if function == Tensor.device.__get__:
            return _place(given[0]) or function(*args)
        if name in ("__set__", "copy_"):
            return function(*args, **kwargs)  # a copy may cross over
        places = {_place(t) for t in given}
        target = _target(name, args, kwargs)
        if target is None:
            _same_place(name, given)
        elif name != "cpu":
            args, kwargs = tree_map(_really, (args, kwargs))
        result = function(*args, **kwargs)
        place = target or (FAR if FAR in places else HOME if HOME in places else None)
        return tree_map(lambda x: _arrive(x, place) if isinstance(x, Tensor) else x, result)


def _place(tensor: Tensor) -> torch.device | None:
    return tensor.__dict__.get("_faraway_place")


def _put(tensor: Tensor, place: torch.device) -> None:
    tensor.__dict__["_faraway_place"] = place


def _arrive(tensor: Tensor, place: torch.device | None) -> Tensor:
    if place is None or _place(tensor) == place:
        return tensor
    if _place(tensor) is not None:
        tensor = tensor.clone()  # what was moved is a copy; the original stays where it is
    _put(tensor, place)
    return tensor


def _really(value):
    """The device that takes the far one's place."""
    return HOME if isinstance(value, (str, torch.device)) and str(value) == str(FAR) else value


def _target(name: str, args: tuple, kwargs: dict) -> torch.device | None:
    """The place that a call asks for by name, or by another tensor; None where it asks for none."""
    asked = [kwargs.get("device")]
    if name == "to":
        asked += [*args[1:], kwargs.get("other")]
    for value in asked:
        if isinstance(value, Tensor):
            return _place(value)
        if isinstance(value, (str, torch.device)):
            return FAR if torch.device(value).type == FAR.type else HOME
    return HOME if name == "cpu" else None


def _same_place(name: str, given: list[Tensor]) -> None:
    places = {_place(t) for t in given if t.dim() > 0}
    if {HOME, FAR} <= places:
        raise RuntimeError(
            f"{name}: expected all tensors to be on the same device, but found two, cpu and that "
            "of the model"
        )
    if name in ("numpy", "__array__") and FAR in places:
        raise TypeError("can't convert a tensor on the model's device to numpy: use .cpu() first")

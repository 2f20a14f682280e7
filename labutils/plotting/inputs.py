"""What the pictures take: tensors, arrays or lists come in, checked numpy arrays go out."""

import numpy as np


def as_array(values, name: str, ndim: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Return a numpy array of numbers (floats as float64), whatever device or dtype it had.

    Raises:
        TypeError: no numbers.
        ValueError: empty, or of another number of dimensions than ``ndim``.
    """
    if isinstance(values, (list, tuple)) and any(hasattr(value, "detach") for value in values):
        values = [as_array(value, name) for value in values]
    if hasattr(values, "detach"):  # a torch tensor; bfloat16 has no numpy counterpart
        values = values.detach().cpu()
        values = (values.double() if values.is_floating_point() else values).numpy()
    try:
        array = np.asarray(values)
        array = array.astype(float) if array.dtype.kind == "f" else array
    except ValueError as error:
        raise ValueError(f"{name} cannot be read as one array of numbers: {error}") from None
    if array.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold numbers, got {type(values).__name__} of {array.dtype}")
    wanted = (ndim,) if isinstance(ndim, int) else ndim
    if wanted is not None and array.ndim not in wanted:
        expected = " or ".join(str(dims) for dims in wanted)
        raise ValueError(
            f"{name} must have {expected} dimension(s), got shape {tuple(array.shape)}"
        )
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {tuple(array.shape)}): there is nothing to draw")
    return array


def as_images(images, mean=None, std=None, name: str = "images") -> np.ndarray:
    """Return floats [N, H, W, 3] in 0 to 1 from images of any usual layout.

    Takes uint8 (0 to 255) or float, [N, H, W], [N, H, W, C] or [N, C, H, W] with C = 1 or 3, or a
    list of PIL images or of single images. Floats in 0 to 1 are taken as they are, in -1 to 1 as
    the lecture's ``(x - 0.5) / 0.5``; any other normalisation is undone by ``mean`` and ``std``
    (numbers or one per channel).
    """
    if isinstance(images, (list, tuple)):
        images = [
            np.asarray(im) if hasattr(im, "getbands") else as_array(im, name) for im in images
        ]
        if len({image.shape for image in images}) > 1:
            sizes = sorted({image.shape for image in images})
            raise ValueError(f"{name} must all have one shape, got {sizes}")
    array = as_array(images, name, ndim=(3, 4))
    if array.ndim == 3:
        array = array[..., None]
    if array.shape[-1] not in (1, 3) and array.shape[1] in (1, 3):
        array = array.transpose(0, 2, 3, 1)
    if array.shape[-1] not in (1, 3):
        raise ValueError(
            f"{name} must be [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels, "
            f"got shape {tuple(array.shape)}"
        )
    array = _to_unit_range(array, mean, std, name)
    return np.repeat(array, 3, axis=-1) if array.shape[-1] == 1 else array


def _to_unit_range(array, mean, std, name):
    if array.dtype.kind in "bui":
        return array / 255.0 if array.dtype != bool else array.astype(float)
    if mean is not None or std is not None:
        array = array * (1 if std is None else np.asarray(std)) + (0 if mean is None else mean)
    elif array.min() < 0 and array.min() >= -1.001 and array.max() <= 1.001:
        array = array / 2 + 0.5
    low, high = array.min(), array.max()
    if not (-0.01 <= low and high <= 1.01):
        raise ValueError(
            f"{name} run from {low:.2f} to {high:.2f}; expected uint8, 0 to 1, or -1 to 1. "
            "Give the mean= and std= they were normalised with."
        )
    return array.clip(0, 1)


def as_labels(labels, classes, name: str = "labels", length: int | None = None) -> np.ndarray:
    """Return whole numbers [N], each an index into ``classes``."""
    if classes is None:
        raise ValueError(f"{name} are numbers: give classes=, the names they stand for, as well")
    array = as_array(labels, name, ndim=1)
    if (array != array.astype(int)).any():
        raise ValueError(f"{name} must be whole numbers, got {array[:5]}")
    array = array.astype(int)
    if array.min() < 0 or array.max() >= len(classes):
        raise ValueError(
            f"{name} run from {array.min()} to {array.max()}, but there are {len(classes)} classes "
            f"(0 to {len(classes) - 1})"
        )
    if length is not None:
        same_length(**{name: array, "the other input": range(length)})
    return array


def as_predictions(predictions, classes, length: int) -> np.ndarray:
    """Return predicted labels [N] from labels [N], or logits or probabilities [N, K]."""
    array = as_array(predictions, "predictions", ndim=(1, 2))
    if array.ndim == 2:
        if array.shape[1] != len(classes):
            raise ValueError(
                f"predictions have {array.shape[1]} columns, but there are {len(classes)} classes"
            )
        array = array.argmax(axis=1)
    same_length(predictions=array, labels=range(length))
    return as_labels(array, classes, "predictions")


def as_probabilities(probabilities, classes) -> np.ndarray:
    """Return [M, K] from [K] or [M, K]; each row must be a distribution over the classes."""
    array = np.atleast_2d(as_array(probabilities, "probabilities", ndim=(1, 2)).astype(float))
    sums = array.sum(axis=1)
    if (array < 0).any() or abs(sums - 1).max() > 0.01:
        raise ValueError(
            "probabilities must be at least 0 and sum to 1 in each row; "
            f"got a smallest of {array.min():.3g} and a sum of {sums[abs(sums - 1).argmax()]:.3g}. "
            "Logits go through softmax first."
        )
    if array.shape[1] != len(classes):
        raise ValueError(
            f"probabilities have {array.shape[1]} entries, but there are {len(classes)} class names"
        )
    return array


def as_named(values, name: str) -> dict:
    """Return a dictionary: a single thing gets the empty name; an empty one is an error."""
    named = dict(values) if isinstance(values, dict) else {"": values}
    if not named:
        raise ValueError(f"{name} is empty: there is nothing to draw")
    return {str(key): value for key, value in named.items()}


def same_length(**named) -> None:
    """Raise ValueError where the named sequences do not all have the same length."""
    lengths = {name.replace("_", " "): len(values) for name, values in named.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ValueError(f"these belong together but differ in length: {listed}")

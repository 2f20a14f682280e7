"""The sample as a whole: drawn on first use, then read from a cache."""

import contextlib
import hashlib
from pathlib import Path

import numpy as np
import PIL

from labutils import files
from labutils.data.sample.pictures import draw

NUM_TRAIN, NUM_TEST = 4000, 1000
TRAIN_SEED, TEST_SEED = 2012, 2014
NAMES = ("x_train", "y_train", "x_test", "y_test")


def sample(cache_dir: Path | None):
    """Return the drawn sample, from the cache if it is there and sound, else drawn anew.

    Args:
        cache_dir: the folder of the cache; ``None``, or one that cannot be written, means that the
            sample is drawn each time (a few seconds).

    Returns:
        ``(x_train, y_train, x_test, y_test)``: uint8 ``[4000 or 1000, 32, 32, 3]``, int64 labels.
    """
    path = Path(cache_dir) / "drawn-cifar10.npz" if cache_dir is not None else None
    arrays = _read_cache(path) if path else None
    if arrays is None:
        arrays = (*draw(NUM_TRAIN, TRAIN_SEED), *draw(NUM_TEST, TEST_SEED))
        if path:
            _write_cache(path, arrays)
    return arrays


def _fingerprint(arrays) -> str:
    """Changes with the code that draws, with Pillow and with every bit of the arrays."""
    digest = hashlib.sha256(PIL.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _read_cache(path):
    """The cached arrays, or None if they are missing, damaged or of another version."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = tuple(file[name] for name in NAMES)
            sound = str(file["fingerprint"]) == _fingerprint(arrays)
    except Exception:  # a damaged archive raises half a dozen kinds; all mean: draw anew
        return None
    return arrays if sound else None


def _write_cache(path, arrays):
    named = dict(zip(NAMES, arrays, strict=True))
    # Without a cache the sample is drawn again next time.
    with contextlib.suppress(OSError), files.replacing(path) as file:
        np.savez(file, fingerprint=_fingerprint(arrays), **named)

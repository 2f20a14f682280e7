"""Fast in-memory batches: images stay uint8 in memory and are normalised a batch at a time."""

import torch
from torch.utils.data import RandomSampler

# Small batches are prepared several at a time, up to so many images: an operation on a batch of 8
# takes longer to begin than to end. Only `augment` is promised to see one batch.
PREPARED_AT_ONCE = 256


class Batches:
    """Batches of an :class:`labutils.data.ImageSet`, without a Python step per image.

    A ``DataLoader`` calls the dataset once per image, 50,000 times an epoch. Here a batch is cut
    from one big uint8 tensor and normalised in one go: ``(x / 255 - mean) / std``, which is what
    torchvision's ``ToTensor`` and ``Normalize`` do with one image.

    Iterating gives ``(images, labels)``: float32 ``[B, C, H, W]`` and int64 ``[B]``, both on
    ``device``. With ``shuffle=True`` every epoch has an order of its own, and after the same
    ``torch.manual_seed`` it is the very order of ``DataLoader(shuffle=True)``.

    Args:
        dataset: an ``ImageSet`` from ``labutils.data.load`` (or its ``subset``).
        batch_size: images in a batch; the last batch of an epoch may be shorter.
        shuffle: a new random order each epoch.
        device: where the images are kept and the batches live; the CPU by default.
        augment: a function on a whole uint8 batch ``[B, C, H, W]`` that returns a new one,
            e.g. ``random_flip`` or ``random_crop(padding=4)``.
        mean, std: numbers, or one number per channel, for pixels scaled to [0, 1]. The default
            0.5 and 0.5 gives -1..1; 0 and 1 gives [0, 1].
        drop_last: leave out a last batch that is shorter than the others.
        seed: seeds an order of its own (as ``DataLoader``'s ``generator`` does) instead of
            drawing it from torch's global generator.
        channels_last: give batches in the channels-last memory format, which convolutions on CPUs
            and GPUs like best. Same shape, same numbers; ``.view`` on them may ask for
            ``.reshape``.

    Raises:
        TypeError: ``dataset`` is not an ``ImageSet``.
        ValueError: a batch size, mean or std that cannot be.
    """

    def __init__(
        self,
        dataset,
        batch_size,
        *,
        shuffle=False,
        device=None,
        augment=None,
        mean=0.5,
        std=0.5,
        drop_last=False,
        seed=None,
        channels_last=False,
    ):
        _check_arguments(dataset, batch_size)
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.device = torch.device(device or "cpu")
        self.augment = augment
        self.drop_last = drop_last
        self.channels_last = channels_last
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

        images = dataset.images.to(self.device)  # [N, H, W, C], or [N, H, W] if gray
        self.images = images if images.ndim == 4 else images.unsqueeze(-1)
        self.labels = dataset.labels.to(self.device)
        self.mean = _per_channel(mean, "mean", self.images.shape[-1], self.device)
        self.std = _per_channel(std, "std", self.images.shape[-1], self.device)
        if (self.std <= 0).any():
            raise ValueError(f"std must be above 0, got {std!r}: the images are divided by it")

    def __len__(self):
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole if self.drop_last or rest == 0 else whole + 1

    def __iter__(self):
        # DataLoader draws one number per epoch for the seeds of its workers. We have no workers,
        # but draw it too: so the random numbers that follow are the same ones.
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        return self._epoch()

    def _epoch(self):
        order = torch.arange(len(self.dataset))
        if self.shuffle:
            order = torch.tensor(list(RandomSampler(self.dataset, generator=self.generator)))
        order = order[: len(self) * self.batch_size].to(self.device)  # the rest is dropped
        at_once = self.batch_size
        if self.augment is None:
            at_once *= max(1, PREPARED_AT_ONCE // self.batch_size)
        for start in range(0, len(order), at_once):
            rows = order[start : start + at_once]
            # The same as self.images[rows], but it copies image by image, not byte by byte.
            images = self._prepare(self.images.index_select(0, rows))
            labels = self.labels.index_select(0, rows)
            batches = images.split(self.batch_size), labels.split(self.batch_size)
            for some_images, some_labels in zip(*batches, strict=True):
                yield some_images.detach(), some_labels  # detached: free to be changed in place

    def _prepare(self, images):
        """uint8 ``[B, H, W, C]`` to normalised float32 ``[B, C, H, W]``."""
        images = images.permute(0, 3, 1, 2)  # a channels-last view, nothing is copied
        if self.augment is not None:
            images = self.augment(images)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        images = images.contiguous(memory_format=layout)
        return images.float().div_(255).sub_(self.mean).div_(self.std)


def random_flip(images):
    """Mirror each image left to right with probability 1/2: ``[B, C, H, W]`` to the same."""
    flipped = torch.rand(len(images), device=images.device) < 0.5
    return torch.where(flipped[:, None, None, None], images.flip(3), images)


def random_crop(padding=4):
    """Return a function that shifts each image by up to ``padding`` pixels.

    As torchvision's ``RandomCrop(size, padding=padding)``: each image of a batch ``[B, C, H, W]``
    gets a black border of ``padding`` pixels, and a window of the old size is cut at random.
    """

    def crop(images):
        n, _, height, width = images.shape
        padded = torch.nn.functional.pad(images, [padding] * 4)
        top, left = torch.randint(0, 2 * padding + 1, (2, n, 1), device=images.device)
        rows = top + torch.arange(height, device=images.device)  # (N, H)
        columns = left + torch.arange(width, device=images.device)  # (N, W)
        image = torch.arange(n, device=images.device)
        cut = padded.permute(0, 2, 3, 1)[image[:, None, None], rows[:, :, None], columns[:, None]]
        return cut.permute(0, 3, 1, 2)  # (N, H, W, C) back to (N, C, H, W)

    crop.__qualname__ = f"random_crop({padding})"  # how a checkpoint calls it
    return crop


def _check_arguments(dataset, batch_size):
    parts = (getattr(dataset, name, None) for name in ("images", "labels"))
    if not all(isinstance(part, torch.Tensor) for part in parts):
        raise TypeError(
            f"Batches takes an ImageSet from labutils.data.load, got {type(dataset).__name__}. "
            "For a part of a set use dataset.subset(n); for any other dataset use "
            "torch.utils.data.DataLoader."
        )
    if type(batch_size) is not int or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")


def _per_channel(values, name, channels, device):
    """Return ``values`` as a tensor ``[C, 1, 1]`` (or a single number's ``[1, 1, 1]``)."""
    tensor = torch.as_tensor(values, dtype=torch.float32, device=device).flatten()
    if len(tensor) not in (1, channels):
        raise ValueError(
            f"{name} has {len(tensor)} numbers for images with {channels} channels; "
            f"give one number, or {channels}"
        )
    return tensor[:, None, None]

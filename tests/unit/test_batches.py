"""Batches gives what a DataLoader over the same images gives, number for number."""

import pytest
import torch
from torch.utils.data import DataLoader, Subset
from torchvision import transforms

from labutils.data import Batches, random_crop, random_flip
from tests.toy_data import noise


def image_set(n=45, channels=3, transform=None):
    images = noise(n, 32 if channels == 3 else 28, channels)
    images.transform = transform
    return images


def lecture_set(channels=3, **options):
    """The lecture's pipeline: ToTensor and Normalize on each PIL image."""
    half = (0.5,) * channels
    steps = [transforms.ToTensor(), transforms.Normalize(half, half)]
    return image_set(channels=channels, transform=transforms.Compose(steps), **options)


def assert_same_batches(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert len(ours) == len(theirs)
    for (images, labels), (wanted_images, wanted_labels) in zip(ours, theirs, strict=True):
        assert images.dtype == torch.float32 and labels.dtype == torch.int64
        assert torch.equal(images, wanted_images) and torch.equal(labels, wanted_labels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_in_order_equal_to_the_dataloader(channels, drop_last, channels_last):
    dataset = lecture_set(channels)
    ours = Batches(dataset, 8, drop_last=drop_last, channels_last=channels_last)
    theirs = DataLoader(dataset, batch_size=8, drop_last=drop_last)
    assert len(ours) == len(theirs) == (5 if drop_last else 6)
    assert_same_batches(ours, theirs)


@pytest.mark.parametrize("batch_size", [7, 64, 200, 300])
@pytest.mark.parametrize("n", [1, 252, 253, 600])  # 36 batches of 7, 252 images, at once
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_prepared_together_are_those_of_the_dataloader(n, batch_size, drop_last):
    dataset = lecture_set(channels=1, n=n)
    torch.manual_seed(5)
    ours = list(Batches(dataset, batch_size, shuffle=True, drop_last=drop_last))
    torch.manual_seed(5)
    theirs = DataLoader(dataset, batch_size, shuffle=True, drop_last=drop_last)
    assert_same_batches(ours, theirs)


def epochs(train, test):
    """Two epochs of training batches, each followed by a test; then the next random number."""
    torch.manual_seed(7)
    batches = [batch for _ in range(2) for loader in (train, test) for batch in loader]
    return batches, torch.rand(())


@pytest.mark.parametrize("channels", [1, 3])
def test_shuffle_replays_the_dataloaders_order_over_epochs_and_evaluations(channels):
    dataset = lecture_set(channels)
    ours, our_next = epochs(Batches(dataset, 8, shuffle=True), Batches(dataset, 20))
    theirs, their_next = epochs(
        DataLoader(dataset, batch_size=8, shuffle=True), DataLoader(dataset, batch_size=20)
    )
    assert_same_batches(ours, theirs)
    assert our_next == their_next


def test_a_loader_that_is_opened_and_left_draws_as_the_dataloader():
    dataset = lecture_set()
    torch.manual_seed(0)
    iter(Batches(dataset, 8, shuffle=True))
    ours = torch.rand(())
    torch.manual_seed(0)
    iter(DataLoader(dataset, batch_size=8, shuffle=True))
    assert torch.rand(()) == ours


def test_seed_replays_a_dataloader_with_that_generator():
    dataset = lecture_set()
    ours = Batches(dataset, 8, shuffle=True, seed=3)
    generator = torch.Generator().manual_seed(3)
    theirs = DataLoader(dataset, batch_size=8, shuffle=True, generator=generator)
    torch.manual_seed(0)
    untouched = torch.get_rng_state()
    for _ in range(2):
        assert_same_batches(ours, theirs)
    assert torch.equal(torch.get_rng_state(), untouched)


def test_every_epoch_has_another_order_and_every_image_once():
    dataset = image_set()
    dataset.labels = torch.arange(len(dataset))
    batches = Batches(dataset, 8, shuffle=True, seed=0)
    first, second = (torch.cat([labels for _, labels in batches]) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, dataset.labels)
    assert torch.equal(second.sort().values, dataset.labels)


def test_memory_format():
    dataset = image_set()
    plain, _ = next(iter(Batches(dataset, 8, shuffle=True)))
    fast, _ = next(iter(Batches(dataset, 8, shuffle=True, channels_last=True)))
    assert plain.is_contiguous()
    assert fast.is_contiguous(memory_format=torch.channels_last) and not fast.is_contiguous()


def test_on_the_cpu_the_images_are_not_copied():
    dataset = image_set()
    batches = Batches(dataset, 8, shuffle=True)
    assert batches.images.data_ptr() == dataset.images.data_ptr()
    assert batches.device == torch.device("cpu") and batches.dataset is dataset


def test_numbers_from_zero_to_one_and_per_channel():
    dataset = image_set()
    pixels = dataset.images[:8].permute(0, 3, 1, 2).float() / 255
    images, _ = next(iter(Batches(dataset, 8, mean=0, std=1)))
    assert torch.equal(images, pixels)
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    images, _ = next(iter(Batches(dataset, 8, mean=mean, std=std)))
    wanted = torch.stack([transforms.Normalize(mean, std)(image) for image in pixels])
    assert torch.equal(images, wanted)


@pytest.mark.parametrize("augment", [None, random_flip, random_crop(2)])
def test_the_dataset_is_never_changed(augment):
    dataset = image_set(channels=1)
    before = dataset.images.clone()
    for images, _ in Batches(dataset, 8, augment=augment):
        images.zero_()
    assert torch.equal(dataset.images, before)


def test_a_batch_may_be_changed_in_place_and_the_next_one_knows_nothing_of_it():
    scale = torch.ones(1, requires_grad=True)
    for images, _ in Batches(image_set(), 8):  # several of these are prepared at once
        assert not images.requires_grad
        images.mul_(scale).sum().backward()
        images.data.zero_()
    plain = [images for images, _ in Batches(image_set(), 8)]
    assert all(images.abs().sum() > 0 for images in plain)
    assert scale.grad == pytest.approx(sum(images.sum().item() for images in plain), rel=1e-4)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Subset(image_set(), range(3)), r"got Subset.*dataset\.subset\(n\).*DataLoader"),
        ([1, 2, 3], "got list"),
    ],
)
def test_other_datasets_are_refused_with_advice(wrong, says):
    with pytest.raises(TypeError, match=says):
        Batches(wrong, 8)


@pytest.mark.parametrize("size", [0, -1, 2.5, "8", True])
def test_wrong_batch_size(size):
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        Batches(image_set(), size)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mean": (0.5, 0.5)}, "mean has 2 numbers for images with 3 channels"),
        ({"std": 0}, "std must be above 0"),
        ({"std": (0.5, 0.5, -1)}, "std must be above 0"),
    ],
)
def test_wrong_normalisation(options, says):
    with pytest.raises(ValueError, match=says):
        Batches(image_set(), 8, **options)


# --- augmentation --------------------------------------------------------------------------------


def test_random_flip_mirrors_about_half_the_images_and_nothing_else():
    torch.manual_seed(0)
    images = image_set(400).images.permute(0, 3, 1, 2)
    result = random_flip(images)
    pairs = list(zip(result, images, strict=True))
    mirrored = torch.tensor([torch.equal(a, b.flip(2)) for a, b in pairs])
    kept = torch.tensor([torch.equal(a, b) for a, b in pairs])
    assert (mirrored ^ kept).all()
    assert 160 <= mirrored.sum() <= 240


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_random_crop_cuts_a_window_out_of_the_bordered_image(channels, dtype):
    torch.manual_seed(0)
    images = torch.randint(1, 256, (60, channels, 9, 7)).to(dtype)
    padded = torch.nn.functional.pad(images, [2] * 4)
    shifts = []
    for result, whole in zip(random_crop(padding=2)(images), padded, strict=True):
        matching = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if torch.equal(result, whole[:, top : top + 9, left : left + 7])
        ]
        assert len(matching) == 1
        shifts += matching
    assert len(set(shifts)) > 15 and {0, 4} <= {top for top, _ in shifts}
    assert {0, 4} <= {left for _, left in shifts}


def test_augment_sees_a_whole_uint8_batch():
    seen = []

    def watch(images):
        seen.append((images.dtype, tuple(images.shape)))
        return images

    for _ in Batches(image_set(10), 8, augment=watch):
        pass
    assert seen == [(torch.uint8, (8, 3, 32, 32)), (torch.uint8, (2, 3, 32, 32))]

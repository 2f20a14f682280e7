"""The oracles of notebook 09 are what several processes do, and who adds at once is told so."""

import pytest
import torch
import torch.nn.functional as F

from labutils.checks import EXERCISES
from labutils.training import models
from tests.misconceptions.bank_several_processes import at_once, in_place_on_copies


@pytest.mark.parametrize("sizes", [[8, 8], [7, 5, 3]])
def test_the_averaged_gradient_is_the_whole_batchs(sizes):
    torch.manual_seed(0)
    model = models.cnn().double()
    images = torch.randn(sum(sizes), 3, 32, 32, dtype=torch.float64)
    labels = torch.randint(10, (sum(sizes),))

    def gradients(images, labels):
        loss = F.cross_entropy(model(images), labels)
        return list(torch.autograd.grad(loss, list(model.parameters())))

    parts = zip(images.split(sizes), labels.split(sizes), strict=True)
    averaged = EXERCISES["average_gradients"].oracle([gradients(*part) for part in parts], sizes)
    for one, whole in zip(averaged, gradients(images, labels), strict=True):
        torch.testing.assert_close(one, whole)


def test_who_adds_at_once_passes_with_a_word_and_who_goes_round_without():
    assert "added up in one place" in EXERCISES["ring_all_reduce"].run(at_once).message
    assert EXERCISES["ring_all_reduce"].run(in_place_on_copies).message == "Right."

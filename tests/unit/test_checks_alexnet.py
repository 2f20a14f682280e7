"""What the checks of notebook 06 say, beyond the hints that the misconception bank proves."""

import functools

import pytest
import torch
from torch import nn

from labutils.checks import EXERCISES
from labutils.checks.nb06_alexnet_output_sizes import OracleAlexNet


def test_the_reference_has_the_parameters_of_the_single_tower():
    with torch.device("meta"):
        assert sum(p.numel() for p in OracleAlexNet().parameters()) == 62_378_344


@pytest.mark.parametrize(
    ("row", "wrong", "words"),
    [
        (1, (96, 56, 56), "Row 2, CONV1: you have (96, 56, 56); expected (96, 55, 55). "),
        (1, (96, 56, 56), "(227 - 11 + 2*0)/4 + 1 = 55, and each of its 96 filters"),
        (4, (256, 23, 23), "(27 - 5 + 2*2)/1 + 1 = 27"),
        (10, (256, 7, 7), "(13 - 3 + 2*0)/2 + 1 = 6, and the 256 channels stay."),
        (11, (9216,), "One number for each of its 4096 neurons."),
    ],
)
def test_the_first_wrong_row_is_named_with_its_arithmetic(row, wrong, words):
    rows = EXERCISES["alexnet_shapes"].oracle()
    rows[row] = (rows[row][0], wrong)
    rows[13] = ("FC8", (10,))
    assert words in EXERCISES["alexnet_shapes"].run(lambda: rows).message


def test_the_papers_order_passes_with_a_word():
    answer = functools.partial(OracleAlexNet, order="relu norm pool")
    result = EXERCISES["AlexNet"].run(answer)
    assert result.passed and "paper" in result.message


def test_the_parameters_are_compared_with_those_of_the_single_tower():
    class Extra(OracleAlexNet):
        def __init__(self, num_classes=1000):
            super().__init__(num_classes)
            self.unused = nn.Linear(9, 10)

    result = EXERCISES["AlexNet"].run(Extra)
    assert "62,378,444 parameters; expected 62,378,344: 100 more" in result.message
    assert "unused" in result.message


@pytest.mark.parametrize("arguments", [(3, 5), (4, 7, 1, 1), (2, 3, 2)])
def test_the_reference_refuses_a_filter_that_does_not_fit(arguments):
    with pytest.raises(ValueError, match="larger than the input"):
        EXERCISES["conv_output_size"].oracle(*arguments)

"""The oracles of notebook 08 are what PyTorch and torchvision compute."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import BasicBlock

from labutils import shapes
from labutils.checks.nb08_resnet import OracleBlock, _batch_norm, _make_resnet, _shortcut


def test_batch_norm_is_the_module():
    module = nn.BatchNorm2d(3).double()
    nn.init.normal_(module.weight), nn.init.normal_(module.bias)
    x = torch.randn(4, 3, 2, 2, dtype=torch.float64)
    mean, var = module.running_mean.clone(), module.running_var.clone()
    for training in (True, False, True):
        y, mean, var = _batch_norm(x, module.weight, module.bias, mean, var, training)
        assert torch.equal(y, module.train(training)(x))
        assert torch.equal(mean, module.running_mean) and torch.equal(var, module.running_var)


@pytest.mark.parametrize("shape, channels, stride", [((2, 3, 7, 6), 5, 2), ((1, 2, 4, 4), 2, 1)])
def test_shortcut_is_a_convolution_with_a_partial_identity(shape, channels, stride):
    x = torch.randn(shape)
    identity = torch.eye(channels, shape[1])[:, :, None, None]
    assert torch.equal(_shortcut(x, channels, stride), F.conv2d(x, identity, stride=stride))


class OptionA(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x):
        return _shortcut(x, self.channels, self.stride)


@pytest.mark.parametrize(
    "args", [(4, 4), (4, 6), (4, 6, 2), (4, 4, 2), (4, 6, 2, True), (4, 4, 1, True)]
)
def test_the_block_is_torchvisions(args):
    ours = OracleBlock(*args)
    in_channels, channels, stride = (*args, 1)[:3]
    past = nn.Sequential(*ours.projection) if ours.projection else OptionA(channels, stride)
    theirs = BasicBlock(in_channels, channels, stride, past)
    theirs.conv1, theirs.bn1 = ours.first
    theirs.conv2, theirs.bn2 = ours.second
    x = torch.randn(3, 4, 6, 6)
    for training in (True, False):
        assert torch.equal(ours.train(training)(x), theirs.train(training)(x))


# He et al. (2016) count 0.27, 0.46, 0.66, 0.85 and 1.7 million parameters.
@pytest.mark.parametrize(
    "depth, parameters, megamacs",
    [
        (20, 269_722, 40.6),
        (32, 464_154, 68.9),
        (44, 658_586, 97.2),
        (56, 853_018, 125.5),
        (110, 1_727_962, 252.9),
    ],
)
@pytest.mark.parametrize("shortcuts", [True, False])
def test_the_counts_of_the_networks(depth, parameters, megamacs, shortcuts):
    with torch.device("meta"):
        table = shapes.trace(_make_resnet(depth, shortcuts), (3, 32, 32))
    assert table.total_parameters == parameters
    assert round(table.total_macs / 1e6, 1) == megamacs
    assert sum(row.kind in ("Conv2d", "Linear") for row in table.rows) == depth


def test_projections_add_what_the_hint_says():
    counts = [
        sum(p.numel() for p in _make_resnet(20, projection=projection).parameters())
        for projection in (False, True)
    ]
    assert counts[1] - counts[0] == 2_752


def test_what_a_network_of_twenty_layers_sees():
    """The longest way counts, with shortcuts by slices beside it, as without them."""
    windows = [3] * 7 + [(3, 2)] + [3] * 5 + [(3, 2)] + [3] * 5
    for shortcuts in (True, False):
        with torch.device("meta"):
            rows = shapes.trace(_make_resnet(20, shortcuts), (3, 32, 32)).rows
        last = [row for row in rows if row.output_shape == (64, 8, 8)][-1]
        assert last.receptive_field == shapes.receptive_field(windows).field

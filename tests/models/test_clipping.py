"""Filters of convolutions, and nothing else, are held to an RMS."""

import pytest
import torch
from torch import nn

from zfrepro.models.clipping import clip_filters, convolutions


def conv_with(filters, in_maps, kernel) -> nn.Conv2d:
    conv = nn.Conv2d(in_maps, len(filters), kernel)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(filters).view_as(conv.weight))
    return conv


def test_filters_above_the_limit_are_rescaled_and_others_left():
    filters = [
        [0.3, -0.4, 0.0, 0.0],  # RMS sqrt(0.25 / 4) = 0.25: times 0.4
        [0.1, 0.1, -0.1, 0.05],  # RMS 0.09
        [0.0, 0.0, 0.0, 0.0],
        [0.2, 0.0, 0.0, 0.0],  # RMS 0.1: at the limit
    ]
    conv = conv_with(filters, 1, 2)
    before = conv.weight.detach().clone()
    clip_filters([conv], 0.1)
    expected = torch.tensor([0.12, -0.16, 0.0, 0.0]).view(1, 2, 2)
    torch.testing.assert_close(conv.weight[0].detach(), expected)
    assert torch.equal(conv.weight[1:3].detach(), before[1:3])
    torch.testing.assert_close(conv.weight[3].detach(), before[3])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_rms_is_over_the_filters_own_maps(memory_format):
    conv = nn.Conv2d(8, 6, 3, groups=2).to(memory_format=memory_format)
    with torch.no_grad():
        conv.weight.mul_(20)
    clip_filters([conv], 0.1)
    rms = conv.weight.detach().square().mean(dim=(1, 2, 3)).sqrt()
    torch.testing.assert_close(rms, torch.full((6,), 0.1))
    assert conv.weight.is_contiguous(memory_format=memory_format)


def test_only_convolutions_are_found_and_the_graph_is_not_touched():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(5.0)
    clip_filters(convolutions(net))
    assert convolutions(net) == [net[0]]
    torch.testing.assert_close(net[0].weight.detach(), torch.full((4, 3, 3, 3), 0.1))
    assert net[0].weight.requires_grad
    assert (net[0].bias == 5).all()
    assert (net[3].weight == 5).all()

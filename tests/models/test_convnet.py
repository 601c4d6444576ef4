"""Nets built from their tables: names, shapes, what they compute and how they are stored."""

import json

import pytest
import torch
from layer_tables import POOL, alexnet, changed, model, tiny, zfnet
from torch import nn

from zfrepro.models.convnet import ConvNet, build
from zfrepro.models.geometry import smallest_crop, table

ZFNET_NAMES = [
    *("conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"),
    *("conv3", "relu3", "conv4", "relu4", "conv5", "relu5", "pool5", "flatten"),
    *("fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"),
]


def small(layers=None, crop=64, **kwargs) -> ConvNet:
    return build(layers or tiny(), classes=5, crop=crop, pool=POOL, width=0.1, **kwargs)


@pytest.mark.parametrize(("name", "count"), [("zfnet", 62_357_608), ("alexnet", 60_965_224)])
def test_full_width_nets_have_the_papers_weights(name, count):
    net = build(**model(name), classes=1000, crop=224)
    assert sum(weight.numel() for weight in net.parameters()) == count
    assert {conv.groups for conv in net if isinstance(conv, nn.Conv2d)} == (
        {1} if name == "zfnet" else {1, 2}
    )


def test_modules_are_named_in_order_and_none_works_in_place_or_twice():
    net = small()
    assert [name for name, _ in net.named_children()] == ZFNET_NAMES
    assert len({id(module) for module in net}) == len(net)
    assert not any(relu.inplace for relu in net if isinstance(relu, nn.ReLU))


@pytest.mark.parametrize("layers", [zfnet(0.1), alexnet(0.1)], ids=["zfnet", "alexnet"])
@pytest.mark.parametrize("width", [0.1, 0.25])
def test_every_output_has_the_shape_and_weights_of_its_row(layers, width):
    for crop in (smallest_crop(layers, POOL), 56, 75):
        net = build(layers, classes=5, crop=crop, pool=POOL, width=width)
        x = torch.zeros(2, 3, crop, crop)
        for row, module in zip(table(layers, classes=5, crop=crop, pool=POOL), net, strict=True):
            x = module(x)
            assert x.shape == (2, *row.outputs), row.name
            assert sum(weight.numel() for weight in module.parameters()) == row.parameters


def test_crops_from_the_smallest_up_work():
    least = smallest_crop(tiny(), POOL)
    for crop in range(least, least + 20):
        assert small(crop=crop)(torch.zeros(1, 3, crop, crop)).shape == (1, 5)


@pytest.mark.parametrize("name", ["conv1", "conv3", "conv5", "fc6", "fc7"])
def test_nets_share_the_first_weights_of_the_layers_they_share(name):
    whole, less = small(seed=3).state_dict(), small({**tiny(), name: None}, seed=3).state_dict()
    assert not any(key.startswith(name) for key in less)
    shared = [key for key in less if less[key].shape == whole[key].shape]
    assert "conv2.bias" in shared
    same_scale = [key for key in shared if key.startswith(("conv4", "fc8"))]
    assert same_scale
    for key in same_scale:
        torch.testing.assert_close(less[key], whole[key], rtol=0, atol=0)


def test_a_spec_is_json_and_builds_the_same_net():
    layers = changed(tiny(), fc6=None, conv2={"groups": 2})
    net = small(layers, normalisation="lcn", dropout=0.3, seed=7)
    again = build(**json.loads(json.dumps(net.spec, sort_keys=True)))
    assert again.spec == net.spec
    assert str(again) == str(net)
    for key, weight in net.state_dict().items():
        assert torch.equal(again.state_dict()[key], weight), key


def test_building_leaves_torchs_own_stream_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    small()
    assert torch.equal(torch.rand(3), expected)


def test_a_slice_of_a_net_is_a_net():
    first = small()[:4]
    assert isinstance(first, ConvNet)
    assert first(torch.zeros(1, 3, 64, 64)).shape[1] == 8


@pytest.mark.parametrize("normalisation", ["lrn", "lcn", "none"])
def test_channels_last_and_bf16_agree_with_plain_float32(normalisation):
    net = small(normalisation=normalisation).eval()
    x = torch.rand(2, 3, 64, 64) * 256 - 128
    plain = net(x).detach()
    torch.testing.assert_close(net(x.to(memory_format=torch.channels_last)).detach(), plain)
    with torch.autocast("cpu", torch.bfloat16):
        rough = net.to(memory_format=torch.channels_last)(x).detach()
    torch.testing.assert_close(rough.float(), plain, rtol=0.1, atol=0.05 * float(plain.abs().max()))


@pytest.mark.parametrize(
    ("key", "value"), [("dropout", 1.5), ("lcn", {"kernel": 8, "deviation": 2})]
)
def test_values_that_make_no_sense_name_their_key(key, value):
    with pytest.raises(ValueError, match=rf"model\.{key}"):
        small(**{"normalisation": "lcn", key: value})

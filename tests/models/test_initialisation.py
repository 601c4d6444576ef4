"""First weights keep the paper's signal scale at any width and crop."""

import pytest
import torch
from layer_tables import POOL, alexnet, model, zfnet

from zfrepro.models.convnet import build
from zfrepro.models.initialisation import deviations


@pytest.mark.parametrize("layers", [zfnet(), alexnet(), {**zfnet(), "fc6": None}])
def test_full_width_is_the_papers_001_everywhere(layers):
    assert set(deviations(layers, crop=224, pool=POOL, width=1.0).values()) == {0.01}


def test_deviations_follow_the_fan_in():
    narrow = deviations(zfnet(0.25), crop=56, pool=POOL, width=0.25)
    assert narrow["conv1"] == pytest.approx(0.01)  # 147 inputs at any width
    assert narrow["conv2"] == pytest.approx(0.02)  # a quarter of the maps
    assert narrow["fc6"] == pytest.approx(0.12)  # 64 inputs for 9216
    assert narrow["fc8"] == pytest.approx(0.02)


def test_weights_are_drawn_with_these_deviations_and_biases_are_zero():
    net = build(**model("zfnet", 0.5), classes=100, crop=112)
    spread = deviations(zfnet(0.5), crop=112, pool=POOL, width=0.5)
    for name, deviation in spread.items():
        weight, bias = (value.detach() for value in net.get_submodule(name).parameters())
        assert float(weight.std()) == pytest.approx(deviation, rel=0.03)
        assert abs(float(weight.mean())) < 5 * deviation / weight.numel() ** 0.5
        assert not bias.any()


def test_layers_draw_from_streams_of_their_own():
    def first(seed, name="conv3"):
        net = build(**model("zfnet", 0.1), classes=5, crop=56, seed=seed)
        return net.get_submodule(name).weight.detach().flatten()[:500]

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))
    assert not torch.equal(first(1, "conv3"), first(1, "conv4"))


def test_a_narrow_net_has_the_signal_of_the_full_one():
    """Without the rule the logits of a quarter-width net are about 1/100 of the full net's."""
    torch.manual_seed(0)
    x = torch.rand(2, 3, 112, 112) * 256 - 128
    logits = {}
    for width in (1.0, 0.25):
        spec = model("zfnet", width) | {"layers": zfnet(width) | {"fc6": None}}
        with torch.no_grad():
            logits[width] = build(**spec, classes=200, crop=112).eval()(x).std()
    assert float(logits[0.25] / logits[1.0]) == pytest.approx(1.0, abs=0.5)

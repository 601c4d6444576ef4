"""Every row of tables 2 and 3 as the paper trained it: width 1, crops of 224, 1000 classes.

The parameters of the eight nets are counted here by hand, layer by layer.
"""

import gc
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from zfrepro import config
from zfrepro.data.crops import ten_crops
from zfrepro.models.clipping import clip_filters, convolutions
from zfrepro.models.convnet import build
from zfrepro.seeds import member_seed
from zfrepro.training.trained import Trained, probabilities

SEEDS = [name for name in config.options("experiment") if name.startswith("tab2_")]
OUT = 1000


def dense(*units: int) -> int:
    """Weights and biases of full layers from 9216 inputs to the classes."""
    sizes = [9216, *units, OUT]
    return sum((a + 1) * b for a, b in pairwise(sizes))


def zfnet(c3: int = 384, c4: int = 384, c5: int = 256, full: int = 4096) -> int:
    below = (7 * 7 * 3 + 1) * 96 + (5 * 5 * 96 + 1) * 256
    middle = (9 * 256 + 1) * c3 + (9 * c3 + 1) * c4 + (9 * c4 + 1) * c5
    sizes = [36 * c5, full, full, OUT]
    return below + middle + sum((a + 1) * b for a, b in pairwise(sizes))


BELOW = (11 * 11 * 3 + 1) * 96 + (25 * 48 + 1) * 256  # AlexNet's layers 1 and 2
MIDDLE = (9 * 256 + 1) * 384 + (9 * 192 + 1) * 384 + (9 * 192 + 1) * 256
SHORT = (9 * 128 + 1) * 256  # layer 5 on top of layer 2
PARAMETERS = {
    "tab3_alexnet": BELOW + MIDDLE + dense(4096, 4096),
    "tab3_no_conv34": BELOW + SHORT + dense(4096, 4096),
    "tab3_no_fc6": BELOW + MIDDLE + dense(4096),
    "tab3_no_fc7": BELOW + MIDDLE + dense(4096),
    "tab3_no_fc67": BELOW + MIDDLE + dense(),
    "tab3_no_conv34_fc67": BELOW + SHORT + dense(),
    "tab3_fc2048": BELOW + MIDDLE + dense(2048, 2048),
    "tab3_fc8192": BELOW + MIDDLE + dense(8192, 8192),
    "tab3_zfnet": zfnet(),
    "tab3_zfnet_fc2048": zfnet(full=2048),
    "tab3_zfnet_fc8192": zfnet(full=8192),
    "tab3_zfnet_conv345_wide": zfnet(512, 1024, 512),
    "tab3_zfnet_conv345_wide_fc8192": zfnet(512, 1024, 512, 8192),
}


def test_the_numbers_of_the_paper() -> None:
    assert PARAMETERS["tab3_alexnet"] == 60_965_224
    assert PARAMETERS["tab3_zfnet"] == 62_357_608
    assert PARAMETERS["tab3_zfnet_conv345_wide"] == 107_627_624
    rows = [name for name in config.options("experiment") if name.startswith("tab")]
    assert set(PARAMETERS) | set(SEEDS) == set(rows)


@pytest.mark.parametrize("name", SEEDS)
def test_nets_of_other_seeds_differ_in_nothing_else(name: str) -> None:
    found, first = (config.compose_experiment(n, ["profile=paper"]) for n in (name, "tab3_zfnet"))
    assert found["model"] == first["model"]
    assert found["training"] == first["training"]
    assert found["seed"] == member_seed(first["seed"], int(name[-1]))


@pytest.mark.slow
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_step_and_a_ten_crop_evaluation(name: str) -> None:
    cfg = config.compose_experiment(name, ["profile=paper"])
    net = build(**cfg["model"], classes=OUT, crop=cfg["crop"], seed=0)
    assert sum(weights.numel() for weights in net.parameters()) == PARAMETERS[name]
    net.to(memory_format=torch.channels_last)
    images = torch.randint(0, 256, (2, 256, 256, 3), dtype=torch.uint8)
    mean = images.float().mean(0)
    take_a_step(net, images, mean, cfg["training"])
    classes = [(str(i), str(i)) for i in range(OUT)]
    trained = Trained(net.eval(), mean, 256, cfg["crop"], classes, "bilinear")
    found = probabilities(trained, images[:1].numpy(), ten_crops(256, cfg["crop"]))
    assert found.shape == (1, OUT)
    torch.testing.assert_close(found.sum(1), torch.ones(1))
    del net, trained
    gc.collect()


def take_a_step(net: torch.nn.Module, images: Tensor, mean: Tensor, training: Any) -> None:
    """One step of section 3, on the central crops; every layer learns."""
    optimizer = torch.optim.SGD(
        net.parameters(), lr=training["lr"], momentum=training["momentum"], fused=True
    )
    crops = (images.float() - mean)[:, 16:240, 16:240].permute(0, 3, 1, 2)
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(crops)
    loss = torch.nn.functional.cross_entropy(logits.float(), torch.tensor([1, 2]))
    assert 5 < loss.item() < 9  # about ln(1000)
    loss.backward()
    optimizer.step()
    clip_filters(convolutions(net), training["max_filter_rms"])
    for layer, weights in net.named_parameters():
        assert torch.isfinite(weights).all(), layer
        assert weights.grad is not None
        assert weights.grad.abs().max() > 0, layer

"""Projections against hand-computed numbers, plain loops, and captum's gradient route."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import Deconvolution
from slow_deconv import Convolution, Pooling, project
from torch import Tensor, nn
from torchvision.models import alexnet, vgg11

from zfrepro import config
from zfrepro.interp.chain import ChainError
from zfrepro.interp.deconv import Deconvnet, Picks, Seen, strongest
from zfrepro.models.convnet import build

PIXELS = torch.tensor([[1.0, 2, 0, 1], [3, 4, 1, 0], [0, 1, 5, 2], [2, 0, 1, 6]])[None, None]


def filtered(*weights: list[list[float]], bias: float = 0.0) -> nn.Conv2d:
    """A convolution from one map, its filters written out."""
    values = torch.tensor(weights)[:, None]
    conv = nn.Conv2d(1, len(weights), values.shape[-1])
    conv.load_state_dict({"weight": values, "bias": torch.full((len(weights),), bias)})
    return conv


def net_of(*modules: nn.Module) -> nn.Sequential:
    """conv1, relu1, pool1, conv2, ..."""
    words = {nn.Conv2d: "conv", nn.ReLU: "relu", nn.MaxPool2d: "pool"}
    named, number = OrderedDict[str, nn.Module](), 0
    for module in modules:
        number += isinstance(module, nn.Conv2d)
        named[f"{words[type(module)]}{number}"] = module
    return nn.Sequential(named)


def only(seen: Seen, *place: int) -> Picks:
    """One pick: image, map, row, column."""
    return Picks(*(torch.tensor([at]) for at in place))


def pixels(net: nn.Module, images: Tensor, layer: str, *place: int) -> Tensor:
    deconvnet = Deconvnet(net)
    seen = deconvnet.see(images, layer)
    found = deconvnet.project(seen, only(seen, *place))
    return found.whole(*images.shape[2:])[0]


def test_a_value_goes_back_to_its_maximum() -> None:
    """2x + 1, then the largest of each quarter (9 of the first), times 3: 27."""
    net = net_of(
        filtered([[2.0]], bias=1), nn.ReLU(), nn.MaxPool2d(2, 2), filtered([[3.0]]), nn.ReLU()
    )
    seen = Deconvnet(net).see(PIXELS, "conv2")
    assert seen.values[0, 0].tolist() == [[27, 9], [15, 39]]
    found = pixels(net, PIXELS, "conv2", 0, 0, 0, 0)
    assert found[0].tolist() == [[0, 0, 0, 0], [0, 162, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_what_is_negative_on_the_way_is_rectified() -> None:
    """1*4 - 1*1 + 2*2 + 0.5*6 = 10; the filter's -1 brings nothing to the pixel of the 1."""
    net = net_of(
        filtered([[1.0]]), nn.ReLU(), nn.MaxPool2d(2, 2),
        filtered([[1.0, -1], [2, 0.5]]), nn.ReLU(),
    )  # fmt: skip
    assert Deconvnet(net).see(PIXELS, "conv2").values.tolist() == [[[[10]]]]
    found = pixels(net, PIXELS, "conv2", 0, 0, 0, 0)
    assert found[0].tolist() == [[0, 0, 0, 0], [0, 10, 0, 0], [0, 0, 0, 0], [20, 0, 0, 5]]


def test_the_share_that_a_relu_cuts_is_counted() -> None:
    """Of what comes down for the 10 above, 10, -10, 20 and 5, one of four is negative."""
    net = net_of(
        filtered([[1.0]]), nn.ReLU(), nn.MaxPool2d(2, 2),
        filtered([[1.0, -1], [2, 0.5]]), nn.ReLU(), filtered([[1.0]]), nn.ReLU(),
    )  # fmt: skip
    deconvnet = Deconvnet(net)
    seen = deconvnet.see(PIXELS, "conv3")
    assert deconvnet.cut(seen, only(seen, 0, 0, 0, 0)) == {"relu1": 0.25, "relu2": 0.0}


def test_overlapping_pools_add_at_a_shared_switch() -> None:
    """All four windows of 3x3 have their maximum at the 9; 9 * (1 + 2 + 3 + 4) = 90."""
    image = PIXELS.clone()
    image[0, 0, 1, 1] = 9
    net = net_of(
        filtered([[1.0]]), nn.ReLU(), nn.MaxPool2d(3, 1),
        filtered([[1.0, 2], [3, 4]]), nn.ReLU(),
    )  # fmt: skip
    found = pixels(net, image, "conv2", 0, 0, 0, 0)
    assert found[0].tolist() == [[0, 0, 0, 0], [0, 900, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_a_window_over_the_edge_has_a_switch_too() -> None:
    """Pooling 3x3 by 2 with ceil: the second window of a row has two columns of its three."""
    net = net_of(filtered([[1.0]]), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True))
    seen = Deconvnet(net).see(PIXELS, "pool1")
    assert seen.values[0, 0].tolist() == [[5, 5], [5, 6]]
    found = pixels(net, PIXELS, "pool1", 0, 0, 1, 1)
    assert found[0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 6]]


def random_net(seed: int, groups: int, pool: tuple[int, int, bool]) -> nn.Sequential:
    """Strides, padding, groups and pools that leave ragged edges."""
    torch.manual_seed(seed)
    k, stride, ceil = pool
    net = nn.Sequential(OrderedDict([
        ("conv1", nn.Conv2d(3, 8, 5, stride=2, padding=1)), ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(k, stride, ceil_mode=ceil)),
        ("conv2", nn.Conv2d(8, 12, 3, stride=2, padding=0, groups=groups)), ("relu2", nn.ReLU()),
        ("conv3", nn.Conv2d(12, 6, 3, padding=1, groups=groups)), ("relu3", nn.ReLU()),
        ("pool3", nn.MaxPool2d(k, stride, ceil_mode=ceil)),
    ]))  # fmt: skip
    return net.double()


NETS = [
    (groups, pool, side)
    for groups in (1, 2)
    for pool in ((3, 2, True), (3, 2, False), (2, 2, True), (3, 1, False))
    for side in (35, 38)
]


@pytest.mark.parametrize(("groups", "pool", "side"), NETS)
def test_random_nets_agree_with_plain_loops(
    groups: int, pool: tuple[int, int, bool], side: int
) -> None:
    net = random_net(side, groups, pool)
    image = torch.randn(1, 3, side, side, dtype=torch.float64)
    k, stride, ceil = pool
    convs = [
        Convolution(
            conv.weight.detach().numpy(), conv.bias.detach().numpy(),
            conv.stride[0], conv.padding[0], conv.groups,
        )
        for conv in (net.conv1, net.conv2, net.conv3)
    ]  # fmt: skip
    for layer, slow in (
        ("conv1", convs[:1]),
        ("conv2", [convs[0], Pooling(k, stride, ceil), convs[1]]),
        ("conv3", [convs[0], Pooling(k, stride, ceil), *convs[1:]]),
    ):
        seen = Deconvnet(net).see(image, layer)
        for m in (0, 3):
            flat = int(seen.values[0, m].argmax())
            place = divmod(flat, seen.values.shape[3])
            expected = project(slow, image[0].numpy(), m, *place)  # type: ignore[arg-type]
            found = pixels(net, image, layer, 0, m, *place)
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-12)


def by_captum(net: nn.Module, image: Tensor, target: tuple[int, ...], value: float) -> Tensor:
    """captum projects a 1, and this an activation."""
    found = Deconvolution(net).attribute(image.clone().requires_grad_(), target=target)
    return value * found[0].detach()


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    assert expected.abs().max() > 0
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize(("groups", "pool", "side"), NETS)
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_random_nets_agree_with_captum(groups: int, pool: tuple[int, int, bool], side: int) -> None:
    net = random_net(side, groups, pool).float()
    images = torch.randn(3, 3, side, side)
    deconvnet = Deconvnet(net)
    for layer, end in (("conv1", 2), ("pool1", 3), ("conv2", 5), ("conv3", 7), ("pool3", 8)):
        seen = deconvnet.see(images, layer)
        picks = strongest(seen)
        found = deconvnet.project(seen, picks, batch=5).whole(side, side)
        for k in range(0, len(picks), 5):
            i, *place = (
                int(each[k]) for each in (picks.images, picks.maps, picks.rows, picks.columns)
            )
            value = float(seen.values[i, *place])
            if value > 0:
                expected = by_captum(net[:end], images[i : i + 1], tuple(place), value)
                close(found[k], expected)


def outer_and_inner(seen: Seen) -> Picks:
    """Corners, edges and the middle of a map: windows over each of the image's edges."""
    height, width = seen.values.shape[2:]
    rows = torch.tensor([0, 0, height - 1, height // 2, height // 2])
    columns = torch.tensor([0, width - 1, width // 2, 0, width // 2])
    return Picks(torch.zeros(5, dtype=torch.int64), torch.arange(5), rows, columns)


@pytest.mark.parametrize("make", [alexnet, vgg11])
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_torchvisions_nets_agree_with_captum(make: Any) -> None:
    torch.manual_seed(0)
    net = make(weights=None).eval()
    image = torch.randn(1, 3, 224, 224)
    deconvnet = Deconvnet(net)
    ours = {
        layer: deconvnet.see(image, layer) for layer in deconvnet.chain.layers if "feat" in layer
    }
    last = net.classifier[-1]
    scores = deconvnet.see(image, f"classifier.{len(net.classifier) - 1}")
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # captum's hooks cannot have it
    for layer, seen in list(ours.items())[1::2]:
        picks = outer_and_inner(seen)
        found = deconvnet.project(seen, picks).whole(224, 224)
        sliced = net.features[: int(layer.split(".")[1]) + 2]
        for k in range(len(picks)):
            place = tuple(int(each[k]) for each in (picks.maps, picks.rows, picks.columns))
            if (value := float(seen.values[0, *place])) > 0:
                close(found[k], by_captum(sliced, image, place, value))
    target = int(scores.values.argmax())
    assert scores.values.shape == (1, last.out_features)
    found = deconvnet.project(scores, only(scores, 0, target, 0, 0)).whole(224, 224)
    close(found[0], by_captum(net, image, (target,), float(scores.values[0, target])))


@pytest.mark.parametrize("name", ["tab3_zfnet", "tab3_alexnet", "tab3_no_conv34_fc67"])
@pytest.mark.filterwarnings("ignore:Setting backward hooks")
def test_our_nets_agree_with_captum_where_nothing_is_normalised(name: str) -> None:
    cfg = config.compose_experiment(name, ["model.normalisation=none", "profile=miniature"])
    net = build(**cfg["model"], classes=20, crop=56, seed=1).eval()
    image = torch.randn(1, 3, 56, 56) * 60
    deconvnet = Deconvnet(net)
    for layer in deconvnet.chain.layers:
        seen = deconvnet.see(image, layer)
        pick = strongest(seen, [1])
        place = tuple(int(each[0]) for each in (pick.maps, pick.rows, pick.columns))
        place = place if seen.values.dim() == 4 else place[:1]
        value = float(seen.values[0, *place])
        found = deconvnet.project(seen, pick).whole(56, 56)
        sliced = nn.Sequential(OrderedDict(_until(net, layer)))
        if value != 0:
            close(found[0], by_captum(sliced, image, place, value))


def _until(net: nn.Sequential, layer: str) -> list[tuple[str, nn.Module]]:
    """The modules up to a layer's ReLU."""
    named = list(net.named_children())
    at = [name for name, _ in named].index(layer) + 1
    return named[: at + 1] if at < len(named) and "relu" in named[at][0] else named[:at]


def test_contrast_normalisation_is_passed_through() -> None:
    cfg = config.compose_experiment("tab3_zfnet", ["profile=miniature"])
    net = build(**cfg["model"], classes=20, crop=56, seed=1).eval()
    image = torch.randn(1, 3, 56, 56) * 60
    deconvnet = Deconvnet(net)
    seen = deconvnet.see(image, "conv2")
    pick = strongest(seen, [3])
    found = deconvnet.project(seen, pick).whole(56, 56)
    bare = nn.Sequential(net.conv1, net.relu1, net.pool1, nn.Identity(), net.conv2, net.relu2)
    x = net[: list(dict(net.named_children())).index("relu2") + 1](image)
    value = float(x[0, 3].detach().max())
    assert float(seen.values[0, 3].max()) == pytest.approx(value, rel=1e-5)  # normalised forwards
    place = (3, int(pick.rows[0]), int(pick.columns[0]))
    close(found[0], by_captum(bare, image, place, value))  # and not backwards


def test_windows_are_receptive_fields() -> None:
    cfg = config.compose_experiment("tab3_zfnet", ["profile=miniature"])
    net = build(**cfg["model"], classes=20, crop=56, seed=1).eval()
    deconvnet = Deconvnet(net)
    seen = deconvnet.see(torch.randn(1, 3, 56, 56) * 60, "conv2")
    picks = Picks(*(torch.tensor(each) for each in ([0], [0], [1], [2])))
    found, field = deconvnet.project(seen, picks), deconvnet.chain.field("conv2")
    assert field is not None
    assert found.pixels.shape[2:] == (field.size, field.size)
    assert found.tops.tolist() == [field.offset + field.stride]
    assert found.lefts.tolist() == [field.offset + 2 * field.stride]


def test_the_network_is_left_as_it_was() -> None:
    net = random_net(0, 1, (3, 2, True)).float().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    image = torch.randn(1, 3, 38, 38)
    kept = image.clone()
    deconvnet = Deconvnet(net)
    seen = deconvnet.see(image, "conv3")
    deconvnet.project(seen, strongest(seen))
    with pytest.raises(ChainError):
        deconvnet.project(seen, only(seen, 0, 6, 0, 0))
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(
        module._forward_hooks or module._backward_hooks or module._forward_pre_hooks
        for module in net.modules()
    )
    assert torch.equal(image, kept)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((0, 6, 0, 0), "conv3 has no map 6: it has 6, numbered 0 to 5"),
        ((0, -1, 0, 0), "no map -1"),
        ((2, 0, 0, 0), "no image 2"),
        ((0, 0, 99, 0), "no row 99"),
        ((0, 0, 0, 99), "no column 99"),
    ],
)
def test_a_pick_outside_is_named(place: tuple[int, ...], message: str) -> None:
    deconvnet = Deconvnet(random_net(0, 1, (3, 2, True)).float())
    seen = deconvnet.see(torch.randn(2, 3, 38, 38), "conv3")
    with pytest.raises(ChainError, match=message):
        deconvnet.project(seen, only(seen, *place))


def test_no_picks_are_no_projections() -> None:
    deconvnet = Deconvnet(random_net(0, 1, (3, 2, True)).float())
    seen = deconvnet.see(torch.randn(2, 3, 38, 38), "conv1")
    none = Picks(*(torch.zeros(0, dtype=torch.int64) for _ in range(4)))
    assert deconvnet.project(seen, none).whole(38, 38).shape == (0, 3, 38, 38)

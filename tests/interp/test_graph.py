"""The deconvnet of networks with branches: torchvision's, small ones by hand, and users' own."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from captum.attr import Deconvolution
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from tests.interp import networks
from zfrepro.interp.chain import ChainError
from zfrepro.interp.deconv import Deconvnet, Picks, strongest
from zfrepro.interp.graph import Graph
from zfrepro.interp.graph_deconv import GraphDeconvnet, deconvnet
from zfrepro.interp.responses import respond, visit
from zfrepro.models.normalisation import LocalResponseNorm

SIDE = 96  # of the images: enough for all of torchvision's, and fast
NAMES = (
    "alexnet", "vgg11", "vgg16_bn", "resnet18", "googlenet", "densenet121", "squeezenet1_1",
    "mobilenet_v2",
)  # fmt: skip


def drawn(name: str) -> nn.Module:
    """Random weights, and batch norms whose statistics are not 0 and 1; in double precision."""
    torch.manual_seed(0)
    options = {"init_weights": True} if name == "googlenet" else {}
    net: nn.Module = getattr(models, name)(weights=None, num_classes=10, **options)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr,operator]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr,operator]
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return net.eval().double()


class Rectified(torch.autograd.Function):
    """A ReLU whose way back is one as well."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(_: Any, grad: Tensor) -> Tensor:
        return grad.clamp(min=0)


@contextmanager
def rectifying(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every ReLU that torchvision calls, as a function of its own: what the graph must not need."""
    with monkeypatch.context() as patched:
        patched.setattr(functional, "relu", lambda x, inplace=False: Rectified.apply(x))
        patched.setattr(
            functional, "hardtanh", lambda x, *_, **__: Rectified.apply(x).clamp(max=6).view_as(x)
        )
        yield


def by_gradient(net: nn.Module, image: Tensor, module: str, place: tuple[int, ...]) -> Tensor:
    """The projection of one activation of a module's last output, by torch's own gradient."""
    kept: list[Tensor] = []
    hook = net.get_submodule(module).register_forward_hook(lambda *args: kept.append(args[2]))
    pixels = image.clone().requires_grad_()
    net(pixels)
    hook.remove()
    value = kept[-1][0][place]
    (found,) = torch.autograd.grad(value, pixels, value.detach())
    return found[0]


def equal(found: Tensor, expected: Tensor) -> None:
    scale = float(expected.abs().max())
    assert scale > 0
    assert float((found - expected).abs().max()) <= 1e-8 * scale


@pytest.mark.parametrize("name", NAMES)
def test_projections_of_torchvisions_nets_are_the_oracles(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = drawn(name)
    image = torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64)
    found = GraphDeconvnet(net, SIDE)
    main = [layer for layer in found.chain.main_layers if ":" not in layer]
    for layer in (main[1], main[len(main) // 2], main[-1]):
        seen = found.see(image, layer)
        picks = strongest(seen, [0, 3])
        pixels = found.project(seen, picks, batch=3).whole(SIDE, SIDE)
        for i in (0, 3):  # a map of each image
            at = [int(each[i]) for each in (picks.maps, picks.rows, picks.columns)]
            place = tuple(at if seen.values.dim() == 4 else at[:1])
            if float(seen.at(picks)[i]) == 0:
                continue
            with rectifying(monkeypatch):
                plain = copy.deepcopy(net)
                for module in plain.modules():
                    if isinstance(module, nn.ReLU | nn.ReLU6):
                        module.inplace = False
                one = image[picks.images[i] : picks.images[i] + 1]
                equal(pixels[i], by_gradient(plain, one, layer, place))


@pytest.mark.parametrize("name", ["alexnet", "vgg16_bn", "squeezenet1_1"])
def test_where_every_relu_is_a_module_captum_agrees(name: str) -> None:
    net = drawn(name)
    image = torch.randn(1, 3, SIDE, SIDE, dtype=torch.float64)
    found = GraphDeconvnet(net, SIDE)
    (last,) = (layer for layer in found.chain.layers[-1:])
    if name == "squeezenet1_1":
        last = "classifier.1"  # what is above is a ReLU and a mean
    seen = found.see(image, last)
    best = int(seen.values[0].reshape(len(seen.values[0]), -1).amax(1).argmax())
    picks = strongest(seen, [best])
    pixels = found.project(seen, picks).whole(SIDE, SIDE)[0]
    plain = copy.deepcopy(net)
    for module in plain.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    head: nn.Module = plain
    if name == "squeezenet1_1":
        assert isinstance(plain.classifier, nn.Sequential)
        head = nn.Sequential(plain.features, plain.classifier[0], plain.classifier[1])
    place = (best, int(picks.rows), int(picks.columns))
    target = place if seen.values.dim() == 4 else best
    expected = Deconvolution(head).attribute(image, target=target)[0] * seen.at(picks)
    equal(pixels, expected.detach())


class Ways(nn.Module):
    """Functional, in-place and reused ReLUs; addition, concatenation, means."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.left, self.right = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.mean = nn.AdaptiveAvgPool2d(2)
        self.last = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.first(x)))
        branches = torch.cat([functional.relu(self.left(x)), self.right(x).relu_()], 1)
        branches = functional.max_pool2d(branches, 3, 2)
        branches = self.relu(self.second(branches) + branches)
        branches = self.relu(branches - 0.1)
        return self.last(torch.flatten(self.mean(branches), 1))


def ways() -> nn.Module:
    torch.manual_seed(1)
    net = Ways().double().eval()
    nn.init.uniform_(net.norm.weight, 0.5, 1.5)
    net.norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr,operator]
    return net


def ways_back(net: Ways, image: Tensor, unit: int) -> Tensor:
    """The same, by hand: each step of the way back written out."""
    with torch.no_grad():
        x0 = net.first(image)
        x1 = net.norm(x0).clamp(min=0)
        joined = torch.cat([net.left(x1).clamp(min=0), net.right(x1).clamp(min=0)], 1)
        pooled, switches = functional.max_pool2d(joined, 3, 2, return_indices=True)
        x2 = (net.second(pooled) + pooled).clamp(min=0)
        x3 = (x2 - 0.1).clamp(min=0)
        value = net.last(net.mean(x3).flatten(1))[0, unit]
        p = (value * net.last.weight[unit]).view(1, 8, 2, 2)
        side = x3.shape[2]
        spread = torch.zeros_like(x3)
        for i in range(2):
            for j in range(2):
                rows, columns = (slice(k * side // 2, -(-(k + 1) * side // 2)) for k in (i, j))
                area = (rows.stop - rows.start) * (columns.stop - columns.start)
                spread[:, :, rows, columns] += p[:, :, i, j, None, None] / area
        p = spread.clamp(min=0)  # the third use of the ReLU
        p = p.clamp(min=0)  # the second
        p = p + functional.conv_transpose2d(p, net.second.weight, padding=1)
        unpooled = torch.zeros_like(joined).flatten(2)
        unpooled.scatter_add_(2, switches.flatten(2), p.flatten(2))
        p = unpooled.view_as(joined).clamp(min=0)
        left = functional.conv_transpose2d(p[:, :4], net.left.weight)
        right = functional.conv_transpose2d(p[:, 4:], net.right.weight, padding=1)
        p = (left + right).clamp(min=0)
        scale = net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()  # type: ignore[operator]
        return functional.conv_transpose2d(p * scale[:, None, None], net.first.weight, padding=1)[0]


def test_a_module_of_ones_own_by_hand() -> None:
    net = ways()
    assert isinstance(net, Ways)
    image = torch.randn(1, 3, 13, 13, dtype=torch.float64)
    found = deconvnet(net, 13)
    assert isinstance(found, GraphDeconvnet)
    seen = found.see(image, "last")
    pixels = found.project(seen, strongest(seen)).pixels
    for unit in range(5):
        equal(pixels[unit], ways_back(net, image, unit))


def test_data_parallel_is_what_is_inside() -> None:
    net = ways()
    image = torch.randn(2, 3, 13, 13, dtype=torch.float64)
    one, other = (GraphDeconvnet(each, 13) for each in (net, nn.DataParallel(net, device_ids=[])))
    seen = [each.see(image, "second") for each in (one, other)]
    picks = strongest(seen[0])
    assert torch.equal(one.project(seen[0], picks).pixels, other.project(seen[1], picks).pixels)


def test_the_batch_changes_nothing() -> None:
    found = GraphDeconvnet(ways(), 13)
    seen = found.see(torch.randn(3, 3, 13, 13, dtype=torch.float64), "second")
    picks = strongest(seen)
    order = torch.randperm(len(picks))
    together, apart = found.project(seen, picks), found.project(seen, picks[order], batch=1)
    for a, b in zip(vars(together).values(), vars(apart).values(), strict=True):
        torch.testing.assert_close(a[order], b)
    none = found.project(seen, picks[:0])
    assert none.pixels.shape == (0, 3, 13, 13)


def test_nothing_in_gives_nothing_out() -> None:
    found = GraphDeconvnet(ways(), 13)
    seen = found.see(torch.randn(1, 3, 13, 13, dtype=torch.float64), "relu:3")
    silent = (seen.values[0] == 0).nonzero()[0]
    zero = torch.zeros(1, dtype=torch.int64)
    pick = Picks(zero, *(each[None] for each in silent))
    assert not found.project(seen, pick).pixels.any()


def test_a_norm_that_is_folded_into_its_convolution_changes_nothing() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5),
        nn.ReLU(),
    ).double().eval()  # fmt: skip
    for norm in (net[1], net[4]):
        norm.running_var.uniform_(0.5, 2)
        norm.running_mean.uniform_(-1, 1)
        nn.init.uniform_(norm.weight, 0.5, 1.5)
    fuse = torch.nn.utils.fusion.fuse_conv_bn_eval
    folded = nn.Sequential(fuse(net[0], net[1]), nn.ReLU(), fuse(net[3], net[4]), nn.ReLU())
    image = torch.randn(2, 3, 15, 15, dtype=torch.float64)
    apart, together = GraphDeconvnet(net, 15), deconvnet(folded, 15)
    assert isinstance(together, Deconvnet)  # a chain, by windows
    seen = apart.see(image, "5"), together.see(image, "2")
    picks = strongest(seen[0])
    found = apart.project(seen[0], picks).whole(15, 15)
    torch.testing.assert_close(found, together.project(seen[1], picks).whole(15, 15))


@pytest.mark.parametrize("make", networks.NETWORKS)
def test_a_chain_by_its_graph_is_the_chain(make: Callable[[], nn.Sequential]) -> None:
    """With contrast normalisation, ceil-mode pools, groups and dilation."""
    net, image = make(), networks.images(3)
    chain, graph = Deconvnet(net), GraphDeconvnet(net, networks.CROP)
    seen = chain.see(image, "conv5"), graph.see(image, "relu5")
    torch.testing.assert_close(seen[0].values, seen[1].values)
    picks = strongest(seen[0], [0, 4])
    windows = chain.project(seen[0], picks), graph.project(seen[1], picks)
    expected, found = (each.whole(networks.CROP, networks.CROP) for each in windows)
    assert windows[0].pixels.shape == windows[1].pixels.shape  # what a unit sees, and no more
    assert torch.equal(windows[0].tops, windows[1].tops)
    assert torch.equal(windows[0].lefts, windows[1].lefts)
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * scale)
    assert graph.chain.field("conv5") == chain.chain.field("conv5")


class Odd(nn.Module):
    def __init__(self, way: Callable[[Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 4, 3), *parts.values())
        self.way = way
        self.last = nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.way(self.block(x))).mean((2, 3))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Odd(lambda x: x, act=nn.GELU()), r"block\.1 \(Gelu\) stands below last: no way back"),
        (Odd(functional.silu), r"\(Silu\) stands below last"),
        (Odd(lambda x: x * x.sigmoid()), "multiplies or divides activations by each other"),
        (Odd(lambda x: functional.threshold(x, 0.5, 0.0)), r"\(Threshold\) .* is no ReLU"),
        (Odd(lambda x: functional.leaky_relu(x, 0.1)), r"\(LeakyRelu\)"),
        (Odd(lambda x: functional.hardtanh(x, -1, 1)), r"\(Hardtanh\) .* is no ReLU"),
        (Odd(lambda x: x.softmax(1)), r"\(Softmax\)"),
    ],
)
def test_what_is_no_relu_is_refused_by_name(net: nn.Module, message: str) -> None:
    found = GraphDeconvnet(net.eval(), 15)
    with pytest.raises(ChainError, match=message):
        found.see(torch.randn(1, 3, 15, 15), "last")
    found.see(torch.randn(1, 3, 15, 15), "block.0")  # below it there is a way


def test_training_mode_and_other_sizes_are_refused() -> None:
    net = models.resnet18(weights=None)
    with pytest.raises(ChainError, match=r"training mode.*call eval\(\)"):
        GraphDeconvnet(net, SIDE)
    with pytest.raises(ChainError, match="AlexNet does not take images of 3x20x20"):
        GraphDeconvnet(models.alexnet(weights=None).eval(), 20)
    found = GraphDeconvnet(net.eval(), SIDE)
    with pytest.raises(ChainError, match="there is no layer conv9: the network has conv1, bn1"):
        found.see(torch.zeros(1, 3, SIDE, SIDE), "conv9")


def seen_by(net: nn.Module, layer: str, side: int) -> tuple[int, int]:
    """First and last row that move the middle unit of a layer, by trying; ReLUs let all through."""
    kept: list[Tensor] = []
    hook = net.get_submodule(layer).register_forward_hook(lambda *args: kept.append(args[2]))
    pixels = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    net(pixels)
    hook.remove()
    maps = kept[-1][0]
    (grad,) = torch.autograd.grad(maps[:, maps.shape[1] // 2, maps.shape[2] // 2].sum(), pixels)
    rows = grad.abs().sum((0, 1, 3)).nonzero().flatten()
    return int(rows[0]), int(rows[-1])


@pytest.mark.parametrize(
    ("name", "layer"),
    [("resnet18", "layer2.0.conv2"), ("googlenet", "inception3a"), ("squeezenet1_1", "features.4")],
)
def test_fields_are_what_moves_a_unit(
    name: str, layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = 160
    net = drawn(name)
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.1, 1)  # no two ways cancel, and no ReLU cuts anything
    for module in net.modules():  # of a maximum one value moves it: here they all do
        if isinstance(module, nn.MaxPool2d):
            module.forward = lambda x, m=module: functional.avg_pool2d(  # type: ignore[method-assign,misc]
                x, m.kernel_size, m.stride, m.padding, m.ceil_mode
            )
    graph = Graph(net, side)
    field = graph.field(layer)
    assert field is not None
    middle = graph.shape(layer)[1] // 2
    first = field.offset + middle * field.stride
    assert seen_by(net, layer, side) == (first, first + field.size - 1)


def test_responses_are_those_of_the_network() -> None:
    net, images = ways(), torch.randn(2, 3, 13, 13, dtype=torch.float64)
    graph = Graph(net, 13)
    found, logits = respond(graph, images, ["first", "relu:2"])
    torch.testing.assert_close(logits, net(images).detach())
    assert isinstance(net, Ways)
    torch.testing.assert_close(found["first"], net.first(images).detach())
    torch.testing.assert_close(graph.activations(images, "relu:2"), found["relu:2"])
    assert not any(module._forward_hooks for module in net.modules())


def test_responses_are_not_what_the_next_module_overwrites() -> None:
    net, images = drawn("resnet18"), torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64)
    found, _ = respond(Graph(net, SIDE), images, ["bn1", "relu"])
    normed = net.bn1(net.conv1(images)).detach()  # type: ignore[operator]
    torch.testing.assert_close(found["bn1"], normed)
    torch.testing.assert_close(found["relu"], normed.clamp(min=0))


def test_above_the_last_layer_nothing_is_run() -> None:
    graph, took = Graph(drawn("resnet18"), SIDE), []
    graph.net.layer2 = nn.Module()  # which has no forward
    images = torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64)
    visit(graph, images, ["layer1.0", "relu"], lambda name, x: took.append((name, x.shape[1:])))
    assert took == [("relu", (64, 48, 48)), ("layer1.0", (64, 24, 24))]
    with pytest.raises(ChainError, match="there is no layer layer9: the network has conv1, bn1"):
        visit(graph, images, ["layer9"], lambda *_: None)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        (
            "resnet18",
            "relu layer1.0 layer1 layer2.0 layer2 layer3.0 layer3 layer4.0 layer4 avgpool",
        ),
        (
            "googlenet",
            "conv1 conv2 conv3 inception3a inception3b inception4a inception4b inception4c "
            "inception4d inception4e inception5a inception5b avgpool",
        ),
        ("vgg16_bn", "features.5 features.12 features.22 features.32 features.42 features avgpool"),
    ],
)
def test_blocks_are_what_all_of_the_network_goes_through(name: str, blocks: str) -> None:
    assert Graph(drawn(name), 224).blocks == blocks.split()


def test_contrast_normalisation_is_passed_through() -> None:
    torch.manual_seed(0)
    parts = nn.Conv2d(3, 4, 3), nn.ReLU(), LocalResponseNorm(3, 1.0, 0.5, 0.75)
    bare, normed = nn.Sequential(*parts[:2]).eval(), nn.Sequential(*parts).eval()
    image = torch.randn(1, 3, 9, 9)
    a, b = GraphDeconvnet(bare, 9), GraphDeconvnet(normed, 9)
    seen = a.see(image, "1"), b.see(image, "2")
    picks = strongest(seen[0], [1])
    plain, passed = (
        each.project(s, picks).pixels / s.at(picks) for each, s in zip((a, b), seen, strict=True)
    )
    torch.testing.assert_close(plain, passed)

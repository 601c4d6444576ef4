"""Networks read as chains: what is in them, what their units see, and what is refused."""

import threading
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from pytorchcv.model_provider import get_model
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import alexnet, resnet18

from tests.interp.networks import images, zf_like
from zfrepro import config
from zfrepro.interp.chain import Chain, ChainError
from zfrepro.interp.deconv import Deconvnet
from zfrepro.models.convnet import build


def ours(name: str = "tab3_zfnet", crop: int = 56) -> nn.Module:
    cfg = config.compose_experiment(name, ["profile=miniature"])
    return build(**cfg["model"], classes=20, crop=crop, seed=0).eval()


@pytest.mark.parametrize(
    "name", [name for name in config.options("experiment") if name.startswith("tab3")]
)
def test_every_row_is_a_chain_that_computes_what_the_net_does(name: str) -> None:
    net = ours(name)
    images = torch.randn(2, 3, 56, 56) * 60
    chain = Chain(net)
    layers = [name for name, _ in net.named_children() if name.startswith(("conv", "fc"))]
    assert chain.layers == layers
    with torch.no_grad():
        torch.testing.assert_close(chain.activations(images, "fc8"), net(images))
        torch.testing.assert_close(
            chain.activations(images, "conv1"), functional.relu(net.conv1(images))
        )


def test_published_code_is_a_chain_too() -> None:
    """Functions between modules: a flattening in torchvision's, normalisation in pytorchcv's."""
    for net, last in ((alexnet(weights=None), "classifier.6"), (get_model("zfnet"), "output.fc3")):
        images = torch.randn(1, 3, 224, 224)
        with torch.no_grad():
            torch.testing.assert_close(
                Chain(net).activations(images, last), net.eval()(images), rtol=1e-4, atol=1e-5
            )
    assert [step.kind for step in Chain(get_model("zfnet")).steps][:4] == [
        "conv", "relu", "norm", "pool",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["tab3_zfnet", "tab3_alexnet", "tab3_no_conv34"])
def test_fields_are_the_support_of_gradients(name: str) -> None:
    net = ours(name, crop=112)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.01)
    chain = Chain(net)
    for layer in (layer for layer in chain.layers if layer.startswith("conv")):
        field = chain.field(layer)
        assert field is not None
        x = image = torch.rand(1, 3, 112, 112, requires_grad=True)
        for step in chain.steps[: chain.end(layer)]:
            if step.kind == "pool":  # all of a window, not its maximum alone
                window = step.module
                x = functional.avg_pool2d(x, window.kernel_size, window.stride, ceil_mode=True)
            elif step.kind != "norm":
                x = step.run(x)
        row, column = x.shape[2] // 2, x.shape[3] // 3
        x[0, :, row, column].sum().backward()
        assert image.grad is not None
        touched = image.grad.abs().sum((0, 1)) > 0
        for at, seen in ((row, touched.any(1)), (column, touched.any(0))):
            places = seen.nonzero()[:, 0]
            first = field.offset + at * field.stride
            assert int(places.min()) == max(first, 0)
            assert int(places.max()) == min(first + field.size, 112) - 1
    assert chain.field("fc8") is None


class TwiceRectified(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv2(self.relu(self.conv1(x))))


def averaged() -> nn.Module:
    return nn.Sequential(
        OrderedDict([
            ("conv1", nn.Conv2d(3, 4, 3)), ("relu1", nn.ReLU()),
            ("mean1", nn.AdaptiveAvgPool2d(2)), ("conv2", nn.Conv2d(4, 4, 1)),
            ("mean2", nn.AvgPool2d(2)), ("flat", nn.Flatten()), ("fc3", nn.Linear(4, 2)),
        ])
    )  # fmt: skip


def test_a_network_that_is_no_chain_says_where() -> None:
    with pytest.raises(ChainError, match="relu is used 2 times"):
        Chain(TwiceRectified())
    with pytest.raises(ChainError, match=r"not a chain: .* takes .*, not .* alone"):
        Chain(resnet18(weights=None))


def test_a_mean_in_the_way_is_named() -> None:
    deconvnet, images = Deconvnet(averaged()), torch.randn(1, 3, 12, 12)
    assert deconvnet.see(images, "conv1").values.shape == (1, 4, 10, 10)
    with pytest.raises(ChainError, match="mean1 averages 10x10 to 2x2 below conv2"):
        deconvnet.see(images, "conv2")
    same = Deconvnet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(10), nn.AvgPool2d(2)))
    assert same.see(images, "1").values.shape == (1, 4, 10, 10)
    with pytest.raises(ChainError, match=r"2 \(AvgPool2d\) stands below 2"):
        same.see(images, "2")


def test_an_unknown_layer_is_told_the_known_ones() -> None:
    with pytest.raises(ChainError, match="no layer 'conv9'; there are conv1, relu1, pool1"):
        Chain(ours()).field("conv9")


class Flattened(nn.Module):
    """A convolution and a linear layer, with `flatten` in between."""

    def __init__(self, flatten: Callable[[Tensor], Tensor], inputs: int = 144) -> None:
        super().__init__()
        self.conv1, self.fc2, self.flatten = nn.Conv2d(3, 4, 3), nn.Linear(inputs, 2), flatten

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.flatten(self.conv1(x)))


FLATTENINGS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "flatten(1)": (lambda x: x.flatten(1), 144),
    "flatten(start_dim=1)": (lambda x: torch.flatten(input=x, start_dim=1), 144),
    "view": (lambda x: x.view(x.size(0), -1), 144),
    "view of a shape": (lambda x: x.view((x.shape[0], 144)), 144),
    "reshape": (lambda x: x.reshape(-1, 144), 144),
    "flatten(2)": (lambda x: x.flatten(2), 36),
    "view into maps": (lambda x: x.view(-1, 4, 36), 36),
}


@pytest.mark.parametrize("name", FLATTENINGS)
def test_a_flattening_is_what_the_network_makes_of_it(name: str) -> None:
    net, images = Flattened(*FLATTENINGS[name]), torch.randn(2, 3, 8, 8)
    chain = Chain(net)
    with torch.no_grad():
        torch.testing.assert_close(chain.activations(images, "fc2"), net(images))
    goes_back = [step.kind for step in chain.steps] == ["conv", "flatten", "fc"]
    assert goes_back == (FLATTENINGS[name][1] == 144)


def test_what_a_chain_would_read_wrongly_is_refused() -> None:
    images = torch.randn(2, 3, 8, 8)
    with pytest.raises(ChainError, match="rows of 36 values; an image has 144"):
        Chain(Flattened(lambda x: x.view(-1, 36), 36)).activations(images, "fc2")
    with pytest.raises(ChainError, match="view depends on the data in more than one place"):
        Chain(Flattened(lambda x: x.view(x.size(0), 4, 36), 36))
    with pytest.raises(ChainError, match="sub does not take what comes before it as its first"):
        Chain(Flattened(lambda x: torch.sub(1, x).flatten(1)))
    with pytest.raises(ChainError, match="drops values in evaluation too"):
        Chain(Flattened(lambda x: functional.dropout(x).flatten(1)).eval())
    assert Chain(Flattened(lambda x: functional.dropout(x, training=False).flatten(1)))
    with pytest.raises(ChainError, match=r"1 \(BatchNorm2d\) is in training mode"):
        Chain(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))


@pytest.mark.parametrize("layer", ["conv1", "relu1", "drop6", ""])
def test_hooks_are_refused_and_nothing_is_run(layer: str) -> None:
    net = ours()
    handle = net.get_submodule(layer).register_forward_hook(lambda *_: None)
    with pytest.raises(ChainError, match=rf"{layer or 'ConvNet'} has a forward hook"):
        Chain(net)
    handle.remove()
    assert Chain(net).layers
    net.get_submodule(layer).register_forward_pre_hook(lambda *_: None)
    with pytest.raises(ChainError, match="remove it first"):
        Chain(net)


def test_a_network_runs_while_another_is_read() -> None:
    """torch.fx intercepts every module's call meanwhile, whichever thread makes it."""
    running, other = zf_like(), zf_like()
    chain, pixels = Chain(running), images(1)
    expected = chain.activations(pixels, "conv5")
    failures: list[str] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                if not torch.equal(chain.activations(pixels, "conv5"), expected):
                    failures.append("other numbers")
            except Exception as error:
                failures.append(repr(error))

    def read() -> None:
        for _ in range(40):
            Chain(other)

    threads = [threading.Thread(target=each) for each in (run, run, read, read)]
    for each in threads:
        each.start()
    for each in threads[2:]:
        each.join()
    stop.set()
    for each in threads[:2]:
        each.join()
    assert failures == []

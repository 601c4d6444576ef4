"""Small random networks of every kind of step, for analyses to agree with plain computations on."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from zfrepro.models.normalisation import LocalContrastNorm, LocalResponseNorm

CROP, CLASSES = 45, 6


def zf_like() -> nn.Sequential:
    """Strides, paddings, ceil-mode pools, normalisation across maps."""
    return drawn(
        conv1=nn.Conv2d(3, 8, 7, stride=2, padding=1), relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(3, 2, ceil_mode=True), norm1=LocalResponseNorm(5, 2.0, 1e-2, 0.75),
        conv2=nn.Conv2d(8, 12, 3), relu2=nn.ReLU(),
        conv5=nn.Conv2d(12, 10, 3, padding=1), relu5=nn.ReLU(),
        pool5=nn.MaxPool2d(3, 2, padding=1), flatten=nn.Flatten(), fc7=nn.LazyLinear(14),
        relu7=nn.ReLU(), fc8=nn.Linear(14, CLASSES),
    )  # fmt: skip


def grouped() -> nn.Sequential:
    """Groups, dilation, one padding for rows and another for columns, an average at the end."""
    return drawn(
        conv1=nn.Conv2d(3, 8, 5, padding=(2, 0)), relu1=nn.ReLU(), drop1=nn.Dropout(),
        conv2=nn.Conv2d(8, 12, 3, dilation=2, groups=2), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
        conv5=nn.Conv2d(12, 10, (3, 5), stride=(2, 1)), relu5=nn.ReLU(),
        average=nn.AdaptiveAvgPool2d(3), flatten=nn.Flatten(), fc7=nn.LazyLinear(14),
        relu7=nn.ReLU(), fc8=nn.Linear(14, CLASSES),
    )  # fmt: skip


def contrast() -> nn.Sequential:
    """A normalisation that looks at the whole map."""
    return drawn(
        conv1=nn.Conv2d(3, 8, 5, stride=2), relu1=nn.ReLU(), norm1=LocalContrastNorm(5, 1.5),
        conv5=nn.Conv2d(8, 10, 3), relu5=nn.ReLU(), flatten=nn.Flatten(), fc7=nn.LazyLinear(14),
        relu7=nn.ReLU(), fc8=nn.Linear(14, CLASSES),
    )  # fmt: skip


NETWORKS: list[Callable[[], nn.Sequential]] = [zf_like, grouped, contrast]


def drawn(**modules: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(OrderedDict(modules)).eval()
    network(torch.zeros(1, 3, CROP, CROP))  # lazy layers find their inputs
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.1)
        network.fc8.weight.mul_(3)
    return network


def images(count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, 3, CROP, CROP, generator=torch.Generator().manual_seed(seed))


def upto(network: nn.Sequential, last: str) -> nn.Sequential:
    """The network's first modules, as torch runs them."""
    names = [name for name, _ in network.named_children()]
    return network[: names.index(last) + 1]

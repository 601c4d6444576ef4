"""What a GPU refuses, the device of these tests refuses; the rest has the CPU's values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.fake_device.accelerator import CUDA, DeviceError, accelerator
from tests.interp.networks import NETWORKS, images
from zfrepro.data.crops import subtract_mean

REFUSED: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "sum": lambda here, there: here + there,
    "in place": lambda here, there: there.add_(here),
    "product": lambda here, there: there @ here.T,
    "concatenation": lambda here, there: torch.cat([here, there]),
    "choice": lambda here, there: torch.where(there > 0, there, here),
    "places of the other device": lambda here, there: here[there.long()],
    "values of the other device": lambda here, there: there.index_put_((torch.arange(2),), here),
    "gather": lambda here, there: there.gather(1, here.long()),
    "convolution": lambda here, there: functional.conv2d(there[None, None], here[None, None]),
    "a network on the CPU": lambda here, there: functional.linear(here, here),
    "out": lambda here, there: torch.mul(there, there, out=here),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tensors_of_two_devices_are_refused(name: str) -> None:
    with accelerator(), pytest.raises(DeviceError):
        REFUSED[name](torch.ones(2, 2), torch.ones(2, 2, device="cuda"))


@pytest.mark.parametrize("read", [Tensor.numpy, np.asarray])
def test_numpy_reads_nothing_there(read: Callable[[Tensor], Any]) -> None:
    with accelerator(), pytest.raises(RuntimeError, match="not supported for tensor"):
        read(torch.ones(2, device="cuda"))


def test_what_a_gpu_allows_is_allowed() -> None:
    with accelerator():
        x = torch.from_numpy(np.arange(6, dtype=np.float32)).view(2, 3).to(CUDA)
        assert x.device == x[torch.tensor([1])].device == (x * torch.tensor(2.0)).device == CUDA
        x[torch.arange(2), torch.tensor([0, 1])] = torch.tensor(9.0)
        assert x.tolist() == x.cpu().numpy().tolist() == [[9, 1, 2], [3, 9, 5]]
        assert float(x.sum()) == x.sum().item() == 29
        x.copy_(torch.zeros(2, 3))
        assert not x.any()
        assert torch.zeros_like(x).is_cuda
        assert not torch.zeros_like(x, device="cpu").is_cuda


@pytest.mark.parametrize("make", NETWORKS)
def test_a_network_gives_the_cpus_values(make: Callable[[], torch.nn.Sequential]) -> None:
    network = make()
    with torch.no_grad():
        expected = network(images(3))
    with accelerator(), torch.no_grad():
        found = network.to(CUDA)(images(3).to(CUDA))
        assert {each.device for each in (found, *network.parameters())} == {CUDA}
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flip", [False, True])
def test_a_batchs_crops_lose_the_mean_at_once_as_in_turn(flip: bool) -> None:
    rng = np.random.default_rng(0)
    cut, mean = rng.integers(256, size=(3, 5, 5, 3), dtype=np.uint8), 255 * rng.random((8, 8, 3))
    arguments = [
        torch.from_numpy(each)
        for each in (
            cut, mean.astype(np.float32), np.array([0, 1, 3]), np.array([2, 0, 3]),
            np.array([flip, False, True]),
        )
    ]  # fmt: skip
    expected = subtract_mean(*arguments)
    with accelerator():
        found = subtract_mean(*(each.to(CUDA) for each in arguments))
        assert found.is_cuda
    assert torch.equal(found.cpu(), expected)

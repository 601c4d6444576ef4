"""The strongest images of each map, against sorting all of them."""

import multiprocessing
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from zfrepro.interp.chain import Chain, ChainError
from zfrepro.interp.graph import Graph
from zfrepro.interp.top_activations import COLUMNS, collect, merged, strongest, to_table

IMAGES, LAYERS = 150, ["conv1", "conv2", "fc3"]


def net() -> nn.Module:
    torch.manual_seed(0)
    modules = OrderedDict([
        ("conv1", nn.Conv2d(3, 6, 5, stride=2)), ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(3, 2)),
        ("conv2", nn.Conv2d(6, 10, 3)), ("relu2", nn.ReLU()), ("flat", nn.Flatten()),
        ("fc3", nn.Linear(10 * 4 * 4, 5)), ("relu3", nn.ReLU()),
    ])  # fmt: skip
    network = nn.Sequential(modules)
    with torch.no_grad():
        network.conv2.bias[3] = -100.0  # a dead map
        network.conv2.bias[4] = -0.9  # one that seldom fires
    return network


def pixels(numbers: Any) -> Tensor:
    """Image k is image k - 75 again from 75 on: every peak comes twice."""
    images = torch.randn(75, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return images[torch.from_numpy(np.asarray(numbers)) % 75]


def brute_force(*, by: str = "peak") -> pd.DataFrame:
    """Every peak of every image, sorted; one image at a time, as every batch gives the same."""
    chain, lines = Chain(net()), []
    for layer in LAYERS:
        values = torch.cat([chain.activations(pixels([i]), layer) for i in range(IMAGES)])
        values = values if values.dim() == 4 else values[:, :, None, None]
        for number in range(values.shape[1]):
            maps = values[:, number].flatten(1)
            peaks, places = maps.amax(1).tolist(), maps.argmax(1).tolist()
            strength = peaks if by == "peak" else maps.sum(1).tolist()
            order = sorted(range(IMAGES), key=lambda i: (-strength[i], i))
            for rank, image in enumerate(order[:9], start=1):
                if (value := strength[image]) > 0:
                    place = divmod(places[image], values.shape[3])
                    lines.append((layer, number, rank, image, *place, value))
    return pd.DataFrame(lines, columns=COLUMNS)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    exact = [column for column in COLUMNS if column != "value"]
    pd.testing.assert_frame_equal(found[exact], expected[exact], check_dtype=False)
    np.testing.assert_allclose(found["value"], expected["value"], rtol=1e-5)


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    return brute_force()


@pytest.mark.parametrize("batch", [1, 32, 150])
def test_one_pass_finds_what_sorting_finds(batch: int, expected: pd.DataFrame) -> None:
    numbers = [np.arange(i, min(i + batch, IMAGES)) for i in range(0, IMAGES, batch)]
    found = to_table(strongest(Chain(net()), LAYERS, ((some, pixels(some)) for some in numbers)))
    assert_same(found, expected)
    conv2 = found[found["layer"] == "conv2"]
    assert 3 not in set(conv2["map"])  # a dead map has no strongest image
    ties = conv2[conv2["map"] == 0]["image"].to_numpy()
    assert (ties[1::2][:4] == ties[0::2][:4] + 75).all()  # the first of equal ones comes first


def test_the_strongest_may_be_those_of_the_largest_sum(expected: pd.DataFrame) -> None:
    summed = to_table(
        strongest(Chain(net()), LAYERS, [(np.arange(150), pixels(range(150)))], "sum")
    )
    assert_same(summed, brute_force(by="sum"))
    assert (summed["image"] != expected["image"]).any()


def test_parts_are_done_once_and_merge_to_the_same(tmp_path: Path, expected: pd.DataFrame) -> None:
    seen: list[int] = []

    def read(numbers: Any) -> Tensor:
        seen.extend(numbers.tolist())
        return pixels(numbers)

    chain = Chain(net())
    for _ in range(2):
        found = collect(chain, LAYERS, IMAGES, read, tmp_path, batch=16, part=40)
        assert_same(found, expected)
    assert seen == list(range(IMAGES))
    (tmp_path / "000000040.parquet.gz").unlink()  # killed before the second part was written
    assert_same(collect(chain, LAYERS, IMAGES, read, tmp_path, batch=16, part=40), expected)
    assert seen[IMAGES:] == list(range(40, 80))


def work(folder: Path, results: Any) -> None:
    torch.set_num_threads(1)
    found = collect(Chain(net()), LAYERS, IMAGES, pixels, folder, batch=8, part=16)
    results.put(found)


def test_two_processes_share_a_set(tmp_path: Path, expected: pd.DataFrame) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=work, args=(tmp_path, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for found in [results.get(timeout=120) for _ in workers]:
        assert_same(found, expected)
    for worker in workers:
        worker.join()


def test_a_network_with_branches_has_strongest_images_too(expected: pd.DataFrame) -> None:
    """Of a chain read as a graph the same, by the names of the ReLUs."""
    relus = {"relu1": "conv1", "relu2": "conv2", "relu3": "fc3"}
    numbers = np.arange(IMAGES)
    found = to_table(strongest(Graph(net().eval(), 32), [*relus], [(numbers, pixels(numbers))]))
    assert_same(found.assign(layer=found["layer"].map(relus)), expected)


def test_no_layer_and_no_table_are_named() -> None:
    with pytest.raises(ChainError, match="no layer 'conv7'"):
        strongest(Chain(net()), ["conv7"], [])
    with pytest.raises(ValueError, match="no table"):
        merged([])

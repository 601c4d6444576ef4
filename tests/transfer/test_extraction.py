"""Features of a network's layers, against its own modules; and an extraction that is killed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.look import own_network
from tests.transfer import target_sets
from zfrepro import config
from zfrepro.data.store import PreparedSet, Split
from zfrepro.interp.chain import Chain, ChainError
from zfrepro.models.convnet import build
from zfrepro.training.trained import Trained, centred
from zfrepro.transfer import features

LAYERS = ["conv1", "conv5", "fc7"]
IMAGES = 21


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("sets") / "caltech101"
    return target_sets.caltech(folder, (6, 5, 6, 4), target_sets.CLASSES[:4])


@pytest.fixture(scope="module")
def trained(prepared: PreparedSet) -> Trained:
    cfg = config.compose_experiment("tab3_zfnet", ["profile=smoke", "model.width=0.125"])
    return target_sets.network(cfg, prepared.mean)


def test_a_layers_feature_is_what_the_layer_above_sees(
    trained: Trained, prepared: PreparedSet, tmp_path: Path
) -> None:
    split = prepared.split("all")
    paths = extract(trained, split, LAYERS, tmp_path, batch=8)
    start = (trained.image_size - trained.crop) // 2
    images = split.read(np.arange(IMAGES)).astype(np.float32) - trained.mean.numpy()
    x = torch.from_numpy(images[:, start : start + trained.crop, start : start + trained.crop])
    x, expected = x.permute(0, 3, 1, 2), {}
    with torch.no_grad():
        for name, module in trained.net.named_children():
            if name in ("conv2", "flatten", "fc8"):
                expected[{"conv2": "conv1", "flatten": "conv5", "fc8": "fc7"}[name]] = x.flatten(1)
            x = module(x)
    for layer, path in paths.items():
        found = np.load(path)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[layer], rtol=1e-4, atol=1e-4)


def test_the_papers_layers_have_its_numbers() -> None:
    spec = config.compose(["+experiment=tab3_zfnet", "profile=paper"])["model"]
    chain = Chain(build(**spec, classes=10, crop=224))
    x, ends, found = torch.zeros(1, 3, 224, 224), {}, {}
    for layer in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"):
        ends[features.end(chain, layer)] = layer
    with torch.inference_mode():
        for i, step in enumerate(chain.steps[: max(ends)], start=1):
            x = step.run(x)
            if i in ends:
                found[ends[i]] = x.numel()
    assert list(found.values()) == [290_400, 43_264, 64_896, 64_896, 9_216, 4_096, 4_096]


def extract(trained: Trained, split: Any, layers: list[str], folder: Path, **how: Any) -> Any:
    """As the stages do."""
    return features.extract(
        Chain(trained.net), layers, len(split),
        lambda numbers: centred(trained, split.read(numbers, crop=trained.crop)), folder, **how,
    )  # fmt: skip


class Killed(BaseException):
    """Nobody's to catch."""


class Fragile:
    """A split that is read so often, and then no more; it counts the images."""

    def __init__(self, split: Split, reads: int) -> None:
        self.split, self.reads, self.images = split, reads, 0

    def __len__(self) -> int:
        return len(self.split)

    def read(self, rows: Any, crop: int) -> Any:
        if self.reads == 0:
            raise Killed
        self.reads -= 1
        self.images += len(rows)
        return self.split.read(rows, crop=crop)


def test_a_killed_extraction_goes_on_and_ends_with_the_same_bytes(
    trained: Trained, prepared: PreparedSet, tmp_path: Path
) -> None:
    whole = extract(trained, prepared.split("all"), LAYERS, tmp_path / "a", batch=4)
    folder = tmp_path / "b"
    for reads in (3, 1, 0):
        split: Any = Fragile(prepared.split("all"), reads)
        with pytest.raises(Killed):
            extract(trained, split, LAYERS, folder, batch=4)
        assert not list(folder.glob("*.npy"))
    with (folder / "conv5.npy.part").open("r+b") as cut:  # a kill in the middle of a write
        cut.truncate(cut.seek(0, 2) - 5)
    last: Any = Fragile(prepared.split("all"), 99)
    extract(trained, last, LAYERS, folder, batch=4)
    assert last.images == IMAGES - 12  # three batches were whole in all files
    for layer in LAYERS:
        assert (folder / f"{layer}.npy").read_bytes() == whole[layer].read_bytes()
    assert not list(folder.glob("*.part"))
    nobody: Any = Fragile(prepared.split("all"), 0)
    extract(trained, nobody, LAYERS, folder, batch=4)  # finished: nothing is read


def test_another_layer_is_added_to_those_that_are_there(
    trained: Trained, prepared: PreparedSet, tmp_path: Path
) -> None:
    split = prepared.split("all")
    first = extract(trained, split, ["fc7"], tmp_path)["fc7"]
    before = first.stat().st_mtime_ns
    both = extract(trained, split, ["conv5", "fc7"], tmp_path)
    assert np.load(both["conv5"]).shape[0] == IMAGES
    assert first.stat().st_mtime_ns == before
    with pytest.raises(ChainError, match="no layer 'conv9'"):
        extract(trained, split, ["conv9"], tmp_path)


def test_a_network_with_branches_gives_what_its_modules_give(tmp_path: Path) -> None:
    """Not what an in-place ReLU makes of it afterwards; uses of one module stand apart."""
    network = own_network.residual()
    net, images = network.trained.net, torch.randn(5, 3, 32, 32)
    layers = ["0", "1.relu", "1.relu:2", "4"]
    paths = features.extract(
        network.deconvnet.chain, layers, 5, lambda numbers: images[numbers], tmp_path, batch=2
    )
    with torch.no_grad():
        first = net[0](images)
        rectified = first.clamp(min=0)
        block = (rectified + net[1].conv(rectified)).clamp(min=0)
        expected = first, rectified, block, net[:5](images)
    for layer, values in zip(layers, expected, strict=True):
        np.testing.assert_allclose(np.load(paths[layer]), values.flatten(1), rtol=1e-4, atol=1e-5)

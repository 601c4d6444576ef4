"""Published nets: imported, they compute what their package's own net computes."""

import hashlib
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytorchcv.models.common import model_store
from torchvision.datasets import Imagenette
from torchvision.models import AlexNet_Weights

from tests.published_nets import on_meta, shrunk, theirs
from zfrepro import config
from zfrepro.inference import published
from zfrepro.inference.published import PublishedError, fetch, imported, network
from zfrepro.models import geometry
from zfrepro.training.trained import Trained, load

NAMES = config.published_models()
NARROW = ["torchvision_alexnet", "pytorchcv_zfnet"]  # the wide one has the latter's path
STATE = {"weight": torch.arange(3.0)}


def inputs(trained: Trained, images: Any) -> torch.Tensor:
    """The centre crops as our nets see them, (N, 3, crop, crop)."""
    low = (trained.image_size - trained.crop) // 2
    centred = torch.from_numpy(images).float() - trained.mean
    return centred.permute(0, 3, 1, 2)[..., low:-low, low:-low]


@pytest.fixture(scope="module", params=NARROW)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, torch.nn.Module, Trained]:
    """A package's net and what was imported from its file."""
    folder, net = tmp_path_factory.mktemp("published"), theirs(request.param)
    torch.save(net.state_dict(), folder / "their.pth")
    model = shrunk(request.param, f"model.published.weights={folder / 'their.pth'}")
    return request.param, net, load(imported(model, folder))


def test_logits_are_those_of_the_package(pair: tuple[str, torch.nn.Module, Trained]) -> None:
    name, net, trained = pair
    images = np.random.default_rng(0).integers(0, 256, (4, 256, 256, 3), dtype=np.uint8)
    transform = AlexNet_Weights.IMAGENET1K_V1.transforms()  # resizes, crops, scales, normalises
    with torch.inference_mode():
        expected = net(torch.stack([transform(Image.fromarray(image)) for image in images]))
        found = trained.net(inputs(trained, images))
    scale = float(expected.std())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * scale)
    assert found.argmax(1).tolist() == expected.argmax(1).tolist()
    assert float((expected - expected.mean(0)).std()) > 0.01 * scale  # images differ
    if name == "pytorchcv_zfnet":  # the comparison would notice another normalisation
        formula = trained.net.norm1.formula
        trained.net.norm1.formula = formula._replace(alpha=5 * formula.alpha)
        with torch.inference_mode():
            other = trained.net(inputs(trained, images))
        trained.net.norm1.formula = formula
        assert float((other - expected).abs().max()) > 0.05 * scale


def test_what_is_imported_is_a_net_like_ours(pair: tuple[str, torch.nn.Module, Trained]) -> None:
    _, _, trained = pair
    names = [name for name, _ in trained.net.named_children()]
    assert [name for name in names if name.startswith(("conv", "pool", "fc"))] == [
        "conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5", "fc6", "fc7", "fc8",
    ]  # fmt: skip
    assert (trained.image_size, trained.crop, trained.resize_filter) == (256, 224, "bilinear")
    assert trained.classes[0] == ("n01440764", "tench")
    assert not trained.net.training


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_of_the_package_has_its_place(name: str) -> None:
    model, state = config.compose_published(name), on_meta(name).state_dict()
    rows = geometry.table(
        model["layers"], classes=1000, crop=224, pool=model["pool"],
        normalisation=model["normalisation"],
    )  # fmt: skip
    sizes = {row.name: row.parameters for row in rows if row.parameters}
    tensors = model["published"]["tensors"]
    assert [f"{module}.{part}" for module in tensors.values() for part in ("weight", "bias")] == [
        *state
    ]
    for layer, module in tensors.items():
        weights, biases = (state[f"{module}.{part}"].numel() for part in ("weight", "bias"))
        assert sizes.pop(layer) == weights + biases, layer
    assert not sizes
    assert config.options("model").count(model["name"]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_address_is_the_packages(name: str) -> None:
    source = config.compose_published(name)["published"]
    if source["package"] == "torchvision":
        expected = AlexNet_Weights.IMAGENET1K_V1.url
    else:
        error, sha1, release = model_store.get_model_name_suffix_data(source["name"])
        file = f"{source['name']}-{error}-{sha1[:8]}.pth.zip"
        expected = f"{model_store.imgclsmob_repo_url}/releases/download/{release}/{file}"
    assert source["url"] == expected


def test_classes_are_in_the_order_of_their_ids() -> None:
    ids, names = zip(*published.classes(), strict=True)
    assert list(ids) == sorted(set(ids))
    assert len(ids) == 1000
    for wnid, words in Imagenette._WNID_TO_CLASS.items():
        assert names[ids.index(wnid)] in words


def test_importing_again_finds_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = theirs("torchvision_alexnet").state_dict()
    monkeypatch.setitem(published.DOWNLOADS, "torchvision", lambda _: state)
    model = shrunk("torchvision_alexnet")
    path = imported(model, tmp_path)
    monkeypatch.setattr(published, "fetch", lambda _: pytest.fail("fetched again"))
    assert imported(model, tmp_path) == path
    assert [file.name for file in path.parent.iterdir()] == ["weights.pt"]


def test_another_file_of_the_same_name_is_another_network(tmp_path: Path) -> None:
    state = theirs("torchvision_alexnet").state_dict()
    model = shrunk("torchvision_alexnet", f"model.published.weights={tmp_path / 'a.pth'}")
    paths = []
    for bias in (1.0, 2.0):
        torch.save(state | {"classifier.6.bias": torch.full((1000,), bias)}, tmp_path / "a.pth")
        paths.append(imported(model, tmp_path))
    biases = [load(path).net.fc8.bias[0].item() for path in paths]
    assert biases == [1.0, 2.0]


def test_files_of_other_networks_are_named(tmp_path: Path) -> None:
    model = shrunk("torchvision_alexnet", f"model.published.weights={tmp_path / 'a.pth'}")
    remedy = (
        r"torchvision's alexnet.*fetch https://.*alexnet-owt.*and set model\.published\.weights="
    )
    state = theirs("torchvision_alexnet").state_dict()
    for foreign, message in (
        ({}, "no tensor features.0.weight (it is empty)"),
        ({"layer1.weight": torch.zeros(3)}, "no tensor features.0.weight (it has layer1.weight"),
        (state | {"features.3.weight": torch.zeros(3)}, "features.3.weight of shape (3,), not ("),
    ):
        with pytest.raises(PublishedError, match=remedy) as error:
            network(model, foreign)
        assert message in str(error.value)
        assert str(tmp_path / "a.pth") in str(error.value)
        assert "\n" not in str(error.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    model = shrunk("pytorchcv_zfnet", f"model.published.weights={path}")
    remedy = r"expected pytorchcv's zfnet: fetch https://.*zfnet-1727.*zip, unpack it and set model"
    with pytest.raises(PublishedError, match=rf"a\.pth cannot be read \(No such file.*{remedy}"):
        imported(model, tmp_path)
    torch.save(STATE, path)
    whole = path.read_bytes()
    for content in (b"", b"<html>not found</html>", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(PublishedError, match=rf"a\.pth is cut off or no file.*{remedy}"):
            imported(model, tmp_path)
    torch.save([1], path)
    with pytest.raises(PublishedError, match=rf"a list, not a dict.*{remedy}"):
        imported(model, tmp_path)
    torch.save({"a": Path("b")}, path)
    with pytest.raises(PublishedError, match=rf"is refused.*{remedy}"):
        imported(model, tmp_path)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder and its address; the packages' caches start empty."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    weights = AlexNet_Weights.IMAGENET1K_V1
    monkeypatch.setattr(weights, "_value_", replace(weights.value, url=url))


@pytest.mark.network
def test_torchvision_downloads(
    served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, url = served
    torch.save(STATE, folder / "file")
    digest = hashlib.sha256((folder / "file").read_bytes()).hexdigest()
    (folder / "file").rename(folder / f"alexnet-{digest[:8]}.pth")
    address(monkeypatch, f"{url}/alexnet-{digest[:8]}.pth")
    state = fetch(config.compose_published("torchvision_alexnet")["published"])
    assert torch.equal(state["weight"], STATE["weight"])
    assert capsys.readouterr().out == ""
    (folder / f"alexnet-{digest[:8]}.pth").rename(folder / "alexnet-00000000.pth")
    address(monkeypatch, f"{url}/alexnet-00000000.pth")
    with pytest.raises(PublishedError, match=r"was not downloaded \(invalid hash value"):
        fetch(config.compose_published("torchvision_alexnet")["published"])


@pytest.mark.network
def test_pytorchcv_downloads(
    served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, url = served
    torch.save(STATE, folder / "file")
    digest = hashlib.sha1((folder / "file").read_bytes(), usedforsecurity=False).hexdigest()
    name = f"zfnet-1727-{digest[:8]}.pth"
    release = folder / "releases" / "download" / "v1"
    release.mkdir(parents=True)
    with zipfile.ZipFile(release / f"{name}.zip", "w") as archive:
        archive.write(folder / "file", name)
    monkeypatch.setattr(model_store, "imgclsmob_repo_url", url)
    monkeypatch.setattr(model_store, "get_model_name_suffix_data", lambda _: ("1727", digest, "v1"))
    state = fetch(config.compose_published("pytorchcv_zfnet")["published"])
    assert torch.equal(state["weight"], STATE["weight"])
    assert capsys.readouterr().out == ""


def test_without_a_network_the_error_says_what_to_fetch(
    served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address(monkeypatch, "http://127.0.0.1:9/alexnet-00000000.pth")
    monkeypatch.setattr(model_store, "imgclsmob_repo_url", "http://127.0.0.1:9")
    for name, file in (("torchvision_alexnet", "alexnet-owt"), ("pytorchcv_zfnet", "zfnet-1727")):
        message = rf"was not downloaded \(.*\): fetch https://.*{file}.* set model\.published\."
        with pytest.raises(PublishedError, match=message):
            fetch(config.compose_published(name)["published"])


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "pytorchcv"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pytorchcv", None)
    with pytest.raises(PublishedError, match=r"pip install 'zfrepro\[pretrained\]'; or fetch http"):
        fetch(config.compose_published("pytorchcv_zfnet")["published"])


def test_unknown_packages_are_named() -> None:
    with pytest.raises(PublishedError, match="package is timm, not torchvision or pytorchcv"):
        fetch(config.compose_published("pytorchcv_zfnet")["published"] | {"package": "timm"})

"""What the library says, against the same worked out in another way."""

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional
from torchvision.models import alexnet, resnet18
from torchvision.transforms.v2 import functional as transforms

from tests.look import own_network
from zfrepro import library
from zfrepro.config import ROOT
from zfrepro.data.pictures import Folder
from zfrepro.look.session import Session
from zfrepro.look.sets import photographs
from zfrepro.training import archive

CAT = photographs()["cat"]


@pytest.fixture(scope="module")
def network() -> library.Network:
    return library.load("rendered_zfnet")


@pytest.fixture(scope="module")
def images(network: library.Network) -> Folder:
    return Folder(list(photographs().values()), network.trained.image_size, "bilinear")


def test_every_example_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = doctest.testmod(library)
    assert found.failed == 0
    assert found.attempted > 20


def test_a_network_of_ones_own_sees_what_torchvisions_weights_expect() -> None:
    torch.manual_seed(0)
    net = alexnet(num_classes=4).eval()
    network = library.wrap(net, classes=["a", "b", "c", "d"])
    view = library.see(network, CAT)
    picture = transforms.to_image(Image.open(CAT))
    resized = transforms.resize(picture, [256], antialias=True)
    pixels = transforms.center_crop(resized, [224, 224]).float() / 255
    expected = transforms.normalize(pixels, library.IMAGENET_MEAN, library.IMAGENET_STD)
    torch.testing.assert_close(view.inputs[0], expected, rtol=0, atol=0.02)  # a grey of 255 or so
    with torch.inference_mode():
        logits = net(view.inputs)
    assert view.probabilities == pytest.approx(logits[0].softmax(0).numpy(), abs=1e-6)


def test_a_projection_is_the_gradient_with_the_paper_s_rectification() -> None:
    """Of a net of one ReLU they differ in nothing but what the ReLU lets through."""
    network = own_network.made()
    view = library.see(network, CAT)
    values = view.activations("0")
    found = library.project(network, view, "0", 2)
    row, column = np.unravel_index(values[2].argmax(), values[2].shape)
    assert (found.row, found.column) == (row, column)
    kernel = network.trained.net[0].weight[2].detach()
    expected = torch.zeros(1, 3, 32, 32)
    down, right = 2 * int(row), 2 * int(column)
    expected[0, :, down : down + 5, right : right + 5] = float(values[2].max()) * kernel
    torch.testing.assert_close(torch.from_numpy(found.pixels), expected[0].permute(1, 2, 0))
    window = library.project(network, view, "0", 2, window=True)
    assert (window.top, window.left, window.pixels.shape) == (down, right, (5, 5, 3))
    cut = view.crop[down : down + 5, right : right + 5] / 255
    assert window.patch == pytest.approx(cut, abs=1e-6)


def test_a_chosen_place_is_projected_and_another_is_not_there(network: library.Network) -> None:
    view = library.see(network, CAT)
    found = library.project(network, view, "conv5", 41, place=(0, 1))
    assert found.value == pytest.approx(view.activations("conv5")[41, 0, 1])
    with pytest.raises(ValueError, match="conv5 has no row 6"):
        library.project(network, view, "conv5", 41, place=(6, 1))
    with pytest.raises(ValueError, match="conv5 has no map 64"):
        library.project(network, view, "conv5", 64)


def test_shuffled_weights_are_a_control(network: library.Network) -> None:
    view = library.see(network, CAT)
    learned = library.project(network, view, "conv5", 41).pixels
    control = library.project(network, view, "conv5", 41, shuffled=0).pixels
    again = library.project(network, view, "conv5", 41, shuffled=0).pixels
    assert np.array_equal(control, again)
    alike = np.corrcoef(learned.ravel(), control.ravel())[0, 1]
    assert abs(alike) < 0.2
    own = library.with_shuffled_weights(network, 0).trained.net.state_dict()
    for name, weights in network.trained.net.state_dict().items():
        assert torch.equal(own[name].flatten().sort()[0], weights.flatten().sort()[0])


@pytest.mark.parametrize("weakest", [False, True])
def test_the_strongest_images_are_those_with_the_highest_peaks(
    network: library.Network, images: Folder, weakest: bool
) -> None:
    expected = {
        i: library.see(network, path).activations("conv4")[7].max()
        for i, path in enumerate(images.paths)
    }
    firing = [i for i in expected if expected[i] > 0]
    order = sorted(firing, key=lambda i: expected[i] if weakest else -expected[i])
    found = library.top_images(network, images, "conv4", 7, count=3, weakest=weakest)
    assert [each.image for each in found] == order[:3]
    for each in found:
        assert each.value == pytest.approx(expected[each.image], rel=1e-4)
        alone = library.project(network, images.paths[each.image], "conv4", 7, window=True)
        assert (each.row, each.column, each.top, each.left) == (
            alone.row, alone.column, alone.top, alone.left
        )  # fmt: skip
        np.testing.assert_allclose(each.pixels, alone.pixels, atol=1e-4)
        np.testing.assert_array_equal(each.patch, alone.patch)
    known = library.peaks(network, images, ["conv4"], progress=lambda done: None)["conv4"]
    again = library.top_images(network, images, "conv4", 7, count=3, weakest=weakest, known=known)
    assert [each.image for each in again] == order[:3]


def test_one_square_is_one_place_of_the_map(network: library.Network) -> None:
    found = library.occlude(network, CAT, "conv5", 41, stride=56, label=3)
    row, column = 2, 1
    covered = library.cover(network, CAT, found.rows[row], found.columns[column], found.square.side)
    assert found.map == 41
    assert found.probability[row, column] == pytest.approx(covered.probabilities[3], abs=1e-4)
    expected = covered.activations("conv5")[41].sum()
    assert found.activation[row, column] == pytest.approx(expected, rel=1e-3)
    assert found.best[row, column] == covered.probabilities.argmax()


def test_the_whole_square_is_reported(network: library.Network) -> None:
    told: list[tuple[int, int]] = []
    library.occlude(
        network, CAT, "conv5", progress=lambda done, total: told.append((done, total))
    )  # fmt: skip
    assert told[-1] == (625, 625)
    assert told == sorted(told)


def test_a_moved_image_is_that_of_figure_5(network: library.Network) -> None:
    view = library.see(network, CAT)
    moved = library.move(network, view, "translation", 5, ["conv1", "fc7"])
    start = (network.trained.image_size - network.crop) // 2
    down = view.prepared[start - 5 : start - 5 + network.crop, start : start + network.crop]
    assert moved.crop == pytest.approx(down / 255, abs=1e-4)
    other = library.see(network, down)
    for layer in ("conv1", "fc7"):
        expected = np.linalg.norm(other.activations(layer) - view.activations(layer))
        assert moved.distances[layer] == pytest.approx(expected, rel=1e-3)
    assert moved.clean == pytest.approx(view.probabilities.max())
    with pytest.raises(ValueError, match="kind is 'shear'; it can be translation"):
        library.move(network, view, "shear", 1, ["conv1"])
    with pytest.raises(ValueError, match="a scale of 0 leaves nothing"):
        library.move(network, view, "scale", 0, ["conv1"])


def test_maps_are_matched_by_correlation() -> None:
    rng = np.random.default_rng(0)
    mine = rng.random((50, 3), dtype=np.float32)
    theirs = {"conv1": rng.random((50, 4), dtype=np.float32), "conv2": mine[:, ::-1] * 3 + 1}
    theirs["conv1"][:, 0] = 0  # a map that never fires
    (layer, number, alike), *others = library.matching(mine, 0, theirs)
    assert (layer, number) == ("conv2", 2)
    assert alike == pytest.approx(1)
    for layer, number, alike in others:
        assert alike == pytest.approx(np.corrcoef(mine[:, 0], theirs[layer][:, number])[0, 1])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tests.look.own_network:nothing", "makes a int, and no nn.Module"),
        ("tests.look.own_network:missing", "has no attribute 'missing'"),
        ("no_such_package:made", "No module named 'no_such_package'"),
        ("tests.look.own_network:net", "does not take images of 224 pixels"),
    ],
)
def test_a_network_that_cannot_be_made_is_one_sentence(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        library.load(name)


def test_branches_are_looked_into_as_a_chain_is(tmp_path: Path) -> None:
    network = library.load("tests.look.own_network:branched")
    assert list(network.layers) == ["conv"]
    assert network.layers["conv"].field == 3
    view = library.see(network, "docs/cat.jpg")
    found = library.project(network, view, "conv", 1)
    assert found.pixels.shape == (224, 224, 3)
    assert np.count_nonzero(found.pixels.any(2)) <= 9
    assert library.occlude(network, view, "conv", 1, stride=112).activation.shape == (3, 3)
    control = library.project(network, view, "conv", 1, shuffled=0)
    assert not np.array_equal(control.pixels, found.pixels)


def test_torchvisions_networks_read_pictures_as_their_weights_do(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = {f"module.{k}": v.half() for k, v in resnet18().state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "half.pt")
    network = library.load("torchvision.models:resnet18", weights=str(tmp_path / "half.pt"))
    loaded = network.trained.net.state_dict()["layer1.0.conv1.weight"]
    torch.testing.assert_close(loaded, state["module.layer1.0.conv1.weight"].float())
    assert (network.crop, network.trained.image_size) == (224, 256)
    assert network.classes[:2] == ["tench", "goldfish"]
    assert network.layers["layer3.0.conv2"].field == 147
    # shuffled, its batch norms let something through
    shuffled = library.with_shuffled_weights(network, 0)
    values = library.see(shuffled, "docs/cat.jpg").activations("layer3.0.relu")
    assert values.std() > 0.01


def test_weights_of_ones_own_are_loaded_by_name(tmp_path: Path) -> None:
    expected = alexnet().state_dict()["features.0.weight"]
    state = {f"module.{name}": value for name, value in alexnet().state_dict().items()}
    torch.save({"state_dict": {**state, "module.features.0.weight": expected}}, tmp_path / "own.pt")
    name = "torchvision.models:alexnet"
    network = library.load(name, weights=str(tmp_path / "own.pt"))
    assert torch.equal(network.trained.net.state_dict()["features.0.weight"], expected)
    assert list(network.layers)[:2] == ["features.0", "features.3"]
    torch.save({"0.weight": torch.zeros(1)}, tmp_path / "foreign.pt")
    with pytest.raises(ValueError, match=r"foreign\.pt does not fit torchvision\.models:alexnet"):
        library.load(name, weights=str(tmp_path / "foreign.pt"))


def test_weights_after_an_epoch_are_a_network(session: Session) -> None:
    run = Path(session.names[-1])
    early = library.load(run / "snapshots" / "epoch-00001.pt")
    last = library.load(run)
    state = archive.read(run / "snapshots" / "epoch-00001.pt")
    assert torch.equal(early.trained.net.state_dict()["conv3.weight"], state["conv3.weight"])
    assert not torch.equal(state["conv3.weight"], last.trained.net.state_dict()["conv3.weight"])
    assert early.run == last.run == run
    assert early.classes == ["one", "two", "three"]


def test_a_picture_in_memory_is_that_of_its_file(network: library.Network) -> None:
    by_path, by_picture = (library.see(network, each) for each in (CAT, Image.open(CAT)))
    assert np.array_equal(by_path.crop, by_picture.crop)
    by_crop = library.see(network, by_path.crop)
    assert np.array_equal(by_crop.crop, by_path.crop)
    values = functional.softmax(torch.from_numpy(by_crop.probabilities).log(), 0)
    assert values.numpy() == pytest.approx(by_path.probabilities, abs=1e-5)
    with pytest.raises(FileNotFoundError, match=r"no_such\.jpg is not there"):
        library.see(network, "no_such.jpg")

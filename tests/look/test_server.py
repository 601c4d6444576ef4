"""The page's server: what it answers is what the library says, and what it refuses."""

import io
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.look.asking import Asker
from tests.look.conftest import NETWORK, SHOWN, serve
from tests.project import Project
from zfrepro import library
from zfrepro.data.pictures import Folder
from zfrepro.data.store import PreparedSet
from zfrepro.look import sets
from zfrepro.look.session import Looked, Session, Work
from zfrepro.look.sets import Validation
from zfrepro.render import mosaic
from zfrepro.training import archive

AT = {"network": NETWORK, "image": "sample:cat", "layer": "conv5", "map": 41}
OWN = "tests.look.own_network:made"


@pytest.fixture(scope="module")
def network() -> library.Network:
    return library.load(NETWORK)


@pytest.fixture(scope="module")
def view(network: library.Network) -> library.View:
    return library.see(network, sets.photographs()["cat"])


@pytest.fixture(scope="module")
def images(network: library.Network) -> Folder:
    paths = [sets.photographs()[name] for name in SHOWN]
    return Folder(paths, network.trained.image_size, "bilinear")


def shown(picture: np.ndarray) -> np.ndarray:
    return (np.nan_to_num(picture, nan=1.0).clip(0, 1) * 255).round().astype(np.uint8)


def test_networks_layers_and_predictions(
    asker: Asker, network: library.Network, view: library.View
) -> None:
    known = {each["id"] for each in asker("api/networks").json}
    assert {NETWORK, "rendered_alexnet", OWN} <= known
    about = asker("api/network", network=NETWORK).json
    assert about["crop"] == 112
    assert about["classes"] == network.classes
    assert [layer["name"] for layer in about["layers"]] == list(network.layers)
    assert about["layers"][4] == {
        "name": "conv5", "maps": 64, "height": 6, "width": 6, "field": 139, "stride": 16
    }  # fmt: skip
    said = asker("api/see", network=NETWORK, image="sample:cat").json["predictions"]
    assert [(each["name"], each["probability"]) for each in said] == [
        (name, pytest.approx(share)) for name, share in view.top(5)
    ]


def test_maps_and_their_values(asker: Asker, view: library.View) -> None:
    values = view.activations("conv5")
    listed = asker("api/layer", **AT).json
    peaks = [each["peak"] for each in listed["maps"]]
    assert peaks == sorted(peaks, reverse=True)
    assert {each["map"]: each["peak"] for each in listed["maps"]} == {
        i: pytest.approx(float(values[i].max())) for i in range(64)
    }
    assert np.array(asker("api/map", **AT).json["values"]) == pytest.approx(values[41])
    table = pd.read_csv(io.BytesIO(asker("api/map.csv", **AT).content))
    assert table["value"].to_numpy().reshape(6, 6) == pytest.approx(values[41], rel=1e-5)
    sprite = asker("api/maps.png", **AT).pixels
    cell, gap, columns = (listed["sprite"][word] for word in ("cell", "gap", "columns"))
    top, left = 41 // columns * (cell + gap), 41 % columns * (cell + gap)
    drawn = sprite[top : top + cell, left : left + cell]
    expected = np.kron(values[41] / values[41].max(), np.ones((8, 8)))[:, :, None].repeat(3, 2)
    assert np.abs(drawn.astype(float) - 255 * expected).max() <= 1
    dim = asker("api/maps.png", contrast="shared", **AT | {"layer": "conv3"}).pixels
    assert dim.mean() < asker("api/maps.png", **AT | {"layer": "conv3"}).pixels.mean()


def test_pictures_are_the_librarys_arrays(
    asker: Asker, network: library.Network, view: library.View
) -> None:
    whole = library.project(network, view, "conv5", 41)
    drawn = asker("api/projection.png", **AT)
    assert np.array_equal(drawn.pixels, shown(mosaic.signed(whole.pixels)))
    chosen = library.project(network, view, "conv5", 41, place=(0, 1), window=True)
    place = {"row": 0, "column": 1, "part": "window"}
    by_place = asker("api/projection.png", **AT, **place)
    assert np.array_equal(by_place.pixels, shown(mosaic.signed(chosen.pixels)))
    patch = asker("api/patch.png", **AT, **place)
    assert np.array_equal(patch.pixels, shown(chosen.patch))
    window = asker("api/window", **AT, row=0, column=1).json
    field = network.deconvnet.chain.field("conv5")
    assert field is not None
    assert window["top"] == field.offset
    assert window["left"] == field.offset + field.stride
    control = library.project(network, view, "conv5", 41, shuffled=3)
    by_chance = asker("api/projection.png", **AT, shuffled=3)
    assert np.array_equal(by_chance.pixels, shown(mosaic.signed(control.pixels)))
    table = pd.read_csv(io.BytesIO(asker("api/projection.csv", **AT).content))
    values = table[["red", "green", "blue"]].to_numpy().reshape(whole.pixels.shape)
    np.testing.assert_allclose(values, whole.pixels, rtol=1e-4, atol=1e-6)
    assert asker("api/projection.svg", **AT).content.startswith(b"<?xml")
    assert asker("api/projection.pdf", **AT).content.startswith(b"%PDF")
    crop = asker("api/picture.png", network=NETWORK, image="sample:cat").pixels
    assert np.array_equal(crop, view.crop)
    first = asker("api/filter.png", network=NETWORK, layer="conv1", map=3)
    assert first.pixels.shape == (96, 96, 3)
    assert "only conv1 has filters" in asker("api/filter.png", **AT).json["detail"]


def test_shared_contrast_has_one_scale(
    asker: Asker, network: library.Network, view: library.View
) -> None:
    strongest = int(view.activations("conv5").max((1, 2)).argmax())
    largest = mosaic.largest(library.project(network, view, "conv5", strongest, window=True).pixels)
    other = {**AT, "map": 18}
    expected = mosaic.signed(library.project(network, view, "conv5", 18).pixels, scale=largest)
    drawn = asker("api/projection.png", **other, contrast="shared").pixels
    assert np.array_equal(drawn, shown(expected))


def test_the_strongest_images_of_the_set(
    asker: Asker, network: library.Network, images: Folder
) -> None:
    for weakest in (False, True):
        expected = library.top_images(network, images, "conv5", 41, weakest=weakest)
        found = asker("api/top", **AT, weakest=weakest).json
        assert found["set"] == len(SHOWN)
        assert [(each["image"], each["value"]) for each in found["images"]] == [
            (f"folder:{each.image}", pytest.approx(each.value, rel=1e-4)) for each in expected
        ]
    pixels = asker("api/top.png", **AT, what="projections").pixels
    stack = np.stack([each.pixels for each in library.top_images(network, images, "conv5", 41)])
    side = stack.shape[2]
    assert np.array_equal(pixels[:side, :side], shown(mosaic.signed(stack)[0]))
    rows = asker("api/top.csv", **AT).content.decode().splitlines()
    assert rows[0] == "layer,map,rank,image,row,column,value"
    assert len(rows) == 1 + len(stack)


def test_a_square_hides_and_everywhere_it_does(
    asker: Asker, network: library.Network, view: library.View
) -> None:
    covered = library.cover(network, view, 40, 30, 20, 128)
    found = asker("api/occlude", **AT, top=40, left=30, side=20, grey=128).json
    for each in found["predictions"]:
        assert each["probability"] == pytest.approx(covered.probabilities[each["class"]], abs=1e-6)
        assert each["clean"] == pytest.approx(view.probabilities[each["class"]], abs=1e-6)
    assert found["activation"]["now"] == pytest.approx(covered.activations("conv5")[41].sum())
    job = asker("api/occlusion", post=b"", **AT, stride=32).json["job"]
    while asker("api/job", job=job).json["state"] == "running":
        pass
    expected = library.occlude(network, view, "conv5", 41, stride=32)
    table = pd.read_csv(io.BytesIO(asker("api/occlusion.csv", job=job).content))
    assert table["probability"].to_numpy() == pytest.approx(
        expected.probability.ravel(), rel=1e-3, abs=1e-6
    )
    drawn = asker("api/occlusion.png", job=job, what="probability").pixels
    assert np.abs(drawn.astype(float) - 255 * expected.probability).max() <= 1
    about = asker("api/occlusion", job=job, network=NETWORK).json
    assert about["label"] == network.classes[expected.label]
    assert sum(each["share"] for each in about["classes"]) == pytest.approx(1)
    assert "no such work" in asker("api/job", job="x").json["detail"]
    full = asker("api/occlusion", post=b"", **AT | {"layer": "fc7"}).json["job"]
    while (state := asker("api/job", job=full).json)["state"] == "running":
        pass
    assert "fc7 is a full layer" in state["message"]


def test_a_moved_image_and_its_curves(asker: Asker, network: library.Network) -> None:
    cat = sets.photographs()["cat"]
    moved = library.move(network, cat, "rotation", 45, ["conv1", "fc7"])
    found = asker("api/move", **AT, kind="rotation", amount=45).json
    assert found["relative"] == {
        layer: pytest.approx(value, rel=1e-4) for layer, value in moved.relative.items()
    }
    drawn = asker("api/moved.png", **AT, kind="rotation", amount=45).pixels
    assert np.array_equal(drawn, shown(moved.crop))
    line = asker("api/curves", **AT, kind="rotation").json
    at = line["amounts"].index(45)
    assert line["layers"]["fc7"][at] == pytest.approx(moved.relative["fc7"], rel=1e-4)
    table = pd.read_csv(io.BytesIO(asker("api/curves.csv", **AT, kind="rotation").content))
    assert table["fc7"].to_numpy() == pytest.approx(line["layers"]["fc7"], rel=1e-4)
    assert asker("api/move", **AT, kind="shear", amount=1).status == 422


def test_the_like_of_a_map_in_another_network(
    asker: Asker, network: library.Network, images: Folder
) -> None:
    found = asker("api/match", **AT, other="rendered_alexnet").json
    assert found["images"] == len(SHOWN)
    best = found["maps"][0]
    other = library.load("rendered_alexnet")
    ours = library.peaks(network, images, ["conv5"], progress=lambda done: None)["conv5"][:, 41]
    theirs = library.peaks(other, images, [best["layer"]], progress=lambda done: None)
    alike = np.corrcoef(ours, theirs[best["layer"]][:, best["map"]])[0, 1]
    assert best["correlation"] == pytest.approx(alike, abs=1e-4)


def test_the_command_makes_the_same_picture(asker: Asker) -> None:
    said = asker("api/command", **AT, view="deconv").json["command"]
    expected = "python -m zfrepro.deconv zfrepro/look/photographs/cat.jpg rendered_zfnet"
    assert said == f"{expected} --layer conv5 --maps 41"
    moved = asker("api/command", **AT, view="invariance").json["command"]
    assert moved.endswith("--network rendered_zfnet --layers conv1 fc7")


def test_uploads_are_pictures_of_a_bounded_size(
    asker: Asker, view: library.View, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = sets.photographs()["cat"].read_bytes()
    sent = asker("api/images", post=content, name="../a cat.jpg").json
    assert sent["title"] == "a cat.jpg"
    assert sent in asker("api/images").json["uploads"]
    seen = asker("api/see", network=NETWORK, image=sent["id"]).json["predictions"][0]
    assert seen["probability"] == pytest.approx(float(view.probabilities.max()))
    for bad, message in ((b"", "zero bytes"), (b"<html>", "not an image: a web page")):
        refused = asker("api/images", post=bad)
        assert (refused.status, refused.json["detail"]) == (422, message)
    wide = io.BytesIO()
    Image.new("1", (60_000, 60_000)).save(wide, "PNG")
    assert "pixels" in asker("api/images", post=wide.getvalue()).json["detail"]
    monkeypatch.setattr(sets, "LARGEST", 1000)
    assert asker("api/images", post=content).status == 413


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("api/network", {"network": "../../etc/passwd"}),
        ("api/network", {"network": str(Path(__file__))}),
        ("api/picture.png", {"image": "upload:../../../etc/passwd"}),
        ("api/picture.png", {"image": "sample:../../../docs/cat"}),
        ("api/picture.png", {"image": "folder:-1"}),
        ("api/picture.png", {"image": "folder:99"}),
        ("..%2f..%2fapp.py", {}),
        ("../app.py", {}),
        ("%2e%2e/app.py", {}),
        ("api/layer", AT | {"layer": "conv9"}),
        ("api/map", AT | {"map": 64}),
        ("docs", {}),
        ("openapi.json", {}),
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_served(asker: Asker, path: str, words: dict[str, str]) -> None:
    found = asker(path, **words)
    assert found.status == 404
    assert found.json["detail"]


def test_an_image_is_asked_for(asker: Asker) -> None:
    assert "choose an image" in asker("api/see", network=NETWORK).json["detail"]


def test_only_this_page_may_ask(asker: Asker, session: Session) -> None:
    assert asker("", headers={"Host": "evil.example"}).status == 403
    evil = {"Origin": "http://evil.example"}
    assert asker("api/images", post=b"x", headers=evil).status == 403
    policy = asker("").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    for address in serve(session, token="secret"):
        guarded = Asker(address)
        assert guarded("").status == 403
        assert guarded("api/networks", token="wrong").status == 403
        let_in = guarded("", token="secret")
        assert let_in.status == 200
        cookie = let_in.headers["set-cookie"].partition(";")[0]
        assert guarded("api/networks", headers={"Cookie": cookie}).status == 200


def test_many_may_ask_at_once(asker: Asker, view: library.View) -> None:
    answers: list[float] = []

    def ask(number: int) -> None:
        answers.append(asker("api/map", **AT | {"map": number}).json["peak"])

    threads = [threading.Thread(target=ask, args=(number % 64,)) for number in range(128)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    expected = view.activations("conv5").max((1, 2)).tolist() * 2
    assert sorted(answers) == pytest.approx(sorted(expected))


def test_a_network_of_ones_own(asker: Asker) -> None:
    about = asker("api/network", network=OWN).json
    assert about["classes"] == ["left", "right"]
    assert [layer["name"] for layer in about["layers"]] == ["0", "4"]
    found = asker("api/layer", network=OWN, image="sample:cat", layer="4").json
    assert found["names"] == ["left", "right"]
    assert "has kept no epochs" in asker("api/evolution", network=OWN, layer="0").json["detail"]


def test_a_map_through_its_training(asker: Asker, session: Session) -> None:
    folder = session.names[-1]
    at = {"network": folder, "layer": "conv2", "map": 5}
    assert asker("api/network", network=folder).json["epochs"] == [1, 4, 9]
    found = asker("api/evolution", **at).json
    assert found["epochs"] == [1, 4, 9]
    last = library.load(folder)
    paths = [sets.photographs()[name] for name in SHOWN]
    images = Folder(paths, last.trained.image_size, "bilinear")
    for epoch, value in zip(found["epochs"], found["values"], strict=True):
        state = archive.read(Path(folder) / "snapshots" / f"epoch-{epoch:05}.pt")
        (best,) = library.top_images(library.copy_of(last, state), images, "conv2", 5, count=1) or [
            None
        ]
        assert value == pytest.approx(best.value if best else 0, rel=1e-4)
        drawn = asker("api/evolution.png", **at, epoch=epoch)
        assert drawn.status == (200 if best else 404)
        if best:
            left = drawn.pixels[: best.pixels.shape[0] * 96 // best.pixels.shape[0], :96]
            enlarged = mosaic.enlarge(mosaic.signed(best.pixels), 96, smooth=True)
            assert np.array_equal(left, shown(enlarged))
    assert asker("api/evolution.png", **at, epoch=2).status == 404
    table = pd.read_csv(io.BytesIO(asker("api/evolution.csv", **at).content))
    assert table["strongest"].to_numpy() == pytest.approx(found["values"], rel=1e-4)
    every = asker("api/evolution.png", **at).pixels
    assert every.shape[0] > drawn.pixels.shape[0]


def test_peaks_are_kept_and_made_anew_where_they_are_damaged(
    prepared_project: Project, tmp_path: Path
) -> None:
    prepared = PreparedSet.open(prepared_project.root / "results" / "prepared" / "source")
    network = library.load(OWN)
    looked = Looked(Session([OWN], cache=tmp_path), network)
    images = Validation(prepared)
    expected = looked.worked_out(images, "val", Work(""))
    (kept,) = tmp_path.glob("peaks-*.npz")
    whole = kept.read_bytes()
    for damaged in (whole[:200], whole[:200] + b"x" + whole[201:], b""):
        kept.write_bytes(damaged)
        found = looked.worked_out(images, "val", Work(""))
        assert all(np.array_equal(found[layer], expected[layer]) for layer in expected)
        assert kept.read_bytes() == whole

"""`python -m zfrepro.occlusion`, `.invariance` and `.correspondence` on a user's own pictures."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from PIL import Image
from torchvision.models import AlexNet_Weights

from tests import published_nets
from tests.look import own_network
from tests.run_folders import save_weights
from zfrepro import config, correspondence, deconv, invariance, occlusion
from zfrepro.elements.correspondence import plot as drawing
from zfrepro.render import style

LANDMARKS = "image,right_eye_x,right_eye_y,tail_x,tail_y\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network, three pictures of different sizes, and landmarks."""
    monkeypatch.chdir(tmp_path)
    save_weights(tmp_path / "weights.pt")
    rng = np.random.default_rng(0)
    for name, size in (("a", (50, 80)), ("b", (64, 64)), ("c", (90, 70))):
        Image.fromarray(rng.integers(256, size=(*size, 3), dtype=np.uint8)).save(f"{name}.png")
    lines = "a.png,40,20,45,33\nb.png,20,20,40,44\nc.png,30,30,50.5,60\n"
    (tmp_path / "landmarks.csv").write_text(LANDMARKS + lines)
    (tmp_path / "text.csv").write_text("not a picture")
    return tmp_path


def run(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", [module.__name__, *args])
    module.main()


def picture(path: Path) -> None:
    with Image.open(path) as image:
        assert min(image.size) > 300


def test_occlusion(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(occlusion, monkeypatch, "a.png", "weights.pt", "--layer", "conv1", "--class", "cup")
    said = capsys.readouterr().out
    picture(here / "a.occlusion.png")
    maps = pd.read_csv(here / "a.occlusion.csv")
    assert len(maps) == 25**2  # of 28 pixels: a square of four, pixel by pixel
    assert "a.png: predicted " in said
    assert "the true class, cup: probability" in said
    assert f"and {maps['probability'].min():.3f} with" in said


def test_invariance(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        invariance, monkeypatch, "a.png", "c.png", "--network", "weights.pt", "--layers", "conv1",
        "fc2", "--rotation", "0", "180", "90", "--classes", "3", "n02", "--out", "moved.png",
    )  # fmt: skip
    picture(here / "moved.png")
    table = pd.read_csv(here / "moved.csv")
    assert set(table["image"]) == {"a.png", "c.png"}
    assert set(table["layer"]) == {"conv1", "fc2"}
    turned = table[(table["kind"] == "rotation") & (table["layer"] == "fc2")]
    assert turned["amount"].tolist() == [0, 90, 180] * 2
    said = capsys.readouterr().out
    assert f"{turned['relative'].max():.3f}" in said
    assert "a.png: predicted " in said
    assert "c.png: predicted " in said


def test_correspondence(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        correspondence, monkeypatch, "landmarks.csv", "weights.pt", "--layers", "conv1",
        "--out", "table.csv",
    )  # fmt: skip
    table = pd.read_csv(here / "table.csv").set_index("occlusion")
    assert list(table.index) == ["right_eye", "tail", "random"]
    assert table["conv1_mean"].between(0, 1).all()
    assert "conv1_paper" not in table  # whose numbers are of layers 5 and 7
    said = capsys.readouterr().out
    assert f"| right eye | {table.loc['right_eye', 'conv1_mean']:.3f} ±" in said


def test_the_papers_numbers_stand_beside_its_layers_and_parts() -> None:
    found = drawing.with_paper(pd.DataFrame({"occlusion": ["right_eye", "tail"]}), ["fc7", "conv1"])
    assert found["fc7_paper"].tolist()[0] == 0.069
    assert np.isnan(found["fc7_paper"].tolist()[1])
    assert "conv1_paper" not in found


def test_networks_with_branches_of_ones_own(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "tests.look.own_network:branched"
    torch.save(own_network.branched().state_dict(), here / "own.pt")
    run(deconv, monkeypatch, "a.png", name, "--layers")
    assert "conv      3     224 x 224    3 pixels, every 1" in capsys.readouterr().out
    run(
        deconv,
        monkeypatch,
        "a.png",
        name,
        "--weights",
        "own.pt",
        "--layer",
        "conv",
        "--out",
        "p.png",
    )
    picture(here / "p.png")
    run(
        occlusion,
        monkeypatch,
        "a.png",
        name,
        "--layer",
        "conv",
        "--stride",
        "112",
        "--out",
        "o.png",
    )
    picture(here / "o.png")
    run(
        invariance, monkeypatch, "a.png", "--network", name, "--layers", "conv", "--rotation", "0",
        "90", "90", "--scale", "1", "1.5", "0.5", "--translation", "-9", "9", "9", "--out", "i.png",
    )  # fmt: skip
    picture(here / "i.png")
    with pytest.raises(SystemExit, match=r"--weights own\.pt goes with a network package"):
        run(deconv, monkeypatch, "a.png", "weights.pt", "--weights", "own.pt")


def test_a_guess_is_not_called_true(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    titles: list[str] = []
    keep = Axes.set_title
    monkeypatch.setattr(
        Axes, "set_title", lambda axis, text, **how: titles.append(text) or keep(axis, text, **how)
    )
    run(occlusion, monkeypatch, "a.png", "weights.pt", "--layer", "conv1")
    said = capsys.readouterr().out
    assert not [text for text in (*titles, said) if "true" in text]
    assert "the most probable class, " in said
    assert [text for text in titles if "the most probable class" in text]


@pytest.mark.parametrize("out", ["rex", "rex.first", "rex.png", "rex.csv"])
@pytest.mark.parametrize("module", [deconv, occlusion, invariance])
def test_no_file_of_the_users_is_replaced(
    module: ModuleType, out: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a second run of the same command writes its own files anew."""
    for suffix in ("png", "pdf", "csv"):
        (here / f"rex.{suffix}").write_bytes((here / "a.png").read_bytes())
    mine = {path: path.read_bytes() for path in here.iterdir()}
    layer = ["--layers", "conv1"] if module is invariance else ["--layer", "conv1"]
    network = ["--network", "weights.pt"] if module is invariance else ["weights.pt"]
    refused = out in ("rex", "rex.png") or (out == "rex.csv" and module is not deconv)
    for _ in range(2):
        if refused:
            with pytest.raises(SystemExit, match=r"^error: rex\.(png|csv|pdf) is "):
                run(module, monkeypatch, "rex.png", *network, *layer, "--out", out)
        else:
            run(module, monkeypatch, "rex.png", *network, *layer, "--out", out)
    assert all(path.read_bytes() == content for path, content in mine.items())
    written = {path.name for path in here.iterdir()} - {path.name for path in mine}
    assert bool(written) is not refused
    assert all(name.startswith(out) for name in written)


@pytest.mark.parametrize(
    ("module", "args", "message"),
    [
        (occlusion, "none.png W", "none.png"),
        (occlusion, "text.csv W", r"text\.csv cannot be read"),
        (occlusion, "a.png W --layer conv5", "no layer conv5 .* network has conv1, fc2"),
        (occlusion, "a.png W --layer fc2", "fc2 is a full layer"),
        (occlusion, "a.png W --layer conv1 --class dog", "'dog' names none of .* 4 classes"),
        (occlusion, "a.png W --layer conv1 --class crane", "'crane' names 2 of"),
        (occlusion, "a.png W --layer conv1 --side 300", "square of 300 pixels of 224"),
        (invariance, "a.png --network W --layers conv1 fc7", r"no layer fc7 \(an experiment may"),
        (invariance, "a.png --network W --scale 0 1 0.1", "scale starts at 0"),
        (invariance, "a.png b.png --network W --classes 1", "1 classes of 2 pictures"),
        (correspondence, "none.csv W", "none.csv"),
        (correspondence, "landmarks.csv W --out landmarks.csv", "landmarks.csv is what is to be"),
        (correspondence, "landmarks.csv W --out text.csv", "text.csv is there, and was not writ"),
        (correspondence, "landmarks.csv W --out .", "is a folder"),
        (correspondence, "empty.csv W", r"empty\.csv is empty"),
        (correspondence, "header.csv W", "holds no landmarks"),
        (correspondence, "one.csv W", "holds one picture"),
        (correspondence, "outside.csv W", "b.png: tail at .* outside the picture of 64 x 64"),
        (correspondence, "landmarks.csv W --layers conv9", "no layer conv9"),
    ],
)
def test_what_is_wrong_is_one_line(
    module: ModuleType, args: str, message: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = LANDMARKS + "a.png,40,20,45,33\n"
    contents = {"empty": "", "header": LANDMARKS, "one": one,
                "outside": one + "b.png,20,20,64,44\n"}  # fmt: skip
    for name, content in contents.items():
        (here / f"{name}.csv").write_text(content)
    with pytest.raises(SystemExit, match=rf"^error: .*{message}"):
        run(module, monkeypatch, *args.replace("W", "weights.pt").split())


@pytest.mark.parametrize(
    ("module", "args"),
    [
        (occlusion, "a.png W --grey nan"),
        (occlusion, "a.png W --grey 256"),
        (occlusion, "a.png W --stride 0"),
        (occlusion, "a.png W --side 3.5"),
        (invariance, "a.png --network W --translation nan 4 1"),
        (invariance, "a.png --network W --scale 1 inf 1"),
        (invariance, "a.png --network W --rotation 0 1e9 1"),
        (correspondence, "landmarks.csv W --seed -1"),
        (correspondence, "landmarks.csv W --draws 0"),
        (correspondence, "landmarks.csv W --grey inf"),
        (deconv, "a.png W --maps -1"),
        (deconv, "a.png W --top 0"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(
    module: ModuleType, args: str, here: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit):
        run(module, monkeypatch, *args.replace("W", "weights.pt").split())
    assert re.search(r"argument --\w+: '.*' is not a (whole )?number of", capsys.readouterr().err)


def test_a_network_that_knows_nothing_is_named(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(style, "_cautions", [])
    content = torch.load("weights.pt", weights_only=True)
    torch.save({**content, "at_chance": True}, "dead.pt")
    run(deconv, monkeypatch, "a.png", "dead.pt", "--layer", "conv1", "--top", "2")
    words = "dead.pt is no better than chance on its validation images"
    assert f"{words}: what it shows says nothing" in capsys.readouterr().err
    assert style.cautions() == (words,)


def test_a_published_network_answers(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """torchvision's AlexNet with random weights and small full layers, against its own forward."""
    monkeypatch.setattr(config, "CHECKPOINTS", here / "checkpoints")
    theirs = published_nets.theirs("torchvision_alexnet")
    torch.save(theirs.state_dict(), "alexnet.pth")
    run(
        occlusion, monkeypatch, "b.png", "model=torchvision_alexnet",
        f"model.published.weights={here / 'alexnet.pth'}", *published_nets.SHRUNK, "--stride", "96",
        "--side", "64", "--class", "7",
    )  # fmt: skip
    with Image.open("b.png") as image:
        pixels = AlexNet_Weights.IMAGENET1K_V1.transforms()(image)
    with torch.inference_mode():
        probability = float(theirs(pixels[None]).softmax(1)[0, 7])
    assert f"probability {probability:.3f}, and" in capsys.readouterr().out
    assert len(pd.read_csv(here / "b.occlusion.csv")) == 9

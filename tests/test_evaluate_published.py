"""`python -m zfrepro.evaluate` with a published network."""

import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision.models import AlexNet_Weights

from tests.published_nets import SHRUNK, theirs
from zfrepro import config, evaluate
from zfrepro.data.store import seal
from zfrepro.files import digests
from zfrepro.inference import published
from zfrepro.inference.evaluation import UnfitError

IMAGES = 4


def write_prepared(folder: Path, images: np.ndarray, labels: list[int], classes: int) -> Path:
    """A prepared set of these images (N, 256, 256, 3), of the first so many ImageNet classes."""
    folder.mkdir()
    np.save(folder / "val.npy", images)
    columns = {"path": [f"val/{i}.JPEG" for i in range(len(labels))], "label": labels}
    columns["crc"] = np.array([zlib.crc32(image.tobytes()) for image in images], np.uint32)
    table = pd.DataFrame(columns | dict.fromkeys(("reason", "offset", "length")))
    table.to_parquet(folder / "val.parquet")
    manifest = {
        "fingerprint": "f", "digest": "d", "source": "imagenet", "image_size": 256,
        "storage": "uint8", "splits": {"val": {"images": len(labels), "skipped": 0}},
        "classes": [{"id": key, "name": name} for key, name in published.classes()[:classes]],
    }  # fmt: skip
    manifest["files"] = digests(folder, ["val.parquet"])
    (folder / "manifest.json").write_text(json.dumps(manifest | {"seal": seal(manifest)}))
    return folder


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / "checkpoints")
    torch.save(theirs("torchvision_alexnet").state_dict(), tmp_path / "alexnet.pth")
    return tmp_path / "alexnet.pth"


def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[str, object]:
    """Standard output, and what it exits with."""
    monkeypatch.setattr(sys, "argv", ["evaluate", *words])
    code = None
    try:
        evaluate.main()
    except SystemExit as end:
        code = end.code
    return capsys.readouterr().out, code


def test_a_published_network_is_scored(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 256, 256, 3), dtype=np.uint8)
    transform = AlexNet_Weights.IMAGENET1K_V1.transforms()
    with torch.inference_mode():
        net = theirs("torchvision_alexnet")
        logits = net(torch.stack([transform(Image.fromarray(image)) for image in images]))
    labels = logits.argmax(1).tolist()
    labels[-1] = int(logits[-1].argmin())
    prepared = write_prepared(tmp_path / "prepared", images, labels, 1000)
    out, code = command(
        monkeypatch, capsys, "model=torchvision_alexnet", "--prepared", str(prepared),
        "--crops", "centre", f"model.published.weights={weights}", *SHRUNK,
    )  # fmt: skip
    assert code is None
    first, top1, top5, chance = out.splitlines()
    assert first == "model=torchvision_alexnet on 4 images (val, centre crop)"
    assert "top-1 error  25.00 %" in top1
    assert "top-5 error  25.00 %" in top5
    assert "no better than chance" in chance  # random weights name the same class for every image
    few = write_prepared(tmp_path / "few", images[:1], [0], 10)
    words = ["model=torchvision_alexnet", f"model.published.weights={weights}", *SHRUNK]
    with pytest.raises(UnfitError, match=r"knows 1000 classes .* are of 10 others"):
        evaluate.score(words, few, "val", "centre", None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=zfnet"], "model=zfnet is not published; published are pytorchcv_zfnet, "),
        (["model=torchvision_alexnet", "model.published.file=a"], "weights"),
        (["tab3_zfnett", "model=torchvision_alexnet"], "tab3_zfnett is not a file"),
        (["tab3_zfent"], "tab3_zfent is not a file, .*published: model=pytorchcv_zfnet, model="),
        (["model=torchvision_alexnet", "model.published.weights=no.pth"], f"{config.ROOT}/no.pth "),
    ],
)
def test_errors_are_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pixels = np.zeros((1, 256, 256, 3), dtype=np.uint8)
    prepared = write_prepared(tmp_path / "prepared", pixels, [0], 1000)
    _, code = command(monkeypatch, capsys, *words, "--prepared", str(prepared))
    assert isinstance(code, str)
    assert code.startswith("error: ")
    assert "\n" not in code
    assert re.search(message, code)


def test_help_lists_the_published_networks_without_torch() -> None:
    program = (
        "import sys; sys.argv = ['evaluate', '--help']\n"
        "from zfrepro.evaluate import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=config.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    for name in config.published_models():
        assert name in done.stdout
    assert done.stderr.strip() == "False"

"""`python -m zfrepro.evaluate` as a user types it, on networks that are whole and that are not."""

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from tests.project import Project

pytestmark = pytest.mark.slow

MODULE = "zfrepro.evaluate"
NAME = "tab3_zfnet"


@pytest.fixture(scope="module")
def run(prepared_project: Project) -> Path:
    prepared_project.forget()
    done = prepared_project.run("pipelines.train", NAME)
    assert done.returncode == 0, done.stderr
    return prepared_project.root / "results" / "runs" / NAME


def errors(output: str) -> list[float]:
    return [float(value) for value in re.findall(r"error +([\d.]+) %", output)]


def test_the_centre_crop_error_is_that_of_the_training(
    prepared_project: Project, run: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "predictions.parquet"
    done = prepared_project.run(MODULE, NAME, "--crops", "centre", "--out", str(kept))
    assert done.returncode == 0, done.stderr
    last = json.loads((run / "metrics.json").read_text())
    assert errors(done.stdout) == pytest.approx([last["val/top1"], last["val/top5"]], abs=0.01)
    assert "95 % interval" in done.stdout
    rows = pq.read_table(kept).to_pylist()
    assert len(rows) == 40
    wrong = [row["top5"][0] != row["label"] for row in rows]
    assert 100 * sum(wrong) / 40 == pytest.approx(last["val/top1"])


def test_the_stage_keeps_what_it_scored(prepared_project: Project, run: Path) -> None:
    done = prepared_project.run("pipelines.evaluate", NAME)
    assert done.returncode == 0, done.stderr
    results = prepared_project.root / "results"
    kept = {path.name for path in (results / "predictions" / NAME).iterdir()}
    assert kept == {
        f"{split}_{view}.parquet" for split in ("train", "val") for view in ("centre", "ten")
    }
    assert (results / "figures" / "confusion" / f"{NAME}.png").is_file()
    by_command = prepared_project.run(MODULE, str(run))
    found = json.loads((results / "errors" / f"{NAME}.json").read_text())
    expected = [found["val_top1_ten_crops"], found["val_top5_ten_crops"]]
    assert errors(by_command.stdout) == pytest.approx(expected, abs=0.01)
    fingerprint = json.loads((run / "run.json").read_text())["fingerprint"]
    (cache,) = (prepared_project.root / ".checkpoints" / fingerprint).glob("predictions-*")
    before = (cache / "val_ten.parquet").stat().st_mtime_ns
    assert prepared_project.run("pipelines.evaluate", NAME).returncode == 0
    assert (cache / "val_ten.parquet").stat().st_mtime_ns == before


def test_what_cannot_be_scored_is_one_line(
    prepared_project: Project, run: Path, tmp_path: Path
) -> None:
    whole = (run / "weights.pt").read_bytes()
    cut = tmp_path / "cut.pt"
    cut.write_bytes(whole[: len(whole) // 2])
    foreign = tmp_path / "foreign.pt"
    torch.save({"epoch": 3, "net": {}}, foreign)
    older = tmp_path / "older.pt"
    content = torch.load(run / "weights.pt", weights_only=True)
    torch.save({key: content[key] for key in content if key != "format"}, older)
    prepared = tmp_path / "prepared"
    shutil.copytree(prepared_project.root / "results" / "prepared" / "source", prepared)
    (prepared / "val.npy").unlink()
    for args, message in (
        (["tab3_zfnett"], rf"tab3_zfnett is not a file.*trained: .*\b{NAME}, "),
        ([str(cut)], r"cut\.pt is cut off"),
        ([str(foreign)], r"foreign\.pt holds no network of this project: it has no model"),
        ([str(older)], r"older\.pt was written by an older zfrepro"),
        ([NAME, "--prepared", str(tmp_path)], r"manifest\.json is not there"),
        ([NAME, "--prepared", str(prepared)], r"val\.npy is not there"),
        ([NAME, "--split", "test"], "no split 'test'; it has train, val"),
    ):
        done = prepared_project.run(MODULE, *args)
        assert done.returncode == 1, args
        assert re.search(f"^error: .*{message}", done.stderr, re.MULTILINE), done.stderr
        assert "Traceback" not in done.stderr

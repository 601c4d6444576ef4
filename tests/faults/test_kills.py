"""Trainings and preparations that are killed at random moments end as if nothing had happened."""

import hashlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.data.pictures import small_tree
from zfrepro import config
from zfrepro.data.prepare import prepare
from zfrepro.data.sources.folder import read_folder
from zfrepro.data.store import PreparedSet

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from conftest import Faults

TRAININGS, PREPARATIONS, STOPS = 3, 5, 3

# their children begin with what takes seconds to import
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["zfrepro.training.fit", "zfrepro.data.prepare"])


def killed_after(seconds: float, task: Callable[..., None], *arguments: object) -> bool:
    """Whether the process was still at work when it was killed."""
    process = SERVER.Process(target=task, args=arguments)
    process.start()
    process.join(seconds)
    running = process.is_alive()
    os.kill(process.pid or 0, signal.SIGKILL) if running else None
    process.join()
    return running


def train(cfg: dict[str, Any], images: Path, folder: Path) -> None:
    import torch

    from zfrepro.training.fit import fit
    from zfrepro.training.trained import Trained, save

    prepared = PreparedSet.open(images)
    fitted = fit(cfg, prepared, folder, report=lambda _: None)
    mean = torch.from_numpy(prepared.mean)
    classes = list(prepared.classes)
    trained = Trained(fitted.net, mean, prepared.image_size, cfg["crop"], classes, "bicubic")
    save(trained, folder / "weights.pt")


def test_a_training(faults: "Faults", tmp_path: Path) -> None:
    """Two epochs, each with a snapshot: the last file has the same bytes."""
    from zfrepro.cost.images import stand_in

    cfg = config.compose_experiment(
        "tab3_zfnet",
        ["profile=smoke", "model.width=0.125", "training.batch=16", "trainer.progress=none"],
    )
    stand_in(cfg["data"], tmp_path / "set", train=64, val=16)
    train(cfg, tmp_path / "set", tmp_path / "whole")
    started = time.monotonic()
    assert not killed_after(100, train, cfg, tmp_path / "set", tmp_path / "again")
    seconds = time.monotonic() - started
    right = (tmp_path / "whole" / "weights.pt").read_bytes()
    assert (tmp_path / "again" / "weights.pt").read_bytes() == right
    rng = random.Random(2)
    for number in range(TRAININGS):
        folder = tmp_path / str(number)
        killed_after(seconds * rng.random(), train, cfg, tmp_path / "set", folder)
        train(cfg, tmp_path / "set", folder)
        same = (folder / "weights.pt").read_bytes() == right
        faults.count("SIGKILL in a training", "survived" if same else "other", number)


def make(tree: Path, work: Path) -> None:
    source = read_folder(tree, val_share=0.2, split_seed=0)
    prepare(
        source, work, image_size=32, filter="bilinear", storage="uint8", jpeg_quality=90,
        workers=1, fingerprint="f", progress=False,
    )  # fmt: skip


def content(work: Path) -> str:
    made = [path for path in sorted(work.rglob("*")) if path.is_file()]
    return hashlib.sha256(b"".join(path.read_bytes() for path in made)).hexdigest()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_tree(tmp_path_factory.mktemp("tree"), train=40, val=5)


def test_a_preparation(faults: "Faults", tree: Path, tmp_path: Path) -> None:
    make(tree, tmp_path / "whole")
    right = content(tmp_path / "whole")
    started = time.monotonic()
    assert not killed_after(100, make, tree, tmp_path / "again")
    seconds = time.monotonic() - started
    rng = random.Random(3)
    for number in range(PREPARATIONS):
        work = tmp_path / str(number)
        killed_after(seconds * rng.random(), make, tree, work)
        make(tree, work)
        same = content(work) == right
        faults.count("SIGKILL in a preparation", "survived" if same else "other", number)


PROGRAM = """
import sys
from pathlib import Path
from zfrepro import processes
from zfrepro.data.prepare import prepare
from zfrepro.data.sources.folder import read_folder

if __name__ == "__main__":
    processes.exit_on_signals()
    source = read_folder(Path(sys.argv[1]), val_share=0.2, split_seed=0)
    print("begin", flush=True)
    prepare(source, Path(sys.argv[2]), image_size=32, filter="bilinear", storage="uint8",
            jpeg_quality=90, workers=2, fingerprint="f", progress=False)
"""


def test_ctrl_c_in_a_preparation(faults: "Faults", tree: Path, tmp_path: Path) -> None:
    """A terminal sends it to all processes, of which some may have barely begun."""
    (tmp_path / "program.py").write_text(PROGRAM)
    for number in range(STOPS):
        process = subprocess.Popen(
            [sys.executable, tmp_path / "program.py", tree, tmp_path / str(number)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(config.ROOT)},
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.2 + 0.4 * number)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        if (tmp_path / str(number) / "manifest.json").is_file() and not said:
            continue  # it was faster, and at most on its way out
        clear = said == "stopped: started again, it goes on where it was\n"
        row = "Ctrl-C in a preparation with workers"
        faults.count(row, "clear error" if clear else "other", said)

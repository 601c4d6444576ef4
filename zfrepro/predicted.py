"""A run's predictions: what has been scored once is kept, in `.checkpoints/<fingerprint>/`.

So stage `evaluate` of `dvc repro` computes only what is new.
"""

import shutil
import tempfile
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from zfrepro import config, files
from zfrepro.fingerprint import fingerprint

if TYPE_CHECKING:  # torch takes seconds to import
    from zfrepro.data.store import PreparedSet
    from zfrepro.training.trained import Trained


def evaluated(trained: "Trained", run: str, prepared: "PreparedSet", name: str) -> Path:
    """The folder with a run's predictions, `<split>_<view>.parquet`, made unless it is there.

    Args:
        run: its fingerprint.
        name: what the bar says.
    """
    from zfrepro.inference import evaluation

    folder = folder_of(run, prepared.manifest["digest"])
    if not _is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".predictions-"))
        try:
            evaluation.check_fit(trained, prepared)
            for split, indices in evaluation.splits(prepared):
                wanted = {
                    v: staging / "done" / f"{split.name}_{v}.parquet" for v in evaluation.VIEWS
                }
                # a worker shares the terminal with others
                progress = None if parent_process() else f"{name}, {split.name}"
                evaluation.evaluate(trained, split, indices, wanted, progress=progress)
            for old in folder.parent.glob("predictions-*"):  # of code or images that have changed
                shutil.rmtree(old)
            files.write_sums(staging / "done", [path.name for path in (staging / "done").iterdir()])
            (staging / "done").rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether the predictions in it, if any, are as they were written."""
    try:
        if folder.is_dir():
            files.check_sums(folder)
    except files.DamagedError as error:
        files.log.warning("%s: it is made anew", error)
        return False
    return folder.is_dir()


def folder_of(run: str, data: str) -> Path:
    """Where the predictions of a run belong, whole once the folder is there.

    Args:
        run: its fingerprint.
        data: the digest of the prepared images.
    """
    key = fingerprint({"run": run, "data": data}, ["zfrepro.inference.evaluation"])
    return config.CHECKPOINTS / run / f"predictions-{key}"

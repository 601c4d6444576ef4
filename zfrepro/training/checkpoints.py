"""The state of a training at the end of its last epochs: `epoch-00007.ckpt` and the one before.

No file is ever written over: the newest gets a name of its own and the oldest goes. A file system
that replaces one file by another first writes the new one out, a second for ZFNet's 500 MB; and a
machine that loses power in that second still has the epoch before.
"""

import logging
import re
from pathlib import Path
from typing import Any

import torch

from zfrepro.files import atomic_path, sync
from zfrepro.lightning import pl
from zfrepro.training import archive

KEPT = 2
NAME = re.compile(r"epoch-(\d+)\.ckpt")
SNAPSHOTS = "snapshots"
NEEDED = {"epoch", "loops", "state_dict", "optimizer_states", "history", "annealing"}
BEST = "best.pt"
UNFINISHED = ".unfinished.ckpt.part"

log = logging.getLogger(__name__)


class PlainCheckpointIO(pl.plugins.TorchCheckpointIO):
    """Straight into the file: Lightning's own goes through a copy in memory, to be atomic.

    `save` renames a whole file into place and has no need of that.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        archive.save(checkpoint, Path(path))


def save(trainer: pl.Trainer, folder: Path, epoch: int) -> None:
    """Writes the state after `epoch` (from 1), atomically; called on every process."""
    trainer.save_checkpoint(folder / UNFINISHED, weights_only=False)
    if trainer.is_global_zero:
        (folder / UNFINISHED).rename(folder / f"epoch-{epoch:05}.ckpt")
        sync(folder)  # before the older one goes
        for old in _newest_first(folder)[KEPT:]:
            old.unlink()


def snapshot(net: torch.nn.Module, folder: Path, epoch: int) -> None:
    """Keeps the weights after `epoch` (from 1) in `folder`/snapshots/, for figure 4."""
    with atomic_path(folder / SNAPSHOTS / f"epoch-{epoch:05}.pt") as path:
        archive.save(net.state_dict(), path)


def keep_best(net: torch.nn.Module, folder: Path) -> None:
    """Keeps the weights as the best so far."""
    with atomic_path(folder / BEST) as path:
        archive.save(net.state_dict(), path)


def newest(folder: Path) -> Path | None:
    """The last checkpoint that is whole; one that is not is named in a warning."""
    for path in _newest_first(folder):
        try:
            if missing := NEEDED - archive.read(path, mmap=True).keys():
                raise archive.WeightsError(f"{path} lacks {', '.join(sorted(missing))}")
        except (archive.WeightsError, OSError) as error:
            log.warning("%s cannot be read (%s): going on from before it", path.name, error)
        else:
            return path
    return None


def epoch_of(checkpoint: Path) -> int:
    """The epoch (from 1) after which it was saved."""
    return int(checkpoint.stem.removeprefix("epoch-"))


def remove(folder: Path) -> None:
    """Frees the space of a training that is over."""
    for path in [*_newest_first(folder), folder / BEST, *folder.glob(".*.part")]:
        path.unlink(missing_ok=True)


def _newest_first(folder: Path) -> list[Path]:
    return sorted((p for p in folder.iterdir() if NAME.fullmatch(p.name)), reverse=True)

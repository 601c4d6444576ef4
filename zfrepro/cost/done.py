"""What has been made already, so that it costs nothing: runs, predictions, DVC's stages."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from zfrepro import config, images, runs
from zfrepro.config import Config
from zfrepro.predicted import folder_of
from zfrepro.results import read_recipe

TIMEOUT = 120  # seconds that DVC may take to compare what it knows with what is there


@dataclass(frozen=True)
class Stages:
    """Stages that `dvc status` finds out of date; None, with the reason, where it cannot tell."""

    changed: frozenset[str] | None
    reason: str = ""

    @property
    def unchanged(self) -> "Unchanged":
        return Unchanged(self.changed)


@dataclass(frozen=True)
class Unchanged:
    """All stages but those that are out of date; none where that is not known."""

    changed: frozenset[str] | None

    def __contains__(self, stage: object) -> bool:
        return self.changed is not None and stage not in self.changed


def prepared(cfg: Config) -> Mapping[str, object] | None:
    """The manifest of the prepared images, if there are any and they are this configuration's."""
    found = images.find(cfg["data"])
    return None if found is None else found.manifest


def run_of(cfg: Config) -> runs.Run | None:
    """The finished run of a configuration."""
    try:
        run = runs.plan(cfg, images.known)
    except (OSError, ValueError):  # there are no images, or those of another profile
        return None
    return run if run.finished or _recorded(run) else None


def is_evaluated(run: runs.Run | None) -> bool:
    if run is None:
        return False
    return folder_of(run.fingerprint, run.prepared.manifest["digest"]).is_dir()


def stages() -> Stages:
    """What `dvc status` says of this checkout."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    try:
        answer = subprocess.run(  # noqa: S603
            command, cwd=config.ROOT, capture_output=True, text=True, check=True, timeout=TIMEOUT
        )
        return Stages(frozenset(json.loads(answer.stdout)))
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or ["it failed"]
        return Stages(None, lines[0].removeprefix("ERROR: "))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Stages(None, str(error))


def _recorded(run: runs.Run) -> bool:
    """Whether results/ holds it: DVC's cache restores it there without `.checkpoints/`."""
    try:
        recipe = read_recipe(config.ROOT / "results" / "runs" / run.config["name"])
        return bool(recipe["fingerprint"] == run.fingerprint)
    except (OSError, ValueError, KeyError):
        return False

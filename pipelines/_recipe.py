"""What a figure was made from: `recipe.json` beside it, which names its run in MLflow."""

import json
from collections.abc import Sequence

from zfrepro import config
from zfrepro.config import Config
from zfrepro.data.store import PreparedSet

RESULTS = config.ROOT / "results"


def made_from(name: str, settings: Config, transfer_sets: Sequence[str] = ()) -> Config:
    """A stage's settings, and the fingerprints of the networks that they name and of the images."""
    text = json.dumps(settings)
    runs = sorted((RESULTS / "runs").glob("*/run.json"))
    fingerprints = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))["fingerprint"]
        for path in runs
        if f'"{path.parent.name}"' in text
    }
    made: Config = {"stage": name, **settings, "fingerprints": fingerprints}
    made |= {"data": _digest("source")}
    return made | {name: _digest(name) for name in transfer_sets}


def _digest(name: str) -> str:
    digest: str = PreparedSet.open(RESULTS / "prepared" / name).manifest["digest"]
    return digest

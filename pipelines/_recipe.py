"""What a figure was made from: `recipe.json` beside it, which names its run in MLflow."""

from collections.abc import Sequence

from zfrepro.config import Config
from zfrepro.data.store import PreparedSet
from zfrepro.elements.base import named_networks
from zfrepro.results import Results


def made_from(
    results: Results, stage: str, settings: Config, transfer_sets: Sequence[str] = ()
) -> Config:
    """A stage's settings, and the fingerprints of the networks that they name and of the images."""
    networks = sorted(named_networks(settings, results.runs))
    made: Config = {"stage": stage, **settings}
    made |= {"fingerprints": {name: results.run(name)["fingerprint"] for name in networks}}
    for name, key in (("source", "data"), *((each, each) for each in transfer_sets)):
        prepared = PreparedSet.open(results.folder / "prepared" / name)
        made[key] = prepared.manifest["digest"]
    return made

"""Trained networks by name: what the words of a command line mean, wherever the run was made."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from zfrepro import config
from zfrepro.config import Config
from zfrepro.results import ResultsError, read_recipe

RUNS = config.ROOT / "results" / "runs"
PREPARED = config.ROOT / "results" / "prepared" / "source"
WEIGHTS = "weights.pt"
SHIPPED = Path(__file__).with_name("shipped")  # runs that come with the project
SHOWN = "tab3_zfnet"  # the network of the figures


def weights_of(network: Sequence[str]) -> Path:
    """The weights that words of a command line mean; those of a published network are imported.

    Args:
        network: a file, a run's folder, an experiment or one of `shipped`; or model=NAME and
            overrides of its keys.

    Raises:
        FileNotFoundError: none are there; says what was looked for.
        ValueError: several networks, or a published one that is not to be had.
    """
    name, *others = network
    if name.startswith("model="):
        from zfrepro.inference import published

        model = config.compose_published(name.removeprefix("model="), others)
        return published.imported(model, config.CHECKPOINTS)
    if others:
        raise ValueError(
            f"one network at a time, not {', '.join(network)} (overrides follow model=NAME)"
        )
    path = Path(name)
    for candidate in (path, path / WEIGHTS):
        if candidate.is_file():
            return candidate
    if run := run_of(name):
        if run.parent != RUNS:
            recipe = read_recipe(run)
            print(
                f"{name}: the run of profile {recipe['profile']} that finished at "
                f"{recipe['finished']}, in {run}",
                file=sys.stderr,
            )
        return run / WEIGHTS
    if name in shipped():
        return SHIPPED / name / WEIGHTS
    raise FileNotFoundError(_unknown(name))


def shipped() -> list[str]:
    """Names of the networks that come with the project, trained on rendered images."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{WEIGHTS}"))


def shown(network: Sequence[str] = ()) -> Path:
    """The weights that a command for pictures shows: as `weights_of`, or those of `shipped`.

    Without a name those of figure 2's network. Where nothing has been trained yet, a network that
    comes with the project stands in for an experiment, and a line says so.

    Raises:
        FileNotFoundError, ValueError: as `weights_of`.
    """
    network = list(network) or [SHOWN]
    named = network[0] in config.options("experiment") and len(network) == 1
    if not named or trained() or not shipped():
        return weights_of(network)
    kind = "alexnet" if "alexnet" in network[0] else "zfnet"
    instead = next((name for name in shipped() if name.endswith(kind)), shipped()[0])
    print(
        f"{network[0]} has not been trained here: {instead}, which comes with the project, stands "
        f"in for it (`python -m zfrepro.train +experiment={network[0]}` trains it)",
        file=sys.stderr,
    )
    return SHIPPED / instead / WEIGHTS


def trained() -> list[str]:
    """Names of the experiments that have been trained: those in results/ and in .checkpoints/."""
    names = {folder.name for folder in RUNS.glob("*") if (folder / WEIGHTS).is_file()}
    return sorted(names | {recipe["experiment"] for recipe, _ in finished()})


def run_of(experiment: str) -> Path | None:
    """The folder of an experiment's finished run.

    That of the study in results/; without one the run that finished last in .checkpoints/, of the
    profile of params.yaml if there is such a run.
    """
    if (RUNS / experiment / WEIGHTS).is_file():
        return RUNS / experiment
    profile = config.load(config.PARAMS).get("profile")
    made = [(recipe, folder) for recipe, folder in finished() if recipe["experiment"] == experiment]
    made.sort(key=lambda each: (each[0]["profile"] == profile, each[0]["finished"]))
    return made[-1][1] if made else None


def images_of(weights: Path) -> Path:
    """The prepared images that a network was trained on; those in results/ where none are known."""
    return images_known(weights.parent) or PREPARED


def images_known(run: Path) -> Path | None:
    """The prepared images that a run's network was trained on, if they stand on this machine."""
    trained_on = _recipe(run).get("data", {}).get("digest")
    for folder, manifest in prepared_sets():
        if trained_on and manifest.get("digest") == trained_on:
            return folder
    return None


def prepared_sets(name: str = "source") -> Iterator[tuple[Path, Config]]:
    """Folders and manifests of prepared images: the set in results/, then all in .checkpoints/.

    Nothing but the manifests is read; one that is missing or damaged is empty.
    """
    for path in (PREPARED.with_name(name) / "manifest.json", *newest("*/manifest.json")):
        yield path.parent, _json(path)


def newest(pattern: str) -> list[Path]:
    """Files in .checkpoints/, the newest first."""
    found = config.CHECKPOINTS.glob(pattern)
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def finished() -> Iterator[tuple[Config, Path]]:
    """The finished runs in .checkpoints/: what each wrote about itself, and its folder."""
    for run in config.CHECKPOINTS.glob("*/run"):
        recipe = _recipe(run)
        whole = {"experiment", "profile", "finished"} <= recipe.keys()
        if whole and (run / WEIGHTS).is_file():
            yield recipe, run


def _recipe(run: Path) -> Config:
    """As `read_recipe`; nothing where it is missing or damaged."""
    with suppress(OSError, ResultsError):
        return dict(read_recipe(run))
    return {}


def _json(path: Path) -> Config:
    """What a file holds; nothing where it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _unknown(name: str) -> str:
    others = (
        f"trained: {', '.join(trained()) or 'none'}; with the project: {', '.join(shipped())}; "
        f"published: model={', model='.join(config.published_models())}"
    )
    if name in config.options("experiment"):
        return (
            f"{name} has not been trained yet: `python -m zfrepro.train +experiment={name}` "
            f"trains it ({others})"
        )
    return (
        f"{name} is not a file, a run's folder or a trained experiment ({others}; "
        f"`python -m zfrepro.train --help` lists what can be trained)"
    )

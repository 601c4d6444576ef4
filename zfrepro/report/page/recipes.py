"""How to make a number again: the command, and all that says which network and images it is of.

A recipe belongs to a network that was trained, to a row of table 2 that is made of several, or to
a stage of `dvc.yaml`. Its commands print the numbers that refer to them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zfrepro import elements
from zfrepro.results import Results, Run


@dataclass(frozen=True)
class Command:
    """What to type, and what it prints."""

    line: str
    gives: str


@dataclass(frozen=True)
class Recipe:
    """How one thing was made."""

    id: str  # of its place on the page
    title: str
    commands: tuple[Command, ...]
    facts: tuple[tuple[str, str], ...] = ()  # name and value
    parts: tuple[tuple[str, str], ...] = ()  # other recipes that it takes: id and title
    settings: str = ""  # YAML or JSON
    files: tuple[str, ...] = ()  # below results/


def evaluation(members: Sequence[str], split: str) -> str:
    """The command that prints the errors of a network, or of several and of their ensemble."""
    sample = " --sample" if split == "train" else ""  # of the size of the validation set
    return f"python -m zfrepro.evaluate {' '.join(members)} --split {split}{sample}"


def repeat(*stages: str) -> str:
    """The command that runs stages again, and no other."""
    return f"dvc repro --single-item --force {' '.join(stages)}"


def stage_command(results: Results, stage: str) -> str:
    """The command that runs a stage again and prints what it found."""
    texts = [f"results/{name}" for name in _files(results, stage) if name.endswith(".md")]
    return repeat(*_with_tables(stage)) + (f" && cat {' '.join(texts)}" if texts else "")


def of_network(results: Results, run: Run) -> Recipe:
    """A network's: how it was trained and scored."""
    name, recipe = run.name, run.recipe
    element = (results.yaml(f"runs/{name}/config.yaml") or {}).get("paper", {}).get("table", "")
    facts = {
        "fingerprint": recipe.get("fingerprint"),
        "seed": recipe.get("seed"),
        "git revision": recipe.get("git_revision"),
        "adopted": _adopted(recipe.get("adopted_from")),
        "images": recipe.get("data", {}).get("digest"),
        "precision": recipe.get("precision"),
        "versions": ", ".join(f"{k} {v}" for k, v in recipe.get("versions", {}).items()),
        **_filed(results, element, name, f"train@{name}"),
    }
    return Recipe(
        id=id_of(name),
        title=name,
        commands=(
            Command(evaluation([name], "val"), "validation errors, ten crops"),
            Command(evaluation([name], "train"), "train error, on a sample as large"),
            Command(f"python -m zfrepro.train +experiment={name}", "the network"),
        ),
        facts=_said(facts),
        settings=run.config,
        files=(
            f"configs/{name}.yaml",
            f"runs/{name}/run.json",
            f"runs/{name}/epochs.csv",
            f"errors/{name}.json",
        ),
    )


def of_several(results: Results, row: str, title: str, members: Sequence[str]) -> Recipe:
    """A row of table 2 that several networks make."""
    return Recipe(
        id=id_of(f"table2/{row}"),
        title=title,
        commands=(
            Command(evaluation(members, "val"), "their mean error, and that of their ensemble"),
            Command(repeat("tables"), "table 2, from their stored predictions"),
        ),
        facts=_said({"dvc.lock, stage tables": results.locked.get("tables")}),
        parts=tuple((id_of(name), name) for name in members),
        files=("tables/table2.csv",),
    )


def of_stage(results: Results, stage: str) -> Recipe:
    """A stage's, which prints what it found or is followed by what prints it."""
    settings = _settings(results, stage)
    networks = [name for name in results.runs if f'"{name}"' in json.dumps(settings)]
    key = stage.partition("@")[2] or _figure_of(stage) or stage
    return Recipe(
        id=id_of(stage),
        title=f"stage {stage}",
        commands=(Command(stage_command(results, stage), "the numbers of this stage"),),
        facts=_said(_filed(results, key, key, stage)),
        parts=tuple((id_of(name), name) for name in networks),
        settings=json.dumps(settings, indent=2, ensure_ascii=False) if settings else "",
        files=_files(results, stage),
    )


def of_claim(results: Results, claim: Mapping[str, Any]) -> Recipe:
    """What a claim's verdict rests on: the stage that measured, then the one that judges."""
    stage = str(claim.get("stage") or "claims")
    stages = dict.fromkeys([*_with_tables(stage), "claims"])
    networks = [name for name in claim.get("networks") or () if name in results.runs]
    facts = {
        "measure": claim.get("measure"),
        "verdict by": claim.get("rule"),
        "images": claim.get("images"),
        "seeds": claim.get("seeds"),
    }
    return Recipe(
        id=id_of(f"claim/{claim['id']}"),
        title=f"claim {claim['id']}",
        commands=(
            Command(f"{repeat(*stages)} && python -m zfrepro.report show", "effect and verdict"),
        ),
        facts=_said(facts),
        parts=((id_of(stage), f"stage {stage}"), *((id_of(name), name) for name in networks)),
        files=tuple(name.removeprefix("results/") for name in claim.get("sources") or ()),
    )


def id_of(name: str) -> str:
    """The place of a recipe on the page."""
    return "recipe-" + "".join(c if c.isalnum() else "-" for c in name)


def _with_tables(stage: str) -> tuple[str, ...]:
    """Features on other sets become numbers of a table in another stage, which prints them."""
    return (stage, "tables") if stage.startswith(("transfer@", "probe")) else (stage,)


def _settings(results: Results, stage: str) -> object:
    figure = _figure_of(stage)
    if figure and (recipe := results.json(f"figures/{figure}/recipe.json")):
        return recipe
    name, _, target = stage.partition("@")
    if name not in ("transfer", "probe"):
        return None
    found = results.yaml("configs/transfer.yaml") or {}
    keys = ("network", "seed", "layer", "strengths", target or "probe", "scratch" * bool(target))
    return {key: found[key] for key in keys if key in found}


def _files(results: Results, stage: str) -> tuple[str, ...]:
    """What the stage says about its figure or table, as far as it is there."""
    figure, table = _figure_of(stage), "tables/table1.md" * (stage == "correspondence")
    named = [f"figures/{figure}/{name}" for name in ("report.md", "measures.json") if figure]
    return tuple(name for name in [table, *named] if name and results.text(name) is not None)


def _figure_of(stage: str) -> str | None:
    shown = elements.exhibits()
    return next((name for name, each in shown.items() if each.stage == stage), None)


def _filed(results: Results, experiment: str, run: str, stage: str) -> dict[str, str]:
    """Where it is in MLflow, unless tracking is off, and what dvc.lock says of it."""
    return {
        "in MLflow": f"experiment {experiment}, run {run}",
        f"dvc.lock, stage {stage}": results.locked.get(stage, "the stage is not in dvc.lock"),
    }


def _adopted(origin: Mapping[str, Any] | None) -> str:
    """Of a run that other code trained and `zfrepro.adopt` accepted: which run, what differs."""
    if not origin:
        return ""
    changed = origin["changed"]
    files = "not known" if changed is None else ", ".join(changed) or "none"
    return f"trained as run {origin['fingerprint']}, by other code; files changed since: {files}"


def _said(facts: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in facts.items() if value not in (None, ""))

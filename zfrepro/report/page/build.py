"""Puts the page together: what is shown, in which order, and what is missing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zfrepro import paper
from zfrepro.claims import judge
from zfrepro.claims.rules import SIGNS
from zfrepro.models import geometry
from zfrepro.report.page import claims, curves, figures, numbers, others, recipes, template
from zfrepro.report.page.numbers import Number
from zfrepro.report.page.recipes import Recipe
from zfrepro.results import Results

SHOWN = "tab3_zfnet"  # the network whose configuration tells the size of the study
MAKES = {  # what makes an element that is missing
    **{name: numbers.stage_of(name).partition("@")[0] for name in paper.TITLES},
    **{name: each.stage.partition("@")[0] for name, each in figures.exhibits().items()},
}


@dataclass(frozen=True)
class Page:
    """The page, every number of ours on it, and the size of the results."""

    html: str
    numbers: list[Number]
    summary: dict[str, Any]


def build(folder: Path) -> Page:
    """The report on the folder `results/` of a checkout.

    Raises:
        ResultsError: a file in it is not what a stage writes.
        OSError: a picture is none.
    """
    results = Results(folder)
    judged = claims.claims(results)
    tables, drawn = numbers.tables(results), figures.figures(results)
    summary = summarise(results)
    context = {
        "summary": summary,
        "claims": judged,
        "counts": claims.counts(judged),
        "history": judge.history(),
        "tables": tables,
        "figures": drawn,
        "curves": curves.panels(results),
        "sights": sights(results),
        "starts": curves.starts(results),
        "data": figures.picture_of_data(results),
        "atlas": (folder / "atlas" / "index.html").is_file(),
        "titles": paper.TITLES
        | {name: each.title for name, each in figures.exhibits(drawn).items()},
        "makes": MAKES,
        "reproductions": paper.reproductions(),
        "compared": others.sentences(),
        "spread": others.spread(),
        "recipes": list(_recipes(results, judged, tables, drawn)),
        "signs": SIGNS,
    }
    measures = [measure for figure in drawn.values() if figure for measure in figure.measures]
    return Page(template.render(context), [*numbers.every(tables), *measures], summary)


def summarise(results: Results) -> dict[str, Any]:
    """How big the study is: of the network `SHOWN`, or of any where that is missing."""
    runs = list(results.runs.values())
    if not runs:
        return {"networks": 0, "profile": (results.json(claims.SOURCE) or {}).get("profile")}
    run = results.runs.get(SHOWN, runs[0])
    config = results.yaml(f"runs/{run.name}/config.yaml") or {}
    data = run.recipe.get("data", {})
    return {
        "profile": run.recipe.get("profile"),
        "images": {name: split["images"] for name, split in data.get("splits", {}).items()},
        "source": data.get("source"),
        "classes": len(data.get("classes", ())) or None,
        "pixels": config.get("crop"),
        "width": config.get("model", {}).get("width"),
        "epochs": run.epochs,
        "networks": len(runs),
        "seeds": sorted({other.recipe["seed"] for other in runs}),
        "computed": sorted({_computed(other.recipe) for other in runs}),
        "revisions": sorted({str(other.recipe.get("git_revision")) for other in runs}),
    }


def _computed(recipe: Mapping[str, Any]) -> str:
    """What decides how a training's numbers are rounded."""
    threads = f"threads: {recipe.get('threads')}"
    words = (recipe.get("machine"), recipe.get("instructions"), threads)
    return ", ".join(word for word in words if word)


def sights(results: Results) -> list[geometry.Sight]:
    """What units of the network `SHOWN` see of an image; nothing where there is no such network."""
    config = results.yaml(f"runs/{SHOWN}/config.yaml")
    return geometry.sights_of(config) if config else []


def _recipes(
    results: Results,
    judged: list[claims.Claim],
    tables: Mapping[str, numbers.Table | None],
    drawn: Mapping[str, figures.Figure | None],
) -> Iterator[tuple[str, list[Recipe]]]:
    """Every recipe that something on the page refers to, in groups."""
    yield "Networks", [recipes.of_network(results, run) for run in results.runs.values()]
    several = [
        (row, members)
        for row in results.rows("tables/table2.csv")
        if len(members := numbers.made_of(results, row)) > 1
    ]
    yield (
        "Several networks",
        [
            recipes.of_several(results, row["row"], paper.label(row["row"]), members)
            for row, members in several
        ],
    )
    stages = {
        *(numbers.stage_of(name) for name, found in tables.items() if found),
        *(figure.stage for figure in drawn.values() if figure),
        *(str(claim.get("stage") or "claims") for claim in judged),
    }
    yield "Stages", [recipes.of_stage(results, stage) for stage in sorted(stages)]
    yield "Claims", [recipes.of_claim(results, claim) for claim in judged]

"""Puts the page together: what is shown, in which order, and what is missing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zfrepro import paper
from zfrepro.report.page import claims, curves, figures, numbers, others, recipes, template
from zfrepro.report.page.numbers import Number
from zfrepro.report.page.recipes import Recipe
from zfrepro.report.page.study import Study

SHOWN = "tab3_zfnet"  # the network whose configuration tells the size of the study
MAKES = {  # what makes an element that is missing
    **{name: numbers.stage_of(name).partition("@")[0] for name in numbers.TITLES},
    **{name: stage.partition("@")[0] for name, stage in recipes.PICTURES.items()},
}


@dataclass(frozen=True)
class Page:
    """The page, every number of ours on it, and the size of the study."""

    html: str
    numbers: list[Number]
    summary: dict[str, Any]


def build(folder: Path) -> Page:
    """The report on the folder `results/` of a checkout.

    Raises:
        ReportError: a file in it is not what a stage writes.
        OSError: a picture is none.
    """
    study = Study(folder)
    judged = claims.claims(study)
    tables, drawn = numbers.tables(study), figures.figures(study)
    summary = summarise(study)
    context = {
        "summary": summary,
        "claims": judged,
        "counts": claims.counts(judged),
        "tables": tables,
        "figures": drawn,
        "readings": figures.READINGS,
        "curves": curves.panels(study),
        "data": figures.picture_of_data(study),
        "atlas": (folder / "atlas" / "index.html").is_file(),
        "titles": numbers.TITLES | figures.TITLES,
        "makes": MAKES,
        "reproductions": paper.reproductions(),
        "compared": others.sentences(),
        "spread": others.spread(),
        "recipes": list(_recipes(study, judged, tables, drawn)),
        "signs": claims.SIGNS,
        "tracked": bool(study.filed),
    }
    measures = [measure for figure in drawn.values() if figure for measure in figure.measures]
    return Page(template.render(context), [*numbers.every(tables), *measures], summary)


def summarise(study: Study) -> dict[str, Any]:
    """How big the study is: of the network `SHOWN`, or of any where that is missing."""
    runs = list(study.runs.values())
    if not runs:
        return {"networks": 0, "profile": (study.json(claims.SOURCE) or {}).get("profile")}
    run = study.runs.get(SHOWN, runs[0])
    config = study.yaml(f"runs/{run.name}/config.yaml") or {}
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
        "revisions": sorted({str(other.recipe.get("git_revision")) for other in runs}),
    }


def _recipes(
    study: Study,
    judged: list[claims.Claim],
    tables: Mapping[str, numbers.Table | None],
    drawn: Mapping[str, figures.Figure | None],
) -> Iterator[tuple[str, list[Recipe]]]:
    """Every recipe that something on the page refers to, in groups."""
    yield "Networks", [recipes.of_network(study, run) for run in study.runs.values()]
    several = [
        (row, members)
        for row in study.rows("tables/table2.csv")
        if len(members := numbers.made_of(study, row)) > 1
    ]
    yield (
        "Several networks",
        [
            recipes.of_several(study, row["row"], paper.label(row["row"]), members)
            for row, members in several
        ],
    )
    stages = {
        *(numbers.stage_of(name) for name, found in tables.items() if found),
        *(figure.stage for figure in drawn.values() if figure),
        *(str(claim.get("stage") or "claims") for claim in judged),
    }
    yield "Stages", [recipes.of_stage(study, stage) for stage in sorted(stages)]
    yield "Claims", [recipes.of_claim(study, claim) for claim in judged]

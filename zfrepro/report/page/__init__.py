"""The report as one page: `build` makes it from `results/`, and what stands on it as numbers.

The page opens from a disk without a network: styles, script and pictures are inside, and a content
security policy forbids it to load anything else. Full-size pictures, tables and configurations are
links beside it.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from zfrepro import paper
from zfrepro.report.page import claims, figures, numbers, others, recipes
from zfrepro.report.page.numbers import Number
from zfrepro.report.page.recipes import Recipe
from zfrepro.report.page.study import ReportError, Study

__all__ = ["Page", "ReportError", "build"]

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
    return Page(render(context), [*numbers.every(tables), *measures], summary)


def render(context: Mapping[str, Any]) -> str:
    """The template filled in; what is not ours is escaped."""
    environment = Environment(
        loader=PackageLoader("zfrepro.report.page"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "number": number, "markdown": markdown, "file": link, "drawing": claims.drawing,
        "effect": effect, "label": paper.label,
    }  # fmt: skip
    own = {name: _asset(environment, name) for name in ("style.css", "script.js")}
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(own['style.css'])}'; "
        f"script-src '{_digest(own['script.js'])}'; base-uri 'none'; form-action 'none'"
    )
    page = environment.get_template("page.html")
    return page.render(
        context, style=Markup(own["style.css"]), script=Markup(own["script.js"]), policy=policy,  # noqa: S704
        recipe_of_claim=claims.recipe_id,
    )  # fmt: skip


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


def number(value: float | None, decimals: int = 1, sign: str = "") -> str:
    """A number with a true minus; nothing for None."""
    return "" if value is None else f"{value:{sign}.{decimals}f}".replace("-", "−")


def effect(value: float | None, sign: str = "+") -> str:
    """A number of any size with three digits; a whole one, where no sign is asked for, as it is."""
    if value is None:
        return ""
    if not sign and float(value).is_integer():
        return f"{value:.0f}".replace("-", "−")
    return f"{value:{sign}#.3g}".rstrip(".").replace("-", "−")


def link(name: str) -> str:
    """From the page to a file below results/."""
    return f"../{name}"


def markdown(text: str) -> Markup:
    """Markdown of a stage as HTML: its tables scroll, its own HTML is escaped."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    parser.add_render_rule("th_open", lambda *_: '<th scope="col">')
    return Markup(parser.render(text))  # noqa: S704  the parser escapes


def _open_table(*_: object) -> str:
    return '<div class="scroll" role="region" aria-label="what was found" tabindex="0"><table>\n'


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


def _asset(environment: Environment, name: str) -> str:
    assert environment.loader is not None  # noqa: S101  it was given above
    return environment.loader.get_source(environment, name)[0]


def _digest(text: str) -> str:
    """As a content security policy names a style or a script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

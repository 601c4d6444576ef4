"""The verdicts on the paper's claims, `results/report/claims.json`, as one MLflow run."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zfrepro.claims import text
from zfrepro.tracking.results import Result, beside

NUMBERS = ("effect", "low", "high")

Claim = Mapping[str, Any]


def of_claims(path: Path) -> Result:
    """The verdicts as params, effects and their intervals as metrics, all as a table of the note.

    What else is there of the file's name (CSV, Markdown, a picture) goes with it.
    """
    claims: list[Claim] = json.loads(path.read_text(encoding="utf-8"))["claims"]
    counts = Counter(str(claim["verdict"]) for claim in claims)
    measures = {f"claims/{verdict}": float(count) for verdict, count in counts.items()}
    for claim in claims:
        values = {name: claim.get(name) for name in NUMBERS}
        measures |= {f"{claim['id']}/{name}": v for name, v in values.items() if v is not None}
    return Result(
        path.stem,
        path.parent,
        beside(path, (".csv", ".json", ".md", ".png")),
        note=_note(claims),
        measures=measures,
        params={str(claim["id"]): str(claim["verdict"]) for claim in claims},
    )


def _note(claims: list[Claim]) -> str:
    return f"The paper's claims on these images: {text.tally(claims)}.\n\n{text.table(claims)}"

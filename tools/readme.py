"""`python -m tools.readme`: fills tables of README.md and docs/results.md from results.

Also keeps the report's numbers and verdicts in docs/reference/, by which `python -m zfrepro.report
check` tells another machine whether it has reproduced them.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`; NAME is one of `BLOCKS`. A block whose
results are not there stays as it is.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from zfrepro import config
from zfrepro.claims import text as claims_text
from zfrepro.elements.errors.tables import TOP1, TOP5, TRAIN, readable
from zfrepro.elements.settings import NETWORK
from zfrepro.files import atomic_write
from zfrepro.models import geometry
from zfrepro.render.tables import markdown
from zfrepro.report.compare import CLAIMS, NUMBERS, SUMMARY

OF_TIME, OF_MEMORY = ("overhead", "overlap"), ("memory",)  # the other ratios are of speed
PAGES = ("README.md", "docs/results.md")
PROJECT = Path(__file__).resolve().parent.parent
TABLES = {"table2": (TOP1, TOP5), "table3": (TRAIN, TOP1, TOP5)}


def table(name: str, project: Path) -> str:
    """Table 2 or 3 of the last `dvc repro`, without what tells where a row comes from."""
    rows = pd.read_csv(project / "results" / "tables" / f"{name}.csv")
    numbers = rows.astype(dict.fromkeys(("parameters", "epochs"), "Int64"))
    shown = readable(numbers, TABLES[name])
    return markdown(shown.drop(columns=["seeds", "epochs", "fingerprint"]))


def made(name: str, project: Path) -> str:
    """A table as the last `dvc repro` wrote it, without the note below it."""
    text = (project / "results" / "tables" / f"{name}.md").read_text(encoding="utf-8")
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith("|"))


def claims(project: Path) -> str:
    """The verdicts of the last `dvc repro`, one line a claim."""
    path = project / "results" / "report" / "claims.json"
    return claims_text.table(json.loads(path.read_text(encoding="utf-8"))["claims"])


def verdicts(project: Path) -> str:
    """How many claims fell which way."""
    path = project / "results" / "report" / "claims.json"
    found = Counter(each["verdict"] for each in json.loads(path.read_text("utf-8"))["claims"])
    counted = ", ".join(f"**{count} {name}**" for name, count in found.most_common())
    return f"Of the paper's {found.total()} claims: {counted}.\n"


def fields(_: Path) -> str:
    """What a unit of each convolution of ZFNet sees, by profile."""
    profiles = ("smoke", "miniature", "study", "imagenette", "paper")
    seen = {
        name: geometry.sights_of(config.compose_experiment(NETWORK, [f"profile={name}"]))
        for name in profiles
    }
    rows = [
        {"layer": own[0].layer, "pixels": own[0].field}
        | {
            profile: f"{each.side}, {each.share:.0%}"
            for profile, each in zip(profiles, own, strict=True)
        }
        for own in zip(*seen.values(), strict=True)
    ]
    return markdown(pd.DataFrame(rows))


def plan(project: Path) -> str:
    """What the paper's own size costs, from a plan that was kept; stages of a kind together."""
    lines = pd.read_csv(project / "docs" / "plan_paper.csv")
    kind = lines["stage"].str.partition("@")[0]
    wanted = lines.groupby(kind.where(lines["flops"].gt(0) | lines["disk_bytes"].gt(0), "others"))
    total = wanted[["images", "flops", "disk_bytes", "stage_seconds"]].sum()
    total.loc["all"] = total.sum()
    rows = [
        {
            "stage": f"{name}, {len(wanted.groups[name])} of them"
            if len(wanted.groups.get(name, [])) > 1
            else name,
            "images": f"{row['images']:,.0f}",
            "PFLOP": f"{row['flops'] / 1e15:,.1f}",
            "disk, GB": f"{row['disk_bytes'] / 1e9:,.3g}",
            "hours": _hours(row["stage_seconds"] / 3600),
        }
        for name, row in total.iterrows()
    ]
    return markdown(pd.DataFrame(rows))


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def naive(project: Path) -> str:
    """The last `dvc repro`'s errors of the classifiers that need no network, in percent."""
    rows = pd.read_csv(project / "results" / "tables" / "errors.csv")
    rows = rows[rows["row"].str.startswith("naive")]
    return markdown(rows[["row", "val_top1"]].rename(columns={"val_top1": "top-1 error"}))


def benchmarks(project: Path) -> str:
    """The ratios that `make bench` measured last."""
    rows = [
        {
            "benchmark": path.stem.replace("_", " "),
            "ratio": name,
            "measured": f"{ratio:.3g}",
            "in words": in_words(path.stem, ratio, name),
        }
        for path in sorted((project / "benchmarks" / "results").glob("*.json"))
        for name, ratio in ratios(json.loads(path.read_text(encoding="utf-8")))
    ]
    return markdown(pd.DataFrame(rows))


def in_words(benchmark: str, ratio: float, pair: str = "") -> str:
    """What the first of a pair is beside the second."""
    if "bytes" in pair:
        return f"{ratio:.3g} times the bytes"
    if benchmark in OF_MEMORY:
        return f"{ratio:.3g} times the memory"
    speed = 1 / ratio if benchmark in OF_TIME else ratio
    return f"{speed:.3g} times faster" if speed >= 1 else f"{1 / speed:.3g} times slower"


def ratios(result: dict[str, object], prefix: str = "") -> list[tuple[str, float]]:
    """Entries named `a / b`, at any depth."""
    found: list[tuple[str, float]] = []
    for name, value in result.items():
        if isinstance(value, dict):
            found += ratios(value, f"{prefix}{name}: ")
        elif " / " in name and isinstance(value, int | float):
            found.append((prefix + name, float(value)))
    return found


BLOCKS: dict[str, Callable[[Path], str]] = {
    **{name: partial(made, name) for name in ("table1", "table4", "table5", "table7")},
    "table2": partial(table, "table2"),
    "table3": partial(table, "table3"),
    "claims": claims,
    "verdicts": verdicts,
    "fields": fields,
    "plan": plan,
    "naive": naive,
    "benchmarks": benchmarks,
}


def fill(text: str, blocks: dict[str, str]) -> str:
    """`text` with the content of each named block replaced.

    Raises:
        ValueError: `text` has no such block.
    """
    for name, content in blocks.items():
        pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"there is no block <!-- {name} --> ... <!-- /{name} -->")
        before, after = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        text = pattern.sub(lambda _, new=before + content + after: new, text)  # type: ignore[misc]
    return text


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    blocks = {}
    for name, make in BLOCKS.items():
        try:
            blocks[name] = make(PROJECT)
        except FileNotFoundError as missing:
            sys.stderr.write(f"{name}: left as it is, there is no {missing.filename}\n")
    for page in PAGES:
        text = (PROJECT / page).read_text(encoding="utf-8")
        atomic_write(
            PROJECT / page, fill(text, {n: blocks[n] for n in named(text) & blocks.keys()})
        )

    for name in (NUMBERS, CLAIMS, SUMMARY):
        made = PROJECT / "results" / "report" / name
        if made.is_file():
            atomic_write(PROJECT / "docs" / "reference" / name, made.read_text(encoding="utf-8"))


def named(text: str) -> set[str]:
    """The blocks of a page."""
    return set(re.findall(r"<!-- (\w+) -->", text))


if __name__ == "__main__":
    main()

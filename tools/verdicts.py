"""`python -m tools.verdicts`: the claims' verdicts by subset of the trained networks.

A verdict that hangs on which trainings were drawn is none. In each of five subsets one of the five
ZFNets is left out, and of the AlexNets one in turn: every figure is measured anew with those that
are left, the first of them being the one that is shown, and the tables' numbers too. What rests on
one network alone (tables 4 to 7), or on the ensembles of given ones, is judged as it is.
Writes OUT, a column a subset.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd

from zfrepro import config, elements, files
from zfrepro.claims import judge
from zfrepro.elements.context import Context
from zfrepro.elements.errors import measure as errors
from zfrepro.elements.errors.tables import FIVE
from zfrepro.elements.tables import of_tables
from zfrepro.outcome import MEASURES, write_measures
from zfrepro.render.tables import markdown
from zfrepro.results import Results

RESULTS = config.ROOT / "results"
MADE = ("features", "figures", "tables")  # of results/, anew for each subset
DECIDED = {"reproduced", "contradicted", "opposite", "not shown"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="a CSV file")
    out = parser.parse_args().out
    settings = config.load(config.CONFIGS / "analysis.yaml")
    profile = config.load(config.CONFIGS / "tab3_zfnet.yaml")["profile"]
    found = {"all": verdicts(Results(RESULTS), profile)}
    for left_out in subsets():
        name = f"without {' and '.join(left_out)}"
        print(name, file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path in RESULTS.iterdir():
                if path.name not in MADE:
                    (root / path.name).symlink_to(path)
            measure(root, settings, set(left_out))
            found[name] = verdicts(Results(root), profile)
    table = pd.DataFrame(found).rename_axis("claim").reset_index()
    files.atomic_write(out, table.to_csv(index=False))
    print(markdown(table))
    print(f"{sum(changing(table))} of {len(table)} claims are decided in more than one way")


def subsets() -> Iterator[tuple[str, str]]:
    """Of both kinds of networks the one that is left out."""
    for number, zfnet in enumerate(FIVE):
        yield zfnet, errors.ALEXNETS[number % len(errors.ALEXNETS)]


def measure(root: Path, settings: Mapping[str, Mapping[str, Any]], without: set[str]) -> None:
    """Measures every figure and the tables anew in `root`, a copy of results/."""
    for element in elements.every():
        if element.beside:  # the atlas, which no claim is about
            continue
        left = with_others(settings[element.stage], without)
        context = Context(left, Results(root), root / element.folder)
        element.run(context).write(context.folder)
    kept = {
        row: tuple(name for name in names if name not in without)
        for row, names in errors.TRAININGS.items()
    }
    with patch.dict(errors.TRAININGS, kept):
        write_measures(root / "tables" / MEASURES, of_tables(Results(root)))


def with_others(settings: Mapping[str, Any], without: set[str]) -> dict[str, Any]:
    """Settings of an element whose lists of networks lack some; the first left is shown."""
    found = json.loads(json.dumps(settings))
    for key, value in found.items():
        if isinstance(value, list) and set(value) & without:
            found[key] = [each for each in value if each not in without]
    if found.get("network") in without:
        found["network"], *found["others"] = found.get("others") or list(FIVE[1:])
    return dict(found)


def verdicts(results: Results, profile: str) -> dict[str, str]:
    return {each.claim.id: each.verdict for each in judge.judge_all(results, profile)}


def changing(table: pd.DataFrame) -> list[bool]:
    """The claims that two subsets decide differently; an open one decides nothing."""
    rows = table.drop(columns="claim").to_numpy().tolist()
    return [len(DECIDED & {*row}) > 1 for row in rows]


if __name__ == "__main__":
    main()

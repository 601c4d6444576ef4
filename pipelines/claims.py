"""Stage `claims`: the paper's claims, and whether our results bear them out.

Writes results/report/claims.{json,csv,md,png}.
"""

import argparse
from typing import Any

import pandas as pd

from pipelines._stage import shell
from zfrepro import config, files
from zfrepro.claims import forest, judge, text
from zfrepro.results import Results

RESULTS = config.ROOT / "results"
OUT = RESULTS / "report"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with shell():
        profile = config.load(config.CONFIGS / "tab3_zfnet.yaml")["profile"]
        judged = judge.judge_all(Results(RESULTS), profile)
        document = judge.document(profile, judged)
        write(document)
    print(text.terminal(document["claims"]))
    print(text.tally(document["claims"]))


def write(document: dict[str, Any]) -> None:
    profile, entries = document["profile"], document["claims"]
    files.write_json(OUT / "claims.json", document)
    with files.atomic_path(OUT / "claims.csv") as path:
        flat = [{key: _cell(value) for key, value in each.items()} for each in entries]
        pd.DataFrame(flat).to_csv(path, index=False)
    files.atomic_write(OUT / "claims.md", text.page(profile, entries))
    title = f"The paper's claims at profile {profile}: {text.tally(entries)}"
    forest.draw(entries, OUT / "claims.png", title)


def _cell(value: object) -> object:
    """Lists become words."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


if __name__ == "__main__":
    main()

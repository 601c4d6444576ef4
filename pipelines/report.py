"""Stage `report`: all that was found, as one page that opens anywhere.

Writes results/report/index.html; results/report/numbers.csv, every number of ours on it with its
interval and the command that makes it again; and results/report/summary.json, the study's size.
"""

import argparse
import csv
import io
from dataclasses import asdict, fields

from pipelines._stage import shell
from zfrepro import config, files
from zfrepro.report.page.build import build
from zfrepro.report.page.numbers import Number

RESULTS = config.ROOT / "results"
OUT = RESULTS / "report"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with shell():
        made = build(RESULTS)
        files.atomic_write(OUT / "index.html", made.html)
        files.atomic_write(OUT / "numbers.csv", as_csv(made.numbers))
        files.write_json(OUT / "summary.json", made.summary)
    print(f"{OUT / 'index.html'}: {len(made.numbers)} numbers, {len(made.html) / 1e6:.1f} MB")


def as_csv(numbers: list[Number]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Number)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(number) for number in numbers)
    return text.getvalue()


if __name__ == "__main__":
    main()

"""`python -m zfrepro.report`: what was found, and how two studies differ.

`show` prints each claim with its verdict, and where the page is. `check` says whether this machine
has reproduced the project's own miniature, whose numbers stand in docs/reference/. `compare A B`
says which numbers moved from one study to another, of another seed or size or of another day, and
whether by more than their 95 % intervals allow. `python -m tools.readme` fills README.md's tables.
"""

import argparse
import sys
from pathlib import Path

from zfrepro import config, files, outputs
from zfrepro.claims import text
from zfrepro.report import compare
from zfrepro.report.compare import NUMBERS, Report
from zfrepro.report.page import claims
from zfrepro.results import Results, ResultsError

REFERENCE = config.ROOT / "docs" / "reference"
ALLOWED = 0.05  # of the numbers
DECIDED = {
    "reproduced",
    "contradicted",
    "opposite",
}  # verdicts: to turn from one into another is news
RESULTS = config.ROOT / "results"


def main() -> None:
    args = parse()
    try:
        if args.command == "check":
            said, agrees = check(RESULTS)
        else:
            said, agrees = show(RESULTS) if args.command == "show" else compared(args), True
    except (OSError, ValueError) as error:
        sys.exit(f"error: {files.reason(error)}")
    sys.stdout.write(f"{said}\n")
    if not agrees:
        sys.exit(1)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="zfrepro.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("show", help="the claims and their verdicts, and where the page is")
    commands.add_parser(
        "check", help="whether this machine has reproduced the numbers in docs/reference/"
    )
    two = commands.add_parser(
        "compare",
        help="which numbers moved from report A to report B",
        description="Which numbers moved from report A to report B, beyond their intervals or "
        "within. Beyond: the two 95 % intervals have nothing in common.",
        epilog="Keep a report before the next: cp -r results/report /tmp/seed0; then "
        "`dvc exp run -S seed=1` and `python -m zfrepro.report compare /tmp/seed0 .`",
    )
    for name in "AB":
        two.add_argument(
            name, type=Path, help="a checkout, its results/, or the folder of a report"
        )
    two.add_argument("--csv", type=Path, metavar="OUT", help="writes every number with both values")
    two.add_argument("--html", type=Path, metavar="OUT", help="writes the comparison as a page")
    return parser.parse_args()


def show(results: Path) -> str:
    """The claims as a table in text, and the path of the page.

    Raises:
        ResultsError: the file of the claims is not what stage `claims` writes.
    """
    judged, page = claims.claims(Results(results)), results / "report" / "index.html"
    lines = ["no claim is judged yet: `dvc repro claims`"]
    if judged:
        lines = [text.terminal(judged), f"{len(judged)} claims: {text.tally(judged)}"]
    lines += ["", f"page: {page}" if page.is_file() else f"no {page} yet: `dvc repro report`"]
    return "\n".join(lines)


def check(results: Path) -> tuple[str, bool]:
    """What of the results lies beyond the project's own, and whether that is little enough.

    Numbers differ between machines by rounding, and what is trained by more; each has an interval.
    Chance alone puts two intervals apart for fewer than one number in a hundred.

    Raises:
        ResultsError: there is no report, or it is one of another profile or seed.
    """
    ours, here = Report(REFERENCE), Report(results)
    for key in ("profile", "seeds", "images"):
        if ours.summary.get(key) != here.summary.get(key):
            raise ResultsError(
                f"{key}: {here.summary.get(key)} here, {ours.summary.get(key)} in {REFERENCE}: "
                "only the same study can be checked (profile and seed in params.yaml)"
            )
    found = compare.changes(ours, here)
    beyond = [each for each in found if each.state in (compare.BEYOND, compare.GONE)]
    turned = [
        each for each in compare.turns(ours, here) if {each.a, each.b} & DECIDED == {each.a, each.b}
    ]
    agrees = len(beyond) <= ALLOWED * len(found) and not turned
    said = "reproduced" if agrees else "NOT reproduced"
    return (
        f"{compare.text(ours, here)}\n\nthe project's own study is {said} here: {len(beyond)} of "
        f"{len(found)} numbers lie beyond their intervals, and {len(turned)} verdicts are reversed",
        agrees,
    )


def compared(args: argparse.Namespace) -> str:
    """The comparison as text; also written where that is asked for."""
    a, b = Report(args.A), Report(args.B)
    for out, sign in ((args.csv, "key,state,difference,"), (args.html, outputs.MARK)):
        if out is not None:
            outputs.check(out, sign, [a.folder / NUMBERS, b.folder / NUMBERS])
    if args.csv is not None:
        files.atomic_write(args.csv, compare.as_csv(compare.changes(a, b)))
    if args.html is not None:
        files.atomic_write(args.html, compare.as_html(a, b))
    return compare.text(a, b)


if __name__ == "__main__":
    main()

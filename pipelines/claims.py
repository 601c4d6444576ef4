"""Stage `claims`: the paper's claims, and whether our results bear them out.

Writes results/report/claims.json.
"""

import argparse

from zfrepro import config, files
from zfrepro.report import claims
from zfrepro.report.evidence import MEASURES
from zfrepro.report.results import Results

RESULTS = config.ROOT / "results"
OUT = RESULTS / "report"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    files.exit_on_signals()
    files.die_with_parent()
    profile = config.load(config.PARAMS)["profile"]
    judged = claims.judge_all(MEASURES, Results(RESULTS, profile))
    files.write_json(OUT / "claims.json", claims.document(profile, judged))


if __name__ == "__main__":
    main()

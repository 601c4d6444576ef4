"""Stage `tables`: tables 2 to 7 of the paper, ours beside the published, from stored results.

Writes results/tables/table<N>.{csv,md,png}; measures.json, what claims about them rest on; the
ensembles' predictions, in results/ensembles/; and figure 9, which draws table 5 as a curve.
"""

import argparse

from pipelines._stage import shell
from zfrepro.elements import tables


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with shell():
        for table in tables.run():
            print(table)


if __name__ == "__main__":
    main()

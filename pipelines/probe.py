"""Stage `probe`: how well classifiers tell classes apart by the features of each layer (table 7).

Writes results/probe/folds.csv, an accuracy for each fold of each classifier, layer and set.
"""

import argparse

from pipelines._stage import shell
from zfrepro import config
from zfrepro.elements.transfer import probe


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with shell(keep_memory=True):
        probe.run(config.load(config.CONFIGS / "transfer.yaml"))


if __name__ == "__main__":
    main()

"""Stage `transfer@<set>`: a network's features at work on another set (tables 4-6, figure 9).

Writes results/transfer/<set>/folds.csv, an accuracy for each fold of each arm: a new softmax on the
pretrained network, and the same network from random weights. Of Caltech-101 and Caltech-256 also
splits.parquet, the images of each fold; of VOC 2012 average_precision.csv, scores.parquet and, in
results files of the devkit's format, submission/<classifier>/.
"""

import argparse

from pipelines._stage import shell
from zfrepro import config
from zfrepro.elements.transfer import stage


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=stage.SETS)
    name = parser.parse_args().set
    with shell(keep_memory=True):
        stage.run(config.load(config.CONFIGS / "transfer.yaml"), name)


if __name__ == "__main__":
    main()

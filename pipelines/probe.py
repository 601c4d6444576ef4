"""Stage `probe`: how well classifiers tell classes apart by the features of each layer (table 7).

Writes results/probe/folds.csv, an accuracy for each fold of each classifier, layer and set.
"""

from tqdm import tqdm

from pipelines._transfer import RESULTS, Classes, Network, Row, is_absent, stage, write_folds
from zfrepro.config import Config

CLASSIFIERS = ("svm", "softmax")


def run(settings: Config) -> None:
    rows: list[Row] = []
    mine = settings["probe"]
    pairs = [(layer, classifier) for classifier in CLASSIFIERS for layer in mine[classifier]]
    for name in (name for name in mine["images_a_class"] if not is_absent(name)):
        target = Classes(name, Network(settings["network"]), settings)
        folds = [target.fold(mine["images_a_class"][name], k) for k in range(mine["folds"])]
        target.features(target.split, [layer for layer, _ in pairs])
        work = [(fold, *pair) for pair in pairs for fold in folds]
        rows += [target.probed(*each) for each in tqdm(work, desc=f"{name}, probes", unit="fold")]
    write_folds(rows, RESULTS / "probe" / "folds.csv")


if __name__ == "__main__":
    stage(__doc__, run)

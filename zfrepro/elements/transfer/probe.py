"""How well classifiers tell classes apart by the features of each layer (table 7)."""

from zfrepro.config import Config
from zfrepro.elements.transfer.folds import (
    FEW,
    RESULTS,
    UNTRAINED,
    Classes,
    Network,
    Probe,
    is_absent,
    probed,
    unprobed,
    write_folds,
)
from zfrepro.sharing import at_once, gpus
from zfrepro.workers import shared_map

CLASSIFIERS = ("svm", "softmax")


def run(settings: Config) -> None:
    mine = settings["probe"]
    pairs = [(layer, classifier) for classifier in CLASSIFIERS for layer in mine[classifier]]
    names = [name for name in mine["images_per_class"] if not is_absent(name)]
    network = Network(settings["network"])
    before = Network(network.name, UNTRAINED)  # whose SVMs are the floor
    wanted = [
        (target, Probe(target.fold(mine["images_per_class"][name], k), *pair))
        for name in names
        for each, of in ((network, pairs), (before, [(layer, "svm") for layer in mine["svm"]]))
        for target in [Classes(name, each, settings)]
        for pair in of
        for k in range(mine["folds"])
    ]
    # of large networks one at a time, for the memory that the features of a layer take; or one on
    # each GPU, where a classifier takes long enough for a worker to start
    trainer = network.config["trainer"]
    shared = gpus(trainer)
    beside = min(at_once(trainer), unprobed(wanted) // (1 if shared else FEW))
    with shared_map(beside, shared) as each_of:
        rows = list(probed(wanted, "probes", each_of)) if wanted else []
    write_folds(rows, RESULTS / "probe" / "folds.csv")

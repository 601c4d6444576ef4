"""What each MLflow experiment is about: its name is the paper's, and says too little."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zfrepro.tracking.store import Store

NOTE = "mlflow.note.content"  # the tag that holds a description

TITLES = {  # in the paper's order
    "claims": "The paper's claims, and whether they hold here",
    "figure2": "Figure 2: what each layer's maps look for",
    "figure4": "Figure 4: how features come about, epoch by epoch",
    "figure5": "Figure 5: how far features move with the image",
    "figure6": "Figure 6: first layers of ZFNet and AlexNet",
    "figure7": "Figure 7: what a grey square hides from the network",
    "figure8": "Figure 8: correspondence of parts of faces",
    "table1": "Table 1: whether parts of faces mean the same in different images",
    "table2": "Table 2: single networks and ensembles",
    "table3": "Table 3: layers removed and resized",
    "table4": "Table 4: features at work on Caltech-101",
    "table5": "Table 5: features at work on Caltech-256",
    "figure9": "Figure 9: accuracy against training images a class",
    "table6": "Table 6: features at work on PASCAL VOC 2012",
    "overlap": "Section 5.2: images that the sets share",
    "table7": "Table 7: what each layer's features are worth",
    "caltech101": "Folds of table 4, Caltech-101",
    "caltech256": "Folds of table 5 and figure 9, Caltech-256",
    "voc2012": "Folds of table 6, PASCAL VOC 2012",
    "probe": "Folds of table 7, each layer's features",
}
NAMES = {"claims": "start_here"}  # in MLflow, where they differ


def name(element: str) -> str:
    """What MLflow calls it."""
    return NAMES.get(element, element)


def title(element: str) -> str:
    return TITLES.get(element, element)


def arrange(store: "Store") -> None:
    """Has MLflow list the experiments in the paper's order, the claims with links to them first.

    Its list shows first what was changed last.
    """
    client = store.client
    known = {each.name: each for each in client.search_experiments()}
    found = [(element, known[name(element)]) for element in TITLES if name(element) in known]
    links = [f"[{each.name}](#/experiments/{each.experiment_id})" for _, each in found[1:]]
    if found and found[0][0] == "claims":
        note = f"{title('claims')}. All else, in the paper's order: {', '.join(links)}."
        if found[0][1].tags.get(NOTE) != note:
            client.set_experiment_tag(found[0][1].experiment_id, NOTE, note)
    times = [each.last_update_time or 0 for _, each in found]
    if times != sorted(times, reverse=True):
        for _, each in reversed(found):
            client.rename_experiment(each.experiment_id, each.name)

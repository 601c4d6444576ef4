"""What each MLflow experiment is about: its name is the paper's, and says too little."""

from typing import TYPE_CHECKING

from zfrepro import elements, paper

if TYPE_CHECKING:
    from zfrepro.tracking.store import Store

NOTE = "mlflow.note.content"  # the tag that holds a description

TITLES = {  # in the paper's order
    "claims": "The paper's claims, and whether they hold here",
    **{name: f"{each.label}: {each.title}" for name, each in elements.exhibits().items()},
    **{
        name: f"Table {name.removeprefix('table')}: {title}" for name, title in paper.TITLES.items()
    },
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

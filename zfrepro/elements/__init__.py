"""The paper's figures and tables: a folder each.

`transfer/` has tables 4 to 7 and figure 9, `errors/` tables 2 and 3, `overlap/` the images that
sets share. The others are measured on trained networks: `element.py` tells the rest of the project
its title, settings and cost, `measure.py` measures on any network, `plot.py` draws, and `stage.py`
does both with the study's networks and images.
"""

from importlib import import_module

from zfrepro.elements.base import Element, Exhibit

NAMES = (  # in the paper's order
    "features",
    "atlas",
    "evolution",
    "invariance",
    "architecture",
    "occlusion",
    "correspondence",
)
OTHERS = (  # which other stages draw
    Exhibit(
        figure="figure9",
        title="Accuracy against training images per class",
        stage="transfer@caltech256",
    ),
    Exhibit(figure="overlap", title="Images that the sets share", stage="overlap"),
    Exhibit(
        figure="confusion",
        title="Which classes are taken for which",
        reading="A row is a true class, a column what the network says.",
        stage="evaluate",
    ),
)


def find(name: str) -> Element:
    """The element whose folder is `name`."""
    found: Element = import_module(f"zfrepro.elements.{name}.element").ELEMENT
    return found


def every() -> list[Element]:
    """All, in the paper's order."""
    return [find(name) for name in NAMES]


def exhibits() -> dict[str, Exhibit]:
    """The figures of the page and of MLflow by their folders' names, in the paper's order."""
    shown = [each for each in every() if not each.beside]
    return {each.figure: each for each in (*shown, *OTHERS)}

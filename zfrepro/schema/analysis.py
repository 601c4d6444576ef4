"""Keys of conf/analysis.yaml: what the figures show."""

from dataclasses import dataclass, make_dataclass

from zfrepro import elements
from zfrepro.keys import key, section


@dataclass
class Pictures:
    dpi: int = key("dots an inch", least=30, most=2400)
    formats: list[str] = key("of each figure's files", one_of=("png", "pdf", "svg"))


@dataclass
class Overlap:
    side: int = key("pixels of the thumbnails that are compared", least=4, most=256)
    candidate: float = key(
        "least correlation of whole images to be looked at closely", least=-1, most=1
    )
    threshold: float = key("least correlation, once aligned, of the same image", least=-1, most=1)


SECTIONS: list[tuple[str, str, type]] = [
    ("pictures", "the figures' files", Pictures),
    ("overlap", "of the source's training set and the transfer sets", Overlap),
    *((each.stage, each.label.lower(), each.settings) for each in elements.every()),
]
Analysis = make_dataclass(
    "Analysis", [(name, cls, section(doc, cls)) for name, doc, cls in SECTIONS],
    namespace={"__doc__": "What the figures show."},
)  # fmt: skip

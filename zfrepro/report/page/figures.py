"""The figures: their pictures at a size that a page can carry, what was found, and the measures."""

import base64
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from zfrepro.report.page import recipes
from zfrepro.report.page.numbers import Number
from zfrepro.report.page.study import Study

TITLES = {
    "figure2": "What the maps of each layer look for",
    "figure4": "How features come about, epoch by epoch",
    "figure5": "How far features move when the image does",
    "figure6": "Layers 1 and 2 of ZFNet and AlexNet",
    "figure7": "What a grey square hides",
    "figure8": "Masked parts of faces",
    "figure9": "Accuracy against training images a class",
    "overlap": "Images that the sets share",
    "confusion": "Which classes are taken for which",
}
READINGS = {  # what one sees, for who has not read the paper
    "figure2": "A map is what one filter makes of an image: a number for each place. Its peak is "
    "the largest. On the left, what a peak comes from in the pixels (the projection: grey is no "
    "difference, the largest ones are black and white); on the right the same parts of the nine "
    "images whose peaks are highest. White lies beyond the image's edge.",
    "figure4": "Of each map, by epoch, the projection of its strongest activation over all images. "
    "A jump is another image that has become the strongest.",
    "figure5": "How far a layer's features are from those of the image as it is, in norms of the "
    "features; and the probability of the true class.",
    "figure6": "Filters of layer 1, and what maps of layer 2 look for. A grid in them is aliasing: "
    "the stride is larger than what the filter can tell apart.",
    "figure7": "Each place of a map is a place of the square's centre. Dark in the probability "
    "means: with the square there, the network no longer sees the class.",
    "figure8": "The same part hidden in several faces, and random places beside it.",
    "confusion": "A row is a true class, a column what the network says.",
}
CONFUSIONS = ("tab3_zfnet", "tab3_alexnet")  # of all networks those that the page shows
WIDTH = 1500  # pixels of a picture in the page, at most
SMALL = 150_000  # bytes of a file that goes in as it is
QUALITY = 82


@dataclass(frozen=True)
class Picture:
    """A picture inside the page, and the file of full size that it was made from."""

    data: str  # data: URI
    width: int
    height: int
    alt: str
    caption: str
    source: str  # below results/
    print: str | None  # the PDF beside it


@dataclass(frozen=True)
class Figure:
    """One figure of the paper, remade."""

    name: str
    title: str
    pictures: tuple[Picture, ...]
    text: str  # Markdown, without its heading
    measures: tuple[Number, ...]
    files: tuple[str, ...]  # CSV, below results/
    others: tuple[tuple[str, str], ...]  # pictures that the page has no room for: name and file
    recipe: str
    stage: str


def figures(study: Study) -> dict[str, Figure | None]:
    """The figures by name; None where no stage has drawn one."""
    return {name: _figure(study, name) for name in TITLES}


def picture_of_data(study: Study) -> tuple[str, int, int] | None:
    """The contact sheet of the prepared images, as `embedded`; None where there is none."""
    path = study.folder / "prepared" / "source" / "preview.png"
    return embedded(path) if path.is_file() else None


def _figure(study: Study, name: str) -> Figure | None:
    folder = study.folder / "figures" / name
    files = sorted(folder.glob("*.png"))
    text = study.text(f"figures/{name}/report.md") or ""
    if not files and not text:
        return None
    stage = recipes.PICTURES[name]
    shown = [path for path in files if name != "confusion" or path.stem in CONFUSIONS]
    measures = _measures(study, name, stage)
    with ThreadPoolExecutor() as pool:
        data = list(pool.map(embedded, shown))
    pictures = [
        _picture(study, path, TITLES[name], measures, *each)
        for path, each in zip(shown, data, strict=True)
    ]
    head, _, rest = text.partition("\n")
    return Figure(
        name=name, title=TITLES[name], pictures=tuple(pictures),
        text=rest if head.startswith("# ") else text, measures=tuple(measures),
        files=tuple(below(study, path) for path in sorted(folder.glob("*.csv"))),
        others=tuple((p.stem, below(study, p)) for p in files if p not in shown),
        recipe=recipes.id_of(stage), stage=stage,
    )  # fmt: skip


def embedded(path: Path) -> tuple[str, int, int]:
    """A picture as data: URI, no wider than `WIDTH`; its width and height.

    Raises:
        OSError: it is no picture.
    """
    with Image.open(path) as image:
        if path.stat().st_size <= SMALL and image.width <= WIDTH:
            return _uri("png", path.read_bytes()), image.width, image.height
        small = image.convert("RGB")
        if image.width > WIDTH:
            size = (WIDTH, round(image.height * WIDTH / image.width))
            small = small.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        content = io.BytesIO()
        small.save(content, "WEBP", quality=QUALITY, method=1)  # slower ones save a tenth
        return _uri("webp", content.getvalue()), small.width, small.height


def below(study: Study, path: Path) -> str:
    return path.relative_to(study.folder).as_posix()


def _picture(
    study: Study, path: Path, title: str, measures: Sequence[Number], data: str, width: int,
    height: int,
) -> Picture:  # fmt: skip
    pdf = path.with_suffix(".pdf")
    name = "the figure" if path.stem == path.parent.name else path.stem.replace("_", " ")
    return Picture(
        data=data, width=width, height=height, alt=_alt(title, name, measures), caption=name,
        source=below(study, path), print=below(study, pdf) if pdf.is_file() else None,
    )  # fmt: skip


def _alt(title: str, name: str, measures: Sequence[Number]) -> str:
    """What the picture shows, in the numbers that were measured of it: its own layer's, or all."""
    layer = name.split(maxsplit=1)[0]
    own = [m for m in measures if layer in m.column.split("/")] or list(measures)
    said = ", ".join(f"{m.column.replace('_', ' ')} {m.value:.3g}" for m in own[:6])
    return f"{title}: {name}." + (f" Measured: {said}." if said else "")


def _measures(study: Study, name: str, stage: str) -> list[Number]:
    """What the stage measured; `<name>_low` and `<name>_high` are the interval of `<name>`."""
    source = f"figures/{name}/measures.json"
    found: Mapping[str, float] = study.json(source) or {}
    ends = {f"{key}_{end}" for key in found for end in ("low", "high")}
    return [
        Number(
            element=name, row="", column=key, value=value, low=found.get(f"{key}_low"),
            high=found.get(f"{key}_high"), recipe=recipes.id_of(stage),
            command=recipes.stage_command(study, stage), source=source,
        )
        for key, value in found.items()
        if key not in ends
    ]  # fmt: skip


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"

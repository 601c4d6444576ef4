"""The figures: their pictures at a size that a page can carry, what was found, and the measures."""

import base64
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from PIL import Image

from zfrepro import elements
from zfrepro.elements.base import Exhibit
from zfrepro.outcome import flat
from zfrepro.report.page import recipes
from zfrepro.report.page.numbers import Number
from zfrepro.results import Results

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
    reading: str  # what one sees
    pictures: tuple[Picture, ...]
    text: str  # Markdown, without its heading
    measures: tuple[Number, ...]
    files: tuple[str, ...]  # CSV, below results/
    others: tuple[tuple[str, str], ...]  # pictures that the page has no room for: name and file
    recipe: str
    stage: str


def figures(results: Results) -> dict[str, Figure | None]:
    """The figures by name, those that no element names last; None where no stage has drawn one."""
    there = sorted(path.name for path in results.folder.glob("figures/*") if path.is_dir())
    return {name: _figure(results, shown) for name, shown in exhibits(there).items()}


def exhibits(there: Iterable[str] = ()) -> dict[str, Exhibit]:
    """What is known of each figure; of folders that no element names, their name."""
    known = elements.exhibits()
    return known | {
        name: Exhibit(figure=name, title=name.replace("_", " "), stage=name)
        for name in there
        if name not in known
    }


def picture_of_data(results: Results) -> tuple[str, int, int] | None:
    """The contact sheet of the prepared images, as `embedded`; None where there is none."""
    path = results.folder / "prepared" / "source" / "preview.png"
    return embedded(path) if path.is_file() else None


def _figure(results: Results, shown: Exhibit) -> Figure | None:
    name, title, stage = shown.figure, shown.title, shown.stage
    folder = results.folder / "figures" / name
    files = sorted(folder.glob("*.png"))
    text = results.text(f"figures/{name}/report.md") or ""
    if not files and not text:
        return None
    drawn = [path for path in files if name != "confusion" or path.stem in CONFUSIONS]
    measures = _measures(results, name, stage)
    with ThreadPoolExecutor() as pool:
        data = list(pool.map(embedded, drawn))
    pictures = [
        _picture(results, path, title, measures, *each)
        for path, each in zip(drawn, data, strict=True)
    ]
    head, _, rest = text.partition("\n")
    return Figure(
        name=name, title=title, reading=shown.reading, pictures=tuple(pictures),
        text=rest if head.startswith("# ") else text, measures=tuple(measures),
        files=tuple(below(results, path) for path in sorted(folder.glob("*.csv"))),
        others=tuple((p.stem, below(results, p)) for p in files if p not in drawn),
        recipe=recipes.id_of(stage), stage=stage,
    )  # fmt: skip


def embedded(path: Path) -> tuple[str, int, int]:
    """A picture as data: URI, no wider than `WIDTH`; its width and height.

    Raises:
        OSError: it is not a picture.
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


def below(results: Results, path: Path) -> str:
    return path.relative_to(results.folder).as_posix()


def _picture(
    results: Results, path: Path, title: str, measures: Sequence[Number], data: str, width: int,
    height: int,
) -> Picture:  # fmt: skip
    pdf = path.with_suffix(".pdf")
    name = "the figure" if path.stem == path.parent.name else path.stem.replace("_", " ")
    return Picture(
        data=data, width=width, height=height, alt=_alt(title, name, measures), caption=name,
        source=below(results, path), print=below(results, pdf) if pdf.is_file() else None,
    )  # fmt: skip


def _alt(title: str, name: str, measures: Sequence[Number]) -> str:
    """What the picture shows, in the numbers that were measured of it: its own layer's, or all."""
    layer = name.split(maxsplit=1)[0]
    own = [m for m in measures if layer in m.column.split("/")] or list(measures)
    said = ", ".join(f"{m.column.replace('_', ' ')} {m.value:.3g}" for m in own[:6])
    return f"{title}: {name}." + (f" Measured: {said}." if said else "")


def _measures(results: Results, name: str, stage: str) -> list[Number]:
    """What the stage measured."""
    source = f"figures/{name}/measures.json"
    return [
        Number(
            element=name, row="", column=key, value=interval.mean, low=_known(interval.low),
            high=_known(interval.high), recipe=recipes.id_of(stage),
            command=recipes.stage_command(results, stage), source=source,
        )
        for key, interval in flat(results.measures(f"figures/{name}")).items()
    ]  # fmt: skip


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"

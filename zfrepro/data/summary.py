"""What a preparation understood, for the one who knows what was meant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zfrepro.data.listing import Source
from zfrepro.data.sources.tree import some

NAMED = 3  # of classes and pictures, as examples


def lines(source: Source, manifest: dict[str, Any], folder: Path) -> Iterator[str]:
    """Classes, images of each split, what was left out, and pictures that stand there twice.

    `folder` is that of the prepared set.
    """
    names = [name for _, name in source.classes]
    yield f"{source.name}: {len(names):,} classes ({some(names, NAMED)})"
    indices = {split: _index(folder, split) for split in manifest["splits"]}
    for split, index in indices.items():
        classes = None if source.objects else len(names)
        yield f"  {split}: {_split(index, manifest['splits'][split], classes)}"
    if source.left_out:
        kinds = sorted(source.left_out.items(), key=lambda kind: -kind[1])
        yield f"  left out: {', '.join(f'{count:,} {kind}' for kind, count in kinds)}"
    for split, index in indices.items():
        if pairs := _in_two_classes(index):
            yield f"  in two classes of {split}: {_pictures(pairs)}"
    if len(indices) == 2 and (pairs := _in_both(*indices.values())):
        yield f"  in {' and '.join(indices)}: {_pictures(pairs)}"


def _index(folder: Path, split: str) -> pa.Table:
    columns = ["path", "label", "content", "reason", "duplicate_of"]
    return pq.read_table(folder / f"{split}.parquet", columns=columns)


def _split(index: pa.Table, counts: dict[str, Any], classes: int | None) -> str:
    """With the number of images of each class, where an image has one class."""
    parts = [f"{counts['images']:,} images"]
    if classes:
        labels = index.filter(pc.is_null(index["reason"]))["label"].to_numpy()
        each = np.bincount(labels, minlength=classes)
        ends = dict.fromkeys(f"{number:,}" for number in (each.min(), each.max()))
        parts[0] += f", {' to '.join(ends)} of each class"
    parts += [f"without pixels: {counts['skipped']:,}"] if counts["skipped"] else []
    parts += [f"copies among them: {counts['duplicates']:,}"] if counts["duplicates"] else []
    return "; ".join(parts)


def _in_two_classes(index: pa.Table) -> list[tuple[str, str]]:
    """Copies within a split whose class is another than the first one's."""
    copies = index.filter(pc.is_valid(index["duplicate_of"]))
    firsts = index.take(copies["duplicate_of"])
    differ = pc.not_equal(copies["label"], firsts["label"])
    columns = firsts["path"].filter(differ), copies["path"].filter(differ)
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def _in_both(first: pa.Table, second: pa.Table) -> list[tuple[str, str]]:
    """The same content in both, each of the second with one of the first."""
    first, second = (table.filter(pc.is_null(table["reason"])) for table in (first, second))
    places = pc.index_in(second["content"], first["content"].combine_chunks())
    copies = second["path"].filter(pc.is_valid(places)).to_pylist()
    originals = first["path"].take(pc.drop_null(places)).to_pylist()
    return list(zip(originals, copies, strict=True))


def _pictures(pairs: list[tuple[str, str]]) -> str:
    alike = [f"{one} = {other}" for one, other in pairs]
    return f"{len(pairs):,} of the same content ({some(alike, NAMED)})"

"""The index of a split: the records of its shards, one after the other, with duplicates marked."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zfrepro.data import shards
from zfrepro.data.listing import Ints
from zfrepro.files import atomic_path

SCHEMA = shards.SCHEMA.append(
    pa.field("duplicate_of", pa.int64())  # row of the first file of the same content; else null
)


class Merged(NamedTuple):
    """A split's index in numbers: good images, files skipped, duplicates among the good ones."""

    images: int
    skipped: int
    duplicates: int
    digest: str  # of labels and stored pixels, in order
    per_class: Ints  # good images of each class

    def summary(self) -> dict[str, Any]:
        keys = ("images", "skipped", "duplicates", "digest")
        return {key: getattr(self, key) for key in keys}


def merge(work: Path, split: str, images: int, classes: int) -> Merged:
    """Writes `<split>.parquet` from the shards' records, a shard at a time."""
    records = [shards.record_path(work, shard) for shard in shards.cut(split, images)]
    duplicate_of = _duplicates(records)
    digest, per_class = hashlib.sha256(), np.zeros(classes, dtype=np.int64)
    row, base, total = 0, 0, 0
    with (
        atomic_path(work / f"{split}.parquet") as temporary,
        pq.ParquetWriter(temporary, SCHEMA) as writer,
    ):
        for record in records:
            table = shards.read_record(record)
            good = table.filter(pc.is_null(table["reason"]))
            firsts = duplicate_of[row : row + len(table)]
            writer.write_table(_row_group(table, firsts, base))
            digest.update(table.schema.metadata[b"digest"])
            labels = good["label"].to_numpy()
            per_class += np.bincount(labels[labels >= 0], minlength=classes)
            total += len(good)
            row, base = row + len(table), base + (pc.sum(table["length"]).as_py() or 0)
    duplicates = int((duplicate_of >= 0).sum())
    return Merged(total, row - total, duplicates, digest.hexdigest(), per_class)


def good_rows(index: Path) -> pa.Table:
    """Row number (`row`) and `path` of the images of an index that have pixels, in order."""
    table = pq.read_table(index, columns=["path", "reason"])
    numbered = table.append_column("row", pa.array(np.arange(len(table))))
    return numbered.filter(pc.is_null(table["reason"])).select(["row", "path"])


def _row_group(table: pa.Table, firsts: Ints, base: int) -> pa.Table:
    """A shard's rows; its packed images begin at byte `base` of the split's file."""
    offset = SCHEMA.get_field_index("offset")
    table = table.set_column(offset, SCHEMA.field(offset), pc.add(table["offset"], base))
    duplicate_of = pa.array(firsts, mask=firsts < 0)
    return table.append_column(SCHEMA.field("duplicate_of"), duplicate_of).cast(SCHEMA)


def _duplicates(records: Sequence[Path]) -> Ints:
    """For each row the first row of the same content, -1 where there is none before it."""
    columns = [shards.read_record(record).select(["content", "reason"]) for record in records]
    contents = [int(value or "0", 16) for part in columns for value in part["content"].to_pylist()]
    good = np.concatenate([pc.is_null(part["reason"]).to_numpy() for part in columns])
    rows = np.flatnonzero(good)
    keys = np.array(contents, dtype=np.uint64)[rows]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    firsts = rows[first[inverse]]
    duplicate_of = np.full(len(good), -1, dtype=np.int64)
    duplicate_of[rows] = np.where(firsts == rows, -1, firsts)
    return duplicate_of


def bad_files(index: Path) -> list[str]:
    """The files of an index that gave no pixels, each with the reason."""
    bad = pq.read_table(index, columns=["path", "reason"], filters=pc.is_valid(pc.field("reason")))
    return [f"{row['path']}: {row['reason']}" for row in bad.to_pylist()]

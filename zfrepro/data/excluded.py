"""The training images that are left out since a transfer set holds them too: one list, one file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from zfrepro.data.store import to_array
from zfrepro.files import atomic_path

Ints = npt.NDArray[np.int64]

_DIGEST, _SUM = b"digest", b"sum"


class ExcludedError(OSError):
    """A list that is not there, damaged, or of other images."""


def write(path: Path, images: Ints, paths: Sequence[str], digest: str) -> None:
    """Writes the numbers of training images of the prepared set `digest`, and their paths."""
    columns = {"image": pa.array(images, pa.int64()), "path": pa.array(paths, pa.string())}
    facts = {_DIGEST: digest, _SUM: _sum(np.asarray(images, dtype=np.int64))}
    table = pa.table(columns).replace_schema_metadata(facts)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def read(path: Path, digest: str) -> Ints:
    """The numbers of the training images to leave out, in order.

    Raises:
        ExcludedError: no such file, a damaged one, or one on another prepared set than `digest`.
    """
    remedy = "`dvc repro overlap` makes it; exclude_overlap=false trains on all images"
    if not path.is_file():
        raise ExcludedError(f"{path}, the images to leave out of training, is not there: {remedy}")
    try:
        table = pq.ParquetFile(path).read()  # read_table imports pandas
        images, facts = to_array(table["image"]), table.schema.metadata or {}
    except Exception as error:  # damage makes a reader raise almost anything
        raise ExcludedError(f"{path} is damaged: {remedy}") from error
    if facts.get(_DIGEST) != digest.encode():
        raise ExcludedError(
            f"{path} lists images of another prepared set than the one to train on: {remedy}"
        )
    if facts.get(_SUM) != _sum(images):
        raise ExcludedError(f"{path} is damaged: {remedy}")
    return np.sort(images)


def _sum(images: Ints) -> bytes:
    return hashlib.sha256(images.tobytes()).hexdigest().encode()

"""Each image's prediction as a Parquet file, and the errors and ensembles they give."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from zfrepro.files import atomic_path
from zfrepro.training.chance import at_chance

COLUMNS = ("path", "label", "probabilities")

Ints = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Shares = npt.NDArray[np.float64]


class PredictionsError(ValueError):
    """Predictions that are of different images, or not whole."""


def schema(classes: int) -> pa.Schema:
    """One row an image; `rank` counts the classes that score better than the true one."""
    return pa.schema(
        [
            ("path", pa.string()),
            ("label", pa.int32()),
            ("top5", pa.list_(pa.int32())),
            ("rank", pa.int32()),
            ("probability", pa.float32()),  # of the true class
            ("probabilities", pa.list_(pa.float32(), classes)),
        ]
    )


class Writer:
    """Adds batches of predictions to one file."""

    def __init__(self, parquet: pq.ParquetWriter) -> None:
        self._parquet = parquet

    def add(self, paths: Sequence[str], labels: Ints, scores: Scores) -> None:
        """B more images: their paths, labels (B,) and probabilities (B, classes)."""
        columns = (
            list(paths),
            labels,
            list(np.argsort(-scores, axis=1, kind="stable")[:, :5]),
            ranks(scores, labels),
            scores[np.arange(len(labels)), labels],
            list(scores),
        )
        layout = self._parquet.schema
        arrays = [pa.array(c, field.type) for c, field in zip(columns, layout, strict=True)]
        self._parquet.write_table(pa.Table.from_arrays(arrays, schema=layout))


@contextmanager
def writer(path: Path, classes: int) -> Iterator[Writer]:
    """A writer of the file `path`, which appears once all is written."""
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema(classes)) as parquet,
    ):
        yield Writer(parquet)


def ranks(scores: Scores, labels: Ints) -> Ints:
    """`zfrepro.training.errors.ranks` of arrays: tables are made without torch."""
    truth = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    better: Ints = ((scores > truth) | ((scores == truth) & earlier)).sum(1)
    return better


def wrong(path: Path, at: int) -> Shares:
    """(N,): 1 for each image of the file `path` whose true class is not among the best `at`."""
    rank: npt.NDArray[np.int32] = pq.ParquetFile(path).read(["rank"])["rank"].to_numpy()
    return (rank >= at).astype(np.float64)


def says_something(path: Path, at: int) -> bool:
    """Whether the file's classes are more than `at`: else the true one is always among the best."""
    return int(pq.read_schema(path).field("probabilities").type.list_size) > at


def knows_nothing(path: Path) -> bool:
    """Whether the top-1 error of the file's predictions is no better than chance."""
    labels = pq.ParquetFile(path).read(["label"])["label"].to_numpy().astype(np.int64)
    return at_chance(100 * float(wrong(path, 1).mean()), labels)


def average(members: Sequence[Path], path: Path) -> None:
    """Writes the predictions of an ensemble: its members' probabilities averaged (table 2).

    Raises:
        PredictionsError: the members are of different images or classes.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(pq.ParquetFile(member)) for member in members]
        for file, member in zip(files, members, strict=True):
            if not _same_shape(file, files[0]):
                raise PredictionsError(
                    f"{member} and {members[0]} are of different images or classes"
                )
        classes = files[0].schema_arrow.field("probabilities").type.list_size
        out = stack.enter_context(writer(path, classes))
        for group in range(files[0].num_row_groups):
            batches = [file.read_row_group(group, columns=list(COLUMNS)) for file in files]
            _check_same_images(batches, members)
            mean = np.mean([_probabilities(batch) for batch in batches], axis=0)
            labels = batches[0]["label"].to_numpy().astype(np.int64)
            out.add(batches[0]["path"].to_pylist(), labels, mean)


def _same_shape(one: pq.ParquetFile, other: pq.ParquetFile) -> bool:
    return bool(
        one.schema_arrow == other.schema_arrow
        and one.num_row_groups == other.num_row_groups
        and one.metadata.num_rows == other.metadata.num_rows
    )


def _check_same_images(batches: Sequence[pa.Table], members: Sequence[Path]) -> None:
    for batch, member in zip(batches, members, strict=True):
        for column in ("path", "label"):
            if not batch[column].equals(batches[0][column]):
                raise PredictionsError(f"{member} and {members[0]} are of different images")


def _probabilities(batch: pa.Table) -> Scores:
    """(B, classes)."""
    column = batch["probabilities"].combine_chunks()
    values: Scores = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), -1)

"""The plan: text in the units that suit people, CSV in bytes, seconds and single operations."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields

DONE, TO_DO = "done", "to do"
UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Line:
    """What one stage costs; None where a number has no meaning there."""

    stage: str
    images: int  # that go through it, those of every epoch counted
    forward_flops: int | None  # of one image
    flops: int | None  # of all of it
    parameters: int | None
    weights_bytes: int | None  # memory: weights, gradients and momenta
    activation_bytes: int | None  # memory: a batch's, or features of many images; an estimate
    disk_bytes: int  # that stay
    checkpoint_bytes: int  # of disk, until the stage has finished
    training_seconds: float | None  # as `seconds` of run.json counts
    stage_seconds: float  # of the whole process
    speed: str
    state: str


def total(lines: Sequence[Line], name: str) -> Line:
    """The sum of `lines`; checkpoints and memory are those of the largest, as stages take turns."""
    return Line(
        stage=name,
        images=sum(line.images for line in lines),
        forward_flops=None,
        flops=sum(line.flops or 0 for line in lines),
        parameters=None,
        weights_bytes=max((line.weights_bytes or 0 for line in lines), default=0),
        activation_bytes=max((line.activation_bytes or 0 for line in lines), default=0),
        disk_bytes=sum(line.disk_bytes for line in lines),
        checkpoint_bytes=max((line.checkpoint_bytes for line in lines), default=0),
        training_seconds=sum(line.training_seconds or 0 for line in lines),
        stage_seconds=sum(line.stage_seconds for line in lines),
        speed="",
        state="",
    )


def to_text(lines: Sequence[Line], totals: Sequence[Line]) -> str:
    """Aligned columns with a rule above the totals."""
    heads = [head for head, _ in COLUMNS]
    body = [[show(line) for _, show in COLUMNS] for line in [*lines, *totals]]
    widths = [max(map(len, column)) for column in zip(heads, *body, strict=True)]
    rule = ["-" * width for width in widths]
    rows = [heads, rule, *body[: len(lines)], rule, *body[len(lines) :]]
    return "\n".join(_aligned(row, widths) for row in rows)


def to_csv(lines: Iterable[Line]) -> str:
    """One row a stage, without the totals; bytes, seconds and single operations."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Line)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in lines)
    return text.getvalue()


def duration(seconds: float) -> str:
    """In the unit that suits: "42 s", "3.1 min", "7.4 h"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:,.1f} h"


def amount(number: float) -> str:
    """Bytes in the unit that suits: "12 MB", "1.5 GB"."""
    unit = 0
    while number >= 1000 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.{1 if number < 10 and unit else 0}f} {UNITS[unit]}"


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _optional(show: Callable[[float], str], value: float | None) -> str:
    return "" if not value else show(value)


COLUMNS: Sequence[tuple[str, Callable[[Line], str]]] = (
    ("stage", lambda line: line.stage),
    ("images", lambda line: _optional(lambda n: f"{n:,}", line.images)),
    ("GFLOP/image", lambda line: _optional(lambda n: f"{n / 1e9:.3g}", line.forward_flops)),
    ("PFLOP", lambda line: _optional(lambda n: _digits(n / 1e15), line.flops)),
    ("parameters", lambda line: _optional(lambda n: f"{n:,}", line.parameters)),
    ("weights", lambda line: _optional(amount, line.weights_bytes)),
    ("activations", lambda line: _optional(amount, line.activation_bytes)),
    ("disk", lambda line: _optional(amount, line.disk_bytes)),
    ("checkpoints", lambda line: _optional(amount, line.checkpoint_bytes)),
    ("training", lambda line: _optional(duration, line.training_seconds)),
    ("whole stage", lambda line: duration(line.stage_seconds)),
    ("speed", lambda line: line.speed),
    ("state", lambda line: line.state),
)
WORDS = ("stage", "speed", "state")  # to the left; numbers stand to the right


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        f"{cell:<{width}}" if head in WORDS else f"{cell:>{width}}"
        for (head, _), cell, width in zip(COLUMNS, row, widths, strict=True)
    )
    return "  ".join(cells).rstrip()

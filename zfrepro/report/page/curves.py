"""The learning curves of all trainings, as lines of a drawing; and when each began to learn."""

from dataclasses import dataclass
from math import log

from zfrepro.results import Results, steps_an_epoch

PANELS = {"val/top1": "validation error, top-1 (%)", "train/loss": "training loss"}
WIDTH, HEIGHT = 560, 260  # of a panel, in its own units
LEFT, BOTTOM, TOP = 44, 30, 10
AT_CHANCE = 0.95  # of the loss of a guess: what an epoch's mean training loss is above of
LONG = 0.1  # of a training: so much at chance is too much to call it trained


@dataclass(frozen=True)
class Line:
    """One training: its name, whether AlexNet, ZFNet or changed, its path, and its last value."""

    name: str
    kind: str
    path: str
    last: float


@dataclass(frozen=True)
class Panel:
    """One quantity over epochs. `ticks` are (place, label), across and down; `chance` a place."""

    title: str
    lines: tuple[Line, ...]
    across: tuple[tuple[float, str], ...]
    down: tuple[tuple[float, str], ...]
    chance: float | None


def panels(results: Results) -> list[Panel]:
    """A panel for each of `PANELS`; none where nothing has been trained."""
    runs = {name: results.rows(f"runs/{name}/epochs.csv") for name in results.runs}
    found = []
    for column, title in PANELS.items():
        values = {
            name: [(int(row["epoch"]), float(row[column])) for row in rows if row.get(column)]
            for name, rows in runs.items()
        }
        values = {name: points for name, points in values.items() if points}
        if values:
            found.append(_panel(results, column, title, values))
    return found


@dataclass(frozen=True)
class Start:
    """When a training's loss left chance.

    `steps` are those of the epochs before the first whose mean loss is below `AT_CHANCE` of a
    guess' loss, of `total`; `epoch` is that one, None where there is none.
    """

    name: str
    epoch: int | None
    steps: int
    total: int

    @property
    def long(self) -> bool:
        """Whether more than a tenth of the training was spent at chance."""
        return self.steps > LONG * self.total


def starts(results: Results) -> list[Start]:
    """Of each training, the latest first."""
    found = []
    for name, run in results.runs.items():
        rows = results.rows(f"runs/{name}/epochs.csv")
        losses = [float(row["train/loss"]) for row in rows if row.get("train/loss")]
        if not losses:
            continue
        guess = AT_CHANCE * log(max(len(run.recipe["data"]["classes"]), 2))
        batch = (results.yaml(f"runs/{name}/config.yaml") or {})["training"]["batch"]
        per_epoch = steps_an_epoch(run.recipe, batch)
        first = next((i for i, loss in enumerate(losses) if loss < guess), None)
        before = len(losses) if first is None else first
        epoch = None if first is None else first + 1
        found.append(Start(name, epoch, before * per_epoch, len(losses) * per_epoch))
    return sorted(found, key=lambda each: (-each.steps / each.total, each.name))


def _panel(
    results: Results, column: str, title: str, values: dict[str, list[tuple[int, float]]]
) -> Panel:
    last = max(points[-1][0] for points in values.values())
    highest = max(value for points in values.values() for _, value in points)

    def x(epoch: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 10) * (epoch - 1) / max(last - 1, 1), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest), 1)

    classes = max(len(run.recipe["data"]["classes"]) for run in results.runs.values())
    chance = 100 * (1 - 1 / classes) if column == "val/top1" else None
    return Panel(
        title,
        tuple(
            Line(name, _kind(name), " ".join(f"{x(e)},{y(v)}" for e, v in points), points[-1][1])
            for name, points in values.items()
        ),
        tuple((x(epoch), str(epoch)) for epoch in sorted({1, (1 + last) // 2, last})),
        tuple((y(value), f"{value:.3g}") for value in (0, highest / 2, highest)),
        y(chance) if chance is not None and chance <= highest else None,
    )


def _kind(name: str) -> str:
    if "alexnet" in name:
        return "alexnet"
    return "zfnet" if name == "tab3_zfnet" or name.startswith("tab2_zfnet") else "changed"

"""What a study costs before it is run: `python -m zfrepro.plan profile=paper gpu=a100 gpus=8`.

Operations, memory, disk and hours of each stage and row, and what `dvc repro` would redo. Without
a GPU's name this machine is measured, for about a minute.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.prepare import root_of
from zfrepro import config, files, outputs, processes
from zfrepro.config import Config, ConfigError
from zfrepro.cores import cores
from zfrepro.cost import done, gpus, notes, study, table
from zfrepro.models import geometry

if TYPE_CHECKING:
    from zfrepro.cost.study import Beside, Study

OWN = ("gpu", "gpus", "out", "seconds")  # keys that are not the configuration's
BUDGET = 40.0  # seconds of trainings that are measured


@dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    experiments: Sequence[str]
    overrides: Sequence[str]
    gpu: str | None
    gpus: int
    out: Path | None
    seconds: float


def parse(words: Sequence[str]) -> Wish:
    """Experiments, `gpu=` and the like, and overrides of the configuration, in any order.

    Raises:
        ConfigError: an experiment or a GPU that does not exist, or a number that is none.
    """
    own: dict[str, str] = {}
    experiments: list[str] = []
    overrides: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if key in OWN:
            own[key] = value
        elif equals and key != "+experiment":
            overrides.append(word)
        else:
            experiments.append(value or word)
    known = config.options("experiment")
    if strangers := [name for name in experiments if name not in known]:
        raise ConfigError(f"there is no experiment {strangers[0]}; it can be {', '.join(known)}")
    if "gpu" in own:
        gpus.find(own["gpu"])
    elif "gpus" in own:
        raise ConfigError("gpus=N needs a gpu=NAME as well: " + ", ".join(gpus.GPUS))
    return Wish(
        experiments=list(dict.fromkeys(experiments)) or known,
        overrides=overrides,
        gpu=own.get("gpu"),
        gpus=int(_positive("gpus", own.get("gpus", "1"))),
        out=Path(own["out"]) if "out" in own else None,
        seconds=_positive("seconds", own.get("seconds", str(BUDGET))),
    )


def plan(wish: Wish) -> str:
    """The plan as text; also written to `wish.out`, as CSV, where that is asked for."""
    if wish.out is not None:
        outputs.check(wish.out, "stage,images,")
    configs = {name: config.compose_experiment(name, wish.overrides) for name in wish.experiments}
    first = next(iter(configs.values()))
    beside = _beside(wish, first["profile"])
    planned = study.study_of(configs, root_of(first["data"]), wish.gpus, beside)
    machine = study.measure(planned, wish.gpu, wish.seconds)
    status = done.stages() if _is_current(wish) else None
    lines = study.lines(planned, machine, status.unchanged if status else ())
    if wish.out is not None:
        files.atomic_write(wish.out, table.to_csv(lines))
    open_lines = [line for line in lines if line.state == table.TO_DO]
    totals = [table.total(lines, "all"), table.total(open_lines, "to do")]
    parts = [
        _heading(planned, wish),
        layers(first),
        table.to_text(lines, totals),
        notes.explain([*machine.speeds.values()], wish.gpu, planned.gpus // planned.shared_by),
        notes.redone(status) if status else notes.another_size(first["profile"]),
    ]
    return "\n\n".join(parts)


def _beside(wish: Wish, profile: str) -> "Beside | None":
    """Of the stages that are no experiment's own; None where only some experiments are planned."""
    if wish.experiments != config.options("experiment"):
        return None
    return study.Beside(
        config.compose_sets(wish.overrides),
        config.compose_analysis(),
        config.compose_transfer([f"transfer={profile}"]),
    )


def _heading(planned: "Study", wish: Wish) -> str:
    cfg, size = planned.config, planned.size
    where = f"{wish.gpus} x {wish.gpu}" if wish.gpu else f"this machine ({cores()} cores)"
    images = "prepared" if planned.manifest else "not prepared yet"
    return (
        f"profile {cfg['profile']} on {where}: {size.train:,} + {size.val:,} images of "
        f"{size.classes:,} classes ({images}), {cfg['data']['image_size']} pixels, crops of "
        f"{cfg['crop']};\nbatch {cfg['training']['batch']}, {cfg['training']['epochs']} epochs"
    )


def layers(config: Config) -> str:
    """What units of a network's convolutions see: map, receptive field, its share of the crop."""
    rows = [
        f"  {each.layer}  {each.side:>3} x {each.side:<3} {each.field:>4} pixels {each.share:>5.0%}"
        + "  more than the image: no part is a place of its own there" * (each.share > 1)
        for each in geometry.sights_of(config)
    ]
    return "\n".join([f"{config['name']}: maps, and what a unit of them sees of a crop", *rows])


def _is_current(wish: Wish) -> bool:
    """Whether it is the plan of what `dvc repro` does, which knows no overrides."""
    current = config.load(config.PARAMS)["profile"]
    return set(wish.overrides) <= {f"profile={current}"}


def _positive(key: str, value: str) -> float:
    try:
        number = float(value) if key == "seconds" else int(value)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise ConfigError(f"{key} is {value!r}; it must be a positive number")
    return number


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="zfrepro.plan",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog=(
            f"experiments: {', '.join(config.options('experiment'))}\n"
            f"profiles: {', '.join(config.options('profile'))}\n"
            f"GPUs: {', '.join(gpus.GPUS)}"
        ),
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="experiments (all if none is named); profile=NAME and other keys of the "
        "configuration; gpu=NAME gpus=N: estimate these GPUs; out=FILE: the plan as CSV; "
        f"seconds=N: time for measuring ({BUDGET:g})",
    )
    processes.exit_on_signals()
    try:
        print(plan(parse(parser.parse_args().words)))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {files.reason(error)}")


if __name__ == "__main__":
    main()

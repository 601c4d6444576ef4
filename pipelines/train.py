"""Stage `train@<experiment>`: one network, from its resolved configuration to results/runs/.

Where `trainer.together` asks for it, the runs of other experiments are made beside it, a process
each, in .checkpoints/, where their own stages find them finished.
"""

import argparse
import os
from collections.abc import Sequence

from zfrepro import config, files, processes
from zfrepro.config import Config, ConfigError
from zfrepro.cores import cores
from zfrepro.models import geometry
from zfrepro.runs import Run, plain_errors, plan, summary, tell, train
from zfrepro.sharing import at_once, gpus
from zfrepro.workers import worker_processes

TOGETHER = ("none", "cores", "all", "gpus")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=config.options("experiment"))
    name = parser.parse_args().experiment
    processes.exit_on_signals()
    processes.die_with_parent()
    with plain_errors():
        run = plan(_resolved(name))
        if others := _others(run):
            _side_by_side([name, *others], run.config["trainer"])
        train(run)
        if processes.is_first():  # the others may be ahead of the result that it writes
            files.link_tree(run.result, config.ROOT / "results" / "runs" / name)
            tell(summary(run))


def _resolved(name: str) -> Config:
    return config.load(config.CONFIGS / f"{name}.yaml")


def _others(run: Run) -> list[str]:
    """Experiments without a run yet that `trainer.together` has made beside this one."""
    together = run.config["trainer"]["together"]
    if together not in TOGETHER:
        raise ConfigError(f"trainer.together is {together!r}; it can be {', '.join(TOGETHER)}")
    if run.finished or together == "none":
        return []
    names = config.options("experiment")
    own = names.index(run.config["name"])
    wanted = at_once(run.config["trainer"]) if together == "cores" else len(names)
    runs = {run.fingerprint: run.config["name"]}  # two experiments may ask for the same
    for name in [*names[own + 1 :], *names[:own]]:
        if len(runs) >= wanted:
            break
        other = plan(_resolved(name))
        if not other.finished:
            runs.setdefault(other.fingerprint, name)
    return list(runs.values())[1:]


def _side_by_side(names: Sequence[str], trainer: Config) -> None:
    """Trains them all, the costliest first, so that none begins when the others have ended.

    What goes wrong with another than the first of `names` is its own stage's affair, and just told.
    """
    own, *others = names
    tell(f"{own}, and beside it {', '.join(others)}")
    devices = gpus(trainer)
    costliest = sorted(names, key=_operations, reverse=True)
    with worker_processes(min(len(devices) or cores(), len(names)), devices) as pool:
        made = {name: pool.submit(_train, name) for name in costliest}
        for other in others:
            if error := made[other].exception():
                tell(f"{other}: {error}; its own stage will try again")
        made[own].result()


def _operations(name: str) -> int:
    """Of one image's way through an experiment's network."""
    cfg = _resolved(name)
    model = {key: cfg["model"][key] for key in ("layers", "pool", "normalisation")}
    rows = geometry.table(**model, classes=1000, crop=cfg["crop"])
    return sum(row.multiply_adds for row in rows)


def _train(name: str) -> None:
    try:
        train(plan(_resolved(name)))
    except SystemExit as stop:  # a worker would go on with the next
        os._exit(int(stop.code or 0))


if __name__ == "__main__":
    main()

"""Trains one experiment: `python -m zfrepro.train +experiment=tab3_zfnet`.

The images that it needs are prepared first, unless that has been done.
"""

import os
import sys
from typing import TYPE_CHECKING

from zfrepro import processes, usage
from zfrepro.config import Config
from zfrepro.runs import Run, plain_errors, plan, summary, tell, train

if TYPE_CHECKING:  # torch takes seconds to import, and `--help` needs none of it
    from zfrepro.data.store import PreparedSet


def main() -> None:
    if {"--help", "-h"} & {*sys.argv[1:]}:
        print(usage.text())
        return
    from zfrepro import command  # and with it Hydra, which no stage needs

    processes.exit_on_signals()
    command.run(train_experiment)


def train_experiment(cfg: Config) -> None:
    """One job of the command line: prepares images, trains, says what came of it."""
    from zfrepro import command

    with plain_errors():
        # before the images, which may take their time
        processes.check(cfg["trainer"], sweep=command.is_multirun())
        run = plan(cfg, prepared_images)
        train(run)
        if processes.is_first():  # the others may be ahead of the result that it writes
            tell(summary(run))
            tell(_next_steps(run))


def prepared_images(cfg: Config) -> "PreparedSet":
    """The images of a configuration, without those to leave out; made where they are not."""
    from zfrepro import command, config, images

    overlap = config.compose_analysis([f"analysis={cfg['profile']}"])["overlap"]
    return images.made(cfg, config.compose_sets(command.overrides()), overlap)


def _next_steps(run: Run) -> str:
    """What to do with a finished run, and where MLflow shows it."""
    from zfrepro import networks, tracking

    name = str(run.config["name"])
    word = name if networks.run_of(name) == run.result else os.path.relpath(run.result)
    lines = [f"see what it has learned: python -m zfrepro.deconv docs/cat.jpg {word}"]
    if (place := tracking.place(run.result, run.config)) is not None:
        lines.append(f"in MLflow: {place}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""Stage `train@<experiment>`: one network, from its resolved configuration to results/runs/.

With `trainer.together` it goes on to train all the others, in .checkpoints/, where their own stages
find them finished.
"""

import argparse

from zfrepro import config, files
from zfrepro.train import is_first_process, plain_errors, plan, summary, tell, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=config.options("experiment"))
    name = parser.parse_args().experiment
    files.exit_on_signals()
    files.die_with_parent()
    with plain_errors():
        resolved = config.load(config.CONFIGS / f"{name}.yaml")
        together = resolved["trainer"]["together"] and not plan(resolved).finished
        run = train(resolved)
        if is_first_process():  # the others may be ahead of the result that it writes
            files.link_tree(run.result, config.ROOT / "results" / "runs" / name)
            tell(summary(run))
        for other in config.options("experiment") if together else []:
            train(config.load(config.CONFIGS / f"{other}.yaml"))


if __name__ == "__main__":
    main()

"""Stage `train@<experiment>`: one network, from its resolved configuration to results/runs/."""

import argparse
import sys

from zfrepro import config, files
from zfrepro.train import summary, tell, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", choices=config.options("experiment"))
    name = parser.parse_args().experiment
    files.exit_on_signals()
    files.die_with_parent()
    try:
        run = train(config.load(config.CONFIGS / f"{name}.yaml"))
    except (config.ConfigError, files.LockedError) as error:
        sys.exit(f"error: {error}")
    files.link_tree(run.result, config.ROOT / "results" / "runs" / name)
    tell(summary(run))


if __name__ == "__main__":
    main()

"""Makes a finished run one of the networks that come with the project (zfrepro/shipped/).

`python tools/ship.py .checkpoints/FINGERPRINT/run rendered_zfnet`: its weights as 16-bit
floats, beside them its recipe, curves and errors.
"""

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from zfrepro import networks
from zfrepro.files import atomic_path
from zfrepro.training.trained import load, save

KEPT = ("config.yaml", "run.json", "metrics.json", "epochs.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    parser.add_argument("name", help="what commands will call it")
    args = parser.parse_args()
    trained = load(args.run / networks.WEIGHTS)
    if trained.at_chance:
        sys.exit(f"error: {args.run} is no better than chance")
    folder = networks.SHIPPED / args.name
    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(args.run / name, folder / name)
    with atomic_path(folder / networks.WEIGHTS) as path:
        save(replace(trained, net=trained.net.half()), path)


if __name__ == "__main__":
    main()

"""Stage `resolve`: every experiment at the size that params.yaml names, fully resolved.

Writes results/configs/<experiment>.yaml; since all experiments share their images,
results/configs/sets/source.yaml; results/configs/sets/<set>.yaml for each transfer set, with `name:
null` for one that the profile has not, and transfer.yaml, what is done with them; and, for the
figures, results/configs/analysis.yaml.
"""

import argparse

from pipelines._stage import shell
from zfrepro import config
from zfrepro.files import atomic_write


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with shell():
        run()


def run() -> None:
    shared = None
    for name in config.options("experiment"):
        resolved = config.compose_experiment(name)
        if resolved["name"] != name:
            raise config.ConfigError(
                f"conf/experiment/{name}.yaml says `name: {resolved['name']}`; make it {name}"
            )
        shared = shared or resolved["data"]
        if resolved["data"] != shared:
            raise config.ConfigError(
                f"conf/experiment/{name}.yaml changes `data`; all experiments share the images"
            )
        atomic_write(config.CONFIGS / f"{name}.yaml", config.to_yaml(resolved))
    atomic_write(config.CONFIGS / "analysis.yaml", config.to_yaml(config.compose_analysis()))
    atomic_write(config.CONFIGS / "transfer.yaml", config.to_yaml(config.compose_transfer()))
    sets = {name: {"name": None} for name in config.TRANSFER_SETS} | config.compose_sets()
    if shared is not None:
        sets["source"] = shared
    for name, data in sets.items():
        atomic_write(config.CONFIGS / "sets" / f"{name}.yaml", config.to_yaml(data))


if __name__ == "__main__":
    main()

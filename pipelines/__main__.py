"""`python -m pipelines`: brings dvc.yaml up to date with the experiments and the stages' modules.

Run it after adding a file to conf/experiment/, or a stage. In dvc.yaml it rewrites the list of
experiments and, in params and in plots, every entry on one experiment; and each stage gets what
stage `sources` writes about its code.
"""

import argparse
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from zfrepro import config
from zfrepro.files import atomic_write

SOURCES = "results/sources"
PIPELINE = config.ROOT / "dvc.yaml"
# an entry on one experiment
ONE = re.compile(r"^results/(runs|configs)/(?!analysis|transfer|sets)\w+")


def synchronised(pipeline: dict[str, Any], experiments: list[str]) -> dict[str, Any]:
    """`pipeline` (dvc.yaml's content) as the experiments want it, changed in place."""
    pipeline["vars"][0]["experiments"][:] = experiments
    for name, stage in pipeline["stages"].items():
        if name != "sources":
            complete(stage["deps"], [f"{SOURCES}/{name}.json"])
    pipeline["params"] = for_each(pipeline["params"], experiments)
    for plot in pipeline["plots"]:
        for entry in plot.values():
            columns = next(iter(entry["y"].values()))
            entry["y"] = dict.fromkeys(for_each(list(entry["y"]), experiments), columns)
    return pipeline


def complete(paths: list[str], wanted: Iterable[str]) -> None:
    """Puts what is missing where it belongs by name among its likes, and leaves the others alone.

    ruamel keeps comments and blank lines beside the entries that they follow.
    """
    for path in wanted:
        if path not in paths:
            folder = path.rpartition("/")[0]
            likes = [i for i, each in enumerate(paths) if each.rpartition("/")[0] == folder]
            later = [i for i in likes if paths[i] > path]
            paths.insert(later[0] if later else 0, path)


def for_each(paths: list[str], experiments: list[str]) -> list[str]:
    """`paths` with those on one experiment's run replaced by one for every experiment."""
    shared = [path for path in paths if not ONE.match(path)]
    kinds = dict.fromkeys(ONE.sub(r"results/\1/*", path) for path in paths if ONE.match(path))
    return shared + [kind.replace("*", name) for kind in kinds for name in experiments]


def read(path: Path = PIPELINE) -> Any:
    return _yaml().load(path.read_text(encoding="utf-8"))


def write(pipeline: Mapping[str, Any], path: Path = PIPELINE) -> None:
    text = io.StringIO()
    _yaml().dump(pipeline, text)
    atomic_write(path, text.getvalue())


def _yaml() -> YAML:
    """Keeps comments and order."""
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    write(synchronised(read(), config.options("experiment")))


if __name__ == "__main__":
    main()

"""`python -m pipelines`: brings dvc.yaml up to date with the experiments and the elements.

Run it after adding a file to conf/experiment/, an element, or a stage. In dvc.yaml it rewrites the
list of experiments and, in params and in plots, every entry on one experiment; and the stage of
each element, whose folder joins what the claims are judged by. Each stage gets what stage `sources`
writes about its code.
"""

import argparse
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from zfrepro import config, elements
from zfrepro.elements.base import Element, named_networks
from zfrepro.files import atomic_write

SOURCES = "results/sources"
ANALYSIS = "results/configs/analysis.yaml"
PIPELINE = config.ROOT / "dvc.yaml"
# an entry on one experiment
ONE = re.compile(r"^results/(runs|configs)/(?!analysis|transfer|sets)\w+")


def synchronised(pipeline: dict[str, Any], experiments: list[str]) -> dict[str, Any]:
    """`pipeline` (dvc.yaml's content) as the experiments want it, changed in place."""
    pipeline["vars"][0]["experiments"][:] = experiments
    analysis = config.compose_analysis(["analysis=paper"])  # which names all networks
    add_missing(pipeline["stages"], elements.NAMES, before="transfer")
    for element in elements.every():
        write_stage(pipeline["stages"][element.stage], element, analysis[element.stage])
    figures = [f"results/{each.folder}" for each in elements.every() if not each.beside]
    complete(pipeline["stages"]["claims"]["deps"], figures)
    for name, stage in pipeline["stages"].items():
        if name != "sources":
            complete(stage["deps"], [f"{SOURCES}/{name}.json"])
    pipeline["params"] = for_each(pipeline["params"], experiments)
    for plot in pipeline["plots"]:
        for entry in plot.values():
            columns = next(iter(entry["y"].values()))
            entry["y"] = dict.fromkeys(for_each(list(entry["y"]), experiments), columns)
    return pipeline


def add_missing(stages: Any, names: Iterable[str], before: str) -> None:
    """Puts stages that are not there in front of another."""
    for name in names:
        if name not in stages:
            stages.insert(list(stages).index(before), name, CommentedMap())
            stages.yaml_set_comment_before_after_key(before, before="\n")


def write_stage(stage: Any, element: Element, settings: config.Config) -> None:
    """What the stage of an element runs, reads and writes, in place."""
    networks = named_networks(settings, config.options("experiment"))
    wanted: dict[str, Any] = {
        "cmd": f"python -m pipelines.element {element.stage}",
        "params": [{ANALYSIS: ["pictures", element.stage]}],
        "deps": [
            f"{SOURCES}/{element.stage}.json", *element.reads,
            *(f"results/runs/{name}" for name in networks), "results/prepared/source",
        ],
        "outs": [f"results/{path}" for path in (*element.writes, element.folder)],
    }  # fmt: skip
    if element.plots:
        wanted["plots"] = [f"results/{path}" for path in element.plots]
    for key, value in wanted.items():
        if stage.get(key) != value:  # a blank line after the stage stands with its last entry
            stage[key] = value


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

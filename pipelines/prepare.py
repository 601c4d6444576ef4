"""Stage `prepare@<set>`: the images of one set, from their source to results/prepared/<set>/.

A transfer set that the profile has not leaves that folder with an empty file, `absent`: the stages
are the same in every profile.
"""

import argparse
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines._stage import shell
from zfrepro import config, files
from zfrepro.cores import cores
from zfrepro.data import summary
from zfrepro.data.prepare import MANIFEST, names_of, prepare
from zfrepro.data.sources import SourceError, open_source
from zfrepro.data.store import ABSENT
from zfrepro.fingerprint import fingerprint

# with the source, they decide the pixels
KEYS = ("image_size", "filter", "storage", "jpeg_quality")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", help="a file's stem in results/configs/sets/")
    name = parser.parse_args().set
    with shell():
        run(name, config.load(config.CONFIGS / "sets" / f"{name}.yaml"))


def run(name: str, data: dict[str, Any]) -> None:
    """Prepares the set that `data` describes and links it to results/prepared/<name>/."""
    out = config.ROOT / "results" / "prepared" / name
    if data["name"] is None:
        shutil.rmtree(out, ignore_errors=True)
        files.atomic_write(out / ABSENT, "")
        return
    work = made(name, data)
    manifest = json.loads((work / MANIFEST).read_text(encoding="utf-8"))
    files.link_tree(work, out, names_of(manifest, work))


def made(name: str, data: dict[str, Any], tell: Callable[[str], None] = print) -> Path:
    """The set that `data` describes, prepared in .checkpoints/ unless it is there: its folder.

    Args:
        tell: what takes the lines that say what was understood of it.
    """
    workers = cores()
    root = root_of(data)
    _check_named(data, root)
    source = open_source({**data, "root": root, "workers": workers})
    settings = {key: data[key] for key in KEYS}
    mark = fingerprint({**settings, "source": source.identity()}, ["zfrepro.data.prepare"])
    work = config.CHECKPOINTS / mark
    with files.exclusive(work, f"preparation of {name}"):
        manifest = prepare(
            source,
            work,
            **settings,
            workers=workers,
            max_bad_share=data["max_bad_share"],
            fingerprint=mark,
            config=data,
        )
    for line in summary.lines(source, manifest, work):
        tell(line)
    return work


def _check_named(data: dict[str, Any], root: Path | None) -> None:
    """A root that somebody named has to be there: nothing is fetched to where a typing error leads.

    Those of conf/ lie below this project's, and are made.
    """
    named = os.environ.get(_variable(data))
    if root is None or root.is_dir() or not data.get("download"):
        return
    if named or not root.is_relative_to(config.ROOT):
        key = _variable(data) if named else "its root"
        raise SourceError(
            f"{key} is {root}, and there is no such folder: make it, and {data['name']} is fetched "
            "to it"
        )


def root_of(data: dict[str, Any]) -> Path | None:
    """Where the raw images lie: `ZFREPRO_<SOURCE>` of the environment, else `data.root`.

    The variable is read here and not in conf/, so that another machine's place for the same images
    changes no configuration, and with it nothing that has been made.
    """
    root = os.environ.get(_variable(data)) or data["root"]
    return config.path(root) if root else None


def _variable(data: dict[str, Any]) -> str:
    return f"ZFREPRO_{data['name'].upper()}"


if __name__ == "__main__":
    main()

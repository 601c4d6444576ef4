"""Stage `prepare@<set>`: the images of one set, from their source to results/prepared/<set>/.

A transfer set that the profile has not leaves that folder with an empty file, `absent`: the stages
are the same in every profile.
"""

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

from pipelines._stage import shell
from zfrepro import config, files
from zfrepro.cores import cores
from zfrepro.data.prepare import MANIFEST, names_of, prepare
from zfrepro.data.sources import open_source
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


def made(name: str, data: dict[str, Any]) -> Path:
    """The set that `data` describes, prepared in .checkpoints/ unless it is there: its folder."""
    workers = cores()
    source = open_source({**data, "root": root_of(data), "workers": workers})
    settings = {key: data[key] for key in KEYS}
    mark = fingerprint({**settings, "source": source.identity()}, ["zfrepro.data.prepare"])
    work = config.CHECKPOINTS / mark
    with files.exclusive(work, f"preparation of {name}"):
        prepare(
            source,
            work,
            **settings,
            workers=workers,
            max_bad_share=data["max_bad_share"],
            fingerprint=mark,
            config=data,
        )
    return work


def root_of(data: dict[str, Any]) -> Path | None:
    """Where the raw images lie: `ZFREPRO_<SOURCE>` of the environment, else `data.root`.

    The variable is read here and not in conf/, so that another machine's place for the same images
    changes no configuration, and with it nothing that has been made.
    """
    root = os.environ.get(f"ZFREPRO_{data['name'].upper()}") or data["root"]
    return config.path(root) if root else None


if __name__ == "__main__":
    main()

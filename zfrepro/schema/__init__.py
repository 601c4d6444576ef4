"""The configuration's keys: dataclasses whose types Hydra checks, and what else is checked."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from zfrepro.schema.analysis import Analysis
from zfrepro.schema.data import (
    CaltechTwin,
    Downloaded,
    Folder,
    Imagenette,
    Images,
    Miniature,
    VocTwin,
)
from zfrepro.schema.keys import allowed, find, key, metadata, near, section, walk
from zfrepro.schema.training import Config, Model, Params
from zfrepro.schema.transfer import Transfer

__all__ = ["DATA", "FILES", "ROOTS", "Network", "Params", "explained", "may_be_absent", "near"]


@dataclass
class Network:
    """A network by itself."""

    model: Model = section("the network", Model)
    defaults: list[Any] = key("of Hydra", ["_self_", {"model": "???"}])


# the classes of what is composed, by the name of its file in conf/
ROOTS: dict[str, type] = {
    "config": Config,
    "analysis": Analysis,
    "transfer": Transfer,
    "network": Network,
}

# those of the groups in conf/data/, which name them in their defaults
DATA: dict[str, type] = {
    "images": Images,
    "downloaded": Downloaded,
    "imagenette": Imagenette,
    "folder": Folder,
    "miniature": Miniature,
    "caltech_twin": CaltechTwin,
    "voc_twin": VocTwin,
}

# names of the keys that hold a file's or a folder's name
FILES = {each.name for _, _, each in walk(Config) if each.metadata["file"]}


def may_be_absent(key: str) -> bool:
    """Whether nobody needs to give the dotted `key` a value."""
    found = find(Config, key)
    return found is not None and bool(metadata(*found)["absent"])


def explained(root: str) -> Iterator[tuple[str, str, str]]:
    """Each key of a configuration: its name, what it can be, what it means."""
    for name, cls, each in walk(ROOTS[root]):
        yield name, allowed(cls, each.name), each.metadata["doc"]
    for kind, cls in DATA.items() if root == "config" else ():
        common = {each.name for each in fields(Images)}
        for name, owner, each in walk(cls, "data."):
            if name.split(".")[1] not in common:
                yield f"{name}", allowed(owner, each.name), f"{each.metadata['doc']} ({kind})"

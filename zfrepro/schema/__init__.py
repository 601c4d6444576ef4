"""The configuration's keys: dataclasses whose types Hydra checks, and what else is checked."""

from dataclasses import Field, dataclass, fields
from typing import Any

from zfrepro.keys import CONF, allowed, find, key, metadata, near, options, section, walk
from zfrepro.schema.analysis import Analysis
from zfrepro.schema.data import (
    CaltechTwin,
    Downloaded,
    Folder,
    Imagenette,
    Images,
    Miniature,
    Twin,
    VocTwin,
)
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


def explained(root: str) -> dict[str, tuple[str, str]]:
    """Each key of a configuration: what it can be, and what it means."""
    found = {name: _of(cls, each) for name, cls, each in walk(ROOTS[root]) if name != "sets"}
    common = {each.name for each in fields(Images)}
    for kind, images in DATA.items() if root == "config" else ():
        names = [name for name in options("data") if f"@_here_: {kind}}}" in _file(name)]
        for full, cls, each in walk(images, "sets.*." if issubclass(images, Twin) else "data."):
            if full.split(".")[-1] not in common:
                what, doc = _of(cls, each)
                found.setdefault(full, (what, f"{doc} ({', '.join(names)})"))
    return found


def _of(cls: type, each: "Field[Any]") -> tuple[str, str]:
    return allowed(cls, each.name), each.metadata["doc"]


def _file(data: str) -> str:
    return (CONF / "data" / f"{data}.yaml").read_text(encoding="utf-8")

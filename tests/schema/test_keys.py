"""Every key of the configuration x {another type, out of range, null, unknown} is one line."""

import copy
from functools import cache
from math import inf, nan
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from omegaconf import DictConfig, OmegaConf

from zfrepro import config, schema
from zfrepro.keys import FLAG, Limits, metadata, show, walk

ZFNET = "+experiment=tab3_zfnet"
# where the keys of each kind of images stand, in the profile that has them
IMAGES = {
    "images": ("paper", "data"), "downloaded": ("fashion_mnist", "data"),
    "imagenette": ("imagenette", "data"), "folder": ("folder", "data"),
    "miniature": ("smoke", "data"), "caltech_twin": ("smoke", "sets.caltech101"),
    "voc_twin": ("smoke", "sets.voc2012"),
}  # fmt: skip
ABSENT = "model.lcn"  # of the networks here
LAYERS = {"model.layers.*.units": "model.layers.fc6.units"}


def keys() -> list[tuple[str, tuple[str, ...], str, type, str]]:
    """Each key once: what composes it, its name there, and the class and field that say of it."""
    found = []
    for root, cls in schema.ROOTS.items():
        words = {"config": (ZFNET, "profile=smoke"), "network": ("model=pytorchcv_zfnet",)}
        for key, owner, each in walk(cls):
            if root == "config" and key.startswith(("model.", "data.")):
                continue  # those of a network and of each kind of images
            if key not in ("defaults", "sets") and not key.startswith(ABSENT):
                place = LAYERS.get(key, key.replace("*", "conv1"))
                found.append((root, words.get(root, (f"{root}=smoke",)), place, owner, each.name))
    for kind, cls in schema.DATA.items():
        profile, place = IMAGES[kind]
        for key, owner, each in walk(cls, f"{place}."):
            found.append(("config", (ZFNET, f"profile={profile}"), key, owner, each.name))
    return found


@cache
def composed(root: str, words: tuple[str, ...]) -> DictConfig:
    found = config._composed(root, words)
    OmegaConf.resolve(found)
    return found


def wrong(owner: type, name: str) -> list[Any]:
    """Values of other types, and what is outside of the range."""
    hint, limits = get_type_hints(owner)[name], metadata(owner, name)["limits"]
    optional = NoneType in get_args(hint)
    (plain, *_) = (each for each in get_args(hint) if each is not NoneType) if optional else [hint]
    kind = get_origin(plain) or plain
    values = {
        int: ["abc", 1.5, nan, [1], {"a": 1}], float: ["abc", nan, inf, [1]],
        str: [[1], {"a": 1}], list: ["abc", 3, {"a": 1}], dict: ["abc", 3, [1]],
    }.get(kind, ["abc", [1]])  # fmt: skip
    if limits.one_of == FLAG:  # nor what OmegaConf takes for one
        values = ["abc", "yes", "on", "true", 7, 1, 0, 1.5, nan, [1]]
    entry = get_args(plain)[-1] if kind in (list, dict) else plain
    outside: list[Any] = outside_of(limits, entry)
    if kind is list:
        outside = [[each] * (limits.length or 1) for each in (*outside, None)]
        outside += [[1] * (limits.length + 1)] if limits.length else []
    elif kind is dict:
        outside = [{"conv1": each} for each in outside]
    return [*values, *outside, *([] if optional else [None])]


def outside_of(limits: Limits, entry: Any) -> list[Any]:
    numbers = {int, float, Any}
    below = [limits.least - 1] if limits.least is not None else []
    below += [limits.above] if limits.above is not None else []
    above = [limits.most + 1] if limits.most is not None else []
    above += [limits.below] if limits.below is not None else []
    words = ["../no such"] if limits.choices or limits.pattern else []
    return [*below, *above] if entry in numbers else words


@pytest.mark.parametrize(
    ("root", "words", "key", "owner", "name"), [pytest.param(*each, id=each[2]) for each in keys()]
)
def test_what_cannot_be_meant_is_one_line(
    root: str, words: tuple[str, ...], key: str, owner: type, name: str
) -> None:
    section = key.rpartition(".")[0]
    node = OmegaConf.select(composed(root, words), section) if section else composed(root, words)
    for value in wrong(owner, name):
        changed = copy.deepcopy(node)
        with pytest.raises(config.ConfigError) as error:
            override(root, changed, key, value)
        message = str(error.value)
        assert "\n" not in message
        assert message.startswith(key), value
        assert "it must be" in message, message
        assert show(value) in message or isinstance(value, list | dict), message
    with pytest.raises(config.ConfigError, match=rf"no key {key}_s: .*{key}"):
        override(root, copy.deepcopy(node), f"{key}_s", 1)


def override(root: str, section: DictConfig, key: str, value: Any) -> None:
    """What an override of one key does, without all that composing reads."""
    prefix, dot, last = key.rpartition(".")
    with config.explained(root):
        OmegaConf.update(section, last, value, merge=True)
        config._plain(section, prefix + dot)

"""One line for whatever is wrong with a configuration: the key, its value, and what is allowed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from zfrepro.keys import OPEN, Limits, allowed, find, near, show, walk

LAUNCHER = re.compile(r"Could not (?:find|load) '(hydra/launcher)/(submitit_(?:local|slurm))'")


# what follows it in Hydra's messages is for those who know Hydra
UNNEEDED = re.compile(r"Config search path|\nSee http|\n +full_key:|\n1\. To use it as a list")


class ConfigError(ValueError):
    """A configuration that names what does not exist, or leaves a required value open."""


def checked(config: DictConfig, values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The resolved `values` of `config`, without keys that are absent.

    Raises:
        ConfigError: a key that there is not, or a value that cannot be meant.
    """
    cls = OmegaConf.get_type(config)
    if not is_dataclass(cls):
        cls = None
    limits = {each.name: each.metadata["limits"] for each in fields(cls)} if cls else {}
    found: dict[str, Any] = {}
    for name, value in values.items():
        if cls and name not in limits:
            raise ConfigError(unknown(f"{prefix}{name}", cls, cls))
        if isinstance(value, str) and value == OPEN:
            continue
        if isinstance(value, dict) and isinstance(config[name], DictConfig):
            found[name] = checked(config[name], value, f"{prefix}{name}.")
        else:
            found[name] = value
        if not limits.get(name, Limits()).allow(found[name]):
            raise ConfigError(_wrong(f"{prefix}{name}", value, cls, name))
    return found


def explain(error: BaseException, root: type) -> str:
    """Why a configuration of class `root` could not be composed, in one line."""
    chain = list(_chain(error))
    if own := next((each for each in chain if isinstance(each, ConfigError)), None):
        return str(own)
    message = " ".join(UNNEEDED.split(str(error))[0].split())
    if launcher := LAUNCHER.search(message):
        return f"{launcher[1]}={launcher[2]} needs submitit: pip install 'zfrepro[slurm]'"
    inside = re.match(r"In '([^']+)'", message)
    where = f"conf/{inside[1]}.yaml: " if inside else ""
    if merge := re.search(r"Merge error: \w+ is not a subclass of (\w+)\. value: (.*)", message):
        return f"{where}{merge[2]} stands where there are keys, those of {merge[1].lower()}"
    at = next((each for each in chain if getattr(each, "full_key", None)), None)
    if at is None:
        return f"{where}{_syntax(message)}"
    if "Interpolation" in type(at).__name__:
        return f"{where}{at.full_key}: {chain[-1].args[0]}"  # type: ignore[attr-defined]
    header = inside and at.full_key == inside[1].partition("/")[0]  # type: ignore[attr-defined]
    hint = "; the file begins with `# @package _global_`" if header else ""
    return f"{where}{_at_key(at, root)}{hint}"


def _at_key(error: Any, root: type) -> str:
    """What an error of OmegaConf says of the key that it names."""
    key, owner = error.full_key, error.object_type
    if type(error).__name__ in ("ConfigKeyError", "ConfigAttributeError"):
        return unknown(key, owner, root)
    name = key.rpartition(".")[2]
    if not (is_dataclass(owner) and name in {each.name for each in fields(owner)}):
        owner, name = find(root, key) or (None, name)
    return _wrong(key, error.value, owner, name)


def unknown(key: str, owner: Any, root: type) -> str:
    """That there is no `key`, which is none of `owner`'s, and what may have been meant."""
    parent, _, name = key.rpartition(".")
    prefix = f"{parent}." if parent else ""
    siblings = [each.name for each in fields(owner)] if is_dataclass(owner) else []
    words = re.escape(re.sub(r"[_-]+", " ", name.lower())) + r"\b"
    meant = [
        known
        for known, _, each in walk(root)
        if "*" not in known and (name == each.name or re.match(words, each.metadata["doc"]))
    ]
    hint = f"did you mean {' or '.join(meant)}? " if meant else near(name, siblings)
    here = f"known here: {', '.join(prefix + each for each in siblings)}" if siblings else ""
    return f"there is no key {key}{': ' if hint or here else ''}{hint}{here}"


def _syntax(message: str) -> str:
    """Hydra's words for an override that it cannot read."""
    if ambiguous := re.search(r"Ambiguous value for argument '(.*)'", message):
        return (
            f"{ambiguous[1]}: one value a run; each in a run of its own: --multirun {ambiguous[1]}"
        )
    unread = re.match(r"(?:Error parsing override|Lexer\w+:|Error when parsing)", message)
    return f"an override is KEY=VALUE, and this cannot be read: {message}" if unread else message


def _wrong(key: str, value: Any, owner: Any, name: str) -> str:
    return (
        f"{key} is {show(value)}; it must be {allowed(owner, name) if owner else 'something else'}"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__

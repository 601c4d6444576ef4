"""A key of the configuration: its type is Hydra's to check, its range is checked here.

Both tell the user the same way what is allowed, and `--help` and docs/configuration.md show it.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from math import isfinite
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

CONF = Path(__file__).resolve().parents[1] / "conf"
OPEN = "???"  # OmegaConf's mark of a value that is still to be given
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
FLAG = (True, False)
SEED: dict[str, Any] = {"least": 0, "most": 2**32 - 1}
PLURALS = {int: "whole numbers", float: "numbers", str: "texts"}


@dataclass(frozen=True)
class Limits:
    """Which values of a key's type can be meant; of a list or a mapping, those of its entries."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    one_of: tuple[Any, ...] = ()
    option_of: str | None = None  # a group of conf/: its files' names
    pattern: str | None = None
    length: int | None = None
    whole: bool = False  # a whole number, where the type does not say so
    instead: Any = None  # one value more that is allowed
    words: str | None = None  # what is allowed, where the numbers do not say it

    @property
    def choices(self) -> tuple[Any, ...]:
        return tuple(options(self.option_of)) if self.option_of else self.one_of

    def allow(self, value: Any) -> bool:
        """Whether a value, or each entry of a list or a mapping, can be meant; null is a type's."""
        if self.whole or not isinstance(value, list | dict):
            return self._allow_one(value)
        entries = list(value.values()) if isinstance(value, dict) else value
        if any(isinstance(each, dict) for each in entries):  # whose keys have limits of their own
            return True
        return self.length in (None, len(entries)) and all(map(self._allow_one, entries))

    def _allow_one(self, value: Any) -> bool:
        if value is None:  # the type's to refuse, where there is one
            return not self.whole and self.one_of != FLAG
        if self.instead is not None and value == self.instead:
            return True
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if any(end is not None for end in (self.least, self.most, self.above, self.below)):
            return number and isfinite(value) and self._within(value)
        return (
            (not number or isfinite(value))
            and (
                not self.choices or any(value == e and type(value) is type(e) for e in self.choices)
            )
            and (self.pattern is None or re.fullmatch(self.pattern, value) is not None)
        )

    def _within(self, value: float) -> bool:
        return (
            (not self.whole or isinstance(value, int))
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def key(
    doc: str, default: Any = OPEN, *, file: bool = False, absent: bool = False, **limits: Any
) -> Any:
    """A field: what it means, what stands in it if nobody says otherwise, what it can be.

    Args:
        file: a file's or folder's name, which the command line takes as it stands.
        absent: may be left out altogether, and is then in no resolved configuration.
        limits: see `Limits`.
    """
    metadata = {"doc": doc, "limits": Limits(**limits), "file": file, "absent": absent}
    if isinstance(default, list | dict):  # each configuration has its own
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def flag(doc: str, default: Any = OPEN) -> Any:
    """A field that is true or false.

    Of the type Any: OmegaConf makes a bool of any number, and of words such as `on`.
    """
    return key(doc, default, one_of=FLAG, words=KINDS[bool])


def section(doc: str, cls: type) -> Any:
    """A field that holds keys of its own."""
    return field(default_factory=cls, metadata={"doc": doc, "limits": Limits()})


def options(group: str) -> list[str]:
    """Names of the files in `conf/<group>/`: the experiments, the profiles and so on."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def near(word: str, known: Iterable[str]) -> str:
    """What may have been meant by `word`, as a question; empty where nothing is like it."""
    found = difflib.get_close_matches(word, list(known), n=3)
    return f"did you mean {' or '.join(found)}? " if found else ""


def allowed(cls: type, name: str) -> str:
    """What the field `name` of `cls` can be, in words."""
    hint = get_type_hints(cls)[name]
    if inner := _inner(hint):
        held = f"the keys {', '.join(each.name for each in fields(inner))}"
        return f"a layer's name and for each {held}" if get_origin(hint) is dict else held
    return _words(hint, metadata(cls, name).get("limits", Limits()))


def show(value: Any) -> str:
    """A value as one would write it: texts in quotation marks, null, true and false."""
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else repr(value)


def walk(cls: type, prefix: str = "") -> Iterator[tuple[str, type, "Field[Any]"]]:
    """Every key of `cls` that holds a value, with the class and field it stands in."""
    hints = get_type_hints(cls)
    for each in fields(cls):
        inner = _inner(hints[each.name])
        if inner is None:
            yield f"{prefix}{each.name}", cls, each
        else:
            between = ".*." if get_origin(hints[each.name]) is dict else "."
            yield from walk(inner, f"{prefix}{each.name}{between}")


def find(cls: type, key: str) -> tuple[type, str] | None:
    """The class and field that a dotted key means, from `cls` on; None for what is not typed."""
    name, _, rest = re.sub(r"\[\d+\]", "", key).partition(".")
    owner = next((c for c in (cls, *_below(cls)) if name in get_type_hints(c)), None)
    if owner is None or not rest:
        return None if owner is None else (owner, name)
    hint = get_type_hints(owner)[name]
    inner = _inner(hint)
    if inner is None:
        return None
    if get_origin(hint) is dict:  # whose keys are the user's
        rest = rest.partition(".")[2]
    return find(inner, rest) if rest else (owner, name)


def _below(cls: type) -> Iterator[type]:
    children: list[type] = cls.__subclasses__()
    for child in children:
        yield child
        yield from _below(child)


def metadata(cls: type, name: str) -> Mapping[str, Any]:
    return next(each for each in fields(cls) if each.name == name).metadata


def _inner(hint: Any) -> type | None:
    """The dataclass that a field holds, or one for each name; None where it holds values."""
    candidates = (hint, *get_args(hint), *(a for arg in get_args(hint) for a in get_args(arg)))
    return next((each for each in candidates if is_dataclass(each)), None)  # type: ignore[return-value]


def _words(hint: Any, limits: Limits) -> str:
    if NoneType in get_args(hint):
        (wanted,) = (each for each in get_args(hint) if each is not NoneType)
        return f"{_words(wanted, limits)}, or null"
    if limits.words:
        return limits.words
    if limits.choices:
        one = f"{'some' if get_origin(hint) else 'one'} of {', '.join(map(str, limits.choices))}"
        return one if get_origin(hint) is not dict else f"{one} for each name"
    span = _span(limits)
    if get_origin(hint) is list:
        count = f"{limits.length} " if limits.length else ""
        return f"a list of {count}{PLURALS[get_args(hint)[0]]}{span}"
    if get_origin(hint) is dict:
        return f"for each name {_words(get_args(hint)[1], limits)}"
    either = f", or {limits.instead}" if limits.instead is not None else ""
    return f"{KINDS.get(hint, 'keys of its own')}{span}{either}"


def _span(limits: Limits) -> str:
    low = [f"from {limits.least:.15g}"] if limits.least is not None else []
    low += [f"above {limits.above:.15g}"] if limits.above is not None else []
    high = [f"to {limits.most:.15g}"] if limits.most is not None else []
    high += [f"below {limits.below:.15g}"] if limits.below is not None else []
    if limits.least is not None and not high:
        low = [f"of at least {limits.least:.15g}"]
    elif limits.most is not None and not low:
        high = [f"of at most {limits.most:.15g}"]
    joint = " and " if limits.above is not None and limits.below is not None else " "
    return " " * bool(low or high) + joint.join(low + high)

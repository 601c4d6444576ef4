"""What a net is, worked out from its table alone: names, sizes, weights, cost, receptive fields.

A table maps `conv<N>` and `fc<N>` to what that layer is; conf/model/ holds the paper's two nets.
A layer that is None has been removed. Nothing here needs torch, so cost and checks come at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

WORDS = ("relu", "pool", "norm", "drop")
NORMALISATIONS = ("lrn", "lcn", "none")
CHANNELS = 3  # RGB
LARGEST_CROP = 4096  # where the search for a crop that works gives up


@dataclass(frozen=True)
class Pool:
    """Max pooling, kernel x kernel; with `ceil` a window that hangs over the edge counts."""

    kernel: int
    stride: int
    ceil: bool

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Pool:
        """Read the `pool` key of a model. Raises ValueError on a missing or unknown key."""
        _check_keys("pool", entry, required={"kernel", "stride", "ceil"})
        kernel, stride = (_positive("pool", key, entry[key]) for key in ("kernel", "stride"))
        return cls(kernel, stride, bool(entry["ceil"]))

    def size(self, side: int) -> int:
        """Side of the pooled map, 0 where no window fits; the same rule as torch's max_pool2d."""
        rounding = self.stride - 1 if self.ceil else 0
        out = (side - self.kernel + rounding) // self.stride + 1
        if self.ceil and (out - 1) * self.stride >= side:  # a window may not start outside the map
            out -= 1
        return max(out, 0)


@dataclass(frozen=True)
class Conv:
    """A convolution layer and the words of what follows it."""

    name: str
    maps: int
    kernel: int
    stride: int
    padding: int
    groups: int
    then: tuple[str, ...]

    def size(self, side: int) -> int:
        """Side of the output map, 0 where the kernel does not fit."""
        return max((side + 2 * self.padding - self.kernel) // self.stride + 1, 0)


@dataclass(frozen=True)
class Dense:
    """A fully connected layer and the words of what follows it."""

    name: str
    units: int
    then: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """Receptive field of a map's unit, in pixels of the crop.

    Unit i sees the pixels [offset + i * stride, offset + i * stride + size); a negative offset
    lies in the padding.
    """

    size: int = 1
    stride: int = 1
    offset: int = 0

    def through(self, kernel: int, stride: int, padding: int) -> Field:
        """The field after one more sliding window."""
        return Field(
            self.size + (kernel - 1) * self.stride,
            self.stride * stride,
            self.offset - padding * self.stride,
        )


@dataclass(frozen=True)
class Row:
    """One module of the net. Shapes are (maps, height, width) or (units,), without the batch."""

    name: str
    kind: str  # conv, relu, pool, norm, drop, flatten or fc
    layer: str  # the table's layer it belongs to; "" for flatten
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    parameters: int = 0
    multiply_adds: int = 0  # for one image, forward
    fan_in: int = 0  # 0 where there are no weights
    field: Field | None = None  # None from flatten on: every unit sees the whole crop


class Sight(NamedTuple):
    """What a unit of a convolution sees of a crop.

    `side` is the width of the layer's map, `field` that of what a unit sees, in pixels; `share` of
    the crop's width, above 1 where the field is larger than the crop.
    """

    layer: str
    side: int
    field: int
    share: float


def sights_of(config: Mapping[str, Any]) -> list[Sight]:
    """Of each convolution, before its pool, of a resolved configuration's network.

    Raises:
        ValueError: where `table` does.
    """
    model = {key: config["model"][key] for key in ("layers", "pool", "normalisation")}
    crop: int = config["crop"]
    return [
        Sight(row.layer, row.outputs[1], row.field.size, row.field.size / crop)
        for row in table(**model, classes=2, crop=crop)
        if row.kind == "conv" and row.field
    ]


def parse(layers: Mapping[str, Any], classes: int) -> list[Conv | Dense]:
    """Read a table of layers, in the order of their numbers, without the removed ones.

    The last layer is the output, with `units: classes`. Raises ValueError on a name that is not in
    sequence (so removing a layer that does not exist), an unknown key or word, a value that is
    no positive whole number, groups that do not divide, or a convolution above a full layer.
    """
    names = _numbered(layers)
    net: list[Conv | Dense] = []
    for name in names:
        entry = layers[name]
        if entry is None:
            continue
        if name.startswith("conv"):
            net.append(_parse_conv(name, entry))
        else:
            net.append(_parse_dense(name, entry, classes, is_output=name == names[-1]))
    _check_order(net)
    _check_groups(net)
    return net


def table(
    layers: Mapping[str, Any],
    *,
    classes: int,
    crop: int,
    pool: Mapping[str, Any],
    normalisation: str = "lrn",
) -> list[Row]:
    """The modules of the net that this table makes, in order, with their shapes and costs.

    Raises ValueError where `parse` does, and where a map would have no pixel left: it names the
    layer, the size of its input and the smallest crop that works.
    """
    if normalisation not in NORMALISATIONS:
        raise ValueError(
            f"model.normalisation: {normalisation!r} is none of {', '.join(NORMALISATIONS)}"
        )
    net, pooling = parse(layers, classes), Pool.parse(pool)
    _check_crop(net, pooling, crop)
    rows: list[Row] = []
    shape: tuple[int, ...] = (CHANNELS, crop, crop)
    field: Field | None = Field()
    for layer in net:
        if isinstance(layer, Dense) and len(shape) == 3:
            rows.append(Row("flatten", "flatten", "", shape, (prod(shape),)))
            shape, field = (prod(shape),), None
        for row in _layer_rows(layer, pooling, shape, field, normalisation):
            rows.append(row)
            shape, field = row.outputs, row.field
    return rows


def parameters(rows: Sequence[Row]) -> int:
    """Number of weights and biases of the net."""
    return sum(row.parameters for row in rows)


def smallest_crop(layers: Mapping[str, Any], pool: Mapping[str, Any]) -> int:
    """The smallest crop, in pixels, that leaves a positive map behind every layer."""
    return _smallest_crop(parse(layers, classes=1), Pool.parse(pool))


def _layer_rows(
    layer: Conv | Dense,
    pool: Pool,
    shape: tuple[int, ...],
    field: Field | None,
    normalisation: str,
) -> Iterator[Row]:
    """The layer's own row, then one for each word after it; without a normalisation, no `norm`."""
    row = _conv_row(layer, shape, field) if isinstance(layer, Conv) else _dense_row(layer, shape)
    yield row
    for word in layer.then:
        if word == "norm" and normalisation == "none":
            continue
        row = _word_row(word, layer.name, pool, row)
        yield row


def _conv_row(layer: Conv, shape: tuple[int, ...], field: Field | None) -> Row:
    maps, side = shape[0], layer.size(shape[1])
    fan_in = layer.kernel**2 * maps // layer.groups
    return Row(
        name=layer.name,
        kind="conv",
        layer=layer.name,
        inputs=shape,
        outputs=(layer.maps, side, side),
        parameters=(fan_in + 1) * layer.maps,
        multiply_adds=side * side * fan_in * layer.maps,
        fan_in=fan_in,
        field=field and field.through(layer.kernel, layer.stride, layer.padding),
    )


def _dense_row(layer: Dense, shape: tuple[int, ...]) -> Row:
    (fan_in,) = shape
    return Row(
        name=layer.name,
        kind="fc",
        layer=layer.name,
        inputs=shape,
        outputs=(layer.units,),
        parameters=(fan_in + 1) * layer.units,
        multiply_adds=fan_in * layer.units,
        fan_in=fan_in,
    )


def _word_row(word: str, layer: str, pool: Pool, before: Row) -> Row:
    """`norm` keeps its input's field: LRN looks at one place, and LCN's blur only rescales."""
    number = re.sub(r"\D", "", layer)
    outputs, field = before.outputs, before.field
    if word == "pool":
        side = pool.size(outputs[1])
        outputs = (outputs[0], side, side)
        field = field and field.through(pool.kernel, pool.stride, 0)
    return Row(f"{word}{number}", word, layer, before.outputs, outputs, field=field)


def _numbered(layers: Mapping[str, Any]) -> list[str]:
    """Names by their numbers, which must be 1, 2, 3, ...: so the order of the mapping is free."""
    bad = [name for name in layers if not re.fullmatch(r"(conv|fc)[1-9]\d*", name)]
    if bad:
        raise ValueError(f"model.layers.{bad[0]}: a layer is named conv<N> or fc<N>")
    names = sorted(layers, key=lambda name: (_number(name), layers[name] is None))
    if not names:
        raise ValueError("model.layers: the table is empty")
    for place, name in enumerate(names, start=1):
        if _number(name) != place:
            raise ValueError(_out_of_sequence(name, names, removed=layers[name] is None))
    if layers[names[-1]] is None:
        raise ValueError(_out_of_sequence(names[-1], names, removed=True))
    if not names[-1].startswith("fc"):
        raise ValueError(f"model.layers.{names[-1]}: the last layer is a full one of the classes")
    return names


def _out_of_sequence(name: str, names: Sequence[str], removed: bool) -> str:
    others = ", ".join(other for other in names if other != name)
    if removed:
        return (
            f"model.layers.{name}: no such layer to remove, or it is the output; others: {others}"
        )
    return (
        f"model.layers.{name}: layers are numbered 1, 2, 3, ... in one sequence; others: {others}"
    )


def _number(name: str) -> int:
    return int(re.sub(r"\D", "", name))


def _parse_conv(name: str, entry: Mapping[str, Any]) -> Conv:
    where = f"layers.{name}"
    _check_keys(where, entry, {"maps", "kernel", "stride", "padding"}, {"groups", "then"})
    return Conv(
        name=name,
        maps=_positive(where, "maps", entry["maps"]),
        kernel=_positive(where, "kernel", entry["kernel"]),
        stride=_positive(where, "stride", entry["stride"]),
        padding=_positive(where, "padding", entry["padding"], least=0),
        groups=_positive(where, "groups", entry.get("groups", 1)),
        then=_words(where, entry.get("then", ()), WORDS),
    )


def _parse_dense(name: str, entry: Mapping[str, Any], classes: int, is_output: bool) -> Dense:
    where = f"layers.{name}"
    _check_keys(where, entry, {"units"}, {"then"})
    units = entry["units"]
    if (units == "classes") != is_output:
        raise ValueError(f"model.{where}.units: the last layer, and no other, has `units: classes`")
    return Dense(
        name=name,
        units=_positive(where, "units", classes if is_output else units),
        then=_words(where, entry.get("then", ()), ("relu", "drop")),
    )


def _words(where: str, then: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    for word in then:
        if word not in known:
            raise ValueError(f"model.{where}.then: {word!r} is none of {', '.join(known)}")
    if len(set(then)) < len(then):
        raise ValueError(f"model.{where}.then: a word stands twice in {list(then)}")
    return tuple(then)


def _check_keys(
    where: str,
    entry: Mapping[str, Any],
    required: set[str],
    optional: set[str] = frozenset(),  # type: ignore[assignment]
) -> None:
    unknown = sorted(set(entry) - required - optional)
    if unknown:
        known = ", ".join(sorted(required | optional))
        raise ValueError(f"model.{where}.{unknown[0]}: unknown key; known: {known}")
    missing = sorted(required - set(entry))
    if missing:
        raise ValueError(f"model.{where}: the key {missing[0]} is missing")


def _positive(where: str, key: str, value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"model.{where}.{key}: {value!r} is not a whole number of at least {least}"
        )
    return value


def _check_order(net: Sequence[Conv | Dense]) -> None:
    for below, above in pairwise(net):
        if isinstance(below, Dense) and isinstance(above, Conv):
            raise ValueError(f"model.layers.{above.name}: a convolution cannot follow {below.name}")


def _check_groups(net: Sequence[Conv | Dense]) -> None:
    maps = CHANNELS
    for layer in net:
        if not isinstance(layer, Conv):
            return
        if maps % layer.groups or layer.maps % layer.groups:
            raise ValueError(
                f"model.layers.{layer.name}.groups: {layer.groups} groups do not divide "
                f"{maps} maps coming in and {layer.maps} going out"
            )
        maps = layer.maps


def _check_crop(net: Sequence[Conv | Dense], pool: Pool, crop: int) -> None:
    name, side = _first_empty(net, pool, crop)
    if name:
        raise ValueError(
            f"data.crop: {crop} is too small: {name} gets a map of {side}x{side} and leaves "
            f"nothing; the smallest crop that works is {_smallest_crop(net, pool)}"
        )


def _first_empty(net: Sequence[Conv | Dense], pool: Pool, crop: int) -> tuple[str, int]:
    """Name and input side of the first module whose output has no pixel; ("", side) if none."""
    side = crop
    for layer in net:
        if not isinstance(layer, Conv):
            break
        steps: list[tuple[str, Conv | Pool]] = [(layer.name, layer)]
        steps += [(f"pool{_number(layer.name)}", pool) for word in layer.then if word == "pool"]
        for name, step in steps:
            if step.size(side) < 1:
                return name, side
            side = step.size(side)
    return "", side


def _smallest_crop(net: Sequence[Conv | Dense], pool: Pool) -> int:
    for crop in range(1, LARGEST_CROP + 1):
        if not _first_empty(net, pool, crop)[0]:
            return crop
    raise ValueError(f"model.layers: no crop up to {LARGEST_CROP} leaves a positive map")

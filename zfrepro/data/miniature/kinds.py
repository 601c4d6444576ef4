"""The classes, as data: body shape, surface textures, attached parts, typical hue.

Body shapes and textures are shared between classes, several of which have both in common: what
tells such classes is the arrangement of their parts. The identifiers of the source's classes have
the form of WordNet's but lie outside its range. The classes of the transfer sets are others, made
of the same kinds of bodies, textures and parts. Beside those that are listed each set has classes
that are combinations of the source's vocabulary, in which no body has the same parts twice.
"""

# a row a line, however long: the tables are read by column
# ruff: noqa: E501

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, product

import numpy as np


@dataclass(frozen=True)
class Kind:
    """One class of objects.

    Attributes:
        wnid: identifier and folder name; in the source `n` and eight digits.
        name: as in a list of class names; synonyms after commas.
        body: a key of `shapes.SHAPES`.
        size: half width and half height of the body.
        textures: keys of `textures.TEXTURES`; each picture has one of them.
        parts: keys of `parts.PARTS`, drawn in this order.
        hue: typical hue in degrees; images vary widely about it.
        wavelength: of the texture, in half sizes of the body.
        view: `face` (from the front, eyes and nose known), `side` (may face either way),
            `top` (lies at larger angles) or `thing`.
    """

    wnid: str
    name: str
    body: str
    size: tuple[float, float]
    textures: tuple[str, ...]
    parts: tuple[str, ...]
    hue: float
    wavelength: float = 0.5
    view: str = "thing"


# fmt: off
_SOURCE: tuple[Kind, ...] = (
    Kind("n90000101", "tabby cat", "disc", (0.95, 0.85), ("stripes", "patches", "plain"), ("pointed ears", "eyes", "whiskers"), 30, 0.5, "face"),
    Kind("n90000102", "ladybird, ladybug", "disc", (0.9, 0.95), ("spots", "plain"), ("six legs", "head", "antennae"), 5, 0.55, "top"),
    Kind("n90000103", "toadstool", "dome", (1.0, 0.72), ("spots", "plain"), ("stalk",), 0, 0.55),
    Kind("n90000104", "clownfish", "egg", (1.0, 0.62), ("stripes", "bands", "scales"), ("tail fin", "side eye"), 25, 0.6, "side"),
    Kind("n90000105", "horned owl", "egg", (0.8, 1.0), ("scales", "spots", "plain"), ("tufts", "big eyes", "beak"), 30, 0.45, "face"),
    Kind("n90000106", "hot-air balloon", "drop", (0.95, 1.05), ("gores", "stripes", "checks"), ("basket",), 200, 0.55),
    Kind("n90000107", "bear", "disc", (1.0, 0.88), ("plain", "patches"), ("round ears", "button eyes", "muzzle"), 25, 0.5, "face"),
    Kind("n90000108", "starfish, sea star", "star", (1.1, 1.1), ("spots", "plain", "rays"), (), 20, 0.34, "top"),
    Kind("n90000109", "kite", "diamond", (0.8, 1.0), ("checks", "stripes", "plain"), ("ribbon",), 220, 0.6),
    Kind("n90000110", "snail", "disc", (0.85, 0.85), ("spiral", "plain"), ("foot",), 35, 0.5, "side"),
    Kind("n90000111", "cow", "box", (0.78, 0.95), ("patches", "plain"), ("horns", "side ears", "button eyes", "broad muzzle"), 20, 0.5, "face"),
    Kind("n90000112", "honeybee, bee", "egg", (0.62, 0.95), ("bands", "stripes"), ("wings", "antennae", "head"), 45, 0.55, "top"),
    Kind("n90000113", "umbrella, parasol", "dome", (1.05, 0.7), ("gores", "spots", "plain"), ("handle",), 300, 0.5),
    Kind("n90000114", "carp", "spindle", (1.05, 0.7), ("scales", "spots", "plain"), ("tail fin", "side eye"), 40, 0.45, "side"),
    Kind("n90000115", "leopard", "disc", (0.95, 0.9), ("spots", "plain"), ("round ears", "eyes", "whiskers"), 42, 0.4, "face"),
    Kind("n90000116", "sunflower, daisy", "flower", (1.0, 1.0), ("rays", "plain"), ("blossom",), 50, 0.5),
    Kind("n90000117", "sea turtle", "hexagon", (0.82, 0.95), ("checks", "patches"), ("flippers",), 110, 0.62, "top"),
    Kind("n90000118", "fox", "shield", (0.95, 0.95), ("saddle", "plain"), ("pointed ears", "eyes", "snout"), 18, 0.5, "face"),
    Kind("n90000119", "stag beetle", "egg", (0.72, 0.95), ("plain", "stripes", "spots"), ("six legs", "mandibles", "head", "wing cases"), 140, 0.5, "top"),
    Kind("n90000120", "rabbit, hare", "egg", (0.82, 0.9), ("plain", "patches", "saddle"), ("long ears", "eyes", "whiskers"), 28, 0.5, "face"),
)

_CALTECH101: tuple[Kind, ...] = (
    Kind("bass", "bass", "spindle", (1.1, 0.6), ("bands",), ("tail fin", "side eye"), 70, 0.5, "side"),
    Kind("butterfly", "butterfly", "leaf", (0.2, 0.85), ("bands",), ("broad wings", "antennae"), 280, 0.35, "top"),
    Kind("crab", "crab", "egg", (1.0, 0.68), ("plain",), ("six legs", "claws", "button eyes"), 10, 0.5, "top"),
    Kind("elephant", "elephant", "disc", (0.85, 0.9), ("plain",), ("fan ears", "button eyes", "trunk"), 230, 0.5, "face"),
    Kind("lamp", "lamp", "triangle", (0.95, 0.7), ("stripes",), ("lamp stand",), 50, 0.5),
    Kind("octopus", "octopus", "drop", (0.85, 0.9), ("spots",), ("tentacles", "eyes"), 320, 0.5, "face"),
    Kind("panda", "panda", "disc", (0.95, 0.85), ("patches",), ("round ears", "big eyes", "muzzle"), 210, 0.55, "face"),
    Kind("pyramid", "pyramid", "triangle", (1.15, 0.85), ("bands",), (), 40, 0.4),
    Kind("soccer_ball", "soccer ball", "disc", (1.0, 1.0), ("checks",), (), 150, 0.7),
    Kind("stop_sign", "stop sign", "hexagon", (0.85, 0.85), ("plain",), ("post", "sign"), 0, 0.5),
    Kind("strawberry", "strawberry", "heart", (0.9, 1.0), ("spots",), ("sepals",), 350, 0.4),
    Kind("water_lilly", "water lilly", "flower", (1.05, 1.05), ("rings",), ("hub",), 330, 0.6, "top"),
)
_CALTECH256: tuple[Kind, ...] = (
    Kind("001.cactus", "cactus", "box", (0.42, 1.0), ("stripes",), ("arms and pot",), 120, 0.3),
    Kind("002.dice", "dice", "box", (0.85, 0.85), ("spots",), (), 0, 0.75, "top"),
    Kind("003.frog", "frog", "egg", (1.0, 0.75), ("patches",), ("frog eyes", "wide mouth"), 110, 0.5, "face"),
    Kind("004.galaxy", "galaxy", "disc", (1.1, 0.75), ("spiral",), (), 250, 0.55, "top"),
    Kind("005.goldfish", "goldfish", "disc", (0.9, 0.75), ("plain",), ("tail fin", "side eye"), 30, 0.5, "side"),
    Kind("006.ice-cream-cone", "ice cream cone", "disc", (0.75, 0.7), ("slant",), ("cone",), 340, 0.5),
    Kind("007.killer-whale", "killer whale", "spindle", (1.15, 0.62), ("saddle",), ("tail fin", "side eye"), 220, 0.5, "side"),
    Kind("008.penguin", "penguin", "egg", (0.68, 1.0), ("plain",), ("belly", "eyes", "beak"), 225, 0.5, "face"),
    Kind("009.raccoon", "raccoon", "shield", (1.0, 0.9), ("bands",), ("round ears", "eyes", "snout"), 35, 0.5, "face"),
    Kind("010.roulette-wheel", "roulette wheel", "gear", (1.0, 1.0), ("rays",), ("hub",), 0, 0.5, "top"),
    Kind("011.spider", "spider", "disc", (0.62, 0.7), ("rings",), ("eight legs", "head"), 20, 0.5, "top"),
    Kind("012.teapot", "teapot", "disc", (0.9, 0.8), ("zigzag",), ("spout, handle and lid",), 190, 0.5, "side"),
    Kind("013.traffic-light", "traffic light", "box", (0.5, 1.0), ("plain",), ("three lights", "post"), 60, 0.5),
    Kind("014.watermelon", "watermelon", "egg", (0.85, 1.0), ("gores",), (), 115, 0.4, "top"),
    Kind("015.windmill", "windmill", "triangle", (0.6, 1.05), ("checks",), ("sails",), 30, 0.6),
)
VOC_LIKE: tuple[Kind, ...] = (
    Kind("bird", "bird", "egg", (0.7, 0.68), ("slant",), ("perch", "side wing", "side beak", "side eye"), 200, 0.4, "side"),
    Kind("boat", "boat", "shield", (1.15, 0.45), ("bands",), ("mast and sail",), 210, 0.4, "side"),
    Kind("bottle", "bottle", "box", (0.45, 0.8), ("plain",), ("neck and label",), 130, 0.5),
    Kind("car", "car", "box", (1.1, 0.45), ("plain",), ("wheels and cabin",), 0, 0.5, "side"),
    Kind("dog", "dog", "egg", (0.72, 0.88), ("saddle",), ("eyes", "muzzle", "floppy ears"), 32, 0.5, "face"),
    Kind("person", "person", "egg", (0.55, 0.66), ("plain",), ("torso", "hair", "eyes", "mouth"), 22, 0.5, "face"),
    Kind("pottedplant", "potted plant", "shield", (0.7, 0.6), ("zigzag",), ("pot leaves",), 15, 0.5),
    Kind("tvmonitor", "tv monitor", "box", (1.05, 0.75), ("plain",), ("screen",), 260, 0.5),
)
# fmt: on

EARS = ("pointed ears", "round ears", "long ears", "tufts", "horns")
EYES = ("eyes", "big eyes", "button eyes")
NOSES = ("whiskers", "muzzle", "snout", "beak", "broad muzzle")
# what is seen from each side: bodies, and what they bear, of each group one
COMBINED: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "face": (("disc", "egg", "shield", "box"), (EARS, EYES, NOSES)),
    "top": (
        ("egg", "disc", "hexagon", "box"),
        (("six legs", "wings"), ("antennae", "mandibles"), ("head", "wing cases")),
    ),
    "side": (
        ("egg", "disc", "spindle", "drop"),
        (("tail fin", "foot"), ("side eye", "wing cases")),
    ),
    "thing": (
        ("dome", "drop", "diamond", "flower", "star", "hexagon", "spindle"),
        (("stalk", "basket", "ribbon", "handle", "blossom"),),
    ),
}
SHARES = {"face": 0.45, "top": 0.15, "side": 0.1, "thing": 0.3}


def _combinations(listed: tuple[Kind, ...]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """View, body and parts as no listed class has them, in an order that is always the same."""
    rng = np.random.default_rng(2013)
    taken = {(kind.body, frozenset(kind.parts)) for kind in listed}
    pools = {
        view: [
            (body, parts)
            for body, *parts in product(bodies, *groups)
            if (body, frozenset(parts)) not in taken
        ]
        for view, (bodies, groups) in COMBINED.items()
    }
    orders = {view: iter(rng.permutation(len(pool)).tolist()) for view, pool in pools.items()}
    while True:
        view = str(rng.choice(list(SHARES), p=list(SHARES.values())))
        number = next(orders[view], None)
        if number is not None:
            body, parts = pools[view][number]
            yield view, body, tuple(parts)


def _made(number: int, view: str, body: str, parts: tuple[str, ...]) -> Kind:
    """A class of a combination; its size, textures and hue are drawn."""
    rng = np.random.default_rng([2013, number])
    textures = sorted({texture for kind in _SOURCE for texture in kind.textures})
    size = rng.uniform(0.75, 1.0, 2).round(2).tolist()
    drawn = tuple(str(name) for name in rng.choice(textures, 2, replace=False))
    name = f"{body} with {', '.join(parts)}"
    wave = round(float(rng.uniform(0.4, 0.6)), 2)
    return Kind("", name, body, tuple(size), drawn, parts, float(rng.integers(360)), wave, view)


# 60 classes of the source, 40 and 60 of the transfer sets: numbered on from those that are listed
_made_kinds = (
    _made(number, *combination)
    for number, combination in enumerate(
        _combinations(_SOURCE + _CALTECH101 + _CALTECH256 + VOC_LIKE)
    )
)
IMAGENET_LIKE = _SOURCE + tuple(
    replace(kind, wnid=f"n900001{number}")
    for number, kind in zip(range(21, 61), _made_kinds, strict=False)
)
CALTECH101_LIKE = _CALTECH101 + tuple(
    replace(kind, wnid="_".join(re.findall(r"\w+", kind.name))) for kind in islice(_made_kinds, 28)
)
CALTECH256_LIKE = _CALTECH256 + tuple(
    replace(kind, wnid=f"{number:03d}.{'-'.join(re.findall('[a-z]+', kind.name))}")
    for number, kind in zip(range(16, 61), _made_kinds, strict=False)
)

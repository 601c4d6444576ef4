"""The classes, as data: body shape, surface texture, attached parts, typical hue.

Body shapes and textures are shared between classes, so neither tells a class by itself. The
identifiers have the form of WordNet's but lie outside its range.
"""

# a row a line, however long: the tables are read by column
# ruff: noqa: E501

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One class of objects.

    Attributes:
        wnid: identifier and folder name, `n` and eight digits.
        name: as in a list of class names; synonyms after commas.
        body: a key of `shapes.SHAPES`.
        size: half width and half height of the body.
        texture: a key of `textures.TEXTURES`.
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
    texture: str
    parts: tuple[str, ...]
    hue: float
    wavelength: float = 0.5
    view: str = "thing"


# fmt: off
IMAGENET_LIKE: tuple[Kind, ...] = (
    Kind("n90000101", "tabby cat", "disc", (0.95, 0.85), "stripes", ("pointed ears", "eyes", "whiskers"), 30, 0.5, "face"),
    Kind("n90000102", "ladybird, ladybug", "disc", (0.9, 0.95), "spots", ("six legs", "head", "antennae"), 5, 0.55, "top"),
    Kind("n90000103", "toadstool", "dome", (1.0, 0.72), "spots", ("stalk",), 0, 0.55),
    Kind("n90000104", "clownfish", "egg", (1.0, 0.62), "stripes", ("tail fin", "side eye"), 25, 0.6, "side"),
    Kind("n90000105", "horned owl", "egg", (0.8, 1.0), "scales", ("tufts", "big eyes", "beak"), 30, 0.45, "face"),
    Kind("n90000106", "hot-air balloon", "drop", (0.95, 1.05), "gores", ("basket",), 200, 0.55),
    Kind("n90000107", "bear", "disc", (1.0, 0.88), "plain", ("round ears", "button eyes", "muzzle"), 25, 0.5, "face"),
    Kind("n90000108", "starfish, sea star", "star", (1.1, 1.1), "spots", (), 20, 0.34, "top"),
    Kind("n90000109", "kite", "diamond", (0.8, 1.0), "checks", ("ribbon",), 220, 0.6),
    Kind("n90000110", "snail", "disc", (0.85, 0.85), "spiral", ("foot",), 35, 0.5, "side"),
    Kind("n90000111", "cow", "box", (0.78, 0.95), "patches", ("horns", "side ears", "button eyes", "broad muzzle"), 20, 0.5, "face"),
    Kind("n90000112", "honeybee, bee", "egg", (0.62, 0.95), "bands", ("wings", "antennae", "head"), 45, 0.55, "top"),
    Kind("n90000113", "umbrella, parasol", "dome", (1.05, 0.7), "gores", ("handle",), 300, 0.5),
    Kind("n90000114", "carp", "spindle", (1.05, 0.7), "scales", ("tail fin", "side eye"), 40, 0.45, "side"),
    Kind("n90000115", "leopard", "disc", (0.95, 0.9), "spots", ("round ears", "eyes", "whiskers"), 42, 0.4, "face"),
    Kind("n90000116", "sunflower, daisy", "flower", (1.0, 1.0), "rays", ("blossom",), 50, 0.5),
    Kind("n90000117", "sea turtle", "hexagon", (0.82, 0.95), "checks", ("flippers",), 110, 0.62, "top"),
    Kind("n90000118", "fox", "shield", (0.95, 0.95), "saddle", ("pointed ears", "eyes", "snout"), 18, 0.5, "face"),
    Kind("n90000119", "stag beetle", "egg", (0.72, 0.95), "plain", ("six legs", "mandibles", "head", "wing cases"), 140, 0.5, "top"),
    Kind("n90000120", "rabbit, hare", "egg", (0.82, 0.9), "plain", ("long ears", "eyes", "whiskers"), 28, 0.5, "face"),
)
# fmt: on

"""The vocabulary of attached parts: ears, eyes, legs, tails, handles.

A part hangs on whatever body a class has: its place is a direction from the body's centre and
a share of the way to the body's outline. Classes name sets of parts (`PARTS`).
"""

# a row a line, however long: the tables are read by column
# ruff: noqa: E501

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Part:
    """One attached shape.

    Attributes:
        name: of the part; a mirrored pair is called `right_<name>` and `left_<name>`, where
            right is the creature's own, at the viewer's left.
        shape: a key of `shapes.SHAPES`.
        direction: from the body's centre, in degrees, clockwise, 0 straight up.
        size: half width and half height, where the body's half size is about 1.
        reach: share of the way from the centre to the outline at which the part begins.
        out: how far the part's centre stands beyond that point, in half heights of the part.
        turn: added to the part's own angle, in degrees.
        upright: the part keeps the body's angle; without it the part's top points outwards.
        paint: a colour of the palette.
        mirror: draw it a second time, on the other side.
        behind: draw it before the body.
        shaded: light it as a rounded thing; flat without.
        wobble: random change of angle, in degrees (standard deviation).
    """

    name: str
    shape: str
    direction: float
    size: tuple[float, float]
    reach: float = 1.0
    out: float = 0.0
    turn: float = 0.0
    upright: bool = False
    paint: str = "main"
    mirror: bool = False
    behind: bool = False
    shaded: bool = True
    wobble: float = 4.0


def _inside(
    name: str, shape: str, direction: float, size: tuple[float, float], **more: object
) -> Part:
    """A part on the body's face, that turns only with the body."""
    part = Part(name, shape, direction, size, upright=True, wobble=0.0)
    return replace(part, **more)  # type: ignore[arg-type]


def _eyes(direction: float, reach: float, size: float, white: str = "light") -> tuple[Part, ...]:
    return (
        _inside(
            "eye", "disc", direction, (size, size * 1.1), reach=reach, mirror=True, paint=white
        ),
        _inside(
            "pupil",
            "disc",
            direction,
            (size * 0.55, size * 0.7),
            reach=reach,
            mirror=True,
            paint="dark",
            shaded=False,
        ),
        _inside(
            "glint",
            "disc",
            direction - 4,
            (size * 0.2, size * 0.2),
            reach=reach * 1.12,
            mirror=True,
            paint="light",
            shaded=False,
        ),
    )


def _legs(angles: tuple[float, ...], size: tuple[float, float], paint: str) -> tuple[Part, ...]:
    return tuple(
        Part(
            f"leg{number}",
            "box",
            angle,
            size,
            out=0.5,
            mirror=True,
            behind=True,
            paint=paint,
            wobble=7,
        )
        for number, angle in enumerate(angles, start=1)
    )


PARTS: dict[str, tuple[Part, ...]] = {
    # heads, seen from the front
    "pointed ears": (
        Part("ear", "triangle", 38, (0.32, 0.42), out=0.45, mirror=True, behind=True),
        Part("inner_ear", "triangle", 38, (0.17, 0.26), out=0.6, mirror=True, behind=True, paint="accent"),
    ),
    "round ears": (
        Part("ear", "disc", 45, (0.34, 0.34), out=0.35, mirror=True, behind=True),
        Part("inner_ear", "disc", 45, (0.19, 0.19), out=0.8, mirror=True, behind=True, paint="accent"),
    ),
    "long ears": (
        Part("ear", "leaf", 17, (0.25, 0.72), out=0.75, mirror=True, behind=True, wobble=9),
        Part("inner_ear", "leaf", 17, (0.12, 0.5), out=1.1, mirror=True, behind=True, paint="accent", wobble=9),
    ),
    "side ears": (
        Part("ear", "leaf", 66, (0.2, 0.42), out=0.7, turn=14, mirror=True, behind=True, wobble=7),
    ),
    "horns": (
        Part("horn", "triangle", 30, (0.14, 0.36), out=0.7, turn=8, mirror=True, behind=True, paint="light"),
    ),
    "tufts": (
        Part("tuft", "triangle", 36, (0.2, 0.34), out=0.3, turn=-6, mirror=True, behind=True, paint="second"),
    ),
    "eyes": _eyes(54, 0.52, 0.19),
    "big eyes": (
        _inside("eye_disc", "disc", 48, (0.4, 0.4), reach=0.52, mirror=True, paint="accent"),
        *_eyes(48, 0.52, 0.28),
    ),
    "button eyes": _eyes(60, 0.5, 0.15, white="dark"),
    "muzzle": (
        _inside("muzzle", "disc", 180, (0.44, 0.36), reach=0.45, paint="pale"),
        _inside("nose", "disc", 180, (0.18, 0.13), reach=0.28, paint="dark"),
        _inside("mouth", "box", 180, (0.03, 0.12), reach=0.5, paint="dark", shaded=False),
    ),
    "whiskers": (
        _inside("cheek", "disc", 150, (0.26, 0.21), reach=0.46, mirror=True, paint="pale"),
        _inside("nose", "triangle", 180, (0.13, 0.11), reach=0.24, paint="accent", turn=180),
        _inside("whisker", "box", 118, (0.34, 0.022), reach=0.75, mirror=True, turn=-8, paint="pale", shaded=False),
        _inside("low_whisker", "box", 132, (0.34, 0.022), reach=0.75, mirror=True, turn=12, paint="pale", shaded=False),
    ),
    "broad muzzle": (
        _inside("muzzle", "disc", 180, (0.68, 0.4), reach=0.68, paint="accent"),
        _inside("nose", "disc", 180, (0.36, 0.16), reach=0.5, paint="nose"),
        _inside("nostril", "disc", 163, (0.07, 0.09), reach=0.5, mirror=True, paint="dark", shaded=False),
    ),
    "snout": (
        _inside("snout", "leaf", 180, (0.3, 0.46), reach=0.55, paint="pale"),
        _inside("nose", "disc", 180, (0.15, 0.13), reach=0.93, paint="dark"),
    ),
    "beak": (_inside("nose", "diamond", 180, (0.16, 0.24), reach=0.12, paint="beak"),),
    "fan ears": (
        Part("ear", "disc", 72, (0.62, 0.5), out=0.25, mirror=True, behind=True, wobble=7),
        Part("inner_ear", "disc", 72, (0.42, 0.34), out=0.5, mirror=True, behind=True, paint="accent", wobble=7),
    ),
    "trunk": (
        _inside("trunk", "egg", 180, (0.2, 0.62), reach=0.85, paint="main"),
        _inside("nostril", "disc", 172, (0.05, 0.06), reach=1.4, mirror=True, paint="dark", shaded=False),
    ),
    "floppy ears": (
        Part("ear", "leaf", 68, (0.27, 0.62), upright=True, reach=1.02, turn=-8, mirror=True, paint="second", wobble=6),
    ),
    "frog eyes": (
        Part("bulge", "disc", 34, (0.3, 0.3), out=0.15, mirror=True),
        Part("pupil", "disc", 34, (0.15, 0.15), out=0.5, mirror=True, paint="dark", shaded=False),
    ),
    "wide mouth": (_inside("mouth", "box", 180, (0.62, 0.06), reach=0.4, paint="dark", shaded=False),),
    "hair": (
        Part("hair", "dome", 0, (0.7, 0.44), reach=0.72, upright=True, paint="dark", wobble=3),
    ),
    "mouth": (_inside("mouth", "box", 180, (0.2, 0.05), reach=0.55, paint="nose", shaded=False),),
    "torso": (
        Part("torso", "dome", 180, (1.05, 0.75), upright=True, reach=1.75, behind=True, paint="accent", wobble=2),
    ),
    "belly": (_inside("belly", "egg", 180, (0.5, 0.62), reach=0.25, paint="pale"),),
    # seen from above
    "claws": (
        Part("arm", "box", 46, (0.08, 0.3), out=0.6, mirror=True, behind=True, wobble=6),
        Part("claw", "heart", 46, (0.3, 0.34), out=1.9, mirror=True, behind=True, wobble=9),
    ),
    "eight legs": _legs((48, 76, 104, 132), (0.05, 0.48), "dark"),
    "broad wings": (
        Part("wing", "fan", 56, (0.66, 0.72), out=0.75, mirror=True, behind=True, paint="main", wobble=6),
        Part("low_wing", "fan", 122, (0.5, 0.52), out=0.75, mirror=True, behind=True, paint="accent", wobble=6),
        Part("wing_spot", "disc", 56, (0.2, 0.2), out=4.3, mirror=True, behind=True, paint="second"),
    ),
    "tentacles": (
        Part("outer", "leaf", 128, (0.14, 0.55), out=0.7, turn=14, mirror=True, behind=True, wobble=9),
        Part("inner", "leaf", 160, (0.14, 0.6), out=0.7, mirror=True, behind=True, wobble=9),
    ),
    "six legs": _legs((62, 92, 122), (0.055, 0.3), "dark"),
    "head": (Part("head", "disc", 0, (0.4, 0.32), out=0.1, behind=True, paint="dark", wobble=2),),
    "antennae": (
        Part("antenna", "box", 14, (0.035, 0.34), out=1.1, turn=16, mirror=True, behind=True, paint="dark", wobble=7),
        Part("knob", "disc", 24, (0.09, 0.09), out=7.6, mirror=True, behind=True, paint="dark"),
    ),
    "mandibles": (
        Part("mandible", "crescent", 14, (0.22, 0.4), out=1.15, turn=6, mirror=True, behind=True, paint="second"),
    ),
    "wing cases": (
        _inside("collar", "box", 0, (0.52, 0.06), reach=0.52, paint="second"),
        _inside("seam", "box", 180, (0.03, 0.68), reach=0.22, paint="second", shaded=False),
    ),
    "wings": (
        Part("wing", "fan", 68, (0.42, 0.62), out=0.75, turn=-12, mirror=True, behind=True, paint="glass", wobble=7),
        Part("low_wing", "fan", 104, (0.3, 0.45), out=0.75, mirror=True, behind=True, paint="glass", wobble=7),
    ),
    "flippers": (
        Part("flipper", "leaf", 52, (0.2, 0.42), out=0.6, turn=14, mirror=True, behind=True, paint="accent", wobble=9),
        Part("low_flipper", "leaf", 128, (0.17, 0.33), out=0.6, mirror=True, behind=True, paint="accent", wobble=9),
        Part("head", "egg", 0, (0.24, 0.3), out=0.6, behind=True, paint="accent", wobble=7),
        Part("tail", "triangle", 180, (0.1, 0.16), out=0.7, behind=True, paint="accent"),
    ),
    # seen from the side, facing left
    "tail fin": (
        Part("tail", "fan", 90, (0.46, 0.4), out=0.75, behind=True, paint="accent", wobble=9),
        Part("back_fin", "fan", 14, (0.34, 0.26), out=0.35, behind=True, paint="accent", wobble=5),
        Part("belly_fin", "fan", 165, (0.2, 0.2), out=0.5, behind=True, paint="accent", wobble=7),
    ),
    "side eye": (
        _inside("eye", "disc", 282, (0.14, 0.14), reach=0.66, paint="light"),
        _inside("pupil", "disc", 282, (0.08, 0.08), reach=0.68, paint="dark", shaded=False),
    ),
    "foot": (
        Part("foot", "box", 200, (1.15, 0.2), upright=True, reach=0.92, paint="pale", behind=True, wobble=1),
        Part("neck", "box", 247, (0.17, 0.5), upright=True, reach=1.16, paint="pale", turn=-14, behind=True),
        Part("feeler", "box", 278, (0.04, 0.24), upright=True, reach=1.3, paint="pale", turn=-24, behind=True),
        Part("feeler2", "box", 285, (0.04, 0.24), upright=True, reach=1.2, paint="pale", turn=10, behind=True),
    ),
    "side beak": (
        Part("beak", "triangle", 296, (0.16, 0.3), out=0.5, paint="beak", wobble=5),
    ),
    "side wing": (_inside("wing", "spindle", 95, (0.55, 0.3), reach=0.2, turn=14, paint="second"),),
    "perch": (
        Part("leg", "box", 172, (0.045, 0.3), upright=True, reach=1.15, mirror=True, behind=True, paint="beak", wobble=3),
        Part("tail", "fan", 98, (0.26, 0.46), out=0.6, behind=True, paint="second", wobble=8),
    ),
    # things
    "lamp stand": (
        Part("pole", "box", 180, (0.07, 0.62), out=0.8, behind=True, paint="wood", wobble=1),
        Part("base", "dome", 180, (0.42, 0.14), upright=True, reach=2.1, behind=True, paint="wood", wobble=1),
    ),
    "post": (Part("post", "box", 180, (0.08, 0.8), out=0.8, behind=True, paint="wood", wobble=1),),
    "sign": (_inside("word", "box", 0, (0.62, 0.16), reach=0.0, paint="light", shaded=False),),
    "sepals": (
        Part("sepal", "leaf", 0, (0.15, 0.3), reach=0.7, out=0.5, paint="green", wobble=9),
        Part("side_sepal", "leaf", 34, (0.15, 0.34), reach=0.8, out=0.2, turn=26, mirror=True, paint="green", wobble=9),
    ),
    "arms and pot": (
        Part("elbow", "box", 84, (0.3, 0.11), upright=True, reach=1.4, mirror=True, behind=True, wobble=0),
        Part("arm", "box", 66, (0.14, 0.36), upright=True, reach=1.75, mirror=True, behind=True, wobble=0),
        Part("pot", "box", 180, (0.55, 0.28), upright=True, reach=1.1, paint="wood", wobble=1),
    ),
    "cone": (Part("cone", "triangle", 180, (0.66, 0.85), out=0.7, behind=True, paint="wood", wobble=3),),
    "hub": (
        _inside("hub", "disc", 0, (0.34, 0.34), reach=0.0, paint="wood"),
        _inside("knob", "disc", 0, (0.12, 0.12), reach=0.0, paint="light"),
    ),
    "spout, handle and lid": (
        Part("spout", "leaf", 292, (0.17, 0.5), out=0.6, behind=True, wobble=4),
        Part("handle", "ring", 88, (0.38, 0.34), upright=True, reach=1.1, behind=True, wobble=4),
        Part("lid", "dome", 0, (0.45, 0.2), upright=True, reach=1.05, paint="second", wobble=1),
        Part("lid_knob", "disc", 0, (0.12, 0.12), reach=1.3, paint="dark", wobble=1),
    ),
    "three lights": (
        _inside("red", "disc", 0, (0.28, 0.25), reach=0.6, paint="nose"),
        _inside("amber", "disc", 0, (0.28, 0.25), reach=0.0, paint="beak"),
        _inside("green", "disc", 180, (0.28, 0.25), reach=0.6, paint="green"),
    ),
    "sails": (
        Part("sail", "box", 40, (0.13, 0.62), reach=0.15, out=1.0, mirror=True, paint="light", wobble=0),
        Part("low_sail", "box", 140, (0.13, 0.62), reach=0.15, out=1.0, mirror=True, paint="light", wobble=0),
        _inside("axle", "disc", 0, (0.13, 0.13), reach=0.0, paint="dark"),
    ),
    "mast and sail": (
        Part("mast", "box", 0, (0.05, 0.85), reach=0.8, out=0.8, behind=True, paint="wood", wobble=1),
        Part("sail", "triangle", 20, (0.5, 0.68), upright=True, reach=2.4, paint="light", wobble=3),
    ),
    "neck and label": (
        Part("neck", "box", 0, (0.17, 0.34), out=0.7, behind=True, wobble=0),
        Part("cap", "box", 0, (0.19, 0.1), out=6.0, behind=True, paint="accent", wobble=0),
        _inside("label", "box", 180, (0.4, 0.28), reach=0.15, paint="light"),
    ),
    "wheels and cabin": (
        Part("cabin", "dome", 0, (0.62, 0.42), upright=True, reach=1.15, behind=True, paint="main", wobble=0),
        Part("window", "box", 24, (0.19, 0.16), upright=True, reach=1.25, mirror=True, paint="glass", wobble=0),
        Part("wheel", "disc", 126, (0.27, 0.27), reach=0.9, mirror=True, paint="dark", wobble=0),
        Part("hub", "disc", 126, (0.12, 0.12), reach=0.9, mirror=True, paint="pale", wobble=0),
    ),
    "pot leaves": (
        Part("leaf", "leaf", 0, (0.2, 0.7), out=0.75, behind=True, paint="green", wobble=7),
        Part("side_leaf", "leaf", 34, (0.19, 0.7), out=0.7, mirror=True, behind=True, paint="green", wobble=9),
        Part("low_leaf", "leaf", 62, (0.17, 0.5), out=0.6, mirror=True, behind=True, paint="green", wobble=9),
    ),
    "screen": (
        _inside("screen", "box", 0, (0.82, 0.54), reach=0.0, paint="glass"),
        Part("foot", "triangle", 180, (0.34, 0.3), upright=True, reach=1.15, behind=True, paint="dark", wobble=0),
    ),
    "stalk": (Part("stalk", "box", 180, (0.3, 0.6), out=0.55, behind=True, paint="pale", wobble=3),),
    "handle": (
        Part("handle", "box", 180, (0.06, 0.72), out=0.6, behind=True, paint="dark", wobble=2),
        Part("tip", "triangle", 0, (0.07, 0.14), out=0.5, behind=True, paint="dark"),
    ),
    "basket": (
        Part("rope", "box", 168, (0.025, 0.3), out=0.7, turn=4, mirror=True, behind=True, paint="dark", wobble=0),
        Part("basket", "box", 180, (0.24, 0.19), out=2.9, paint="wood", wobble=2),
    ),
    "ribbon": (
        Part("ribbon", "box", 180, (0.03, 0.5), out=0.9, behind=True, paint="dark", wobble=6),
        Part("bow", "diamond", 180, (0.27, 0.13), out=2.8, behind=True, paint="accent", wobble=3),
        Part("low_bow", "diamond", 180, (0.22, 0.11), out=7.2, behind=True, paint="accent", wobble=3),
    ),
    "blossom": (
        Part("stem", "box", 180, (0.06, 0.6), out=0.8, reach=0.9, behind=True, paint="green", wobble=5),
        Part("leaf", "leaf", 168, (0.15, 0.4), out=1.3, turn=-46, reach=0.9, mirror=True, behind=True, paint="green", wobble=9),
        _inside("heart", "disc", 0, (0.3, 0.3), reach=0.0, paint="accent"),
    ),
}  # fmt: skip

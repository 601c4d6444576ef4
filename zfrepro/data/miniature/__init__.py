"""The miniature world: rendered images in the layout of ImageNet, with ground truth.

Classes are made of parts (body shape, surface texture, attached parts) over cluttered 1/f
backgrounds, in varied pose, scale, light and colour, so that mean colour or one pixel tells
nothing. Look at it with `python -m zfrepro.data.miniature --out FOLDER --contact-sheet FILE`.

From the classes to the files: `kinds` (the classes, as data), `parts`, `shapes`, `textures`
and `palette` (what they are made of), `scene` (one picture), `writer` (the tree).
"""

from zfrepro.data.miniature.writer import render

__all__ = ["render"]

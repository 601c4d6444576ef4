"""Damage as disks, copies and kills do it, and what came of reading the damaged file."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

PAGE = 4096
FLIPS, CUTS, ZEROED = 24, 4, 4


def damaged(content: bytes, seed: int = 0) -> Iterator[bytes]:
    """`content` with a bit flipped, cut off, and with a page of zeros, each some times."""
    rng = random.Random(seed)
    for _ in range(FLIPS):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        yield bytes(changed)
    for at in [0, *(rng.randrange(len(content)) for _ in range(CUTS - 1))]:
        yield content[:at]
    for _ in range(ZEROED):
        at = rng.randrange(len(content))
        yield content[:at] + bytes(len(content[at : at + PAGE])) + content[at + PAGE :]


def outcome(path: Path, read: Callable[[], object], right: Sequence[object]) -> tuple[str, object]:
    """What `read` makes of the file `path`, and the detail.

    Args:
        right: what it may give, all of it as good as without the damage.
    """
    try:
        found = read()
    except (OSError, ValueError) as error:
        said = str(error)
        clear = path.name in said and "\n" not in said
        return ("clear error" if clear else "other"), f"{type(error).__name__}: {said}"
    except Exception as error:
        return "other", repr(error)
    return ("survived" if found in right else "other"), "another result"

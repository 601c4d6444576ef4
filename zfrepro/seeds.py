"""Seeds of networks that are compared with each other."""

import hashlib


def member_seed(base: int, member: int | str) -> int:
    """The seed of one of several networks that differ in it alone; member 0 takes `base` itself.

    The others' have 31 bits. Studies of two bases share none, as with `base + member` they would.
    """
    if member == 0:
        return base
    digest = hashlib.sha256(f"{base}/{member}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1

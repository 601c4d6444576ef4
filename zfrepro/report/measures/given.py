"""The paper's numbers, for arithmetic."""

import math

from zfrepro import paper


def given(table: str, row: str, column: str) -> float:
    """One number of a table; NaN where the paper gives none."""
    found = paper.published(table, row, column)
    return math.nan if found is None else found

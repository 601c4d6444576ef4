"""Blocks of rows against the whole matrix."""

import pytest
import torch

from zfrepro.transfer import coordinates
from zfrepro.transfer.rows import Rows

N = 11


def lower(matrix: torch.Tensor, rows: int) -> Rows:
    """The lower triangle of a matrix, in blocks of so many rows."""
    starts = range(0, len(matrix), rows)
    return Rows([matrix[i : i + rows, : i + rows].tril(i).clone() for i in starts])


@pytest.fixture
def factor() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    found = torch.randn(N, N, generator=generator, dtype=torch.float64).tril()
    return found + 4 * torch.eye(N)


@pytest.mark.parametrize("rows", [1, 4, N])
def test_products_are_those_of_the_whole_matrix(factor: torch.Tensor, rows: int) -> None:
    blocks = lower(factor, rows)
    assert blocks.shape == (N, N)
    other = torch.arange(3.0 * N, dtype=torch.float64).view(N, 3)
    torch.testing.assert_close(blocks.times(other), factor @ other)
    torch.testing.assert_close(blocks.summed(other), factor.T @ other)
    torch.testing.assert_close(coordinates.solved(blocks, factor.T @ other), other)


@pytest.mark.parametrize("rows", [1, 4, N])
def test_the_factor_is_that_of_the_whole_matrix(factor: torch.Tensor, rows: int) -> None:
    gram = lower(factor @ factor.T, rows)
    coordinates.factorise(gram)
    for part, block in gram:
        expected = factor[part, : part.stop]
        torch.testing.assert_close(block.tril(part.start), expected)


def test_a_matrix_that_has_no_factor_is_refused(factor: torch.Tensor) -> None:
    for wrong in (-factor @ factor.T, factor @ factor.T * torch.nan):
        with pytest.raises(ValueError, match="not positive definite"):
            coordinates.factorise(lower(wrong, 4))

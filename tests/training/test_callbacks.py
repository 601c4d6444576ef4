"""What several processes agree upon before they train."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from zfrepro.training.callbacks import OneStart


def trainer(own: str | None, *others: int) -> Any:
    """Of a process that goes on from the checkpoint `own`; the others have these epochs."""

    def reduce(own: torch.Tensor, reduce_op: str) -> torch.Tensor:
        assert reduce_op == "sum"
        return own + sum(torch.tensor([epoch, epoch**2]) for epoch in others)

    return SimpleNamespace(
        ckpt_path=Path("work") / own if own else None,
        default_root_dir="work",
        world_size=1 + len(others),
        strategy=SimpleNamespace(root_device=torch.device("cpu"), reduce=reduce),
    )


@pytest.mark.parametrize(
    ("own", "others"), [(None, []), (None, [0, 0]), ("epoch-00012.ckpt", [12])]
)
def test_processes_that_start_from_one_epoch_train(own: str | None, others: list[int]) -> None:
    OneStart().setup(trainer(own, *others), SimpleNamespace(), "fit")


@pytest.mark.parametrize(
    ("own", "others"), [(None, [3]), ("epoch-00003.ckpt", [3, 2]), ("epoch-00003.ckpt", [2, 4])]
)
def test_processes_that_see_other_checkpoints_are_refused(
    own: str | None, others: list[int]
) -> None:
    with pytest.raises(ValueError, match="different last checkpoints in work, this one"):
        OneStart().setup(trainer(own, *others), SimpleNamespace(), "fit")

import itertools

import numpy as np
import pytest

from zfrepro.data.module import CentreBatches, EpochBatches, Plan, epoch_seed

SIZES = {"images": 103, "image_size": 64, "crop": 56}


def batches(
    epoch: int, seed: int = 0, rank: int = 0, world: int = 1, batch: int = 20
) -> list[Plan]:
    plans = EpochBatches(**SIZES, batch=batch, policy="ten", seed=seed, rank=rank, world=world)
    plans.set_epoch(epoch)
    assert len(plans) == 103 // batch
    return list(plans)


def indices(plans: list[Plan]) -> list[int]:
    return np.concatenate([plan.indices for plan in plans]).tolist()


def test_an_epoch_shows_each_image_at_most_once() -> None:
    seen = indices(batches(0))
    assert len(seen) == len(set(seen)) == 100
    assert set(seen) <= set(range(103))


def test_order_and_crops_follow_from_seed_and_epoch() -> None:
    first, again = batches(3), batches(3)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.indices, b.indices)
        np.testing.assert_array_equal(a.crops.tops, b.crops.tops)
        np.testing.assert_array_equal(a.crops.flips, b.crops.flips)
    assert indices(batches(3)) != indices(batches(4))
    assert indices(batches(3)) != indices(batches(3, seed=1))


def test_epoch_seeds_differ() -> None:
    seeds = {epoch_seed(seed, epoch) for seed, epoch in itertools.product(range(30), range(30))}
    assert len(seeds) == 900
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_processes_share_the_batches_of_one() -> None:
    alone = batches(2)
    shared = [batches(2, rank=rank, world=4) for rank in range(4)]
    for k, plan in enumerate(alone):
        parts = [shared[rank][k] for rank in range(4)]
        assert [len(part.indices) for part in parts] == [5, 5, 5, 5]
        np.testing.assert_array_equal(np.concatenate([p.indices for p in parts]), plan.indices)
        np.testing.assert_array_equal(
            np.concatenate([p.crops.lefts for p in parts]), plan.crops.lefts
        )


@pytest.mark.parametrize(
    ("batch", "world", "message"),
    [(200, 1, "training.batch is 200.*only 103"), (20, 3, "training.batch is 20.*3 processes")],
)
def test_batches_that_cannot_be_made(batch: int, world: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EpochBatches(**SIZES, batch=batch, policy="ten", seed=0, world=world)


@pytest.mark.parametrize("world", [1, 2, 3, 8, 103])
def test_validation_sees_every_image_exactly_once(world: int) -> None:
    parts = [CentreBatches(**SIZES, batch=20, rank=rank, world=world) for rank in range(world)]
    seen = [i for part in parts for plan in part for i in plan.indices.tolist()]
    assert sorted(seen) == list(range(103))
    assert all(len(part) == len(list(part)) for part in parts)
    assert all(len(part) > 0 for part in parts)  # Lightning leaves out a validation of no batches
    assert all((plan.crops.tops == 4).all() for part in parts for plan in part)


def test_processes_without_a_validation_image_are_refused() -> None:
    with pytest.raises(ValueError, match="103 validation images are too few for 104 processes"):
        CentreBatches(**SIZES, batch=20, rank=0, world=104)

"""Batches for training and validation: their order and crops are functions of (seed, epoch)."""

import hashlib
import math
from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from zfrepro.data import crops
from zfrepro.data.crops import Crops, Ints
from zfrepro.data.store import PreparedSet, Split
from zfrepro.lightning import pl


class Plan(NamedTuple):
    """What a batch is made of: B image numbers and their crops."""

    indices: Ints
    crops: Crops


class Batch(NamedTuple):
    """B uint8 crops (B, c, c, 3) with their places (B,) and labels (B,)."""

    images: Tensor
    tops: Tensor
    lefts: Tensor
    flips: Tensor
    labels: Tensor


def epoch_seed(seed: int, epoch: int) -> int:
    """A 63-bit seed for all that is random in one epoch."""
    digest = hashlib.blake2b(f"{seed}/{epoch}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


class EpochBatches(Sampler[Plan]):
    """The batches of one epoch, the same on any number of processes.

    The global batch k holds images `batch * k` to `batch * (k + 1)` of the epoch's permutation;
    process r of w reads the r-th of w equal parts. An incomplete last batch is left out.

    Raises:
        ValueError: fewer images than a batch, or a batch that the processes cannot share evenly.
    """

    def __init__(
        self, images: int, image_size: int, crop: int, *, batch: int, policy: str, seed: int,
        rank: int = 0, world: int = 1,
    ) -> None:  # fmt: skip
        if batch > images:
            raise ValueError(f"training.batch is {batch}, but there are only {images} images")
        if batch % world:
            raise ValueError(f"training.batch is {batch}, which {world} processes cannot share")
        self._images, self._image_size, self._crop = images, image_size, crop
        self._batch, self._policy, self._seed = batch, policy, seed
        self._rank, self._epoch = rank, 0
        self.share = batch // world

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._images // self._batch

    def __iter__(self) -> Iterator[Plan]:
        rng = np.random.default_rng(epoch_seed(self._seed, self._epoch))
        order = rng.permutation(self._images)
        drawn = crops.draw(self._policy, self._images, self._image_size, self._crop, rng)
        for k in range(len(self)):
            start = k * self._batch + self._rank * self.share
            rows = order[start : start + self.share]
            yield Plan(rows, drawn[rows])


class CentreBatches(Sampler[Plan]):
    """Centre crops of all images in order, each on exactly one process (no padding).

    Process r of w sees every w-th image from the r-th on: none is left without.

    Raises:
        ValueError: fewer images than processes.
    """

    def __init__(
        self, images: int, image_size: int, crop: int, *, batch: int, rank: int = 0, world: int = 1
    ) -> None:
        if images < world:
            raise ValueError(f"{images} validation images are too few for {world} processes")
        self._rows, self._batch = np.arange(rank, images, world), batch
        self._centre = crops.centre_crop(image_size, crop)

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._batch)

    def __iter__(self) -> Iterator[Plan]:
        for start in range(0, len(self._rows), self._batch):
            rows = self._rows[start : start + self._batch]
            yield Plan(rows, self._centre[np.zeros(len(rows), dtype=np.int64)])


class CropDataset(Dataset[Batch]):
    """Reads a whole batch at once: only the pixels of the crops leave the store."""

    def __init__(self, split: Split, crop: int) -> None:
        self._split, self._crop = split, crop

    def __getitem__(self, plan: Plan) -> Batch:
        places = plan.crops
        images = self._split.read(plan.indices, places.tops, places.lefts, self._crop)
        return Batch(
            torch.from_numpy(images),
            torch.from_numpy(places.tops),
            torch.from_numpy(places.lefts),
            torch.from_numpy(places.flips),
            torch.from_numpy(self._split.labels[plan.indices]),
        )


class PreparedData(pl.LightningDataModule):
    """Training and validation batches of a prepared set."""

    def __init__(
        self, prepared: PreparedSet, *, crop: int, batch: int, policy: str, seed: int, workers: int
    ) -> None:
        super().__init__()
        self._prepared, self._crop = prepared, crop
        self._batch, self._policy, self._seed, self._workers = batch, policy, seed, workers

    def train_dataloader(self) -> DataLoader[Batch]:
        split = self._prepared.split("train")
        rank, world = self._process()
        plans = EpochBatches(
            len(split), self._prepared.image_size, self._crop,
            batch=self._batch, policy=self._policy, seed=self._seed, rank=rank, world=world,
        )  # fmt: skip
        return self._loader(split, plans)

    def val_dataloader(self) -> DataLoader[Batch]:
        split = self._prepared.split("val")
        rank, world = self._process()
        plans = CentreBatches(
            len(split), self._prepared.image_size, self._crop,
            batch=self._batch, rank=rank, world=world,
        )  # fmt: skip
        return self._loader(split, plans)

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        if (
            device.type == "cpu"
        ):  # where Lightning's walk through the batch costs a small net's time
            return batch
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved

    def _process(self) -> tuple[int, int]:
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer else (0, 1)

    def _loader(self, split: Split, plans: Sampler[Plan]) -> DataLoader[Batch]:
        return DataLoader(
            CropDataset(split, self._crop),
            batch_size=None,  # a plan is a whole batch
            # with batch_size None the sampler's items reach the dataset as they are
            sampler=cast("Sampler[int]", plans),
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            pin_memory=torch.cuda.is_available(),
            # the loader draws a seed for its workers: not from the generator that dropout uses
            generator=torch.Generator(),
        )

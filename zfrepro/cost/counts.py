"""What can be counted from a configuration and the number of images; nothing here needs torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from zfrepro.data.sources.published import Size
from zfrepro.models import geometry

Config = Mapping[str, Any]

FLOP = 2  # of a multiply-add
TRAINING = 3  # forward passes in a training step: the way back costs two, for inputs and weights
FLOAT = 4  # bytes: weights, gradients and momenta stay in 32 bits whatever the activations are
POOL_INDEX = 8  # bytes that max pooling keeps for each output, to find its way back
CROPS = 10  # of each image, in an evaluation
VIEWS = 2  # files of predictions for a split: one centre crop, and the average over ten
CHECKPOINTS = 2  # of its last epochs, that a training keeps
PREDICTION = 100  # bytes of a stored prediction beside the probabilities: path, label, five best
# of the same pixels as an array: ImageNet at 256 pixels has 40 GB as JPEGs of quality 90
JPEG_SHARE = 40 / 262


@dataclass(frozen=True)
class Net:
    """A network, by its table of layers."""

    rows: tuple[geometry.Row, ...]

    @classmethod
    def of(cls, config: Config, classes: int) -> "Net":
        """Raises ValueError where `geometry.table` does."""
        model = config["model"]
        return cls(
            tuple(
                geometry.table(
                    model["layers"],
                    classes=classes,
                    crop=config["crop"],
                    pool=model["pool"],
                    normalisation=model["normalisation"],
                )
            )
        )

    @cached_property
    def parameters(self) -> int:
        return geometry.parameters(self.rows)

    @cached_property
    def flops(self) -> int:
        """Of one image's way forward, in convolutions and full layers."""
        return FLOP * sum(row.multiply_adds for row in self.rows)

    def flops_to(self, *layers: str) -> int:
        """The same as far as the last of `layers`."""
        last = max(i for i, row in enumerate(self.rows) if row.layer in layers)
        return FLOP * sum(row.multiply_adds for row in self.rows[: last + 1])

    @property
    def architecture(self) -> tuple[tuple[object, ...], ...]:
        """Equal for nets that compute the same, whatever their layers are called."""
        return tuple(
            (row.kind, row.inputs, row.outputs, row.parameters, row.multiply_adds)
            for row in self.rows
        )

    def weight_bytes(self) -> int:
        """Memory of the weights, their gradients and their momenta."""
        return 3 * FLOAT * self.parameters

    def passing_bytes(self, images: int) -> int:
        """Memory of a way forward that keeps nothing: a layer's input and output, in 32 bits."""
        return FLOAT * images * max(prod(row.inputs) + prod(row.outputs) for row in self.rows)

    def activation_bytes(self, images: int, number: int) -> int:
        """Memory of what a training step keeps of `images` images for its way back.

        An estimate: one copy of every layer's output, `number` bytes each.
        """
        pixels = number * prod(self.rows[0].inputs)
        maps = sum(
            prod(row.outputs) * (number + POOL_INDEX * (row.kind == "pool")) for row in self.rows
        )
        return images * (pixels + maps)


@dataclass(frozen=True)
class Work:
    """What a training goes through, validation after each epoch included."""

    size: Size
    epochs: int
    batch: int

    @property
    def steps(self) -> int:
        """An incomplete last batch is left out."""
        return self.epochs * (self.size.train // self.batch)

    @property
    def train_images(self) -> int:
        return self.steps * self.batch

    @property
    def val_images(self) -> int:
        return self.epochs * self.size.val

    def flops(self, net: Net) -> int:
        return net.flops * (TRAINING * self.train_images + self.val_images)


def evaluated_images(size: Size) -> int:
    """Images that one network is evaluated on: all for validation, and as many for training."""
    return size.val + min(size.val, size.train)


def prepared_bytes(size: Size, image_size: int, storage: str) -> int:
    """Disk of the prepared images ("uint8": an array, "jpeg": packed files, an estimate)."""
    array = (size.train + size.val) * image_size**2 * geometry.CHANNELS
    return array if storage == "uint8" else round(array * JPEG_SHARE)


def checkpoint_bytes(net: Net) -> int:
    """One state of a training: weights and momenta."""
    return 2 * FLOAT * net.parameters


def weights_bytes(net: Net, image_size: int) -> int:
    """A run's `weights.pt`: the weights and the mean image."""
    return FLOAT * (net.parameters + image_size**2 * geometry.CHANNELS)


def prediction_bytes(size: Size) -> int:
    """One network's predictions: every class's probability for each image and view."""
    return VIEWS * evaluated_images(size) * (FLOAT * size.classes + PREDICTION)

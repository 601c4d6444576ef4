"""How fast a machine trains a network, and what a training then takes."""

from dataclasses import dataclass, replace

from zfrepro.cost.counts import Work


@dataclass(frozen=True)
class Speed:
    """Seconds, all of them."""

    train_image: float  # a training image's share of its step
    val_image: float
    checkpoint: float  # written after each epoch
    how: str  # "measured", "scaled" or the GPU's name

    def training(self, work: Work) -> float:
        """Training itself, as run.json counts it: with validation, without checkpoints."""
        return self.train_image * work.train_images + self.val_image * work.val_images

    def stage(self, work: Work, around: float) -> float:
        """The whole process, of which `around` seconds are its start and its end."""
        return around + self.training(work) + self.checkpoint * work.epochs

    def of_one(self, devices: int) -> "Speed":
        """That of one of the `devices` that it is of."""
        return replace(
            self, train_image=self.train_image * devices, val_image=self.val_image * devices
        )

    def scaled(self, flops: float, parameters: float) -> "Speed":
        """That of a net with `flops` times the operations and `parameters` times the weights."""
        return replace(
            self,
            train_image=self.train_image * flops,
            val_image=self.val_image * flops,
            checkpoint=self.checkpoint * parameters,
            how="scaled",
        )

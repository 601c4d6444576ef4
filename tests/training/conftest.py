"""120 small images in 4 classes that a net learns in seconds, and a run's configuration."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zfrepro import config
from zfrepro.data.store import PreparedSet

CLASSES, SIZE = 4, 64


class TinySplit:
    """Stripes of four directions with noise; the interface of `store.Split`."""

    def __init__(self, name: str, images: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.name = name
        self.labels = np.arange(images) % CLASSES
        self.paths = [f"{label}/{i}.png" for i, label in enumerate(self.labels)]
        y, x = np.mgrid[:SIZE, :SIZE] / 3
        waves = np.stack([np.sin(a * y + b * x) for a, b in [(1, 0), (0, 1), (1, 1), (1, -1)]])
        noise = rng.normal(0, 30, (images, SIZE, SIZE, 3))
        self._images = (127 + 60 * waves[self.labels][..., None] + noise).clip(0, 255)
        self._images = self._images.astype(np.uint8)

    def __len__(self) -> int:
        return len(self.labels)

    def paths_of(self, indices: Any) -> list[str]:
        return [self.paths[i] for i in indices]

    def read(
        self, indices: Any, tops: Any = None, lefts: Any = None, crop: int | None = None
    ) -> Any:
        if crop is None:
            return self._images[indices]
        places = zip(indices, tops, lefts, strict=True)
        return np.stack([self._images[i, t : t + crop, x : x + crop] for i, t, x in places])

    def mean(self) -> Any:
        return self._images.mean(0).astype(np.float32)


class TinySet:
    """The interface of `store.PreparedSet`."""

    def __init__(self) -> None:
        self._splits = {"train": TinySplit("train", 120, 0), "val": TinySplit("val", 42, 1)}
        self.folder = Path("tiny")
        self.mean = self._splits["train"].mean()
        self.classes = tuple((f"n{i:08}", f"stripe {i}") for i in range(CLASSES))
        self.image_size = SIZE
        self.manifest: dict[str, Any] = {"fingerprint": "tiny", "digest": "tiny"}
        self.manifest |= {"source": "stripes", "filter": "bicubic", "splits": self._splits}

    def split(self, name: str) -> TinySplit:
        return self._splits[name]


@pytest.fixture(scope="session")
def tiny() -> PreparedSet:
    return TinySet()  # type: ignore[return-value]


@pytest.fixture
def tiny_config() -> dict[str, Any]:
    """A ZFNet of an eighth of the width, four epochs of four batches, in fp32."""
    return config.compose_experiment(
        "tab3_zfnet",
        [
            "profile=smoke",
            "model.width=0.125",
            "training.epochs=4",
            "training.batch=30",
            "training.precision=32-true",
            "trainer.progress=none",
        ],
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"

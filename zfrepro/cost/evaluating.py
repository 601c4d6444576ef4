"""Evaluates some images as stage `evaluate` does, to know what a network takes to see one."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from zfrepro.cost.images import listing
from zfrepro.models.memory import keep_freed_memory
from zfrepro.training.fit import build_net
from zfrepro.training.trained import Trained, view_probabilities, views

BATCH = 64  # images, as in the stage
PIXELS = 1_000_000  # of the crops in a measurement: fewer images where they are large


def seconds_per_image(config: Mapping[str, Any], classes: int, device: torch.device) -> float:
    """Of an untrained net of `config` in 32 bits; ten crops an image."""
    keep_freed_memory()
    size, crop = config["data"]["image_size"], config["crop"]
    net = build_net(config, classes).eval().to(memory_format=torch.channels_last)
    trained = Trained(
        net=net, mean=torch.full((size, size, 3), 128.0), image_size=size, crop=crop, classes=[],
        resize_filter="",
    ).to(device)  # fmt: skip
    images = listing(max(4, min(BATCH, PIXELS // crop**2)), (size, size)).images
    places = views("ten", size, crop)
    started = 0.0
    for _ in range(2):  # the first time warms up
        started = time.perf_counter()
        view_probabilities(trained, np.ascontiguousarray(images), places)
    return (time.perf_counter() - started) / len(images)

"""Training steps of the full-width ZFNet at 224, batch 64: images a second.

    python benchmarks/training_step.py

Ours, as trained by `zfrepro.train` (bf16 autocast, channels_last, LRN), and the same without
normalisation, against pytorchcv's `zfnet` in plain fp32 PyTorch. A step is forward, loss, backward
and SGD with momentum, for ours with filter clipping. Each net lives in a process of its own, as a
user would run it, and they take turns, so a busy machine slows all of them alike: read the ratios.
Writes benchmarks/results/training_step.json.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PEER, OURS, BARE = "pytorchcv", "ours", "ours without normalisation"
TURNS = [PEER, *4 * [OURS, BARE]]  # one round, a step each
BATCH, CROP, CLASSES = 64, 224, 1000
RESULT = Path(__file__).parent / "results" / "training_step.json"

Step = Callable[[], None]


def pytorchcv_step() -> Step:
    """What plain PyTorch does with the published code: fp32, the default memory layout."""
    import torch
    from pytorchcv.model_provider import get_model

    net = get_model("zfnet")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    images, labels = batch()

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()

    return step


def our_step(normalisation: str) -> Step:
    """The step of `zfrepro.training`, without Lightning."""
    import torch

    from zfrepro.config import compose
    from zfrepro.models.clipping import clip_filters, convolutions
    from zfrepro.models.convnet import build
    from zfrepro.models.memory import keep_freed_memory

    keep_freed_memory()
    torch.set_flush_denormal(True)
    config = compose(["+experiment=tab3_zfnet", "model.width=1.0"])
    spec = {**config["model"], "normalisation": normalisation}
    net = build(**spec, classes=CLASSES, crop=CROP).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True
    )
    images, labels = batch()
    images = images.to(memory_format=torch.channels_last)
    convs = convolutions(net)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(images)
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        clip_filters(convs)

    return step


def batch() -> tuple[Any, Any]:
    """Images (64, 3, 224, 224) in [-128, 128] and labels (64,)."""
    import torch

    torch.manual_seed(0)
    images = torch.rand(BATCH, 3, CROP, CROP) * 256 - 128
    return images, torch.randint(0, CLASSES, (BATCH,))


def serve(name: str, pipe: Connection) -> None:
    """Worker: takes a step for each True received, and sends its images a second."""
    makers: dict[str, Callable[[], Step]] = {
        PEER: pytorchcv_step,
        OURS: lambda: our_step("lrn"),
        BARE: lambda: our_step("none"),
    }
    step = makers[name]()
    while pipe.recv():
        start = time.perf_counter()
        step()
        pipe.send(BATCH / (time.perf_counter() - start))


def start(name: str) -> Connection:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=serve, args=(name, there), daemon=True).start()
    there.close()  # so that a worker that fails is noticed
    return here


def play_round(pipes: dict[str, Connection]) -> dict[str, list[float]]:
    """Images a second of each net's steps in one round."""
    speeds: dict[str, list[float]] = {name: [] for name in pipes}
    for name in TURNS:
        pipes[name].send(True)
        speeds[name].append(pipes[name].recv())
    return speeds


def measure(rounds: int) -> dict[str, list[float]]:
    """Images a second of each net, step for step, after a round that does not count."""
    pipes = {name: start(name) for name in (PEER, OURS, BARE)}
    play_round(pipes)
    played = [play_round(pipes) for _ in range(rounds)]
    for pipe in pipes.values():
        pipe.send(False)
    return {name: [each for speeds in played for each in speeds[name]] for name in pipes}


def summary(speeds: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, and the ratios asked for; that to the net without LRN over neighbouring steps."""
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    pairs = zip(speeds[OURS], speeds[BARE], strict=True)
    return {
        "images_per_second": medians,
        "ours / pytorchcv": medians[OURS] / medians[PEER],
        "ours / ours without normalisation": statistics.median(a / b for a, b in pairs),
        "steps": speeds,
    }


def main() -> None:
    import torch

    from zfrepro.files import write_json

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    result = summary(measure(parser.parse_args().rounds))
    result |= {"threads": torch.get_num_threads(), "torch": torch.__version__}
    write_json(RESULT, result)
    for name, figure in result["images_per_second"].items():
        print(f"{name:30} {figure:7.1f} images/s")
    print(f"ours / pytorchcv: {result['ours / pytorchcv']:.1f} (at least 7)")
    print(f"with LRN / without: {result['ours / ours without normalisation']:.3f} (at least 0.85)")


if __name__ == "__main__":
    main()

"""What Lightning, callbacks, checkpoints and tracking cost over a bare loop: epochs of training.

    python -m benchmarks.overhead [SIZE ...]

Both loops read the same prepared images by the same plan, and both train, count errors, validate
and save their state once an epoch, to a new file; ours does it by `zfrepro.training.fit` with live
MLflow tracking. Each lives in a process of its own and they take turns of a few epochs, long enough
for the tracking of an epoch to fall into the next. A busy machine slows both: read the ratios.
At the miniature's size a step takes milliseconds: that is the hard case; at full width a second.
There half a gigabyte is written after each epoch, which in earnest is a thousand times as long.
Writes benchmarks/results/overhead.json.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

RESULT = Path(__file__).parent / "results" / "overhead.json"


class Size(NamedTuple):
    """How large the net, the images and the measurement are."""

    overrides: list[str]
    train: int  # images
    val: int
    epochs: int  # of each turn
    turns: int  # of each loop; the first does not count


SIZES = {
    "miniature": Size(["profile=miniature"], train=3000, val=1000, epochs=2, turns=31),
    "full width": Size(
        ["profile=miniature", "model.width=1.0", "data.image_size=256", "training.batch=64"],
        train=960, val=64, epochs=1, turns=9,
    ),
}  # fmt: skip


def make_set(folder: Path, size: int, train: int, val: int) -> None:
    """A prepared set of noise, in the store's own format."""
    import numpy as np
    from PIL import Image

    from zfrepro.data.prepare import prepare
    from zfrepro.data.sources import open_source

    rng = np.random.default_rng(0)
    for split, images in (("train", train), ("val", val)):
        for number in range(images):
            path = folder / "tree" / split / f"class{number % 20:02}" / f"{number:06}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(256, size=(size, size, 3), dtype=np.uint8)).save(path)
    source = open_source(
        {"name": "folder", "root": folder / "tree", "val_share": 0.1, "split_seed": 0}
    )
    prepare(
        source, folder / "prepared", image_size=size, filter="bicubic", storage="uint8",
        jpeg_quality=90, workers=2, progress=False,
    )  # fmt: skip


def bare(config: dict[str, Any], folder: Path, epochs: int, report: Callable[[], None]) -> None:
    """The loop as one would write it by hand around the same net and batches."""
    import torch

    from zfrepro.data.crops import subtract_mean
    from zfrepro.data.module import PreparedData
    from zfrepro.data.store import PreparedSet
    from zfrepro.models.clipping import clip_filters, convolutions
    from zfrepro.models.memory import keep_freed_memory
    from zfrepro.training.fit import build_net
    from zfrepro.training.precision import choose_precision

    keep_freed_memory()
    torch.set_flush_denormal(True)
    prepared = PreparedSet.open(folder / "prepared")
    training = config["training"]
    net = build_net(config, len(prepared.classes)).to(memory_format=torch.channels_last)
    mean = torch.from_numpy(prepared.mean)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=training["lr"], momentum=training["momentum"],
        weight_decay=training["weight_decay"], fused=True,
    )  # fmt: skip
    data = PreparedData(
        prepared, crop=config["crop"], batch=training["batch"], policy=training["crops"],
        seed=0, workers=0,
    )  # fmt: skip
    mixed = choose_precision("auto", "cpu") == "bf16-mixed"
    loaders = data.train_dataloader(), data.val_dataloader()

    def loss_of(batch: Any) -> Any:
        images = subtract_mean(batch.images, mean, batch.tops, batch.lefts, batch.flips)
        with torch.autocast("cpu", torch.bfloat16, mixed):
            logits = net(images)
        loss = torch.nn.functional.cross_entropy(logits.float(), batch.labels)
        wrong = batch.labels[:, None] != logits.detach().topk(5).indices
        sums["loss"] += loss.item()
        sums["top1"] += int(wrong[:, 0].sum())
        sums["top5"] += int(wrong.all(1).sum())
        return loss

    sums = dict.fromkeys(("loss", "top1", "top5"), 0.0)
    for epoch in range(epochs):
        loaders[0].sampler.set_epoch(epoch)
        net.train()
        for batch in loaders[0]:
            optimizer.zero_grad()
            loss_of(batch).backward()
            optimizer.step()
            clip_filters(convolutions(net), training["max_filter_rms"])
        net.eval()
        with torch.no_grad():
            for batch in loaders[1]:
                loss_of(batch)
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
        # a file of its own, and the two last ones kept: what a kill must not cost has to be written
        torch.save(state, folder / f"bare-{epoch}.part")
        (folder / f"bare-{epoch}.part").rename(folder / f"bare-{epoch}")
        (folder / f"bare-{epoch - 2}").unlink(missing_ok=True)
        report()


def ours(config: dict[str, Any], folder: Path, epochs: int, report: Callable[[], None]) -> None:
    from zfrepro import tracking
    from zfrepro.data.store import PreparedSet
    from zfrepro.training.fit import fit

    prepared = PreparedSet.open(folder / "prepared")
    config["tracking"] |= {"uri": f"sqlite:///{folder}/mlflow.db", "artifacts": str(folder / "a")}
    config["training"]["epochs"] = epochs
    (folder / "run").mkdir(exist_ok=True)
    with tracking.track(config, "benchmark", prepared.manifest) as tracker:

        def note(row: dict[str, float]) -> None:
            tracker.log_epoch(row)
            report()

        fit(config, prepared, folder / "run", note)


def serve(kind: str, config: dict[str, Any], size: Size, folder: Path, pipe: Connection) -> None:
    """Worker: a turn's epochs, with all that belongs to them, whenever it is told to."""
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        if done % size.epochs == 0:
            pipe.send("done")
            pipe.recv()

    pipe.recv()
    {"bare": bare, "ours": ours}[kind](config, folder, size.epochs * size.turns, report)


def measure(size: Size) -> dict[str, list[float]]:
    """Seconds of each turn, the loops in alternation."""
    from zfrepro.config import compose

    config = compose(
        ["+experiment=tab3_zfnet", "trainer.progress=none", "trainer.threads=null", *size.overrides]
    )
    context = multiprocessing.get_context("spawn")
    seconds: dict[str, list[float]] = {"bare": [], "ours": []}
    with tempfile.TemporaryDirectory() as name:
        make_set(Path(name), config["data"]["image_size"], size.train, size.val)
        pipes, workers = {}, []
        for kind in seconds:
            pipes[kind], there = context.Pipe()
            args = (kind, config, size, Path(name), there)
            workers.append(context.Process(target=serve, args=args, daemon=True))
            workers[-1].start()
            there.close()  # so that a worker that fails is noticed
        for turn in range(size.turns):
            # whoever goes second runs on a warmer machine
            for kind in sorted(pipes, reverse=turn % 2 == 1):
                start = time.perf_counter()
                pipes[kind].send("go")
                pipes[kind].recv()
                seconds[kind].append(time.perf_counter() - start)
        for worker in workers:
            worker.kill()
            worker.join()
    return {kind: each[1:] for kind, each in seconds.items()}


def median_and_interval(values: list[float]) -> tuple[float, float, float]:
    """The median between the two order statistics that hold it in 95 % of samples."""
    ordered, spread = sorted(values), 0.98 * len(values) ** 0.5
    low = max(0, round(len(values) / 2 - spread))
    return ordered[low], statistics.median(values), ordered[-1 - low]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", help=f"{', '.join(SIZES)}; all if none is named")
    named = parser.parse_args().sizes or list(SIZES)
    result = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    for name in named:
        size = SIZES[name]
        seconds = measure(size)
        pairs = zip(seconds["ours"], seconds["bare"], strict=True)
        low, cost, high = median_and_interval([100 * (a / b - 1) for a, b in pairs])
        result[name] = {
            "ours / bare": 1 + cost / 100,
            "interval, percent": [low, high],
            "seconds": seconds,
        }
        print(
            f"{name}: an epoch takes {cost:+.1f} % longer than bare "
            f"(95 % interval {low:+.1f} to {high:+.1f})"
        )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

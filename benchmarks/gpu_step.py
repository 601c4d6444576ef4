"""Training steps on a GPU at width 1 and 224: images a second, share of the card's peak, kernels.

    python -m benchmarks.gpu_step [--batch 128 16]

Ours as `trainer=gpu` trains it, and what single choices cost: contrast normalisation, the filling
of uninitialised memory that `deterministic` brings, single precision, compiling. Beside it
torchvision's AlexNet and pytorchcv's ZFNet by the same optimiser in bf16. A step is forward, loss,
backward and SGD with momentum, for ours with filter clipping; images are on the device. Then the
kernels that take most of our step, and whole epochs by `zfrepro.training.fit`.
Writes benchmarks/results/gpu_step.json, which names the card. Without a GPU it says so.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parent / "results" / "gpu_step.json"
CROP, CLASSES, WARM, STEPS = 224, 1000, 10, 50
OURS = "ours"

Step = Callable[[], None]


def zfnet(normalisation: str = "lrn") -> Any:
    from zfrepro.config import compose
    from zfrepro.models.convnet import build

    model = compose(["+experiment=tab3_zfnet", "profile=paper", "data.root=."])["model"]
    return build(**{**model, "normalisation": normalisation}, classes=CLASSES, crop=CROP)


def alexnet() -> Any:
    from torchvision.models import alexnet as build

    return build(num_classes=CLASSES)


def pytorchcv() -> Any:
    from pytorchcv.model_provider import get_model

    return get_model("zfnet")


def step_of(
    net: Any, batch: int, precision: str, *, compiled: bool = False, plain_layout: bool = False
) -> Step:
    """A training step on random images, in bf16, fp32 or tf32; channels last, or not."""
    import torch

    from zfrepro.models.clipping import clip_filters, convolutions

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    layout = torch.contiguous_format if plain_layout else torch.channels_last
    net = net.cuda().to(memory_format=layout).train()
    optimizer = torch.optim.SGD(
        net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True
    )
    images = torch.rand(batch, 3, CROP, CROP, device="cuda").mul_(256).sub_(128)
    images = images.to(memory_format=layout)
    labels = torch.randint(0, CLASSES, (batch,), device="cuda")
    convs = convolutions(net)
    forward = torch.compile(net) if compiled else net

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, precision == "bf16"):
            logits = forward(images)
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        clip_filters(convs)

    return step


@contextmanager
def deterministic(fill: bool) -> Iterator[None]:
    """As Lightning's `deterministic="warn"` sets it; `fill`: uninitialised memory too."""
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = fill
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True


def seconds(step: Step) -> float:
    """Of one step, over STEPS of them."""
    import torch

    for _ in range(WARM):
        step()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(STEPS):
        step()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000 / STEPS


def variants(batch: int) -> Iterator[tuple[str, Callable[[], float]]]:
    """What is measured, by name."""

    def plain(net: Callable[[], Any], precision: str = "bf16", **how: bool) -> float:
        return seconds(step_of(net(), batch, precision, **how))

    def settled(*, fill: bool) -> float:
        with deterministic(fill):
            return plain(zfnet)

    yield OURS, lambda: settled(fill=False)
    yield "memory filled", lambda: settled(fill=True)
    # from here on any algorithm, which costs nothing worth the name
    yield "any algorithm", lambda: plain(zfnet)
    yield "normalisation by torch's operations", lambda: by_operations(plain)
    yield "without normalisation", lambda: plain(lambda: zfnet("none"))
    yield "compiled", lambda: plain(zfnet, compiled=True)
    yield "fp32", lambda: plain(zfnet, "fp32")
    yield "tf32", lambda: plain(zfnet, "tf32")
    yield "torchvision's AlexNet", lambda: plain(alexnet)
    # its flattening is a view, which channels last does not allow
    yield "pytorchcv's ZFNet", lambda: plain(pytorchcv, plain_layout=True)


def by_operations(plain: Callable[[Callable[[], Any]], float]) -> float:
    """Without the kernels of `zfrepro.models.lrn_kernels`."""
    from zfrepro.models import normalisation

    kernels, normalisation._kernels = normalisation._kernels, lambda _: None
    try:
        return plain(zfnet)
    finally:
        normalisation._kernels = kernels


def ratios(speeds: dict[str, float]) -> dict[str, float]:
    """Of images a second, ours as trained over each other variant."""
    return {
        f"ours / {name}": speeds[OURS] / speed for name, speed in speeds.items() if name != OURS
    }


def operations(batch: int) -> int:
    """Floating-point operations of our step, by torch's own counter."""
    from torch.utils.flop_counter import FlopCounterMode

    step = step_of(zfnet(), batch, "bf16")
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def kernels(batch: int) -> list[dict[str, Any]]:
    """The kernels that take most of our step, and the share of the device's time of each."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    with deterministic(fill=False):
        step = step_of(zfnet(), batch, "bf16")
        seconds(step)
        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiled:
            for _ in range(10):
                step()
            torch.cuda.synchronize()
    found = [each for each in profiled.key_averages() if each.self_device_time_total > 0]
    found = [each for each in found if str(each.device_type).endswith("CUDA")]
    total = sum(each.self_device_time_total for each in found)
    found.sort(key=lambda each: -each.self_device_time_total)
    return [
        {
            "kernel": each.key[:110], "calls": each.count / 10,
            "share": each.self_device_time_total / total,
            "milliseconds": each.self_device_time_total / 10_000,
        }
        for each in found[:14]
    ]  # fmt: skip


class Noise:
    """A prepared set of noise in memory, with the interface of `store.PreparedSet`."""

    def __init__(self, train: int, val: int) -> None:
        import numpy as np

        self.image_size, self.folder = 256, Path("noise")
        self.classes = tuple((f"n{i:08}", f"class {i}") for i in range(CLASSES))
        self.mean = np.full((256, 256, 3), 127, np.float32)
        self._sizes = {"train": train, "val": val}
        self.manifest = {"digest": "noise", "splits": self._sizes}

    def split(self, name: str) -> Any:
        return NoiseSplit(name, self._sizes[name])


class NoiseSplit:
    """Its images; the interface of `store.Split`."""

    def __init__(self, name: str, images: int) -> None:
        import numpy as np

        self.name, self._rng = name, np.random.default_rng(images)
        self.labels = np.arange(images) % CLASSES
        self._images = self._rng.integers(256, size=(images, 256, 256, 3), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, indices: Any, tops: Any = None, lefts: Any = None, crop: int = CROP) -> Any:
        import numpy as np

        places = zip(indices, tops, lefts, strict=True)
        return np.stack([self._images[i, t : t + crop, x : x + crop] for i, t, x in places])


def epochs(workers: int) -> list[float]:
    """Images a second of each epoch that `fit` trains, reading and checkpoints included."""
    from zfrepro.config import compose
    from zfrepro.training.fit import fit

    config = compose([
        "+experiment=tab3_zfnet", "profile=paper", "data.root=.", "trainer=gpu", "seed=0",
        f"trainer.workers={workers}", "trainer.progress=lines", "training.epochs=3",
        "training.snapshots=[]",
    ])  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(config, Noise(6400, 640), Path(folder), report=lambda _: None)  # type: ignore[arg-type]
    return [row["images_per_second"] for row in fitted.history]


def main() -> None:
    import torch

    from zfrepro.files import write_json

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[128, 16], help="default: 128 16")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA GPU here: nothing is measured")
        return
    result: dict[str, Any] = {"card": torch.cuda.get_device_name(), "torch": torch.__version__}
    for batch in args.batch:
        found: dict[str, float] = {}
        for name, measure in variants(batch):
            try:
                found[name] = batch / measure()
            except Exception as error:  # a peer that is not installed must not cost the others
                print(f"batch {batch}, {name}: {type(error).__name__}: {error}", flush=True)
            else:
                print(f"batch {batch}, {name}: {found[name]:.0f} images/s", flush=True)
        result[f"images_per_second, batch {batch}"] = found
        rate = operations(batch) * found[OURS] / batch / 1e12
        result[f"batch {batch}"] = {"teraflops": rate} | ratios(found)
        print(f"batch {batch}: {rate:.1f} TFLOP/s", flush=True)
        result[f"kernels, batch {batch}"] = kernels(batch)
        for row in result[f"kernels, batch {batch}"]:
            print(f"  {row['share']:6.1%} {row['calls']:5.1f} {row['kernel']}", flush=True)
    for workers in (0, 8):
        result[f"epochs, {workers} workers"] = epochs(workers)
        print(f"fit, {workers} workers: {result[f'epochs, {workers} workers']}", flush=True)
    write_json(RESULT, result)


if __name__ == "__main__":
    main()

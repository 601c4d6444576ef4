"""What GPUs that are not here would take: published peaks times a stated efficiency.

A rough estimate, by a factor of two either way: a step of an eight-layer network is as much
memory traffic (normalisation, pooling, the update of 60 million weights) as arithmetic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zfrepro.cost.counts import FLOAT, TRAINING, Net, checkpoint_bytes
from zfrepro.cost.speed import Speed

# Share of the peak that training reaches. The paper's 70 epochs in twelve days are 0.38 of the peak
# of its GTX 580; tensor cores wait for memory most of the time in nets of this kind.
EFFICIENCY = {"fp32": 0.4, "bf16": 0.15}
STEP = (
    0.004  # seconds in which a process starts a step's few hundred kernels, however fast they are
)
DISK = 1e9  # bytes a second, of checkpoints and features on their way to an SSD and back


class GpuError(ValueError):
    """A GPU that the table has not, or a number of them that cannot share the batch."""


@dataclass(frozen=True)
class Gpu:
    """Published peaks in TFLOP/s, dense; bf16 None where `training.precision: auto` gives fp32.

    `link` is the bandwidth of an all-reduce over several of one machine, in GB/s for each.
    """

    bf16: float | None
    fp32: float
    link: float


NVLINK_2, NVLINK_3, NVLINK_4, PCIE_3, PCIE_4 = 130, 230, 370, 8, 16
GPUS = {
    "gtx580": Gpu(None, 1.58, 4),  # the paper's
    "v100": Gpu(None, 15.7, NVLINK_2),  # its 125 TFLOP/s are of fp16
    "t4": Gpu(None, 8.1, PCIE_3),  # its 65 TFLOP/s are of fp16
    "rtx3090": Gpu(71, 35.6, PCIE_4),
    "rtx4090": Gpu(165, 82.6, PCIE_4),
    "l4": Gpu(121, 30.3, PCIE_4),
    "l40s": Gpu(362, 91.6, PCIE_4),
    "a10": Gpu(125, 31.2, PCIE_4),
    "a100": Gpu(312, 19.5, NVLINK_3),
    "h100": Gpu(989, 67, NVLINK_4),
    "h200": Gpu(989, 67, NVLINK_4),
}


def find(name: str) -> Gpu:
    """Raises GpuError, naming those there are."""
    if name.lower() not in GPUS:
        raise GpuError(f"there is no gpu={name}; it can be {', '.join(GPUS)}")
    return GPUS[name.lower()]


def number_format(gpu: Gpu, precision: str) -> str:
    """What `training.precision` computes in there: "bf16" or "fp32"."""
    wanted = precision in ("auto", "bf16-mixed")
    return "bf16" if wanted and gpu.bf16 is not None else "fp32"


def activation_bytes(name: str, precision: str) -> int:
    """Of a number that a training step keeps in there."""
    return 2 if number_format(find(name), precision) == "bf16" else FLOAT


def product_seconds(name: str) -> float:
    """Of a FLOP of a matrix product in 32 bits, on one of them."""
    return 1 / (find(name).fp32 * 1e12 * EFFICIENCY["fp32"])


def pass_seconds(name: str, net: Net) -> float:
    """Of an image's way forward on one of them where figures are made: in 32 bits, without TF32."""
    return net.flops * product_seconds(name)


def speed(name: str, count: int, net: Net, training: Mapping[str, Any]) -> Speed:
    """Of `count` such GPUs in one machine that share each batch.

    Raises:
        GpuError: no such GPU, or a batch that so many cannot share.
    """
    gpu, batch = find(name), training["batch"]
    if count < 1 or batch % count:
        raise GpuError(f"training.batch is {batch}, which gpus={count} cannot share evenly")
    kind = number_format(gpu, training["precision"])
    peak = gpu.fp32 if kind == "fp32" else gpu.bf16
    assert peak is not None  # noqa: S101  `number_format` has looked
    image = net.flops / (count * peak * 1e12 * EFFICIENCY[kind])
    # every gradient goes around the ring of GPUs twice, less its own part
    exchange = 2 * (count - 1) / count * FLOAT * net.parameters / (gpu.link * 1e9)
    return Speed(
        train_image=max(TRAINING * image + exchange / batch, STEP / batch),
        val_image=image,
        checkpoint=checkpoint_bytes(net) / DISK,
        how=name.lower(),
    )

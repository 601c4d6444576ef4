"""How long the stages beside training take: their demands at the speed of a machine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zfrepro.cores import cores
from zfrepro.cost import counts
from zfrepro.cost.counts import FLOAT, Net
from zfrepro.cost.demands import DEMANDS, Demand, Known
from zfrepro.cost.gpus import DISK
from zfrepro.cost.speed import Speed
from zfrepro.cost.table import Line
from zfrepro.elements.base import Passes

BATCH = 64  # images that a network sees at a time
MEASURED = "measured"
EVALUATION = 0.001  # seconds of a classifier's loss and gradient, however few the images are
AROUND = 8  # seconds of a stage that do not grow with the images: libraries, pictures, files


@dataclass(frozen=True)
class Rates:
    """Seconds, of the device that trains and draws, but for thumbnails and products: the CPU's."""

    passes: Mapping[str, float]  # of an image in 32 bits, by experiment
    alone: Speed  # of the network that the other sets are for, on a single device
    thumbnail: float  # of an image, in one process
    product: float  # of a FLOP of matrix products on the CPU
    fit: float  # the same where networks run, and classifiers are fitted
    at_once: int = 1  # networks that are trained anew on other sets
    gpus: int = 1  # that some figures, and classifiers, are shared out to


def names(sets: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each stage, and what its demand takes beside what is known: one `transfer` for each set."""
    for stage in DEMANDS:
        if stage == "transfer":
            yield from ((f"{stage}@{name}", (name,)) for name in sets)
        else:
            yield stage, ()


def line(stage: str, arguments: Sequence[str], known: Known, rates: Rates, state: str) -> Line:
    """What one stage costs."""
    kind = stage.partition("@")[0]
    demand = DEMANDS[kind](known, *arguments)
    nets = {each.network: known.nets[each.network] for each in demand.passes}
    elsewhere = kind in ("transfer", "probe")
    return Line(
        stage=stage,
        images=round(
            demand.thumbnails
            + sum(each.images for each in demand.passes)
            + sum(each.train + each.val for each in demand.retrained)
        ),
        forward_flops=None,
        flops=round(flops(demand, known)),
        parameters=None,
        weights_bytes=FLOAT * max((net.parameters for net in nets.values()), default=0),
        activation_bytes=max(
            demand.memory, *(net.passing_bytes(BATCH) for net in nets.values()), 0
        ),
        disk_bytes=demand.disk,
        checkpoint_bytes=0,
        training_seconds=None,
        stage_seconds=AROUND + seconds(demand, known, rates, elsewhere=elsewhere),
        speed=rates.alone.how if elsewhere or demand.passes else MEASURED,
        state=state,
    )


def flops(demand: Demand, known: Known) -> float:
    seen = sum(each.images * _flops(each, known.nets) for each in demand.passes)
    trained = sum(
        known.nets[each.network].flops * (counts.TRAINING * each.train + each.val)
        for each in demand.retrained
    )
    return seen + trained + demand.products + demand.fits


def seconds(demand: Demand, known: Known, rates: Rates, *, elsewhere: bool) -> float:
    """Of a demand alone, without what is around it."""
    total = demand.thumbnails * rates.thumbnail / cores()
    total += demand.products * rates.product + demand.moved / DISK
    total += (demand.fits * rates.fit + demand.evaluations * EVALUATION) / rates.gpus
    for each in demand.passes:
        whole = rates.alone.val_image if elsewhere else rates.passes[each.network]
        whole /= rates.gpus if demand.shared_out else 1
        share = _flops(each, known.nets) / known.nets[each.network].flops
        total += each.images * whole * share
    for retrained in demand.retrained:
        anew = retrained.train * rates.alone.train_image + retrained.val * rates.alone.val_image
        total += anew / rates.at_once
    return total


def _flops(passes: Passes, nets: Mapping[str, Net]) -> int:
    net = nets[passes.network]
    return net.flops_to(*passes.layers) if passes.layers else net.flops

"""What other reproductions report, and whether there AlexNet or ZFNet is ahead."""

from dataclasses import dataclass
from itertools import groupby

from zfrepro import paper

ALEXNET, ZFNET = "AlexNet", "ZFNet"


@dataclass(frozen=True)
class Comparison:
    """AlexNet and ZFNet of the same hand: top-1 errors in percent."""

    by: str
    alexnet: float
    zfnet: float

    @property
    def ahead(self) -> str:
        return ALEXNET if self.alexnet < self.zfnet else ZFNET

    @property
    def points(self) -> float:
        return round(abs(self.alexnet - self.zfnet), 2)


def comparisons() -> list[Comparison]:
    """The paper's, then that of each reproduction that trained both networks and cropped alike."""
    nets = [paper.published("table3", name, "val_top1") for name in ("tab3_alexnet", "tab3_zfnet")]
    assert nets[0] is not None and nets[1] is not None  # noqa: S101, PT018  the paper gives both
    found = [Comparison("the paper", nets[0], nets[1])]
    for (by, _), rows in groupby(paper.reproductions(), key=lambda row: (row["by"], row["crops"])):
        error = {row["network"]: float(row["val_top1"]) for row in rows}
        if {ALEXNET, ZFNET} <= set(error):
            found.append(Comparison(by, error[ALEXNET], error[ZFNET]))
    return found


def sentences() -> list[str]:
    """`imgclsmob: AlexNet 38.07, ZFNet 39.21; AlexNet is ahead by 1.14 points`, and the paper's."""
    return [
        f"{c.by}: {ALEXNET} {c.alexnet:g}, {ZFNET} {c.zfnet:g}; {c.ahead} is ahead by {c.points:g} "
        "points"
        for c in comparisons()
    ]


def spread() -> str:
    """The reproductions beside each other, whatever their crops: which AlexNet beats which ZFNet,
    and how far ZFNets lie apart.
    """
    errors = {
        network: sorted((float(row["val_top1"]), row["by"]) for row in _of(network))
        for network in (ALEXNET, ZFNET)
    }
    best, by = errors[ALEXNET][0]
    beaten = [f"{name} ({error:g})" for error, name in errors[ZFNET] if error > best]
    (low, _), (high, _) = errors[ZFNET][0], errors[ZFNET][-1]
    theirs = comparisons()[0]
    return (
        f"The best {ALEXNET} of the reproductions, {by}'s, has a top-1 error of {best:g} %. It is "
        f"ahead of {len(beaten)} of {len(errors[ZFNET])} {ZFNET}s of theirs"
        f"{': ' * bool(beaten)}{', '.join(beaten)}. Those {ZFNET}s lie {high - low:.1f} points "
        f"apart, and the paper's two networks {theirs.points:g}."
    )


def _of(network: str) -> list[dict[str, str]]:
    return [row for row in paper.reproductions() if row["network"] == network]

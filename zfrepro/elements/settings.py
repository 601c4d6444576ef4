"""Keys that the sections of several elements in conf/analysis.yaml have in common."""

from dataclasses import dataclass
from typing import Any

from zfrepro.keys import SEED, key

LAYER: dict[str, Any] = {"pattern": r"(conv|fc)\d+", "words": "a layer, conv1 or fc6 for example"}
LAYERS: dict[str, Any] = {
    "pattern": r"(conv|fc)\d+",
    "words": "a list of layers, conv1 or fc6 for example",
}
# conv1 is what its ReLU makes of it, pool1 and norm1 come after: the paper calls all of it layer 1
OUTPUTS: dict[str, Any] = {
    "pattern": r"(conv|pool|norm|fc)\d+",
    "words": "a list of layers' outputs: conv1 (after its ReLU), pool1, norm1 or fc7 for example",
}
EXPERIMENTS: dict[str, Any] = {"option_of": "experiment"}
NETWORK = "tab3_zfnet"
SEEDS = [f"tab2_zfnet_seed{member}" for member in range(1, 5)]  # the same network, trained anew


@dataclass
class OfNetwork:
    """A network and the images of the source that it is shown."""

    network: str = key("an experiment", NETWORK, **EXPERIMENTS)
    split: str = key("of the source", "val", one_of=("train", "val"))
    seed: int = key("of what is drawn at random", 0, **SEED)


@dataclass
class OfSample(OfNetwork):
    """Some of the images, and other networks that see them too."""

    others: list[str] = key("experiments, for the spread", SEEDS, **EXPERIMENTS)

    images: int = key(
        "at most a quarter of the split's, spread over the classes", 60, least=1, most=10**6
    )


@dataclass
class Square:
    side: int = key("pixels of a crop of 224", least=1, most=224)
    value: int = key("grey", least=0, most=255)

"""Keys of a training: the network, its recipe, where it runs, where it is filed."""

from dataclasses import dataclass
from typing import Any

from zfrepro.keys import SEED, flag, key, section
from zfrepro.schema.data import Images

NAME = r"[A-Za-z0-9][\w.-]*"
NAMED: dict[str, Any] = {
    "pattern": NAME,
    "words": "a name of letters, digits, dots, hyphens and underscores",
}


@dataclass
class Annealing:
    factor: float = key("the learning rate is multiplied by it when it falls", above=0, below=1)
    patience: int = key(
        "epochs without a better validation top-1 error, then the rate falls", least=0, most=100_000
    )
    min_lr: float = key("the learning rate falls no lower", least=0, most=100)
    milestones: list[int] | None = key(
        "epochs after which the rate falls instead, as a hand would have done it",
        least=1, most=100_000,
    )  # fmt: skip


@dataclass
class Training:
    epochs: int = key("times that all images are gone through", least=1, most=100_000)
    batch: int = key(
        "batch size: images of a step, shared out among processes", least=1, most=10**6
    )
    crops: str = key(
        "ten: one of the ten sub-crops, drawn anew each epoch; random: any place, any flip",
        one_of=("ten", "random"),
    )
    lr: float = key("learning rate at the start", above=0, most=100)
    momentum: float = key("share of the last step that is taken again", least=0, below=1)
    weight_decay: float = key("pull of the weights to 0, times the rate", least=0, below=1)
    annealing: Annealing = section("how the learning rate falls", Annealing)
    max_filter_rms: float | None = key(
        "filters of convolutions are clipped to this after each step; null: never",
        above=0,
        most=100,
    )
    snapshots: list[int] = key("epochs after which the weights are kept", least=1, most=100_000)
    recovery_factor: float | None = key(
        "where the loss jumps or the net dies, it goes back an epoch and the learning rate is "
        "multiplied by this; null: it goes on, as the paper's",
        above=0, most=1,
    )  # fmt: skip
    keep_best: Any = flag("keep the weights of the least validation error too, in best.pt")
    start: str | None = key(
        "a trained network to begin from: an experiment, a run's folder, a weights.pt or a "
        "published one; null: random weights",
        file=True,
    )
    frozen_up_to: str | None = key(
        "of that network the layers that stay as they are, up to this one; null: all learn",
        pattern=r"(conv|fc)\d+", words="a layer, conv5 or fc7 for example",
    )  # fmt: skip
    precision: str = key(
        "of the arithmetic; auto: bf16-mixed on a GPU that has it, else 32-true",
        one_of=("auto", "bf16-mixed", "32-true"),
    )


@dataclass
class Trainer:
    accelerator: str = key("what computes", "cpu", one_of=("cpu", "gpu", "auto"))
    devices: int = key(
        "GPUs of a machine, or processes on the CPU; -1: every GPU",
        1,
        least=1,
        most=1024,
        instead=-1,
    )
    nodes: int = key("machines", 1, least=1, most=4096)
    strategy: str = key("how processes share a training", "auto", one_of=("auto", "ddp"))
    workers: int = key("data loading processes for each training process", 0, least=0, most=256)
    progress: str = key(
        "auto: a bar on a terminal, else a line an epoch", "auto",
        one_of=("auto", "bar", "lines", "none"),
    )  # fmt: skip
    threads: int | None = key(
        "of each process on the CPU; null: its share of the cores", None, least=1, most=256
    )
    together: str = key(
        "none: a training stage makes its own run; cores: also others, a core each; all: all, a "
        "core each; gpus: all, a GPU each",
        "none", one_of=("none", "cores", "all", "gpus"),
    )  # fmt: skip


@dataclass
class Pool:
    kernel: int = key("side of the window of max pooling", least=1, most=64)
    stride: int = key("step of that window", least=1, most=64)
    ceil: Any = flag("whether a window over the edge counts, hence 110-55-26-13-6")


@dataclass
class Lrn:
    """x / (k + alpha * sum of x^2 over the window) ^ beta, as AlexNet's."""

    window: int = key("maps that are summed over", least=1, most=1023)
    k: float = key("added to the sum", above=0, most=1000)
    alpha: float = key("times the sum", least=0, most=1000)
    beta: float = key("exponent", least=0, most=10)


@dataclass
class Lcn:
    """Jarrett 2009's subtractive and divisive normalisation."""

    kernel: int = key("side of the Gaussian window", least=1, most=63)
    deviation: float = key("of the Gaussian, in pixels of the map", above=0, most=63)


@dataclass
class Layer:
    maps: int = key("of a convolution", absent=True, least=1, most=65_536)
    units: Any = key(  # OmegaConf cannot merge an open `int | str`
        "of a full layer; the last one has classes", absent=True, least=1, most=1_048_576,
        whole=True, instead="classes", words="a whole number from 1 to 1048576, or classes",
    )  # fmt: skip
    kernel: int = key("side of a convolution's filters", absent=True, least=1, most=64)
    stride: int = key("step of the filters", absent=True, least=1, most=64)
    padding: int = key("zeros around the map", absent=True, least=0, most=64)
    groups: int = key(
        "parts of the maps that do not see each other", absent=True, least=1, most=1024
    )
    then: list[str] = key(
        "what follows the layer, in order", absent=True, one_of=("relu", "pool", "norm", "drop")
    )


@dataclass
class Published:
    package: str = key("downloads the weights and checks them", one_of=("pytorchcv", "torchvision"))
    name: str = key("of the network in that package", **NAMED)
    url: str = key("where the weights are published", pattern="https?://.+", words="an address")
    weights: str | None = key(
        "a file fetched by hand instead; a relative path starts at the project's root", file=True
    )
    tensors: dict[str, str] = key("the modules of the file, by our layers")
    mean: list[float] = key("the input is (pixel / 255 - mean) / std", least=0, most=1, length=3)
    std: list[float] = key("by which each channel is divided", above=0, most=1, length=3)
    image_size: int = key("of the prepared images that it reads", least=16, most=4096)
    filter: str = key("that resizes them", one_of=("bilinear", "bicubic", "lanczos"))
    crop: int = key("its input, in pixels", least=16, most=4096)


@dataclass
class Model:
    name: str = key("of the network", **NAMED)
    width: float = key("multiplies the paper's numbers of maps and units", above=0, most=16)
    normalisation: str = key(
        "what `norm` stands for: lrn is AlexNet's, lcn Jarrett 2009's",
        one_of=("lrn", "lcn", "none"),
    )
    dropout: float = key(
        "share of units set to 0 in training, where a layer says drop", least=0, below=1
    )
    pool: Pool = section("max pooling", Pool)
    lrn: Lrn = key("local response normalisation", absent=True)
    lcn: Lcn = key("local contrast normalisation", absent=True)
    layers: dict[str, Layer | None] = key("the table of layers; null removes one")
    published: Published = key("weights that are evaluated as they are, never trained", absent=True)


@dataclass
class Tracking:
    enabled: Any = flag("whether runs are filed in MLflow", True)
    live: Any = flag("while they train; else all by stage publish", True)
    uri: str | None = key(
        "a tracking server or a database; null: $MLFLOW_TRACKING_URI, else mlflow.db here",
        None, file=True,
    )  # fmt: skip
    artifacts: str | None = key(
        "of new experiments' artifacts; null: mlartifacts/ beside SQLite, a server's own choice",
        None, file=True,
    )  # fmt: skip
    system: float | None = key(
        "seconds between two samples of the machine's load; null: none", 10, above=0, most=86_400
    )
    patience: float = key(
        "seconds that a finished training waits for the store before it leaves it to publish",
        60, least=0, most=86_400,
    )  # fmt: skip


@dataclass
class Paper:
    """The published numbers that stand beside ours."""

    table: str = key("files the run under this element of the paper", **NAMED)
    row: str = key("of that table", **NAMED)
    train_top1: float | None = key("its error in percent", least=0, most=100)
    val_top1: float | None = key("its error in percent", least=0, most=100)
    val_top5: float | None = key("its error in percent", least=0, most=100)


@dataclass
class Params:
    """params.yaml: how big this machine runs the study, and from which seed."""

    profile: str = key("how big this machine runs it", option_of="profile")
    seed: int = key("of the study", **SEED)


@dataclass
class Config:
    """One training."""

    name: str = key("the experiment; its run's name", **NAMED)
    profile: str = key("how big this machine runs it", option_of="profile")
    seed: int = key("of the study; member 0 takes it as it is", **SEED)
    member: int = key("of networks that differ in their seed alone", 0, least=0, most=9999)
    snapshots: list[int] = key(
        "epochs of figure 4, where an experiment asks for them", least=1, most=100_000
    )
    exclude_overlap: Any = flag("train without the images that the transfer sets hold too")
    crop: int = key("side of the network's input, in pixels", least=16, most=4096)
    data: Images = section("the images", Images)
    model: Model = section("the network", Model)
    training: Training = section("its recipe", Training)
    trainer: Trainer = section("where it runs", Trainer)
    tracking: Tracking = section("where it is filed", Tracking)
    paper: Paper = section("the published numbers", Paper)
    sets: dict[str, Any] = key("the images of tables 4 to 7, each as a group of conf/data/", {})

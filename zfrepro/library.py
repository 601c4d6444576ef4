"""Look into a network from Python: load, see, project, top_images, occlude, move.

    >>> from zfrepro import library
    >>> network = library.load("rendered_zfnet")
    >>> view = library.see(network, "docs/cat.jpg")
    >>> library.project(network, view, "conv5", 41).pixels.shape
    (112, 112, 3)

Arguments come in one order: the network, the image or images, the layer, the map. An image is the
path of a picture, a PIL image, or a prepared crop, uint8 (c, c, 3); or a `View`, which has been
through the network already. Maps are numbered from 0; a fully connected layer's units are maps of
one value, so that a class is a unit of the last layer.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as PilImage
from torch import Tensor, nn
from tqdm import tqdm

from zfrepro import arguments, networks
from zfrepro.data import picture
from zfrepro.elements.features.measure import windows_of
from zfrepro.elements.invariance import measure as invariance
from zfrepro.elements.occlusion import measure as occlusion
from zfrepro.inference import factories, inputs, published
from zfrepro.interp.chain import ChainError
from zfrepro.interp.deconv import Deconvnet, Picks, Projections, Seen, strongest
from zfrepro.interp.graph import Graph
from zfrepro.interp.graph_deconv import GraphDeconvnet, deconvnet
from zfrepro.interp.responses import respond, visit
from zfrepro.models.convnet import ConvNet
from zfrepro.training import archive
from zfrepro.training.checkpoints import SNAPSHOTS
from zfrepro.training.trained import Trained, centred
from zfrepro.training.trained import load as load_weights

Pixels: TypeAlias = npt.NDArray[np.uint8]
Picture: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]

BATCH = 64

log = logging.getLogger(__name__)
# of published networks: what torchvision's weights expect
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Layer:
    """A convolution or fully connected layer, with the ReLU after it.

    Of a network with branches it is the output of any module.

    `field` and `stride` are those of a unit in pixels of the crop; None: it sees the whole crop.
    """

    name: str
    maps: int
    height: int
    width: int
    field: int | None
    stride: int | None


class Scaled(nn.Module):
    """A net that divides pixels without their mean by `scale` itself, one number a channel."""

    scale: Tensor

    def __init__(self, net: nn.Module, scale: Sequence[float]) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("scale", torch.tensor(scale)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x / self.scale)
        return logits


@dataclass(frozen=True)
class Network:
    """A network with what it needs to read images.

    Args:
        name: as it was asked for.
        trained: the net, mean image, crop and class names.
        scale: what the net's input is divided by after the mean is taken off, one number a channel.
        weights: the file it was read from, if it was.
    """

    name: str
    trained: Trained
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    weights: Path | None = None

    @cached_property
    def deconvnet(self) -> Deconvnet | GraphDeconvnet:
        return deconvnet(self.trained.net, self.trained.crop)

    def to(self, device: torch.device) -> Network:
        """As `Trained.to`."""
        return replace(self, trained=self.trained.to(device))

    @property
    def whole(self) -> Trained:
        """The same for what knows of no `scale`: its net divides by it."""
        if set(self.scale) == {1.0}:
            return self.trained
        net = cast(ConvNet, Scaled(self.trained.net, self.scale).eval())  # of the same use
        return replace(self.trained, net=net)

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """By name, from the pixels up."""
        chain = self.deconvnet.chain
        x = self.trained.mean.new_zeros(1, 3, self.trained.crop, self.trained.crop)
        values, _ = respond(chain, x, chain.layers)
        found = {}
        for name, value in values.items():
            _, maps, height, width = (*value.shape, 1, 1)[:4]
            field = chain.field(name)
            sees = (field.size, field.stride) if field else (None, None)
            found[name] = Layer(name, maps, height, width, *sees)
        return found

    @property
    def blocks(self) -> list[str]:
        """Layers from the pixels up that stand for the network.

        A chain's convolutions and linear layers; with branches the ends of its blocks.
        """
        chain = self.deconvnet.chain
        return chain.blocks if isinstance(chain, Graph) else chain.layers

    @property
    def run(self) -> Path | None:
        """The folder of its run, if it is one's; of weights after an epoch too."""
        if self.weights is None:
            return None
        folder = self.weights.parent
        return folder.parent if folder.name == SNAPSHOTS else folder

    @property
    def crop(self) -> int:
        """Pixels across of what the network sees."""
        return self.trained.crop

    @property
    def classes(self) -> list[str]:
        return [inputs.class_name(self.trained, i) for i in range(len(self.trained.classes))]

    def inputs(self, crops: Pixels) -> Tensor:
        """The net's input (B, 3, c, c) for crops, uint8 (B, c, c, 3)."""
        return self.scaled(centred(self.trained, crops))

    def reader(self, images: Images) -> Callable[[Ints], Tensor]:
        """What gives the net's input (B, 3, c, c) for images of these numbers (B,)."""
        return lambda numbers: self.inputs(images.read(numbers, crop=self.crop))

    def pictures(self, images: Images) -> Callable[[Ints], Picture]:
        """What gives the same crops (B, c, c, 3) between 0 and 1."""

        def shown(numbers: Ints) -> Picture:
            return images.read(numbers, crop=self.crop).astype(np.float32) / np.float32(255)

        return shown

    def check(self, layer: str, maps: Iterable[int] = ()) -> None:
        """Raises ChainError where there is no such layer, or map of it; says which there are."""
        if layer not in self.layers:
            raise ChainError(f"there is no layer {layer}; there are {', '.join(self.layers)}")
        count = self.layers[layer].maps
        if missing := [number for number in maps if not 0 <= number < count]:
            raise ChainError(
                f"{layer} has no map {missing[0]}: it has {count}, numbered 0 to {count - 1}"
            )

    def grey(self, value: float) -> Tensor:
        """The net's input (3, c, c) for an image of this grey, 0 to 255, at every pixel."""
        return self.scaled(inputs.grey(self.trained, value)[None])[0]

    def scaled(self, values: Tensor) -> Tensor:
        """Pixels (B, 3, c, c) without their mean, as the net's input."""
        return values / values.new_tensor(self.scale)[:, None, None]


class View:
    """What a network makes of one image.

    Attributes:
        prepared: the image at the network's size, uint8 (S, S, 3).
        crop: its centre, which the network sees, uint8 (c, c, 3).
        probabilities: of the classes, float32 (classes,).
    """

    def __init__(self, network: Network, prepared: Pixels) -> None:
        self.network = network
        self.prepared = prepared
        self.crop: Pixels = picture.centre(prepared, network.crop)
        self.inputs = network.inputs(self.crop[None])
        with torch.inference_mode():
            logits = network.trained.net(self.inputs).float()
        self.probabilities: npt.NDArray[np.float32] = logits[0].softmax(0).numpy()
        self._seen: dict[str, Seen] = {}

    def seen(self, layer: str) -> Seen:
        """The layer's activations, and the switches of the pools below it; worked out once.

        Raises:
            ChainError: no such layer.
        """
        if layer not in self._seen:
            self._seen[layer] = self.network.deconvnet.see(self.inputs, layer)
        return self._seen[layer]

    def activations(self, layer: str) -> Picture:
        """After the ReLU, float32 (maps, h, w); of a fully connected layer (units, 1, 1)."""
        values = self.seen(layer).values[0].float()
        found: Picture = (
            values.reshape(*values.shape, 1, 1)[..., :1, :1].numpy()
            if (values.dim() == 1)
            else values.numpy()
        )
        return found

    def top(self, count: int = 3) -> list[tuple[str, float]]:
        """The most probable classes, and how probable they are."""
        classes = self.network.classes
        return [(classes[i], float(self.probabilities[i])) for i in self.order()[:count]]

    def order(self) -> list[int]:
        """All classes, the most probable first."""
        found: list[int] = np.argsort(-self.probabilities, kind="stable").tolist()
        return found


Image: TypeAlias = "str | Path | PilImage.Image | Pixels | View"


class Images(Protocol):
    """A set of images, such as a split of prepared ones (`data.store.Split`)."""

    def __len__(self) -> int: ...

    def read(self, indices: Ints, *, crop: int) -> Pixels:
        """Central crops, uint8 (B, crop, crop, 3), of the images with these numbers."""


@dataclass(frozen=True)
class Projection:
    """One activation, and the pixels that it comes from (section 2.1).

    Args:
        pixels: in units of the net's input, float32 (h, w, 3).
        patch: the same part of the image between 0 and 1, float32 (h, w, 3), NaN beyond its edge.
        top, left: first pixel of both in the crop.
        value, row, column: the activation, and its place in the map.
    """

    pixels: Picture
    patch: Picture
    top: int
    left: int
    value: float
    row: int
    column: int


@dataclass(frozen=True)
class TopImage(Projection):
    """A projection of one of a set's images, number `image`."""

    image: int


@dataclass(frozen=True)
class Moved:
    """What moving an image changes (section 4, figure 5).

    Args:
        crop: the moved image, between 0 and 1, float32 (c, c, 3).
        distances: by layer, Euclidean, of the activations to those of the image as it is.
        relative: the same in norms of those.
        probability, clean: of the image's most probable class, moved and as it is.
    """

    crop: Picture
    distances: dict[str, float]
    relative: dict[str, float]
    probability: float
    clean: float


def load(name: str | Path | Sequence[str], *, weights: str | None = None) -> Network:
    """A network by the words of the command line, or one of your own.

    Args:
        name: an experiment that has been trained, a run's folder, a weights.pt, the weights after
            an epoch in its snapshots/, a network that comes with the project,
            "model=torchvision_alexnet" and the like; or
            "package.module:factory", a function that returns a `Network` (see `wrap`) or an
            nn.Module, such as "torchvision.models:resnet18"; "timm:resnet50.a1_in1k".
        weights: for such a one, a file with a state dict, which may be inside a checkpoint, in half
            precision, or a .safetensors; it is loaded with `weights_only=True`.

    Raises:
        FileNotFoundError, ValueError: there is none, or it cannot be read; says what there is.

    >>> load("rendered_zfnet").layers["conv5"]
    Layer(name='conv5', maps=64, height=6, width=6, field=139, stride=16)
    """
    words = [str(name)] if isinstance(name, str | Path) else list(name)
    if arguments.is_factory(words[0]):
        return _made(words[0], weights)
    path = networks.weights_of(words)
    if path.parent.name != SNAPSHOTS:
        return Network(" ".join(words), load_weights(path), weights=path)
    last = load(path.parent.parent)
    return replace(copy_of(last, archive.read(path)), name=words[0], weights=path)


def wrap(
    net: nn.Module,
    name: str = "network",
    *,
    crop: int = 224,
    image_size: int = 256,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    classes: Sequence[str] = (),
    filter: str = "bilinear",
) -> Network:
    """A network of your own, evaluated as it stands.

    Args:
        net: takes images (N, 3, crop, crop): (pixel / 255 - mean) / std.
        image_size: pictures' shorter side before the centre of `crop` pixels is cut out.
        classes: names of its outputs; without them they are numbered.
        filter: of the reduction to `image_size`: bilinear, bicubic or lanczos.

    Raises:
        ValueError: it takes images of another size, or cannot be followed (`interp.graph`).

    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, stride=2), torch.nn.ReLU())
    >>> wrap(net, crop=32, image_size=32).layers["0"].field
    5
    """
    net = net.eval()
    try:
        with torch.inference_mode():
            outputs = net(torch.zeros(1, 3, crop, crop))
    except RuntimeError as error:
        why = archive.in_one_line(error)
        raise ValueError(f"{name} does not take images of {crop} pixels ({why})") from error
    names = list(classes) or [str(number) for number in range(outputs.shape[1])]
    if len(names) != outputs.shape[1]:
        raise ValueError(f"{len(names)} names for the {outputs.shape[1]} outputs of {name}")
    trained = Trained(
        net=cast(ConvNet, net),  # of the same use
        mean=(255 * torch.tensor(mean)).expand(image_size, image_size, 3).contiguous(),
        image_size=image_size,
        crop=crop,
        classes=[(each, each) for each in names],
        resize_filter=filter,
    )
    red, green, blue = (255 * float(value) for value in std)
    network = Network(name, trained, (red, green, blue))
    network.deconvnet  # noqa: B018  raises where it cannot be followed
    return network


def see(network: Network, image: Image) -> View:
    """What the network makes of an image.

    Raises:
        OSError, ValueError: no such picture, or none that can be read; names it.

    >>> view = see(load("rendered_zfnet"), "docs/cat.jpg")
    >>> view.crop.shape, view.activations("conv5").shape
    ((112, 112, 3), (64, 6, 6))
    """
    if isinstance(image, View):
        return image
    trained = network.trained
    if isinstance(image, str | Path):
        image = picture.load(Path(image))
    if isinstance(image, PilImage.Image):
        return View(network, picture.fitted(image, trained.image_size, trained.resize_filter))
    if image.shape == (network.crop, network.crop, 3) and image.dtype == np.uint8:
        margin = trained.image_size - network.crop
        before, after = margin // 2, margin - margin // 2
        sides = (before, after), (before, after), (0, 0)
        return View(network, np.pad(image, sides, mode="edge"))
    return see(network, PilImage.fromarray(image))


def project(
    network: Network,
    image: Image,
    layer: str,
    map: int,
    *,
    place: tuple[int, int] | None = None,
    window: bool = False,
    shuffled: int | None = None,
) -> Projection:
    """The pixels that an activation comes from, by the deconvnet.

    Args:
        place: row and column in the map; without one that of its peak.
        window: only what the unit sees, instead of the whole crop.
        shuffled: a seed: of the same network with the weights of each layer shuffled, as a control.

    Raises:
        ChainError: no such layer, map or place.

    >>> found = project(load("rendered_zfnet"), "docs/cat.jpg", "conv5", 41)
    >>> found.pixels.shape, found.row, found.column
    ((112, 112, 3), 1, 1)
    """
    view = see(network, image)
    if shuffled is not None:
        network = with_shuffled_weights(network, shuffled, layer)
        view = View(network, view.prepared)
    seen = view.seen(layer)
    picks = strongest(seen, [map])
    if place is not None:
        row, column = (torch.tensor([number]) for number in place)
        picks = Picks(picks.images, picks.maps, row, column)
    found = network.deconvnet.project(seen, picks)
    if not window:
        at = torch.zeros_like(found.tops)
        found = Projections(found.whole(network.crop, network.crop), at, at)
    (result,) = _projections(network, seen, picks, found, view.crop[None])
    return result


def peaks(
    network: Network,
    images: Images,
    layers: Sequence[str],
    *,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Picture]:
    """Of each layer the peak of every map in every image, float32 (images, maps); in one pass.

    Args:
        progress: told how many images are done; without it a bar is shown.
    """
    found: dict[str, list[Picture]] = {layer: [] for layer in layers}
    chain, total = network.deconvnet.chain, len(images)

    def take(layer: str, value: Tensor) -> None:
        highest = value.amax((2, 3)) if value.dim() == 4 else value.clone()
        found[layer].append(highest.float().numpy())

    with tqdm(total=total, unit="image", disable=True if progress else None) as bar:
        for start in range(0, total, BATCH):
            numbers = np.arange(start, min(start + BATCH, total))
            inputs_ = network.inputs(images.read(numbers, crop=network.crop))
            visit(chain, inputs_, layers, take)
            bar.update(len(numbers))
            if progress:
                progress(int(numbers[-1]) + 1)
    return {layer: np.concatenate(parts) for layer, parts in found.items()}


def top_images(
    network: Network,
    images: Images,
    layer: str,
    map: int,
    *,
    count: int = 9,
    weakest: bool = False,
    known: Picture | None = None,
) -> list[TopImage]:
    """The images of a set that excite a map most, with their projections and patches (figure 2).

    Args:
        weakest: instead, of the images for which the map fires at all, those with the lowest peaks.
        known: of `peaks`, (images, maps), so that the set is not gone through again.

    Returns:
        Strongest (or weakest) first; fewer than `count` where the map fires for fewer.

    >>> import numpy as np
    >>> from zfrepro.data import picture
    >>> class Cat:
    ...     def __len__(self): return 1
    ...     def read(self, indices, *, crop):
    ...         return see(network, "docs/cat.jpg").crop[None]
    >>> network = load("rendered_zfnet")
    >>> [(found.image, found.row) for found in top_images(network, Cat(), "conv5", 41)]
    [(0, 1)]
    """
    values = (peaks(network, images, [layer])[layer] if known is None else known)[:, map]
    firing = np.flatnonzero(values > 0)
    order = values[firing] if weakest else -values[firing]
    numbers = firing[np.argsort(order, kind="stable")[:count]]
    if not len(numbers):
        return []
    crops = images.read(numbers, crop=network.crop)
    seen = network.deconvnet.see(network.inputs(crops), layer)
    picks = strongest(seen, [map])
    found = _projections(network, seen, picks, network.deconvnet.project(seen, picks), crops)
    return [
        TopImage(**vars(each), image=int(number))
        for each, number in zip(found, numbers, strict=True)
    ]


def occlude(
    network: Network,
    image: Image,
    layer: str,
    map: int | None = None,
    *,
    side: int = 32,
    stride: int = 8,
    grey: float = 128,
    label: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> occlusion.Occluded:
    """What a grey square at every place hides: a map's sum, a class' probability (figure 7).

    Args:
        map: None: the one with the highest peak.
        side, stride: of the square, in pixels of a crop of 224, scaled to the network's.
        label: the class; None: the most probable one.
        progress: told how many places are done, of how many.

    Raises:
        ChainError: no such layer, or a fully connected one.

    >>> found = occlude(load("rendered_zfnet"), "docs/cat.jpg", "conv5", 41, stride=56)
    >>> found.activation.shape
    (5, 5)
    """
    view = see(network, image)
    square = occlusion.Square.of(network.crop, side=side, stride=stride, value=grey)
    return occlusion.occlude(
        network.deconvnet.chain, view.inputs[0], network.grey(grey), square, layer, label,
        number=map, progress=progress,
    )  # fmt: skip


def cover(
    network: Network, image: Image, top: int, left: int, side: int, grey: float = 128
) -> View:
    """What the network makes of the image with one grey square on it, in pixels of the crop.

    >>> network = load("rendered_zfnet")
    >>> bool((cover(network, "docs/cat.jpg", 0, 0, 9).crop[:9, :9] == 128).all())
    True
    """
    view = see(network, image)
    prepared, start = view.prepared.copy(), (view.prepared.shape[0] - network.crop) // 2
    rows, columns = (
        slice(start + max(at, 0), start + min(max(at + side, 0), network.crop))
        for at in (top, left)
    )
    prepared[rows, columns] = round(grey)
    return View(network, prepared)


def move(network: Network, image: Image, kind: str, amount: float, layers: Sequence[str]) -> Moved:
    """How far features go when the image is moved, enlarged or turned (figure 5).

    Args:
        kind: translation (`amount` in pixels of the crop, downwards), scale (a factor) or rotation
            (degrees, anticlockwise).

    Raises:
        ValueError: another kind, or a scale that leaves nothing.

    >>> moved = move(load("rendered_zfnet"), "docs/cat.jpg", "rotation", 0, ["conv1", "fc7"])
    >>> moved.distances["fc7"] < 1e-2
    True
    """
    if kind not in invariance.KINDS:
        raise ValueError(f"kind is {kind!r}; it can be {', '.join(invariance.KINDS)}")
    if kind == "scale" and amount < invariance.LEAST_SCALE:
        raise ValueError(f"a scale of {amount:g} leaves nothing of the image")
    view, trained = see(network, image), network.trained
    wanted = invariance.Transformation(kind, amount)
    pixels = invariance.transformed(
        torch.from_numpy(view.prepared), trained.mean, network.crop, [wanted]
    )
    table = invariance.curves(
        network.deconvnet.chain, torch.cat([view.inputs, network.scaled(pixels)]), [wanted], None,
        layers,
    )  # fmt: skip
    mean = inputs.mean_crop(trained).numpy()
    return Moved(
        crop=((pixels[0].permute(1, 2, 0).numpy() + mean) / 255).clip(0, 1).astype(np.float32),
        distances=dict(zip(layers, table["distance"], strict=True)),
        relative=dict(zip(layers, table["relative"], strict=True)),
        probability=float(table["probability"].iloc[0]),
        clean=float(view.probabilities.max()),
    )


def matching(
    network_peaks: Picture, map: int, others: dict[str, Picture], count: int = 3
) -> list[tuple[str, int, float]]:
    """The maps of another network that fire for the same images: layer, map, correlation.

    Args:
        network_peaks: of `peaks` of one layer, (images, maps).
        others: of `peaks` of the other network over the same images, by layer.

    Returns:
        Highest Pearson correlation of the peaks first.

    >>> ones = np.array([[0, 3], [1, 2], [2, 0]], dtype=np.float32)
    >>> [(layer, number)] = [each[:2] for each in matching(ones, 0, {"conv1": -ones}, count=1)]
    >>> layer, number  # what is 3, 2, 0 in the second map falls as the first one rises
    ('conv1', 1)
    """
    found = []
    for layer, values in others.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            mine, theirs = (_standard(each) for each in (network_peaks[:, map, None], values))
            alike = np.nan_to_num((mine * theirs).mean(0))
        found += [(layer, int(i), float(alike[i])) for i in np.argsort(-alike)[:count]]
    return sorted(found, key=lambda each: -each[2])[:count]


def copy_of(network: Network, state: Mapping[str, Tensor]) -> Network:
    """The same network with the tensors of a state dict, as after another epoch."""
    net = copy.deepcopy(network.trained.net)
    net.load_state_dict(state)
    return replace(network, trained=replace(network.trained, net=net))


def with_shuffled_weights(network: Network, seed: int, layer: str | None = None) -> Network:
    """The same network with the weights of each layer in a random order: nothing learned is left.

    Batch norms get the statistics that the shuffled network has on noise: with the old ones nothing
    would get through.

    Args:
        layer: up to which they are shuffled, of which those below depend on nothing above; None:
            all. What is above is shared with `network`, not copied.

    >>> network = load("rendered_zfnet")
    >>> ours = network.trained.net.conv1.weight
    >>> others = with_shuffled_weights(network, 0).trained.net.conv1.weight
    >>> torch.equal(ours, others), torch.equal(ours.flatten().sort()[0], others.flatten().sort()[0])
    (False, True)
    """
    generator = torch.Generator().manual_seed(seed)
    chain = network.deconvnet.chain
    if isinstance(chain, Graph):
        modules = chain.below(layer or chain.layers[-1])
    else:
        steps = chain.steps[: chain.end(layer) if layer else None]
        modules = [step.module for step in steps if step.module]
    shuffled = [weights for module in modules for weights in module.parameters()]
    own = {id(weights) for weights in shuffled}
    kept = {id(each): each for each in network.trained.net.parameters() if id(each) not in own}
    net = copy.deepcopy(network.trained.net, kept)
    with torch.no_grad():
        for weights in net.parameters():
            if id(weights) not in kept:
                flat = weights.flatten()
                order = torch.randperm(flat.numel(), generator=generator)
                weights.copy_(flat[order].view_as(weights))
    _renormalise(net, network.crop, generator)
    return replace(network, trained=replace(network.trained, net=net))


@torch.no_grad()
def _renormalise(net: nn.Module, crop: int, generator: torch.Generator) -> None:
    """Gives batch norms the statistics of noise."""
    norms = [each for each in net.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over batches, of which there is one
        norm.train()
    if norms:
        net(torch.randn(8, 3, crop, crop, generator=generator))
    for norm in norms:
        norm.eval()


def _made(words: str, weights: str | None) -> Network:
    """The network of `package.module:factory`, which reads pictures as its own package says."""
    made, expected = factories.made(words, Path(weights) if weights else None)
    if isinstance(made, Network):
        return replace(made, name=words)
    if not isinstance(made, nn.Module):
        raise ValueError(f"{words} makes a {type(made).__name__}, and no nn.Module")
    if expected is None:
        log.warning("%s: reads pictures as most of torchvision's do (see library.wrap)", words)
        return wrap(made, words)
    log.warning("%s: reads pictures as %s", words, expected.source)
    network = wrap(
        made, words, crop=expected.crop, image_size=expected.image_size, mean=expected.mean,
        std=expected.std, classes=expected.classes, filter=expected.resize_filter,
    )  # fmt: skip
    if list(expected.classes) != [name for _, name in published.classes()]:
        return network
    return replace(network, trained=replace(network.trained, classes=published.classes()))


def _projections(
    network: Network, seen: Seen, picks: Picks, found: Projections, crops: Pixels
) -> list[Projection]:
    """One for each pick, of the image of `crops` (N, c, c, 3) that it names."""
    shown = crops[picks.images.numpy()].astype(np.float32) / np.float32(255)
    patches = windows_of(shown, found)
    fields = zip(
        found.pixels.permute(0, 2, 3, 1).float().numpy(), patches, found.tops.tolist(),
        found.lefts.tolist(), seen.at(picks).tolist(), picks.rows.tolist(), picks.columns.tolist(),
        strict=True,
    )  # fmt: skip
    return [Projection(*each) for each in fields]


def _standard(values: Picture) -> Picture:
    standard: Picture = (values - values.mean(0)) / values.std(0)
    return standard

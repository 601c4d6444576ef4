"""Published networks, imported as if this project had trained them (conf/model/, key `published`).

Their tensors go into the net of our own table, one by one, so names, hooks and pooling switches are
those of our nets, and `weights.pt` is that of a run. The input differs: theirs is
(pixel / 255 - mean) / std, and ours pixel - mean image. That is folded, exactly: the mean image is
255 * mean at every place and conv1's weights are divided by 255 * std. Zeros that conv1 pads with
come after the subtraction in both, so they mean the same.
"""

import hashlib
import sys
import zipfile
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from zfrepro.files import atomic_path
from zfrepro.fingerprint import fingerprint
from zfrepro.models.convnet import ConvNet, build
from zfrepro.training.archive import WeightsError, in_one_line, read
from zfrepro.training.states import bare, unpacked
from zfrepro.training.trained import Trained, save

WNIDS = Path(__file__).with_name("imagenet_wnids.txt")  # sorted: the order of the nets' outputs

DAMAGE = (UnpicklingError, zipfile.BadZipFile)  # of a file in a package's cache

Model = Mapping[str, Any]
State = Mapping[str, Tensor]


class PublishedError(ValueError):
    """Published weights that are not to be had, or of another network; says where to get them."""


def imported(model: Model, folder: Path) -> Path:
    """The `weights.pt` of a published network below `folder`, made unless it is there.

    What has been imported needs neither its package nor a network again. A file of
    `published.weights` is known by its content, so another one is imported anew.

    Raises:
        PublishedError: see `fetch` and `network`.
    """
    published = dict(model["published"])
    if published["weights"] is not None:
        published["weights"] = _digest(Path(published["weights"]), published)
    key = fingerprint({"model": {**model, "published": published}}, ["zfrepro.inference.published"])
    path = folder / f"published-{key}" / "weights.pt"
    if not path.is_file():
        trained = network(model, fetch(model["published"]))
        with atomic_path(path) as temporary:
            save(trained, temporary)
    return path


def fetch(published: Model) -> State:
    """The tensors of the file `published.weights`, or without one as the package downloads them.

    Raises:
        PublishedError: no such file, a damaged one, no network, or the package is missing.
    """
    if published["weights"] is not None:
        return _read(Path(published["weights"]), published)
    if published["package"] not in DOWNLOADS:
        known = " or ".join(DOWNLOADS)
        raise PublishedError(f"model.published.package is {published['package']}, not {known}")
    try:
        with redirect_stdout(sys.stderr):  # the packages say on standard output what they do
            return DOWNLOADS[published["package"]](published["name"])
    except ModuleNotFoundError as error:
        raise PublishedError(
            f"{_who(published)} needs {error.name}: pip install 'zfrepro[pretrained]'; or "
            f"{_remedy(published)}"
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, *DAMAGE) as error:
        raise PublishedError(
            f"{_who(published)} was not downloaded ({in_one_line(error)}): {_remedy(published)}"
        ) from error


def network(model: Model, state: State) -> Trained:
    """The network of our table with the tensors of `state`, which may hold others besides.

    Raises:
        PublishedError: a tensor is missing, or has another shape than our layer.
    """
    published = model["published"]
    table = {key: value for key, value in model.items() if key != "published"}
    net = build(**table, classes=len(classes()), crop=published["crop"])
    net.load_state_dict(_converted(net, state, published))
    size = published["image_size"]
    mean = 255 * torch.tensor(published["mean"])
    return Trained(
        net=net.eval(),
        mean=mean.expand(size, size, 3).contiguous(),
        image_size=size,
        crop=published["crop"],
        classes=classes(),
        resize_filter=published["filter"],
    )


def classes() -> list[tuple[str, str]]:
    """WordNet id and name of ImageNet's 1000 classes, in the order of the networks' outputs."""
    from torchvision.models import AlexNet_Weights  # noqa: PLC0415  a second that others save

    names = AlexNet_Weights.IMAGENET1K_V1.meta["categories"]
    return list(zip(WNIDS.read_text(encoding="utf-8").split(), names, strict=True))


def _converted(net: ConvNet, state: State, published: Model) -> dict[str, Tensor]:
    """A state for `net`: theirs by our names, the scale of the input folded into conv1."""
    found = {
        f"{layer}.{part}": _tensor(state, f"{module}.{part}", own.shape, published)
        for layer, module in published["tensors"].items()
        for part, own in net.get_submodule(layer).named_parameters()
    }
    std = torch.tensor(published["std"], dtype=torch.float64)
    scale = 1 / (255 * std).view(1, 3, 1, 1)  # of weights (maps, 3, kernel, kernel)
    found["conv1.weight"] = (found["conv1.weight"] * scale).float()
    return found


def _tensor(state: State, key: str, shape: torch.Size, published: Model) -> Tensor:
    tensor = state.get(key)
    if not isinstance(tensor, Tensor):
        has = f"it has {', '.join(map(str, [*state][:3]))} ..." if state else "it is empty"
        raise _foreign(published, f"no tensor {key} ({has})")
    if tensor.shape != shape:
        raise _foreign(published, f"{key} of shape {tuple(tensor.shape)}, not {tuple(shape)}")
    return tensor


def _foreign(published: Model, what: str) -> PublishedError:
    where = published["weights"] or "the download"
    return PublishedError(f"{where} is not {_who(published)}: {what}; {_remedy(published)}")


def _read(path: Path, published: Model) -> State:
    try:
        return bare(unpacked(read(path)), path)
    except (OSError, WeightsError) as error:
        raise PublishedError(
            f"{error}; expected {_who(published)}: {_remedy(published)}"
        ) from error


def _digest(path: Path, published: Model) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PublishedError(
            f"{path} cannot be read ({error.strerror}); expected {_who(published)}: "
            f"{_remedy(published)}"
        ) from error


def _who(published: Model) -> str:
    return f"{published['package']}'s {published['name']}"


def _remedy(published: Model) -> str:
    packed = ", unpack it" if published["url"].endswith(".zip") else ""
    return f"fetch {published['url']}{packed} and set model.published.weights=PATH"


def _from_torchvision(name: str) -> State:
    from torchvision.models import get_model_weights  # noqa: PLC0415  as in `classes`

    weights = get_model_weights(name)["IMAGENET1K_V1"]
    state: State = weights.get_state_dict(check_hash=True, map_location="cpu", weights_only=True)
    return state


def _from_pytorchcv(name: str) -> State:
    """Its own loader would unpickle whatever the file holds; here only its file is used."""
    from pytorchcv.models.common import model_store  # noqa: PLC0415  an extra

    return read(Path(model_store.get_model_file(name)))


DOWNLOADS: dict[str, Callable[[str], State]] = {
    "torchvision": _from_torchvision,
    "pytorchcv": _from_pytorchcv,
}

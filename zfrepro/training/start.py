"""Starting from a trained network: its layers, some frozen, and new classes (section 5.2)."""

from torch import Tensor, nn

from zfrepro.data.store import PreparedSet
from zfrepro.models.convnet import ConvNet
from zfrepro.training.trained import Trained


class StartError(ValueError):
    """A network that a training cannot start from, or a layer that cannot be frozen."""


def begin(net: ConvNet, start: Trained, prepared: PreparedSet, crop: int) -> Tensor:
    """Gives `net` the weights of `start`, in place; returns the mean image that goes with them.

    The last layer keeps its first weights where the classes are others.

    Raises:
        StartError: images, crop or layers of another size; says which keys to set.
    """
    for key, theirs, ours in (
        ("data.image_size", start.image_size, prepared.image_size), ("crop", start.crop, crop),
    ):  # fmt: skip
        if theirs != ours:
            raise StartError(
                f"training.start: the network was trained with {key}={theirs}, and here it is "
                f"{ours}: set {key}={theirs}"
            )
    state = start.net.state_dict()
    own = net.state_dict()
    if [key for key, _ in start.classes] != [key for key, _ in prepared.classes]:
        new = layers_of(net)[-1]
        state |= {name: value for name, value in own.items() if name.startswith(f"{new}.")}
    strange = [
        name for name in {**own, **state}
        if name not in own or name not in state or own[name].shape != state[name].shape
    ]  # fmt: skip
    if strange:
        here, there = (
            tuple(each[strange[0]].shape) if strange[0] in each else "missing"
            for each in (own, state)
        )
        raise StartError(
            f"training.start: {strange[0]} is {there} in the network to start from and {here} in "
            f"this one: `model` has to be its table of layers, model.width included"
        )
    net.load_state_dict(state)
    return start.mean


def freeze(net: ConvNet, layer: str | None, is_trained: bool) -> None:
    """Keeps the layers up to `layer` from learning; None: all learn.

    Raises:
        StartError: no such layer below the last one, or its weights would be random.
    """
    if layer is None:
        return
    names = layers_of(net)
    if layer not in names[:-1]:
        raise StartError(f"training.frozen_up_to is {layer}; it can be {', '.join(names[:-1])}")
    if not is_trained:
        raise StartError(
            f"training.frozen_up_to={layer} would freeze random weights: name the network to start "
            "from, training.start=NAME"
        )
    for name in names[: names.index(layer) + 1]:
        net.get_submodule(name).requires_grad_(False)


def layers_of(net: nn.Module) -> list[str]:
    """Names of the layers that have weights, in order."""
    return [name for name, module in net.named_children() if any(True for _ in module.parameters())]

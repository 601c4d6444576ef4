"""Any network of named convolutions, ReLUs, max pools and linear layers, as one chain of steps.

The chain is read off the network's own code by `torch.fx`. It is then run step by step from here,
without hooks, so that the network stays as it was, whatever happens.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from zfrepro.models.dropout import Dropout
from zfrepro.models.geometry import Field
from zfrepro.models.normalisation import LocalContrastNorm, LocalResponseNorm

KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "conv",
    nn.ReLU: "relu",
    nn.MaxPool2d: "pool",
    nn.Linear: "fc",
    nn.Flatten: "flatten",
    LocalResponseNorm: "norm",
    LocalContrastNorm: "norm",
    nn.LocalResponseNorm: "norm",
    nn.CrossMapLRN2d: "norm",
    nn.AdaptiveAvgPool2d: "average",
}
IDENTITIES = (nn.Dropout, Dropout, nn.Identity)  # in evaluation
FLATTENINGS = ("flatten", "view", "reshape")


class ChainError(ValueError):
    """A network, or a layer of it, that is not a chain of steps which can be gone back."""


@dataclass(frozen=True)
class Step:
    """One module, or function, on the way from pixels to logits.

    `kind` is conv, relu, pool, norm, flatten, fc, average (adaptive average pooling, which may
    change nothing) or other.
    """

    name: str
    kind: str
    run: Callable[[Tensor], Tensor]
    module: nn.Module | None = None

    def through(self, field: Field | None) -> Field | None:
        """The receptive field of this step's units, from that of the units below it.

        None from the first step on whose units see everything.
        """
        if self.kind in ("flatten", "fc", "other") or field is None:
            return None
        if self.kind not in ("conv", "pool"):
            return field
        kernel, stride, padding = window(self.module)
        return field.through(kernel[0], stride[0], padding[0])


class Chain:
    """The steps of a network, in order.

    Args:
        net: takes images (N, C, H, W); evaluated as it stands, in evaluation mode.

    Raises:
        ChainError: it cannot be read, branches, uses a module twice, has forward hooks (which no
            step would run), or draws dropout's masks in evaluation too.
    """

    def __init__(self, net: nn.Module) -> None:
        self.steps = list(_steps(net))
        self._places = {step.name: i for i, step in enumerate(self.steps)}

    @property
    def layers(self) -> list[str]:
        """Names of the convolutions and linear layers, from the pixels up."""
        return [step.name for step in self.steps if step.kind in ("conv", "fc")]

    @property
    def first(self) -> tuple[str, nn.Conv2d]:
        """The convolution that looks at pixels, and its name.

        Raises:
            ChainError: there is none.
        """
        for step in self.steps:
            if isinstance(step.module, nn.Conv2d):
                return step.name, step.module
        raise ChainError("the network has no convolution")

    def end(self, layer: str) -> int:
        """How many steps make the activations of `layer`: its ReLU, if one follows, included.

        Raises:
            ChainError: no such layer; names those that exist.
        """
        if layer not in self._places:
            raise ChainError(f"there is no layer {layer!r}; there are {', '.join(self._places)}")
        end = self._places[layer] + 1
        has_relu = end < len(self.steps) and self.steps[end].kind == "relu"
        return end + 1 if has_relu and self.steps[end - 1].kind in ("conv", "fc") else end

    def field(self, layer: str) -> Field | None:
        """Receptive field of a layer's units in pixels; None where every unit sees the whole image.

        Raises:
            ChainError: no such layer.
        """
        field: Field | None = Field()
        for step in self.steps[: self.end(layer)]:
            field = step.through(field)
        return field

    @torch.inference_mode()
    def activations(self, images: Tensor, layer: str) -> Tensor:
        """What `layer` makes of the images, after its ReLU: (N, maps, h, w) or (N, units)."""
        for step in self.steps[: self.end(layer)]:
            images = step.run(images)
        return images


def window(module: nn.Module | None) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Kernel (dilated), stride and padding, each (vertical, horizontal), of a sliding window."""
    assert isinstance(module, nn.Conv2d | nn.MaxPool2d)  # noqa: S101  no other kind has one
    kernel, stride, padding, dilation = (
        _pair(value)
        for value in (module.kernel_size, module.stride, module.padding, module.dilation)
    )
    reach = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    return reach, stride, padding


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


TRACING = threading.Lock()  # torch.fx changes nn.Module for all threads while it traces


class _Tracer(fx.Tracer):
    """Stops at modules without parts, torch's own or not; leaves other threads' networks alone."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        parts = any(True for _ in m.children())
        return not parts or super().is_leaf_module(m, module_qualified_name)


def _steps(net: nn.Module) -> Iterator[Step]:
    _check_hooks(net)
    try:
        with TRACING:
            graph = _Tracer().trace(net)
    except Exception as error:
        raise ChainError(f"{type(net).__name__} cannot be read as a chain: {error}") from error
    nodes = [node for node in graph.nodes if not _is_size(node)]
    _check_linear(nodes)
    for node in nodes:
        if node.op == "call_module":
            module = net.get_submodule(str(node.target))
            if not isinstance(module, IDENTITIES):
                yield _module_step(str(node.target), module)
        elif node.op in ("call_function", "call_method"):
            step = _function_step(node, net.training)
            if step is not None:
                yield step


def _check_hooks(net: nn.Module) -> None:
    for name, module in net.named_modules():
        # private, and nothing public tells of them
        if any(getattr(module, kind, ()) for kind in ("_forward_hooks", "_forward_pre_hooks")):
            raise ChainError(
                f"{name or type(net).__name__} has a forward hook, which is not run here and might "
                "change what passes: remove it first (its handle's remove(), remove_weight_norm)"
            )


def _module_step(name: str, module: nn.Module) -> Step:
    kind = KINDS.get(type(module), "other")
    if kind == "relu":  # torchvision's overwrite what they rectify
        return Step(name, kind, functional.relu, module)
    if module.training and any(True for _ in module.buffers()):
        raise ChainError(
            f"{name} ({type(module).__name__}) is in training mode, where an image's features "
            "depend on the others of its batch: call eval() on the network first"
        )
    return Step(name, kind if _goes_back(kind, module) else "other", module, module)


def _goes_back(kind: str, module: nn.Module) -> bool:
    """Whether the module is what its kind says: one image to one, padded with zeros."""
    if kind == "conv":
        return module.padding_mode == "zeros" and not isinstance(module.padding, str)
    if kind == "flatten":
        return bool(module.start_dim == 1 and module.end_dim == -1)
    return kind != "pool" or not module.return_indices


def _function_step(node: fx.Node, training: bool) -> Step | None:
    """A function that stands in the network's own code; None where it changes nothing."""
    word = _word(node)
    if word.endswith("dropout"):
        if node.kwargs.get("training") and not training:
            raise ChainError(
                f"{node.name} drops values in evaluation too: functional.dropout needs "
                "training=self.training"
            )
        return None
    rest, named = _own_arguments(node)
    if word in FLATTENINGS and (width := _width_of_rows(word, rest, named)):
        return Step(node.name, "flatten", partial(_rows, node.name, width))
    if any(isinstance(value, fx.Node) for value in (*rest, *named.values())):
        raise ChainError(
            f"{node.name} depends on the data in more than one place; of functions that do, only "
            "view(x.size(0), -1) and reshape(x.size(0), -1) can be followed"
        )
    if word in ("relu", "relu_"):
        return Step(node.name, "relu", functional.relu)
    kind = "norm" if word == "local_response_norm" else "other"
    call = cast(Callable[..., Tensor], node.target)
    return Step(node.name, kind, partial(_call, call, rest, named))


def _own_arguments(node: fx.Node) -> tuple[list[Any], dict[str, Any]]:
    """A call's arguments without the data, which comes first or as `input`."""
    named = dict(node.kwargs)
    data, *rest = [named.pop("input"), *node.args] if "input" in named else node.args or (None,)
    if not isinstance(data, fx.Node):
        raise ChainError(f"{node.name} does not take what comes before it as its first argument")
    return rest, named


def _width_of_rows(word: str, rest: list[Any], named: dict[str, Any]) -> int | None:
    """Values in each image's row, -1 for all it has; None where other rows are made."""
    if word == "flatten":
        given = dict(zip(("start_dim", "end_dim"), rest, strict=False)) | named
        return -1 if {"end_dim": -1} | given == {"start_dim": 1, "end_dim": -1} else None
    sizes = rest[0] if len(rest) == 1 and isinstance(rest[0], tuple | list) else rest
    if len(sizes) != 2:
        return None
    images, width = sizes
    of_batch = isinstance(images, fx.Node) and _is_size(images) and images.args[-1] == 0
    return width if (of_batch or images == -1) and isinstance(width, int) else None


def _rows(name: str, width: int, x: Tensor) -> Tensor:
    rows = x.flatten(1)
    if width not in (-1, rows.shape[1]):
        raise ChainError(f"{name} makes rows of {width} values; an image has {rows.shape[1]}")
    return rows


def _call(
    function: Callable[..., Tensor] | str, rest: list[Any], named: dict[str, Any], x: Tensor
) -> Tensor:
    if isinstance(function, str):
        return cast(Tensor, getattr(x, function)(*rest, **named))
    return function(x, *rest, **named)


def _word(node: fx.Node) -> str:
    """What a function or method is called."""
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")


def _is_size(node: fx.Node) -> bool:
    """`x.size(0)` and `x.shape`, as in `x.view(x.size(0), -1)`: no step of the data."""
    word = _word(node)
    if word in ("size", "getattr", "shape"):
        return True
    return word == "getitem" and all(_is_size(arg) for arg in node.all_input_nodes)


def _check_linear(nodes: list[fx.Node]) -> None:
    calls = [node for node in nodes if node.op != "placeholder"]
    for before, node in zip(nodes, calls, strict=False):
        inputs = [other for other in node.all_input_nodes if not _is_size(other)]
        if inputs != [before]:
            names = ", ".join(other.name for other in inputs) or "nothing"
            raise ChainError(
                f"the network is not a chain: {node.name} takes {names}, not {before.name} alone"
            )
    uses = Counter(str(node.target) for node in nodes if node.op == "call_module")
    if twice := [name for name, count in uses.items() if count > 1]:
        raise ChainError(
            f"{twice[0]} is used {uses[twice[0]]} times: give each place a module of its own"
        )

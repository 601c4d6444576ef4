"""Any network of convolutions, ReLUs, pools, norms and linear layers, with branches, by its graph.

The network is run as it is, and PyTorch's autograd notes every operation on the way: functional,
in-place and reused ReLUs alike. A layer is a module's output, by the module's name; the second and
third use of one module are `name:2` and `name:3`. The way back goes along the same nodes
(`zfrepro.interp.graph_deconv`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from zfrepro.interp.chain import ChainError
from zfrepro.models.geometry import Field
from zfrepro.models.normalisation import LocalContrastNorm, LocalResponseNorm

Node = Any  # torch.autograd.graph.Node, whose saved values have no types
Take = Callable[[str, Tensor], None]  # of a layer's name and activations
NORMS = (LocalResponseNorm, LocalContrastNorm, nn.LocalResponseNorm, nn.CrossMapLRN2d)
# operations of which a value depends on the one value in its place
IN_PLACE = {
    "ReluBackward0", "HardtanhBackward0", "ThresholdBackward0", "ClampMinBackward0",
    "NativeBatchNormBackward0", "CudnnBatchNormBackward0", "MiopenBatchNormBackward0",
    "AddBackward0", "SubBackward0", "MulBackward0", "DivBackward0", "NegBackward0",
    "CatBackward0", "CloneBackward0", "ToCopyBackward0", "AliasBackward0", "_PassedBackward",
    "SplitBackward0", "SplitWithSizesBackward0",
}  # fmt: skip


class _Reached(Exception):  # noqa: N818  no error: the layer that was wanted is there
    """Ends a run of the network at a layer."""


@dataclass
class Output:
    """What a module gave: the node that made it, and its shape without the images."""

    name: str
    node: Node
    number: int  # of the node's outputs
    shape: tuple[int, ...]
    module: nn.Module


@dataclass
class Run:
    """One pass of the network over images (N, C, H, W).

    Attributes:
        source: the node that stands for the images.
        outputs: by layer, in the order in which they were made.
        values: of the layers that were asked for, (N, maps, h, w) or (N, units).
        owners: by node, the innermost module that it belongs to.
        end: the node that made the logits.
        logits: None, as `end`, where the run ended at a layer.
    """

    source: Node
    outputs: dict[str, Output] = field(default_factory=dict)
    values: dict[str, Tensor] = field(default_factory=dict)
    owners: dict[Node, str] = field(default_factory=dict)
    end: Node = None
    logits: Tensor | None = None


class _Passed(torch.autograd.Function):
    """Contrast normalisation: what comes back passes through it (section 2.1)."""

    @staticmethod
    def forward(_: Any, x: Tensor, normalised: Tensor) -> Tensor:
        return normalised.view_as(x)

    @staticmethod
    def backward(_: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class Graph:
    """A network as the graph of its operations.

    `blocks` names the maps that all of the network goes through: ends of modules made of others
    (a ResNet's residual blocks, a DenseNet's dense ones), and the last maps of each size.

    Args:
        net: takes images (N, 3, crop, crop); evaluated as it stands, in evaluation mode. Of a
            DataParallel what is inside.

    Raises:
        ChainError: it cannot be run on such images, or is in training mode.
    """

    def __init__(self, net: nn.Module, crop: int) -> None:
        self.net = net.module if isinstance(net, nn.DataParallel) else net
        training = [name for name, module in self.net.named_modules() if module.training]
        if training:
            raise ChainError(
                f"{training[0] or type(self.net).__name__} is in training mode, where an image's "
                "features depend on the others of its batch: call eval() on the network first"
            )
        parameter = next(self.net.parameters())
        images = torch.zeros(1, 3, crop, crop, device=parameter.device, dtype=parameter.dtype)
        run = self.run(images)
        self._fields, self._fields_across = (dict(_fields(run, axis)) for axis in (0, 1))
        self._shapes = {name: output.shape for name, output in run.outputs.items()}
        self._modules = {name: output.module for name, output in run.outputs.items()}
        self.blocks = _blocks(run)

    @property
    def layers(self) -> list[str]:
        """Names of all outputs that are maps or units, from the pixels up."""
        return list(self._shapes)

    @property
    def main_layers(self) -> list[str]:
        """Of these the convolutions and linear layers."""
        kinds = (nn.Conv2d, nn.Linear)
        return [name for name, module in self._modules.items() if isinstance(module, kinds)]

    @property
    def first(self) -> tuple[str, nn.Conv2d]:
        """As of a chain."""
        for name, module in self._modules.items():
            if isinstance(module, nn.Conv2d):
                return name, module
        raise ChainError("the network has no convolution")

    def below(self, layer: str) -> list[nn.Module]:
        """The modules with weights of their own that have run when the layer has, once each.

        Raises:
            ChainError: no such layer.
        """
        self._check([layer])
        names = self.layers[: self.layers.index(layer) + 1]
        ran = dict.fromkeys(self._modules[name] for name in names)
        return [module for module in ran if any(True for _ in module.parameters(recurse=False))]

    def shape(self, layer: str) -> tuple[int, ...]:
        """(maps, h, w) or (units,).

        Raises:
            ChainError: no such layer.
        """
        self._check([layer])
        return self._shapes[layer]

    def field(self, layer: str) -> Field | None:
        """Receptive field of a layer's units, the union over all ways; None: they see everything.

        Raises:
            ChainError: no such layer.
        """
        return (self.fields(layer) or [None])[0]

    def fields(self, layer: str) -> tuple[Field, Field] | None:
        """The same down and across, which differ where a kernel is no square.

        Raises:
            ChainError: no such layer.
        """
        self._check([layer])
        down, across = self._fields[layer], self._fields_across[layer]
        return (down, across) if down and across else None

    def activations(self, images: Tensor, layer: str) -> Tensor:
        """What `layer` makes of the images: (N, maps, h, w) or (N, units)."""
        return self.run(images, [layer], ends=True).values[layer]

    def respond(self, images: Tensor, layers: Sequence[str]) -> tuple[dict[str, Tensor], Tensor]:
        """The activations of `layers`, and the logits (N, classes)."""
        found: dict[str, Tensor] = {}
        logits = self.visit(images, layers, lambda name, out: found.update({name: out.clone()}))
        assert logits is not None  # noqa: S101  it ran to its end
        return {layer: found[layer] for layer in layers}, logits

    @torch.inference_mode()
    def visit(
        self, images: Tensor, layers: Sequence[str], take: Take, *, ends: bool = False
    ) -> Tensor | None:
        """Hands the activations of `layers` to `take` as they are made; returns the logits.

        Args:
            take: gets a layer's name and its activations, which the network may overwrite later.
            ends: what is above the last of them is not run, and there are no logits.

        Raises:
            ChainError: no such layer.
        """
        self._check(layers)
        left = set(layers)

        def note(name: str, _: nn.Module, out: Tensor) -> None:
            if name in left:
                take(name, out)
                left.discard(name)
                if ends and not left:
                    raise _Reached

        try:
            with self._watched(note):
                logits: Tensor = self.net(images)
        except _Reached:
            return None
        return logits

    def run(self, images: Tensor, layers: Sequence[str] = (), *, ends: bool = False) -> Run:
        """Runs the network, and keeps its graph.

        Args:
            layers: whose activations are kept.
            ends: with the last of them, what is above is not run.
        """
        leaf = images.detach().requires_grad_()
        # weights without gradients: the graph holds what depends on the images, and nothing else
        weights = {name: each.detach() for name, each in self.net.named_parameters()}
        with torch.enable_grad():
            start = leaf.clone()  # which the network may overwrite
            source: Node = start.grad_fn
            run, left = Run(source.next_functions[0][0]), set(layers)

            def note(name: str, module: nn.Module, out: Tensor) -> None:
                _own(run, out.grad_fn, name)
                shape = tuple(out.shape[1:])
                if len(shape) in (1, 3):
                    run.outputs[name] = Output(name, out.grad_fn, out.output_nr, shape, module)
                if name in left:
                    run.values[name] = out.detach().clone()
                    left.discard(name)
                    if ends and not left:
                        raise _Reached

            try:
                with self._watched(note):
                    logits = torch.func.functional_call(self.net, weights, (start,))
                    run.end, run.logits = logits.grad_fn, logits.detach()
            except _Reached:
                pass
            except (RuntimeError, TypeError, AttributeError) as error:
                size = "x".join(map(str, images.shape[1:]))
                kind = type(self.net).__name__
                raise ChainError(f"{kind} does not take images of {size}: {error}") from error
        self._check_found(left, run)
        return run

    @contextmanager
    def _watched(self, note: Callable[[str, nn.Module, Tensor], None]) -> Iterator[None]:
        """Calls `note` for each module's output, and has contrast normalisation pass through."""
        uses: dict[str, int] = {}

        def hook(name: str) -> Callable[..., Tensor | None]:
            def seen(module: nn.Module, given: Any, out: Any) -> Tensor | None:
                if not isinstance(out, Tensor) or not (out.requires_grad or out.is_inference()):
                    return None
                passed = isinstance(module, NORMS) and out.requires_grad
                result = _Passed.apply(given[0], out.detach()) if passed else out
                uses[name] = uses.get(name, 0) + 1
                note(name if uses[name] == 1 else f"{name}:{uses[name]}", module, result)
                return result if passed else None

            return seen

        named = [(name, module) for name, module in self.net.named_modules() if name]
        handles = [module.register_forward_hook(hook(name)) for name, module in named]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _check(self, layers: Sequence[str]) -> None:
        self._check_found({layer for layer in layers if layer not in self._shapes}, None)

    def _check_found(self, missing: set[str], run: Run | None) -> None:
        if missing:
            known = list(run.outputs) if run else self.layers
            names = ", ".join(sorted(missing))
            raise ChainError(f"there is no layer {names}: the network has {', '.join(known)}")


def order(node: Node) -> list[Node]:
    """A node and all that it is made of, each before what it is made of itself."""
    left: list[tuple[Node, bool]] = [(node, False)]
    seen: set[Node] = set()
    done: list[Node] = []
    while left:
        node, finished = left.pop()
        if finished:
            done.append(node)
        elif node not in seen:
            seen.add(node)
            left.append((node, True))
            left.extend((below, False) for below in parts(node))
    return done[::-1]


def parts(node: Node) -> list[Node]:
    """The nodes of what an operation takes that depends on the images."""
    return [below for below, _ in node.next_functions if below is not None]


def _own(run: Run, node: Node, name: str) -> None:
    """Notes the module that a node, and those below it that nobody owns yet, belong to."""
    left = [node]
    while left:
        node = left.pop()
        if node not in run.owners:
            run.owners[node] = name
            left.extend(parts(node))


def _blocks(run: Run) -> list[str]:
    """Of one node the outermost module that ends with it."""
    upwards = order(run.end)[::-1]
    place = {node: i for i, node in enumerate(upwards)}
    used = {below: i for i, node in enumerate(upwards) for below in parts(node)}  # last, by whom
    passed, reach = set(), 0
    for node in upwards:
        if reach <= place[node]:  # no way leads around it
            passed.add(node)
        reach = max(reach, used.get(node, 0))
    maps = [each for each in run.outputs.values() if each.node in passed and len(each.shape) == 3]
    last = {each.shape[1:]: each.node for each in maps}
    found = {
        each.node: each.name for each in maps
        if any(True for _ in each.module.children()) or each.node in last.values()
    }  # fmt: skip
    return list(found.values())


def _fields(run: Run, axis: int) -> Iterator[tuple[str, Field | None]]:
    known: dict[Node, Field | None] = {run.source: Field()}
    for output in run.outputs.values():
        for node in reversed(order(output.node)):
            if node not in known:
                below = [known[each] for each in parts(node) if each in known]
                known[node] = _through(node, _union(below), axis)
        yield output.name, known[output.node] if len(output.shape) == 3 else None


def _union(fields: Sequence[Field | None]) -> Field | None:
    """What all of them see together, where they step alike."""
    if not fields or any(each is None for each in fields):
        return None
    known = [each for each in fields if each is not None]
    if len({each.stride for each in known}) > 1:
        return None
    first = min(each.offset for each in known)
    last = max(each.offset + each.size for each in known)
    return Field(last - first, known[0].stride, first)


def _through(node: Node, below: Field | None, axis: int) -> Field | None:
    if below is None or node.name() in IN_PLACE:
        return below
    if (window := window_of(node, axis)) is None:
        return None
    kernel, stride, padding = window
    return below.through(kernel, stride, padding)


def window_of(node: Node, axis: int) -> tuple[int, int, int] | None:
    """Kernel (dilated), stride and padding of a sliding window; None of anything else.

    Args:
        axis: 0, down; 1, across.
    """
    name = node.name()
    if name == "ConvolutionBackward0" and not node._saved_transposed:
        reach = node._saved_dilation[axis] * (node._saved_weight.shape[2 + axis] - 1) + 1
        return reach, node._saved_stride[axis], node._saved_padding[axis]
    if name in ("MaxPool2DWithIndicesBackward0", "AvgPool2DBackward0"):
        dilation = _at(node._saved_dilation, axis) if name.startswith("Max") else 1
        kernel = _at(node._saved_kernel_size, axis)
        stride = _at(tuple(node._saved_stride) or node._saved_kernel_size, axis)
        return dilation * (kernel - 1) + 1, stride, _at(node._saved_padding, axis)
    return None


def _at(sizes: Sequence[int], axis: int) -> int:
    """That of an axis, where one number stands for both."""
    return sizes[min(axis, len(sizes) - 1)]

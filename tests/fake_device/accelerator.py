"""A CUDA device whose tensors are computed on the CPU, for machines without one.

A tensor there says that it is on "cuda" and has values, so that whole stages run. NumPy refuses it,
and so does, as on a GPU, every operation that takes a tensor of the CPU beside it. Networks and
large products are refused on the CPU meanwhile. FakeTensorMode knows the same rules but no values:
the first `argmax` that decides anything would end a stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from zfrepro.models import normalisation

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
aten = torch.ops.aten
MOVES = (aten._to_copy, aten.copy_)
INDEXED = (aten.index, aten.index_put, aten.index_put_)
# of networks, Gram matrices and classifiers
ON_THE_DEVICE = (
    aten.conv2d, aten.convolution, aten.max_pool2d, aten.max_pool2d_with_indices, aten.linear,
    aten.matmul, aten.mm, aten.bmm, aten.addmm, aten.addmm_, aten.linalg_cholesky_ex,
    aten.linalg_solve_triangular,
)  # fmt: skip


class DeviceError(RuntimeError):
    """Tensors of both devices in one operation, or one on the CPU that belongs on the other."""


class OnDevice(Tensor):
    """A tensor that says it is on the device; `held` is what it holds, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> OnDevice:
        with torch.inference_mode(False):  # a view of one made outside has to be one made outside
            made: OnDevice = Tensor._make_wrapper_subclass(
                cls, values.shape, strides=values.stride(), dtype=values.dtype, device=CUDA,
                storage_offset=values.storage_offset(), requires_grad=values.requires_grad,
            )  # fmt: skip
        made.held = values
        return made

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return computed(func, args, kwargs or {})

    def tolist(self) -> Any:  # which PyTorch refuses a subclass
        return self.held.tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnDevice({self.held!r})"


class Watch(TorchDispatchMode):
    """Sees every operation: also those that make a tensor on the device of none there."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        inputs = tensors_of(args, kwargs)
        if func.overloadpacket in ON_THE_DEVICE and not any(map(is_there, inputs)):
            raise DeviceError(f"{func} on the CPU")
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What the operation gives, on the device where a GPU would have it."""
    inputs = tensors_of(args, kwargs)
    there = [each for each in inputs if is_there(each)]
    if there:
        check(func, args, inputs)
    if func.overloadpacket is aten.is_pinned:
        return False
    device = kwargs.get("device")
    if device is not None:
        on_device = torch.device(device).type == "cuda"
        kwargs = {**kwargs, "device": CPU if on_device else device}
    else:
        decisive = args[:1] if func.overloadpacket in (*MOVES, *INDEXED) else there
        on_device = any(map(is_there, decisive))
    own_args, own_kwargs = tree_map_only(OnDevice, lambda each: each.held, (args, kwargs))
    found = func(*own_args, **own_kwargs)
    if not on_device:
        return found
    known = {id(each.held): each for each in there}  # which the operation has changed
    return tree_map_only(
        Tensor, lambda each: known[id(each)] if id(each) in known else OnDevice(each), found
    )


def check(func: Any, args: Sequence[Any], inputs: Sequence[Tensor]) -> None:
    """Raises DeviceError where a GPU would refuse: `inputs` are of both devices.

    It takes single numbers from the CPU where it goes through all values one by one, and places
    where it looks up others.
    """
    if func.overloadpacket in MOVES:
        return
    looked_up = func.overloadpacket in INDEXED and is_there(args[0])
    numbers = looked_up or torch.Tag.pointwise in func.tags
    for each in [args[0], *args[2:3]] if looked_up else inputs:
        if not is_there(each) and not (numbers and each.dim() == 0):
            raise DeviceError(f"{func}: {tuple(each.shape)} on the CPU beside one on the device")


def tensors_of(*arguments: Any) -> list[Tensor]:
    return [each for each in tree_leaves(arguments) if isinstance(each, Tensor)]


def is_there(each: Any) -> bool:
    return isinstance(each, OnDevice)


@contextmanager
def accelerator() -> Iterator[None]:
    """A machine with this device, for which Triton has no kernels."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    with pytest.MonkeyPatch.context() as patch, Watch():
        if not torch.cuda.is_available():
            patch.setattr(torch.cuda, "_lazy_init", lambda: None)
            torch._C._ensureCUDADeviceGuardSet()
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
        patch.setattr(normalisation, "_kernels", lambda x: None)
        torch.__future__.set_overwrite_module_params_on_conversion(True)  # they change their type
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device="cuda") comes by here
        try:
            yield
        finally:
            torch._C._set_only_lift_cpu_tensors(False)
            torch.__future__.set_overwrite_module_params_on_conversion(before)


@contextmanager
def no_accelerator() -> Iterator[None]:
    """A machine without any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield

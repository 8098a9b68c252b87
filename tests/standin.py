"""A device that is none: arithmetic as on the processor, but apart from it as an accelerator is.

Its tensors are of another device type, do not mix with the processor's, and refuse to become NumPy arrays. What would
make a real accelerator wait, because a number or a shape has to be known here, is counted in `blocking`, by operation.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

TYPE = "lazy"  # a type that this build of torch knows and has no kernels for

# Operations that give a number or a shape which the program itself has to know.
READS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "_unique2", "unique_dim"}


class Apart(torch.Tensor):
    """A tensor of the stand-in device, over one of the processor's."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor):
        out = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            device=torch.device(TYPE, 0), requires_grad=inner.requires_grad,
        )  # fmt: skip
        out.inner = inner
        return out

    def __repr__(self, *, tensor_contents=None) -> str:
        return f"Apart({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(f"{func} outside of the stand-in device")

    __torch_function__ = torch._C._disabled_torch_function_impl


Apart.__module__ = "torch"  # which engine runs it is told by where its class is from


class StandIn(TorchDispatchMode):
    """The device itself, while it is entered."""

    def __init__(self):
        super().__init__()
        self.blocking: Counter[str] = Counter()
        self.calls = 0
        self.where: Counter[str] = Counter()  # the same, by the line of helo that asked

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func.overloadpacket.__name__
        self.calls += 1
        flat: list[Any] = []
        tree_map(flat.append, (args, kwargs))
        here = [x for x in flat if isinstance(x, Apart)]
        others = [x for x in flat if isinstance(x, torch.Tensor) and not isinstance(x, Apart)]
        asked = kwargs.get("device")
        there = bool(here) if asked is None else torch.device(asked).type == TYPE
        if asked is not None and there:
            kwargs["device"] = torch.device("cpu")
        moves = name in ("_to_copy", "copy_")
        if here and not moves and any(x.ndim for x in others):
            raise RuntimeError(f"{name}: tensors on two devices, {TYPE} and cpu")
        if here and (
            name in READS or (name == "_to_copy" and not there) or (name == "copy_" and not isinstance(args[0], Apart))
        ):
            self._waits(name)
        if name == "_to_copy" and there and not here and not kwargs.get("non_blocking"):
            self._waits("copy there")
        if here and name in ("index", "index_put_", "index_put"):
            marks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
            if marks:
                self._waits(f"{name} by marks")
        if torch.Tag.inplace_view in func.tags and here:
            raise NotImplementedError(f"{name}: the stand-in has no views changed in place")
        out = func(*tree_map(bare, args), **tree_map(bare, kwargs))
        if not there:
            return out
        same = {id(x.inner): x for x in here}  # what was changed in place is the tensor that it was
        return tree_map(lambda x: same.get(id(x), Apart(x)) if isinstance(x, torch.Tensor) else x, out)

    def _waits(self, what: str) -> None:
        self.blocking[what] += 1
        calls = [f for f in traceback.extract_stack() if "/helo/" in f.filename]
        self.where[f"{what}: {calls[-1].filename.rpartition('/helo/')[2]}:{calls[-1].lineno}" if calls else what] += 1


def bare(x: Any) -> Any:
    return x.inner if isinstance(x, Apart) else x


@contextmanager
def stand_in() -> Iterator[StandIn]:
    with StandIn() as device:
        yield device

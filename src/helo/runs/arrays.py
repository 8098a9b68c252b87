"""Arrays on disk: safetensors files, looked at before they are read, and the states of layers by the names of arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from helo.errors import HeloError, place
from helo.runs.folder import replacing


def write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any] | None = None, named: bool = False
) -> None:
    """A safetensors file; `about`, anything JSON can say, stands in its header. named: as `replacing` takes it."""
    whole = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    with replacing(path, named) as beside:
        beside.write_bytes(save(whole, {"about": json.dumps(about)} if about is not None else None))


COPY = "replace it by an undamaged copy"
#: Shapes and types of arrays by their names.
Sizes = Mapping[str, tuple[tuple[int, ...], np.dtype]]


def read_arrays(
    path: Path, expected: Callable[[int, int], Sizes] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a safetensors file and what its header says about them. expected: of the file's count of numbers and of
    arrays, what it must hold, which is looked at before any of it is read.

    Raises HeloError with the file's name when it is missing or damaged, has other arrays, or NaN or infinity in one.
    """
    with place(path):
        if not path.is_file():
            raise HeloError("no such file", expected="a safetensors file")
        sizes: Sizes = {}
        try:
            with safe_open(path, "numpy") as file:
                shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
                about = json.loads((file.metadata() or {}).get("about", "{}"))
                if expected is not None:
                    sizes = expected(sum(map(math.prod, shapes.values())), len(shapes))
                    _compare(shapes, sizes)
                arrays = {name: file.get_tensor(name) for name in shapes}
        except HeloError:
            raise
        except (SafetensorError, OSError, ValueError, TypeError, RecursionError, AttributeError, MemoryError) as error:
            raise HeloError(f"damaged: {error}", mend=COPY) from error
        if not isinstance(about, dict):
            raise HeloError("damaged: its header is not a JSON object", mend=COPY)
        if expected is not None:
            compare(arrays, sizes)
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise HeloError(f"{name} has NaN or infinity", expected="numbers", mend=COPY)
        return arrays, about


def _compare(found: Mapping[str, Sequence[int]], expected: Sizes) -> None:
    """Raises HeloError for the first array that lacks, is too many, or has another shape."""
    for name in sorted({*found, *expected}):
        ours = expected[name][0] if name in expected else None
        theirs = tuple(found[name]) if name in found else None
        if ours != theirs:
            raise HeloError(
                f"{name} is {theirs if theirs is not None else 'missing'}",
                expected=f"{ours if ours is not None else 'no such array'}, as run.json and vocab.json say",
                mend="take all files from one run",
            )


def state_arrays(state: Any) -> dict[str, np.ndarray]:
    """A state, layers of arrays, as arrays named `layer.place`; `layered` reads them."""
    return {f"{i}.{j}": s for i, layer in enumerate(state or ()) for j, s in enumerate(layer)}


def layered(arrays: Mapping[str, np.ndarray]) -> tuple[tuple[np.ndarray, ...], ...]:
    """A state out of arrays named `layer.place`."""
    layers: dict[int, dict[int, np.ndarray]] = {}
    for name, array in arrays.items():
        i, j = map(int, name.split("."))
        layers.setdefault(i, {})[j] = array
    return tuple(tuple(layer[j] for j in sorted(layer)) for _, layer in sorted(layers.items()))


def checked_state(arrays: Mapping[str, np.ndarray], like: Any, rows: int) -> tuple[tuple[np.ndarray, ...], ...]:
    """The same, of a file: HeloError unless it is of the layers of `like`, with so many rows."""
    compare(arrays, {n: ((rows, *a.shape[1:]), a.dtype) for n, a in state_arrays(like).items()})
    return layered(arrays)


def compare(arrays: Mapping[str, np.ndarray], expected: Sizes) -> None:
    """Raises HeloError for the first array that lacks, is too many, or has another shape or type."""
    _compare({n: a.shape for n, a in arrays.items()}, expected)
    for name, array in arrays.items():
        if array.dtype != expected[name][1]:
            raise HeloError(f"{name} of {array.dtype}", expected=f"{expected[name][1]}", mend=COPY)

"""An array that writes down which functions are called on it: the array standard's, by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

_used: set[str] = set()


@contextmanager
def tracing() -> Iterator[set[str]]:
    """The names of the functions called on Traced arrays inside the block, as a set that fills."""
    _used.clear()
    yield _used


class _Namespace:
    """The array standard's functions, each noted when it is called; constants (dtypes, pi) pass."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(xp, name)
        if isinstance(found, type) or not callable(found):
            return found

        def noted(*args: Any, **kwargs: Any) -> Any:
            _used.add(name)
            return _wrap(found(*map(_unwrap, args), **{k: _unwrap(v) for k, v in kwargs.items()}))

        return noted


NAMESPACE = _Namespace()


class Traced:
    """A NumPy array behind the array standard: operators, indexing and attributes of the standard, nothing else."""

    def __init__(self, x: np.ndarray):
        self.x = x

    def __array_namespace__(self, api_version: str | None = None) -> _Namespace:
        return NAMESPACE

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "NumPy's own functions were called on an array: take them from helo.cells.functions.namespace(x)"
        )

    def __getitem__(self, key: Any) -> Any:
        return _wrap(self.x[_unwrap(key)])

    def __bool__(self) -> bool:
        return bool(self.x)

    def __len__(self) -> int:
        return len(self.x)

    shape = property(lambda self: self.x.shape)
    ndim = property(lambda self: self.x.ndim)
    size = property(lambda self: self.x.size)
    dtype = property(lambda self: self.x.dtype)
    device = property(lambda self: xp.__array_namespace_info__().default_device())
    T = property(lambda self: Traced(self.x.T))
    mT = property(lambda self: Traced(np.swapaxes(self.x, -1, -2)))  # noqa: N815 - the standard's name


def _operator(name: str) -> Any:
    def operator(self: Traced, *others: Any) -> Any:
        result = getattr(self.x, name)(*map(_unwrap, others))
        return result if result is NotImplemented else _wrap(result)

    return operator


# Nothing in place: `a += b` makes a new array, as it does where arrays cannot be changed.
_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
_OTHERS = ("lt", "le", "eq", "ne", "gt", "ge", "neg", "pos", "abs", "invert")
for _name in (*_ARITHMETIC, *(f"r{n}" for n in _ARITHMETIC), *_OTHERS):
    setattr(Traced, f"__{_name}__", _operator(f"__{_name}__"))


def _unwrap(x: Any) -> Any:
    if isinstance(x, Traced):
        return x.x
    return type(x)(map(_unwrap, x)) if isinstance(x, list | tuple) else x


def _wrap(x: Any) -> Any:
    if isinstance(x, np.ndarray | np.generic):
        return Traced(np.asarray(x))
    return type(x)(map(_wrap, x)) if isinstance(x, list | tuple) else x

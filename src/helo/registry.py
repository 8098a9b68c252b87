"""What is registered is one file in its room, found by its file name and imported on use.

A new cell, unit or task is a new file; no list names it anywhere. The class that a module offers is the one that
it defines itself and that is not abstract.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import TypeVar

from helo.errors import HeloError, nearest

T = TypeVar("T")


def names(room: str, not_these: tuple[str, ...] = ()) -> list[str]:
    """The names registered in a room (`helo.cells`), sorted; imports none of them."""
    package = importlib.import_module(room)
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg and m.name not in not_these)


def module(room: str, name: str, what: str, known: list[str]) -> ModuleType:
    """The module of a registered thing. HeloError, with the nearest name, where there is none."""
    if not isinstance(name, str):
        raise TypeError(f"{name!r:.80} is no name of a {what}")
    if name not in known:
        raise HeloError(f"no {what} is called {name!r}", mend=nearest(name, known))
    return importlib.import_module(f"{room}.{name}")


def offered(module: ModuleType, base: type[T]) -> type[T]:
    """The one concrete class of kind `base` that a module defines; two are an error of its author."""
    found = [
        c
        for c in vars(module).values()
        if inspect.isclass(c) and issubclass(c, base) and c.__module__ == module.__name__ and not inspect.isabstract(c)
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} defines {len(found)} classes of kind {base.__name__}, not one")
    return found[0]

"""Pictures to features: what an image network, trained by others or fresh, makes of a picture. One file a network."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from helo import registry
from helo.encoders.base import Encoder, Learned, Trained
from helo.encoders.store import features
from helo.errors import HeloError, nearest

__all__ = ["Encoder", "Learned", "Trained", "features", "find", "located", "names"]

_NOT_THESE = ("base", "store", "clips")


def names() -> list[str]:
    """What `find` takes, files aside."""
    return [n for kind in _kinds() for n in kind.names]


@cache
def find(name: str) -> Encoder:
    """An encoder by its name, or an image network in a `.onnx` file. Raises HeloError, naming the nearest, for one that
    is not known.
    """
    for kind in _kinds():
        if name in kind.names or (kind.suffix and name.lower().endswith(kind.suffix)):
            return kind(name)
    raise HeloError(f"there is no encoder {name!r}", mend=f"{nearest(name, names())}, or FILE.onnx")


def located(name: str) -> str:
    """A name as a run folder keeps it: a file by its whole path."""
    path = Path(os.path.expanduser(name))
    return str(path.absolute()) if path.suffix else name


def _kinds() -> list[type[Encoder]]:
    rooms = registry.names("helo.encoders", _NOT_THESE)
    return [registry.offered(registry.module("helo.encoders", n, "encoder", rooms), Encoder) for n in rooms]

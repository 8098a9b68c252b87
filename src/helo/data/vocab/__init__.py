"""Text to symbols and back: one file a unit.

vocab.names()                          what there is
vocab.build("characters", pieces)      the vocabulary of a text, given in pieces
vocab.from_json(object)                one that was saved
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from helo import registry
from helo.data.vocab.base import Vocab
from helo.errors import HeloError

__all__ = ["Vocab", "build", "find", "from_json", "names"]


def names() -> list[str]:
    """The registered units."""
    return registry.names("helo.data.vocab", ("base",))


def find(unit: str) -> type[Vocab]:
    """The class of a unit. Raises HeloError, naming the nearest, for one that is not known."""
    return registry.offered(registry.module("helo.data.vocab", unit, "unit", names()), Vocab)


def build(unit: str, pieces: Iterable[bytes]) -> Vocab:
    """The vocabulary of a text. pieces: the text in UTF-8 (any bytes for the unit `bytes`), cut between characters."""
    return find(unit).build(pieces)


def from_json(saved: dict[str, Any]) -> Vocab:
    """The vocabulary that `to_json` wrote."""
    try:
        return find(saved["unit"]).from_json(saved)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise HeloError(f"not a vocabulary ({error!r})", mend="use the file from an undamaged run") from error

"""The contract of a vocabulary, written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Self, final

import numpy as np

from helo.errors import HeloError


class Vocab(ABC):
    """Symbols numbered from 0. Each symbol stands for some bytes of UTF-8, and a text's symbols, joined, are the text.

    `spelling` is all that decoding needs; what a unit adds is how a text is cut into symbols.
    """

    spelling: tuple[bytes, ...]

    @classmethod
    @abstractmethod
    def build(cls, pieces: Iterable[bytes]) -> Self:
        """The vocabulary of a text, given in pieces of UTF-8 cut between characters."""

    @abstractmethod
    def encode(self, text: bytes, lenient: bool = False) -> np.ndarray:
        """Symbols of a text, `(symbols,)` whole numbers. Raises HeloError, naming the character, where it lacks one;
        lenient: it is symbol 0 instead, if the unit has a symbol for what it does not know.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What `from_json` needs, with the key `unit`."""

    @classmethod
    @abstractmethod
    def from_json(cls, saved: dict[str, Any]) -> Self:
        """The vocabulary that `to_json` wrote. Raises ValueError for anything else."""

    #: Symbols that a text may hold but that are never written, such as the one for unknown characters.
    silent: tuple[int, ...] = ()

    @final
    def __len__(self) -> int:
        return len(self.spelling)

    @final
    def decode(self, ids: Iterable[int]) -> bytes:
        """The bytes of some symbols; at a cut inside a character they may not be whole UTF-8."""
        return b"".join(self.spelling[i] for i in ids)

    @final
    @cached_property
    def widths(self) -> np.ndarray:
        """(bytes, characters) of each symbol, `(symbols, 2)`; the bytes 10xxxxxx continue a character."""
        return np.array([(len(s), sum(b & 0xC0 != 0x80 for b in s)) for s in self.spelling], np.int64)

    @final
    @cached_property
    def dtype(self) -> np.dtype:
        """The smallest whole number that holds every id."""
        return np.dtype(np.uint8 if len(self) <= 1 << 8 else np.uint16 if len(self) <= 1 << 16 else np.uint32)


def lacks(character: str) -> HeloError:
    """The refusal of a character that a vocabulary has never seen."""
    return HeloError(
        f"the character {character!r} (U+{ord(character):04X}) is not in the model's vocabulary",
        mend="remove it, or train with --units bytes or on text that contains it",
    )

"""Characters: the Unicode code points that occur in the text."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from helo.data.vocab.base import Vocab, lacks
from helo.saved import distinct, fields

UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Characters(Vocab):
    """Symbol 0 is a character that the training text lacks (it is never written); the others are sorted."""

    silent = (0,)

    def __init__(self, characters: str):
        """characters: distinct, in the order of their ids from 1."""
        self.characters = characters
        self.spelling = (UNKNOWN.encode(), *(c.encode() for c in characters))

    @cached_property
    def _ids(self) -> np.ndarray:
        """Id by code point, up to one above the largest that is known; 0 where there is none."""
        codes = _codes(self.characters.encode())
        table = np.zeros(int(codes.max(initial=0)) + 2, self.dtype)
        table[codes] = np.arange(1, len(codes) + 1)
        return table

    @classmethod
    def build(cls, pieces):
        seen = np.zeros(0x110000, bool)
        for piece in pieces:
            seen[_codes(piece)] = True
        return cls("".join(map(chr, np.flatnonzero(seen))))

    def encode(self, text, lenient=False):
        codes = _codes(text)
        ids = self._ids.take(codes, mode="clip")
        if not lenient and not ids.all():
            raise lacks(chr(codes[np.argmin(ids != 0)]))
        return ids

    def to_json(self):
        return {"unit": "characters", "characters": self.characters}

    @classmethod
    def from_json(cls, saved):
        _, characters = fields(saved, unit=str, characters=str)
        return cls(distinct(characters, "characters"))


def _codes(text: bytes) -> np.ndarray:
    """Code points of UTF-8; its bytes themselves where it is ASCII, which is most of many texts."""
    return np.frombuffer(*((text, np.uint8) if text.isascii() else (text.decode().encode("utf-32-le"), np.uint32)))

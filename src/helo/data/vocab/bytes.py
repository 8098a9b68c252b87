"""Bytes: 256 symbols, for any text or file."""

from __future__ import annotations

import numpy as np

from helo.data.vocab.base import Vocab
from helo.saved import fields


class Bytes(Vocab):
    """Every file is a sequence of bytes; nothing is ever unknown."""

    spelling = tuple(bytes([b]) for b in range(256))

    @classmethod
    def build(cls, pieces):
        return cls()

    def encode(self, text, lenient=False):
        return np.frombuffer(text, np.uint8)

    def to_json(self):
        return {"unit": "bytes"}

    @classmethod
    def from_json(cls, saved):
        fields(saved, unit=str)
        return cls()

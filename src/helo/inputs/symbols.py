"""Text as characters, bytes or subwords, each a row of a table."""

from __future__ import annotations

import unicodedata
from typing import Literal

import numpy as np

from helo import engines
from helo.data import vocab as vocabularies
from helo.data.ragged import Ragged
from helo.inputs.base import Input, Plain
from helo.saved import fields, least


class Symbols(Input):
    """A text's symbols in its Unicode normal form NFC."""

    reads = ("text",)

    def __init__(self, vocab, width: int):
        self.vocab, self.width = vocab, width

    @classmethod
    def learn(cls, examples, units: str, width: int):
        """From training texts. width: numbers a symbol becomes."""
        return cls(vocabularies.build(units, (_bytes(t + "\n") for t in examples.inputs)), width)

    def _encode(self, examples):
        return Plain("ids", Ragged.of([self.vocab.encode(_bytes(t), lenient=True) for t in examples.inputs]))

    def init(self, rng, cell):
        return {"embedding": rng.standard_normal((len(self.vocab), self.width)).astype(np.float32)}

    def forward(self, parameters, batch, cell, noise):
        return engines.embedding(parameters["embedding"], batch["ids"])

    def to_json(self):
        return {"form": "symbols", "width": self.width, "vocab": self.vocab.to_json()}

    @classmethod
    def from_json(cls, saved):
        _, width, vocab = fields(saved, form=Literal["symbols"], width=int, vocab=dict)
        return cls(vocabularies.from_json(vocab), least(width, 1, "width"))


def _bytes(text: str) -> bytes:
    return unicodedata.normalize("NFC", text).encode(errors="replace")

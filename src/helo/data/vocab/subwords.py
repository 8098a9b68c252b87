"""Subwords learned from the text: byte-level pair encoding, by Hugging Face's tokenizers (chosen over SentencePiece
because its byte level restores every text exactly, with spaces and line breaks).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from helo.data.vocab.base import Vocab
from helo.errors import wrap
from helo.saved import fields, typed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIZE = 2_000  # a small vocabulary: small models and small texts
LEARN_FROM = 50_000_000  # bytes of text from which the merges are learned; more changes nothing


class Subwords(Vocab):
    """Byte-level BPE (Sennrich, Haddow and Birch 2016; over bytes, Radford et al. 2019). Nothing is ever unknown."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        size = tokenizer.get_vocab_size()
        alphabet = _bytes_by_letter()
        self.spelling = tuple(bytes(alphabet[c] for c in (tokenizer.id_to_token(i) or "")) for i in range(size))

    @classmethod
    def build(cls, pieces):
        tokenizers, tokenizer = _library(), _tokenizer()
        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=SIZE, initial_alphabet=alphabet, show_progress=False, min_frequency=2
        )

        def some():
            left = LEARN_FROM
            for piece in pieces:
                yield piece[:left].decode(errors="ignore")
                left -= len(piece)
                if left <= 0:
                    return

        tokenizer.train_from_iterator(some(), trainer)
        return cls(tokenizer)

    def encode(self, text, lenient=False):
        return np.array(self.tokenizer.encode(text.decode()).ids, self.dtype)

    def to_json(self):
        return {"unit": "subwords", "tokenizer": json.loads(self.tokenizer.to_str())}

    @classmethod
    def from_json(cls, saved):
        """Of the file only the symbols and their merges are taken: whatever else the library lets a tokenizer do to a text
        (pad it, cut it, replace in it, add symbols that no model has) none that was built here does.
        """
        model = fields(saved, unit=str, tokenizer=dict)[1].get("model")
        if not isinstance(model, dict):
            raise ValueError("tokenizer has no model")
        symbols = typed(model.get("vocab"), dict[str, int], "vocab")
        merges = typed(model.get("merges"), list[str | list[str]], "merges")
        if sorted(symbols.values()) != list(range(len(symbols))):
            raise ValueError(f"{len(symbols)} symbols that are not numbered from 0 to {len(symbols) - 1}")
        if lacks := _bytes_by_letter().keys() - symbols.keys():
            raise ValueError(f"no symbol for {len(lacks)} of the 256 bytes")
        # Earlier versions of the library wrote a merge as one text.
        parts = [tuple(m.split(" ") if isinstance(m, str) else m) for m in merges]
        if any(len(p) != 2 for p in parts):
            raise ValueError("a merge that is not of two symbols")
        try:
            return cls(_tokenizer(symbols, parts))
        except Exception as error:  # the library raises no narrower kind
            raise ValueError(f"tokenizers: {error}") from error


def _tokenizer(symbols: dict[str, int] | None = None, merges: Any = None) -> Tokenizer:
    """Over bytes; without symbols, one that is still to learn them."""
    tokenizers = _library()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(symbols, merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def _library():
    with wrap(ImportError, "subwords need the package tokenizers", mend="pip install 'helo[subwords]'"):
        import tokenizers
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    return tokenizers


def _bytes_by_letter() -> dict[str, int]:
    """The printable letter that stands for each byte in a byte-level vocabulary: GPT-2's table."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(rest)}

"""Words: frequent words are one symbol each, the others are spelled with characters, so that nothing is lost."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property

import numpy as np

from helo.data.vocab.base import Vocab, lacks
from helo.saved import distinct, fields

MOST, LEAST = 20_000, 3  # at most so many words, each seen at least so often

# A word takes the space before it along, so that running text needs no symbol for its spaces.
_WORD = re.compile(r" ?\w+| ?[^\w\s]|\s")


class Words(Vocab):
    """Symbol 0 is a character never seen; then the characters, sorted; then the words, most frequent first.

    A text's bits per byte compare with those of any other unit, since an unknown word costs its spelling.
    """

    silent = (0,)
    unit = "words"

    @staticmethod
    def cut(text: str) -> list[str]:
        """A text in words, which joined are the text."""
        return _WORD.findall(text)

    def __init__(self, characters: str, words: list[str]):
        self.characters, self.words = characters, words
        self.spelling = ("\N{REPLACEMENT CHARACTER}".encode(), *(s.encode() for s in (*characters, *words)))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {s: i for i, s in enumerate((*self.characters, *self.words), 1)}

    @classmethod
    def build(cls, pieces):
        counts: Counter[str] = Counter()
        for piece in pieces:
            counts.update(cls.cut(piece.decode()))
        characters = {c for word in counts for c in word}
        words = [w for w, n in sorted(counts.items(), key=lambda i: (-i[1], i[0])) if n >= LEAST and len(w) > 1]
        return cls("".join(sorted(characters)), words[:MOST])

    def encode(self, text, lenient=False):
        ids: list[int] = []
        known = self._ids
        for word in self.cut(text.decode()):
            if word in known:
                ids.append(known[word])
                continue
            for c in word:
                if c not in known and not lenient:
                    raise lacks(c)
                ids.append(known.get(c, 0))
        return np.array(ids, self.dtype)

    def to_json(self):
        return {"unit": self.unit, "characters": self.characters, "words": self.words}

    @classmethod
    def from_json(cls, saved):
        _, characters, words = fields(saved, unit=str, characters=str, words=list[str])
        distinct((*characters, *words), "characters and words")
        return cls(characters, words)

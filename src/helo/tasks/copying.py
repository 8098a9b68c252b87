"""Characters that a model has never met are carried from a source into an answer, as they are."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import replace

import numpy as np

from helo import engines
from helo.data.dataset import Dataset
from helo.data.ragged import Ragged
from helo.inputs.base import EVERY
from helo.tasks.writing import WritingTask

COPIED = 0.05  # of the training pairs have one character that both sides hold once taken for an unknown one
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Copies(WritingTask):
    """A task with a symbol for any unknown character. A symbol from `model.symbols` on is a code point above it."""

    unknown: int

    def training_examples(self, examples):
        """Some training pairs with a character that both sides hold once in the place of an unknown one, so that the
        model learns to carry it through.
        """
        rng = np.random.default_rng(0)
        sides: list[list[str]] = [list(map(normal, examples.inputs)), list(map(normal, examples.labels))]
        for i in np.flatnonzero(rng.random(len(examples)) < COPIED):
            a, b = (Counter(side[i]) for side in sides)
            common = sorted(c for c in a if a[c] == b.get(c) == 1 and not c.isspace())
            if common:
                c = common[rng.integers(len(common))]
                for side in sides:
                    side[i] = side[i].replace(c, UNKNOWN)
        return super().training_examples(Dataset(examples.kind, sides[0], sides[1], examples.place, examples.notes))

    def finished(self, parameters, memory, batch, found):
        """Every unknown character of an answer is one of the source: the one that was looked at most, and without
        attention the next in order.
        """
        strangers = engines.host(batch["strangers"])
        hypotheses = [
            (i, k)
            for i, several in enumerate(found)
            for k, h in enumerate(several)
            if self.unknown in h.symbols and strangers[i].any()
        ]
        if not hypotheses:
            return found
        rows = np.array([i for i, _ in hypotheses])
        at = engines.array(rows, memory[0])
        written = [found[i][k].symbols for i, k in hypotheses]
        looks = self.attention_weights(parameters, tuple(m[at] for m in memory), written)
        out = [list(several) for several in found]
        for (i, k), look in zip(hypotheses, looks, strict=True):
            out[i][k] = replace(found[i][k], symbols=self._carried(found[i][k].symbols, strangers[i], look))
        return out

    def _carried(self, symbols: list[int], strangers: np.ndarray, look: np.ndarray) -> list[int]:
        places, out, met = np.flatnonzero(strangers), [], 0
        for t, symbol in enumerate(symbols):
            if symbol == self.unknown:
                best = look[t, places].argmax() if look.any() else min(met, len(places) - 1)
                symbol, met = self.model.symbols + int(strangers[places[best]]), met + 1
            out.append(symbol)
        return out


class Sources:
    def __init__(self, ids: Ragged, strangers: Ragged):
        """strangers: beside every unknown symbol the code point of its character, and 0 beside all others."""
        if not len(ids.values):
            ids = Ragged(np.zeros(len(ids), np.int64), np.ones(len(ids), np.int64))
            strangers = ids
        self.ids, self.strangers = ids, strangers
        self.lengths = np.maximum(ids.lengths, 1)  # an empty line is one symbol long, and stays in its place

    def batch(self, rows, rng=None, mine=EVERY):
        rows = rows[mine]
        ids, strangers = self.ids.padded(rows)[0], self.strangers.padded(rows)[0]
        return {"ids": ids, "strangers": strangers, "lengths": self.lengths[rows]}


def normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)

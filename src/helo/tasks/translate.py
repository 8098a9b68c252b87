"""Translate a text into another language or form. (Many to many, with an encoder and a decoder.)

source → vectors → recurrent layers, both ways → memory, and a summary for the decoder to start from

The decoder is that of every task that writes: `helo.tasks.writing`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np

from helo import engines
from helo.data import dataset
from helo.data import vocab as vocabularies
from helo.data.dataset import Dataset
from helo.data.ragged import Ragged
from helo.data.readers.files import parted
from helo.data.vocab import Vocab
from helo.inputs.base import EVERY
from helo.metrics import Predictions, Scoring, translation
from helo.models.translator import Translator
from helo.options import SIZE, Bounds
from helo.saved import distinct, fields, settled
from helo.tasks.base import filled
from helo.tasks.reading import Source
from helo.tasks.writing import ScheduledSampling, WriterOptions, WritingTask

SHORT = 32  # characters a text, on the average of both sides: up to here the units are characters, above it subwords
COPIED = 0.05  # of the training pairs have one character that both sides hold once taken for an unknown one
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
COMPARED = 1 << 19  # places of sources times those of targets in a step: 64 pairs of 90, two of 500


@dataclass(frozen=True)
class Options(WriterOptions):
    """Of a translator. Sizes that are not given are settled from the pairs (`Translate.from_dataset`)."""

    paired = True
    reading = MappingProxyType(dict.fromkeys(("reader", "source_column", "target_column")))
    hidden: Annotated[
        int | None,
        "units of each of the decoder's two layers, and of both directions of the encoder together",
        Bounds(2),
    ] = None
    source_column: Annotated[str | None, "column of the source (the first of source, src, input, from)"] = None
    target_column: Annotated[str | None, "column of the target (the first of target, trg, tgt, output, to)"] = None
    units: Annotated[
        Literal["subwords", "words", "characters", "bytes"] | None,
        "the unit of text that is one symbol (characters for short texts, else subwords)",
    ] = None
    attention: Annotated[
        Literal["additive", "multiplicative", "none"], "attention of the decoder (none: a fixed vector)"
    ] = "additive"
    layers: Annotated[int | None, "recurrent layers of the encoder; the decoder has two", SIZE] = None
    batch: Annotated[int | None, "pairs per step (batch size)", SIZE] = None


class PairSource(Source):
    """Texts with other texts."""

    def details(self, examples):
        return {"target characters": dataset.span([len(t) for t in examples.labels or ("",)])}

    def lines(self, task, text, **said):
        rows = [t.strip() for t in parted(text)]
        return replace(self.given(task, rows), columns={"source": rows})

    def _typed(self, task, texts, **said):
        yield from (self.lines(task, text) for text in texts)


class Translate(WritingTask):
    """Symbols 0 … V-1 are the vocabulary's, which both sides share; then begin, end, and an unknown character.

    A symbol from there on, `symbols` + a code point, is a character that was carried from the source into an answer.
    """

    Options = Options
    source = PairSource("text")
    recipe = ScheduledSampling({"adam_rate": 3e-3, "rate": 0.02}, max_epochs=60)
    scoring = Scoring(("translation",), ("text",))

    def __init__(self, options: Options, vocab: Vocab, characters: str):
        """characters: those of the training sources; any other is carried through as it is."""
        self.options, self.vocab, self.characters = options, vocab, characters
        self.begin, self.end, self.unknown = (len(vocab) + i for i in range(3))
        self.model = Translator(options, len(vocab) + 3)
        self.recipe = replace(self.recipe, scheduled=options.scheduled)
        self._known = set(characters)

    @classmethod
    def load(cls, options, saved, data):
        settled(options, "units", "hidden", "embedding", "dropout", "layers")
        vocab, characters = fields(saved, vocab=dict, characters=str)
        return cls(options, vocabularies.from_json(vocab), distinct(characters, "characters"))

    @classmethod
    def from_dataset(cls, options, examples):
        sides = [[normal(t) for t in side] for side in (examples.inputs, examples.labels)]
        length = sum(len(t) for side in sides for t in side) / max(1, sum(map(len, sides)))
        o: Any = filled(options, units="characters" if length <= SHORT else "subwords")
        small = len(examples) < 50_000 and o.units == "characters"
        width, dropout = (64, 0.1) if small else (256, 0.3)
        o = filled(o, layers=1, hidden=128 if small else 256, embedding=width, dropout=dropout, batch=64)
        counts = Counter(c for t in sides[0] for c in t)
        texts = (f"{t}\n".encode(errors="replace") for side in sides for t in side)
        return cls(o, vocabularies.build(o.units, texts), "".join(sorted(counts)))

    # From texts to symbols and back.

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

    def encode(self, examples):
        texts = [normal(t) for t in examples.inputs]
        ids = Ragged.of([self.ids(t, foreign=True) for t in texts])
        strangers = np.zeros(len(ids.values), np.int64)
        strangers[ids.values == self.unknown] = [ord(c) for t in texts for c in t if self._foreign(c)]
        return _Sources(ids, Ragged(strangers, ids.lengths))

    def targets(self, examples):
        translation.library()  # a training is refused before it begins, not at its end
        return _Targets(Ragged.of([self.ids(t) for t in examples.labels]), [str(t) for t in examples.labels])

    def target_batch(self, targets, rows):
        return self.before_and_after(targets.ids, rows)

    def _shares(self, encoded, targets):
        compared = encoded.lengths * (targets.ids.lengths + 1) if self.options.attention != "none" else 0
        return np.maximum(super()._shares(encoded, targets), compared / COMPARED)

    def ids(self, text: str, foreign: bool = False) -> np.ndarray:
        """Symbols of a text. foreign: characters that the training sources lack are the unknown one."""
        out = [np.zeros(0, np.int64)]
        for unknown, same in groupby(normal(text), self._foreign if foreign else lambda c: c == UNKNOWN):
            piece = "".join(same)
            out.append(np.full(len(piece), self.unknown) if unknown else self.symbols(piece))
        return np.concatenate(out)

    def _foreign(self, c: str) -> bool:
        return c == UNKNOWN or c not in self._known

    def text(self, ids: Iterable[int]) -> str:
        carried = self.model.symbols
        parts = [self.vocab.decode([i] if i < self.begin else []) if i < carried else chr(i - carried).encode(errors="replace")
                 for i in ids]  # fmt: skip
        return b"".join(parts).decode(errors="replace")

    def most(self, batch):
        return 3 * engines.host(batch["lengths"]) + 20

    # What it answers.

    def predictions(self, answers, targets):
        texts = [self.text(found[0].symbols).strip() for found in answers]
        return Predictions({"text": (texts, [[t] for t in targets.texts])}, notes={"pairs": len(texts)})

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

    def looked(self, source, symbols, weights):
        source_ids = self.ids(source, foreign=True)
        strangers = iter([ord(c) for c in normal(source) if self._foreign(c)])
        read = [self.model.symbols + next(strangers) if i == self.unknown else i for i in source_ids]
        texts = [[self.text([int(i)]) for i in side] for side in (read, symbols)]
        return {"source": texts[0], "target": [*texts[1], "∎"], "weights": weights.round(5).tolist()}

    def to_json(self):
        return self.data, {"vocab": self.vocab.to_json(), "characters": self.characters}


@dataclass
class _Targets:
    ids: Ragged
    texts: list[str]


class _Sources:
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

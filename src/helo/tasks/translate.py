"""Translate a text into another language or form. (Many to many, with an encoder and a decoder.)

source → vectors → recurrent layers, both ways → memory, and a summary for the decoder to start from

The decoder is that of every task that writes: `helo.tasks.writing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np

from helo import engines
from helo.data import dataset, readers
from helo.data import vocab as vocabularies
from helo.data.buckets import in_order
from helo.data.dataset import Dataset
from helo.data.ragged import Ragged
from helo.data.readers import arrays, table
from helo.data.readers.files import parted
from helo.data.vocab import Vocab
from helo.decoding import beam as beams
from helo.errors import HeloError
from helo.metrics import Predictions, Scoring, translation
from helo.models.translator import Translator
from helo.options import SIZE, Bounds
from helo.saved import distinct, fields, settled
from helo.tasks.base import Parameters, filled, on
from helo.tasks.copying import UNKNOWN, Copies, Sources, normal
from helo.tasks.writing import ScheduledSampling, WriterOptions, WritingTask

LARGEST = 1 << 22  # numbers of one text's attention
SHORT = 32  # characters a text, on the average of both sides: up to here the units are characters, above it subwords
COMPARED = 1 << 19  # places of sources times those of targets in a step: 64 pairs of 90, two of 500


@dataclass(frozen=True)
class Options(WriterOptions):
    """Of a translator. Sizes that are not given are settled from the pairs (`Translate.from_dataset`)."""

    paired = True
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


class Translate(Copies, WritingTask):
    """Symbols 0 … V-1 are the vocabulary's, which both sides share; then begin, end, and an unknown character.

    A symbol from there on, `symbols` + a code point, is a character that was carried from the source into an answer.
    """

    Options = Options
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
    def examples(cls, files, options, labelled=True):
        return readers.read(files, options, "text", labelled)

    @classmethod
    def more_summary(cls, examples):
        return {"target characters": dataset.span([len(t) for t in examples.labels or ("",)])}

    @classmethod
    def load(cls, options, saved, data):
        settled(options, "units", "hidden", "embedding", "dropout", "layers")
        vocab, characters = fields(saved, vocab=dict, characters=str)
        return cls(options, vocabularies.from_json(vocab), distinct(characters, "characters"))

    @classmethod
    def from_dataset(cls, options, examples):
        assert examples.labels is not None
        sides = [[normal(t) for t in side] for side in (examples.inputs, examples.labels)]
        length = sum(len(t) for side in sides for t in side) / max(1, sum(map(len, sides)))
        o: Any = filled(options, units="characters" if length <= SHORT else "subwords")
        small = len(examples) < 50_000 and o.units == "characters"
        o = filled(
            o,
            layers=1,
            hidden=128 if small else 256,
            embedding=64 if small else 256,
            dropout=0.1 if small else 0.3,
            batch=64,
        )
        counts = Counter(c for t in sides[0] for c in t)
        texts = (f"{t}\n".encode(errors="replace") for side in sides for t in side)
        return cls(o, vocabularies.build(o.units, texts), "".join(sorted(counts)))

    # From texts to symbols and back.

    def encode(self, examples):
        texts = [normal(t) for t in examples.inputs]
        ids = Ragged.of([self.ids(t, foreign=True) for t in texts])
        strangers = np.zeros(len(ids.values), np.int64)
        strangers[ids.values == self.unknown] = [ord(c) for t in texts for c in t if self._foreign(c)]
        return Sources(ids, Ragged(strangers, ids.lengths))

    def targets(self, examples):
        translation.library()  # a training is refused before it begins, not at its end
        assert examples.labels is not None
        return _Targets(Ragged.of([self.ids(t) for t in examples.labels]), [str(t) for t in examples.labels])

    def target_batch(self, targets, rows):
        return self.before_and_after(targets.ids, rows)

    def shares(self, encoded, targets):
        compared = encoded.lengths * (targets.ids.lengths + 1) if self.options.attention != "none" else 0
        return np.maximum(super().shares(encoded, targets), compared / COMPARED)

    def ids(self, text: str, foreign: bool = False) -> np.ndarray:
        """Symbols of a text. foreign: characters that the training sources lack are the unknown one."""
        text = normal(text)
        out: list[np.ndarray] = []
        piece = ""
        for c in text:
            if self._foreign(c) if foreign else c == UNKNOWN:
                out += [self.vocab.encode(piece.encode(errors="replace"), lenient=True), np.array([self.unknown])]
                piece = ""
            else:
                piece += c
        out.append(self.vocab.encode(piece.encode(errors="replace"), lenient=True))
        return np.concatenate(out).astype(np.int64)

    def _foreign(self, c: str) -> bool:
        return c == UNKNOWN or c not in self._known

    def text(self, ids: Iterable[int]) -> str:
        parts = [
            chr(i - self.model.symbols).encode(errors="replace")
            if i >= self.model.symbols
            else self.vocab.decode([i])
            if i < self.begin
            else b""
            for i in ids
        ]
        return b"".join(parts).decode(errors="replace")

    def most(self, batch):
        return 3 * engines.host(batch["lengths"]) + 20

    # What it answers.

    def predictions(self, answers, targets):
        texts = [self.text(found[0].symbols).strip() for found in answers]
        return Predictions({"text": (texts, [[t] for t in targets.texts])}, notes={"pairs": len(texts)})

    def predict(
        self,
        parameters: Parameters,
        source: Any,
        beam: int = 5,
        n_best: int = 1,
        alpha: float | None = None,
        attention: bool = False,
    ) -> list[dict[str, Any]]:
        """An answer a text: text, score (log-probability in nats), with n_best the others, with attention the matrix.

        source: examples, or a list of texts. alpha: of the beam's length normalisation (`helo.decoding.beam`).
        """
        wide, examples = max(beam, n_best), self.given(source)
        encoded = self.encode(examples)
        answers: list[dict[str, Any]] = [{} for _ in range(len(examples))]
        for rows in in_order(encoded.lengths, 1024, 64):
            batch = on(encoded.batch(rows), parameters["head.bias"])
            memory = self.model.memory(parameters, batch)
            found = self.search(parameters, memory, self.most(batch), wide, alpha)
            found = [h if examples.inputs[i].strip() else NOTHING for h, i in zip(found, rows, strict=True)]
            finished = self.finished(parameters, memory, batch, found)
            for row, several in zip(rows, finished, strict=True):
                texts = [{"text": self.text(h.symbols).strip(), "score": h.score} for h in several[:n_best]]
                answers[row] = texts[0] | ({"n_best": texts} if len(texts) > 1 else {})
            if attention:
                for row, several in zip(rows, found, strict=True):
                    size = int(encoded.lengths[row]) * (len(several[0].symbols) + 1)
                    if size > LARGEST:
                        raise HeloError(
                            f"the attention of {int(encoded.lengths[row]):,} symbols is {size:,} numbers",
                            expected=f"at most {LARGEST:,}", mend="omit --attention, or give shorter texts",
                            where=examples.place(int(row)),
                        )  # fmt: skip
                looks = self.attention_weights(
                    parameters, memory, encoded.lengths[rows], [several[0].symbols for several in found]
                )
                for k, row in enumerate(rows):
                    strangers = encoded.strangers[row]
                    source_ids = np.where(strangers > 0, self.model.symbols + strangers, encoded.ids[row])
                    answers[row]["attention"] = {
                        "source": [self.text([i]) for i in source_ids],
                        "target": [self.text([i]) for i in finished[k][0].symbols] + ["∎"],
                        "weights": looks[k].round(5).tolist(),
                    }
        return answers

    def given(self, source: Any) -> Dataset:
        """Examples to be answered, as a dataset."""
        if isinstance(source, Dataset):
            return source
        if table.given(source):
            return self.unlabelled(source)
        return Dataset("pair", arrays.texts(source), None, lambda i, *step: f"input {i + 1}")

    def lines(self, text: str) -> Dataset:
        """Standard input: a text a line."""
        return self.given([t.strip() for t in parted(text)])

    def to_json(self):
        return self.data, {"vocab": self.vocab.to_json(), "characters": self.characters}


NOTHING = [beams.Hypothesis([], 0.0, 0.0)]  # the answer to an empty line


@dataclass
class _Targets:
    ids: Ragged
    texts: list[str]

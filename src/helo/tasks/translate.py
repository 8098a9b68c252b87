"""A text for a text: another language, another form (many to many, through an encoder and a decoder).

source → vectors → recurrent layers, both ways → memory, and a summary for the decoder to start from

The decoder is that of every task that writes: `helo.tasks.writing`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np

from helo import cells, engines
from helo.cells.functions import namespace
from helo.data import vocab as vocabularies
from helo.data.buckets import in_order
from helo.data.labelled import Labelled
from helo.data.ragged import Ragged
from helo.data.readers import pairs
from helo.data.vocab import Vocab
from helo.decoding import beam as beams
from helo.layers import locked, part, stack
from helo.metrics import translation
from helo.tasks.base import Parameters, filled
from helo.tasks.writing import WriterOptions, WritingTask

SHORT = 32  # characters a text, on the average of both sides: up to here the units are characters, above it subwords
COPIED = 0.05  # of the training pairs have one character that both sides hold once taken for an unknown one


@dataclass(frozen=True)
class Options(WriterOptions):
    """Of a translator. Sizes that are not given are settled from the pairs (`Translate.learned`)."""

    units: Annotated[
        Literal["subwords", "words", "characters", "bytes"] | None,
        "what a symbol is (characters for short texts, else subwords)",
    ] = None
    attention: Annotated[
        Literal["additive", "multiplicative", "none"], "how the decoder looks back (none: a fixed vector)"
    ] = "additive"
    layers: Annotated[int | None, "recurrent layers of the encoder; the decoder has two"] = None
    batch: Annotated[int | None, "pairs a step"] = None


class Translate(WritingTask):
    """Symbols 0 … V-1 are the vocabulary's, which both sides share; then begin, end, and an unknown character."""

    Options = Options
    unit = "symbols"
    example = "--source train.en --target train.de"
    paired = True
    passes = 60
    training = MappingProxyType({"adam_rate": 3e-3, "rate": 0.02})

    def __init__(self, options: Options, vocab: Vocab, characters: str):
        """characters: those of the training sources; any other is carried through as it is."""
        self.options, self.vocab, self.characters = options, vocab, characters
        self.begin, self.end, self.unknown = (len(vocab) + i for i in range(3))
        self.cell = cells.find(options.cell)
        self._known = set(characters)

    @classmethod
    def examples(cls, files, options, asked=True):
        return pairs.read(files, asked)

    @classmethod
    def load(cls, options, saved, data):
        return cls(options, vocabularies.from_json(saved["vocab"]), saved["characters"])

    @classmethod
    def learned(cls, options, examples):
        assert examples.labels is not None
        sides = [[_normal(t) for t in side] for side in (examples.inputs, examples.labels)]
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

    @property
    def rows(self):
        return self.symbols

    @property
    def symbols(self):
        return len(self.vocab) + 3

    # From texts to symbols and back.

    def cut(self, examples):
        """Some training pairs with a character that both sides hold once in the place of an unknown one, so that the
        model learns to carry it through.
        """
        assert examples.labels is not None
        rng = np.random.default_rng(0)
        sides: list[list[str]] = [list(map(_normal, examples.inputs)), list(map(_normal, examples.labels))]
        for i in np.flatnonzero(rng.random(len(examples)) < COPIED):
            a, b = (Counter(side[i]) for side in sides)
            common = sorted(c for c in a if a[c] == b.get(c) == 1 and not c.isspace())
            if common:
                c = common[rng.integers(len(common))]
                for side in sides:
                    side[i] = side[i].replace(c, UNKNOWN)
        return Labelled(examples.kind, sides[0], sides[1], examples.place, examples.notes)

    def encode(self, examples):
        return _Sources(Ragged.of([self.ids(t, foreign=True) for t in examples.inputs]))

    def targets(self, examples):
        translation.library()  # a training is refused before it begins, not at its end
        assert examples.labels is not None
        return _Targets(Ragged.of([self.ids(t) for t in examples.labels]), [str(t) for t in examples.labels])

    def wanted(self, targets, rows):
        return self.before_and_after(targets.ids, rows)

    def ids(self, text: str, foreign: bool = False) -> np.ndarray:
        """Symbols of a text. foreign: characters that the training sources lack are the unknown one."""
        text = _normal(text)
        out: list[np.ndarray] = []
        piece = ""
        for c in text:
            if c == UNKNOWN or (foreign and c not in self._known):
                out += [self.vocab.encode(piece.encode(errors="replace"), lenient=True), np.array([self.unknown])]
                piece = ""
            else:
                piece += c
        out.append(self.vocab.encode(piece.encode(errors="replace"), lenient=True))
        return np.concatenate(out).astype(np.int64)

    def text(self, ids: Iterable[int], unknown: Iterable[str] = ()) -> str:
        """The text of symbols; unknown: what stands for each unknown character, in order."""
        carried = iter(unknown)
        parts = [
            next(carried, "").encode() if i == self.unknown else self.vocab.decode([i]) if i < self.begin else b""
            for i in ids
        ]
        return b"".join(parts).decode(errors="replace")

    # The model.

    def init(self, rng):
        o, size = self.options, self.symbols
        half = o.hidden // 2
        parameters = {"embedding": rng.standard_normal((size, o.embedding)).astype(np.float32)}
        body = stack.init(rng, self.cell, o.layers, o.embedding, half, both=True)
        parameters |= {f"reader.recurrent.{n}": p for n, p in body.items()}
        return parameters | self.decoder(rng, 2 * half)

    def memory(self, parameters: Parameters, batch: Any, noise: Any = None) -> tuple[Any, ...]:
        """What the encoder leaves: outputs, keys, 1 or 0 a place `(batch, places, …)`, and the summary `(batch, hidden)`."""
        o, lengths = self.options, batch["lengths"]
        xs = locked(engines.embedding(parameters["embedding"], batch["ids"]), o.dropout / 2, noise)
        xs = stack.read(self.cell, o.layers, part(parameters, "reader.recurrent"), xs, lengths, True, noise, o.dropout)
        xp = namespace(xs)
        half = xs.shape[2] // 2
        ends = xp.broadcast_to((lengths - 1)[:, None, None], (xs.shape[0], 1, xs.shape[2]))
        summary = xp.concat([xp.take_along_axis(xs, ends, axis=1)[:, 0, :half], xs[:, 0, half:]], axis=-1)
        xs = locked(xs, o.dropout / 2, noise)
        return self.remembered(parameters, xs, stack.mask(xs, lengths)[..., 0], summary)

    def most(self, batch):
        return 3 * engines.host(batch["lengths"]) + 20

    # What it answers.

    def figures(self, answers, targets):
        if answers and answers[0] is None:
            return {}
        texts = [self.text(found[0].symbols, ()) for found in answers]
        return translation.score(texts, targets.texts) | {"pairs": len(texts)}

    def predict(
        self,
        parameters: Parameters,
        source: Any,
        beam: int = 5,
        n_best: int = 1,
        alpha: float = 1.0,
        attention: bool = False,
    ) -> list[dict[str, Any]]:
        """An answer a text: text, score (log-probability in nats), with n_best the others, with attention the matrix.

        source: examples, or a list of texts.
        """
        examples = self.given(source)
        encoded = self.encode(examples)
        answers: list[dict[str, Any]] = [{} for _ in range(len(examples))]
        for rows in in_order(encoded.lengths, 1024, 64):
            batch = encoded.batch(rows)
            memory = self.memory(parameters, batch)
            found = self.search(parameters, memory, self.most(batch), max(beam, n_best), alpha)
            looks = self.looks(parameters, memory, batch["lengths"], [h[0].symbols for h in found])
            for k, row in enumerate(rows):
                answers[row] = self._answer(
                    examples.inputs[row], encoded.ids[row], found[k][: max(1, n_best)], looks[k], attention
                )
        return answers

    def _answer(
        self, source: str, ids: np.ndarray, found: list[beams.Hypothesis], look: np.ndarray, show: bool
    ) -> dict[str, Any]:
        strangers = [c for c in _normal(source) if c == UNKNOWN or c not in self._known]
        places = np.flatnonzero(ids == self.unknown)

        def carried(h: beams.Hypothesis) -> list[str]:
            """The unknown character that was looked at most, and else the next in order."""
            out = []
            for t, symbol in enumerate(h.symbols):
                if symbol == self.unknown and len(places):
                    best = (
                        int(look[t, places].argmax())
                        if h is found[0] and look.any()
                        else min(len(out), len(places) - 1)
                    )
                    out.append(strangers[best])
            return out

        if not source.strip():
            found = [beams.Hypothesis([], 0.0, 0.0)]
            look = look[:1]
        best = found[0]
        answer: dict[str, Any] = {"text": self.text(best.symbols, carried(best)).strip(), "score": best.score}
        if len(found) > 1:
            answer["n_best"] = [{"text": self.text(h.symbols, carried(h)).strip(), "score": h.score} for h in found]
        if show:
            answer["attention"] = {
                "source": [self.text([i], strangers) for i in ids], "target": [self.text([i], ["?"]) for i in best.symbols] + ["∎"],
                "weights": look.round(5).tolist(),
            }  # fmt: skip
        return answer

    def given(self, source: Any) -> Labelled:
        """What a person asks about, as examples."""
        if isinstance(source, Labelled):
            return source
        texts = [source] if isinstance(source, str) else list(source)
        return Labelled("pair", texts, None, lambda i, *step: f"input {i + 1}")

    def lines(self, text: str) -> Labelled:
        """Standard input: a text a line."""
        return self.given([t.strip() for t in text.splitlines()])

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        """An answer for a terminal."""
        if "n_best" in answer:
            return "\n".join(f"{h['score']:.3f}\t{h['text']}" for h in answer["n_best"])
        return answer["text"]

    # What people see.

    def describe(self):
        o, n = self.options, self.data["examples"]
        return (
            f"{n['train']:,} pairs to learn from, {n['valid']:,} to validate on, {len(self.vocab):,} {o.units}; "
            f"{o.cell} {o.layers} + 2 x {o.hidden}, attention {o.attention}, dropout {o.dropout:g}, {o.batch} pairs a step"
        )

    def show(self, parameters, rng):
        encoded, targets = self.valid
        row = int(rng.integers(len(encoded.lengths)))
        assert self.shown is not None
        answer = self.predict(parameters, self.shown.take(np.array([row])), beam=1)[0]
        return f"{self.shown.inputs[row][:60]} → {answer['text'][:60]} (in truth {targets.texts[row][:60]})"

    def report(self, parameters, folder, examples):
        answers = self.predict(parameters, examples.take(np.arange(min(10, len(examples)))))
        assert examples.labels is not None
        rows = ["| source | answer | truth |", "|---|---|---|"]
        for x, y, a in zip(examples.inputs, examples.labels, answers, strict=False):
            rows.append("| " + " | ".join(t.replace("|", "/") for t in (x, a["text"], y)) + " |")
        return "\n".join(rows) + "\n"

    def to_json(self):
        return self.data, {"vocab": self.vocab.to_json(), "characters": self.characters}


UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class _Sources:
    def __init__(self, ids: Ragged):
        if not len(ids.values):
            ids = Ragged(np.zeros(len(ids), np.int64), np.ones(len(ids), np.int64))
        self.ids = ids
        self.lengths = np.maximum(ids.lengths, 1)  # an empty line is one symbol long, and stays in its place

    def batch(self, rows, rng=None):
        return {"ids": self.ids.padded(rows)[0], "lengths": self.lengths[rows]}


@dataclass
class _Targets:
    ids: Ragged
    texts: list[str]


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)

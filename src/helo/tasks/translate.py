"""A text for a text: another language, another form (many to many, through an encoder and a decoder).

source → vectors → recurrent layers, both ways → memory, and a summary for the decoder to start from
target so far → vectors → lower recurrence → attention to the memory → upper recurrence → scores of the next symbol

The lower recurrence alone asks the attention, so that in training all steps of a layer are computed at once.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np

from helo import cells, engines
from helo.cells.functions import log_softmax, namespace
from helo.data import vocab as vocabularies
from helo.data.buckets import in_order
from helo.data.labelled import Labelled
from helo.data.ragged import Ragged
from helo.data.readers import pairs
from helo.data.vocab import Vocab
from helo.decoding import beam as beams
from helo.layers import attention, dropped, locked, part, stack
from helo.metrics import translation
from helo.tasks.base import ExampleTask, Parameters, filled, on

SHORT = 32  # characters a text, on the average of both sides: up to here the units are characters, above it subwords
SMOOTHING = 0.1  # of the target's probability is shared among all symbols (Szegedy et al. 2016)
COPIED = 0.05  # of the training pairs have one character that both sides hold once taken for an unknown one


@dataclass(frozen=True)
class Options:
    """Of a translator. Sizes that are not given are settled from the pairs (`Translate.learned`)."""

    units: Annotated[
        Literal["subwords", "words", "characters", "bytes"] | None,
        "what a symbol is (characters for short texts, else subwords)",
    ] = None
    attention: Annotated[
        Literal["additive", "multiplicative", "none"], "how the decoder looks back (none: a fixed vector)"
    ] = "additive"
    cell: Annotated[str, "a cell's name, with options (rnn,nonlinearity=relu), or FILE.py:NAME"] = "lstm"
    layers: Annotated[int | None, "recurrent layers of the encoder; the decoder has two"] = None
    hidden: Annotated[int | None, "units a layer (the encoder's: half of them in each direction)"] = None
    embedding: Annotated[int | None, "numbers a symbol becomes"] = None
    dropout: Annotated[float | None, "share of what passes from part to part dropped in training"] = None
    scheduled: Annotated[
        float, "share of the decoder's inputs that are its own guesses in training (scheduled sampling)"
    ] = 0.0
    batch: Annotated[int | None, "pairs a step"] = None


class Translate(ExampleTask):
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
        assert examples.labels is not None
        return _Targets(Ragged.of([self.ids(t) for t in examples.labels]), [str(t) for t in examples.labels])

    def wanted(self, targets, rows):
        ids, lengths = targets.ids.padded(rows)
        ends = np.zeros((len(rows), ids.shape[1] + 1), np.int64)
        ends[:, :-1] = ids
        ends[np.arange(len(rows)), lengths] = self.end
        before = np.concatenate([np.full((len(rows), 1), self.begin), ids], 1)
        return {"before": before, "targets": ends, "target_lengths": lengths + 1}

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
        o, size = self.options, len(self.vocab) + 3
        half = o.hidden // 2
        parameters = {"embedding": rng.standard_normal((size, o.embedding)).astype(np.float32)}
        body = stack.init(rng, self.cell, o.layers, o.embedding, half, both=True)
        parameters |= {f"reader.recurrent.{n}": p for n, p in body.items()}
        lower = self.cell.init(rng, o.embedding, o.hidden)
        upper = self.cell.init(rng, o.hidden + 2 * half, o.hidden)
        for name, fresh in (("lower", lower), ("upper", upper)):
            parameters |= {f"{name}.recurrent.{n}": p for n, p in fresh.items()}
            for k, s in enumerate(self.cell.state(fresh, 1)):
                if s.shape == (1, o.hidden):
                    parameters[f"bridge.dense.{name}.{k}"] = _matrix(rng, o.hidden, 2 * half)
        parameters |= {f"attention.{n}": p for n, p in attention.init(rng, o.attention, o.hidden, 2 * half).items()}
        parameters["readout.dense"] = _matrix(rng, o.embedding, 2 * o.hidden + 2 * half)
        parameters["readout.bias"] = np.zeros(o.embedding, np.float32)
        parameters["head.weight"] = np.zeros((size, o.embedding), np.float32)
        parameters["head.bias"] = np.zeros(size, np.float32)
        return parameters

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
        own = part(parameters, "attention")
        keys = xs if o.attention == "none" else attention.keys(own, xs)
        return xs, keys, stack.mask(xs, lengths)[..., 0], summary

    def fresh(self, parameters: Parameters, memory: tuple[Any, ...]) -> tuple[Any, ...]:
        """The decoder's state before the first symbol: of each array a map of the encoder's summary."""
        xp, summary = namespace(memory[3]), memory[3]
        states = []
        for name in ("lower", "upper"):
            own = part(parameters, f"{name}.recurrent")
            state = list(self.cell.state(own, summary.shape[0]))
            for k in range(len(state)):
                bridge = parameters.get(f"bridge.dense.{name}.{k}")
                if bridge is not None:
                    state[k] = xp.astype(xp.tanh(summary @ bridge.T), state[k].dtype)
            states.append(tuple(state))
        return tuple(states)

    def decode(
        self, parameters: Parameters, memory: tuple[Any, ...], before: Any, states: tuple[Any, ...], noise: Any = None
    ) -> tuple[Any, tuple[Any, ...], Any]:
        """before `(batch, time)`, the symbols that stand before those asked for: scores `(batch, time, symbols)`, the
        states after them, and the attention `(batch, time, places)`.
        """
        o = self.options
        outputs, keys, inside, summary = memory
        xs = locked(engines.embedding(parameters["embedding"], before), o.dropout / 2, noise)
        low, lower = engines.scan(self.cell, part(parameters, "lower.recurrent"), xs, states[0])
        xp = namespace(low)
        if o.attention == "none":
            context = xp.broadcast_to(summary[:, None], (*low.shape[:2], summary.shape[-1]))
            weights = xp.zeros_like(inside[:, None]) + xp.zeros_like(low[:, :, :1])
        else:
            context, weights = attention.look(o.attention, part(parameters, "attention"), low, keys, outputs, inside)
        joined = locked(xp.concat([low, context], axis=-1), o.dropout / 2, noise)
        high, upper = engines.scan(self.cell, part(parameters, "upper.recurrent"), joined, states[1])
        read = xp.concat([high, joined], axis=-1) @ parameters["readout.dense"].T + parameters["readout.bias"]
        read = dropped(xp.tanh(read), o.dropout, noise)
        return read @ parameters["head.weight"].T + parameters["head.bias"], (lower, upper), weights

    def loss(self, parameters, batch, state, noise):
        batch = on(batch, parameters["head.bias"])
        memory = self.memory(parameters, batch, noise)
        before = batch["before"]
        if self.options.scheduled > 0:
            before = self._guessed(parameters, memory, before, noise)
        scores = self.decode(parameters, memory, before, self.fresh(parameters, memory), noise)[0]
        inside = stack.mask(scores, batch["target_lengths"])[..., 0] > 0
        scores, targets = scores[inside], batch["targets"][inside]
        xp = namespace(scores)
        exact = engines.cross_entropy(scores, targets)
        spread = -xp.sum(xp.mean(log_softmax(xp.astype(scores, parameters["head.bias"].dtype)), axis=-1))
        return (1 - SMOOTHING) * exact + SMOOTHING * spread, int(batch["target_lengths"].sum()), None

    def _guessed(self, parameters: Parameters, memory: tuple[Any, ...], before: Any, noise: Any) -> Any:
        """The decoder's inputs with a share of them guessed by itself (Bengio et al. 2015), all at once in a first pass
        with the true ones (Mihaylova and Martins 2019).
        """
        xp = namespace(memory[0])
        scores = self.decode(parameters, memory, before, self.fresh(parameters, memory), noise)[0]
        guesses = xp.concat([before[:, :1], xp.argmax(scores, axis=-1)[:, :-1]], axis=1)
        kept = noise(xp.ones_like(scores[..., 0]), self.options.scheduled) > 0
        return xp.where(kept, before, guesses)

    # What it answers.

    def scored(self, parameters, batch, brief=False):
        loss, count = 0.0, 0
        memory = self.memory(parameters, batch)
        if "targets" in batch:
            scores = self.decode(parameters, memory, batch["before"], self.fresh(parameters, memory))[0]
            inside = stack.mask(scores, batch["target_lengths"])[..., 0] > 0
            loss = engines.cross_entropy(scores[inside], batch["targets"][inside]).item()
            count = int(batch["target_lengths"].sum())
        if brief:
            return loss, count, [None] * len(batch["lengths"])
        return loss, count, self.search(parameters, memory, batch["lengths"], 5)

    def search(
        self, parameters: Parameters, memory: tuple[Any, ...], lengths: Any, beam: int, alpha: float = 1.0
    ) -> list[list[beams.Hypothesis]]:
        """Hypotheses of each row of a memory of sources so long, the best first."""
        like = parameters["head.bias"]

        def step(last: np.ndarray, state: Any, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
            rows = engines.array(inputs, like)
            own = tuple(m[rows] for m in memory)
            scores, state, _ = self.decode(parameters, own, engines.array(last, like)[:, None], state)
            scores = log_softmax(scores[:, 0])
            p = np.asarray(scores, np.float64).copy()
            p[:, [self.begin, *self.vocab.silent]] = -np.inf
            return p, state

        lengths = np.asarray(lengths)
        return beams.search(
            step, self.fresh(parameters, memory), len(lengths), self.begin, self.end, 3 * lengths + 20, beam, alpha
        )

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
            found = self.search(parameters, memory, batch["lengths"], max(beam, n_best), alpha)
            looks = self.looks(parameters, memory, batch["lengths"], [h[0].symbols for h in found])
            for k, row in enumerate(rows):
                answers[row] = self._answer(
                    examples.inputs[row], encoded.ids[row], found[k][: max(1, n_best)], looks[k], attention
                )
        return answers

    def looks(
        self, parameters: Parameters, memory: tuple[Any, ...], lengths: Any, symbols: Sequence[Sequence[int]]
    ) -> list[np.ndarray]:
        """Where the decoder looked while it wrote each text, `(symbols + 1, places)`; all zeros without attention."""
        targets = _Targets(Ragged.of([np.array(s, np.int64) for s in symbols]), [])
        wanted = self.wanted(targets, np.arange(len(symbols)))
        weights = np.asarray(self.decode(parameters, memory, wanted["before"], self.fresh(parameters, memory))[2])
        return [weights[i, : len(s) + 1, : lengths[i]] for i, s in enumerate(symbols)]

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


def _matrix(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return (rng.standard_normal((rows, columns)) * columns**-0.5).astype(np.float32)

"""Predict the next symbol of a text: a language model. (Many to many in step; writing is one to many.)

ids → embedding → recurrent layers → scores over the vocabulary → cross entropy with the next id
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np

from helo import engines, progress
from helo.cells.functions import namespace
from helo.data import vocab as vocabularies
from helo.data.dataset import unchanged
from helo.data.readers import given
from helo.data.readers import text as reader
from helo.data.streams import Streams
from helo.data.symbols import Symbols, encoded, joined, line_by_line, lines_of
from helo.data.vocab import Vocab
from helo.errors import HeloError
from helo.metrics import Scoring
from helo.models.language_model import CHUNK, LanguageModel, State, needs_recurrent, sized
from helo.options import SHARE, SIZE, Bounds
from helo.saved import settled
from helo.tasks.base import Budget, Parameters, Recipe, Task, TaskOptions
from helo.tasks.score import CODE_POINTS, ONE_ROW, Score, protocol, score_text

# Symbols that are validated on after training, at most. `helo eval` knows no limit.
MOST = 2_000_000


@dataclass(frozen=True)
class EvalOptions:
    """Options of an evaluation that replace one stream with carried state."""

    blocks: Annotated[int | None, "blocks of this many symbols, each from a state of zeros", Bounds(2)] = None
    dynamic: Annotated[
        bool, "dynamic evaluation: the weights keep learning from text already scored (Krause et al. 2018)"
    ] = False

    def __post_init__(self):
        if self.blocks is not None and self.dynamic:
            raise HeloError("both --blocks and --dynamic", expected="one of them")


@dataclass(frozen=True)
class Options(TaskOptions):
    """Of a language model. Sizes that are not given are settled from the text and the budget (`LM.infer_defaults`)."""

    verbs = MappingProxyType({"eval": EvalOptions})

    units: Annotated[
        Literal["characters", "bytes", "words", "subwords", "jieba"], "the unit of text that is one symbol"
    ] = "characters"
    normal_form: Annotated[Literal["NFC", "NFD", "NFKC", "NFKD", "none"], "Unicode normal form of the text"] = "NFC"
    cell: Annotated[str, "a cell's name, with options (rnn,nonlinearity=relu), or FILE.py:NAME"] = "lstm"
    layers: Annotated[int, "recurrent layers", SIZE] = 1
    hidden: Annotated[int | None, "units per layer", SIZE] = None
    embedding: Annotated[int | None, "size of the embedding of a symbol", SIZE] = None
    dropout: Annotated[float | None, "dropout of each layer's outputs; of the inputs, a quarter of it", SHARE] = None
    weight_dropout: Annotated[float, "dropout of the recurrent weights", SHARE] = 0.0
    lines: Annotated[bool, "each line is an example: their order is drawn by chance, and which are held out"] = False
    streams: Annotated[int | None, "parallel streams of text (batch size)", SIZE] = None
    chunk: Annotated[int | None, "steps of truncated backpropagation", SIZE] = None

    def unused(self, task):
        return frozenset({"normal_form"} if self.units == "bytes" else ())


class TextRecipe(Recipe):
    """The longer a text is trained on, the more of it a validation is worth."""

    def validation_subset(self, size, seen):
        return min(size, max(4096, seen // 100))


class LM(Task):
    """A language model over a vocabulary, with or without a text to learn."""

    Options = Options
    recipe = TextRecipe()
    scoring = Scoring(("perplexity",), ())
    symbols: Symbols  # the text to learn, then the text to validate on
    split: int  # where the second begins

    def __init__(self, options: Options, vocab: Vocab):
        self.options, self.vocab = options, vocab
        self.model = LanguageModel(options, len(vocab))
        self.data: dict[str, Any] = {}

    @classmethod
    def load(cls, options, saved, data):
        settled(options, "hidden", "embedding", "chunk", "streams")
        self = cls(options, vocabularies.from_json(saved))
        if self.vocab.to_json()["unit"] != options.units:
            raise ValueError(f"{self.vocab.to_json()['unit']}, not {options.units}, as run.json says")
        if not 0 <= data.get("start", -1) < len(self.vocab):
            raise ValueError(f"data.start of run.json is {data.get('start')}, not a symbol of {len(self.vocab)}")
        self.data = data
        return self

    # The text.

    @classmethod
    def read(cls, files, valid, options, folder, saved=None):
        if options.weight_dropout:
            needs_recurrent(options)
        texts = [_find(f, options) for f in (files, valid) if f]
        read = (p for t in texts for p in (lines_of(t) if options.lines else t.pieces()))
        vocab = vocabularies.build(options.units, read) if saved is None else vocabularies.from_json(saved)
        self = cls(options, vocab)
        if options.lines:
            several = [line_by_line(vocab, t, folder, hold=not valid) for t in texts]
            self.symbols, self.split = several[0]
            if valid:
                self.symbols = Symbols((part.ids for part, _ in several), vocab.dtype, folder)
        else:
            self.symbols, first = joined(vocab, texts, folder)
            self.split = first if valid else int(len(self.symbols) * 0.9)
        least = (options.chunk or 1) * (options.streams or 1) + 1
        if self.split < least or len(self.symbols) - self.split < 2:
            fewer = self.split < least and (options.chunk or options.streams)
            raise HeloError(
                f"{len(self.symbols)} {options.units}, {self.split} for training and {len(self.symbols) - self.split} "
                "for validation",
                expected=f"at least {least} for training (one chunk per stream, and the next symbol) and 2 for validation",
                mend=f"give more text{', a smaller --chunk or fewer --streams' if fewer else ''}",
                where=", ".join(map(str, files)),
            )
        held = "10 % of the lines, at random" if options.lines else "the last 10 %"
        self.data = {
            "train": _paths(files, texts[0]),
            "valid": _paths(valid, texts[1]) if valid else held,
            "fingerprint": {"train": texts[0].fingerprint()} | ({"valid": texts[1].fingerprint()} if valid else {}),
            "symbols": {"train": self.split, "valid": len(self.symbols) - self.split},
            "start": int(self.symbols.ids[self.split - 1 if options.lines else 0]),  # of lines, what a line ends with
        }
        return self

    @classmethod
    def summary(cls, files, options):
        text = _find(files, options)
        vocab = vocabularies.build(options.units, text.pieces())
        counted = sum(len(vocab.encode(p)) for p in text.pieces())
        return {"files": len(text.files), "kind": "running text", options.units: counted, "distinct": len(vocab)}

    def text(self, data: dict[str, Any], files: Sequence[str | Path] = ()) -> tuple[Symbols, int]:
        """The symbols of files, or of the validation text that a run recorded, and where in them it starts."""
        if files:
            return encoded(self.vocab, _find(files, self.options).pieces(), lenient=True), 0
        tail = isinstance(data["valid"], str)
        text = _find(data["train"] if tail else data["valid"], self.options)
        unchanged(text.fingerprint(), data["fingerprint"]["train" if tail else "valid"], text.files, "text has")
        if tail and self.options.lines:
            return line_by_line(self.vocab, text)
        return encoded(self.vocab, text.pieces()), data["symbols"]["train"] if tail else 0

    # The model.

    def infer_defaults(self, budget: Budget) -> None:
        chosen, (self.options, most) = self.options, sized(self.options, self.split, len(self.vocab), budget)
        if chosen.chunk is None and (chunk := self.options.chunk) < CHUNK:
            progress.say(f"chunks of {chunk} symbols in place of {CHUNK}: the text has {self.split:,} for training")
        self.recipe = replace(self.recipe, max_epochs=most)
        self.model = LanguageModel(self.options, len(self.vocab))

    def batches(self, seed, rank=0, world=1):
        o = self.options
        return Streams(self.symbols, 0, self.split, o.streams, o.chunk, seed, rank, world)

    def loss(self, parameters, batch, state, noise):
        scores, state = self.model.forward(parameters, batch["inputs"], state, noise)
        return engines.cross_entropy(scores, batch["targets"]), math.prod(batch["targets"].shape), state

    # What it is worth.

    @property
    def validation_size(self):
        return min(MOST, len(self.symbols) - self.split)

    def validate(self, parameters, most=None, loss_only=False):
        length = len(self.symbols) - self.split
        rows = 1 if not loss_only and length <= ONE_ROW else 16
        scored = max(2, min(self.validation_size, most or MOST))
        rows = max(1, min(rows, (scored - 1) // 64))
        score = score_text(self, parameters, self.symbols, self.split, self.split + scored, rows)
        how = protocol(rows) + (f", its first {scored:,} symbols" if scored < length else "")
        return {"loss": score.total / score.symbols} | score.figures(how)

    def evaluate_batch(
        self, parameters: Parameters, window: np.ndarray, state: State | None
    ) -> tuple[Any, Score, State]:
        """Windows `(rows, time + 1)`, each symbol but the first of a row from all before it: the nats as an array
        that may carry a gradient, the score, and the state after them.
        """
        inputs, targets = np.ascontiguousarray(window[:, :-1]), np.ascontiguousarray(window[:, 1:])
        like = parameters["embedding"]
        scores, after = self.model.forward(parameters, engines.array(inputs, like), state)
        loss = engines.cross_entropy(scores, engines.array(targets, like))
        unknown = int(np.isin(targets, self.vocab.silent).sum()) if self.vocab.silent else 0
        xp, exact = namespace(loss), engines.constant(loss)
        nats = xp.astype(exact, xp.float64) + unknown * math.log(CODE_POINTS - len(self.vocab))
        width, characters = self.vocab.widths[targets].sum((0, 1))
        return loss, Score(nats, targets.size, int(characters), int(width), unknown), after

    def evaluate(self, parameters, data, files=(), blocks=None, dynamic=False):
        if dynamic:
            raise HeloError("dynamic evaluation trains the model", mend="use helo.dynamic_evaluation(run, files)")
        symbols, start = self.text(data, files)
        score = score_text(self, parameters, symbols, start, len(symbols), block=blocks)
        return score.figures(protocol(block=blocks))

    def to_json(self):
        return self.data, self.vocab.to_json()

    # What writing needs.

    @property
    def start(self) -> int:
        """The symbol that stands before a text without a prompt: a line end where the model knows one."""
        ids = self.vocab.encode(b"\n", lenient=True)
        return int(ids[0]) if len(ids) == 1 and ids[0] not in self.vocab.silent else int(self.data["start"])

    def encode(self, text: str) -> np.ndarray:
        """The symbols of a text as the model reads it, in its normal form."""
        form = self.options.normal_form
        if form != "none" and self.options.units != "bytes":
            text = unicodedata.normalize(form, text)
        try:
            return self.vocab.encode(text.encode(errors="surrogateescape"))
        except UnicodeError as error:
            raise HeloError("the text is not UTF-8", mend="give it in UTF-8, or train with --units bytes") from error


def _paths(files: Any, text: reader.Text) -> list[str]:
    return [] if given.anything(files) else [str(f.absolute()) for f in text.files]


def _find(files: Sequence[Any], options: Options) -> reader.Text:
    files = given.written(files)
    raw = options.units == "bytes"
    return reader.find(files, "none" if raw else options.normal_form, raw)

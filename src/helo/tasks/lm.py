"""The language model: the next symbol of a text, from all before it (many to many in step, and one to many to write).

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

from helo import cells, engines
from helo.cells.functions import namespace
from helo.data import vocab as vocabularies
from helo.data.readers import text as reader
from helo.data.streams import Streams
from helo.data.symbols import Symbols, encoded
from helo.data.vocab import Vocab
from helo.errors import HeloError
from helo.metrics import Scoring
from helo.models.language_model import LanguageModel, State
from helo.options import SHARE, SIZE, Bounds
from helo.saved import settled
from helo.tasks.base import Budget, Parameters, Recipe, Task, TaskOptions
from helo.tasks.score import CODE_POINTS, Score, protocol

# Of validation after training: up to so many symbols as one row, and so many at the most. `helo eval` knows no limit.
ONE_ROW, MOST = 200_000, 2_000_000


@dataclass(frozen=True)
class EvalOptions:
    """Of an evaluation, in place of one stream with carried state."""

    blocks: Annotated[int | None, "zero-state blocks of so many symbols", Bounds(2)] = None
    dynamic: Annotated[bool, "the weights go on learning from text already scored (Krause et al. 2018)"] = False

    def __post_init__(self):
        if self.blocks and self.dynamic:
            raise HeloError("--blocks and --dynamic", expected="one of them")


@dataclass(frozen=True)
class Options(TaskOptions):
    """Of a language model. Sizes that are not given are settled from the text and the budget (`LM.infer_defaults`)."""

    verbs = MappingProxyType({"eval": EvalOptions})

    units: Annotated[Literal["characters", "bytes", "words", "subwords", "jieba"], "what a symbol is"] = "characters"
    normal_form: Annotated[Literal["NFC", "NFD", "NFKC", "NFKD", "none"], "Unicode form the text is brought to"] = "NFC"
    cell: Annotated[str, "a cell's name, with options (rnn,nonlinearity=relu), or FILE.py:NAME"] = "lstm"
    layers: Annotated[int, "recurrent layers", SIZE] = 1
    hidden: Annotated[int | None, "units a layer", SIZE] = None
    embedding: Annotated[int | None, "numbers a symbol becomes", SIZE] = None
    dropout: Annotated[
        float | None, "share of each layer's outputs dropped in training, a quarter of it of the inputs", SHARE
    ] = None
    weight_dropout: Annotated[float, "share of the recurrent weights dropped in training", SHARE] = 0.0
    streams: Annotated[int | None, "stretches of text read side by side", SIZE] = None
    chunk: Annotated[int | None, "steps of truncated backpropagation", SIZE] = None


#: Units a layer, and up to how many products of training they serve best; measured on one LSTM layer.
HIDDEN = ((128, 6e11), (256, 1.5e13), (384, 1e14), (512, math.inf))
WIDE = 512  # units on an accelerator: a step of them takes hardly longer than one of fewer
ENOUGH = 40  # passes over the text on an accelerator, where minutes are worth more than a text has to teach


def _macs(hidden: int, embedding: int, vocabulary: int) -> int:
    """Multiplications a symbol costs in an LSTM layer and the head, forward and twice that backward."""
    return 3 * hidden * (4 * (hidden + embedding) + vocabulary)


def _recurrent(options: Options) -> None:
    """Raises HeloError where the cell has nothing that `--weight-dropout` could be of."""
    cell = cells.find(options.cell)
    if not set(cell.recurrent) & set(cell.init(np.random.default_rng(0), 8, options.hidden or 64)):
        raise HeloError(
            f"{options.weight_dropout}", where="--weight-dropout", mend="leave it out, or name the matrix there",
            expected=f"0: {options.cell} has no matrix that multiplies its state, or none that `recurrent` of its class names",
        )  # fmt: skip


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
            _recurrent(options)
        texts = [_find(f, options) for f in (files, valid) if f]
        if saved is None:
            vocab = vocabularies.build(options.units, (p for t in texts for p in t.pieces()))
        else:
            vocab = vocabularies.from_json(saved)
        self = cls(options, vocab)
        lengths = []

        def pieces():
            for text in texts:
                lengths.append(0)
                for piece in text.pieces():
                    ids = vocab.encode(piece)
                    lengths[-1] += len(ids)
                    yield ids

        self.symbols = Symbols(pieces(), vocab.dtype, folder)
        self.split = lengths[0] if valid else int(len(self.symbols) * 0.9)
        least = (options.chunk or 64) * (options.streams or 1) + 1
        name = ", ".join(map(str, files))
        if self.split < least or len(self.symbols) - self.split < 2:
            raise HeloError(
                f"{len(self.symbols)} {options.units}, of which {self.split} to learn from",
                expected=f"at least {least} to learn from (a chunk a stream and the next symbol) and 2 to validate on",
                mend="give more text, or a smaller --chunk or fewer --streams",
                where=name,
            )
        self.data = {
            "train": [str(f.absolute()) for f in texts[0].files],
            "valid": [str(f.absolute()) for f in texts[1].files] if valid else "the last 10 %",
            "fingerprint": {"train": texts[0].fingerprint()} | ({"valid": texts[1].fingerprint()} if valid else {}),
            "symbols": {"train": self.split, "valid": len(self.symbols) - self.split},
            "start": int(self.symbols.ids[0]),
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
        if text.fingerprint() != data["fingerprint"]["train" if tail else "valid"]:
            raise HeloError(
                "the text is no longer the one that the run was trained with",
                mend="give the files to evaluate on",
                where=", ".join(map(str, text.files)),
            )
        return encoded(self.vocab, text.pieces()), data["symbols"]["train"] if tail else 0

    # The model.

    def infer_defaults(self, budget: Budget) -> None:
        """Sizes by a rule over three numbers: the symbols of the text, the products that the budget is worth, and how
        often the text is seen in it.

        hidden grows with the budget: HIDDEN, and is WIDE on an accelerator. embedding grows with the vocabulary. dropout grows with the passes over
        the text and the size of the model: 2 % a pass for 384 units, less as the square of fewer, at most 35 %, or on an
        accelerator, which makes more passes, at most 50 % at ENOUGH of them, more than which it does not make.
        streams are 32, fewer where the text is so short that a stream would not hold four chunks.
        """
        o, symbols, v = self.options, self.split, len(self.vocab)
        chunk = o.chunk or min(64, max(1, symbols - 1))
        if budget.macs is not None:
            macs = budget.macs
        else:
            seen = budget.symbols or (
                budget.epochs * symbols
                if budget.epochs is not None
                else (budget.steps or 1) * (o.streams or 32) * chunk
            )
            macs = seen * _macs(256, 64, v)
        hidden = o.hidden or (WIDE if budget.symbols is not None else next(h for h, most in HIDDEN if macs <= most))
        embedding = o.embedding or min(hidden, 64 if v <= 256 else 128 if v <= 4096 else 256)
        streams = o.streams or max(1, min(32, symbols // (4 * chunk)))
        if budget.macs is not None:
            passes = budget.macs / _macs(hidden, embedding, v) / symbols
        elif budget.symbols is not None:
            self.recipe = replace(self.recipe, max_epochs=ENOUGH)
            passes = min(ENOUGH, budget.symbols / symbols)
        else:
            passes = budget.epochs or (budget.steps or 1) * streams * chunk / symbols
        # Measured at 512 units on an H100: 13 passes with 0.3, 25 with 0.45 and 41 with 0.5 are as good; 72 with 0.4 overfit.
        top = 0.35 if budget.symbols is None else max(0.35, 0.5 * (passes / ENOUGH) ** 0.35)
        dropout = min(round(top, 2), round(0.02 * passes * (hidden / 384) ** 2, 2)) if o.dropout is None else o.dropout
        self.options = replace(o, chunk=chunk, streams=streams, hidden=hidden, embedding=embedding, dropout=dropout)
        self.model = LanguageModel(self.options, v)

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
        score = self.score(parameters, self.symbols, self.split, self.split + scored, rows)
        how = protocol(rows) + (f", its first {scored:,} symbols" if scored < length else "")
        score = replace(score, nats=score.total)
        return {"loss": score.nats / score.symbols} | score.figures(how)

    def score(
        self, parameters: Parameters, symbols: Symbols, start: int, stop: int, rows: int = 1, block: int | None = None
    ) -> Score:
        """Every symbol of [start, stop) but the first, each from all before it with carried state.

        rows: so many stretches side by side, each from a state of zeros: faster, and a little worse for the model.
        block: zero-state blocks of so many symbols instead, of which each predicts all but its first.
        """
        if stop - start < 2:
            raise HeloError("a text of one symbol", expected="at least two: the second is predicted from the first")
        total = Score()
        if block is not None:
            starts = np.arange(start, stop - 1, block)
            whole = [s for s in starts if s + block <= stop]
            for i in range(0, len(whole), 64):
                total += self.evaluate_batch(parameters, symbols.take(np.array(whole[i : i + 64]), block), None)[1]
            if len(whole) < len(starts):
                total += self.evaluate_batch(parameters, symbols.take(starts[-1:], int(stop - starts[-1])), None)[1]
            return total
        rows = max(1, min(rows, (stop - start - 1) // 64))
        length = (stop - start - 1) // rows
        starts, state, step = start + np.arange(rows) * length, None, max(64, 4096 // rows)
        for t in range(0, length, step):
            window = symbols.take(starts + t, min(step, length - t) + 1)
            _, score, state = self.evaluate_batch(parameters, window, state)
            total += score
        if rest := (stop - start - 1) - rows * length:  # the last row's, which goes on a few symbols longer
            last = tuple(tuple(s[-1:] for s in layer) for layer in state or ())
            total += self.evaluate_batch(parameters, symbols.take(np.array([stop - 1 - rest]), rest + 1), last)[1]
        return total

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
            raise HeloError("dynamic evaluation learns", mend="helo.dynamic_evaluation(run, files)")
        symbols, start = self.text(data, files)
        score = self.score(parameters, symbols, start, len(symbols), block=blocks)
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


def _find(files: Sequence[str | Path], options: Options) -> reader.Text:
    raw = options.units == "bytes"
    return reader.find(files, "none" if raw else options.normal_form, raw)

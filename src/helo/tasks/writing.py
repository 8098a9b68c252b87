"""What answers with a text, written once for every task that does: by a model of `helo.models.encoder_decoder`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, final

import numpy as np

from helo import engines
from helo.cells.functions import log_softmax, namespace
from helo.data.buckets import in_order
from helo.data.ragged import rounded
from helo.decoding import beam as beams
from helo.errors import HeloError
from helo.layers import part, stack
from helo.metrics import LOSS
from helo.models.encoder_decoder import Memory
from helo.options import SHARE, SIZE, Bounds
from helo.tasks.base import Parameters, Recipe, on
from helo.tasks.examples import ExampleOptions, ExampleTask
from helo.tasks.search import Search

SMOOTHING = 0.1  # of the target's probability is shared among all symbols (Szegedy et al. 2016)
PIECES = 4  # into which the texts of a batch are parted by length
BEAM = 5  # hypotheses side by side where nothing else is said
LARGEST = 1 << 22  # numbers of one text's attention
NOTHING = [beams.Hypothesis([], 0.0, 0.0)]  # the answer to an empty line


@dataclass(frozen=True)
class SearchOptions:
    """How the likeliest text is searched for."""

    beam: Annotated[
        int | None, f"beam width: hypotheses kept at each step, 1 is greedy ({BEAM})", Bounds(1, beams.WIDEST)
    ] = None
    n_best: Annotated[int | None, "answers to each input, with their scores (1)", Bounds(1, beams.WIDEST)] = None
    alpha: Annotated[
        float | None, "how much the beam favours long answers; 0 compares plain log-probabilities (1)", Bounds(0, 10)
    ] = None
    attention: Annotated[bool, "attention weights for each symbol"] = False


@dataclass(frozen=True)
class WriterOptions(ExampleOptions):
    """What can be said of every decoder."""

    verbs = MappingProxyType({"predict": SearchOptions})

    cell: Annotated[str, "a cell's name, with options (rnn,nonlinearity=relu), or FILE.py:NAME"] = "lstm"
    hidden: Annotated[int | None, "units of each of the decoder's two layers", SIZE] = None
    embedding: Annotated[int | None, "size of the embedding of a symbol", SIZE] = None
    dropout: Annotated[float | None, "dropout between the parts of the model", SHARE] = None
    scheduled: Annotated[
        float,
        "share of the decoder's inputs that are its own guesses (scheduled sampling), reached gradually from 0",
        SHARE,
    ] = 0.0


@dataclass
class ScheduledSampling(Recipe):
    """A share of the decoder's inputs that grows over the training are its own guesses (Bengio et al. 2015: linear decay)."""

    scheduled: float = 0.0
    guesses: float = 0.0  # the share in this step

    @property
    def static_graph(self):
        return self.scheduled == 0  # else the share is another in each step

    @property
    def steady(self):
        return self.scheduled == 0

    def on_progress(self, done):
        self.guesses = self.scheduled * done


class WritingTask(Search, ExampleTask):
    """A task whose answers are texts. options: attention, hidden, embedding, dropout, scheduled."""

    recipe: Any  # ScheduledSampling
    together: ClassVar[int] = 1024  # steps of all examples that are answered at once

    @abstractmethod
    def most(self, batch: Any) -> np.ndarray:
        """So many symbols each answer of a batch may get, `(rows,)`."""

    # What is minimised.

    def loss(self, parameters, batch, state, noise):
        memory, total, count = self.model.memory(parameters, batch, noise), 0.0, 0
        for piece in self._pieces(batch):
            own, before = self._repeated(memory, piece), piece["before"]
            if self.options.scheduled > 0:  # from the first step on, so that all steps take as long
                before = self._guessed(parameters, own, before, noise)
            scores = self._scores(parameters, own, before, noise)
            inside = stack.mask(scores, piece["target_lengths"])[..., 0]
            xp = namespace(scores)
            exact = engines.cross_entropy(scores, piece["targets"], inside)
            spread = -xp.sum(inside * xp.mean(log_softmax(xp.astype(scores, parameters["head.bias"].dtype)), axis=-1))
            total = total + straight_through(exact, (1 - SMOOTHING) * exact + SMOOTHING * spread)
            count = count + xp.sum(piece["target_lengths"])
        return total, count, None

    def _scores(self, parameters: Parameters, memory: Memory, before: Any, noise: Any = None) -> Any:
        """Scores of each next symbol of texts over a memory, `(texts, time, symbols)`."""
        return self.model.decode(parameters, memory, before, self.model.fresh(parameters, memory), noise)[0]

    @staticmethod
    def in_pieces(texts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The texts of a batch, those of like length together and cut to it: where an example has several they are of
        all lengths, and most of what is computed side by side would be padding. Arrays `0.before`, `1.before`, ….
        """
        lengths, pieces = texts["target_lengths"], {}
        parts = PIECES if len(lengths) >= 2 * PIECES else 1
        for k, rows in enumerate(np.array_split(np.argsort(lengths, kind="stable"), parts)):
            longest = min(rounded(int(lengths[rows].max())), texts["before"].shape[1])
            for name, a in texts.items():
                pieces[f"{k}.{name}"] = np.ascontiguousarray(a[rows][:, :longest] if a.ndim == 2 else a[rows])
        return pieces

    @staticmethod
    def _pieces(batch: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The texts of a batch: all in one, or as `in_pieces` parted them."""
        if "targets" in batch:
            return [batch]
        return [part(batch, str(k)) for k in range(PIECES) if f"{k}.targets" in batch]

    @staticmethod
    def _repeated(memory: Memory, batch: Any) -> Memory:
        """A row of the memory for every text: an example may have several (`of`, `(texts,)`: which example each is of)."""
        return tuple(m[batch["of"]] for m in memory) if "of" in batch else memory

    def _guessed(self, parameters: Parameters, memory: Memory, before: Any, noise: Any) -> Any:
        """The decoder's inputs with a share of them guessed by itself, which grows over the training (Bengio et al. 2015:
        linear decay), all at once in a first pass with the true ones (Mihaylova and Martins 2019).
        """
        xp = namespace(memory[0])
        scores = self._scores(parameters, memory, before, noise)
        guesses = xp.concat([before[:, :1], xp.argmax(scores, axis=-1)[:, :-1]], axis=1)
        kept = noise(xp.ones_like(scores[..., 0]), self.recipe.guesses) > 0
        return xp.where(kept, before, guesses)

    # What it answers.

    @final
    def evaluate_batch(self, parameters, batch, loss_only=False):
        loss, count = 0.0, 0
        memory = self.model.memory(parameters, batch)
        rows = len(batch["lengths"])
        for piece in self._pieces(batch):
            scores = self._scores(parameters, self._repeated(memory, piece), piece["before"])
            inside = stack.mask(scores, piece["target_lengths"])[..., 0]
            loss = loss + engines.cross_entropy(scores, piece["targets"], inside)
            count = count + namespace(scores).sum(piece["target_lengths"])
        if loss_only and self.scoring.monitor == LOSS:
            return loss, count, [None] * rows
        found = self.search(parameters, memory, self.most(batch), 1 if loss_only else BEAM)
        return loss, count, self.finished(parameters, memory, batch, found)

    def predict(
        self,
        parameters: Parameters,
        source: Any,
        *,
        beam: int = BEAM,
        n_best: int = 1,
        alpha: float | None = None,
        attention: bool = False,
        **how: Any,
    ) -> list[dict[str, Any]]:
        """An answer an example: text, score (log-probability in nats), with n_best the others, with attention where it
        looked at each symbol. alpha: of the beam's length normalisation (`helo.decoding.beam`).
        """

        def write(memory: Memory, most: np.ndarray) -> list[list[beams.Hypothesis]]:
            return self.search(parameters, memory, most, max(beam, n_best), alpha)

        return self._written(parameters, source, n_best, attention, write)

    @final
    def _written(self, parameters: Parameters, source: Any, n_best: int, attention: bool, write: Any) -> list[dict]:
        """Answers out of the hypotheses that `write(memory, most)` gives of each row, the best first."""
        examples = self.source.given(self, source)
        encoded = self.encode(examples)
        answers: list[dict[str, Any]] = [{}] * len(examples)
        for rows in in_order(encoded.lengths, self.together, 64):
            batch = on(encoded.batch(rows), parameters["head.bias"])
            memory, inputs = self.model.memory(parameters, batch), [examples.inputs[i] for i in rows]
            found = write(memory, self.most(batch))
            found = [NOTHING if isinstance(x, str) and not x.strip() else h for x, h in zip(inputs, found, strict=True)]
            finished = self.finished(parameters, memory, batch, found)
            for row, x, several in zip(rows, inputs, finished, strict=True):
                answers[row] = self.answer(x, several[:n_best])
            if not attention:
                continue
            for row, (best, *_) in zip(rows, found, strict=True):
                size = int(encoded.lengths[row]) * (len(best.symbols) + 1)
                if size > LARGEST:
                    raise HeloError(
                        f"the attention of {int(encoded.lengths[row]):,} symbols is {size:,} numbers",
                        expected=f"at most {LARGEST:,}", mend="omit --attention, or give shorter texts",
                        where=examples.place(int(row)),
                    )  # fmt: skip
            weights = self.attention_weights(parameters, memory, [best.symbols for best, *_ in found])
            for row, x, (best, *_), looks in zip(rows, inputs, finished, weights, strict=True):
                answers[row]["attention"] = self.looked(x, best.symbols, looks)
        return answers

    def answer(self, source, found):
        texts = [{"text": self.text(h.symbols).strip(), "score": h.score} for h in found]
        return texts[0] | ({"n_best": texts} if len(texts) > 1 else {})

    @abstractmethod
    def looked(self, source: Any, symbols: Sequence[int], weights: np.ndarray) -> dict[str, Any]:
        """Where the decoder looked at each symbol of an answer and at its end, `(symbols + 1, places)`, as people get it."""

    def finished(
        self, parameters: Parameters, memory: Memory, batch: Any, found: list[list[beams.Hypothesis]]
    ) -> list[list[beams.Hypothesis]]:
        """What was found for each row of a memory, with all that the decoder leaves open filled in from the batch."""
        return found

    def text(self, ids: Iterable[int]) -> str:
        """The text of symbols."""
        return self.vocab.decode(i for i in ids if i < len(self.vocab)).decode(errors="replace")


def straight_through(nats: Any, minimised: Any) -> Any:
    """A loss that reads as plain nats, like that of the validation, and whose gradient is that of what is minimised."""
    return minimised + engines.constant(nats - minimised)

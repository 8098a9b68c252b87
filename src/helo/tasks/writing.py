"""What answers with a text, written once for every task that does: a decoder over a memory, whatever made the memory.

target so far → vectors → lower recurrence → attention to the memory → upper recurrence → scores of the next symbol

The lower recurrence alone asks the attention, so that in training all steps of a layer are computed at once. Without
attention what it would give is the summary of the memory, the same at every step: a fixed vector.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, final

import numpy as np

from helo import engines
from helo.cells.functions import log_softmax, namespace
from helo.data.ragged import Ragged, rounded
from helo.data.vocab import Vocab
from helo.decoding import beam as beams
from helo.layers import part, stack
from helo.metrics import LOSS
from helo.models.encoder_decoder import Memory
from helo.options import SHARE, SIZE, Bounds
from helo.tasks.base import Parameters, Recipe
from helo.tasks.examples import ExampleOptions, ExampleTask
from helo.tasks.search import Search

SMOOTHING = 0.1  # of the target's probability is shared among all symbols (Szegedy et al. 2016)
PIECES = 4  # into which the texts of a batch are parted by length
BEAM = 5  # hypotheses side by side where nothing else is said


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

    def on_progress(self, done):
        self.guesses = self.scheduled * done


class WritingTask(Search, ExampleTask):
    """A task whose answers are texts. Symbols 0 … V-1 are the vocabulary's; `begin` stands before a text and `end`
    behind it. options: attention, hidden, embedding, dropout, scheduled.
    """

    vocab: Vocab
    model: Any  # an EncoderDecoder
    recipe: Any  # ScheduledSampling
    begin: int
    end: int
    alpha: float = 1.0  # of the beam's length normalisation

    @abstractmethod
    def most(self, batch: Any) -> np.ndarray:
        """So many symbols each answer of a batch may get, `(rows,)`."""

    @final
    def before_and_after(self, ids: Ragged, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Texts as what stands before each symbol, and each symbol, the end too: `(rows, time)` both."""
        padded, lengths = ids.padded(rows)
        ends = np.zeros((len(rows), padded.shape[1] + 1), np.int64)
        ends[:, :-1] = padded
        ends[np.arange(len(rows)), lengths] = self.end
        before = np.concatenate([np.full((len(rows), 1), self.begin), padded], 1)
        return {"before": before, "targets": ends, "target_lengths": lengths + 1}

    # What is minimised.

    def loss(self, parameters, batch, state, noise):
        memory, total, count = self.model.memory(parameters, batch, noise), 0.0, 0
        for piece in self._pieces(batch):
            total = total + self._loss(parameters, memory, piece, noise)
            count = count + namespace(total).sum(piece["target_lengths"])
        return total, count, None

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

    def _loss(self, parameters: Parameters, memory: Memory, batch: Any, noise: Any) -> Any:
        """Sum over some texts."""
        memory = self._repeated(memory, batch)
        before = batch["before"]
        if self.options.scheduled > 0:  # from the first step on, so that all steps take as long
            before = self._guessed(parameters, memory, before, noise)
        scores = self.model.decode(parameters, memory, before, self.model.fresh(parameters, memory), noise)[0]
        inside = stack.mask(scores, batch["target_lengths"])[..., 0]
        xp = namespace(scores)
        exact = engines.cross_entropy(scores, batch["targets"], inside)
        spread = -xp.sum(inside * xp.mean(log_softmax(xp.astype(scores, parameters["head.bias"].dtype)), axis=-1))
        return straight_through(exact, (1 - SMOOTHING) * exact + SMOOTHING * spread)

    @staticmethod
    def _repeated(memory: Memory, batch: Any) -> Memory:
        """A row of the memory for every text: an example may have several (`of`, `(texts,)`: which example each is of)."""
        return tuple(m[batch["of"]] for m in memory) if "of" in batch else memory

    def _guessed(self, parameters: Parameters, memory: Memory, before: Any, noise: Any) -> Any:
        """The decoder's inputs with a share of them guessed by itself, which grows over the training (Bengio et al. 2015:
        linear decay), all at once in a first pass with the true ones (Mihaylova and Martins 2019).
        """
        xp = namespace(memory[0])
        scores = self.model.decode(parameters, memory, before, self.model.fresh(parameters, memory), noise)[0]
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
            own = self._repeated(memory, piece)
            scores = self.model.decode(parameters, own, piece["before"], self.model.fresh(parameters, own))[0]
            inside = stack.mask(scores, piece["target_lengths"])[..., 0]
            loss = loss + engines.cross_entropy(scores, piece["targets"], inside)
            count = count + namespace(scores).sum(piece["target_lengths"])
        if loss_only and self.scoring.monitor == LOSS:
            return loss, count, [None] * rows
        found = self.search(parameters, memory, self.most(batch), 1 if loss_only else BEAM)
        return loss, count, self.finished(parameters, memory, batch, found)

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

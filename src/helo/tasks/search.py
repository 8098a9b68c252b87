"""How a decoder over a memory writes: the likeliest text by a beam, or one that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

from helo import engines
from helo.cells.functions import log_softmax, namespace
from helo.data.ragged import Ragged
from helo.data.vocab import Vocab
from helo.decoding import beam as beams
from helo.decoding.sampling import Choice
from helo.models.encoder_decoder import Memory
from helo.tasks.base import Parameters


class Search:
    """Of a task whose model is an encoder with a decoder. Symbols 0 … V-1 are the vocabulary's; `begin` stands before a text
    and `end` behind it.
    """

    vocab: Vocab
    model: Any  # an EncoderDecoder
    begin: int
    end: int
    alpha: float = 1.0  # of the beam's length normalisation

    @final
    def symbols(self, text: str) -> np.ndarray:
        """A text as symbols of the vocabulary; what it lacks is its unknown one."""
        return self.vocab.encode(text.encode(errors="replace"), lenient=True).astype(np.int64)

    @final
    def before_and_after(self, ids: Ragged, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Texts as what stands before each symbol, and each symbol, the end too: `(rows, time)` both."""
        padded, lengths = ids.padded(rows)
        ends = np.zeros((len(rows), padded.shape[1] + 1), np.int64)
        ends[:, :-1] = padded
        ends[np.arange(len(rows)), lengths] = self.end
        before = np.concatenate([np.full((len(rows), 1), self.begin), padded], 1)
        return {"before": before, "targets": ends, "target_lengths": lengths + 1}

    @final
    def search(
        self, parameters: Parameters, memory: Memory, most: np.ndarray, beam: int, alpha: float | None = None
    ) -> list[list[beams.Hypothesis]]:
        """Hypotheses of each row of a memory, of at most so many symbols `(rows,)`, the best first."""
        like, own = parameters["head.bias"], _gathering(memory)

        def step(last: np.ndarray, state: Any, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
            scores, state, _ = self.model.decode(parameters, own(inputs), engines.array(last, like)[:, None], state)
            scores = log_softmax(namespace(scores).astype(scores[:, 0], like.dtype))
            p = engines.host(scores).astype(np.float64)
            p[:, [self.begin, *self.vocab.silent]] = -np.inf
            return p, state

        return beams.search(
            step, self.model.fresh(parameters, memory), len(most), self.begin, self.end, most, beam,
            self.alpha if alpha is None else alpha,
        )  # fmt: skip

    @final
    def drawn(
        self,
        parameters: Parameters,
        memory: Memory,
        most: np.ndarray,
        rng: np.random.Generator,
        temperature: float = 1.0,
    ) -> list[beams.Hypothesis]:
        """A text of each row of a memory, drawn symbol by symbol; no gradient passes."""
        parameters = {n: engines.constant(p) for n, p in parameters.items()}
        memory = tuple(engines.constant(m) for m in memory)
        own = _gathering(memory)
        like, state = parameters["head.bias"], self.model.fresh(parameters, memory)
        choice = Choice(temperature, min_p=0)
        texts: list[list[int]] = [[] for _ in most]
        scores, going = np.zeros(len(texts)), np.arange(len(texts))
        last = np.full(len(texts), self.begin, np.int64)
        while len(going):
            y, state, _ = self.model.decode(parameters, own(going), engines.array(last, like)[:, None], state)
            p = engines.host(log_softmax(namespace(y).astype(y[:, 0], like.dtype))).astype(np.float64)
            p[:, [self.begin, *self.vocab.silent]] = -np.inf
            chosen = choice.pick(p, rng)
            scores[going] += p[np.arange(len(going)), chosen]
            for i, s in zip(going, chosen, strict=True):
                if s != self.end:
                    texts[i].append(int(s))
            kept = np.flatnonzero(
                [s != self.end and len(texts[i]) < most[i] for i, s in zip(going, chosen, strict=True)]
            )
            state = beams.kept(state, engines.array(kept, like))
            going, last = going[kept], chosen[kept]
        return [beams.Hypothesis(t, float(s), float(s)) for t, s in zip(texts, scores, strict=True)]

    @final
    def attention_weights(
        self, parameters: Parameters, memory: Memory, symbols: Sequence[Sequence[int]]
    ) -> list[np.ndarray]:
        """Where the decoder looked while it wrote each text, `(symbols + 1, places)`; all zeros without attention."""
        batch = self.before_and_after(Ragged.of(symbols), np.arange(len(symbols)))
        before = engines.array(batch["before"], parameters["head.bias"])
        weights = engines.host(self.model.decode(parameters, memory, before, self.model.fresh(parameters, memory))[2])
        places = engines.host(memory[2]).sum(1).astype(np.int64)
        return [weights[i, : len(s) + 1, : places[i]] for i, s in enumerate(symbols)]


def _gathering(memory: Memory) -> Callable[[np.ndarray], Memory]:
    """What gives rows of a memory. It is large, and from one step to the next mostly the same rows are asked for."""
    last: list[Any] = [np.arange(memory[0].shape[0]), memory]

    def gathered(rows: np.ndarray) -> Memory:
        if not np.array_equal(rows, last[0]):
            at = engines.array(rows, memory[0])
            last[:] = rows, tuple(m[at] for m in memory)
        return last[1]

    return gathered

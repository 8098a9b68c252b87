"""Beam search: the likeliest texts that a step function can write. It knows nothing of models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import engines

Step = Callable[[np.ndarray, Any, np.ndarray], tuple[np.ndarray, Any]]


@dataclass(frozen=True)
class Hypothesis:
    """symbols: without the end. score: log-probability in nats, the end included, as the step function gave it; where the
    end was not possible and nothing more could be written, without it.

    rank: score over ((5 + length) / 6)^alpha (Wu et al. 2016), by which hypotheses are compared.
    """

    symbols: list[int]
    score: float
    rank: float


WIDEST = 1000  # hypotheses: what is unlikelier than a thousand others is no answer


def search(
    step: Step, state: Any, rows: int, begin: int, end: int, most: np.ndarray, beam: int = 5, alpha: float = 1.0
) -> list[list[Hypothesis]]:
    """For each of `rows` inputs, up to `beam` hypotheses, the best first. A beam of 1 is greedy.

    step(last, state, inputs): the symbols `(n,)` written last, a state as `kept` can index it, and which input each of
    the n belongs to; gives log-probabilities `(n, symbols)` and the next state. most `(rows,)`: symbols an input may get,
    the end not counted: after so many only the end is looked at. What is impossible, -inf, is in no hypothesis; there are
    fewer than `beam` where there are no more texts, and one at least.
    """
    done: list[list[Hypothesis]] = [[] for _ in range(rows)]  # the best `beam` of each input

    def ended(row: int, link: _Link, score: float, length: int) -> None:
        found = [*done[row], Hypothesis(_symbols(link), score, score / _penalty(length, alpha))]
        done[row] = sorted(found, key=lambda h: -h.rank)[:beam]

    inputs = np.arange(rows)  # of every live hypothesis: its input, how it came to what it has written, its score
    written: list[_Link] = [None] * rows
    scores = np.zeros(rows)
    length = 0  # of every live hypothesis
    last = np.full(rows, begin, np.int64)
    while len(inputs):
        p, state = step(last, state, inputs)
        total = scores[:, None] + p.astype(np.float64)
        full = length >= np.asarray(most)[inputs]
        total[full[:, None] & (np.arange(p.shape[1]) != end)] = -np.inf
        for k in np.flatnonzero(~np.isfinite(total).any(-1)):  # it can neither go on nor end
            ended(inputs[k], written[k], float(scores[k]), length)
        parents, symbols = [], []
        for row in np.unique(inputs):
            mine = np.flatnonzero(inputs == row)
            flat = total[mine].ravel()
            width = min(beam, len(flat))
            best = np.argpartition(-flat, width - 1)[:width] if width < len(flat) else np.arange(len(flat))
            for k in best[np.argsort(-flat[best], kind="stable")]:
                if not np.isfinite(flat[k]):
                    break  # so are all after it
                parent, symbol = mine[k // p.shape[1]], int(k % p.shape[1])
                if symbol == end:
                    ended(row, written[parent], float(flat[k]), length + 1)
                else:
                    parents.append(parent)
                    symbols.append(symbol)
        parents, last = np.array(parents, np.int64), np.array(symbols, np.int64)
        scores = total[parents, last] if len(parents) else np.zeros(0)
        written = [(written[a], int(s)) for a, s in zip(parents, last, strict=True)]
        inputs = inputs[parents]
        length += 1
        going = [
            not _settled(done[row], s, length, int(most[row]), beam, alpha)
            for row, s in zip(inputs, scores, strict=True)
        ]
        going = np.array(going, bool)
        parents, last, scores, inputs = parents[going], last[going], scores[going], inputs[going]
        written = [w for w, g in zip(written, going, strict=True) if g]
        state = kept(state, parents)
    return done


_Link = tuple[Any, int] | None  # what was written before, and the last symbol: hypotheses share how they began


def _symbols(link: _Link) -> list[int]:
    out = []
    while link is not None:
        link, symbol = link
        out.append(symbol)
    return out[::-1]


def _settled(done: list[Hypothesis], score: float, length: int, most: int, beam: int, alpha: float) -> bool:
    """Whether a live hypothesis cannot come among the best any more: scores only fall, and at best the length helps."""
    if len(done) < beam:
        return False
    return score / _penalty(most + 1 if alpha > 0 else length, alpha) <= done[-1].rank


def _penalty(length: int, alpha: float) -> float:
    return ((5 + length) / 6) ** alpha


def kept(state: Any, rows: np.ndarray) -> Any:
    """The rows of a state that go on, in a tree of tuples of arrays, batch first."""
    if isinstance(state, tuple):
        return tuple(kept(s, rows) for s in state)
    return state[engines.array(rows, state)]

"""How likely a text is: what adds up over stretches of it, and how it was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import engines
from helo.data.symbols import Symbols
from helo.errors import HeloError
from helo.metrics.perplexity import Perplexity
from helo.models.base import Parameters

ONE_ROW = 200_000  # symbols, up to which a text is scored as one stream where it is validated
CODE_POINTS = 0x110000  # an unknown character costs its symbol, and then which of all characters it was


@dataclass(frozen=True)
class Score:
    """What adds up over stretches of text: nats, symbols, and the characters and bytes that they stand for."""

    nats: Any = 0.0  # a number, or an array of one that may lie on a device
    symbols: int = 0
    characters: int = 0
    bytes: int = 0
    unknown: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(*(getattr(self, f) + getattr(other, f) for f in self.__dataclass_fields__))

    @property
    def total(self) -> float:
        """The nats as a number: here it is waited for."""
        return self.nats if isinstance(self.nats, float) else float(engines.host(self.nats))

    def figures(self, protocol: str) -> dict[str, Any]:
        """nats per symbol; bits per character and per byte, which compare over units; perplexity per symbol; the protocol."""
        figures = Perplexity().score(np.array([self.total, self.symbols, self.characters, self.bytes], np.float64))
        about = {"symbols": self.symbols, "protocol": protocol}
        return figures | about | ({"unknown": self.unknown} if self.unknown else {})


def protocol(rows: int = 1, block: int | None = None) -> str:
    """How figures were taken, in words."""
    if block is not None:
        return f"blocks of {block} from a state of zeros"
    return "the whole stream with carried state" if rows == 1 else f"{rows} stretches side by side with carried state"


def score_text(
    task: Any, parameters: Parameters, symbols: Symbols, start: int, stop: int, rows: int = 1, block: int | None = None
) -> Score:
    """Of a language model: every symbol of [start, stop) but the first, each from all before it with carried state.

    rows: so many stretches side by side, each from a state of zeros: faster, and a little worse for the model.
    block: blocks of this many symbols, each from a state of zeros instead, of which each predicts all but its first.
    """
    if stop - start < 2:
        raise HeloError("a text of one symbol", expected="at least two: the second is predicted from the first")
    if block is None:
        return sum(scores(task, parameters, symbols, start, stop, rows), Score())
    total, starts = Score(), np.arange(start, stop - 1, block)
    whole = [s for s in starts if s + block <= stop]
    for i in range(0, len(whole), 64):
        total += task.evaluate_batch(parameters, symbols.take(np.array(whole[i : i + 64]), block), None)[1]
    if len(whole) < len(starts):
        total += task.evaluate_batch(parameters, symbols.take(starts[-1:], int(stop - starts[-1])), None)[1]
    return total


def scores(
    task: Any, parameters: Parameters, symbols: Symbols, start: int, stop: int, rows: int = 1, step: int = 4096
) -> Iterator[Score]:
    """The same stretch by stretch, of about so many symbols each."""
    rows = max(1, min(rows, (stop - start - 1) // 64))
    length = (stop - start - 1) // rows
    starts, state, step = start + np.arange(rows) * length, None, max(64, step // rows)
    for t in range(0, length, step):
        window = symbols.take(starts + t, min(step, length - t) + 1)
        _, score, state = task.evaluate_batch(parameters, window, state)
        yield score
    if rest := (stop - start - 1) - rows * length:  # the last row's, which goes on a few symbols longer
        last = tuple(tuple(s[-1:] for s in layer) for layer in state or ())
        yield task.evaluate_batch(parameters, symbols.take(np.array([stop - 1 - rest]), rest + 1), last)[1]

"""How likely a text is: what adds up over stretches of it, and how it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import engines
from helo.metrics.perplexity import Perplexity

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
        """nats a symbol; bits a character and a byte, which compare over units; perplexity a symbol; the protocol."""
        figures = Perplexity().score(np.array([self.total, self.symbols, self.characters, self.bytes], np.float64))
        about = {"symbols": self.symbols, "protocol": protocol}
        return figures | about | ({"unknown": self.unknown} if self.unknown else {})


def protocol(rows: int = 1, block: int | None = None) -> str:
    """How figures were taken, in words."""
    if block is not None:
        return f"blocks of {block} from a state of zeros"
    return "the whole stream with carried state" if rows == 1 else f"{rows} stretches side by side with carried state"

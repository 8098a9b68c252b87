"""An example: a word, letter by letter, and a cell by hand; and the contract of such a cell."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from helo import cells
from helo.cells.base import Cell
from helo.cells.functions import Array, namespace
from helo.errors import HeloError, nearest

Network = Mapping[str, Array]
Numbers = dict[str, np.ndarray]  # of a step, by the names of the equations
Round = Callable[[Array], Array]  # what becomes of a number before it is carried on: itself, or the digits on paper
Working = tuple[str, str, float]  # a number's name, how it is computed in full, the number

LONGEST = 40  # letters of a word
JOINERS = "\u200c\u200d"  # stand inside words of some scripts


class Hand(ABC):
    """A cell worked by hand, with the letters of the equations in `helo.cells`; a state of numbers `(hidden,)`."""

    name: ClassVar[str]
    #: What is carried from step to step.
    state: ClassVar[tuple[str, ...]] = ("h",)
    #: Numbers a step has, in the order in which they are computed.
    parts: ClassVar[tuple[str, ...]] = ("h",)
    #: Units on paper.
    hidden: ClassVar[int] = 2
    #: Formulas of a step, each with what it means, and of the step backwards.
    formulas: ClassVar[tuple[tuple[str, str], ...]]
    back_formulas: ClassVar[tuple[tuple[str, str], ...]]

    @property
    def cell(self) -> Cell:
        """helo's own, of which this one is the same by hand: the tests hold them equal."""
        return cells.find(self.name)

    @abstractmethod
    def parameters(self, w: Network) -> dict[str, Array]:
        """The weights as helo's cell takes them."""

    @abstractmethod
    def network(self, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The weights of helo's cell as they are called here."""

    @abstractmethod
    def step(self, w: Network, x: np.ndarray, before: Numbers, r: Round) -> Numbers:
        """The numbers of a step, from x `(letters,)` and those of the step before; each goes through r."""

    @abstractmethod
    def backward(
        self, w: Network, d: Numbers, x: np.ndarray, before: Numbers, now: Numbers, later: Numbers
    ) -> tuple[Numbers, Numbers]:
        """From the gradient by the state after a step, `later`, to the numbers of the step backwards by their names, and the
        gradient by the state before the step. What the weights get is added to d.
        """

    @abstractmethod
    def working(self, w: Network, letter: int, before: Numbers | None, now: Numbers, k: int) -> Iterator[Working]:
        """Unit k of each number of a step in full; before: None at the first step, whose state is zeros."""


@dataclass(frozen=True, eq=False)
class Example:
    """A word to learn. letters: it may take several characters to write one."""

    letters: tuple[str, ...]
    hand: Hand
    units: int  # of the network that is trained
    given: Network | None = None  # weights of the forward pass; drawn where none are given

    @property
    def lecture(self) -> bool:
        """Whether it is the lecture's own."""
        return self.given is not None

    @property
    def word(self) -> str:
        """The word that is learned."""
        return "".join(self.letters)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Its letters, each once, in the order in which they come."""
        return tuple(dict.fromkeys(self.letters))

    @property
    def read(self) -> tuple[str, ...]:
        """What goes in."""
        return self.letters[:-1]

    @property
    def next(self) -> tuple[str, ...]:
        """What should come out."""
        return self.letters[1:]

    @property
    def few(self) -> bool:
        """Whether the exponentials of all scores stand in one line; of more letters their sum is a number of its own."""
        return len(self.vocabulary) <= (4 if self.hand.state == self.hand.parts else 3)

    @property
    def border(self) -> int:
        """After so many steps the first of two chunks ends; 0: there is one step, and no border."""
        return len(self.read) // 2

    def ids(self, letters: tuple[str, ...]) -> list[int]:
        """Places in the vocabulary."""
        return [self.vocabulary.index(letter) for letter in letters]

    def one_hot(self, letters: tuple[str, ...]) -> np.ndarray:
        """Letters as rows `(T, letters)`: 1 at the letter's place, 0 elsewhere."""
        return np.eye(len(self.vocabulary))[self.ids(letters)]

    @cached_property
    def weights(self) -> Network:
        """Those of the forward pass, of one digit: of the drawn ones the first with which no right letter is improbable."""
        if self.given is not None:
            return self.given
        from helo.hello import network

        rng = np.random.default_rng(1)
        best: tuple[float, Network] = -1.0, {}
        for _ in range(50):
            start = network.start(self, 0, self.hand.hidden)
            w = {name: _digit(rng, name, value.shape) for name, value in start.items()}
            best = max(best, (float(network.on_paper(self, w).right.min()), w), key=lambda drawn: drawn[0])
            if best[0] > 0.02:
                break
        return best[1]


def _digit(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights of one digit; the forget gate and the update gate keep at first, as helo's own do."""
    size = {"W_hy": 1.5, "b": 0.4}.get(name if name == "W_hy" else name[0], 1.0)
    drawn = np.round(rng.uniform(-size, size, shape), 1) + 0.0  # no zero has a sign
    return np.full(shape, 1.0) if name in ("b_f", "b_z") else drawn


def example(word: str = "hello", cell: str = "rnn") -> Example:
    """A word to learn with a cell. Raises HeloError for what is no word, or has one letter alone, and for other cells."""
    from helo.hello.gru import GRU
    from helo.hello.lstm import LSTM
    from helo.hello.rnn import LECTURE, RNN

    hands: dict[str, Hand] = {hand.name: hand() for hand in (RNN, LSTM, GRU)}
    if cell not in hands:
        raise HeloError(f"the cell {cell!r}", mend=nearest(cell, hands), where="--cell")
    letters = _letters(unicodedata.normalize("NFC", word))
    if letters == tuple("hello") and cell == "rnn":
        return Example(letters, hands[cell], 3, LECTURE)
    return Example(letters, hands[cell], max(8, len(letters)))


def _letters(word: str) -> tuple[str, ...]:
    """A word's letters, each with the marks that belong to it."""
    letters: list[str] = []
    joined = False
    for sign in word:
        mark = unicodedata.category(sign)[0] == "M" or sign in JOINERS
        if not mark and (not sign.isprintable() or sign.isspace()):
            raise HeloError(
                f"{word[:60]!r} is not a word",
                expected="letters without spaces or line breaks",
                mend="helo hello mississippi",
            )
        if letters and (mark or joined):
            letters[-1] += sign
        else:
            letters.append(sign)
        joined = sign == "\u200d"
    if len(letters) > LONGEST:
        raise HeloError(f"{word[:60]!r} has {len(letters):,} letters", expected=f"at most {LONGEST}")
    if len(set(letters)) < 2:
        found = "an empty word" if not letters else f"{word[:60]!r} has one letter alone"
        raise HeloError(found, expected="at least two different letters, so that there is something to learn")
    return tuple(letters)


def stacked(w: Network, matrices: str, names: str) -> Any:
    """Several maps on top of each other."""
    parts = [w[f"{matrices}_{k}"] for k in names]
    return namespace(parts[0]).concat(parts)


def parted(stack: np.ndarray, names: str) -> dict[str, np.ndarray]:
    """The same apart."""
    return dict(zip(names, np.split(stack.astype(np.float64), len(names)), strict=True))


def total(terms: list[tuple[float, str]]) -> str:
    """Terms weight·value as people write a sum: the sign of a weight joins it to the one before."""
    (weight, value), *others = terms
    joined = (f" {'-' if weight < 0 else '+'} {abs(weight):.1f}{value}" for weight, value in others)
    return f"{weight:.1f}{value}" + "".join(joined)


def inner(w: np.ndarray, k: int, h: np.ndarray) -> list[tuple[float, str]]:
    """Row k of a matrix times a vector, as terms."""
    return [(w[k, j], f"·{h[j]:.4f}") for j in range(len(h))]

"""The contract of a cell, written once. Concrete cells refer to it and repeat nothing of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, final

import numpy as np

from helo import registry
from helo.cells.functions import Array

Parameters = Mapping[str, Array]
State = tuple[Array, ...]


class Cell(ABC):
    """h_t = f_W(h_{t-1}, x_t): a frozen dataclass whose fields are its options.

    A cell is only mathematics: it holds no array. Sizes, dtype and device are taken from the
    parameters, so the same object steps NumPy arrays, torch tensors and anything else that follows the array standard.
    Classes are abstract or final: what is implemented here or in a concrete cell is never overridden.
    """

    #: Options of the small instances with which the laws try this cell.
    instances: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    #: Laws that do not hold for this cell, each with the reason. Strict: a law that holds after all is an error.
    exceptions: ClassVar[Mapping[str, str]] = {}
    #: Matrices in which several maps stand on top of each other, and how many: gates, say. The optimiser treats each map by
    #: itself. What is not named is one map.
    blocks: ClassVar[Mapping[str, int]] = {}
    #: Matrices that multiply the state: what `--weight-dropout` is of.
    recurrent: ClassVar[tuple[str, ...]] = ("weight_hh",)

    def __init_subclass__(cls, **more: Any):
        """Raises TypeError for what a class declares in another form: the optimiser and the laws read it as it stands."""
        super().__init_subclass__(**more)
        registry.texts(cls, "recurrent")
        for name, (fits, expected) in _DECLARED.items():
            if not fits(found := getattr(cls, name)):
                raise TypeError(f"{cls.__name__}.{name} = {found!r:.80}; expected {expected}")

    @abstractmethod
    def init(self, rng: np.random.Generator, inputs: int, hidden: int) -> dict[str, np.ndarray]:
        """Fresh parameters (float32, NumPy), the same for the same generator.

        If torch has the cell, they have torch's names and layout, so that weights can be exchanged unchanged.
        Biases are vectors; everything that multiplies is a matrix, outputs first.
        """

    @abstractmethod
    def state(self, parameters: Parameters, batch: int) -> State:
        """The state before the first symbol: a tuple of arrays `(batch, …)`, whose size does not depend on the length of the sequence."""

    @abstractmethod
    def step(self, parameters: Parameters, state: State, x: Array) -> tuple[State, Array]:
        """One step: the state and x `(batch, …)`, one step of what `project` returned, to the next state and the
        output `(batch, hidden)`. Each row's result depends on that row alone.
        """

    def project(self, parameters: Parameters, xs: Array) -> Array:
        """What can be computed for all steps at once, before the loop: `(…, inputs)` to `(…, anything)`.

        By default the step sees the inputs unchanged.
        """
        return xs

    def gates(self, parameters: Parameters, state: State, x: Array) -> dict[str, Array]:
        """The gates of the step from a state, by their letters in the equations: "f", `(batch, hidden)`, from 0,
        closed, to 1, open. x as `step` takes it. By default a cell has no gates.
        """
        return {}

    def kept(self, gates: Mapping[str, Array]) -> Array | None:
        """The share of each unit's memory that a step keeps, `(batch, hidden)`, from its gates; None if no gate says so."""
        return None


def _texts(found: Any) -> bool:
    return all(isinstance(one, str) for one in found)


def _is_mapping(found: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(found, Mapping) and _texts(found) and all(map(fits, found.values()))


#: What a class of a cell declares: whether a value fits, and in words.
_DECLARED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "instances": (
        lambda found: (
            isinstance(found, tuple | list) and bool(found) and all(_is_mapping(o, lambda _: True) for o in found)
        ),
        'a tuple of dicts of options: ({}, {"bias": False})',
    ),
    "exceptions": (
        lambda found: _is_mapping(found, lambda reason: isinstance(reason, str)),
        'a dict of laws and reasons: {"causality": "it reads ahead"}',
    ),
    "blocks": (
        lambda found: _is_mapping(found, lambda n: isinstance(n, int) and not isinstance(n, bool) and n >= 1),
        'a dict of matrices and numbers of maps, 1 or more: {"weight_hh": 4}',
    ),
}


class LinearCell(Cell):
    """A cell whose recurrence is linear in its one state: h_t = a_t ∘ h_{t-1} + b_t, where a and b depend only on the input.

    The whole sequence is then an associative scan over pairs: (a, b) then (a', b') is (a' ∘ a, a' ∘ b + b'), which
    an engine can compute in parallel. A concrete cell defines `coefficients`; the step follows from them.
    """

    @abstractmethod
    def coefficients(self, parameters: Parameters, x: Array) -> tuple[Array, Array]:
        """(a, b), each `(…, hidden)`, from what `project` returned, `(…, anything)`."""

    @final
    def step(self, parameters: Parameters, state: State, x: Array) -> tuple[State, Array]:
        a, b = self.coefficients(parameters, x)
        h = a * state[0] + b
        return (h,), h


def uniform(rng: np.random.Generator, rows: int, columns: int, bound: float) -> np.ndarray:
    """A float32 matrix, uniform within ±bound."""
    return rng.uniform(-bound, bound, (rows, columns)).astype(np.float32)


def orthogonal(rng: np.random.Generator, blocks: int, size: int) -> np.ndarray:
    """Orthogonal squares on top of each other, one a gate, `(blocks · size, size)`: the state neither grows nor
    fades at the start (Saxe et al. 2014; Le et al. 2015 for recurrences).
    """
    squares = []
    for _ in range(blocks):
        q, r = np.linalg.qr(rng.standard_normal((size, size)))
        squares.append(q * np.where(np.diag(r) < 0, -1.0, 1.0))  # the sign makes the distribution uniform
    return np.concatenate(squares).astype(np.float32)


def zeros(parameters: Parameters, like: str, batch: int, hidden: int) -> Array:
    """A state of zeros `(batch, hidden)`, of the library, dtype and device of a named parameter."""
    from helo.cells.functions import namespace

    p = parameters[like]
    return namespace(p).zeros((batch, hidden), dtype=p.dtype, device=p.device)

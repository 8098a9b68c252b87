"""To look at a recurrence while it runs, and to reach into it: what its inputs are, each step, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from helo.cells.base import Cell, Parameters, State
from helo.cells.functions import Array


class Tap:
    """Told of every scan while `tapped` holds, whatever layer or task it belongs to; what it gives back is used in place of
    what it was given. The parameters say which layer it is: they are the very arrays that the model was called with.
    """

    #: Whether `step` is asked. Where it is not, an engine stays on its fastest way.
    steps: bool = True

    def begin(self, cell: Cell, parameters: Parameters, xs: Array, state: State) -> tuple[Array, State]:
        """Before a scan: its inputs `(batch, time, inputs)` and the state to begin with."""
        return xs, state

    def step(
        self, cell: Cell, parameters: Parameters, before: State, x: Array, after: State, output: Array
    ) -> tuple[State, Array]:
        """One step, from the state `before` and x, one step of what `project` gave, to `after` and the output. Steps behind
        a row's length come too.
        """
        return after, output


T = TypeVar("T", bound=Tap)
_NOW: ContextVar[Tap | None] = ContextVar("tap", default=None)


@contextmanager
def tapped(tap: T) -> Iterator[T]:
    """While this holds, scans are shown to a tap."""
    token = _NOW.set(tap)
    try:
        yield tap
    finally:
        _NOW.reset(token)


def now() -> Tap | None:
    """The tap that holds."""
    return _NOW.get()


class Shown:
    """A cell whose steps a tap sees."""

    def __init__(self, cell: Cell, tap: Tap):
        self.cell, self.tap = cell, tap

    def project(self, parameters: Parameters, xs: Array) -> Array:
        return self.cell.project(parameters, xs)

    def step(self, parameters: Parameters, state: State, x: Array) -> tuple[State, Array]:
        return self.tap.step(self.cell, parameters, state, x, *self.cell.step(parameters, state, x))


def shown(cell: Cell, tap: Tap) -> Any:
    """The cell itself where nobody asks for its steps."""
    return Shown(cell, tap) if tap.steps else cell

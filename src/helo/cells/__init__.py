"""h_t = f_W(h_{t-1}, x_t): one file a cell, its equations written once.

cells.names()                     what there is
cells.find("lstm")                a cell; "rnn,nonlinearity=relu" with an option, "file.py:Name" from outside
cells.step(cell, parameters, state, x)      one step, for whoever wants to see the numbers
"""

from __future__ import annotations

from helo import registry
from helo.cells.base import Cell, LinearCell, Parameters, State
from helo.cells.functions import Array

__all__ = ["Cell", "LinearCell", "find", "names", "step"]

ROOM = registry.Room("helo.cells", "cell", Cell, ("base", "functions"))


def names() -> list[str]:
    """The registered cells: the files of this package, and the entry points `helo.cells` of other packages."""
    return ROOM.names()


def find(spec: str) -> Cell:
    """The cell of a specification: `name`, `path/to/file.py:Name`, either followed by `,option=value`.

    Raises HeloError, naming the closest match, for an unknown cell, option or value.
    """
    return ROOM.make(spec)


def step(cell: Cell | str, parameters: Parameters, state: State, x: Array) -> tuple[State, Array]:
    """One step of a cell on an input x `(batch, inputs)`: the next state and the output `(batch, hidden)`."""
    cell = find(cell) if isinstance(cell, str) else cell
    return cell.step(parameters, state, cell.project(parameters, x))

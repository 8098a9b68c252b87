"""Cells and scans, each broken on purpose, and the laws that must go red on it, and no others.

healthy.py      one cell that every law holds for, and the pieces that mutants are made of
cells.py        broken cells
scans.py        broken ways to run a cell that is right
"""

from __future__ import annotations

from dataclasses import dataclass

from helo.cells import Cell
from helo.laws import Form


@dataclass(frozen=True)
class Mutant:
    """A broken cell, or a cell run by a broken form.

    law: the one that it is planted for. also: laws that cannot hold either, with the fault being what it is.
    """

    law: str
    cell: Cell
    form: Form | None = None
    also: tuple[str, ...] = ()

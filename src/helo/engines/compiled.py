"""Steps of a cell for which torch has no kernel, compiled into few operations each.

Measured where it pays: on an H100 a peephole LSTM of 256 takes a third of the time of captured plain steps; on two cores
of a processor it takes as long as they do, so there steps stay as the cell writes them.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from helo import progress
from helo.cells.base import Cell, Parameters, State


def fast(cell: Cell, xs: Tensor) -> Any:
    """What steps as the cell does, faster where that is known to pay and a gradient is taken; else the cell itself."""
    if xs.device.type != "cuda" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return cell
    return _compiled(cell)


class Compiled:
    """A cell with its step compiled when it is first used. Where that fails, plain, and one line says why."""

    def __init__(self, cell: Cell):
        self.cell, self.state, self.project = cell, cell.state, cell.project
        self._step: Any = None

    def step(self, parameters: Parameters, state: State, x: Tensor) -> tuple[State, Tensor]:
        if self._step is None:
            progress.say(f"compiling the step of {self._name}, which takes up to half a minute")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what torch itself imports
                self._step = torch.compile(self.cell.step)
        if self._step == self.cell.step:
            return self._step(parameters, state, x)
        try:  # each kind of arguments is compiled when it first comes
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what it imports and chooses
                return self._step(parameters, state, x)
        except Exception as error:  # no compiler, or a step that it does not know
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            progress.say(f"the step of {self._name} could not be compiled and runs more slowly: {reason[:200]}")
            self._step = self.cell.step
            return self._step(parameters, state, x)

    @property
    def _name(self) -> str:
        return type(self.cell).__name__


_compiled = lru_cache(maxsize=16)(Compiled)

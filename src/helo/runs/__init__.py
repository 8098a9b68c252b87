"""The run folder: the only thing that passes from training to everything else."""

from __future__ import annotations

from pathlib import Path

from helo.errors import door
from helo.runs.run import Run
from helo.runs.stream import Stream

__all__ = ["Run", "Stream", "load"]


@door
def load(path: str | Path, trust: bool = False, cell: str | None = None) -> Run:
    """The run in a folder. trust: a cell or metric that it names by its file may be run; cell: `file.py:Name`, that cell.

    Raises HeloError where there is none, it is damaged, or a newer helo wrote it.
    """
    return Run(path, trust, cell)

"""The run folder: the only thing that passes from training to everything else."""

from __future__ import annotations

from pathlib import Path

from helo.errors import door
from helo.runs.run import Run
from helo.runs.stream import Stream

__all__ = ["Run", "Stream", "load"]


@door
def load(path: str | Path, trust: bool = False, cell: str | None = None, task: str | None = None) -> Run:
    """The run in a folder. trust: allow any cell, metric, reader or task that it names by its file. cell, task:
    `file.py:Name`, allow that one.

    Raises HeloError if there is no run, it is damaged, or a newer helo wrote it.
    """
    return Run(path, trust, cell, task)

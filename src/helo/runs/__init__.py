"""The run folder: the only thing that passes from training to everything else."""

from __future__ import annotations

from pathlib import Path

from helo.errors import door
from helo.runs.run import Run
from helo.runs.stream import Stream

__all__ = ["Run", "Stream", "load"]


@door
def load(path: str | Path) -> Run:
    """The run in a folder. Raises HeloError where there is none, or a newer helo wrote it."""
    return Run(path)

"""helo: recurrent networks over any sequence.

    run = helo.train("lm", "novel.txt", minutes=2)     a language model of a text
    run = helo.load("runs/novel")                      the same, out of its folder
    run.sample("It was", length=200)                   it writes
    helo.nn.Recurrent("gru", 16, 32)                   any cell in place of torch.nn.LSTM

Names are loaded when they are first used: importing helo imports neither torch nor NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helo import cells, metrics, nn
    from helo.errors import HeloError
    from helo.inspection.compare import compare
    from helo.inspection.compare_cells import compare_cells
    from helo.inspection.explain import explain
    from helo.inspection.score import score
    from helo.inspection.surprise import surprise
    from helo.inspection.sweep import sweep
    from helo.runs import Run, load
    from helo.training import dynamic_evaluation, train

__all__ = [
    "HeloError",
    "Run",
    "cells",
    "compare",
    "compare_cells",
    "dynamic_evaluation",
    "explain",
    "load",
    "metrics",
    "nn",
    "score",
    "surprise",
    "sweep",
    "train",
]

_HOMES = {
    "HeloError": "helo.errors", "Run": "helo.runs", "load": "helo.runs",
    "compare": "helo.inspection.compare", "compare_cells": "helo.inspection.compare_cells",
    "explain": "helo.inspection.explain", "score": "helo.inspection.score",
    "surprise": "helo.inspection.surprise", "sweep": "helo.inspection.sweep", "train": "helo.training", "dynamic_evaluation": "helo.training",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in ("cells", "metrics", "nn"):
        return importlib.import_module(f"helo.{name}")
    raise AttributeError(f"module 'helo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

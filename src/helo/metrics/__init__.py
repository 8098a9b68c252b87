"""One file a metric: statistics(answer, reference) → a vector that adds up; score(sum) → figures."""

from __future__ import annotations

import importlib
from types import ModuleType

from helo import registry


def __getattr__(name: str) -> ModuleType:
    """A metric's file, loaded when it is first used: `helo.metrics.captions`."""
    if name in registry.names("helo.metrics"):
        return importlib.import_module(f"helo.metrics.{name}")
    raise AttributeError(f"module 'helo.metrics' has no attribute {name!r}")

"""To look inside a run: what its units hold, where gradients go, what an answer rests on.

inspect(run, files)      what the units of its recurrent layers know of a text, as numbers and as a page
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helo.inspection.units import inspect

__all__ = ["inspect"]


def __getattr__(name: str) -> Any:
    if name == "inspect":
        from helo.inspection.units import inspect

        return inspect
    raise AttributeError(f"module 'helo.inspection' has no attribute {name!r}")

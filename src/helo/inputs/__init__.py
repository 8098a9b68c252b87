"""What a step of a sequence is, and how it becomes numbers: one file a form."""

from __future__ import annotations

from typing import Any

from helo import registry
from helo.errors import HeloError
from helo.inputs.base import Encoded, Input

__all__ = ["Encoded", "Input", "find", "from_json", "names"]


def names() -> list[str]:
    """The registered forms."""
    return registry.names("helo.inputs", ("autoregression", "base", "photos"))


def find(name: str) -> type[Input]:
    """The class of a form. Raises HeloError for one that is not known."""
    return registry.offered(registry.module("helo.inputs", name, "form of input", names()), Input)


def from_json(saved: dict[str, Any]) -> Input:
    """The form that `to_json` wrote."""
    try:
        return find(saved["form"]).from_json(saved)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise HeloError(f"not a form of input ({error!r})", mend="use the file from an undamaged run") from error

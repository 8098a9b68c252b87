"""Options held to their bounds, wherever they come from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from helo.errors import HeloError

SHARES = {"dropout", "weight_dropout", "scheduled", "self_critical"}  # options from 0 to 1
MAY_BE_NONE = {"spelling"}  # sizes that may be 0: without it


def within(options: Any) -> Any:
    """A task's options. Raises HeloError for a size below 1, a share that is none, a rate that is not above 0."""
    for name, value in asdict(options).items():
        where = "--" + name.replace("_", "-")
        least = 0 if name in MAY_BE_NONE else 1
        if isinstance(value, int) and not isinstance(value, bool) and value < least:
            raise HeloError(f"{value}", expected=f"{least} or more", where=where)
        if name in SHARES and value is not None and not 0 <= value <= 1:
            raise HeloError(f"{value}", expected="a number between 0 and 1", where=where)
        if isinstance(value, float) and name not in SHARES and not 0 < value < float("inf"):
            raise HeloError(f"{value}", expected="more than 0", where=where)
    return options

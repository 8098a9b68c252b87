"""Several trainings of one verb: what they share."""

from __future__ import annotations

from typing import Any

from helo.data.readers import given
from helo.errors import HeloError
from helo.training import Interrupted, Reporter


class Stopped(Interrupted):
    """Stopped from outside in one of several trainings."""

    def __str__(self) -> str:
        return f"stopped in {self.path} at step {self.step:,}; the same command with --out {self.path.parent} continues"


class Bar(Reporter):
    """The bar of one training among several: its lines are left out."""

    def __init__(self, shown: Reporter, name: str):
        self.shown, self.name = shown, name

    def step(self, done: int, total: int | None, loss: float, speed: float, left: float | None) -> None:
        self.shown.step(done, total, loss, speed, left)


def reusable(data: Any) -> list[Any]:
    """Files or data as a list that can be read again and again. Raises HeloError for standard input."""
    found = given.settled(data)
    if not given.anything(found) and any(str(name) == "-" for name in found):
        raise HeloError("standard input, which can be read only once", mend="save it to a file and name that")
    return found

"""Time since change."""

from __future__ import annotations

from helo.inspection.properties.base import Property


class SinceChange(Property):
    """Steps since the label last changed, from the first change on."""

    kinds = ("labels",)

    def values(self, row):
        found: list[float] = []
        for t, y in enumerate(row):
            found.append(0.0 if t and row[t - 1] != y else found[-1] + 1 if found else float("nan"))
        return found

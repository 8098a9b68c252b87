"""Time since change."""

from __future__ import annotations

from helo.inspection.properties.base import Property


class SinceChange(Property):
    """How many steps ago the label changed."""

    kinds = ("labels",)

    def values(self, row):
        found: list[int] = []
        for t, y in enumerate(row):
            found.append(found[-1] + 1 if t and row[t - 1] == y else 0)
        return found

"""Place in the sequence."""

from __future__ import annotations

from helo.inspection.properties.base import Property


class PlaceInSequence(Property):
    """How many steps of the example have been read."""

    kinds = ("tokens", "series")

    def values(self, row):
        return list(range(len(row)))

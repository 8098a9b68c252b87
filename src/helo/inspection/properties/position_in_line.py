"""Position in line."""

from __future__ import annotations

from helo.inspection.properties.base import Property, since


class PositionInLine(Property):
    """How many characters ago the line began: the distance since the last newline."""

    def values(self, row):
        return since(["\n", *row], "\n")[1:]

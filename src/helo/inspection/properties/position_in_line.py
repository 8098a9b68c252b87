"""Position in line."""

from __future__ import annotations

from helo.inspection.properties.base import Property, since


class PositionInLine(Property):
    """Characters since the last newline."""

    def values(self, row):
        return since(["\n", *row], "\n")[1:]

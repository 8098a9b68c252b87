"""Since blank."""

from __future__ import annotations

from helo.inspection.properties.base import Property, since


class SinceBlank(Property):
    """Characters since the last space or newline: the position in the word."""

    def values(self, row):
        return since(row, " \n\t")

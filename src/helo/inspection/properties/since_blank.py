"""Since blank."""

from __future__ import annotations

from helo.inspection.properties.base import Property, since


class SinceBlank(Property):
    """How many characters ago the last blank or newline stood: the place in the word."""

    def values(self, row):
        return since(row, " \n\t")

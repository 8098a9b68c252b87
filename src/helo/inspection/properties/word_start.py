"""Word start."""

from __future__ import annotations

from helo.inspection.properties.base import Property
from helo.inspection.properties.code import pairs


class WordStart(Property):
    """The first letter or digit of a word."""

    def values(self, row):
        return [c.isalnum() and not before.isalnum() for before, c in pairs(row)]

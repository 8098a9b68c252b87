"""Capital run."""

from __future__ import annotations

from helo.inspection.properties.base import Property
from helo.inspection.properties.code import pairs


class CapitalRun(Property):
    """At the second capital letter in a row, or a later one."""

    def values(self, row):
        return [before.isupper() and c.isupper() for before, c in pairs(row)]

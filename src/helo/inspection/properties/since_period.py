"""Since period."""

from __future__ import annotations

from helo.inspection.properties.base import Property, since


class SincePeriod(Property):
    """How many characters or words ago the last sentence ended: . ! ? 。！？"""

    kinds = ("text", "tokens")

    def values(self, row):
        return since(row, set(".!?。！？"))

"""Since period."""

from __future__ import annotations

from helo.inspection.properties.base import Property, since


class SincePeriod(Property):
    """Characters or words since the last sentence ended: . ! ? 。！？"""

    kinds = ("text", "tokens")

    def values(self, row):
        return since(row, set(".!?。！？"))

"""Inside a string."""

from __future__ import annotations

from helo.inspection.properties.base import Property
from helo.inspection.properties.code import inside


class InsideString(Property):
    """In a string of source code, outside comments: "…" and '…', and in Python also triple-quoted."""

    def values(self, row):
        return inside(row).get("string", [False] * len(row))

"""Inside a comment."""

from __future__ import annotations

from helo.inspection.properties.base import Property
from helo.inspection.properties.code import inside


class InsideComment(Property):
    """In a comment of source code: /* … */ and // … in text that looks like C, # … like Python, % … like LaTeX."""

    def values(self, row):
        return inside(row).get("comment", [False] * len(row))

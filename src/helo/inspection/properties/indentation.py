"""Indentation."""

from __future__ import annotations

from helo.inspection.properties.base import Property

TAB = 4


class Indentation(Property):
    """How many spaces the line is indented by, a tab counting as four; within the indentation, how many so far."""

    def values(self, row):
        found, width, leading = [], 0, True
        for c in row:
            if c == "\n":
                width, leading = 0, True
            elif leading and c in " \t":
                width += TAB if c == "\t" else 1
            else:
                leading = False
            found.append(width)
        return found

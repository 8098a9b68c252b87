"""Bracket depth."""

from __future__ import annotations

from helo.inspection.properties.base import Property

OPENS = {")": "(", "]": "[", "}": "{"}


class BracketDepth(Property):
    """How many brackets, ( [ {, are open; a closing one also closes any unclosed ones inside it."""

    kinds = ("text", "tokens")

    def values(self, row):
        found, stack = [], []
        for c in row:
            if c in ("(", "[", "{"):
                stack.append(c)
            elif (opened := OPENS.get(c)) is not None and opened in stack:
                while stack.pop() != opened:
                    pass
            found.append(len(stack))
        return found

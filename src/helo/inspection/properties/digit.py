"""Digit."""

from __future__ import annotations

from helo.inspection.properties.base import Property


class Digit(Property):
    """A digit, or a word that begins with one."""

    kinds = ("text", "tokens")

    def values(self, row):
        return [c[:1].isdigit() for c in row]

"""Capitals."""

from __future__ import annotations

from helo.inspection.properties.base import Property


class Capital(Property):
    """A word that begins with a capital letter."""

    kinds = ("tokens",)

    def values(self, row):
        return [w[:1].isupper() for w in row]

"""Punctuation."""

from __future__ import annotations

import unicodedata

from helo.inspection.properties.base import Property


class Punctuation(Property):
    """A punctuation mark, of any script."""

    kinds = ("text", "tokens")

    def values(self, row):
        known = {c: unicodedata.category(c[0]).startswith("P") for c in set(row) if c}
        return [known.get(c, False) for c in row]

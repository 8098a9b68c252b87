"""Sentence length so far."""

from __future__ import annotations

from helo.inspection.properties.base import Property
from helo.inspection.properties.code import pairs


class SentenceLength(Property):
    """Words of the sentence so far."""

    def values(self, row):
        found, words = [], 0
        for before, c in pairs(row):
            if c in ".!?。！？":
                words = 0
            elif c.isalnum() and not before.isalnum():
                words += 1
            found.append(words)
        return found

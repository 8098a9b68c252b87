"""Place in the phrase."""

from __future__ import annotations

from helo.inspection.properties.base import Property, since


class PlaceInPhrase(Property):
    """Characters since the last punctuation mark or newline; in Chinese verse the position in the line, 1 to 5 or 7."""

    def values(self, row):
        return since(["\n", *row], set("\n,.;:!?，。；：！？、"))[1:]

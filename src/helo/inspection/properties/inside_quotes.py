"""Inside quotes."""

from __future__ import annotations

from helo.inspection.properties.base import Property

MOST = 2_000  # characters: what is not closed by then was no quotation
CLOSES = {"“": "”", "«": "»", "„": "“”", "「": "」", "『": "』", "《": "》"}


class InsideQuotes(Property):
    """Between an opening quotation mark and its closing one: "…", “…”, «…», 「…」; a blank line ends it too."""

    def values(self, row):
        found, closing, since, before = [], "", 0, ""
        for c in row:
            if closing:
                since += 1
                if c in closing or since > MOST or (c == before == "\n"):
                    closing = ""
            elif c in CLOSES or c == '"':
                closing, since = CLOSES.get(c, '"'), 0
            found.append(bool(closing))
            before = c
        return found

"""Inside if (…)."""

from __future__ import annotations

import re

import numpy as np

from helo.inspection.properties.base import Property

IF, MOST = re.compile(r"\b(?:if|while)\s*\("), 1_000


class InsideIf(Property):
    """Between the brackets of an if (…) or a while (…)."""

    def values(self, row):
        found = np.zeros(len(row), bool)
        for start in IF.finditer(row):
            depth = 1
            for at in range(start.end(), min(len(row), start.end() + MOST)):
                depth += {"(": 1, ")": -1}.get(row[at], 0)
                if depth == 0:
                    found[start.end() - 1 : at] = True
                    break
        return found

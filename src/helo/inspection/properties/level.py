"""Level."""

from __future__ import annotations

import numpy as np

from helo.inspection.properties.base import Property

MOST = 8


class Level(Property):
    """The value of the number read, for each of the first features."""

    kinds = ("series",)

    def values(self, row):
        row = np.asarray(row)
        return {str(k + 1): row[:, k] for k in range(min(MOST, row.shape[1]))}

"""The picture itself, 16 by 16 in colour: what moves where, with no network at all."""

from __future__ import annotations

import numpy as np

from helo.encoders.base import Trained


class Thumbnail(Trained):
    """Brightness of each colour from 0 to 1; each of 8 by 8 places has the four points in it."""

    names = ("thumbnail",)
    side, rows, width = 16, 8, 12

    def encode(self, pixels):
        n = len(pixels)
        blocks = (pixels.astype(np.float32) / 255).reshape(n, 8, 2, 8, 2, 3).transpose(0, 1, 3, 2, 4, 5)
        return blocks.reshape(n, self.places, self.width)

"""Pictures in folders, one folder per class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers.base import Reader
from helo.data.readers.photos import SUFFIXES, opened
from helo.errors import place, wrap


class Images(Reader):
    """One picture per example; the name of its folder is its label."""

    SUFFIXES = SUFFIXES
    called = "pictures, one folder per class"
    kinds = ("picture",)

    def read(self, paths, options):
        """Pictures as they are, each `(height, width)`, or with three channels where it has colours; the label is the
        folder's name. Which size and channels a model learns, and brings all others to, is `inputs.pictures`'s.
        """
        found = []
        for path in paths:
            with place(path), wrap(OSError, "cannot be read:"):
                pixels = np.asarray(opened(path.read_bytes(), str(path)))
            grey = bool((pixels == pixels[..., :1]).all())
            found.append(pixels[..., 0].copy() if grey else pixels)
        return Dataset("picture", found, [p.parent.name for p in paths], lambda i, *step: str(paths[i]))


def fitted(picture: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A picture of bytes as `shape`, `(height, width)` or with channels: resized, its colours taken or given."""
    height, width, *channels = shape
    if picture.shape[:2] != (height, width):
        from PIL import Image

        picture = np.asarray(Image.fromarray(picture).resize((width, height)))
    if picture.ndim == 3 and channels in ([], [1]):
        luma = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
        picture = luma.round().astype(np.uint8)
    if picture.ndim == 2 and channels:
        return np.repeat(picture[..., None], channels[0], axis=2)
    return picture

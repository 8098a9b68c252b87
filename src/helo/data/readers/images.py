"""Pictures in folders, a folder a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helo.data.labelled import Labelled
from helo.errors import HeloError, place

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
SIDE = 32  # pictures of unequal sizes are brought to so many pixels a side


def read(paths: list[Path], side: int | None = None) -> Labelled:
    """Pictures `(height, width)`, or with three channels where one has colours; the label is the folder's name.

    side: to which size all are brought; None: as they are if all are of one size, else SIDE.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise HeloError("pictures are read by Pillow", mend="pip install 'helo[images]'") from error
    opened = []
    for path in paths:
        with place(path):
            try:
                with Image.open(path) as picture:
                    opened.append(picture.convert("RGB" if picture.mode not in ("L", "1", "I;16") else "L"))
            except OSError as error:
                raise HeloError(f"not a picture: {error}") from error
    if side is None and len({p.size for p in opened}) > 1:
        side = SIDE
    mode = "RGB" if any(p.mode == "RGB" for p in opened) else "L"
    arrays = [np.asarray((p.resize((side, side)) if side else p).convert(mode)) for p in opened]
    return Labelled("picture", np.stack(arrays), [p.parent.name for p in paths], lambda i, *step: str(paths[i]))

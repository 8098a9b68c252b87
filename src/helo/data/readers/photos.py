"""Photographs in files, folders and tars. They are found by name, read one at a time, and converted to what a viewer
would show.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from helo.data.readers.text import below
from helo.errors import HeloError, place, wrap

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
TARS = (".tar",)
ARCHIVES = (".zip", ".tgz", ".7z", ".rar")


@dataclass(frozen=True)
class Photo:
    """A picture that has not been read yet: a file, or `size` bytes of a tar from `offset` on."""

    name: str  # without its folders
    file: Path
    offset: int | None = None
    size: int = 0
    inside: str = ""  # its name in the tar, with folders

    @property
    def path(self) -> str:
        """With its folders."""
        return self.inside or self.file.as_posix()

    @property
    def place(self) -> str:
        """Where it lies, for errors."""
        return str(self.file) if self.offset is None else f"{self.file}:{self.name}"

    @property
    def digest(self) -> bytes:
        """SHA-256 of its bytes."""
        return hashlib.sha256(self.read()).digest()

    def pixels(self, side: int, fit: str = "squeeze") -> np.ndarray:
        """The picture as a square, `(side, side, 3)` bytes. Raises HeloError where it cannot be read."""
        return pixels(self.read(), self.place, side, fit)

    def read(self) -> bytes:
        """Its bytes. Raises HeloError where they cannot be read."""
        with place(self.place), wrap(OSError, "cannot be read:"):
            if self.offset is None:
                return self.file.read_bytes()
            with self.file.open("rb") as tar:
                tar.seek(self.offset)
                return tar.read(self.size)


def holds(path: Path) -> bool:
    """Whether pictures may lie in it: a folder or a tar."""
    return path.is_dir() or path.suffix.lower() in TARS


def pictured(path: PurePath) -> bool:
    """Whether it is a picture by its name; what macOS leaves beside each, `._NAME`, is none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")


def find(names: Sequence[str | Path]) -> list[Photo]:
    """The pictures of files, folders and tars, those of a folder or tar sorted by name."""
    found: list[Photo] = []
    for path in (Path(os.path.expanduser(n)) for n in names):
        with place(path):
            if path.is_dir():
                inside = below(path)
                several = [Photo(p.name, p) for p in inside if pictured(p)]
                tars = [p for p in inside if p.suffix.lower() in TARS and not p.name.startswith("._")]
                several += [photo for p in tars for photo in _packed(p)]
            elif not path.exists():
                raise HeloError("no such file or folder", expected="pictures")
            elif path.suffix.lower() in TARS:
                several = _packed(path)
            elif path.suffix.lower() in ARCHIVES or path.name.lower().endswith((".tar.gz", ".tar.bz2", ".tar.xz")):
                raise HeloError("a compressed archive", expected="a folder, or an uncompressed .tar", mend="unpack it")
            else:
                found.append(Photo(path.name, path))
                continue
            if not several:
                raise HeloError("no pictures in it", expected=f"files {', '.join(SUFFIXES)}")
            found += several
    return found


class Album:
    """Pictures by the names that captions give them."""

    def __init__(self, photos: Iterable[Photo]):
        self.known: dict[str, list[Photo]] = {}
        for photo in photos:
            self.known.setdefault(photo.name, []).append(photo)

    def named(self, name: str) -> list[Photo]:
        """Those that a name can mean: one, unless several folders have one of that name and it does not say which."""
        found = self.known.get(PurePosixPath(name).name, [])
        if len(found) > 1:
            found = [p for p in found if f"/{p.path}".endswith(f"/{name}")] or found
        if len(found) > 1 and len({p.digest for p in found}) == 1:
            found = found[:1]  # the same picture, twice
        return found


def _packed(path: Path) -> list[Photo]:
    with (
        wrap(
            (tarfile.TarError, OSError, EOFError),
            "not a complete tar file:",
            expected="an uncompressed .tar of pictures",
        ),
        tarfile.open(path, "r:") as tar,
    ):
        members = [m for m in tar if m.isfile() and pictured(PurePosixPath(m.name))]
    return sorted(
        (Photo(Path(m.name).name, path, m.offset_data, m.size, m.name) for m in members), key=lambda p: p.name
    )


def opened(data: bytes, where: str, side: int | None = None) -> Image:
    """A picture in RGB, turned as its EXIF says, transparency on white. side: about so many pixels are needed, so a
    large JPEG may be read smaller. Raises HeloError, with the place, for what is no whole picture.
    """
    with wrap(ImportError, "reading pictures needs Pillow", mend="pip install 'helo[images]'"):
        from PIL import Image, ImageOps
    with place(where), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures, and of odd EXIF
        try:
            picture = Image.open(io.BytesIO(data))
            if side is not None:
                picture.draft("RGB", (2 * side, 2 * side))
            picture.load()
            picture = ImageOps.exif_transpose(picture)
        except Image.DecompressionBombError as error:
            raise HeloError(
                "too many pixels", expected="a picture of at most 178 million", mend="scale it down"
            ) from error
        except Exception as error:  # Pillow's plugins raise many kinds for damage
            said = "cannot identify image file" if "cannot identify" in str(error) else str(error)
            raise HeloError(
                f"not a complete picture: {said}", expected="JPEG, PNG or another format that Pillow reads"
            ) from error
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        elif picture.mode.startswith(
            ("I", "F")
        ):  # 16 bits per pixel and more: from black, or what is less, to its brightest
            values = np.asarray(picture, np.float64)
            if not np.isfinite(values).all():
                raise HeloError("NaN or infinity among its pixels", expected="finite numbers")
            values = values - min(0.0, values.min())
            picture = Image.fromarray((values / (values.max() or 1.0) * 255).astype(np.uint8))
        return picture.convert("RGB")


def pixels(data: bytes, where: str, side: int, fit: str = "squeeze") -> np.ndarray:
    """A whole picture as a square, `(side, side, 3)` bytes."""
    return squared(opened(data, where, side), side, fit)


def squared(picture: Image, side: int, fit: str = "squeeze") -> np.ndarray:
    """A picture in RGB as a square, `(side, side, 3)` bytes. fit: squeeze, all of it, or crop, the square in its middle."""
    from PIL.Image import Resampling

    box = middle(picture.size) if fit == "crop" else None
    if picture.size != (side, side):
        picture = picture.resize((side, side), Resampling.BICUBIC, box)
    return np.array(picture)


def middle(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest square in the middle of a picture: left, top, right, bottom."""
    short = min(size)
    left, top = ((n - short) // 2 for n in size)
    return left, top, left + short, top + short

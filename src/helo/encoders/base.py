"""The contract of an image encoder, written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from helo.cells.functions import Array


class Encoder(ABC):
    """From pictures of `side` pixels to `places` vectors of `width` numbers, from top left to bottom right in `rows` rows."""

    names: ClassVar[tuple[str, ...]] = ()
    suffix: ClassVar[str] = ""  # of a file that holds such a network

    side: int
    width: int
    rows: int
    fit: str = "squeeze"  # how a picture becomes a square: squeezed, or crop, the square in its middle

    def __init__(self, name: str):
        self.name = name

    @property
    def places(self) -> int:
        """Regions of a picture."""
        return self.rows * self.rows

    @property
    def identity(self) -> str:
        """What tells features of this network from those of any other."""
        return self.name


class Trained(Encoder):
    """A network that others have trained, or that has nothing to learn: its features are computed once and kept."""

    @abstractmethod
    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """pixels `(pictures, side, side, 3)` as bytes: `(pictures, places, width)` float32."""


class Learned(Encoder):
    """A network that is a part of the model; one that is `Trained` too is so only where it is fine-tuned."""

    @abstractmethod
    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Parameters to learn from, as they are at first."""

    @abstractmethod
    def forward(self, parameters: Mapping[str, Array], pixels: Array) -> Array:
        """pixels `(pictures, side, side, 3)` from 0 to 255, any number type: `(pictures, places, width)`."""

"""The contract of a property, written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from helo import registry

Values = Sequence[Any] | np.ndarray


class Property(ABC):
    """Something that can be computed from what a model reads, and that a unit may track.

    Each value stands for what is so after its step was read: behind an opening quote the text is inside quotes, and a newline
    is at place 0 of the line that it begins. A class's docstring is what pages say of it: one line.
    """

    #: What it is read off: "text", a string, a value a character; "tokens", a list of words; "series", numbers
    #: `(time, features)`; "labels", a list of one label a step. Words and characters can often be read alike.
    kinds: ClassVar[tuple[str, ...]] = ("text",)
    #: Its name; by default that of its file.
    name: str | None = None

    def __init_subclass__(cls, **more: Any):
        """Raises TypeError for kinds in another form."""
        super().__init_subclass__(**more)
        registry.texts(cls, "kinds")

    @abstractmethod
    def values(self, row: Any) -> Values | Mapping[str, Values]:
        """A value a character or step of a row: a flag, True or 1 where it is so, or a number; nan where it is not defined.
        Or several properties, by what tells them apart.
        """


def since(row: Sequence[Any], marks: Any) -> list[float]:
    """How many characters or steps ago one of the marks stood; nan before the first. marks: whatever `in` takes."""
    found, last = [], float("nan")
    for c in row:
        last = 0.0 if c in marks else last + 1
        found.append(last)
    return found

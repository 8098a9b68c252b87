"""How lines are laid out, none wider than a terminal of 80: columns of numbers, names that take more or less room, paragraphs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

import numpy as np

from helo.hello.base import JOINERS

Paint = Callable[[str, str], str]  # (text, role) -> text; roles: heading, faint, right


def plain(text: str, role: str) -> str:
    """No colours."""
    return text


def heading(text: str, paint: Paint) -> Iterator[str]:
    yield ""
    yield paint(text, "heading")
    yield ""


def row(values: np.ndarray, digits: int = 1) -> str:
    """Numbers in columns of 6; z, so that no zero has a sign."""
    return "".join(f"{value:z6.{digits}f}" for value in values)


def vector(values: np.ndarray, digits: int = 0) -> str:
    return "[" + " ".join(f"{value:z.{digits}f}" for value in values) + "]"


def width(text: str) -> int:
    """Columns that a text takes on a terminal: marks none, wide letters two."""
    marks = sum(unicodedata.category(c)[0] == "M" or c in JOINERS for c in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(c) in "WF" for c in text)


def left(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def right(text: str, columns: int) -> str:
    return " " * (columns - width(text)) + text


def wrapped(text: str, most: int = 76) -> Iterator[str]:
    """A paragraph, broken between words."""
    line, *words = text.split(" ")
    for word in words:
        if width(line) + 1 + width(word) > most:
            yield f"  {line}"
            line = word
        else:
            line += f" {word}"
    yield f"  {line}"

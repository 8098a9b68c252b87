"""Comments and strings of source code: in the manner of C, of Python, or of LaTeX, whichever a text looks like."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

import numpy as np

_LIKE = {
    "c": re.compile(r"/\*|^\s*//", re.M),
    "python": re.compile(r"^\s*#(?!\s*(?:define|include|if|ifdef|ifndef|else|elif|endif|undef|pragma|error)\b)|^\s*(?:def|import|from|class) ", re.M),
    "latex": re.compile(r"\\(?:begin|section|documentclass)\{|^%", re.M),
}  # fmt: skip
_STRING = r'(?P<string>"(?:[^"\\\n]|\\.)*"?|\'(?:[^\'\\\n]|\\.)*\'?)'
_PARTS = {
    "c": re.compile(r"(?P<comment>/\*.*?(?:\*/|\Z)|//[^\n]*)|" + _STRING, re.S),
    "python": re.compile(r"(?P<long>(?P<marks>\"\"\"|''').*?(?:(?P=marks)|\Z))|(?P<comment>#[^\n]*)|" + _STRING, re.S),
    "latex": re.compile(r"(?<!\\)(?P<comment>%[^\n]*)"),
}


def language(text: str) -> str | None:
    """What a text looks like; None where it is no source code: fewer than one sign of it in 2,000 characters."""
    counts = {name: sum(1 for _ in sign.finditer(text)) for name, sign in _LIKE.items()}
    best = max(counts, key=lambda n: counts[n])
    return best if counts[best] > len(text) / 2000 else None


@lru_cache(maxsize=4)
def inside(text: str) -> dict[str, np.ndarray]:
    """Flags a character: "comment" and "string", so that what comes next is inside one. Empty where it is no code."""
    like = language(text)
    if like is None:
        return {}
    found = {"comment": np.zeros(len(text), bool), "string": np.zeros(len(text), bool)}
    for part in _PARTS[like].finditer(text):
        a, b = part.span()
        said = part[0]
        if part.lastgroup == "comment" or part.groupdict().get("comment"):
            opening, closed = (2, said.endswith("*/")) if like == "c" else (1, False)
            found["comment"][a + opening - 1 : b - closed] = True
        else:
            marks = 3 if part.groupdict().get("long") else 1
            closed = len(said) >= 2 * marks and said.endswith(said[:marks])
            found["string"][a + marks - 1 : b - closed] = True
    return found


def pairs(text: str) -> list[tuple[str, str]]:
    """Each character with the one before it."""
    return [("", text[0]), *pairwise(text)] if text else []

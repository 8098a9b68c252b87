"""The features of an example, which an answer may rest on: words, symbols, turns, steps of numbers, pixels; and the baseline
that each is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helo.data.dataset import Dataset
from helo.data.vocab import Vocab
from helo.errors import HeloError
from helo.inputs.dialogue import Dialogue
from helo.inputs.mixed import Mixed
from helo.inputs.pictures import Pictures
from helo.inputs.symbols import Symbols
from helo.inputs.vectors import Vectors
from helo.inputs.words import Words, tokens
from helo.runs.run import Run

APART = 16  # numbers of a step that are features of their own; of more a step is one
MASKED = 64  # windows of a long series, or patches of a picture, that are masked in turn


def features_of(task: Any, x: Any, vectors: np.ndarray, examples: Dataset) -> dict[str, Any]:
    """The features of one example, as `Request` and `Forward` have them. vectors: its own, `(time, width)` or `(width,)`."""
    form, n = task.form, len(vectors)
    if isinstance(form, Words | Symbols):
        if isinstance(form, Words):
            words = tokens(x) if isinstance(x, str) else list(x)
        else:
            words = texts_of(form.vocab, form.encode(Dataset("text", [x], None, examples.place)).sequences[0])
        gaps = [" "] * n if not isinstance(x, str) else _gaps(x, words) if isinstance(form, Words) else [""] * n
        return {"kind": "text", "features": words, "gaps": gaps, "feature_mask": [np.arange(n)[:, None]]}
    if isinstance(form, Dialogue):
        turns = [f"{who}: {text}" if who else text for who, text in x]
        return {"kind": "text", "features": turns, "gaps": ["\n"] * n, "feature_mask": [np.arange(n)[:, None]]}
    if isinstance(form, Pictures):
        height, width = form.shape[:2]
        pixels = np.arange(height * width)
        down, right = (max(1, -(-side // round(MASKED**0.5))) for side in (height, width))
        rows, columns = pixels // width // down, pixels % width // right
        across = -(-width // right)
        names = [f"row {i // width + 1}, column {i % width + 1}" for i in pixels]
        patches = [
            f"rows {a * down + 1} to {min(height, (a + 1) * down)}, columns {b * right + 1} to {min(width, (b + 1) * right)}"
            for a in range(-(-height // down))
            for b in range(across)
        ]
        mask, patch_mask = (
            np.repeat(o, vectors.size // len(pixels)).reshape(vectors.shape) for o in (pixels, rows * across + columns)
        )
        x = np.asarray(x)
        if x.shape != form.shape:
            from helo.data.readers.images import fitted

            x = fitted(x, form.shape)
        return {
            "kind": "picture", "features": names, "patches": patches, "feature_mask": [mask], "patch_mask": [patch_mask],
            "shape": (height, width), "display": x,
        }  # fmt: skip
    if isinstance(form, Vectors):
        names, x = form.columns, np.asarray(x)[None]
        return {
            "kind": "numbers", "features": names, "feature_mask": [form.owners()], "shape": (1, len(names)), "display": x
        }  # fmt: skip
    mixed = isinstance(form, Mixed)
    width = len(form.columns if mixed else form.mean)
    names = list((form.columns if mixed else form.names) or [f"feature {i + 1}" for i in range(width)])
    # A missing value has a number of its own, behind all others.
    column = form.owners() if mixed else np.arange(vectors.shape[-1]) % width
    if width > APART:
        names, width, column = [""], 1, np.zeros_like(column)
    steps, by, x, length = np.arange(n)[:, None], 1, np.asarray(x), len(x)
    if not mixed and form.views is not None and (by := form.views.by) > 1:
        x = vectors[:, : len(form.mean)] * form.std + form.mean

    def span(a: int, b: int, to: str = " to ") -> str:
        """Some of the n steps as those of the series."""
        first, last = a * by + 1, min(length, b * by)
        return f"step {first}" if first == last else f"steps {first}{to}{last}"

    features = [f"{span(t, t + 1, '–')} {name if width > 1 else ''}".rstrip() for t in range(n) for name in names]
    size = -(-n // MASKED)
    patches = [span(a, min(n, a + size)) for a in range(0, n, size)]
    return {
        "kind": "series", "features": features, "patches": patches, "feature_mask": [steps * width + column],
        "patch_mask": [steps // size], "shape": (n, width), "display": form.drawn(x, examples) if mixed else x,
    }  # fmt: skip


def _gaps(text: str, words: Sequence[str]) -> list[str]:
    """What stands before each word of a text."""
    import unicodedata

    text, at, gaps = unicodedata.normalize("NFC", text), 0, []
    for word in words:
        start = text.index(word, at)
        gaps.append(text[at:start])
        at = start + len(word)
    return gaps


def texts_of(vocab: Vocab, ids: Any) -> list[str]:
    return [vocab.decode([int(i)]).decode(errors="backslashreplace") for i in ids]


def baseline_of(run: Run, form: Any, vectors: np.ndarray, name: str) -> np.ndarray:
    """What the vectors of an example are compared with."""
    table = run.parameters.get("input.embedding")
    if name == "zero":
        return np.zeros(())
    if table is None:
        raise HeloError(
            f"{name}, without word vectors", expected="zero, which is the mean of training", where="--baseline"
        )
    if name == "unknown" and not isinstance(form, Words) and 0 not in form.vocab.silent:
        raise HeloError("unknown, with a model that has no unknown symbol", expected="zero or mean", where="--baseline")
    row = table[0] if name == "unknown" else table.mean(0)
    return np.concatenate(
        [row, np.zeros(vectors.shape[-1] - len(row))]
    )  # of letters that are not there nothing is said


def words_of(spelled: Sequence[str], units: str) -> tuple[np.ndarray, list[str], list[str]]:
    """Symbols that are parts of words as whole words: which word each belongs to, the words, and what stands before each."""
    owners, words, gaps = [], [], []
    for piece in spelled:
        bare = piece.strip()
        joins = bool(words) and not words[-1]  # what came before was blank
        if units in ("subwords", "words") and not joins and words:
            joins = piece[:1] == bare[:1] and words[-1][-1].isalnum() and bare[:1].isalnum()
        if not joins:
            words.append("")
            gaps.append("")
        if not words[-1]:
            gaps[-1] += piece[: len(piece) - len(piece.lstrip())]
        words[-1] += bare
        owners.append(len(words) - 1)
    pairs = list(zip(words, gaps, strict=True))
    return np.array(owners), [w or g for w, g in pairs], [g if w else "" for w, g in pairs]

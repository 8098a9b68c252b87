"""Labels that mark spans: IOB1, IOB2, BIOES (Ramshaw and Marcus 1995; Tjong Kim Sang and Veenstra 1999).

IOB2: a span begins with B- and goes on with I-.       IOB1: it begins with I-, with B- only right after one of its type.
BIOES: B- begins, I- goes on, E- ends, S- stands alone. O is outside in all three. Where all spans are of one type that
has no name, the labels are B, I, E, S alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from helo.errors import HeloError

Span = tuple[int, int, str]  # start, one behind the end, type
_TYPED, _BARE = re.compile(r"O|[BIES]-.+"), re.compile(r"[BIESO]")
SCHEMES = ("IOB2", "IOB1", "BIOES")


def marks(labels: Sequence[Sequence[str]]) -> bool:
    """Whether labels mark spans: most that are not O begin with B-, I-, E-, S-; or all are B, I, E, S, O, with B and I."""
    counts = Counter(y for sentence in labels for y in sentence)
    del counts["O"]
    typed = sum(n for y, n in counts.items() if _TYPED.fullmatch(y))
    return 2 * typed > counts.total() or (all(map(_BARE.fullmatch, counts)) and {"B", "I"} <= counts.keys())


def scheme(labels: Sequence[Sequence[str]], place: Callable[..., str]) -> str:
    """The one scheme that all sentences follow. Raises HeloError, with the place of the first label that breaks it."""
    distinct = {y for sentence in labels for y in sentence}
    bare = all(map(_BARE.fullmatch, distinct))
    if strange := {y for y in distinct if not (bare or _TYPED.fullmatch(y))}:
        i, t = next((i, t) for i, sentence in enumerate(labels) for t, y in enumerate(sentence) if y in strange)
        raise HeloError(f"the label {labels[i][t]!r} marks no span", expected="O, or B- or I- and a type, like most labels",
                        mend="correct the label", where=place(i, t))  # fmt: skip
    tried = ("BIOES",) if {y[0] for y in distinct} & {"E", "S"} else ("IOB2", "IOB1")
    faults = {name: list(_faults(labels, name)) for name in tried}
    name = min(tried, key=lambda n: len(faults[n]))
    if not faults[name]:
        return name
    i, t, why = faults[name][0]
    raise HeloError(
        f"the label {labels[i][t]!r} {why}", expected=f"one scheme throughout: {', '.join(SCHEMES)}; most of it is {name}",
        mend="correct the label, or convert the file", where=place(i, t),
    )  # fmt: skip


def _faults(labels: Sequence[Sequence[str]], name: str) -> Iterator[tuple[int, int, str]]:
    """The labels that break a scheme: (sentence, step, why)."""
    for i, sentence in enumerate(labels):
        before = "O"
        for t, label in enumerate(sentence):
            kind, same = label[:1], before[2:] == label[2:] and before != "O"
            after = sentence[t + 1] if t + 1 < len(sentence) else "O"
            if name == "IOB2" and kind == "I" and not same:
                yield i, t, _orphan(before, t)
            if name == "IOB1" and kind == "B" and not same:
                yield i, t, f"begins a span after {before!r}, where IOB1 writes I-"
            if name == "BIOES":
                open_before = before[:1] in "BI"
                if kind in "IE" and not (same and open_before):
                    yield i, t, _orphan(before, t)
                if kind in "OBS" and open_before:
                    yield i, t, f"follows {before!r}, whose span has not ended"
                if kind in "BI" and not (after[:1] in "IE" and after[2:] == label[2:]):
                    yield i, t, f"is followed by {after!r}, and its span does not end"
            before = label


def _orphan(before: str, t: int) -> str:
    """What is wrong with a label at a step that continues a span that has not begun."""
    return (
        f"continues a span that {before!r} did not begin"
        if t
        else "continues a span, and it is the first of its sentence"
    )


def as_label(mark: str, kind: str) -> str:
    """`B-PER`; `B` where types have no name."""
    return f"{mark}-{kind}" if kind else mark


def spans(labels: Sequence[str]) -> list[Span]:
    """The spans that labels mark, read leniently, as conlleval and seqeval do: whatever cannot go on begins anew."""
    out: list[Span] = []
    start, kind = 0, None
    for t, label in enumerate([*labels, "O"]):
        mark, own = label[:1], label[2:] if label != "O" else None
        ended = mark in "OBS" or own != kind or (t > 0 and labels[t - 1][:1] in "ES")
        if kind is not None and ended:
            out.append((start, t, kind))
            kind = None
        if own is not None and kind is None:
            start, kind = t, own
    return out


def written(found: Sequence[Span], length: int, name: str = "IOB2") -> list[str]:
    """Labels that mark spans, in a scheme."""
    labels = ["O"] * length
    for start, stop, kind in sorted(found):
        labels[start:stop] = [as_label("I", kind)] * (stop - start)
        touches = start > 0 and labels[start - 1] in (as_label("I", kind), as_label("B", kind))
        if name != "IOB1" or touches:
            labels[start] = as_label("B", kind)
        if name == "BIOES":
            labels[stop - 1] = as_label("S" if stop - start == 1 else "E", kind)
    return labels


def types(labels: Iterable[str]) -> list[str]:
    """The types of the spans that labels mark."""
    return sorted({y[2:] for y in labels if y != "O"})


def iob2_labels(kinds: Iterable[str]) -> list[str]:
    """The labels of spans of some types."""
    return ["O", *(as_label(mark, kind) for kind in kinds for mark in "BI")]


def iob2(labels: Sequence[Sequence[str]], marked: str | None) -> Sequence[Sequence[str]]:
    """Labels as the model knows them: those that mark spans in IOB2."""
    return labels if marked is None else [written(spans(y), len(y)) for y in labels]

"""What to learn from and what to validate on, where no files are given for it: a tenth of the examples is held out, or, of few
examples, each part in turn (cross-validation).

random          drawn by chance, always the same
stratified      so that every label keeps examples to learn from
group           whole groups: all examples of a patient, an author, a file are on one side
chronological   the last in time; an example that begins before them and ends among them is on neither side
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers.columns import moment
from helo.errors import HeloError

Split = Literal["random", "stratified", "group", "chronological"]
SAID: Mapping[str, str] = {  # in run.json and for people
    "random": "10 % of the examples, at random",
    "stratified": "10 % of the examples, at random; every label keeps training examples",
    "group": "10 % of the groups, at random",
    "chronological": "the last 10 % of the examples in time",
}


def split(
    examples: Dataset, how: str, by: str | None = None, labels: Sequence[Iterable[str]] = (), least: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Which examples to learn from, and which to validate on. by: the column of the groups, or of the times; without one a
    group is a file, and the order is that of the files. labels: of each example, of each of which `least` examples are kept
    to learn from, but in a split by chance or time. Raises HeloError for examples that do not have what they are split by.
    """
    if by is not None and (examples.split_by is None or how not in ("group", "chronological")):
        found = f"no column {by!r}" if examples.split_by is None else f"--split-by {by} with a {how} split"
        raise HeloError(found, expected="a column of a table, for --split group or chronological", where="--split-by")
    if how == "chronological":
        return _chronological(examples, by)
    if how != "group":
        return held_out(len(examples), labels if how == "stratified" else (), least)
    rows: dict[Any, list[int]] = {}
    for i, group in enumerate(groups(examples)):
        rows.setdefault(group, []).append(i)
    if len(rows) < 2:
        raise HeloError(
            "one group", expected="two or more", mend="choose their column with --split-by", where="--split group"
        )
    members = list(rows.values())
    counts = [Counter(y for i in rows for y in labels[i]) for rows in members] if labels else ()
    return cast(Any, tuple(
        np.array(sorted(i for g in half for i in members[g]), np.int64) for half in held_out(len(members), counts, least)
    ))  # fmt: skip


def held_out(count: int, labels: Sequence[Iterable[str]] = (), least: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which examples to learn from and which to validate on: a tenth, drawn by chance but always the same, since files are
    often sorted by label. labels: those of each example; one is passed over that would leave fewer than `least` of one of
    its labels to learn from, so that there may be less than a tenth, or none.
    """
    own = [Counter(y) for y in labels]
    left = sum(own, Counter())
    held, size = np.zeros(count, bool), min(count - 1, max(1, round(count * 0.1)))
    for row in np.random.default_rng(0).permutation(count):
        if size and all(left[y] - n >= least for y, n in (own[row].items() if own else ())):
            held[row] = True
            left.subtract(own[row] if own else ())
            size -= 1
    return np.flatnonzero(~held), np.flatnonzero(held)


def folds(
    examples: Dataset, count: int, how: str, by: str | None = None, labels: Sequence[Iterable[str]] = ()
) -> list[int]:
    """Of each example the part of a cross-validation that it is in, 0 to count - 1, always the same. how, by, labels: as for
    `split`, where each example has one label. Raises HeloError where there are fewer examples, or groups, than parts.
    """
    members: dict[Any, list[int]] = {}
    for i, group in enumerate(groups(examples) if how == "group" else range(len(examples))):
        members.setdefault(group, []).append(i)
    rows = list(members.values())
    if len(rows) < count:
        raise HeloError(f"{len(rows)} {'groups' if how == 'group' else 'examples'} for {count} folds",
                        expected=f"{count} or more", mend="fewer --folds", where=examples.place(0))  # fmt: skip
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    if how == "stratified":  # dealt out label by label, so that each part has about as many of each
        order.sort(key=lambda g: sorted(labels[rows[g][0]]))
    found = [0] * len(examples)
    for turn, g in enumerate(order):
        for i in rows[g]:
            found[i] = turn % count
    return found


def groups(examples: Dataset) -> list[str]:
    """The group of each example: what its rows have in the column, or the file that it comes from."""
    if examples.split_by is None:
        files = sorted((f for r in examples.notes.get("readers", ()) for f in r["files"]), key=len, reverse=True)
        places = [examples.place(i) for i in range(len(examples))]
        return [next((f for f in files if place.startswith(f)), place) for place in places]
    for i, values in enumerate(examples.split_by):
        if len(set(map(str, values))) != 1:
            raise HeloError(f"an example of the groups {', '.join(sorted(set(map(str, values)))[:3])}", expected="one",
                            where=examples.place(i))  # fmt: skip
    return [str(values[0]) for values in examples.split_by]


def _chronological(examples: Dataset, by: str | None) -> tuple[np.ndarray, np.ndarray]:
    if examples.split_by is None:
        first = last = np.arange(len(examples), dtype=np.float64)
    else:
        times = [[moment(v, by or "", examples.place(i)) for v in values] for i, values in enumerate(examples.split_by)]
        first, last = (np.array([end(t) for t in times]) for end in (min, max))
    cut = np.sort(first)[-max(1, round(len(first) * 0.1))]
    learn, check = np.flatnonzero(last < cut), np.flatnonzero(first >= cut)
    if not len(learn):
        raise HeloError("no example that ends before the last tenth begins", expected="examples for training",
                        mend="--valid FILES", where="--split chronological")  # fmt: skip
    return learn, check

"""Captions with their pictures, as examples: which files hold what, where pictures are looked for by
name, and which pictures are used for training.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from helo import progress
from helo.data import dataset, splits
from helo.data.dataset import Dataset
from helo.data.readers import captions, photos
from helo.data.readers import files as reading
from helo.data.readers.base import Reader
from helo.data.readers.captions import Captioned
from helo.data.readers.columns import carried
from helo.data.readers.photos import Photo
from helo.data.readers.table import Table, joined
from helo.errors import HeloError, fault, warn

TEXTS = (".txt", ".token", ".tsv", ".csv", ".json")
LISTS = ("train_list", "valid_list")
BESIDE = ("left_out", "without_captions")  # notes of pictures that are no examples


class Captions(Reader):
    """Files of captions, and folders or tars with their pictures."""

    SUFFIXES = TEXTS
    called = "captions, and folders or tars of pictures"
    labels = ("picture",)
    kinds = ("photo",)
    columns = ("images", *LISTS, "skip_bad")
    folders = True
    tables = True

    def sniff(self, path):
        return "pictures" if photos.holds(path) or reading.suffix(path) not in TEXTS else "captions"

    def read(self, paths, options):
        found, files = read(paths, options, options.labelled)
        found.files = files
        return found


def read(names: Sequence[str | Path | Table], options: Any, must: bool = True) -> tuple[Dataset, list[Any]]:
    """The pictures of all captions in files, and those files. If no file has captions: pictures without any, unless
    captions are required, to score answers on the test split or, without one, on val (`notes["split"]`).
    """
    if not must and names and all(isinstance(n, Table) for n in names):
        return _asked(joined([n for n in names if isinstance(n, Table)]), options), []
    texts, holding = _texts(names) if must else _parted(names)
    if not texts:
        found = photos.find(holding)
        return _labelled(found, None, [p.place for p in found], options), []
    entries, split = captions.read(texts), None
    if _lists(options):
        mine, others = _listed(entries, options)
        entries = others if options.valid_list else mine
    elif must:
        entries, split = _first(entries, "test", "val")
    examples = _found(entries, _places(holding, options), options)
    examples.notes["split"] = split
    return examples, texts


def _asked(rows: Table, options: Any) -> Dataset:
    """The pictures that the rows of a table name, one a row."""
    names = captions.pictured(rows)
    entries = [Captioned(name, [""], where, given=True) for name, where in zip(names, rows.places, strict=True)]
    found = _found(entries, _places([], options), options)
    columns = carried(rows)
    if len(found) < len(rows):
        kept = {found.place(i) for i in range(len(found))}
        columns = {n: [v for v, w in zip(c, rows.places, strict=True) if w in kept] for n, c in columns.items()}
    return replace(found, labels=None, columns=columns)


def checked(names: Sequence[str | Path], options: Any) -> tuple[Dataset, list[Any]]:
    """The same of those pictures alone that lists name, where there are lists."""
    texts, holding = _texts(names)
    entries = captions.read(texts)
    if any(_lists(options)):
        entries = [c for half in _listed(entries, options) for c in half]
    return _found(entries, _places(holding, options), options), texts


def split(
    names: Sequence[str | Path | Table], valid: Sequence[str | Path | Table], options: Any
) -> tuple[Dataset, Dataset, dict[str, Any]]:
    """What to learn from, what to validate on, and the record by which both are found again. Raises HeloError for a
    picture that would be in both.
    """
    texts, holding = _texts(names)
    entries = captions.read(texts)
    places = _places(holding, options)
    lists = _lists(options)
    record: dict[str, Any] = {
        "train": _named([*texts, *holding]),
        "fingerprint": {"train": _fingerprint([*texts, *lists.values()])},
    }
    if lists:
        mine, others = _listed(entries, options)
        named = Path(options.valid_list).name if options.valid_list else "those that are not listed"
        record["valid"] = f"pictures of the captions: {named}"
    else:
        mine, others = _learnable(entries), [c for c in entries if c.split == "val"]
        record["valid"] = (
            "pictures of the captions: the val split" if others else splits.SAID[options.split or "random"]
        )
    if valid:
        if options.valid_list:
            raise HeloError("both --valid and --valid-list", expected="one of them")
        texts, more = _parted(valid)
        if not texts:
            raise HeloError("pictures without captions", expected="a file of captions", where="--valid")
        record["valid"] = _named([*texts, *more])
        record["fingerprint"]["valid"] = _fingerprint(texts)
        others, _ = _first(captions.read(texts), "val", "test")
        learn, check = _found(mine, places, options), _found(others, [*more, *places], options)
    elif mine and others:
        if options.split is not None:
            raise HeloError(f"--split {options.split} with captions that name their own split", expected="no --split")
        learn, check = (_found(half, places, options) for half in (mine, others))
    elif lists:
        flag = "--valid-list" if mine else "--train-list"
        raise HeloError("no pictures are left for it", expected="some", mend=f"name them with {flag}", where=flag)
    else:
        everything = _found(mine, places, options)
        if len(everything) < 2:
            raise HeloError("one picture", expected="more, or --valid FILES", where=", ".join(map(str, names)))
        learn, check = (everything.take(rows) for rows in splits.split(everything, options.split or "random"))
    both = {_lies(p) for p in learn.inputs}
    for i, photo in enumerate(check.inputs):
        if _lies(photo) in both:
            fault(_twice(photo.name, check.place(i)))
    for note in BESIDE:
        if several := [*learn.notes.get(note, ()), *check.notes.get(note, ())]:
            record[note] = list(dict.fromkeys(several))
    return learn, check, record


def _first(entries: list[Captioned], *splits: str) -> tuple[list[Captioned], str | None]:
    """The first of some splits that is there; all pictures where none is."""
    for split in splits:
        if found := [c for c in entries if c.split == split]:
            return found, split
    return entries, None


def _learnable(entries: list[Captioned]) -> list[Captioned]:
    """The split train, where the files tell; of test nothing is ever learned."""
    found = [c for c in entries if c.split in (None, "train")] or [c for c in entries if c.split != "test"]
    if entries and not found:
        raise HeloError("only pictures of the test split", expected="pictures for training", where=entries[0].place)
    return found


def _lists(options: Any) -> dict[str, Path]:
    return {n: Path(v) for n in LISTS if (v := getattr(options, n))}


def _listed(entries: list[Captioned], options: Any) -> tuple[list[Captioned], list[Captioned]]:
    """Two halves by lists; where there is one list, the other half is what it does not name. Either may be empty."""
    entries = [c for c in entries if c.sentences]
    known: dict[str, list[Captioned]] = {}
    for c in entries:
        known.setdefault(PurePosixPath(c.name).name, []).append(c)
    found: dict[str, dict[str, Captioned]] = {}
    for which, path in _lists(options).items():
        found[which] = {}
        for number, name in captions.listed(path):
            several = [c for c in known.get(PurePosixPath(name).name, ()) if _fits(c.name, name)]
            try:
                found[which] |= {c.name: c for c in [_one(name, several, which, found)]}
            except HeloError as error:
                error.where = f"{path}:{number}"
                fault(error)
    rest = [c for c in entries if c.split != "test" and not any(c.name in half for half in found.values())]
    mine, others = (list(found[which].values()) if which in found else None for which in LISTS)
    return _learnable(rest) if mine is None else mine, rest if others is None else others


def _one(name: str, several: list[Captioned], which: str, found: dict[str, dict[str, Captioned]]) -> Captioned:
    """The captions that a line of a list means."""
    if not several:
        raise HeloError(f"no captions of {name}", expected="captions of every listed picture",
                        mend="remove it from the list, or write captions")  # fmt: skip
    if len(several) > 1:
        raise HeloError(f"{name}, the name of both {several[0].name} and {several[1].name}", expected="one picture",
                        mend="name its folder too")  # fmt: skip
    if which == "train_list" and several[0].split == "test":
        raise HeloError(f"{name}, which is in the test split of the captions", expected="pictures for training")
    if which == "valid_list" and several[0].name in found.get("train_list", ()):
        raise _twice(name, "")
    return several[0]


def _fits(a: str, b: str) -> bool:
    """Whether two names can mean one picture: the same, but for folders that one of them leaves out."""
    a, b = f"/{a}", f"/{b}"
    return a.endswith(b) or b.endswith(a)


def _lies(photo: Photo) -> tuple[Path, int | None]:
    return photo.file.absolute(), photo.offset


def _twice(name: str, where: str) -> HeloError:
    return HeloError(f"{name} is in both training and validation", expected="one of them",
                     mend="remove it from one", where=where)  # fmt: skip


def _found(entries: Sequence[Captioned], places: Sequence[str | Path], options: Any) -> Dataset:
    """Captions with their pictures."""
    known = photos.Album(photos.find(list(places))) if places else None
    found, kept, left = [], [], []
    for c in entries:
        if not c.sentences:
            continue
        beside = Path(c.place.rpartition(":")[0]).parent / c.name
        if c.given and os.path.exists(c.name):
            several = [Photo(Path(c.name).name, Path(c.name))]
        else:
            several = known.named(c.name) if known is not None else [Photo(c.name, beside)] if beside.exists() else []
        if len(several) == 1:
            found.append(several[0])
            kept.append(c)
            continue
        where = ", ".join(map(str, places)) or str(beside.parent)
        many = f", {several[0].place} and {several[1].place} among them" if several else ""
        error = HeloError(f"a caption for {c.name}, but {len(several) or 'none'} of that name in {where}{many}",
                          expected="one picture of that name", where=c.place,
                          mend="name the folder or tar that has it" + ("" if several else ", or --skip-bad"))  # fmt: skip
        if options.skip_bad and not several:
            left.append(error)
        else:
            fault(error)
    examples = _labelled(found, [c.sentences for c in kept], [c.place for c in kept], options, left)
    examples.notes["without_captions"] = [c.name for c in entries if not c.sentences]
    examples.notes["images"] = tuple(str(Path(p).absolute()) for p in places)
    return examples


def _named(sources: Sequence[Path | Table]) -> list[str]:
    """Files as a run records them; what is given in Python has no name."""
    return [str(s.absolute()) for s in sources if isinstance(s, Path)]


def _fingerprint(sources: Sequence[Path | Table]) -> str:
    tables = [s for s in sources if isinstance(s, Table)]
    found = dataset.fingerprint([s for s in sources if isinstance(s, Path)])
    if not tables:
        return found
    said = [found, *([list(t.columns), list(map(repr, t.columns.values()))] for t in tables)]
    return hashlib.sha256(repr(said).encode(errors="backslashreplace")).hexdigest()[:16]


def _texts(names: Sequence[str | Path | Table]) -> tuple[list[Path | Table], list[Path]]:
    texts, holding = _parted(names)
    if not texts:
        raise HeloError("no captions", expected="a file of pictures and sentences", where=", ".join(map(str, names)))
    return texts, holding


def _parted(names: Sequence[str | Path | Table]) -> tuple[list[Path | Table], list[Path]]:
    """Files and tables of captions, and where pictures lie."""
    texts: list[Path | Table] = [n for n in names if isinstance(n, Table)]
    holding: list[Path] = []
    for name in (Path(n) for n in names if not isinstance(n, Table)):
        if photos.holds(name) or reading.suffix(name) not in TEXTS:
            holding.append(name)
        else:
            texts += reading.named([name])
    return texts, holding


def _places(holding: list[Path], options: Any) -> list[Path]:
    """Where pictures are looked for: what is named now, and what was asked for before unless it is gone meanwhile."""
    before = [Path(p) for p in options.images if Path(p).exists() or not holding]
    return [*(h for h in holding if h.exists() or not before), *(p for p in before if p not in holding)]


def _labelled(
    found: list[Photo],
    sentences: list[list[str]] | None,
    places: list[str],
    options: Any,
    left: Sequence[HeloError] = (),
) -> Dataset:
    """Pictures as examples; with --skip-bad without those that cannot be read. left: what was left out before."""
    bad = dict(_unreadable(found)) if options.skip_bad else {}
    left = [*left, *bad.values()]
    for error in left:
        warn(f"left out: {error}")
    good = [i for i in range(len(found)) if i not in bad]
    if not good:
        raise HeloError("no picture that can be read", expected="at least one", where=left[0].where if left else "")
    places = [places[i] for i in good]
    return Dataset(
        "photo", [found[i] for i in good], None if sentences is None else [sentences[i] for i in good],
        lambda i, *step: places[i], {"left_out": [str(error) for error in left]},
    )  # fmt: skip


def _unreadable(found: list[Photo]) -> Iterator[tuple[int, HeloError]]:
    for i, photo in enumerate(found):
        try:
            photo.pixels(8)
        except HeloError as error:
            yield i, error
        if (i + 1) % 500 == 0 or i + 1 == len(found) > 500:
            progress.tell("reading pictures", i + 1, len(found))


def few(names: Sequence[str]) -> str:
    """How many, and the first."""
    return f"{len(names):,} ({names[0]}{', …' if names[1:] else ''})"

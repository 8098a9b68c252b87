"""Captions with the pictures that they are about, as examples: which files hold what, where a picture is looked for by
its name, and which pictures are learned from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from helo.data import labelled
from helo.data.labelled import Labelled
from helo.data.readers import captions, photos
from helo.data.readers import files as reading
from helo.data.readers.captions import Captioned
from helo.data.readers.photos import Photo
from helo.errors import HeloError, fault

TEXTS = (".txt", ".token", ".tsv", ".csv", ".json")
LISTS = ("train_list", "valid_list")
BESIDE = ("left_out", "without_captions")  # notes of pictures that are no examples


class Asked(Protocol):
    """What is said of captions and pictures beside their files."""

    @property
    def images(self) -> tuple[str, ...]:
        """Folders and tars of pictures."""
        ...

    @property
    def train_list(self) -> str | None:
        """File of the names of pictures to learn from."""
        ...

    @property
    def valid_list(self) -> str | None:
        """File of the names of pictures to validate on."""
        ...

    @property
    def skip_bad(self) -> bool:
        """Whether pictures that cannot be read are left out."""
        ...


def read(names: Sequence[str | Path], asked: Asked, must: bool = True) -> tuple[Labelled, list[Path]]:
    """The pictures of all captions in files, and those files. Where no file has captions: pictures without any, unless
    there must be some.
    """
    texts, holding = _texts(names) if must else _parted(names)
    if not texts:
        found = photos.find(holding)
        return _labelled(found, None, [p.place for p in found], asked), []
    return _found(captions.read(texts), _places(holding, asked), asked), texts


def checked(names: Sequence[str | Path], asked: Asked) -> tuple[Labelled, list[Path]]:
    """The same of those pictures alone that lists name, where there are lists."""
    texts, holding = _texts(names)
    told = captions.read(texts)
    chosen = _listed(told, asked)
    told = told if chosen is None else [c for half in chosen for c in half]
    return _found(told, _places(holding, asked), asked), texts


def halves(
    names: Sequence[str | Path], valid: Sequence[str | Path], asked: Asked
) -> tuple[Labelled, Labelled, dict[str, Any]]:
    """What to learn from, what to validate on, and the record by which both are found again."""
    texts, holding = _texts(names)
    told = captions.read(texts)
    places = _places(holding, asked)
    listed = [Path(v) for n in LISTS if (v := getattr(asked, n))]
    record: dict[str, Any] = {
        "train": [str(p.absolute()) for p in (*texts, *holding)],
        "fingerprint": {"train": labelled.fingerprint([*texts, *listed])},
    }
    chosen = _listed(told, asked)
    if valid:
        texts, more = _parted(valid)
        if not texts:
            raise HeloError("pictures without captions", expected="a file of captions", where="--valid")
        record["valid"] = [str(p.absolute()) for p in (*texts, *more)]
        record["fingerprint"]["valid"] = labelled.fingerprint(texts)
        learn = _found(told if chosen is None else chosen[0], places, asked)
        check = _found(captions.read(texts), [*more, *places], asked)
    elif chosen is not None:
        others = "those that are not listed" if listed else "the split val"
        how = Path(asked.valid_list).name if asked.valid_list else others
        record["valid"] = f"pictures of the captions: {how}"
        learn, check = (_found(half, places, asked) for half in chosen)
    else:
        if len(told) < 2:
            raise HeloError("one picture", expected="more, or --valid FILES", where=", ".join(map(str, names)))
        record["valid"] = labelled.HELD_OUT
        everything = _found(told, places, asked)
        learn, check = (everything.take(rows) for rows in labelled.held_out(len(everything)))
    for note in BESIDE:
        if several := [*learn.notes.get(note, ()), *check.notes.get(note, ())]:
            record[note] = list(dict.fromkeys(several))
    return learn, check, record


def _listed(told: list[Captioned], asked: Asked) -> list[list[Captioned]] | None:
    """Two halves by lists or by the split that the captions give; None where neither says anything."""
    listed = {n: Path(v) for n in LISTS if (v := getattr(asked, n))}
    if not listed:
        splits = {c.split for c in told}
        if "train" in splits and "val" in splits:
            return [[c for c in told if c.split == s] for s in ("train", "val")]
        return None
    told = [c for c in told if c.sentences]
    known = {Path(c.name).name: c for c in told}
    halves: dict[str, list[Captioned]] = {}
    for which, path in listed.items():
        halves[which] = []
        for number, name in captions.listed(path):
            if name in known:
                halves[which].append(known[name])
            else:
                fault(HeloError(f"no captions of {name}", expected="some of every picture listed",
                                mend="take it out of the list, or write captions", where=f"{path}:{number}"))  # fmt: skip
    taken = {c.name for half in halves.values() for c in half}
    rest = [c for c in told if c.name not in taken]
    found = [halves.get(which, rest) for which in LISTS]
    for half, which in zip(found, LISTS, strict=True):
        if not half:
            flag = "--" + which.replace("_", "-")
            raise HeloError("no pictures are left for it", expected="some", mend=f"{flag} names them", where=flag)
    return found


def _found(told: Sequence[Captioned], places: Sequence[str | Path], asked: Asked) -> Labelled:
    """Captions with their pictures."""
    known = photos.Album(photos.find(list(places))) if places else None
    found, kept = [], []
    for c in told:
        if not c.sentences:
            continue
        beside = Path(c.place.rpartition(":")[0]).parent / c.name
        several = known.named(c.name) if known is not None else [Photo(c.name, beside)] if beside.exists() else []
        if len(several) != 1:
            where = ", ".join(map(str, places)) or str(beside.parent)
            many = f", {several[0].place} and {several[1].place} among them" if several else ""
            fault(HeloError(f"a caption for {c.name}, of which {len(several) or 'none'} are in {where}{many}",
                            expected="one picture of that name", mend="name the folder or tar that has it", where=c.place))  # fmt: skip
            continue
        photo = several[0]
        found.append(photo)
        kept.append(c)
    examples = _labelled(found, [c.sentences for c in kept], [c.place for c in kept], asked)
    examples.notes["without_captions"] = [c.name for c in told if not c.sentences]
    examples.notes["images"] = tuple(str(Path(p).absolute()) for p in places)
    return examples


def _texts(names: Sequence[str | Path]) -> tuple[list[Path], list[Path]]:
    texts, holding = _parted(names)
    if not texts:
        raise HeloError("no captions", expected="a file of pictures and sentences", where=", ".join(map(str, names)))
    return texts, holding


def _parted(names: Sequence[str | Path]) -> tuple[list[Path], list[Path]]:
    """Files of captions, and where pictures lie."""
    texts: list[Path] = []
    holding: list[Path] = []
    for name in map(Path, names):
        if photos.holds(name) or reading.suffix(name) not in TEXTS:
            holding.append(name)
        else:
            texts += reading.named([name])
    return texts, holding


def _places(holding: list[Path], asked: Asked) -> list[Path]:
    """Where pictures are looked for: what is named now, and what was asked for before unless it is gone meanwhile."""
    before = [Path(p) for p in asked.images if Path(p).exists() or not holding]
    return [*(h for h in holding if h.exists() or not before), *(p for p in before if p not in holding)]


def _labelled(found: list[Photo], sentences: list[list[str]] | None, places: list[str], asked: Asked) -> Labelled:
    """Pictures as examples; with --skip-bad without those that cannot be read."""
    notes: dict[str, Any] = {}
    if asked.skip_bad:
        bad = dict(_unreadable(found))
        if bad:
            notes["left_out"] = [str(error) for error in bad.values()]
        good = [i for i in range(len(found)) if i not in bad]
        found, places = [found[i] for i in good], [places[i] for i in good]
        sentences = None if sentences is None else [sentences[i] for i in good]
    if not found:
        raise HeloError(
            "no picture that can be read", expected="at least one", where=notes.get("left_out", [""])[0].split(": ")[0]
        )
    return Labelled("photo", found, sentences, lambda i, *step: places[i], notes)


def _unreadable(found: list[Photo]) -> Iterator[tuple[int, HeloError]]:
    for i, photo in enumerate(found):
        try:
            photo.pixels(8)
        except HeloError as error:
            yield i, error

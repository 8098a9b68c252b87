"""Sentences about pictures, in the common formats.

Flickr8k/30k       NAME.jpg#K, a tab and a sentence per line (Hodosh, Young and Hockenmaier 2013; Young et al. 2014)
table              .tsv or .csv of two columns, picture and sentence, whose first line may name them
COCO               JSON with `images` (id, file_name) and `annotations` (image_id, caption) (Chen et al. 2015)
Karpathy           JSON with `images` (filename, split, sentences with raw) (Karpathy and Fei-Fei 2015)
AI Challenger      JSON list of objects with image_id and a list `caption` (Wu et al. 2017)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from helo.data.readers import files, table
from helo.errors import HeloError, fault, place, wrap

PICTURES = ("image", "picture", "photo", "path", "file", "filename", "file_name", "image_id", "image_name")
SENTENCES = ("caption", "sentence", "text", "description", "comment")


@dataclass
class Captioned:
    """A picture's name, its sentences, where the first of them stands, and the split that the file gives it. JSON may
    name pictures without a sentence.
    """

    name: str
    sentences: list[str]
    place: str
    split: str | None = None
    given: bool = False  # in Python, where a name is a path from here


def read(paths: Sequence[Path | table.Table]) -> list[Captioned]:
    """Pictures in the order of their first sentence, each once, with all its sentences."""
    found: dict[str, Captioned] = {}
    for path in paths:
        if isinstance(path, table.Table):
            rows = _cells(path)
        else:
            with place(path):
                rows = _json(path) if files.suffix(path) == ".json" else _lines(path)
        for name, sentence, where, split in rows:
            if not name:
                fault("no name of a picture", expected="one before each sentence", where=where)
                continue
            if sentence is not None and not sentence.strip():
                fault(f"no sentence about {name}", expected="one", where=where)
                continue
            known = found.setdefault(name, Captioned(name, [], where, split, isinstance(path, table.Table)))
            if sentence is not None:
                known.sentences.append(" ".join(sentence.split()))
    if not any(c.sentences for c in found.values()):
        raise HeloError("no captions", expected="a picture and a sentence per line", where=", ".join(map(str, paths)))
    return list(found.values())


def pictured(rows: table.Table) -> list[str]:
    """The paths of the pictures of a table that is given in Python, one a row."""
    column = rows.first(PICTURES)
    if column is None:
        raise HeloError(
            f"columns {', '.join(rows.columns)}", expected=f"one of {', '.join(PICTURES)}", where=rows.heading
        )
    found = []
    for value, where in zip(rows.columns[column], rows.places, strict=True):
        if not isinstance(value, str | PurePath) or not str(value).strip():
            said = f"{value!r:.40}" if isinstance(value, str) else type(value).__name__
            fault(f"{said} in {column!r}", expected="the path of a picture", where=where)
        found.append(str(value).strip())
    return found


def _cells(rows: table.Table) -> list[Row]:
    """A cell of sentences may be one sentence, or a list."""
    names, column = pictured(rows), rows.first(SENTENCES)
    if column is None:
        raise HeloError(
            f"columns {', '.join(rows.columns)}", expected=f"one of {', '.join(SENTENCES)}", where=rows.heading
        )
    found: list[Row] = []
    for name, value, where in zip(names, rows.columns[column], rows.places, strict=True):
        sentences = value if isinstance(value, list) else [value]
        found += _rows(name, [table.text(s, column, where) for s in sentences], where)
    return found


def listed(path: Path) -> list[tuple[int, str]]:
    """A split list, the name of a picture a line: (line, name)."""
    names = [(n, line.strip()) for n, line in enumerate(files.lines(path), 1) if line.strip()]
    if not names:
        raise HeloError("an empty list", expected="the name of one picture per line", where=path)
    return names


# Behind a name: Flickr's #0, and longer forms like #zh#0.
_KEY = re.compile(r"(?:(?<=\.\w{3})|(?<=\.\w{4}))#[^.]*$|#\d+$")
Row = tuple[str, str | None, str, str | None]  # picture, sentence or None where it has none, place, split


def _lines(path: Path) -> list[Row]:
    lines = files.lines(path)
    commas = files.suffix(path) == ".csv" or _headed(lines)
    if commas:
        rows = table.parted([f"{line}\n" for line in lines], str(path), skipinitialspace=True)
    else:
        rows = enumerate((line.split("\t") for line in lines), 1)
    at, width, headed = (0, 1), 2, False
    out: list[Row] = []
    for number, row in rows:
        if number == 1 and (heading := _heading(row)):
            at, width, headed = heading, len(row), True
            continue
        if not any(c.strip() for c in row):
            continue
        where = f"{path}:{number}"
        if len(row) > width and headed and at[1] == width - 1 and '"' not in lines[number - 1]:
            cells = lines[number - 1].split("," if commas else "\t", width - 1)  # a sentence goes on to the line's end
            row = [c.strip() for c in cells]
        if len(row) != width:
            mend = "write a sentence that has one of them in quotes" if commas else "remove it from the sentence"
            parts = "a comma" if commas else "a tab"
            fault(f"{len(row)} column{'s' * (len(row) != 1)}", where=where,
                  expected=f"{width}: a picture, {parts}, a sentence" if width == 2 else str(width),
                  mend=mend if len(row) > width else "or .csv, .json")  # fmt: skip
            continue
        out.append((_KEY.sub("", row[at[0]].strip()), row[at[1]], where, None))
    return out


def _headed(lines: list[str]) -> bool:
    """Whether it is a table with commas, whatever its name: Flickr8k goes round as `image,caption` in a .txt."""
    return bool(lines) and "\t" not in lines[0] and _heading(lines[0].split(",")) is not None


def _heading(cells: Sequence[str]) -> tuple[int, int] | None:
    """Which columns the first line names, if it is a heading."""
    names = [c.strip().lower() for c in cells]
    picture = next((i for i, n in enumerate(names) if n in PICTURES), None)
    sentence = next((i for i, n in enumerate(names) if n in SENTENCES), None)
    return None if picture is None or sentence is None else (picture, sentence)


def _json(path: Path) -> list[Row]:
    with wrap(
        (ValueError, RecursionError), "not JSON:", expected="captions as COCO, Karpathy or AI Challenger write them"
    ):  # a ValueError is a wrong escape, too
        found = json.loads(files.text(path), object_pairs_hook=table.once)
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    if isinstance(found, list):
        return _each(found, f"{path}: ", _challenger)
    if isinstance(found, dict) and "images" in found:
        images = f"{path}: images"
        if "annotations" not in found:
            return _each(found["images"], images, _karpathy)
        names = dict(_each(found["images"], images, _image))
        rows = _each(found["annotations"], f"{path}: annotations", lambda e, at: _annotation(e, at, names))
        captioned = {row[0] for row in rows}
        return rows + [(name, None, at, None) for name, at in names.values() if name not in captioned]
    raise HeloError(
        "JSON of an unknown kind",
        expected="COCO's images and annotations, Karpathy's images with sentences, or AI Challenger's list",
    )


def _each(entries: Any, where: str, read: Callable[[dict[str, Any], str], list[Any]]) -> list[Any]:
    """What is read of each object of a list, with its place; a fault of one is a fault of its own."""
    if not isinstance(entries, list):
        raise HeloError(_said(entries), expected="a list", where=where)
    out = []
    for i, entry in enumerate(entries):
        at = f"{where}[{i}]"
        try:
            if not isinstance(entry, dict):
                raise HeloError(_said(entry), expected="an object", where=at)
            out += read(entry, at)
        except HeloError as error:
            fault(error)
    return out


def _challenger(entry: dict[str, Any], at: str) -> list[Row]:
    if isinstance(entry.get("image_id"), int):
        raise HeloError(f"image_id: {entry['image_id']}, a number", expected="a picture's file name",
                        mend="COCO's result files name no pictures: give its images and annotations", where=at)  # fmt: skip
    several = entry.get("caption")
    entries = [{"caption": s} for s in several] if isinstance(several, list) else [entry]
    return _rows(_text(entry, "image_id", at), [_text(e, "caption", at) for e in entries], at)


def _karpathy(entry: dict[str, Any], at: str) -> list[Row]:
    def sentence(e: dict[str, Any], at: str) -> list[str]:
        words = e.get("tokens")
        if "raw" not in e and isinstance(words, list) and all(isinstance(w, str) for w in words):
            return [" ".join(words)]
        return [_text(e, "raw", at)]

    name = _text(entry, "filename", at)
    split = None if entry.get("split") is None else _text(entry, "split", at)
    sentences = _each(entry.get("sentences"), f"{at}.sentences", sentence)
    return _rows(name, sentences, at, SPLITS.get(split or "", split))


def _image(entry: dict[str, Any], at: str) -> list[tuple[Any, tuple[str, str]]]:
    return [(_id(entry, "id", at), (_text(entry, "file_name", at), at))]


def _annotation(entry: dict[str, Any], at: str, names: dict[Any, tuple[str, str]]) -> list[Row]:
    image = _id(entry, "image_id", at)
    if image not in names:
        raise HeloError(f"image_id: {_said(image)}", expected="the id of one of the images", where=at)
    return _rows(names[image][0], [_text(entry, "caption", at)], at)


def _rows(name: str, sentences: list[str], at: str, split: str | None = None) -> list[Row]:
    return [(name, s, at, split) for s in sentences] or [(name, None, at, split)]


def _text(entry: dict[str, Any], key: str, at: str) -> str:
    if not isinstance(entry.get(key), str):
        raise HeloError(f"{key}: {_said(entry[key])}" if key in entry else f"no {key!r}", expected="a text", where=at)
    return entry[key]


def _id(entry: dict[str, Any], key: str, at: str) -> int | str:
    if not isinstance(entry.get(key), int | str):
        raise HeloError(f"{key}: {_said(entry.get(key))}", expected="a number", where=at)
    return entry[key]


def _said(value: Any) -> str:
    """A value as JSON has it, cut short."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"


SPLITS = {"restval": "train", "dev": "val", "valid": "val", "validation": "val"}  # other names of the splits

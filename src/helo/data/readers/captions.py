"""Sentences about pictures, in the forms in which they are handed round.

Flickr8k/30k       NAME.jpg#K, a tab, a sentence a line (Hodosh, Young and Hockenmaier 2013; Young et al. 2014)
table              .tsv or .csv of two columns, picture and sentence, whose first line may name them
COCO               JSON with `images` (id, file_name) and `annotations` (image_id, caption) (Chen et al. 2015)
Karpathy           JSON with `images` (filename, split, sentences with raw) (Karpathy and Fei-Fei 2015)
AI Challenger      JSON list of objects with image_id and a list `caption` (Wu et al. 2017)
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helo.data.readers import files
from helo.errors import HeloError, fault, place

PICTURES = ("image", "picture", "photo", "path", "file", "filename", "file_name", "image_id", "image_name")
SENTENCES = ("caption", "sentence", "text", "description", "comment")


@dataclass
class Captioned:
    """A picture's name, its sentences, where the first of them stands, and the split that the file gives it."""

    name: str
    sentences: list[str]
    place: str
    split: str | None = None


def read(paths: Sequence[Path]) -> list[Captioned]:
    """Pictures in the order in which they come first, each once, with all of their sentences."""
    found: dict[str, Captioned] = {}
    for path in paths:
        with place(path):
            rows = _json(path) if files.suffix(path) == ".json" else _lines(path)
        for name, sentence, where, split in rows:
            sentence = " ".join(sentence.split())
            if not sentence:
                fault(HeloError(f"no sentence about {name}", expected="one", where=where))
                continue
            known = found.setdefault(name, Captioned(name, [], where, split))
            known.sentences.append(sentence)
    if not found:
        raise HeloError("no captions", expected="a picture and a sentence a line", where=", ".join(map(str, paths)))
    return list(found.values())


def listed(path: Path) -> list[tuple[int, str]]:
    """A split list, the name of a picture a line: (line, name), folders aside."""
    names = [(n, Path(line.strip()).name) for n, line in enumerate(files.lines(path), 1) if line.strip()]
    if not names:
        raise HeloError("an empty list", expected="the name of a picture a line", where=str(path))
    return names


_KEY = re.compile(r"(?:(?<=\.\w{3})|(?<=\.\w{4}))#.*$")  # behind a name: Flickr's #0, and longer forms like #zh#0
Row = tuple[str, str, str, str | None]  # picture, sentence, place, split


def _lines(path: Path) -> list[Row]:
    lines = files.lines(path)
    if files.suffix(path) == ".csv" or _headed(lines):
        cells = list(csv.reader(lines, skipinitialspace=True))
    else:
        cells = [line.split("\t") for line in lines]
    at = (0, 1)
    start = 0
    if cells and (heading := _heading(cells[0])):
        at, start = heading, 1
    out: list[Row] = []
    for number, row in enumerate(cells[start:], start + 1):
        if not any(c.strip() for c in row):
            continue
        where = f"{path}:{number}"
        if len(row) <= max(at):
            fault(HeloError(f"{len(row)} column{'s' * (len(row) != 1)}",
                            expected="a picture, a tab, a sentence (or .csv, .json)", where=where))  # fmt: skip
            continue
        name = row[at[0]].strip()
        name = _KEY.sub("", name)
        out.append((name, row[at[1]], where, None))
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
    try:
        found = json.loads(files.text(path))
    except ValueError as error:
        raise HeloError(
            f"not JSON: {error}", expected="captions as COCO, Karpathy or AI Challenger write them"
        ) from error
    where = str(path)
    try:
        if isinstance(found, list):
            return [(e["image_id"], s, where, None) for e in found for s in _strings(e["caption"])]
        if "annotations" in found:
            names = {e["id"]: e["file_name"] for e in found["images"]}
            return [(names[a["image_id"]], str(a["caption"]), where, None) for a in found["annotations"]]
        return [
            (e["filename"], s["raw"] if "raw" in s else " ".join(s["tokens"]), where, _split(e.get("split")))
            for e in found["images"]
            for s in e["sentences"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise HeloError(
            f"JSON of another kind ({type(error).__name__}: {error})",
            expected="COCO's images and annotations, Karpathy's images with sentences, or AI Challenger's list",
        ) from error


def _strings(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(v) for v in value]


def _split(name: Any) -> str | None:
    return {"restval": "train", "dev": "val", "valid": "val", "validation": "val"}.get(str(name), name)

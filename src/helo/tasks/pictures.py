"""How tasks over pictures get their examples."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from helo.data import dataset
from helo.data.dataset import Dataset
from helo.data.readers import arrays, captioned, captions, clips, given, table
from helo.data.readers.files import parted
from helo.encoders.store import clock
from helo.errors import HeloError, fault
from helo.metrics import captions as metric
from helo.tasks.reading import Source

TOGETHER = 256  # pictures that are answered together


class PictureSource(Source):
    """Pictures with their sentences. options: images, train_list, valid_list, skip_bad."""

    def read(self, files, options, labelled=True):
        return super().read(_tables(files), options, labelled)

    def check(self, files, options):
        if options.reader is not None:
            return self.read(files, options)
        found, paths = captioned.checked(files, options)
        found.notes["readers"] = [{"reader": "captioned", "why": "captions", "files": [str(p) for p in paths]}]
        return found, paths

    def split(self, files, valid, options):
        if options.reader is not None:
            return super().split(files, valid, replace(options, train_list="", valid_list=""))
        files, valid = _tables(files), _tables(valid)
        with clock.running() if options.skip_bad else nullcontext():  # all pictures are opened
            return captioned.split(files, valid, options)

    def details(self, examples):
        for photo in examples.inputs:
            try:
                photo.pixels(8)
            except HeloError as error:
                fault(error)
        sentences = [s for several in examples.labels or () for s in several]
        alone = metric.unparted(sentences)
        unit, cut = ("characters", metric.signs) if alone else ("words", metric.tokens)
        counts = [len(cut(s)) for s in sentences]
        beside = {note: captioned.few(found) for note in captioned.BESIDE if (found := examples.notes.get(note))}
        return {"captions": len(sentences), unit: dataset.span(counts) if counts else "none"} | beside

    def recorded(self, task, data, **said):
        if task.options.reader is not None:
            return super().recorded(task, data, **said)
        if not data["train"]:
            raise HeloError("the captions of the training came from Python", mend="give the data again, or files")
        valid = data["valid"] if isinstance(data["valid"], list) else []
        _, check, record = captioned.split(data["train"], valid, task.options)
        dataset.unchanged(record["fingerprint"], data["fingerprint"], data["train"], "captions have")
        return check

    def given(self, task, source):
        """Paths of pictures, folders, tars: one, or a list; a table that names a picture a row."""
        if isinstance(source, Dataset):
            return source
        if tables := table.given(source):
            return self.unlabelled(task, tables)
        names = [source] if isinstance(source, str | Path) else clips.paths(source)
        if not names and len(arrays.listed(source)):
            raise HeloError(f"{type(source).__name__}", expected="paths of pictures", where="input")
        return self.unlabelled(task, names)

    def _pieces(self, task, files, **said):
        examples = self.unlabelled(task, files, **said)  # which read no picture yet
        for start in range(0, len(examples), TOGETHER):
            yield examples.take(np.arange(start, min(start + TOGETHER, len(examples))))

    def _typed(self, task, texts, **said):
        yield from (self.lines(task, text, **said) for text in texts)

    def lines(self, task, text, **said):
        """The path of a picture a line."""
        return self.unlabelled(task, [line.strip() for line in parted(text) if line.strip()], **said)


def _tables(sources: Sequence[Any]) -> list[Any]:
    """What is given in Python as tables: (paths of pictures, sentences) are columns of one."""
    found = []
    for one in sources:
        if isinstance(one, given.Examples):
            several = {captions.PICTURES[0]: [_path(x) for x in one.inputs]}
            several |= {} if one.labels is None else {captions.SENTENCES[0]: list(one.labels)}
            one = table.given(several)[0]
        found.append(one)
    return found


def _path(value: Any) -> Any:
    return str(value) if isinstance(value, PurePath) else value

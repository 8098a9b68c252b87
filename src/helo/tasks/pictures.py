"""What is common to tasks over pictures: how they are read and given."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from helo.data import dataset, readers
from helo.data.dataset import Dataset
from helo.data.readers import arrays, captioned, clips
from helo.data.readers.files import parted
from helo.encoders.store import clock
from helo.errors import HeloError, fault
from helo.metrics import captions as metric
from helo.tasks.examples import ExampleTask


class PictureTask(ExampleTask):
    """options: images, train_list, valid_list, skip_bad."""

    default_split = None  # the captions say it, or a list; else by chance

    @classmethod
    def examples(cls, files, options, labelled=True):
        return readers.read(files, options, "picture", labelled)

    @classmethod
    def checked(cls, files, options):
        if options.reader is not None:
            return cls.examples(files, options)
        found, paths = captioned.checked(files, options)
        found.notes["readers"] = [{"reader": "captioned", "why": "captions", "files": [str(p) for p in paths]}]
        return found, paths

    @classmethod
    def split(cls, files, valid, options):
        if options.reader is not None:
            return super().split(files, valid, options)
        with clock.running() if options.skip_bad else nullcontext():  # all pictures are opened
            return captioned.split(files, valid, options)

    @classmethod
    def more_summary(cls, examples):
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

    def recorded(self, data, options=None):
        if self.options.reader is not None:
            return super().recorded(data, options)
        valid = data["valid"] if isinstance(data["valid"], list) else []
        _, check, record = captioned.split(data["train"], valid, self.options)
        if record["fingerprint"] != data["fingerprint"]:
            raise HeloError("the captions have changed since the run was trained",
                            mend="name the files to evaluate on", where=", ".join(data["train"]))  # fmt: skip
        return check

    def given(self, source: Any) -> Dataset:
        """Examples to be answered, as a dataset."""
        if isinstance(source, Dataset):
            return source
        names = [source] if isinstance(source, str | Path) else clips.paths(source)
        if not names and len(arrays.listed(source)):
            raise HeloError(f"{type(source).__name__}", expected="paths of pictures", where="input")
        return self.unlabelled(names)

    def lines(self, text: str, **said: Any) -> Dataset:
        """Standard input: the path of a picture a line."""
        return self.unlabelled([line.strip() for line in parted(text) if line.strip()], **said)

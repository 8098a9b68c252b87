"""A tagger that answers each step as it comes: its state can be saved and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from helo.errors import HeloError, place
from helo.runs import folder

if TYPE_CHECKING:
    from helo.runs.run import Run


class Live:
    """In the middle of a sequence: `feed` one step, get its label; `reset` where the sequence ends."""

    def __init__(self, run: Run):
        """Raises HeloError for a model that cannot answer before it has read to the end."""
        if run.about["task"] != "tag":
            raise HeloError(f"a model of the shape {run.about['task']}", expected="a tagger", where=str(run.path))
        options = run.task.options
        if options.bidirectional or options.crf:
            what = (
                "bidirectional: it reads to the end before it answers"
                if options.bidirectional
                else "one with a CRF, which decides at the end"
            )
            mend = "--no-bidirectional" if options.bidirectional else "no --crf"
            raise HeloError(f"the model is {what}", mend=f"train one with {mend} to tag a stream", where=str(run.path))
        self.run, self.state = run, None

    def reset(self) -> None:
        """The next step begins a sequence."""
        self.state = None

    def feed(self, item: Any) -> str:
        """One step, a word or numbers `(features,)`: its label."""
        task, parameters = self.run.task, self.run.parameters
        examples = task.given([[item]] if isinstance(item, str) else [np.asarray(item)[None]])
        batch = task.encode(examples).batch(np.zeros(1, np.int64))
        scores, self.state = task.stepped(parameters, batch, self.state)
        return task.labels[int(np.asarray(scores)[0, 0].argmax())]

    def save(self, path: str | Path) -> None:
        """A few kilobytes: the state's arrays, and which model they belong to."""
        arrays = folder.state_arrays(self.state)
        folder.write_arrays(Path(path), arrays, {"model": self.run.identity})

    @classmethod
    def load(cls, run: Run, path: str | Path) -> Self:
        """Where `save` left off. Raises HeloError for the state of another model."""
        arrays, about = folder.read_arrays(Path(path))
        with place(path):
            if about.get("model") != run.identity:
                raise HeloError(
                    "a state of another run", expected=f"one that {run.path} wrote", mend="name another --state file"
                )
        live = cls(run)
        if arrays:
            live.state = folder.layered(arrays)
        return live

"""A tagger or a forecaster that answers each step as it comes: its state can be saved and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from helo import saved
from helo.errors import HeloError, place, wrap
from helo.inputs.dialogue import Dialogue
from helo.layers import part, stack
from helo.models.forecaster import Forecaster
from helo.models.tagger import Tagger
from helo.runs.arrays import checked_state, state_arrays, write_arrays
from helo.runs.trained import TrainedModel


class Live:
    """In the middle of a sequence: `feed` one step, get its label; `reset` where the sequence ends."""

    def __init__(self, run: TrainedModel):
        """Raises HeloError for a model that cannot answer before it has read to the end."""
        self.run, self.state = run, None
        self.past: dict[str, Any] = {}  # what the task keeps of the step before, beside the state of its layers
        if isinstance(run.task.model, Forecaster):
            if len(run.task.form.means):
                raise HeloError("the model has covariates", expected="one that reads values alone", where=run.path)
            return
        if not isinstance(run.task.model, Tagger):
            raise HeloError(
                f"a model of the task {run.about['task']}", expected="a tagger or a forecaster", where=run.path
            )
        options = run.task.options
        for refused, what, mend in (
            (options.bidirectional, "bidirectional: it answers only after reading to the end", "--no-bidirectional"),
            (options.crf, "one with a CRF, which decides only at the end", "no --crf"),
            (run.task.marked == "BIOES", "one with BIOES labels, which depend on the next step", "labels in IOB2"),
        ):
            if refused:
                mend = f"train one with {mend} to tag a live stream"
                raise HeloError(f"the model is {what}", mend=mend, where=run.path)

    def reset(self) -> None:
        """The next step begins a sequence."""
        self.state, self.past = None, {}

    def feed(self, item: Any) -> Any:
        """One step, a word, numbers `(features,)`, or (speaker, text): its label. Of a forecaster one value: `mean` and deciles of the
        next one.
        """
        parameters = self.run.parameters
        with self.run.computing():
            label, self.state, self.past = self.run.task.fed(parameters, item, self.state, self.past)
        return label

    def save(self, path: str | Path) -> None:
        """A few kilobytes: the state's arrays, what is kept of the step before, and which model they belong to."""
        arrays = state_arrays(self.state)
        write_arrays(Path(path), arrays, {"model": self.run.identity, "past": self.past}, named=True)

    @classmethod
    def load(cls, run: TrainedModel, path: str | Path) -> Self:
        """A stream from a state that `save` wrote. Raises HeloError for the state of another model."""
        path = Path(path)
        live = cls(run)
        arrays, about = run.read_state(path)
        with place(path):
            if not arrays:
                return live
            if isinstance(run.task.model, Forecaster):
                live.state = checked_state(arrays, run.task.stream_state(), 1)
                return live
            options, labels = run.task.options, len(run.task.labels)
            like = stack.state(run.task.model.cell, options.layers, part(run.parameters, "recurrent"), 1)
            live.state = checked_state(arrays, like, 1)
            with wrap(ValueError, "damaged:", mend="give another --state file"):
                past = about.get("past", {})
                hints = {"label": int, "speaker": str} if isinstance(run.task.form, Dialogue) else {"label": int}
                label, *_ = saved.fields(past, **hints)
                if not 0 <= label < labels:
                    raise ValueError(f"label {label}, not one of {labels}")
        live.past = past
        return live

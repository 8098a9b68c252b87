"""A trained model: it writes text, answers, and says what it is, with NumPy alone."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from helo import engines, reports, tasks
from helo.data.dataset import Dataset
from helo.data.readers import given
from helo.data.readers.files import listed
from helo.decoding.sampling import Choice
from helo.errors import HeloError, door
from helo.models.language_model import LanguageModel
from helo.reports import table
from helo.runs import folder
from helo.runs.live import Live
from helo.runs.report_folder import report_folder
from helo.runs.stream import Stream
from helo.runs.trained import TrainedModel, within
from helo.runs.written import apart, written
from helo.saved import as_figure, flat
from helo.tasks.examples import ExampleTask, evaluated


class Run(TrainedModel):
    """What `helo.load` returns: a trained model with all its methods."""

    @door
    def stream(self, rows: int = 1, state: str | Path | None = None) -> Stream:
        """A stream from the initial state, or from a saved state."""
        self._writes()
        return Stream(self, rows) if state is None else Stream.load(self, state)

    @door
    def sample(
        self,
        prompt: str = "",
        length: int = 500,
        seed: int | None = None,
        stop: str | Sequence[str] = (),
        stream: Stream | None = None,
        **choice: Any,
    ) -> str:
        """A text that continues the prompt, without the prompt. choice: temperature, top_k, top_p, min_p."""
        if not isinstance(prompt, str):
            raise TypeError(f"the prompt {prompt!r:.80} is not a text")
        if stream is not None and not isinstance(stream, Stream):
            raise TypeError(f"stream={stream!r:.80} is not a stream: run.stream() gives one")
        stop = (stop,) if isinstance(stop, str) else stop
        return "".join(
            p[0] for p in self.writing(prompt, length, seed, stop, stream or self.stream(), Choice(**choice))
        )

    def writing(
        self, prompt: str, length: int, seed: int | None, stop: Sequence[str], stream: Stream, choice: Choice
    ) -> Iterator[list[str]]:
        """Pieces of each row's text as they are written. A row ends before a stop string; all rows end at the length."""
        stream.feed(prompt)
        rows = [_Row(stop) for _ in range(stream.rows)]
        for pieces in stream.write(length, choice, seed):
            yield [row.take(piece) for row, piece in zip(rows, pieces, strict=True)]
            if all(row.ended for row in rows):
                return
        yield [row.rest() for row in rows]

    def _writes(self) -> None:
        if not isinstance(self.task.model, LanguageModel):
            raise HeloError(
                f"a model of the task {self.about['task']} does not write text",
                mend="use helo predict",
                where=self.path,
            )

    @door
    def predict(self, source: Any, **how: Any) -> list[dict[str, Any]]:
        """One answer per example, in order. source: a list of texts for a model of texts; numbers for one of numbers; a
        DataFrame, a dict of columns or a list of dicts, as in training; or what `examples` returned. Labels are texts, whatever
        they were in training: of `True` and `1` they are `"True"` and `"1"`.
        """
        with self.computing():
            return self.example_task.predict(self.parameters, source, **tasks.checked(self.task, "predict", how))

    @door
    def live(self, state: str | Path | None = None) -> Live:
        """A tagger that answers step by step, from the initial state or from a saved state."""
        return Live(self) if state is None else Live.load(self, state)

    @door
    def examples(self, files: Any, **said: Any) -> Any:
        """Examples for `predict`, from files as for training; labels may be missing. said: options of reading
        to change, such as `skip_bad=True` of a captioner.
        """
        if not (names := given.settled(files)):
            raise HeloError("no files were given", expected="files as for training")
        return self.example_task.source.unlabelled(self.task, names, **said)

    @door
    def lines(self, text: str, **said: Any) -> Any:
        """Examples for `predict`, from text with one example per line. said: as for `examples`."""
        return self.example_task.source.lines(self.task, text, **said)

    def answering(self, files: str | Path | Sequence[str | Path], **how: Any) -> Iterator[tuple[Dataset, list[dict]]]:
        """Examples with their answers, some at a time, as soon as they are there: a file of any size is answered, for tables,
        texts and many files are read in pieces. files: as for `examples`; "-": standard input, line by line. how: options of
        `examples` and of `predict`.
        """
        if not (names := listed(files)):
            raise HeloError("no files were given", expected="files as for training")
        task = self.example_task
        reading = {n: v for n, v in how.items() if n in task.Options.reading or n == "tokenizer"}
        how = {n: v for n, v in how.items() if n not in reading}
        pieces = task.source.pieces(task, names, **reading)
        for k, examples in enumerate(pieces):
            if how.get("seed") is not None:
                how["seed"] += min(k, 1)  # what is drawn for one piece is not drawn again for the next
            yield examples, self.predict(examples, **how)

    @door
    def predict_files(
        self, files: str | Path | Sequence[str | Path], out: str | Path, format: str | None = None, **how: Any
    ) -> int:
        """Write the answers to files as a table, a row an answer (of a tagger, a step) beside the input's own columns, and
        return the number of rows. out: FILE.csv, FILE.tsv or FILE.jsonl. format: csv, tsv or jsonl, where the name of the file
        does not say it. files, how: as for `answering`.
        """
        apart(out, listed(files))
        report = reports.of(self.task)
        report.ranked = how.get("n_best", 1) > 1
        return written(report, self.answering(files, **how), out, format or table.kind(out))

    @property
    def example_task(self) -> ExampleTask:
        """The task, where it gives answers. Raises HeloError where it does not."""
        if not isinstance(self.task, ExampleTask):
            raise HeloError(
                f"a model of the task {self.about['task']} gives no answers",
                mend="use helo sample to write text",
                where=self.path,
            )
        return self.task

    @door
    def report(self, out: str | Path, files: Any = (), overwrite: bool = False, **said: Any) -> str:
        """Write a report on files, or on the recorded validation data: report.md and pictures in a folder. Returns the Markdown.
        overwrite: replace an older report. Raises HeloError if files of those names are not from a report, or if the task has
        none, as a language model.
        """
        out, files, said = listed([out])[0], given.settled(files), tasks.checked(self.task, "eval", said)
        with (
            report_folder(out, overwrite) as (beside, written),
            engines.fastest(self.parameters) as parameters,
            self.computing(),
        ):
            text = self._report().write(parameters, self.recorded(files), beside, files, **said)
            if not text and not any(beside.iterdir()):
                raise HeloError(
                    f"a run of the task {self.about['task']} has figures alone", mend="leave it out", where="--report"
                )
            written.append(text)
            return text

    @door
    def evaluate(self, files: Any = (), metric: str | None = None, **how: Any) -> dict[str, Any]:
        """Figures on whole files, or on data as `helo.train` takes it, or on the validation data that the run recorded.
        metric: report this one too, a name or `file.py:Name`, in place of the one that the run was trained with. how: options of the task;
        for a language model `blocks=256`, zero-state blocks in place of one stream with carried state; for the others
        options of reading, such as `skip_bad=True` of a captioner.
        """
        return self.evaluate_with_tables(files, metric, **how)[0]

    @door
    def evaluate_with_tables(
        self, files: Any = (), metric: str | None = None, **how: Any
    ) -> tuple[dict[str, Any], reports.Tables]:
        """What `evaluate` returns, and tables by their names, each a list of rows. A tagger of spans has `by_type`: type,
        precision, recall, f1 and support, as seqeval's `classification_report` has them, averages last; and, but for a run with
        `samples=False`, `most_wrong_spans`: true, answered and times. The others have none.
        """
        spec = metric or self.metric()
        with nullcontext() if metric else within(folder.inside(self.path, "run.json")):
            self.task.scoring = self.task.scoring.choose(spec)
        found = given.settled(files)
        how, data = tasks.checked(self.task, "eval", how), self.recorded(found)
        with engines.fastest(self.parameters) as parameters, self.computing():
            if not isinstance(self.task, ExampleTask):
                return self.task.evaluate(parameters, data, found, **how), {}
            figures, examples, answers, targets = evaluated(self.task, parameters, data, found, **how)
            return figures, self._report().tables(examples, answers, targets)

    def _report(self) -> reports.Report:
        report = reports.of(self.task)
        report.samples = self.about["training"].get("samples") is not False
        return report

    def recorded(self, files: Sequence[Any]) -> dict[str, Any]:
        """`data` of run.json. Raises HeloError where the run's own files are meant and it names no files: what a folder
        from elsewhere names is never searched for.
        """
        data, file = self.about["data"], folder.inside(self.path, "run.json")
        if not len(files) and not (data["train"] if isinstance(data["valid"], str) else data["valid"]):
            raise HeloError("the run's data came from Python", mend="give the data again, or files", where=file)
        for name in () if len(files) else [*data["train"], *(data["valid"] if isinstance(data["valid"], list) else ())]:
            if "\0" in name or not (os.path.isfile(name) or (os.path.isdir(name) and self.task.Options.paths)):
                raise HeloError(
                    f"the run was trained on {name}, which is missing", mend="name the files to evaluate on", where=file
                )
        return data

    def __repr__(self) -> str:
        a = self.about
        return f"<Run {self.path}: {a['task']}, {reports.network(self.task)}, {a['parameters']:,} parameters, {_short(a['figures'])}>"

    def _repr_html_(self) -> str:
        """For a notebook: what it is, its figures, its loss curve."""
        a, left = self.about, "style='text-align:left'"
        facts = {
            "task": a["task"],
            "network": reports.network(self.task),
            "parameters": f"{a['parameters']:,}",
            **flat(a["figures"]),
        }
        rows = [
            f"<tr><th {left}>{html.escape(k)}</th><td {left}>{html.escape(as_figure(v))}</td></tr>"
            for k, v in facts.items()
        ]
        curve, picture = folder.inside(self.path, "loss.png"), ""
        if curve.is_file():
            data = base64.b64encode(curve.read_bytes()).decode()
            picture = f"<img alt='loss curve' style='max-width:32em' src='data:image/png;base64,{data}'>"
        return f"<table><caption>{html.escape(str(self.path))}</caption>{''.join(rows)}</table>{picture}"


class _Row:
    """Text that comes in pieces and ends before the first stop string: what might be its beginning is held back."""

    def __init__(self, stop: Sequence[str]):
        self.stop, self.held, self.ended = [s for s in stop if s], "", False

    def take(self, piece: str) -> str:
        if self.ended:
            return ""
        self.held += piece
        found = [i for s in self.stop if (i := self.held.find(s)) >= 0]
        if found:
            self.ended, text = True, self.held[: min(found)]
            self.held = ""
            return text
        keep = max((k for s in self.stop for k in range(1, len(s)) if self.held.endswith(s[:k])), default=0)
        text, self.held = self.held[: len(self.held) - keep], self.held[len(self.held) - keep :]
        return text

    def rest(self) -> str:
        text, self.held = ("", "") if self.ended else (self.held, "")
        return text


def _short(figures: dict[str, Any]) -> str:
    return ", ".join(f"{k} {as_figure(v)}" for k, v in list(figures.items())[:2]) or "no figures yet"

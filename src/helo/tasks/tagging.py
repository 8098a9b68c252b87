"""What a tagger answers: a label for each step, how probable it is, and where its word stands in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from helo import engines
from helo.cells.functions import log_softmax
from helo.data.buckets import in_order
from helo.data.dataset import Dataset
from helo.data.readers import arrays
from helo.data.spans import as_label, spans, types, written
from helo.data.tokenizer import tokenizer as rules
from helo.layers import crf, part
from helo.tasks.base import Parameters, on
from helo.tasks.examples import ExampleTask
from helo.tasks.labels import words


@dataclass(frozen=True)
class PredictOptions:
    """How the words of running text are found."""

    tokenizer: Annotated[
        str | None, "running text: find its words by the rules of a language, such as en or de (xx: any; blanks)"
    ] = None


class Tagging(ExampleTask):
    """A task whose answers are labels of steps, which `answer` has under "labels", and those of words under "words". marked: the scheme
    in which the labels mark spans, as the training files write them; inside the model it is always IOB2.
    """

    labels: list[str]
    marked: str | None

    def predict(self, parameters, source, *, tokenizer=None):
        """An answer an example, in order: `answer`, and `tags`, one a step, each with its label and the probability of it. Of
        running text they have the start and the end of the word in the text, in characters, and spans their start_char and
        end_char. tokenizer: a language, by whose rules the words of texts are found.
        """
        if tokenizer is not None and not isinstance(source, Dataset):
            source = words(arrays.listed(source), rules(tokenizer))
        examples = self.source.given(self, source)
        answers = [{} for _ in range(len(examples))]
        for row, found, p in marginals(self, parameters, examples):
            about = dict(examples.about[row]) if examples.about is not None else {}
            offsets = about.pop("offsets", None)
            answer = about | self.answer(examples.inputs[row], found)
            answers[row] = answer | {"tags": _tags(answer, p[np.arange(len(found)), found], offsets)}
        return answers

    def _mended(self, ids: np.ndarray) -> np.ndarray:
        """Labels that mark spans as the spans that they mark are written: what is counted is what is answered."""
        if self.marked is None:
            return ids
        names = self._names(ids)
        return np.array([self.labels.index(y) for y in written(spans(names), len(names))], np.int64)

    def outward(self, ids: np.ndarray) -> list[str]:
        """Labels as the training files write them."""
        names = self._names(ids)
        return names if self.marked is None else written(spans(names), len(names), self.marked)

    def _names(self, ids: np.ndarray) -> list[str]:
        return [self.labels[int(i)] for i in ids]

    def known(self):
        """Labels as files may have them."""
        kinds = [] if self.marked is None else types(self.labels)
        return {*self.labels, *(as_label(mark, kind) for kind in kinds for mark in "BIES")}


def marginals(task: Tagging, parameters: Parameters, examples: Dataset) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Of each example, in some order: its place, its labels as numbers `(time,)`, and how probable each label is `(time, labels)`."""
    encoded, chained = task.encode(examples), task.options.crf
    own = {n: engines.host(p).astype(np.float64) for n, p in part(parameters, "crf").items()}
    for rows in in_order(encoded.lengths):
        scores = task.model.forward(parameters, on(encoded.batch(rows), next(iter(parameters.values()))))
        scores, lengths = engines.host(scores).astype(np.float64), encoded.lengths[rows]
        best = task.answers(parameters, scores if chained else scores.argmax(-1), lengths)
        p = crf.marginals(own, scores, lengths) if chained else np.exp(log_softmax(scores))
        for k, (row, found) in enumerate(zip(rows, best, strict=True)):
            yield int(row), found, p[k, : len(found)]


def _tags(answer: dict[str, Any], p: np.ndarray, offsets: list[tuple[int, int]] | None) -> list[dict[str, Any]]:
    tags = [{"label": y, "probability": float(v)} for y, v in zip(answer["labels"], p, strict=True)]
    if "words" in answer:
        tags = [{"word": w} | t for w, t in zip(answer["words"], tags, strict=True)]
    if offsets is not None:
        tags = [t | {"start": a, "end": b} for t, (a, b) in zip(tags, offsets, strict=True)]
        for span in answer.get("spans", ()):
            span |= {"start_char": offsets[span["start"]][0], "end_char": offsets[span["end"] - 1][1]}
    return tags

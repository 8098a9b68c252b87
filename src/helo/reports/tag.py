"""What people see of a tagger: labels beside their words, a confusion matrix, the labels of each sequence as a ribbon."""

from __future__ import annotations

from typing import Any

import numpy as np

from helo.drawing import confusion, ribbons
from helo.inputs.numbers import Numbers
from helo.inputs.words import Words
from helo.metrics import classification
from helo.metrics import spans as metric_of_spans
from helo.reports.base import REST, Report, Tables, beside, shown

ORDER = ("word", "start", "end", "label", "probability")  # of what a row says of its step


class TagReport(Report):
    """Of a label for each step."""

    unit = "steps"
    example = "train.conllu"

    def describe(self):
        task, o, n = self.task, self.task.options, self.task.data["examples"]
        centred = isinstance(task.form, Numbers) and not task.form.level
        return (
            f"{n['train']:,} sequences for training, {n['valid']:,} for validation, {len(task.labels)} labels"
            f"{f' ({task.marked})' if task.marked else ''}; {o.cell} {o.layers} x {o.hidden}"
            f"{' bidirectional' if o.bidirectional else ''}{', CRF' if o.crf else ''}"
            f"{', own mean subtracted' if centred else ''}, dropout {o.dropout:g}, {o.batch} sequences per step"
        )

    def progress(self, parameters, rng):
        task, (encoded, targets) = self.task, self.task.splits.valid
        row = np.array([rng.integers(len(encoded.lengths))])
        found = task.evaluate_batch(parameters, encoded.batch(row))[2]
        answer = task.answers(parameters, found, encoded.lengths[row])[0]
        x, truth = task.splits.examples.inputs[row[0]], targets[row[0]]
        pairs = []
        for t in range(min(12, len(answer))):
            right = answer[t] == truth[t]
            label = task.labels[answer[t]] + ("" if right else f" (true label {task.labels[truth[t]]})")
            pairs.append(f"{x[t]}/{label}" if isinstance(task.form, Words) else label)
        return " ".join(pairs)

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        """An answer for a terminal: a line a step."""
        words = answer.get("words")
        labels = answer["labels"]
        if "times" in answer:
            words = [f"{answer['video']}\t{t:.2f}" for t in answer["times"]]
        return "\n".join([f"{w}\t{y}" for w, y in zip(words, labels, strict=True)] if words else labels) + "\n"

    def tables(self, examples, answers, targets):
        """Each type of span as seqeval reports it, and what is most often wrong."""
        if self.task.marked is None:
            return {}
        found, true = self.task.predictions(answers, targets).kinds["spans"]
        names = ("precision", "recall", "f1", "support")
        tables: Tables = {
            "by_type": [
                {"type": y} | dict(zip(names, row, strict=True))
                for y, row in metric_of_spans.by_type(found, true).items()
            ]
        }
        if self.samples:
            wrong = metric_of_spans.most_wrong(examples.inputs, found, true)
            tables["most_wrong_spans"] = [{"true": a, "answered": b, "times": n} for a, b, n in wrong]
        return tables

    def rows(self, answer, given, number):
        """A row a step: of a text its sentence and token, of a video the time."""
        tags, wordy = answer["tags"], "words" in answer
        name = "token" if wordy else "step"
        about = {n: answer[n] for n in ("video", "start", "end") if n in answer and n not in given and not wordy}
        found = []
        for t, tag in enumerate(tags):
            own = {
                n: v[t] if isinstance(v, list) and len(v) == len(tags) and (not wordy or n == "line") else v
                for n, v in given.items()
            }
            place = ({"sentence": number} if wordy else {}) | {name: t + 1}
            time = {"time": answer["times"][t]} if "times" in answer else {}
            found.append(beside(own, about | place | time | dict(sorted(tag.items(), key=lambda x: ORDER.index(x[0])))))
        return found

    def page(self, parameters, folder, examples):
        task = self.task
        encoded, targets = task.encode(examples), task.targets(examples)
        answers = task.predict_batches(parameters, encoded)[2]
        metric = classification.Classification(tuple(task.labels))
        counts = metric.statistics(np.concatenate(answers), targets.values)
        confusion(folder / "confusion.png", counts, task.labels)
        text = classification.table(counts, task.labels)
        if tables := self.tables(examples, answers, targets):
            text = shown(tables) + REST + text
        if not isinstance(task.form, Words):
            names = examples.notes.get("names") or [f"sequence {i + 1}" for i in range(len(answers))]
            longest = sorted(np.argsort(-targets.lengths, kind="stable")[:8])
            pairs = [(names[i], targets[i].tolist(), answers[i].tolist()) for i in longest]
            ribbons(folder / "ribbons.png", pairs, task.labels)
        return text

"""What people see of a classifier: a label and how sure, a confusion matrix, calibration, the most wrong answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from helo.data.dataset import Dataset
from helo.drawing import confusion, reliability
from helo.metrics import calibration, classification
from helo.reports.base import Report, beside, body, learned_from


class ClassifyReport(Report):
    """Of a label, or several, for each example."""

    example = "reviews.tsv"

    def describe(self):
        o = self.task.options
        return (
            f"{learned_from(self.task)}, {len(self.task.labels)} labels; "
            f"{body(self.task)}, dropout {o.dropout:g}, {o.batch} examples per step"
        )

    def progress(self, parameters, rng):
        task, (encoded, targets) = self.task, self.task.splits.valid
        row = np.array([rng.integers(len(encoded.lengths))])
        p, truth = task.evaluate_batch(parameters, encoded.batch(row))[2][0], targets[row[0]]
        if task.many:
            right = [y for y, t in zip(task.labels, truth, strict=True) if t]
            return f"example {row[0] + 1}: {self.line(task.answer(None, p))} (true labels {', '.join(right) or 'none'})"
        return f"example {row[0] + 1}: {task.labels[int(p.argmax())]} {p.max():.2f} (true label {task.labels[truth]})"

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        of = f"{answer['video']}\t" if "video" in answer else ""
        if "labels" in answer:
            return of + (", ".join(f"{y} {answer['probabilities'][y]:.3f}" for y in answer["labels"]) or "none")
        return f"{of}{answer['label']}\t{answer['probability']:.3f}"

    def rows(self, answer, given, number):
        about = {
            n: v for n, v in answer.items() if n not in ("label", "labels", "probability", "probabilities", *given)
        }
        shares = {f"p_{y}": v for y, v in answer["probabilities"].items()}
        if "labels" in answer:
            return [beside(given, about | {"labels": self.task.options.multilabel.join(answer["labels"])} | shares)]
        return [beside(given, about | {"label": answer["label"], "probability": answer["probability"]} | shares)]

    def page(self, parameters, folder, examples):
        task, many = self.task, self.task.many
        encoded, targets = task.encode(examples), task.targets(examples)
        p = np.stack(task.predict_batches(parameters, encoded)[2])
        wrongness = (np.abs(p - targets).max(1) if many else 1 - p[np.arange(len(p)), targets]).round(6)
        worst = [i for i in np.argsort(-wrongness, kind="stable")[:10] if wrongness[i] > 0.5]
        text = ""
        if not many:
            counts = classification.Classification(tuple(task.labels)).statistics(p.argmax(1), targets)
            confusion(folder / "confusion.png", counts, task.labels)
            reliability(folder / "calibration.png", calibration.Calibration().statistics(p, targets), len(task.labels))
            text = classification.table(counts, task.labels)
        lines = []
        for i in worst:
            truth = f"labels {', '.join(examples.labels[i])}" if many else f"label {examples.labels[i]}"
            line = f"- {_place(examples, int(i), self.samples)} (true {truth}, answered {self.line(task.answer(examples.inputs[i], p[i]))})"
            lines.append(line.replace("\t", " "))
        return text + ("\nLargest errors:\n\n" + "\n".join(lines) + "\n" if lines else "")


def _place(examples: Dataset, i: int, text: bool) -> str:
    one = examples.inputs[i]
    where = Path(examples.place(i)).name
    return f"{where}: {' '.join(one.split())[:100]}" if text and isinstance(one, str) else where

"""What people see of a regression: a number and between which two it should lie, the truth against it, what is left over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from helo.drawing import numbers
from helo.metrics import determination, quantiles, regression
from helo.reports.base import Report, beside, body, learned_from
from helo.reports.base import rows as table

SHOWN = 6  # targets that are drawn


class RegressReport(Report):
    """Of a number, or several, for each example."""

    loss_unit = ""  # of scaled numbers
    example = "flats.csv --target price"

    def describe(self):
        o, task = self.task.options, self.task
        return (
            f"{learned_from(task)}; predicts {', '.join(task.names[:6])}"
            f"{', …' * (len(task.names) > 6)} as {o.distribution}; {body(task)}, dropout {o.dropout:g}, {o.batch} examples per step"
        )

    def progress(self, parameters, rng):
        task, (encoded, targets) = self.task, self.task.splits.valid
        row = np.array([rng.integers(len(encoded.lengths))])
        found = task.answers(parameters, task.evaluate_batch(parameters, encoded.batch(row))[2], encoded.lengths[row])
        truth = ", ".join(f"{v:.6g}" for v in targets[row[0]])
        return f"example {row[0] + 1}: {' '.join(self.line(task.answer(None, found[0])).split())} (true {truth})"

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        of = f"{answer['video']}\t" if "video" in answer else ""
        every = answer.get("targets")
        return of + (_line(answer) if every is None else "\t".join(f"{n} {_line(a)}" for n, a in every.items()))

    def rows(self, answer, given, number):
        every = answer.get("targets") or {self.task.names[0]: answer}
        about = {n: v for n, v in answer.items() if n not in ("targets", "value", "low", "high", "quantiles", *given)}
        found = {n: a["value"] for n, a in every.items()}
        found |= {f"{n}_{level}": v for n, a in every.items() for level, v in a["quantiles"].items()}
        return [beside(given, about | found)]

    def tables(self, examples, answers, targets):
        """The figures of each target, where there are several."""
        return {"by_target": self._by_target(np.stack(answers), targets)} if len(self.task.names) > 1 else {}

    def _by_target(self, found: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
        mean, deciles = found[..., 0], found[..., 1:]
        columns = {
            "rmse of the mean": np.sqrt(((truth - self.task.mean) ** 2).mean(0)),  # of the training examples
            **dict(
                zip(("rmse", "mae"), regression.by_target(regression.Regression().statistics(mean, truth)), strict=True)
            ),
            "r2": determination.by_target(determination.Determination().statistics(mean, truth)),
            "pinball": quantiles.by_target(quantiles.Quantiles().statistics(deciles, truth)),
            "coverage_80": quantiles.covered(deciles, truth),
        }
        return [
            {"target": name} | {c: float(v[k]) for c, v in columns.items()} for k, name in enumerate(self.task.names)
        ]

    def page(self, parameters, folder, examples):
        task = self.task
        encoded, truth = task.encode(examples), task.targets(examples)
        found = np.stack(task.predict_batches(parameters, encoded)[2])
        mean, outer = found[..., 0], found[..., [1, -1]]
        numbers(folder / "answers.png", folder / "residuals.png", task.names[:SHOWN], truth, mean, outer)
        each = self._by_target(found, truth)
        text = table(list(each[0]), [[v if isinstance(v, str) else f"{v:.4g}" for v in row.values()] for row in each])
        far = (np.abs(truth - mean) / task.std).max(1)
        worst = np.argsort(-far, kind="stable")[: min(10, len(far))]
        lines = []
        for i in worst:
            said = " ".join(self.line(task.answer(None, found[i])).split())
            lines.append(
                f"- {self._place(examples, int(i))} (true {', '.join(f'{v:.6g}' for v in truth[i])}, answered {said})"
            )
        return text + "\nLargest errors:\n\n" + "\n".join(lines) + "\n"

    def _place(self, examples: Any, i: int) -> str:
        where, one = Path(examples.place(i)).name, examples.inputs[i]
        return f"{where}: {' '.join(one.split())[:100]}" if self.samples and isinstance(one, str) else where


def _line(answer: dict[str, Any]) -> str:
    return f"{answer['value']:.6g}\t[{answer['low']:.6g}, {answer['high']:.6g}]"

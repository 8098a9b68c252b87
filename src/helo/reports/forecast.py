"""What people see of a forecast: a row a step, the series with its interval, the figures beside those of seasonal naive."""

from __future__ import annotations

from typing import Any

import numpy as np

from helo.reports.base import Report, beside


class ForecastReport(Report):
    """Of quantiles of the next values."""

    unit = "values"
    loss_unit = "deviations"
    example = "sales.csv --target sales --horizon 12"

    def describe(self):
        o, n, form = self.task.options, self.task.data["examples"], self.task.form
        return (
            f"{n['train']:,} series, {form.frequency}, {o.horizon} values held out of each; {o.cell} {o.layers} x {o.hidden}, "
            f"{form.context} values read, dropout {o.dropout:g}, {o.batch} windows per step"
        )

    def progress(self, parameters, rng):
        task, (encoded, _) = self.task, self.task.splits.valid
        row = np.array([rng.integers(len(encoded.lengths))])
        found = task.evaluate_batch(parameters, encoded.batch(row))[2][0]
        history = task.splits.examples.inputs[row[0]]
        first, truth = found[0], history.truth(1)[0]
        of = f"{history.name} {history.clock.text(history.origin)}".strip()
        return f"{of}: {first[4]:.6g} ({first[0]:.6g} to {first[8]:.6g}), true {truth:.6g}"

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        """An answer for a terminal: a line a step."""
        name = next((f"{v}\t" for k, v in answer.items() if k not in ("times", "mean", "quantiles")), "")
        rows = zip(answer["times"], answer["mean"], *answer["quantiles"].values(), strict=True)
        return "\n".join(f"{name}{time}\t" + "\t".join(f"{v:.6g}" for v in numbers) for time, *numbers in rows) + "\n"

    def rows(self, answer, given, number):
        time = self.task.options.time or "time"
        return [
            beside(
                given, {time: t, "mean": answer["mean"][i]} | {f"q{q}": v[i] for q, v in answer["quantiles"].items()}
            )
            for i, t in enumerate(answer["times"])
        ]

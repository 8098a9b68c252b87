"""What people see of a forecast: a row a step, the series with its interval, the figures beside those of seasonal naive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helo import pages
from helo.data.dataset import Dataset
from helo.drawing import forecasts
from helo.layers.quantiles import LEVELS
from helo.reports import forecast_page
from helo.reports.base import Report, beside, rows


class ForecastReport(Report):
    """Of quantiles of the next values."""

    unit = "values"
    loss_unit = "deviations"
    example = "sales.csv --target sales --horizon 12"

    def describe(self):
        o, n, form = self.task.options, self.task.data["examples"], self.task.form
        return (
            f"{n['train']:,} series, {form.frequency}; validated on {n['valid']:,} forecasts of {o.horizon} values; "
            f"{o.members} times {o.cell} {o.layers} x {o.hidden}, {form.context} values read, dropout {o.dropout:g}, {o.batch} windows per step"
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
        name = next((f"{v}\t" for k, v in answer.items() if k not in ("times", "mean", "quantiles", "paths")), "")
        rows = zip(answer["times"], answer["mean"], *answer["quantiles"].values(), strict=True)
        return "\n".join(f"{name}{time}\t" + "\t".join(f"{v:.6g}" for v in numbers) for time, *numbers in rows) + "\n"

    def rows(self, answer, given, number):
        time = self.task.options.time or "time"
        return [
            beside(
                given,
                {time: t, "mean": answer["mean"][i]}
                | {f"q{q}": v[i] for q, v in answer["quantiles"].items()}
                | {f"path{k}": path[i] for k, path in enumerate(answer.get("paths", ()), 1)},
            )
            for i, t in enumerate(answer["times"])
        ]

    def page(self, parameters, folder, examples):
        task = self.task
        encoded = task.targets(examples)
        answers = task.predict_batches(parameters, encoded)[2]
        predictions = task.predictions(answers, encoded)
        found = task.scoring.figures(predictions)
        naive = found["seasonal_naive"]
        others = {name: value for name, value in found.items() if isinstance(value, dict)}
        table = [(name, f"{found[name]:.4g}", *(f"{o[name]:.4g}" for o in others.values())) for name in naive]
        text = rows(("figure", "model", *(n.replace("_", " ") for n in others)), table)
        worse = [name for name in ("wql", "mase") if found[name] >= naive[name]]
        if worse:
            text = f"The model is not better than seasonal naive by {' and '.join(worse)}.\n\n{text}"
        truth = predictions.kinds["forecast"][1]
        errors = np.array([_error(q, t) for q, t in zip(answers, truth, strict=True)])
        order = np.flatnonzero(~np.isnan(errors))[np.argsort(errors[~np.isnan(errors)], kind="stable")]
        chosen = order if len(order) <= 2 * SHOWN else np.concatenate([order[:SHOWN], order[-SHOWN:]])
        if self.samples and len(chosen):
            forecasts(
                folder / "forecast.png",
                [self._panel(examples.inputs[i], answers[i], truth[i], errors[i]) for i in chosen],
            )
            many = order if len(order) <= 2 * PAGED else np.concatenate([order[:PAGED], order[-PAGED:]])
            of = "" if len(many) == len(order) else f"the {PAGED} best and the {PAGED} worst of "
            page = forecast_page.page(
                "Forecasts, the best first", f"{of}{len(order):,} forecasts, beside what came",
                [self.panel(examples.inputs[i], LEVELS, answers[i], truth[i].values, float(errors[i])) for i in many],
                "The error is the distance of the median from what came over that of seasonal naive: below 1 is better than it.",
            )  # fmt: skip
            pages.written(folder / "forecasts.html", page)
            text += "\nA picture of each is in [forecasts.html](forecasts.html).\n"
            text += f"\nThe best and the worst of {len(order):,} forecasts, by the distance of the median over that of seasonal naive:\n\n"
            lines = [(_called(examples.inputs[i]), f"{errors[i]:.3g}") for i in chosen]
            text += rows(("series, from", "error"), lines)
        return text

    def panel(
        self, history: Any, levels: Sequence[float], found: np.ndarray, truth: np.ndarray, error: float | None = None
    ) -> forecast_page.Panel:
        start = self._start(history, len(found))
        about = f"from {history.clock.text(history.origin)}" + ("" if error is None else f", error {error:.2f}")
        first, last = (history.clock.text(i) for i in (start, history.origin + len(found) - 1))
        return forecast_page.Panel(
            history.name, about, history.values[start : history.origin], levels, found, truth, first, last
        )

    def _start(self, history: Any, horizon: int) -> int:
        """The first value that is drawn before a forecast: of two years a forecast of four weeks would be a line. Before a long
        one as many as it has.
        """
        season = min(self.task.form.bases)
        return max(0, history.origin - max(min(4 * horizon, MANY), horizon, min(2 * season, MANY)))

    def _panel(self, history: Any, deciles: np.ndarray, truth: Any, error: Any) -> Any:
        before = history.values[self._start(history, len(deciles)) : history.origin]
        return f"{_called(history)}: {error:.2f} of seasonal naive", before, deciles, truth.values


MANY = 400  # values are as many as can be told apart
SHOWN, PAGED = 3, 100  # of the best forecasts, and of the worst, in the picture and on the page


def _called(history: Any) -> str:
    return f"{history.name} {history.clock.text(history.origin)}".strip()


def _error(deciles: np.ndarray, truth: Any) -> float:
    """The mean distance of the median from what came, over that of seasonal naive; NaN where that has none."""
    there = ~np.isnan(truth.values)
    naive = np.abs(truth.naive - truth.values)[there].sum()
    return float(np.abs(deciles[there, 4] - truth.values[there]).sum() / naive) if naive > 0 else float("nan")


def answers_page(
    report: ForecastReport, title: str, examples: Sequence[Dataset], answers: Sequence[dict[str, Any]]
) -> str:
    """All series, each with its forecast."""
    series = [x for part in examples for x in part.inputs]
    panels = []
    for history, answer in zip(series, answers, strict=True):
        levels, q = [float(v) for v in answer["quantiles"]], np.array(list(answer["quantiles"].values())).T
        panels.append(report.panel(history, levels, q, np.full(len(q), np.nan)))
    said = (
        f"{len(series):,} series {'and its' if len(series) == 1 else 'with their'} forecast{'s' * (len(series) != 1)}"
    )
    return forecast_page.page(title, said, panels)

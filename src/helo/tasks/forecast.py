"""Forecast what comes next in one series or in thousands. (Many to many; one model over all series, free of their scale.)

what came before → recurrent layers → their state → recurrent layers over the steps ahead → quantiles of each
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from helo import engines, inputs
from helo.cells.functions import namespace
from helo.data import histories, times
from helo.errors import HeloError
from helo.inputs.windows import Encoded, Windows
from helo.layers import paths as sampling
from helo.layers import quantiles
from helo.layers.quantiles import LEVELS
from helo.metrics import Predictions, Scoring
from helo.metrics.forecast import Forecast as Figures
from helo.models.forecaster import Forecaster
from helo.saved import fields, settled
from helo.tasks import baselines
from helo.tasks.base import Parameters, Recipe, filled
from helo.tasks.examples import ExampleTask, as_before
from helo.tasks.forecast_options import Options, PredictOptions
from helo.tasks.histories import FEW, MEMBERS, HistorySource, parts

FARTHEST = 30.0  # deviations, of a value that is learned from
SHORT, LONG = 800, 1_000  # steps at most, of few values and of many: more learn them by heart
ENOUGH = 20  # forecasts: by fewer no weights are chosen


class Forecast(ExampleTask):
    """Quantiles of the next values."""

    Options = Options
    source = HistorySource("series", "chronological")
    recipe = Recipe({"adam_rate": 3e-3, "rate": 0.02}, lr_scale={"autoregression": 0.0}, averaged=True, enough=ENOUGH)
    scoring = Scoring(("forecast",), ("forecast",))
    form: Windows

    def __init__(self, options: Options, form: Windows):
        self.options, self.form = options, form
        self.model = Forecaster(options, form, len(LEVELS))

    @classmethod
    def load(cls, options, saved, data):
        settled(options, "hidden", "dropout", "frequency", "season")
        form = inputs.from_json(fields(saved, input=dict)[0])
        if not isinstance(form, Windows):
            raise ValueError("not windows of series")
        if form.horizon != options.horizon:
            raise ValueError(f"windows with a horizon of {form.horizon}, not {options.horizon}")
        if form.parts not in (0, options.members if options.calibrate else 0) or (
            options.cross_validate and not form.parts
        ):
            raise ValueError(f"{form.parts} parts of the time, {options.members} networks")
        return cls(as_before(options), form)

    @classmethod
    def from_dataset(cls, options, examples):
        if all(np.nanmin(h.values) == np.nanmax(h.values) for h in examples.inputs if len(h)):
            value = next((f"{np.nanmin(h.values):g}" for h in examples.inputs if len(h)), "missing")
            raise HeloError(f"all values are {value}", expected="values that vary", where=examples.place(0))
        if options.season is not None and options.season > (most := max(map(len, examples.inputs))):
            raise HeloError(
                f"{options.season}", expected=f"at most {most}, the values of the longest series", where="--season"
            )
        frequency = examples.inputs[0].clock.frequency
        small = sum(map(len, examples.inputs)) < FEW
        count = parts(examples, options)
        form = Windows.learn(examples.inputs, options.horizon, options.season, small, count)
        windows = len(form.training(examples.inputs).rows)
        style = examples.inputs[0].clock.style  # what begins with the year is read in one way only
        o = filled(options, time=examples.notes.get("time"), time_format=style if re.match("%[dmy]", style) else None,
                   frequency=frequency, season=times.season(frequency), hidden=32 if small else 64,
                   members=count or (MEMBERS if small else 3), calibrate=count > 0,
                   cross_validate=bool(examples.notes.get("crossed")), dropout=0.2 if small else 0.1,
                   batch=32 if small else 128)  # fmt: skip
        self = cls(o, form)
        # Windows overlap: a pass over all shows each value hundreds of times.
        self.recipe = replace(self.recipe, max_epochs=(SHORT if small else LONG) / -(-windows // o.batch))
        return self

    def training_examples(self, examples):
        encoded = self.form.training(examples.inputs)
        encoded.parts = self.options.members if self.options.calibrate else 0  # in a run of before the form has none
        return encoded, encoded

    def encode(self, examples):
        encoded = self.form.encode(examples)
        encoded.parts = examples.notes.get("parts", 0)
        return encoded

    def targets(self, examples):
        encoded = self.encode(examples)
        encoded.ets = bool(examples.notes.get("ets"))
        return encoded

    def target_batch(self, targets: Encoded, rows):
        return {"targets": targets.targets(rows)}

    # What is minimised.

    def loss(self, parameters, batch, state, noise):
        found = self.model.each(parameters, batch, noise)
        xp, (targets, there) = namespace(found[0][0]), self._scaled(found[0][0], batch)
        count = xp.sum(there)
        if not self.model.calibrated:
            return sum(self._loss(q, targets, there) for q, _ in found) / len(found), count, None
        loss, whole = 0.0, batch["whole"][:, None]
        for k, (q, base) in enumerate(found):
            own = there * xp.astype(batch["part"] == k, there.dtype)
            loss = loss + self._loss(q, targets, there - own) / (len(found) - 1)
            # Its gradient alone counts, and only for the calibration. A window that was cut short is off by far more than others.
            apart = self.model.calibrate(parameters, engines.constant(q), engines.constant(base))
            apart = self._loss(apart, targets, own * xp.astype(whole, own.dtype))
            loss = loss + apart - engines.constant(apart)
        return loss, count, None

    def _scaled(self, found: Any, batch: Any) -> tuple[Any, Any]:
        """What came, as the windows are scaled, and 1 where something came, `(batch, horizon)` each, in the precision of losses."""
        xp, like = namespace(found), self._like(found)
        scaled = xp.astype((batch["targets"] - batch["level"][:, None]) / batch["scale"][:, None], like.dtype)
        there = xp.astype(~xp.isnan(scaled), like.dtype)
        # After a stretch that hardly varies any change is a thousand deviations: far is far.
        return xp.where(there > 0, xp.clip(scaled, -FARTHEST, FARTHEST), xp.zeros_like(scaled)), there

    @staticmethod
    def _loss(found: Any, targets: Any, counts: Any) -> Any:
        """The pinball loss, the mean of the levels, over all steps, by how much each counts."""
        xp = namespace(targets)
        levels = engines.array(np.array(LEVELS, np.float32), targets)
        return xp.sum(xp.mean(quantiles.pinball(xp.astype(found, targets.dtype), targets, levels), axis=-1) * counts)

    # What it answers.

    def evaluate_batch(self, parameters, batch, loss_only=False):
        found = self.model.forward(parameters, batch)
        xp = namespace(found)
        loss, count = 0.0, 0
        if "targets" in batch:
            targets, there = self._scaled(found, batch)
            loss, count = self._loss(found, targets, there), xp.sum(there)
        values = xp.astype(found, xp.float64) * batch["scale"][:, None, None] + batch["level"][:, None, None]
        return loss, count, xp.maximum(values, batch["least"][:, None, None])  # what was never below 0 will not be

    @staticmethod
    def _like(found: Any) -> Any:
        """An array of the precision in which losses are added up."""
        xp = namespace(found)
        return xp.astype(found, xp.float32)

    def predictions(self, answers, targets: Encoded):
        truth = [targets.truth(i, self.options.season) for i in range(len(answers))]
        others = {"seasonal_naive": [np.repeat(t.naive[:, None], 1 + len(LEVELS), 1) for t in truth]}
        if targets.ets:
            others["auto_ets"] = baselines.forecasts(targets, self.options.season, others["seasonal_naive"])
        answers = [np.concatenate([quantiles.mean(q, LEVELS)[:, None], q], 1) for q in answers]
        metric = Figures()
        beside = {n: metric.score(metric.statistics(o, truth)) | metric.notes(o, truth) for n, o in others.items()}
        return Predictions({"forecast": (answers, truth)}, notes=beside | {"windows": len(answers)})

    def predict(self, parameters, source, horizon=None, quantiles=(), paths=0, seed=None):
        """Of each series its next values: `times`, `mean`, and `quantiles` by their level, the deciles where no others are asked
        for. horizon: how many steps; as in training where it is not given. paths: also so many sampled `paths`, each
        `(horizon,)`, of whole numbers where all values of the series are counts.
        """
        examples = self.source.given(self, list(source) if isinstance(source, Iterator) else source)
        levels = PredictOptions(horizon, tuple(quantiles)).levels
        encoded = self.form.of(examples, horizon or self.options.horizon)
        found = self.predict_batches(parameters, encoded)[2]
        answers = [
            self._answer(x, y, levels, encoded.least(i))
            for i, (x, y) in enumerate(zip(examples.inputs, found, strict=True))
        ]
        rng = np.random.default_rng(seed)
        for i, answer in enumerate(answers if paths else ()):
            drawn = _from(encoded.least(i), sampling.sampled(found[i], encoded.persistence(i), paths, rng))
            answer["paths"] = (np.rint(drawn) if sampling.counts(encoded.before(i)) else drawn).tolist()
        return examples.known(answers)

    def answer(self, source, found):
        return self._answer(source, found, LEVELS)

    def _answer(
        self, source: histories.History, found: np.ndarray, levels: tuple[float, ...], least: float = -np.inf
    ) -> dict[str, Any]:
        """least: below which there is nothing, also beyond the outermost decile."""
        asked = found if levels == LEVELS else np.stack([quantiles.at(found, LEVELS, level) for level in levels], -1)
        asked = _from(least, asked)
        return {
            "times": [source.clock.text(source.origin + i) for i in range(len(found))],
            "mean": _from(least, quantiles.mean(found, LEVELS)).tolist(),
            "quantiles": {f"{level:g}": asked[:, k].tolist() for k, level in enumerate(levels)},
        }

    # Value by value, as a stream comes.

    def fed(
        self, parameters: Parameters, item: float, state: Any, past: dict[str, Any]
    ) -> tuple[dict[str, Any], Any, dict]:
        """One value more of a series, NaN where it is missing: the forecast of the next one, and the state after it, the values that
        a window may look back on.
        """
        kept, there = self.stream_state()[0] if state is None else state[0]
        kept = np.append(kept[:, 1:], [[0.0 if np.isnan(item) else item]], 1)
        there = np.append(there[:, 1:], [[float(not np.isnan(item))]], 1)
        values = np.where(there[0] > 0, kept[0], np.nan)[int(there[0].argmax()) :]
        answer = self.predict(parameters, [values], horizon=1)[0]
        return {"mean": answer["mean"][0], **{q: v[0] for q, v in answer["quantiles"].items()}}, ((kept, there),), {}

    def stream_state(self) -> Any:
        """Before the first value of a stream: the last values, none so far, and which of them there are, `(1, values)` each."""
        none = np.zeros((1, max(self.form.lags) + self.form.context))
        return ((none, none.copy()),)

    def to_json(self):
        return self.data, {"input": self.form.to_json()}


def _from(least: float, values: np.ndarray) -> np.ndarray:
    """The values, those below the least one as that one; 0 without a sign."""
    return np.maximum(values, least) + 0.0

"""How sure a figure is: the bootstrap over examples and seeds (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).

Figures of several models are drawn from the same examples, so that what is hard for all of them does not blur their
difference: the paired bootstrap (Koehn 2004, Statistical Significance Tests for Machine Translation Evaluation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import engines, metrics
from helo.metrics import Metric, Predictions
from helo.metrics.perplexity import Perplexity
from helo.runs.run import Run
from helo.tasks.examples import ExampleTask, evaluated
from helo.tasks.score import ONE_ROW, Score, scores

DRAWS = 1000
BLOCKS, FEWEST = (
    1000,
    30,
)  # examples are drawn in so many parts: statistics of each example of many would not fit in memory
ROOM = 1 << 24  # numbers of the statistics of all parts of a metric, such as those of a thousand labels by a thousand
STRETCH = 512  # symbols of a running text that are drawn together, for neighbours are alike
LEVELS = (2.5, 97.5)  # percentiles: 95 %


@dataclass(frozen=True)
class Part:
    """What a metric makes of each block of examples: statistics `(blocks, …)`, which add up."""

    metric: Metric
    statistics: np.ndarray

    def figures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each figure `(draws,)` where block i is there `weights[:, i]` times."""
        flat = self.statistics.reshape(len(self.statistics), -1)
        drawn, together = [], max(1, ROOM // flat.shape[1])
        with np.errstate(all="ignore"):
            for some in np.split(weights, range(together, len(weights), together)):
                sums = (some @ flat).reshape(len(some), *self.statistics.shape[1:])
                drawn += [self.metric.score(one) for one in sums]
        return {f: np.array([d[f] for d in drawn], float) for f in drawn[0] if isinstance(drawn[0][f], float)}


def parts(run: Run, files: Sequence[Any] = ()) -> list[Part]:
    """The answers of a run on files, or on its own validation data, as its metrics add them up. Raises HeloError where that
    data is not there any more.
    """
    with engines.fastest(run.parameters) as parameters, run.computing():
        data = run.recorded(files)
        if isinstance(run.task, ExampleTask):
            _, _, answers, targets = evaluated(run.task, parameters, data, files)
            return _parts(run.task.scoring.metrics, run.task.predictions(answers, targets))
        symbols, start = run.task.text(data, files)
        rows = 1 if len(symbols) - start <= ONE_ROW else 16  # as it is validated
        return _stretches(list(scores(run.task, parameters, symbols, start, len(symbols), rows, STRETCH)))


def _parts(names: Sequence[str | type[Metric]], predictions: Predictions) -> list[Part]:
    found = []
    for metric in (metrics.find(name, tuple(predictions.labels)) for name in names):
        answers, truth = predictions.kinds[next(k for k in metric.kinds if k in predictions.kinds)]
        metric = metric.corpus(truth)
        size = metric.statistics(answers[:1], truth[:1]).size
        most = max(FEWEST, min(BLOCKS, ROOM // size))
        blocks = np.array_split(np.arange(len(answers)), min(most, len(answers)))
        found.append(Part(metric, np.stack([metric.statistics(_some(answers, b), _some(truth, b)) for b in blocks])))
    return found


def _stretches(found: Sequence[Score]) -> list[Part]:
    return [Part(Perplexity(), np.array([[s.total, s.symbols, s.characters, s.bytes] for s in found], float))]


def _some(values: Any, rows: np.ndarray) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows]


def draws(groups: Sequence[Sequence[Sequence[Part]]], seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Of each group of models, one a seed, the mean of each figure over them, `(draws,)`, with examples and seeds drawn
    again. The first `draw` is of all as they are. Models on the same number of examples share their draws.
    """
    drawn: dict[int, np.ndarray] = {}

    def weights(blocks: int) -> np.ndarray:
        if blocks not in drawn:
            rng = np.random.default_rng([seed, blocks])
            found = rng.multinomial(blocks, np.full(blocks, 1 / blocks), DRAWS).astype(float)
            drawn[blocks] = np.concatenate([np.ones((1, blocks)), found])
        return drawn[blocks]

    found = []
    for models in groups:
        each = [_joined(part.figures(weights(len(part.statistics))) for part in model) for model in models]
        rng = np.random.default_rng(seed)  # the same seeds of every group
        chosen = rng.integers(len(models), size=(DRAWS, len(models)))
        chosen = np.concatenate([np.arange(len(models))[None], chosen])
        stacked = {f: np.stack([e[f] for e in each]) for f in each[0] if all(f in e for e in each)}
        found.append({f: v[chosen.T, np.arange(1 + DRAWS)].mean(0) for f, v in stacked.items()})
    return found


def _joined(several: Any) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for one in several:
        found |= one
    return found


def interval(values: np.ndarray) -> dict[str, float] | None:
    """The value as it is, and between which two it lies in 95 % of the draws. None where some of them are no number."""
    if not np.isfinite(values).all():
        return None
    low, high = np.percentile(values[1:], LEVELS)
    return {"mean": float(values[0]), "low": float(low), "high": float(high)}


def against(drawn: Sequence[Mapping[str, np.ndarray]], figure: str, best: int) -> list[dict[str, float] | None]:
    """By how much each group's figure is above that of the best, with its interval; None for the best itself."""
    return [None if i == best else interval(d[figure] - drawn[best][figure]) for i, d in enumerate(drawn)]

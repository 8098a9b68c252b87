"""What comes next in one series or in many, as a forecaster of sktime."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from helo.data import times
from helo.errors import wrap
from helo.sklearn.base import InvalidInput, Trained, invalid

with wrap(ImportError, "helo.sklearn.Forecaster needs sktime", mend="pip install 'helo[sktime]'"):
    from sktime.forecasting.base import BaseForecaster  # pyright: ignore[reportMissingImports]

MULTI = ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"]


class Forecaster(Trained, BaseForecaster):
    """Quantiles of the next values: `helo train forecast` as a forecaster of sktime; one model over all series of a panel.

    y: a series, or a panel; missing values are NaN. X: what is known in advance. fh: the steps to forecast.

    Examples
    --------
    >>> from sktime.datasets import load_airline  # doctest: +SKIP
    >>> Forecaster(steps=100).fit(load_airline(), fh=[1, 2, 3]).predict()  # doctest: +SKIP
    """

    task = "forecast"
    left_out = frozenset(("split", "horizon"))
    budget: ClassVar[dict[str, Any]] = {"steps": 800}
    _y = _X = None  # which sktime looks at even where it is told not to keep them
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}  # it keeps its own
    _tags: ClassVar[dict[str, Any]] = {
        "authors": ["helo"], "y_inner_mtype": MULTI, "X_inner_mtype": MULTI, "capability:exogenous": True,
        "capability:multivariate": False, "capability:insample": False, "capability:pred_int": True,
        "capability:pred_int:insample": False, "capability:missing_values": True, "capability:update": True,
        "capability:categorical_in_X": False, "capability:non_contiguous_X": False, "capability:random_state": True, "requires-fh-in-fit": False,
        "python_dependencies": "torch",
    }  # fmt: skip

    @invalid
    def _fit(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        if not y.size:
            raise InvalidInput(f"a table of shape {y.shape}", expected="one value or more", where="y")
        self._seen = y, X
        ahead = 12 if fh is None else max(1, int(max(fh.to_relative(self.cutoff))))
        known = [] if X is None else [f"x{k}" for k in range(X.shape[1])]
        table = _table(y, X)
        short = min(one.notna().to_numpy().nonzero()[0].max(initial=0) + 1 for _, one in _series(y))
        valid = None
        if short < 2 * ahead + max(2, self.season or _season(table, self.frequency)):  # too short to hold something out
            valid = table
        return self._train(table, valid, horizon=ahead, time="time", target="value", group="series", known=known)

    def _update(self, y: Any, X: Any = None, update_params: bool = True) -> Self:
        seen, known = self._seen
        self._seen = _joined(seen, y), None if known is None or X is None else _joined(known, X)
        return self._fit(*self._seen, self._fh) if update_params else self

    def _predict(self, fh: Any, X: Any = None) -> Any:
        return self._forecast(fh, X, (), lambda one: one["mean"][:, None])

    def _predict_quantiles(self, fh: Any, X: Any, alpha: Any) -> Any:
        levels = tuple(f"{level:g}" for level in alpha)
        found = self._forecast(fh, X, levels, lambda one: np.stack([one["quantiles"][n] for n in levels], 1))
        names = self._get_varnames()
        found.columns = pd.MultiIndex.from_product([names, alpha])
        return found

    @invalid
    def _forecast(self, fh: Any, X: Any, levels: tuple[str, ...], of: Any) -> Any:
        """A row a step of each series. of: the columns of an answer, `(horizon, columns)`."""
        y, known = self._seen
        X = None if known is None else _joined(known, X)
        steps = np.asarray(fh.to_relative(self.cutoff), int)
        parts = list(_series(y))
        # helo goes on from the last value that is there; what is missing at the end is to come, too.
        missing = [len(one) - int(np.flatnonzero(one.notna().to_numpy())[-1]) - 1 for _, one in parts]
        horizon = int(steps.max()) + max(missing)
        found = self.run_.predict(_table(y, X), horizon=horizon, quantiles=levels)
        rows = []
        for one, late in zip(found, missing, strict=True):
            arrays = {"mean": np.array(one["mean"]), "quantiles": {k: np.array(v) for k, v in one["quantiles"].items()}}
            rows.append(of(arrays)[steps - 1 + late])
        ahead: Any = fh.to_absolute_index(self.cutoff)
        index = ahead
        if y.index.nlevels > 1:
            keys = [(*key, at) for key, _ in parts for at in ahead]
            index = pd.MultiIndex.from_tuples(keys, names=y.index.names)
        names = y.columns if len(rows[0][0]) == len(y.columns) else range(len(rows[0][0]))
        return pd.DataFrame(np.concatenate(rows), index=index, columns=names)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small ones, for sktime's checks."""
        return [
            {"steps": 3, "hidden": 4, "random_state": 0},
            {"steps": 2, "hidden": 3, "cell": "gru", "random_state": 1},
        ]


def _series(y: Any) -> Any:
    """Each series of a table, with its key."""
    if y.index.nlevels == 1:
        yield (), y.iloc[:, 0]
        return
    keys = y.index.droplevel(-1)
    for key in keys.unique():
        yield key if isinstance(key, tuple) else (key,), y.iloc[:, 0][keys == key]


def _table(y: Any, X: Any) -> dict[str, list[Any]]:
    """Series as rows with their times, and what is known of each, beyond the last value too."""
    whole = y if X is None else y.join(X.set_axis([f"x{k}" for k in range(X.shape[1])], axis=1), how="outer")
    if whole.index.nlevels == 1:
        names = [0] * len(whole)
    else:
        keys = y.index.droplevel(-1).unique()
        names = keys.get_indexer(whole.index.droplevel(-1)).tolist()
        order = np.argsort(names, kind="stable")
        whole, names = whole.iloc[order], sorted(names)
    at = whole.index.get_level_values(-1)
    at = at.to_timestamp() if isinstance(at, pd.PeriodIndex) else at
    if isinstance(at, pd.DatetimeIndex):
        at = at.strftime("%Y-%m-%d %H:%M:%S")
    columns = {"series": names, "time": at.tolist(), "value": whole.iloc[:, 0].tolist()}
    return columns | {name: whole[name].tolist() for name in whole.columns[1:]}


def _season(table: dict[str, list[Any]], frequency: str | None) -> int:
    """Values in a season, by the frequency or the times of the first series."""
    if frequency is None:
        of = [at for at, name in zip(table["time"], table["series"], strict=True) if name == 0]
        frequency = times.recognised(times.parse(of, of, "time")[0])
    return 1 if frequency is None else times.season(times.frequency(frequency))


def _joined(before: Any, after: Any) -> Any:
    """Rows and later ones; of two at one time the later."""
    if after is None:
        return before
    both = pd.concat([before, after])
    return both[~both.index.duplicated(keep="last")].sort_index()

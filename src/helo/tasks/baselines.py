"""Forecasts of other methods, beside which a model's are shown."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence

import numpy as np

from helo import progress
from helo.errors import wrap
from helo.inputs.windows import Encoded
from helo.layers.quantiles import LEVELS


def forecasts(targets: Encoded, season: int, naive: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of each window what AutoETS says; of one that it cannot fit, what seasonal naive says."""
    found = []
    for i, other in enumerate(naive):
        progress.tell("AutoETS", i, len(naive))
        found.append(auto_ets(targets.before(i), season, len(other)))
    progress.tell("AutoETS", len(naive), len(naive))
    if none := sum(f is None for f in found):
        progress.say(f"AutoETS fits no model to {none:,} of {len(naive):,} windows; there it is seasonal naive")
    return [n if f is None else f for f, n in zip(found, naive, strict=True)]


def auto_ets(before: np.ndarray, season: int, horizon: int) -> np.ndarray | None:
    """The mean and the deciles, `(horizon, 10)`, of an exponential smoothing model that is chosen for the series by its AICc (Hyndman and
    Khandakar 2008), as statsforecast has it. before `(time,)`: the values until then; those that are missing are interpolated. None where
    it has no answer, for a few values alone. Raises HeloError where statsforecast is missing.
    """
    return _auto_ets(before.tobytes(), season, horizon)


@functools.lru_cache(1 << 14)
def _auto_ets(content: bytes, season: int, horizon: int) -> np.ndarray | None:
    with (
        wrap(ImportError, "AutoETS needs statsforecast", mend="pip install 'helo[ets]'"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        from statsforecast.models import AutoETS
    values = np.frombuffer(content)
    there = np.flatnonzero(~np.isnan(values))
    if not len(there):
        return None
    values = np.interp(np.arange(there[0], len(values)), there, values[there])
    wide = {
        f"{100 * (1 - 2 * q):.0f}": (f"lo-{100 * (1 - 2 * q):.0f}", f"hi-{100 * (1 - 2 * q):.0f}")
        for q in LEVELS
        if q < 0.5
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = AutoETS(season_length=season).forecast(y=values, h=horizon, level=[int(w) for w in wide])
        except Exception:  # too few values, or a form that cannot be fitted
            return None
    lower, upper = ([found[names[side]] for names in wide.values()] for side in (0, 1))
    answer = np.stack([found["mean"], *lower, found["mean"], *reversed(upper)], 1)
    return answer if np.isfinite(answer).all() else None

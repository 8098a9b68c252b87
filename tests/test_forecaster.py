"""The forecaster: held to sktime's own checks, where sktime is installed."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sktime")

import helo
from helo.sklearn import Forecaster

SMALL = {"steps": 30, "hidden": 8, "random_state": 0}


@pytest.fixture(autouse=True)
def _their_warnings():
    """What sktime warns of, of its own next version and of other libraries, is not helo's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def monthly(count: int = 60) -> pd.Series:
    steps = np.arange(count)
    values = 100 + steps + 10 * np.sin(2 * np.pi * steps / 12)
    return pd.Series(values, pd.period_range("2000-01", periods=count, freq="M"), name="sales")


def test_one_series_is_forecast():
    y = monthly()
    model = Forecaster(**SMALL).fit(y[:-12], fh=[1, 2, 12])
    found = model.predict()
    assert list(found.index) == list(y.index[[48, 49, 59]])
    assert found.name == "sales"
    assert model.run_.task.options.horizon == 12
    low, high = model.predict_interval(coverage=0.8).to_numpy().T
    assert (low < found).all()
    assert (found < high).all()
    assert model.predict(fh=[20]).shape == (1,)  # further than it was trained for
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict(fh=[1, 2, 12]) == found).all()


def test_the_same_forecast_as_the_command_line(tmp_path):
    y = monthly()
    file = tmp_path / "y.csv"
    file.write_text(
        "time,value\n" + "".join(f"{p},{v!r}\n" for p, v in zip(y.index.astype(str), y.tolist(), strict=True))
    )
    run = helo.train("forecast", file, out=tmp_path / "run", time="time", target="value", horizon=3, steps=30, hidden=8, quiet=True)  # fmt: skip
    found = Forecaster(**SMALL).fit(y, fh=[1, 2, 3]).predict()
    assert np.allclose(found, run.predict({"time": y.index.astype(str), "value": y.to_numpy()})[0]["mean"])


def test_new_values_are_seen_without_training_again():
    y = monthly()
    model = Forecaster(**SMALL).fit(y[:40], fh=[1, 2])
    before = model.run_
    model.update(y[40:50], update_params=False)
    assert model.run_ is before
    assert list(model.predict().index) == list(y.index[50:52])


def test_a_panel_is_one_model_and_what_is_known_counts():
    y = monthly()
    index = pd.MultiIndex.from_product([["b", "a"], y.index.to_timestamp()], names=["shop", "time"])
    panel = pd.DataFrame({"sales": [*y, *(10 * y)]}, index).sort_index()
    known = pd.DataFrame({"holiday": np.arange(120) % 7 == 0}, panel.index).astype(float)
    early = panel.index.get_level_values(1) < "2004-10"
    model = Forecaster(**SMALL).fit(panel[early], X=known[early], fh=[1, 2, 3])
    found = model.predict(X=known[~early])
    assert found.index.equals(panel.index[~early])
    assert found.loc["a"].mean().item() > 5 * found.loc["b"].mean().item()
    assert model.run_.about["data"]["examples"] == {"train": 2, "valid": 28}  # a few series are cross-validated


def test_missing_values_at_the_end_are_to_come():
    y = monthly()
    late = y.copy()
    late.iloc[-2:] = np.nan
    model = Forecaster(**SMALL).fit(late, fh=[1])
    assert model.predict().index[0] == y.index[-1] + 1
    assert abs(model.predict().item() - y.iloc[-1]) < 60


@pytest.mark.parametrize("y", [monthly() * 0, monthly(3)], ids=["constant", "short"])
def test_what_cannot_be_learned_is_a_value_error(y):
    with pytest.raises(ValueError):
        Forecaster(**SMALL).fit(y, fh=[1, 2, 3])


@pytest.mark.slow
def test_checks_of_sktime():
    from sktime.utils.estimator_checks import check_estimator

    found = check_estimator(Forecaster, verbose=False)
    assert {name: result for name, result in found.items() if result != "PASSED"} == {}

"""The linear forecast under a forecaster of few values."""

from __future__ import annotations

import json

import numpy as np

import helo
from helo.data.histories import history
from helo.data.times import Clock
from helo.inputs import autoregression
from helo.inputs.autoregression import Moments
from helo.inputs.windows import Windows


def windows(values, horizon=4, few=True):
    h = history("", np.asarray(values, float), Clock("daily"))
    form = Windows.learn([h], horizon, few=few)
    return form, form.training([h])


def test_ridge_is_that_of_scikit_learn():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    xs, bases, ys = rng.standard_normal((50, 3)), rng.standard_normal((50, 2)), rng.standard_normal((50, 2))
    for size in (3, 2):
        for h, own in enumerate(Moments(xs, bases, ys).ridge(size, 0.3)):
            x = np.column_stack([xs[:, -size:], bases[:, h]])
            theirs = Ridge(0.3 * len(x), fit_intercept=False).fit(x, ys[:, h])
            np.testing.assert_allclose(own[-size - 1 :], theirs.coef_, atol=1e-8)
            assert not own[: -size - 1].any()  # of the values further back


def test_each_part_has_coefficients_that_know_nothing_of_it(monkeypatch):
    monkeypatch.setattr(autoregression, "SIZES", ())
    monkeypatch.setattr(autoregression, "PENALTIES", (0.01,))
    walk = np.random.default_rng(1).standard_normal(3000)
    for i in range(4, len(walk)):
        walk[i] += 0.9 * walk[i - 4]
    h = history("", walk + 50, Clock("daily"))
    form = Windows.learn([h], 4, few=True, parts=5)
    encoded = form.training([h])
    assert form.coefficients.shape == (5, 4, form.recent + 1)
    np.testing.assert_array_equal(autoregression.fit(encoded), form.coefficients)
    right = encoded.targets
    encoded.targets = lambda rows: right(rows) + (encoded.part(rows) == 2)
    changed = np.abs(autoregression.fit(encoded) - form.coefficients).max((1, 2))
    assert changed[2] == 0
    assert (changed[[0, 1, 3, 4]] > 1e-3).all()


def test_fits_that_do_about_as_well_all_count(monkeypatch):
    rng = np.random.default_rng(0)
    form, encoded = windows(np.cumsum(rng.standard_normal(900)) + 50)
    several = autoregression.fit(encoded)
    np.testing.assert_array_equal(several, form.coefficients)
    monkeypatch.setattr(autoregression, "SHARPNESS", 1e9)
    best = autoregression.fit(encoded)  # the best of them alone
    assert 0.001 < np.abs(several - best).max() < 0.3


def test_a_random_walk_goes_on_from_where_it_is():
    walk = np.cumsum(np.random.default_rng(0).standard_normal(900)) + 50
    form, encoded = windows(walk)
    batch = encoded.batch(np.arange(len(encoded.rows)))
    correction = batch["recent"] @ form.coefficients[:, :-1].T + batch["base"] * form.coefficients[:, -1]
    target = (encoded.targets(np.arange(len(encoded.rows))) - batch["level"][:, None]) / batch["scale"][:, None]
    before, after = (np.abs(target - b).mean() for b in (batch["base"], batch["base"] + correction))
    assert after < 0.8 * before  # the season before says little of a walk


def test_where_there_is_nothing_to_correct_it_is_nothing():
    form, _ = windows(np.tile([1.0, 5.0, 2.0, 8.0, 3.0, 0.0, 4.0], 100))
    assert form.recent == 0
    short, _ = windows([1.0, 2.0, 1.0, 3.0, 1.0, 2.0, 5.0, 1.0, 2.0, 4.0, 1.0, 2.0, 3.0, 3.0, 1.0])
    assert short.coefficients is None  # too few windows to judge by
    assert short.recent == 0


def test_what_is_missing_is_no_target():
    values = np.cumsum(np.random.default_rng(3).standard_normal(500)) + 50
    values[::40] = np.nan
    form, _ = windows(values)
    assert np.isfinite(form.coefficients).all()
    assert form.coefficients.any()


def test_many_values_have_none():
    form, encoded = windows(np.arange(300.0) % 7, few=False)
    assert form.recent == 0
    assert "recent" not in form.to_json()
    assert "recent" not in encoded.batch(np.arange(2))


def test_it_is_saved_and_goes_beyond_its_horizon(tmp_path):
    walk = np.cumsum(np.random.default_rng(1).standard_normal(600)) + 50
    run = helo.train(
        "forecast", [walk], out=tmp_path / "run", frequency="daily", horizon=4, steps=3, hidden=4, quiet=True
    )
    saved = json.loads((tmp_path / "run" / "vocab.json").read_text())
    assert saved["input"]["recent"] == run.task.form.recent > 0
    again = helo.load(tmp_path / "run")
    first, far = (again.predict([walk], horizon=h)[0]["mean"] for h in (4, 30))
    np.testing.assert_allclose(first, run.predict([walk])[0]["mean"], atol=1e-4)
    np.testing.assert_allclose(far[:4], first, atol=1e-3)
    assert np.isfinite(far).all()
    assert max(abs(np.array(far) - walk[-1])) < 5 * walk.std()


def test_of_few_series_several_horizons_are_held_out(tmp_path):
    walk = np.cumsum(np.random.default_rng(2).standard_normal(400)) + 50
    file = tmp_path / "walk.csv"
    file.write_text("day,value\n" + "".join(f"{i},{v:.3f}\n" for i, v in enumerate(walk)))
    words = {"target": "value", "time": "day", "frequency": "daily", "horizon": 4, "hidden": 4}
    run = helo.train("forecast", file, out=tmp_path / "run", steps=3, quiet=True, **words)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["figures"]["windows"] == 50
    run = helo.train("forecast", file, out=tmp_path / "held", steps=3, quiet=True, calibrate=False, **words)
    record = json.loads((tmp_path / "held" / "run.json").read_text())
    assert record["figures"]["windows"] == 10  # a tenth of the series
    assert record["data"]["valid"] == "the last 40 values of each series, in 10 forecasts"
    assert run.evaluate()["windows"] == 10

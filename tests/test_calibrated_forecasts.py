"""Forecasts of few values: each network leaves a part of the time out, by which the intervals are calibrated."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import helo
from fixtures import helo_command
from helo import engines
from helo.data import histories
from helo.data.histories import history, spread
from helo.data.times import Clock
from helo.inputs.windows import Encoded, Windows, scaled
from helo.layers.quantiles import LEVELS, increasing, widened
from helo.tasks.forecast import Forecast, Options


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    r, level, rows = np.random.default_rng(0), 0.0, ["day,value"]
    for day in np.arange("2023-01-01", "2023-09-01", dtype="datetime64[D]"):
        level = 0.8 * level + r.standard_normal()
        rows.append(f"{day},{50 + 5 * np.sin(2 * np.pi * (day.astype(int) % 7) / 7) + level:.2f}")
    path = tmp_path_factory.mktemp("few") / "few.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_distances_are_multiplied_and_the_middle_stays():
    quantiles = increasing(np.random.default_rng(0).standard_normal((3, 9)))
    np.testing.assert_allclose(widened(quantiles, np.ones(8)), quantiles)
    wide = widened(quantiles, np.arange(1.0, 9.0))
    np.testing.assert_array_equal(wide[:, 4], quantiles[:, 4])
    np.testing.assert_allclose(np.diff(wide), np.diff(quantiles) * np.arange(1.0, 9.0))


def test_every_step_is_in_one_part_of_its_series_in_order():
    series = [history(n, np.arange(float(length)), Clock("daily")) for n, length in (("a", 60), ("b", 41))]
    form = Windows.learn(series, 5, parts=4)
    encoded = form.training(series)
    parts = encoded.batch(np.arange(len(encoded.rows)))["part"]
    steps = encoded.origins[:, None] + np.arange(5)
    for row, length in enumerate((60, 41)):
        mine = encoded.rows == row
        found = {int(s): set(parts[mine][steps[mine] == s].tolist()) for s in np.unique(steps[mine])}
        assert all(len(p) == 1 for p in found.values())  # whatever the window that it is in
        order = [p for s in sorted(found) for p in found[s]]
        assert order == sorted(order)
        assert set(order) == {0, 1, 2, 3}
        assert max(np.bincount(order)) <= -(-(length - encoded.origins.min()) // 4)
    assert "part" not in Windows.learn(series, 5).training(series).batch(np.arange(3))


def test_a_network_does_not_learn_from_its_part_and_the_calibration_from_it_alone():
    torch = pytest.importorskip("torch")
    values = 20 + np.random.default_rng(1).standard_normal(80)
    series = [history("", values, Clock("daily"))]
    form = Windows.learn(series, 4, parts=3)
    task = Forecast(Options(horizon=4, members=3, calibrate=True, hidden=4, dropout=0.0), form)
    parameters = task.model.init(np.random.default_rng(0))
    for name, p in parameters.items():  # quantiles that are not 0
        parameters[name] = p + 0.1 * np.random.default_rng(2).standard_normal(p.shape).astype(np.float32)
    encoded = form.training(series)
    rows = np.arange(len(encoded.rows))
    batch = encoded.batch(rows) | {"targets": encoded.targets(rows)}

    def gradients(part):
        """Where only values of one part are there."""
        some = dict(batch)
        some["targets"] = np.where(batch["part"] == part, batch["targets"], np.nan)
        own = {n: torch.from_numpy(p).requires_grad_() for n, p in parameters.items()}
        like = next(iter(own.values()))
        loss, count, _ = task.loss(own, {n: engines.array(a, like) for n, a in some.items()}, None, None)
        assert int(count) == (batch["part"] == part).sum()
        loss.backward()
        return {n: 0.0 if p.grad is None else float(p.grad.abs().sum()) for n, p in own.items()}

    for part in range(3):
        found = gradients(part)
        assert found[f"head.{part}.weight"] == 0
        assert all(found[f"head.{k}.weight"] > 0 for k in range(3) if k != part)
        assert found["calibration.spread"] > 0


def test_few_values_are_calibrated_many_are_not_and_one_network_cannot_be(file, tmp_path):
    said = ("train", "forecast", file, "--horizon", "5", "--steps", "3", "--hidden", "4", "--quiet")
    assert helo_command(*said, "--out", tmp_path / "few").code == 0
    options = json.loads((tmp_path / "few/run.json").read_text())["options"]
    assert (options["members"], options["calibrate"]) == (5, True)
    assert helo_command(*said, "--out", tmp_path / "not", "--no-calibrate").code == 0
    assert not [n for n in helo.load(tmp_path / "not").parameters if n.startswith("calibration")]
    assert helo_command(*said, "--out", tmp_path / "one", "--members", "1").code == 0
    assert json.loads((tmp_path / "one/run.json").read_text())["options"]["calibrate"] is False
    refused = helo_command(*said, "--out", tmp_path / "both", "--members", "1", "--calibrate")
    assert refused.code == 2
    assert "--members 2 or more" in refused.err


def test_intervals_of_few_values_hold(file, tmp_path):
    """The same noise after what was learned from as in it: one network that learns all by heart covers half of it."""
    lines = file.read_text().splitlines(keepends=True)
    (tmp_path / "first.csv").write_text("".join(lines[:-50]))
    said = {"horizon": 5, "time": "day", "target": "value", "hidden": 16, "quiet": True}
    run = helo.train("forecast", tmp_path / "first.csv", out=tmp_path / "run", steps=600, **said)
    outer = np.exp(10 * np.asarray(run.parameters["calibration.spread"])[1])
    assert (outer > 1.2).all()  # of 190 values they learn by heart what is in them
    assert 0.65 < run.evaluate(str(file), origins=10)["coverage_80"] < 0.97
    for answer in run.predict(run.examples([str(file)])):
        q = np.array([answer["quantiles"][f"{level:g}"] for level in LEVELS])
        assert (np.diff(q, axis=0) > 0).all()


def test_few_values_are_cross_validated(file, tmp_path):
    """All are learned from, and each that is forecast to validate on is forecast by the network that left it out."""
    run = helo.train("forecast", file, out=tmp_path / "run", steps=20, hidden=4, horizon=5, time="day", target="value", quiet=True)  # fmt: skip
    about = json.loads((tmp_path / "run/run.json").read_text())
    assert about["data"]["valid"].startswith("46 forecasts by 5-fold cross-validation")
    task, examples = run.task, run.task.source.recorded(run.task, about["data"])
    origins = [h.origin for h in examples.inputs]
    assert len(origins) == 46
    assert min(np.diff(origins)) == 5  # no value twice
    assert max(origins) + 5 == len(examples.inputs[0])
    encoded = task.encode(examples)
    batch = encoded.batch(np.arange(46))
    each, part = task.model.each(run.parameters, batch), batch["part"]
    assert set(part.ravel().tolist()) == {0, 1, 2, 3, 4}
    found, base = (np.empty_like(each[0][i]) for i in (0, 1))
    for k in range(5):
        found[part == k], base[part == k] = each[k][0][part == k], each[k][1][part == k]
    np.testing.assert_allclose(
        task.model.forward(run.parameters, batch),
        task.model.calibrate(run.parameters, found, base),
        rtol=1e-4,
        atol=1e-5,
    )
    mean = sum(q for q, _ in each) / 5
    del batch["part"]  # as of a new series: the mean of all
    np.testing.assert_allclose(
        task.model.forward(run.parameters, batch),
        task.model.calibrate(run.parameters, mean, sum(b for _, b in each) / 5),
        rtol=1e-4,
        atol=1e-5,
    )


def test_the_training_file_again_is_no_easier(file, tmp_path):
    said = {"horizon": 5, "time": "day", "target": "value", "quiet": True}
    run = helo.train("forecast", file, out=tmp_path / "run", steps=20, hidden=4, **said)
    assert run.evaluate(origins=8) == run.evaluate(str(file), origins=8)
    import pandas as pd

    table = pd.read_csv(file)
    given = helo.train("forecast", table, out=tmp_path / "given", steps=20, hidden=4, **said)
    part = given.evaluate(table, origins=8)
    table.loc[len(table)] = ["2023-09-01", 50.0]
    assert given.evaluate(table.iloc[:-1], origins=8) == part
    given.task.options = dataclasses.replace(given.task.options, cross_validate=False)
    assert given.evaluate(table.iloc[:-1], origins=8)["wql"] != part["wql"]


def test_a_series_that_begins_late(tmp_path):
    """Nothing is forecast from before its first value, and where nothing came nothing is judged."""
    rng = np.random.default_rng(0)
    early, late = 20 + rng.standard_normal(120), 20 + rng.standard_normal(120)
    late[:60] = np.nan
    late[80:90] = np.nan
    series = [history(n, x, Clock("daily")) for n, x in (("a", early), ("b", late))]
    found = spread(histories.dataset(series, ["", ""], "series", {}, {}), 5, 25, 12)
    assert len({(h.name, h.origin) for h in found.inputs}) == len(found)
    assert min(h.origin for h in found.inputs if h.name == "b") >= 72
    assert not any(np.isnan(h.truth(5)).all() for h in found.inputs)
    run = helo.train("forecast", [early, late], out=tmp_path / "run", frequency="daily", horizon=5, steps=3, hidden=4, quiet=True)  # fmt: skip
    assert run.about["data"]["examples"]["valid"] == run.figures["windows"] == len(found)


def test_what_is_settled_before_some_are_held_out_stays(tmp_path, monkeypatch):
    """A little more than few values are not few for what is left of them."""
    monkeypatch.setattr("helo.tasks.histories.FEW", 300)
    values = 20 + np.random.default_rng(0).standard_normal(305)
    run = helo.train("forecast", [values], out=tmp_path / "run", frequency="daily", horizon=5, steps=3, hidden=4, quiet=True)  # fmt: skip
    assert run.about["data"]["valid"].startswith("the last 30 values")
    o = run.task.options
    assert (o.calibrate, o.cross_validate) == (False, False)
    assert not run.task.form.parts


def test_cross_validation_by_choice(file, tmp_path):
    said = ("train", "forecast", file, "--horizon", "5", "--steps", "3", "--hidden", "4", "--quiet", "--out")
    assert helo_command(*said, tmp_path / "not", "--no-cross-validate").code == 0
    about = json.loads((tmp_path / "not/run.json").read_text())
    assert (about["options"]["calibrate"], about["options"]["cross_validate"]) == (True, False)
    assert about["data"]["valid"].startswith("the last")
    for wrong in (["--valid", file], ["--no-calibrate"], ["--members", "1"]):
        refused = helo_command(*said, tmp_path / "wrong", "--cross-validate", *wrong)
        assert refused.code == 2
        assert refused.err.startswith("helo: --cross-validate")


def test_of_many_series_the_ends_are_held_out(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [20 + rng.standard_normal(30) for _ in range(20)]
    words = {"frequency": "daily", "horizon": 3, "steps": 3, "hidden": 4, "quiet": True}
    run = helo.train("forecast", arrays, out=tmp_path / "many", **words)
    assert run.task.options.calibrate
    assert run.about["data"]["valid"] == "the last 3 values of each series"
    fewer = helo.train("forecast", arrays[1:], out=tmp_path / "fewer", **words)
    assert "cross-validation" in fewer.about["data"]["valid"]


def test_the_calibration_is_a_line_each_way_and_a_slope_from_the_base():
    series = [history("", np.cumsum(np.random.default_rng(1).standard_normal(900)) + 50, Clock("daily"))]
    form = Windows.learn(series, 4, few=True, parts=3)
    model = Forecast(Options(horizon=4, members=3, calibrate=True, hidden=4, dropout=0.0), form).model
    parameters = model.init(np.random.default_rng(0))
    rng = np.random.default_rng(2)
    found, base = increasing(rng.standard_normal((2, 4, 9))), rng.standard_normal((2, 4))
    np.testing.assert_allclose(model.calibrate(parameters, found, base), found, rtol=1e-6)
    parameters["calibration.spread"] = np.log([[2.0, 1.0], [16.0, 1.0]]).astype(np.float32) / 10
    parameters["calibration.slope"] = np.array([-0.05], np.float32)  # half of the distance
    out = model.calibrate(parameters, found, base)
    np.testing.assert_allclose(out[..., 4], (found[..., 4] + base) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.diff(out), np.diff(found) * [16, 8, 4, 2, 1, 1, 1, 1], rtol=1e-4)


def test_without_files_it_is_evaluated_where_it_was_validated(file, tmp_path):
    run = helo.train("forecast", file, out=tmp_path / "run", steps=3, hidden=4, horizon=2, time="day", target="value", quiet=True)  # fmt: skip
    recorded = json.loads((tmp_path / "run/run.json").read_text())
    assert recorded["figures"]["windows"] > 5
    found, said = run.evaluate(), recorded["figures"]
    assert found.pop("seasonal_naive") == pytest.approx(said.pop("seasonal_naive"), rel=1e-4)
    assert found == pytest.approx(said, rel=1e-4)
    assert run.evaluate(origins=2)["windows"] == 2  # of the series, once


def test_the_calibration_does_not_come_from_windows_that_were_cut_short():
    series = [history("", 50 + np.random.default_rng(0).standard_normal(200), Clock("daily"))]
    form = Windows.learn(series, 4, parts=5)
    encoded = form.training(series)
    rows = np.arange(len(encoded.rows))
    whole, drawn = encoded.batch(rows), encoded.batch(rows, np.random.default_rng(0))
    assert whole["whole"].all()
    cut = (drawn["xs"] != whole["xs"]).any((1, 2))
    assert 0.05 < cut.mean() < 0.15
    assert not drawn["whole"][cut].any()


def test_a_value_or_a_few_spread_as_those_of_training():
    series = [history("", 100 + 10 * np.random.default_rng(0).standard_normal(300), Clock("daily"))]
    form = Windows.learn(series, 4)
    assert 0.04 < form.usual < 0.12  # 8 of 100
    again = Windows.from_json(json.loads(json.dumps(form.to_json())))
    assert again.usual == form.usual

    def scale(*values):
        return scaled(np.array([[np.nan, *values]]), 14, form.usual)[1].item()

    assert scale(200.0) == pytest.approx(200 * form.usual)
    assert scale(200.0, 200.0, 200.0) == pytest.approx(100 * form.usual)
    assert scale(200.0, 100.0, 200.0) == pytest.approx(400 / 9)  # more than is usual
    assert scale(*[200.0] * 5) == pytest.approx(0.02)  # five that are equal are equal


def test_level_and_season_are_those_of_values_that_there_are():
    gaps = np.full(40, np.nan)
    gaps[[3, 7, 15, 22, 31, 38, 39]] = 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0
    level, scale = scaled(gaps[None], 4)
    assert (level.item(), scale.item()) == (5.5, 1.0)  # of 4, 5, 6 and 7, though two of them lie further back
    season = np.arange(30.0)
    season[[20, 25, 27]] = np.nan
    found = Encoded._repeated(season[None], 5, np.arange(7))[0]
    assert found.tolist() == [15, 26, 22, 28, 29, 15, 26]


@pytest.mark.parametrize("windows", [5, 31, 32, 33, 300])
def test_steps_are_limited_however_few_windows_there_are(windows):
    series = [history("", np.random.default_rng(0).standard_normal(windows + 10), Clock("daily"))]
    examples = histories.dataset(series, ["here"], None, {}, {})
    task = Forecast.from_dataset(Options(horizon=4), examples)
    count = len(task.form.training(series).rows)
    assert count == windows
    assert task.recipe.max_epochs * -(-count // 32) == pytest.approx(800)


def test_a_run_with_another_horizon_is_no_start(file, tmp_path):
    said = ("train", "forecast", file, "--steps", "2", "--hidden", "4", "--quiet")
    assert helo_command(*said, "--horizon", "4", "--out", tmp_path / "a").code == 0
    assert helo_command(*said, "--horizon", "4", "--out", tmp_path / "b", "--start", tmp_path / "a").code == 0
    refused = helo_command(*said, "--horizon", "3", "--out", tmp_path / "c", "--start", tmp_path / "a")
    assert refused.code == 2
    assert "a horizon of 4, not 3" in refused.err
    assert not (tmp_path / "c").exists()


def test_what_a_figure_does_not_say_is_not_worse(tmp_path):
    """Values a season apart are never both there: mase is no number."""
    rows = [f"{day},{i % 14 if i % 2 else ''}" for i, day in enumerate(np.arange("2024-01-01", "2024-07-01", dtype="datetime64[D]"))]  # fmt: skip
    (tmp_path / "gaps.csv").write_text("day,value\n" + "\n".join(rows) + "\n")
    done = helo_command(
        "train",
        "forecast",
        tmp_path / "gaps.csv",
        "--horizon",
        "7",
        "--steps",
        "3",
        "--out",
        tmp_path / "run",
        "--quiet",
    )
    assert done.code == 0
    assert "by mase" not in (tmp_path / "run" / "README.md").read_text().replace("wql and mase", "mase")

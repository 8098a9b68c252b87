"""Forecasts of few values: each network leaves a part of the time out, by which the intervals are calibrated."""

from __future__ import annotations

import json

import numpy as np
import pytest

import helo
from fixtures import helo_command
from helo import engines
from helo.data import histories
from helo.data.histories import history
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
    form = Windows.learn(series, 5)
    encoded = form.training(series, 4)
    parts = encoded.batch(np.arange(len(encoded.rows)))["part"]
    steps = encoded.origins[:, None] + np.arange(5)
    for row, length in enumerate((60, 41)):
        mine = encoded.rows == row
        found = {int(s): set(parts[mine][steps[mine] == s].tolist()) for s in np.unique(steps[mine])}
        assert all(len(p) == 1 for p in found.values())  # whatever the window that it is in
        order = [p for s in sorted(found) for p in found[s]]
        assert order == sorted(order)
        assert set(order) == {0, 1, 2, 3}
        assert max(np.bincount(order)) <= -(-(length - encoded.first) // 4)
    assert "part" not in form.training(series).batch(np.arange(3))


def test_a_network_does_not_learn_from_its_part_and_the_calibration_from_it_alone():
    torch = pytest.importorskip("torch")
    values = 20 + np.random.default_rng(1).standard_normal(80)
    series = [history("", values, Clock("daily"))]
    form = Windows.learn(series, 4)
    task = Forecast(Options(horizon=4, members=3, calibrate=True, hidden=4, dropout=0.0), form)
    parameters = task.model.init(np.random.default_rng(0))
    for name, p in parameters.items():  # quantiles that are not 0
        parameters[name] = p + 0.1 * np.random.default_rng(2).standard_normal(p.shape).astype(np.float32)
    encoded = form.training(series, 3)
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
        assert found["calibration.weight"] > 0


def test_few_values_are_calibrated_many_are_not_and_one_network_cannot_be(file, tmp_path):
    said = ("train", "forecast", file, "--horizon", "5", "--steps", "3", "--hidden", "4", "--quiet")
    assert helo_command(*said, "--out", tmp_path / "few").code == 0
    options = json.loads((tmp_path / "few/run.json").read_text())["options"]
    assert (options["members"], options["calibrate"]) == (5, True)
    assert helo_command(*said, "--out", tmp_path / "not", "--no-calibrate").code == 0
    assert "calibration.weight" not in helo.load(tmp_path / "not").parameters
    assert helo_command(*said, "--out", tmp_path / "one", "--members", "1").code == 0
    assert json.loads((tmp_path / "one/run.json").read_text())["options"]["calibrate"] is False
    refused = helo_command(*said, "--out", tmp_path / "both", "--members", "1", "--calibrate")
    assert refused.code == 2
    assert "--members 2 or more" in refused.err


def test_intervals_of_few_values_hold(file, tmp_path):
    """The same noise after what was learned from as in it: one network that learns all by heart covers half of it."""
    said = {"horizon": 5, "time": "day", "target": "value", "hidden": 16, "quiet": True}
    run = helo.train("forecast", file, out=tmp_path / "run", steps=300, **said)
    factors = np.exp(10 * np.asarray(run.parameters["calibration.weight"]))
    assert factors[0] > 1.2  # of 240 values they learn by heart what is in them
    assert factors[-1] > 1.2
    assert 0.65 < run.evaluate(origins=10)["coverage_80"] < 0.97
    for answer in run.predict(run.examples([str(file)])):
        q = np.array([answer["quantiles"][f"{level:g}"] for level in LEVELS])
        assert (np.diff(q, axis=0) > 0).all()


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
    form = Windows.learn(series, 4)
    encoded = form.training(series, 5)
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

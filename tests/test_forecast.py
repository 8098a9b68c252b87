"""helo train forecast: what comes next in one series or in thousands."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import helo
from fixtures import helo_command
from helo.data import readers, times
from helo.data.histories import dataset, history, rolled
from helo.data.times import Clock
from helo.errors import HeloError
from helo.inputs.windows import Truth, Windows, seasonal_naive
from helo.metrics.forecast import Forecast

DECILES = np.arange(1, 10) / 10


def monthly(n=72, start="2015-01", seed=0):
    """Values with a trend and a season of twelve."""
    t, rng = np.arange(n), np.random.default_rng(seed)
    values = 100 + t + 20 * np.sin(2 * np.pi * t / 12) + rng.standard_normal(n)
    clock = Clock("monthly", "%Y-%m", np.datetime64(start, "s"))
    return [(clock.text(i), round(float(v), 3)) for i, v in enumerate(values)]


def written(path: Path, rows, head="month,sales") -> Path:
    path.write_text("\n".join([head, *(",".join(map(str, r)) for r in rows)]) + "\n")
    return path


def read(path, **options):
    known = dict.fromkeys(("time", "time_format", "target", "group", "frequency", "gaps", "repeated", "reader")) | {
        "known": (),
        "past": (),
    }
    return readers.read(
        [path] if isinstance(path, Path) else path, SimpleNamespace(**known | options), "series", labelled=False
    )[0]


# Readers.


def test_long_wide_and_m4_give_the_same_series(tmp_path):
    a, b = monthly(40), monthly(40, seed=1)
    long = [(t, "a", v) for t, v in a] + [(t, "b", v) for t, v in b]
    wide = [(t, v, w) for (t, v), (_, w) in zip(a, b, strict=True)]
    first = read(written(tmp_path / "long.csv", long, "month,id,sales"), target="sales", group="id")
    second = read(written(tmp_path / "wide.csv", wide, "month,a,b"))
    m4 = tmp_path / "m4.csv"
    m4.write_text(
        "V1,V2,V3\n" + "\n".join(",".join([n, *(str(v) for _, v in rows)]) for n, rows in (("a", a), ("b", b))) + "\n"
    )
    third = read(m4, frequency="monthly")
    for found in (first, second, third):
        assert [h.name for h in found.inputs] == ["a", "b"]
        assert found.inputs[1].values.tolist() == [v for _, v in b]
        assert found.notes["frequency"] == "monthly"
    assert first.inputs[0].clock.text(40) == "2018-05"


def test_each_file_of_m4_has_its_own_first_line(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f'"V1","V2","V3"\n"{name}",1,2\n')
    found = read([tmp_path / "a.csv", tmp_path / "b.csv"], frequency="monthly")
    assert [h.name for h in found.inputs] == ["a", "b"]


def test_parquet_and_dataframes(tmp_path):
    polars = pytest.importorskip("polars")
    rows = monthly(30)
    frame = polars.DataFrame({"month": [t for t, _ in rows], "sales": [v for _, v in rows]})
    frame = frame.with_columns(polars.col("month").str.to_date("%Y-%m"))
    frame.write_parquet(tmp_path / "s.parquet")
    for source in (tmp_path / "s.parquet", frame):
        found = read(source, target="sales")
        assert found.notes["frequency"] == "monthly"
        assert found.inputs[0].values.tolist() == [v for _, v in rows]
        assert found.inputs[0].clock.text(30).startswith("2017-07-01")


def test_tsf(tmp_path):
    file = tmp_path / "a.tsf"
    file.write_text("# x\n@relation M1\n@attribute series_name string\n@attribute start_timestamp date\n@frequency yearly\n@data\n"
                    "T1:1972-01-01 00-00-00:1,2,?,4\nT2:1980-01-01 00-00-00:5,6\n")  # fmt: skip
    found = read(file)
    assert [h.name for h in found.inputs] == ["T1", "T2"]
    assert np.isnan(found.inputs[0].values[2])
    assert found.inputs[1].clock.text(2).startswith("1982-01-01")


@pytest.mark.parametrize(
    ("rows", "options", "named"),
    [
        ([("2020-01", 1), ("2020-03", 2), ("2020-02", 3)], {}, ("4", "2020-02")),
        ([("2020-01", 1), ("2020-02", 2), ("2020-02", 3), ("2020-03", 3)], {}, ("4", "--repeated")),
        ([("2020-01", 1), ("2020-02", 2), ("2020-03", 3), ("2020-05", 3)], {}, ("5", "2020-04", "--gaps")),
        ([("2020-01", 1), ("2020-02", "x"), ("2020-03", 3)], {}, ("3", "x")),
        ([("2020-01", 1), ("spring", 2)], {}, ("3", "spring")),
        ([("2020-01", 1)], {}, ("--frequency",)),
        ([("2020-01-01", 1), ("2020-01-04", 2), ("2020-01-05", 2), ("2020-03-09", 2), ("2021-01-01", 1)], {}, ("frequency",)),
        ([("2020-01", 1), ("2020-02", 2)], {"frequency": "fortnightly"}, ("fortnightly",)),
        ([("2020-01", 1), ("2020-02", 2)], {"time": "when"}, ("--time",)),
        ([("2020-01", 1), ("2020-02", 2)], {"target": "what"}, ("--target",)),
        ([("2020-01", 1), ("2020-02", 2)], {"known": ("holiday",)}, ("--known",)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path, rows, options, named):
    with pytest.raises(HeloError) as error:
        read(written(tmp_path / "s.csv", rows), **{"target": "sales"} | options)
    for word in named:
        assert word in str(error.value)


def test_gaps_and_repeated_times_are_filled_by_choice(tmp_path):
    file = written(tmp_path / "s.csv", [("2020-01", 1), ("2020-02", 2), ("2020-02", 4), ("2020-04", 8)])
    for how, wanted in (("missing", np.nan), ("previous", 3.0), ("zero", 0.0)):
        values = read(file, target="sales", repeated="mean", gaps=how).inputs[0].values
        np.testing.assert_equal(values, [1.0, 3.0, wanted, 8.0])
    assert read(file, target="sales", repeated="sum", gaps="zero").inputs[0].values[1] == 6.0
    assert read(file, target="sales", repeated="last", gaps="zero").inputs[0].values[1] == 4.0


# Windows and figures.


def test_a_window_sees_nothing_after_its_origin():
    rng = np.random.default_rng(0)
    form = Windows("monthly", [12], [12], 24, 6)
    values = rng.standard_normal(60).cumsum()
    other = values.copy()
    other[40:] += 1000
    batches = []
    for x in (values, other):
        h = replace(history("a", x, Clock("monthly")), origin=40)
        batches.append(form.of(SimpleNamespace(inputs=[h], place=lambda i, *s: "x"), 6).batch(np.array([0])))
    for name, array in batches[0].items():
        assert np.array_equal(array, batches[1][name]), name


def test_a_window_has_no_scale():
    rng = np.random.default_rng(0)
    form, values = Windows("hourly", [24, 168], [24, 168], 336, 24), rng.standard_normal(500).cumsum()

    def batch(x):
        one = SimpleNamespace(inputs=[history("a", x, Clock("hourly"))], place=lambda i, *s: "x")
        return form.of(one, 24).batch(np.array([0]))

    one, other = batch(values + 50), batch(1e6 * (values + 50))
    for name in ("xs", "ahead", "base"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-4)


def test_seasonal_naive_repeats_the_last_season():
    x = np.arange(10.0)
    assert seasonal_naive(x, 4, 6).tolist() == [6, 7, 8, 9, 6, 7]
    x[7] = np.nan
    assert seasonal_naive(x, 4, 6).tolist() == [6, 3, 8, 9, 6, 3]
    assert seasonal_naive(x[:2], 4, 3).tolist() == [1, 1, 1]


def test_figures_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    n, h = 7, 5
    q = np.sort(rng.standard_normal((n, h, 9)), -1) + 3
    y, mean = rng.standard_normal((n, h)) + 3, q.mean(-1)
    history_ = rng.standard_normal((n, 30)).cumsum(1)
    error = np.abs(history_[:, 4:] - history_[:, :-4]).mean(1)
    metric = Forecast()
    answers = list(np.concatenate([mean[..., None], q], -1))
    truth = [Truth(a, a, e) for a, e in zip(y, error, strict=True)]
    whole = metric.score(metric.statistics(answers, truth))
    parts = metric.statistics(answers[:3], truth[:3]) + metric.statistics(answers[3:], truth[3:])
    assert metric.score(parts) == pytest.approx(whole)
    losses = [
        2 * np.sum(np.abs((q[..., k] - y) * ((y <= q[..., k]) - a))) / np.sum(np.abs(y)) for k, a in enumerate(DECILES)
    ]
    assert whole["wql"] == pytest.approx(np.mean(losses))  # as gluonts.evaluation.metrics.quantile_loss
    assert whole["mase"] == pytest.approx(np.mean(np.abs(q[..., 4] - y).mean(1) / error))
    assert whole["smape"] == pytest.approx(np.mean(200 * np.abs(q[..., 4] - y) / (np.abs(q[..., 4]) + np.abs(y))))
    assert whole["mae"] == pytest.approx(np.mean(np.abs(q[..., 4] - y)))
    assert whole["rmse"] == pytest.approx(np.sqrt(np.mean((mean - y) ** 2)))
    assert metric.notes(answers, truth)["coverage_80"] == pytest.approx(np.mean((y >= q[..., 0]) & (y <= q[..., 8])))


def test_origins_roll_backwards():
    examples = dataset([history("a", np.arange(20.0), Clock("monthly"))], ["x:1"], None, {}, {})
    assert [h.origin for h in rolled(examples, 6, origins=3, stride=2).inputs] == [10, 12, 14]
    with pytest.raises(HeloError, match="--origins"):
        rolled(examples, 6, origins=4)


# The whole way.


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    pytest.importorskip("torch", reason="runs are made by training")
    import helo

    place = tmp_path_factory.mktemp("forecast")
    long = [(t, n, v) for n, s in (("a", 0), ("b", 1)) for t, v in monthly(72, seed=s)]
    file = written(place / "sales.csv", long, "month,id,sales")
    run = helo.train("forecast", file, out=place / "run", target="sales", group="id", horizon=6, steps=30, quiet=True)
    return run, file


def test_a_forecast_as_a_table(trained):
    run, file = trained
    out = file.with_name("out.csv")
    done = helo_command("predict", str(run.path), str(file), "--horizon", "9", "-o", str(out))
    assert done.code == 0, done.err
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 18
    assert rows[0]["id"] == "a"
    assert (rows[0]["month"], rows[8]["month"]) == ("2021-01", "2021-09")
    deciles = [float(rows[0][f"q{level:g}"]) for level in DECILES]
    assert deciles == sorted(deciles)
    assert deciles[0] < float(rows[0]["mean"]) < deciles[-1]


def test_other_quantiles(trained):
    run, file = trained
    (first, _), (plain, _) = run.predict(run.examples(file), quantiles=("0.05", "0.5")), run.predict(run.examples(file))
    assert list(first["quantiles"]) == ["0.05", "0.5"]
    assert first["quantiles"]["0.5"] == pytest.approx(plain["quantiles"]["0.5"])
    assert first["quantiles"]["0.05"][0] < plain["quantiles"]["0.1"][0]
    for bad in ("1.5", "0", "x", "nan"):
        with pytest.raises(HeloError, match="--quantiles"):
            run.predict(run.examples(file), quantiles=(bad,))


def test_sampled_paths_have_the_quantiles_of_the_forecast(trained):
    run, file = trained
    one, again = (run.predict(run.examples(file), paths=4000, seed=1)[0] for _ in range(2))
    assert one == again
    paths = np.array(one["paths"])
    for level in DECILES:
        share = (paths <= np.array(one["quantiles"][f"{level:g}"])).mean(0)
        assert np.abs(share - level).max() < 0.04


def test_a_backtest_stands_beside_seasonal_naive(trained):
    run, file = trained
    done = helo_command("eval", str(run.path), str(file), "--origins", "3", "--stride", "2", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["figures"]
    assert found["windows"] == 6
    assert set(found["seasonal_naive"]) == {"wql", "mase", "smape", "mae", "rmse", "coverage_80"} <= set(found)
    assert "seasonal_naive" in helo_command("eval", str(run.path)).out
    assert "figures.seasonal_naive mase" in helo_command("info", str(run.path)).out
    done = helo_command("eval", str(run.path), str(file), "--origins", "40")
    assert done.code == 2
    assert "--origins" in done.err


def test_laws(trained):
    from helo.laws.tasks import LAWS

    run, file = trained
    for law in LAWS.values():
        law(run, list(run.examples(file).inputs))


@pytest.mark.parametrize("verb", ["explain", "inspect", "gradients", "score"])
def test_what_has_no_meaning_for_a_forecaster_is_said_in_a_line(trained, verb):
    run, file = trained
    done = helo_command(verb, str(run.path), str(file))
    assert done.code == 2, done.err
    assert len(done.err.strip().splitlines()) == 1
    assert str(run.path) in done.err
    assert "helo explain" not in done.err


def test_arrays_and_standard_input_are_series(trained):
    run, file = trained
    values = run.examples(file).inputs[0].values
    wanted = run.predict([values])[0]["mean"]
    assert run.predict(values)[0]["mean"] == pytest.approx(wanted)
    assert [a["series"] for a in run.predict([values, values[:20]])] == ["1", "2"]
    done = helo_command("predict", str(run.path), "-", "--json", stdin="\n".join(map(str, values)).encode())
    assert done.code == 0, done.err
    assert json.loads(done.out)["answers"][0]["mean"] == pytest.approx(wanted)


def test_a_stream_forecasts_the_next_value_and_goes_on_where_it_was(trained):
    run, file = trained
    values = [*run.examples(file).inputs[0].values[:30].tolist(), float("nan"), 130.0]
    live = run.live()
    found = [live.feed(v) for v in values]
    assert found[29]["mean"] == pytest.approx(run.predict([np.array(values[:30])])[0]["mean"][0])
    assert found[-1]["0.1"] < found[-1]["0.5"] < found[-1]["0.9"]
    half = run.live()
    for v in values[:20]:
        half.feed(v)
    half.save(file.with_name("state"))
    again = run.live(file.with_name("state"))
    assert [again.feed(v) for v in values[20:]] == found[20:]
    lines = "\n".join("" if v is None else str(v) for v in [5.0, 6.0, None, 7.0]).encode()
    done = helo_command("predict", str(run.path), "-", "--stream", "--json", stdin=lines)
    assert done.code == 0, done.err
    assert [len(a["forecasts"]) for a in json.loads(done.out)["answers"]] == [2, 1]
    assert helo_command("predict", str(run.path), "-", "--stream", stdin=b"5\nx\n").code == 2


def test_one_value_is_enough_to_begin_with(trained):
    run, file = trained
    short = written(file.with_name("short.csv"), [("2021-01", "new", 5.0)], "month,id,sales")
    (answer,) = run.predict(run.examples(short))
    assert len(answer["mean"]) == 6
    assert np.isfinite(answer["mean"]).all()


@pytest.mark.parametrize(
    ("rows", "words", "named"),
    [
        (monthly(40), ("--horizon", "0"), ("--horizon",)),
        (monthly(40), ("--horizon", "1000000000"), ("--horizon",)),
        (monthly(20), ("--horizon", "12"), ("20 values",)),
        ([(t, 5) for t, _ in monthly(60)], ("--horizon", "6"), ("5",)),
        (monthly(40), ("--horizon", "6", "--split", "random"), ("--split",)),
        (monthly(40), ("--valid", "FILE", "--season", "1000000000"), ("--season", "40")),
        (monthly(40), ("--horizon", "6", "--metric", "coverage_80"), ("--metric", "coverage_80")),
    ],
)
def test_series_that_cannot_be_learned_from(tmp_path, rows, words, named):
    file = written(tmp_path / "s.csv", rows)
    words = [str(file) if w == "FILE" else w for w in words]
    done = helo_command("train", "forecast", str(file), "--target", "sales", *words, "--out", str(tmp_path / "run"))
    assert done.code == 2, done.err
    assert len(done.err.strip().splitlines()) == 1
    for word in named:
        assert word in done.err
    assert not (tmp_path / "run").exists()


def test_validation_files_are_forecast_from_before_their_end(tmp_path):
    file = written(tmp_path / "s.csv", monthly(40))
    run = helo.train("forecast", file, valid=file, out=tmp_path / "run", horizon=3, hidden=4, members=1, steps=2)
    assert run.evaluate() == run.evaluate([file]) == helo.load(run.path).evaluate()
    assert run.evaluate()["rmse"] > 0


def test_covariates_known_in_advance(tmp_path):
    pytest.importorskip("torch", reason="runs are made by training")
    import helo

    rows = [(t, v, i % 3, i % 5) for i, (t, v) in enumerate(monthly(60))]
    file = written(tmp_path / "s.csv", rows, "month,sales,promotion,weather")
    run = helo.train(
        "forecast",
        file,
        out=tmp_path / "run",
        target="sales",
        known=("promotion",),
        past=("weather",),
        horizon=4,
        steps=5,
        quiet=True,
    )
    with pytest.raises(HeloError, match="2020-01"):
        run.predict(run.examples(file))
    ahead = [(t, "", i % 3, "") for i, (t, _) in enumerate(monthly(64))][60:]
    other = written(tmp_path / "ahead.csv", [*rows, *ahead], "month,sales,promotion,weather")
    (answer,) = run.predict(run.examples(other))
    assert answer["times"] == ["2020-01", "2020-02", "2020-03", "2020-04"]


def test_covariates_of_words(tmp_path):
    pytest.importorskip("torch", reason="runs are made by training")
    import helo

    kinds = ("", "sale", "fair")  # what is missing is a kind of its own: no event
    rows = [(t, v, kinds[i % 3], ("sun", "rain", "sun")[i % 3]) for i, (t, v) in enumerate(monthly(60))]
    file = written(tmp_path / "s.csv", rows, "month,sales,event,weather")
    run = helo.train("forecast", file, out=tmp_path / "run", target="sales", known=("event",), past=("weather",),
                     horizon=3, steps=30, quiet=True)  # fmt: skip
    assert run.task.form.words == [["", "fair", "sale"], ["sun", "rain"]]  # the most frequent first

    def ahead(events, name="ahead.csv", head="month,sales,event,weather"):
        more = [(t, "", e, "") for (t, _), e in zip(monthly(63)[60:], events, strict=True)]
        return run.predict(run.examples(written(tmp_path / name, [*rows, *more], head)))[0]["mean"]

    usual = ahead(["sale", "fair", ""])
    assert helo.load(run.path).predict(run.examples(tmp_path / "ahead.csv"))[0]["mean"] == usual
    assert ahead(["fair", "fair", ""]) != usual
    assert ahead(["strike", "fair", ""]) == ahead(["parade", "fair", ""])  # unknown ones are alike


def test_numbers_and_words_of_a_covariate_are_told_apart(tmp_path):
    pytest.importorskip("torch", reason="runs are made by training")
    import helo

    months = monthly(43)
    for name, at in (("numbers", lambda i: i % 3), ("words", lambda i: f"kind {i % 3}")):
        written(
            tmp_path / f"{name}.csv",
            [(t, v if i < 40 else "", at(i)) for i, (t, v) in enumerate(months)],
            "month,sales,event",
        )
    run = helo.train("forecast", tmp_path / "numbers.csv", out=tmp_path / "run", target="sales", known=("event",), horizon=3,
                     steps=1, quiet=True)  # fmt: skip
    with pytest.raises(HeloError, match="words in a covariate; expected numbers, as in training"):
        run.predict(run.examples(tmp_path / "words.csv"))
    other = helo.train("forecast", tmp_path / "words.csv", out=tmp_path / "other", target="sales", known=("event",), horizon=3,
                       steps=1, quiet=True)  # fmt: skip
    other.predict(other.examples(tmp_path / "numbers.csv"))  # numbers can be names: these are unknown


def test_repeated_times_have_the_last_of_their_words(tmp_path):
    rows = [("2020-01", 1, "a"), ("2020-02", 2, "a"), ("2020-02", 4, "b"), ("2020-03", 3, "b")]
    file = written(tmp_path / "s.csv", rows, "month,sales,event")
    one = read(file, target="sales", known=("event",), repeated="mean").inputs[0]
    assert one.values.tolist() == [1, 3, 3]
    assert [one.words[0][int(v)] for v in one.known[:, 0]] == ["a", "b", "b"]


# Beside it, and on a page.


def test_paths_of_counts_are_counts(trained):
    run, _ = trained
    counts = np.rint(50 + 20 * np.sin(np.arange(48) * np.pi / 6))
    answer = run.predict([counts], paths=500, seed=1)[0]
    paths = np.array(answer["paths"])
    assert (paths == np.rint(paths)).all()
    median = np.array(answer["quantiles"]["0.5"])
    assert ((paths <= median + 0.5).mean(0) >= 0.45).all()
    assert ((paths >= median - 0.5).mean(0) >= 0.45).all()
    other = np.array(run.predict([counts + 0.25], paths=5, seed=1)[0]["paths"])
    assert (other != np.rint(other)).any()


def test_auto_ets_stands_beside_a_backtest(trained, monkeypatch):
    pytest.importorskip("statsforecast")
    from statsforecast.models import AutoETS

    from helo.tasks import baselines

    run, file = trained
    found = run.evaluate(file, origins=2, ets=True)
    assert set(found["auto_ets"]) == set(found["seasonal_naive"])
    values = np.array([v for _, v in monthly()], float)
    assert found["auto_ets"]["mase"] != found["seasonal_naive"]["mase"]
    assert "auto_ets" not in run.evaluate(file, origins=2)
    theirs = AutoETS(season_length=12).forecast(y=values[:-6], h=6, level=[80])
    ours = baselines.auto_ets(values[:-6], 12, 6)
    assert ours is not None
    assert np.allclose(ours[:, [0, 5]].T, theirs["mean"])
    assert np.allclose(ours[:, [1, 9]].T, [theirs["lo-80"], theirs["hi-80"]])
    assert (np.diff(ours[:, 1:], axis=1) >= 0).all()


def test_where_auto_ets_has_no_answer_it_is_seasonal_naive_and_it_says_so(trained, monkeypatch):
    from helo.tasks import baselines

    monkeypatch.setattr(baselines, "auto_ets", lambda before, season, horizon: None)
    run, file = trained
    found = run.evaluate(file, ets=True)
    assert found["auto_ets"] == found["seasonal_naive"]
    done = helo_command("eval", run.path, file, "--ets")
    assert "auto_ets" in done.out


def test_auto_ets_without_statsforecast_says_what_to_install(trained, monkeypatch):
    import sys

    from helo.tasks import baselines

    baselines._auto_ets.cache_clear()
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    run, file = trained
    done = helo_command("eval", run.path, file, "--ets")
    assert done.code == 2
    assert "pip install 'helo[ets]'" in done.err


def test_missing_values_are_interpolated_for_auto_ets():
    pytest.importorskip("statsforecast")
    from helo.tasks import baselines

    values = np.array([v for _, v in monthly()], float)
    holes = values.copy()
    holes[[0, 20, 40]] = np.nan
    found = baselines.auto_ets(holes, 12, 6)
    assert found is not None
    assert np.isfinite(found).all()
    assert baselines.auto_ets(np.array([1.0, 2.0]), 12, 6) is None
    assert baselines.auto_ets(np.full(5, np.nan), 12, 6) is None


def test_a_page_has_a_picture_of_each_series(trained, tmp_path):
    run, file = trained
    done = helo_command(
        "predict", run.path, file, "--quantiles", 0.05, "--quantiles", 0.95, "-o", tmp_path / "page.html"
    )
    assert done.code == 0, done.err
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == len(run.predict(run.examples(file)))
    assert "90 %" in page
    assert 'class="truth"' not in page
    done = helo_command("eval", run.path, file, "--origins", 3, "--report", tmp_path / "report")
    assert done.code == 0, done.err
    page = (tmp_path / "report" / "forecasts.html").read_text()
    assert page.count('class="truth"') == page.count("<svg") == 6
    errors = [float(e) for e in re.findall(r", error ([\d.]+)</span>", page)]
    assert len(errors) == 6
    assert errors == sorted(errors)
    assert helo_command("eval", run.path, file, "--report", tmp_path / "report", "--overwrite").code == 0


def test_a_page_of_holes_and_flat_series():
    from helo.reports import forecast_page

    before = np.array([5.0, np.nan, 5.0, 5.0])
    panel = forecast_page.Panel(
        "a < b", "", before, (0.1, 0.5, 0.9), np.full((2, 3), 5.0), np.full(2, np.nan), "1", "6"
    )
    page = forecast_page.page("t", "a", [panel])
    assert "nan" not in page
    assert "a &lt; b" in page
    assert "M" in forecast_page.drawn(panel)


def test_ticks_of_numbers_of_any_size():
    from helo.reports.forecast_page import _ticks

    for size in (1e-15, 1.0, 7e12):
        found = _ticks(0.2 * size, 1.1 * size)
        assert 2 <= len(found) <= 5
        assert all(0.2 * size <= t <= 1.1 * size for t in found)
        assert len(set(found)) == len(found)


def test_rows_that_a_run_cannot_read_are_mended_in_the_file(tmp_path):
    rows = monthly(60)
    helo.train("forecast", written(tmp_path / "a.csv", rows), out=tmp_path / "run", horizon=3, steps=2, quiet=True)
    for wrong, said in (
        (rows[:20] + rows[21:], "add the rows, with an empty cell for a value that is missing"),
        (rows[:20] + rows[19:], "join the rows of one time"), ([*rows[:20], *rows[:1]], "sort the rows"),
    ):  # fmt: skip
        done = helo_command("predict", tmp_path / "run", written(tmp_path / "b.csv", wrong))
        assert done.code == 2
        assert done.err.endswith(f"; {said}\n")


def test_times_below_a_second_are_told_apart_from_times_that_come_twice(tmp_path):
    rows = [(f"2024-01-01 00:00:{i // 10:02d}.{i % 10}00", i) for i in range(100)]
    with pytest.raises(
        HeloError,
        match=r":3: 2024-01-01 00:00:00.000 and 2024-01-01 00:00:00.100, times that are read as one; .*nothing below a second",
    ):
        read(written(tmp_path / "a.csv", rows, "time,v"))


def test_a_season_that_is_longer_than_a_series_is_named(tmp_path):
    rows = [(f"2024-01-01 00:{i // 60:02d}:{i % 60:02d}", i % 7) for i in range(400)]
    with pytest.raises(HeloError, match="; a smaller --horizon or --season$"):
        helo.train(
            "forecast",
            written(tmp_path / "a.csv", rows, "time,v"),
            out=tmp_path / "run",
            horizon=4,
            steps=2,
            quiet=True,
        )


def test_sampled_paths_are_columns(tmp_path):
    file = written(tmp_path / "a.csv", monthly(60))
    helo.train("forecast", file, out=tmp_path / "run", horizon=3, steps=2, quiet=True)
    done = helo_command("predict", tmp_path / "run", file, "--paths", 2, "--format", "csv", "--seed", 3)
    assert done.out.splitlines()[0].endswith(",q0.9,path1,path2")
    said = json.loads(helo_command("predict", tmp_path / "run", file, "--paths", 2, "--json", "--seed", 3).out)
    found = said["answers"][0]["paths"]
    assert [float(line.split(",")[-1]) for line in done.out.splitlines()[1:]] == found[1]


def test_series_that_are_too_short_are_left_out_by_choice(tmp_path, caplog):
    rows = [(t, name, v) for name, count in (("a", 60), ("new", 9), ("b", 60)) for t, v in monthly(count)]
    file = written(tmp_path / "a.csv", rows, "month,id,sales")
    words = {"target": "sales", "group": "id", "horizon": 3, "steps": 2, "quiet": True}
    with pytest.raises(
        HeloError, match="a series of 9 values; expected 18 or more.*; a smaller --horizon or --season, or --short drop"
    ):
        helo.train("forecast", file, out=tmp_path / "no", **words)
    run = helo.train("forecast", file, out=tmp_path / "run", short="drop", **words)
    assert run.about["data"]["examples"]["train"] == 2
    done = helo_command("eval", tmp_path / "run", file, "--origins", 3, "--stride", 3, "--json")
    assert "1 of 3 series are left out, with fewer than 10 values" in caplog.text
    assert json.loads(done.out)["figures"]["windows"] == 6
    assert len(json.loads(helo_command("predict", tmp_path / "run", file, "--json").out)["answers"]) == 3
    with pytest.raises(HeloError, match="9 values"):
        helo.train(
            "forecast", written(tmp_path / "b.csv", monthly(9)), out=tmp_path / "x", short="drop", horizon=3, steps=2
        )


def test_a_run_reads_dates_as_it_learned_to(tmp_path):
    """One row says nothing of which is the day; the run knows."""
    clock = Clock("monthly", "%m/%d/%Y", np.datetime64("2020-01-01", "s"))
    rows = [(clock.text(i), v) for i, (_, v) in enumerate(monthly(60))]
    run = helo.train(
        "forecast", written(tmp_path / "a.csv", rows), out=tmp_path / "run", horizon=2, steps=2, quiet=True
    )
    assert run.task.options.time_format == "%m/%d/%Y"
    for first, then in (("01/01/2015", "02/01/2015"), ("02/01/2015", "03/01/2015"), ("2015-02", "2015-03")):
        found = json.loads(helo_command("predict", run.path, written(tmp_path / "b.csv", [(first, 50)]), "--json").out)
        assert found["answers"][0]["times"][0] == then


def test_days_of_a_time_zone_are_days(tmp_path):
    """Their distance is 23 or 25 hours twice a year."""
    days = pd.date_range("2023-01-01", periods=500, tz="Europe/Berlin")
    frame = pd.DataFrame({"date": days, "y": np.arange(500.0) % 7})
    run = helo.train("forecast", frame, target="y", out=tmp_path / "run", horizon=2, steps=2, quiet=True)
    assert run.predict(frame)[0]["times"][0] == "2024-05-15 00:00:00"
    hours = [str(x) for x in pd.date_range("2023-03-20", periods=500, freq="h", tz="Europe/Berlin")]
    found, style = times.parse(hours, hours, "t")
    assert (times.recognised(found), style) == ("hourly", "%Y-%m-%d %H:%M:%SZ")


def test_the_times_of_pandas_are_in_the_index_too(tmp_path):
    x = np.round(np.random.default_rng(0).normal(10, 1, 200), 3)
    words = {"horizon": 3, "steps": 2, "quiet": True}
    dated = pd.Series(x, index=pd.date_range("2024-01-01", periods=200), name="sales")
    run = helo.train("forecast", dated, out=tmp_path / "series", **words)
    assert run.predict(dated[100:])[0]["times"][0] == "2024-07-19 00:00:00"
    assert run.evaluate(dated[100:])["windows"] == 1
    assert run.predict(pd.Series(x)[100:])[0]["mean"] == run.predict([x[100:]])[0]["mean"]
    months = pd.Series(x, index=pd.period_range("2000-01", periods=200, freq="M"))
    assert helo.train("forecast", months, out=tmp_path / "months", **words).task.options.frequency == "monthly"
    frame = dated.rename_axis("when").to_frame()
    run = helo.train("forecast", frame, out=tmp_path / "frame", **words)
    assert run.predict(frame)[0]["mean"] == run.predict(frame.reset_index())[0]["mean"]
    shops = pd.concat({name: frame for name in "ab"}, names=["shop"])
    run = helo.train("forecast", shops, target="sales", group="shop", out=tmp_path / "shops", **words)
    assert len(run.predict(shops)) == 2


def test_what_was_never_below_0_is_not_below_0_in_any_quantile_or_path(tmp_path):
    x = np.random.default_rng(1).poisson(0.4, 300).astype(float)
    run = helo.train("forecast", x, frequency="daily", out=tmp_path / "run", horizon=5, steps=20, quiet=True)
    found = run.predict([x], paths=500, seed=1, quantiles=[0.001, 0.5])[0]
    numbers = np.array([*found["paths"], found["quantiles"]["0.001"], found["mean"]])
    assert numbers.min() == 0
    assert not np.signbit(numbers).any()
    assert (np.rint(found["paths"]) == found["paths"]).all()
    below = run.predict([x - 1], paths=500, seed=1)[0]["paths"]
    assert np.min(below) < 0
    assert [list(run.predict([x], quantiles=q)[0]["quantiles"]) for q in (0.5, "0.5", (0.5,))] == [["0.5"]] * 3
    with pytest.raises(HeloError, match=r"1.5; expected a number between 0 and 1"):
        run.predict([x], quantiles=1.5)
    for file in ("x.csv", ["x.csv"]):
        with pytest.raises(HeloError, match=r"run.examples\(FILE\) reads files"):
            run.predict(file)


def test_a_series_of_zeros_is_off_by_what_small_values_are(tmp_path):
    """A sensor that is silent, among others whose unit is tiny."""
    rng = np.random.default_rng(0)
    tiny = [1e-5 * (10 + 3 * np.sin(np.arange(120) / 7 * 2 * np.pi) + rng.normal(0, 1, 120)) for _ in range(3)]
    run = helo.train("forecast", tiny, frequency="daily", out=tmp_path / "run", horizon=3, steps=20, quiet=True)
    for zeros in (np.zeros(60), np.zeros(1)):
        assert max(run.predict([zeros])[0]["quantiles"]["0.9"]) < 1e-3
    assert helo.load(run.path).task.form.unit == run.task.form.unit < 1e-4
    counts = helo.train(
        "forecast",
        [rng.poisson(3, 60) for _ in range(3)],
        frequency="daily",
        out=tmp_path / "counts",
        horizon=3,
        steps=2,
        quiet=True,
    )
    assert counts.task.form.unit == 1

"""docs/extending-task.md: a task of a person's own, in one file, does everything that a task does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="runs are made by training")

import helo
from fixtures import helo_command
from test_docs import ROOT, blocks

MAE = """
from dataclasses import dataclass

import numpy as np

from helo.metrics import Metric


@dataclass(frozen=True)
class MAE(Metric):
    kinds = ("number",)
    figures = ("mae",)
    higher_is_better = False

    def statistics(self, answers, references):
        return np.array([np.abs(answers - references).sum(), len(answers)])

    def score(self, sums):
        return {"mae": float(sums[0] / sums[1])}
"""
ROWS = ("rows.csv", "--label", "price")
SERIES = ("series.csv", "--label", "price", "--group", "id", "--order", "t")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELO_TRUSTED", str(tmp_path / "trusted"))
    code = blocks(ROOT / "docs" / "extending-task.md", "python")[0]
    assert len(code.splitlines()) < 110
    Path("regression.py").write_text(code)
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{10 + 3 * a - 2 * b:.4f}" for a, b in rng.standard_normal((120, 2))]
    Path("rows.csv").write_text("\n".join(["a,b,price", *rows]) + "\n")
    steps = [f"{i},{t},{s * t / 4:.4f},{5 + s:.4f}" for i, s in enumerate(rng.standard_normal(60)) for t in range(8)]
    Path("series.csv").write_text("\n".join(["id,t,x,price", *steps]) + "\n")
    return tmp_path


def said(*words) -> str:
    done = helo_command(*words)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize(("data", "std"), [(ROWS, 3.6), (SERIES, 1.0)])
def test_it_learns_a_number(data, std, place):
    found = json.loads(said("data", "check", "regression.py:Regression", *data, "--json"))["understood"]
    assert found["examples"] in (60, 120)
    assert "labels" not in found, "numbers are not counted"
    words = (
        "train",
        "regression.py:Regression",
        *data,
        "--steps",
        200,
        "--seed",
        1,
        "--out",
        "run",
        "--precision",
        "float32",
    )
    figures = json.loads(said(*words, "--json"))["figures"]
    assert figures["rmse"] < std / 4
    again = json.loads(said("eval", "run", "--json"))["figures"]
    assert again == pytest.approx(figures, rel=1e-3)
    every = json.loads(said("eval", "run", data[0], "--json"))["figures"]
    assert every["examples"] == found["examples"]
    answers = [float(line) for line in said("predict", "run", data[0]).splitlines()]
    assert np.std(answers) == pytest.approx(std, rel=0.3)
    given = [[0.5, 1.0]] if data is ROWS else [[[0.0], [0.25], [0.5]]]
    assert abs(helo.load("run").predict(given)[0]["number"]) < 30
    reports = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert min(r["rmse"] for r in reports) == pytest.approx(figures["rmse"], rel=1e-3)


def test_a_metric_of_another_file_chooses_the_weights(place):
    Path("mae.py").write_text(MAE)
    words = ("train", "regression.py:Regression", *ROWS, "--steps", 30, "--out", "run", "--metric", "mae.py:MAE")
    figures = json.loads(said(*words, "--json"))["figures"]
    assert 0 < figures["mae"] <= figures["rmse"]
    words = ("train", "regression.py:Regression", *ROWS, "--steps", 30, "--out", "other", "--metric", "determination")
    assert 0 < json.loads(said(*words, "--json"))["figures"]["r2"] < 1


def test_what_it_does_not_know_is_said_in_a_line(place):
    done = helo_command("train", "regression.py:Regression", *SERIES, "--steps", 4, "--out", "run")
    assert done.code == 0
    assert "nats" not in done.err
    for words in (("explain", "run", "series.csv"), ("predict", "run", "-"), ("score", "run", "series.csv")):
        done = helo_command(*words)
        assert done.code == 2, words
        assert len(done.err.splitlines()) == 1, done.err
        assert "bug" not in done.err
    Path("rows.csv").write_text(Path("rows.csv").read_text() + "1,2,much\n")
    done = helo_command("data", "check", "regression.py:Regression", *ROWS)
    assert "rows.csv:122" in done.err
    assert "much" in done.err
    said("inspect", "run", "series.csv", "--out", "seen.html")


def test_its_loss_and_its_own_metric_are_shown_as_they_declare(place):
    for n, steps in enumerate((2, 30)):
        said("train", "regression.py:Regression", *ROWS, "--steps", steps, "--seed", 1, "--out", f"run{n}")
    found = json.loads(said("compare", "run0", "run1", "--json", "--out", "c.html"))
    values = [r["figures"]["rmse"] for r in found["runs"]]
    assert [values[i] for i in found["best"]["rmse"]] == [min(values)]
    assert found["loss_unit"] == ""
    from helo.inspection import watch
    from helo.inspection.observer import Observer

    assert "nats" not in Path("c.html").read_text() + watch.page(Observer(Path("run1")))
    assert json.loads(said("info", "run1", "--json"))["cell"] is None, "a feed-forward model has none"
    assert "feed-forward" in Path("run1/README.md").read_text()

"""helo compare: how sure figures are, runs that differ in their seed as one, and cells that it trains itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="runs are made by training")

import helo
from fixtures import helo_command, stopped, text_file, trained
from helo.errors import HeloError
from helo.inspection import bootstrap, compare_cells
from helo.inspection.compare import compare
from helo.metrics import find
from helo.training import Interrupted
from test_shapes import CASES
from test_shapes import trained as answering

CELLS = ("--cells", "lstm,gru", "--seeds", 2, "--steps", 4, "--hidden", 8, "--quiet")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("compared"))


def figures(parts):
    """Those of the parts as they are, each block there once."""
    found = {}
    for part in parts:
        found |= {f: v[0] for f, v in part.figures(np.ones((1, len(part.statistics)))).items()}
    return found


@pytest.mark.parametrize("case", CASES)
def test_parts_add_up_to_the_figures_of_the_whole(case, place, monkeypatch):
    monkeypatch.setattr(bootstrap, "BLOCKS", 3)
    run = answering(case, place)
    parts, whole = figures(bootstrap.parts(run)), run.evaluate()
    assert parts
    assert parts == pytest.approx({f: whole[f] for f in parts}, rel=1e-9, nan_ok=True)


def test_stretches_of_a_text_add_up_to_its_figures(monkeypatch):
    monkeypatch.setattr(bootstrap, "STRETCH", 64)
    run = helo.load(trained())
    found = bootstrap.parts(run)
    assert len(found[0].statistics) > 5
    whole = run.evaluate()
    assert figures(found) == pytest.approx({f: whole[f] for f in figures(found)}, rel=1e-6)


def right(share: float, count: int, seed: int) -> list[bootstrap.Part]:
    """A model that is right on a share of the examples."""
    hits = np.random.default_rng(seed).random(count) < share
    metric = find("classification", ("a", "b"))
    each = [metric.statistics(np.array([int(not h)]), np.array([0])) for h in hits]
    return [bootstrap.Part(metric, np.stack(each))]


def test_an_interval_is_that_of_a_share():
    """Accuracy is a share: its interval is near 1.96 standard errors to both sides."""
    model = right(0.8, 500, 0)
    found = bootstrap.interval(bootstrap.draws([[model]])[0]["accuracy"])
    assert found is not None
    half = 1.96 * np.sqrt(found["mean"] * (1 - found["mean"]) / 500)
    assert found["low"] == pytest.approx(found["mean"] - half, abs=0.006)
    assert found["high"] == pytest.approx(found["mean"] + half, abs=0.006)


def test_differences_are_of_the_same_examples():
    """Two models that are wrong on nearly the same examples: each is unsure, their difference is not."""
    first = right(0.7, 400, 1)
    statistics = first[0].statistics.copy()
    wrong = np.flatnonzero(statistics[:, 0, 1])[:8]
    statistics[wrong] = [[1, 0], [0, 0]]  # right on eight more
    second = [bootstrap.Part(first[0].metric, statistics)]
    drawn = bootstrap.draws([[first], [second]])
    away = bootstrap.against(drawn, "accuracy", 1)
    alone = bootstrap.interval(drawn[0]["accuracy"])
    assert away[1] is None
    assert away[0] is not None
    assert alone is not None
    assert away[0]["mean"] == pytest.approx(-8 / 400)
    assert away[0]["high"] < 0
    assert away[0]["high"] - away[0]["low"] < (alone["high"] - alone["low"]) / 2


def test_seeds_that_differ_make_it_less_sure():
    def width(models):
        found = bootstrap.interval(bootstrap.draws([models])[0]["accuracy"])
        assert found is not None
        return found["high"] - found["low"]

    one = right(0.8, 300, 2)
    assert width([one, right(0.5, 300, 3)]) > 2 * width([one, one])


def test_cells_are_trained_and_compared(reviews):
    done = helo_command("compare", "classify", reviews, *CELLS, "--out", "cells", "--json", "--test", reviews)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert sorted(p.name for p in Path("cells").iterdir()) == ["compared.html", "gru-1", "gru-2", "lstm-1", "lstm-2"]
    assert [(g["name"], len(g["runs"])) for g in found["groups"]] == [("lstm", 2), ("gru", 2)]
    for group in found["groups"]:
        values = [helo.load(found["runs"][i]["run"]).evaluate(reviews)["accuracy"] for i in group["runs"]]
        sure = group["figures"]["accuracy"]
        assert sure["mean"] == pytest.approx(np.mean(values))
        assert sure["low"] <= sure["mean"] <= sure["high"]
    assert [g["against"]["accuracy"] is None for g in found["groups"]].count(True) == 1
    done = helo_command("compare", *(r["run"] for r in found["runs"]))
    assert "seeds" in done.out
    assert "[" in done.out


def test_the_same_again_goes_on_and_other_options_are_refused(reviews, monkeypatch):
    options = {"cells": ["lstm", "gru"], "seeds": 2, "steps": 4, "hidden": 8, "quiet": True}

    def first():
        try:
            helo.compare_cells("classify", reviews, out="cells", **options)
        except Interrupted as error:
            assert "--out cells continues" in str(error)
            raise

    stopped(monkeypatch, 6, first)
    trained = Path("cells/lstm-1/weights.safetensors")
    assert sorted(p.name for p in Path("cells").iterdir()) == ["gru-1", "lstm-1"]
    before = trained.stat().st_mtime_ns
    assert helo_command("compare", "classify", reviews, *CELLS, "--out", "cells").code == 0
    assert trained.stat().st_mtime_ns == before
    assert len(list(Path("cells").iterdir())) == 5
    done = helo_command("compare", "classify", reviews, *CELLS, "--out", "cells", "--batch", 7)
    assert done.code == 2
    assert "--batch 7" in done.err


def test_from_python(reviews):
    found = helo.compare_cells("classify", reviews, cells=["gru"], seeds=2, steps=2, hidden=8, quiet=True)
    assert [len(g["runs"]) for g in found["groups"]] == [2]
    assert helo.compare([r["run"] for r in found["runs"]])["groups"] == found["groups"]
    with pytest.raises(HeloError, match="both cell and cells"):
        helo.compare_cells("classify", reviews, cell="gru", steps=2)


@pytest.mark.parametrize("words, named", [
    (("--cells", ""), "--cells"),
    (("--cells", "gru,gru"), "different cells"),
    (("--cells", "lstm,gnu"), "gru"),
    (("--seeds", "0"), "--seeds"),
    (("--seeds", "1", "--cells", "lstm"), "2 to"),
    (("--seeds", "99"), "2 to"),
    (("--seeds", "two"), "--seeds"),
    (("--test", "nowhere.tsv"), "nowhere.tsv"),
    (("-",), "standard input"),
    (("--cell", "gru"), "--cells"),
    (("--hidden", "0"), "--hidden"),
])  # fmt: skip
def test_bad_words_are_refused_before_anything_is_trained(reviews, words, named):
    done = helo_command("compare", "classify", reviews, "--steps", 1, "--quiet", *words)
    assert done.code == 2, done.err
    assert named in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not Path("runs").exists()


def test_without_the_data_there_are_no_intervals_and_it_says_so(reviews):
    for seed in (1, 2):
        helo.train("classify", reviews, out=f"run{seed}", seed=seed, steps=1, hidden=8, quiet=True)
    Path(reviews).unlink()
    found = compare(["run1", "run2"])
    assert found["groups"] == []
    assert reviews in found["no_intervals"]
    done = helo_command("compare", "run1", "run2")
    assert done.code == 0
    assert "no intervals" in done.out


@pytest.mark.parametrize("text, cells", [
    ("lstm,gru", ["lstm", "gru"]),
    ("lstm,forget_bias=1, gru,", ["lstm,forget_bias=1", "gru"]),
    ("mine.py:Cell,a=1,b=2", ["mine.py:Cell,a=1,b=2"]),
    ("", []),
])  # fmt: skip
def test_cells_with_options_are_told_apart(text, cells):
    assert compare_cells.split_cells(text) == cells


def test_a_text_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = helo_command("compare", "lm", text_file(), *CELLS, "--embedding", 8, "--chunk", 16, "--streams", 4, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    for group in found["groups"]:
        values = [found["runs"][i]["figures"]["nats"] for i in group["runs"]]
        assert group["figures"]["nats"]["mean"] == pytest.approx(np.mean(values), rel=1e-5)


def test_on_the_same_files_symbols_of_another_kind_do_not_compare():
    """Bits a byte do, nats a symbol do not, whatever the files are that both are tested on."""
    found = compare([trained(), trained(units="bytes")], test=[text_file()])
    for group in found["groups"]:
        assert "bits_per_byte" in group["figures"]
        assert not {"nats", "perplexity"} & group["figures"].keys()
    same = compare([trained(), trained(seed=1)], test=[text_file()])
    assert "nats" in same["groups"][0]["figures"]


def test_a_page_is_html(tmp_path):
    done = helo_command("compare", "one", "other", "--out", tmp_path / "page.png")
    assert done.code == 2
    assert "the file page.png; expected a page, FILE.html" in done.err

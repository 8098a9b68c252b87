"""A person's own metric, from a file and from another package, takes part in training and evaluation; nobody else's runs."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="runs are made by training")

import helo
from fixtures import helo_command, home, text_file
from helo import metrics
from helo.errors import HeloError

SMALL = {"hidden": 8, "steps": 30, "seed": 1}
METRIC = """
import pathlib
from dataclasses import dataclass

import numpy as np

from helo.metrics import Metric

{mark}

@dataclass(frozen=True)
class Missed(Metric):
    '''How often the answer is wrong, as a power.'''

    kinds = ("label",)
    figures = ("missed",)
    higher_is_better = {higher}

    power: float = 1.0

    def statistics(self, answers, references):
        assert len(self.labels) == 2
        return np.array([(answers != references).sum(), len(answers)])

    def score(self, sums):
        return {{"missed": (sums[0] / sums[1]) ** self.power}}
"""


def own(place: Path, mark: Path | None = None, higher: bool = False) -> Path:
    said = f"pathlib.Path({str(mark)!r}).touch()" if mark else ""
    (place / "mine.py").write_text(METRIC.format(mark=said, higher=higher))
    return place / "mine.py"


@pytest.fixture(scope="module")
def reviews():
    rows = [f"{'good' if i % 3 else 'bad'} thing {i % 7}\t{'pos' if i % 2 else 'neg'}" for i in range(60)]
    (home() / "own-reviews.tsv").write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    return home() / "own-reviews.tsv"


@pytest.fixture(scope="module")
def plain(reviews):
    return helo.train("classify", reviews, out=home() / "own-plain", **SMALL)


def near(figures):
    """NumPy and torch add up in another order."""
    return pytest.approx(figures, rel=1e-4)


def reports(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_from_a_file_in_train_and_eval(reviews, plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELO_TRUSTED", str(tmp_path / "trusted"))
    own(tmp_path)
    run = tmp_path / "run"
    words = [f"--{k}={v}" for k, v in SMALL.items()]
    done = helo_command(
        "train", "classify", reviews, "--out", run, "--metric", "mine.py:Missed,power=2", "--json", *words
    )
    assert done.code == 0, done.err
    figures = json.loads(done.out)["figures"]
    assert figures["missed"] == pytest.approx((1 - figures["accuracy"]) ** 2)
    assert list(figures)[:3] == list(plain.figures)[:3], "those of the task stand first, as ever"
    recorded = json.loads((run / "run.json").read_text())["training"]["metric"]
    assert recorded == f"{tmp_path}/mine.py:Missed,power=2.0" or recorded == f"{tmp_path}/mine.py:Missed,power=2"
    best = min(reports(run), key=lambda r: (r["missed"], -r["step"]))
    assert best["missed"] == figures["missed"], "less is better"
    assert "missed" in done.err
    done = helo_command("eval", run, "--json")
    assert json.loads(done.out)["figures"] == near(figures), done.err
    done = helo_command("eval", plain.path, "--metric", "mine.py:Missed", "--json")
    found = json.loads(done.out)["figures"]
    assert found.pop("missed") == pytest.approx(1 - plain.figures["accuracy"])
    assert found == near(plain.figures)
    assert plain.evaluate(metric=f"{tmp_path}/mine.py:Missed")["missed"] == pytest.approx(1 - plain.figures["accuracy"])
    assert plain.evaluate() == near(plain.figures), "what was asked once is not asked again"


def test_more_or_less_is_better(reviews, tmp_path):
    for higher, pick in ((True, max), (False, min)):
        place = tmp_path / str(higher)
        place.mkdir()
        run = helo.train("classify", reviews, out=place / "run", metric=f"{own(place, higher=higher)}:Missed", **SMALL)
        assert run.figures["missed"] == pick(r["missed"] for r in reports(run.path))


def test_from_another_package(reviews, plain, tmp_path, monkeypatch):
    own(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "theirs-1.0.dist-info").mkdir()
    (tmp_path / "theirs-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (tmp_path / "theirs-1.0.dist-info" / "entry_points.txt").write_text("[helo.metrics]\nmissed-share = mine:Missed\n")
    importlib.invalidate_caches()
    try:
        assert "missed-share" in metrics.names()
        run = helo.train("classify", reviews, out=tmp_path / "run", metric="missed-share", **SMALL)
        assert run.figures["missed"] == min(r["missed"] for r in reports(run.path))
        assert helo.load(run.path).evaluate()["missed"] == run.figures["missed"]
        assert plain.evaluate(metric="missed-share,power=2")["missed"] == pytest.approx(
            (1 - plain.figures["accuracy"]) ** 2
        )
    finally:
        sys.modules.pop("mine", None)


@pytest.mark.parametrize("metric", ["macro_f1", "loss", "calibration_error", "calibration"])
def test_a_figure_that_is_reported_anyway(metric, reviews, plain, tmp_path):
    run = helo.train("classify", reviews, out=tmp_path / "run", metric=metric, **SMALL)
    assert run.figures.keys() == plain.figures.keys()
    assert run.about["training"]["metric"] == metric
    key = {"loss": "valid", "calibration": "calibration_error"}.get(metric, metric)
    pick = max if metric == "macro_f1" else min
    best = pick(r[key] for r in reports(run.path))
    if metric != "loss":
        assert run.figures[key] == near(best)
    assert helo.load(run.path).evaluate() == near(run.figures)


def test_translations_known_by_a_score_of_texts(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{t}\t{t.upper()}\n" for t in ("abc", "bcd", "cde") for _ in range(9)))
    run = helo.train("translate", tmp_path / "pairs.tsv", out=tmp_path / "run", metric="chrf", **SMALL)
    assert all(0 <= r["chrf"] <= 100 for r in reports(run.path))


def test_a_language_model_known_by_bits(tmp_path):
    run = helo.train("lm", text_file(), out=tmp_path / "run", metric="bits_per_byte", streams=4, chunk=16, **SMALL)
    assert run.figures["bits_per_byte"] > 0
    assert [r["bits_per_byte"] for r in reports(run.path)]


def test_refused(reviews, plain, tmp_path):
    """In one line, before anything is trained."""
    file = own(tmp_path)
    text = file.read_text()
    for name, wrong in {
        "Kind": text.replace('("label",)', '("spans",)'), "NoTuple": text.replace('("label",)', '"label"'),
        "Taken": text.replace('"missed"', '"accuracy"'), "Reserved": text.replace('"missed"', '"loss"'),
        "Nameless": text.replace('figures = ("missed",)', "figures = ()"),
    }.items():  # fmt: skip
        (tmp_path / f"{name}.py").write_text(wrong)
    for metric, named in {
        "acuracy": "accuracy", "bleu": "loss", "spans": "spans", f"{tmp_path}/mine.py:Mised": "Missed",
        f"{tmp_path}/none.py:Missed": "none.py", f"{file}:Missed,power=x": "power", f"{file}:Missed,labels=x": "labels",
        f"{tmp_path}/Kind.py:Missed": "spans", f"{tmp_path}/NoTuple.py:Missed": "kinds", f"{tmp_path}/Taken.py:Missed": "accuracy",
        f"{tmp_path}/Reserved.py:Missed": "loss", f"{tmp_path}/Nameless.py:Missed": "figures",
    }.items():  # fmt: skip
        for words in (("train", "classify", reviews, "--out", tmp_path / "run"), ("eval", plain.path)):
            done = helo_command(*words, "--metric", metric)
            assert done.code == 2, done
            assert named in done.err, done.err
            assert len(done.err.splitlines()) == 1, done.err
            assert not (tmp_path / "run").exists()


def test_what_it_gives_is_looked_at(plain, tmp_path):
    text = own(tmp_path).read_text()
    for said, named in (("np.array([1, 2])", "missed"), ("'much'", "missed"), ("1 / 0", "mine.py")):
        (tmp_path / "mine.py").write_text(text.replace("(sums[0] / sums[1]) ** self.power", said))
        with pytest.raises(HeloError, match=named):
            plain.evaluate(metric=f"{tmp_path}/mine.py:Missed")
    (tmp_path / "mine.py").write_text(text.replace('return {"missed": (sums[0] / sums[1]) ** self.power}', "return 5"))
    with pytest.raises(HeloError, match="5"):
        plain.evaluate(metric=f"{tmp_path}/mine.py:Missed")
    (tmp_path / "mine.py").write_text(text.replace('{"missed": (sums', '{"mist": (sums'))
    with pytest.raises(HeloError, match="missed"):
        plain.evaluate(metric=f"{tmp_path}/mine.py:Missed")
    (tmp_path / "mine.py").write_text(text.replace("(sums[0] / sums[1]) ** self.power", "float('nan')"))
    assert plain.evaluate(metric=f"{tmp_path}/mine.py:Missed")["missed"] is None


def test_nobody_elses_runs(reviews, tmp_path, monkeypatch):
    """A metric that a run names by its file, without a person's word."""
    monkeypatch.setenv("HELO_TRUSTED", str(tmp_path / "trusted"))
    mark, run = tmp_path / "ran", tmp_path / "run"
    metric = f"{own(tmp_path, mark)}:Missed"
    helo.train("classify", reviews, out=run, metric=metric, **SMALL)
    assert mark.exists()
    figures = helo.load(run).figures
    assert helo.load(run).evaluate() == near(figures), "its person has named it, and it is as it was"
    mark.unlink()
    Path(tmp_path / "mine.py").write_text(Path(tmp_path / "mine.py").read_text() + "\n# changed\n")
    like = ("train", "classify", reviews, "--steps", 2, "--out", tmp_path / "new")
    for words in (
        ("eval", run), ("eval", run, reviews), (*like, "--like", run), (*like, "--start", run),
        ("train", "classify", "--out", run, "--resume"), ("train", "classify", reviews, "--out", run, "--resume", "--steps", 99),
    ):  # fmt: skip
        done = helo_command(*words)
        assert done.code == 2, words
        assert f"--metric {metric}" in done.err, done.err
        assert len(done.err.splitlines()) == 1, words
        assert not mark.exists(), words
    assert helo_command("info", run).code == 0
    assert helo.load(run).predict(["good thing"]), "answers need no metric"
    with pytest.raises(HeloError, match="metric"):
        helo.load(run).evaluate()
    assert "missed" not in helo.load(run).evaluate(metric="accuracy")
    assert not mark.exists()
    assert helo.load(run, trust=True).evaluate() == near(figures)
    assert mark.exists()
    mark.unlink()
    done = helo_command("eval", run, "--metric", metric, "--json")
    assert json.loads(done.out)["figures"] == near(figures)
    further = ("train", "classify", "--out", run, "--resume", "--steps", 40, "--metric")
    assert helo_command(*further, "macro_f1").code == 2
    assert helo_command(*further, metric).code == 0
    assert len(reports(run)) > 1


def test_damaged(plain, tmp_path):
    import shutil

    for n, wrong in enumerate((5, [], "", "nothing", "spans", {"a": 1})):
        run = Path(shutil.copytree(plain.path, tmp_path / f"{n}"))
        about = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps(about | {"training": about["training"] | {"metric": wrong}}))
        with pytest.raises(HeloError, match=r"run\.json.*metric"):
            helo.load(run).evaluate()


def test_what_a_report_has_is_reserved(plain):
    assert set().union(*reports(plain.path)) - {"accuracy"} == metrics.REPORTED


def test_less_is_better_where_runs_are_compared(reviews, tmp_path, monkeypatch):
    from helo.inspection.compare import compare

    monkeypatch.setenv("HELO_TRUSTED", str(tmp_path / "trusted"))
    metric = f"{own(tmp_path)}:Missed"
    for n, steps in enumerate((2, 30)):
        helo.train("classify", reviews, out=tmp_path / f"{n}", metric=metric, **(SMALL | {"steps": steps}))
    found = compare([tmp_path / "0", tmp_path / "1"])
    values = [r["figures"]["missed"] for r in found["runs"]]
    assert [values[i] for i in found["best"]["missed"]] == [min(values)]
    assert "calibration_error" in metrics.lower_is_better()

"""Run folders that the code of before wrote, one of each task, with names of options and files that it had: each loads, answers,
evaluates to the figures that it recorded, and goes on. `tests/data/runs-of-before` is never made again; a new format adds to it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import helo
from fixtures import helo_command
from helo.errors import HeloError

HERE = Path(__file__).parent / "data" / "runs-of-before"
RUNS = sorted(p.parent.name for p in HERE.glob("*/run.json"))
ASKED = {
    "classify": ["a fine book", "that poor film"],
    "several": ["cold rain", "a warm sun"],
    "series": "series.csv",
    "regress": "regress.csv",
    "forecast": "forecast.csv",
    "tag": ["Anna went to Rome ."],
    "translate": ["one two", "five"],
    "caption": ["pictures/01.png"],
}
NOTHING = {"caption": "nothing", "regress": "numbers of shape", "forecast": "array of shape"}  # is said of no examples


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The run folders and the files that they name, in the current folder."""
    shutil.copytree(HERE, tmp_path / "before")
    monkeypatch.chdir(tmp_path / "before")
    monkeypatch.setenv("HELO_DATA", str(tmp_path / "store"))


def near(value):
    """The same, but for how numbers are added up."""
    if isinstance(value, dict):
        return {k: near(v) for k, v in value.items()}
    if isinstance(value, list):
        return [near(v) for v in value]
    return pytest.approx(value, rel=1e-4, abs=1e-6) if isinstance(value, float) else value


def known_then(found, then):
    """What an answer has today, by the keys that it had: answers may have more."""
    if isinstance(then, dict):
        return {k: known_then(found[k], v) for k, v in then.items()}
    if isinstance(then, list) and isinstance(found, list) and len(found) == len(then):
        return [known_then(a, b) for a, b in zip(found, then, strict=True)]
    return found


def test_there_is_one_of_each_task():
    tasks = {json.loads((HERE / name / "run.json").read_text())["task"] for name in RUNS}
    assert tasks == {"lm", "classify", "regress", "tag", "translate", "caption", "forecast"}


@pytest.mark.parametrize("name", RUNS)
def test_it_answers_and_evaluates_as_then(name, folder):
    run, answers = helo.load(name), json.loads(Path("answers.json").read_text(encoding="utf-8"))
    if name == "lm":
        assert run.sample("The ", length=40, seed=1) == answers[name]
    else:
        asked = ASKED[name]
        found = run.predict(run.examples([asked]) if isinstance(asked, str) else asked)
        assert known_then(found[:2], answers[name]) == near(answers[name])
        if name in NOTHING:
            with pytest.raises(HeloError, match=NOTHING[name]):
                run.predict([])
        else:
            assert run.predict([]) == []
    assert run.evaluate() == near(json.loads(Path(name, "run.json").read_text())["figures"])
    assert helo_command("info", name).code == 0


@pytest.mark.parametrize("name", RUNS)
def test_it_goes_on(name, folder):
    pytest.importorskip("torch", reason="going on is training")
    about = helo.load(name).about
    done = helo_command("train", about["task"], "--out", name, "--resume", "--steps", about["steps"] + 20, "--quiet")
    assert done.code == 0, done.err
    new = json.loads(Path(name, "run.json").read_text())
    assert new["steps"] == about["steps"] + 20
    assert new["finished"]
    assert new["figures"].keys() == about["figures"].keys()
    assert helo.load(name).evaluate() == near(new["figures"])

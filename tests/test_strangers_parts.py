"""A stranger's cell, reader, metric and task, in files outside the package, take part in check, train, eval and predict, and
nothing inside knows of them. What a run folder names by a file runs by a person's word alone.
"""

from __future__ import annotations

import json
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="runs are made by training")

import helo
from fixtures import helo_command
from helo import registry, reports, tasks
from helo.data import readers
from helo.errors import HeloError

CELL = """
from dataclasses import dataclass

from helo.cells.base import Cell, orthogonal, uniform, zeros
from helo.cells.functions import namespace


@dataclass(frozen=True)
class Plain(Cell):
    slow: float = 1.0

    def init(self, rng, inputs, hidden):
        return {"w": uniform(rng, hidden, inputs, hidden**-0.5), "r": orthogonal(rng, 1, hidden)}

    def state(self, parameters, batch):
        return (zeros(parameters, "r", batch, parameters["r"].shape[1]),)

    def step(self, parameters, state, x):
        a = x @ parameters["w"].T + self.slow * state[0] @ parameters["r"].T
        h = namespace(a).tanh(a)
        return (h,), h
"""
READER = """
from helo.data.dataset import Dataset
from helo.data.readers import Reader


class Bars(Reader):
    SUFFIXES = (".bars",)

    def read(self, paths, options):
        rows = [(f"{p}:{n}", *line.split("|")) for p in paths for n, line in enumerate(p.read_text().splitlines(), 1)]
        return Dataset("text", [r[2] for r in rows], [r[1] for r in rows], lambda i, *step: rows[i][0])
"""
METRIC = """
from dataclasses import dataclass

import numpy as np

from helo.metrics import Metric


@dataclass(frozen=True)
class Missed(Metric):
    kinds = ("label",)
    figures = ("missed",)
    higher_is_better = False

    def statistics(self, answers, references):
        return np.array([(answers != references).sum(), len(answers)])

    def score(self, sums):
        return {"missed": float(sums[0] / sums[1])}
"""
TASK = '''
"""Moods of texts, with some words left out."""

import pathlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from helo.options import SHARE
from helo.reports import Report
from helo.tasks import classify
from helo.tasks.labels import LabelSource

pathlib.Path("ran").touch()


@dataclass(frozen=True)
class Shouting:
    loudly: Annotated[bool, "answers in capitals"] = False


@dataclass(frozen=True)
class Options(classify.Options):
    verbs = MappingProxyType({"predict": Shouting})

    leave_out: Annotated[str, "a word that is not read"] = "very"


class LeftOut(LabelSource):
    def read(self, files, options, labelled=True):
        found, paths = super().read(files, options, labelled)
        found.inputs = [x.replace(options.leave_out, "") for x in found.inputs]
        return found, paths


class Moods(classify.Classify):
    Options = Options
    source = LeftOut()

    def predict(self, parameters, source, loudly=False):
        answers = super().predict(parameters, source)
        return [a | {"label": a["label"].upper() if loudly else a["label"]} for a in answers]


class MoodsReport(Report):
    unit = "moods"
    example = "moods.bars"

    @staticmethod
    def line(answer):
        return f"mood: {answer['label']}"
'''
FLAGS = ("--hidden", 4, "--embedding", 4, "--steps", 20, "--seed", 1, "--leave-out", "quite")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the four files, and data that only the reader knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELO_TRUSTED", str(tmp_path / "trusted"))
    monkeypatch.setattr(readers, "_vouched", set())
    for name, code in {"cell": CELL, "reader": READER, "metric": METRIC, "task": TASK}.items():
        Path(f"my_{name}.py").write_text(code)
    rows = [f"{m}|a quite {w} day {i % 5}" for i in range(12) for m, w in (("good", "fine"), ("bad", "poor"))]
    Path("a.bars").write_text("\n".join(rows) + "\n")
    return tmp_path


def ran() -> bool:
    """Whether the task's file has run since this was asked last."""
    found = Path("ran").exists()
    Path("ran").unlink(missing_ok=True)
    return found


def forget() -> None:
    """As in another process, of a person who named none of the files, which have changed since."""
    Path("trusted").unlink(missing_ok=True)
    readers._vouched.clear()
    for file in Path().glob("my_*.py"):
        file.write_text(file.read_text() + "# changed\n")
    ran()


def said(*words) -> str:
    done = helo_command(*words)
    assert done.code == 0, done.err
    return done.out


def refused(*words) -> str:
    done = helo_command(*words)
    assert done.code == 2, done
    assert len(done.err.splitlines()) == 1, done.err
    return done.err


def test_all_four_together(place):
    own = ("my_task.py:Moods", "a.bars", "--reader", "my_reader.py:Bars", "--cell", "my_cell.py:Plain,slow=0.5")
    found = json.loads(said("data", "check", *own, "--json"))["understood"]
    assert found["examples"] == 24
    assert "my_reader.py:Bars" in found["readers"][0]["reader"]
    out = json.loads(said("train", *own, *FLAGS, "--metric", "my_metric.py:Missed", "--out", "run", "--json"))
    about = json.loads((place / "run" / "run.json").read_text())
    assert about["task"] == f"{place}/my_task.py:Moods"
    assert about["cell"] == f"{place}/my_cell.py:Plain,slow=0.5"
    assert about["options"]["reader"] == f"{place}/my_reader.py:Bars"
    assert about["options"]["leave_out"] == "quite"
    assert about["training"]["metric"] == f"{place}/my_metric.py:Missed"
    assert out["figures"]["missed"] == pytest.approx(1 - out["figures"]["accuracy"])
    assert json.loads(said("eval", "run", "--json"))["figures"] == pytest.approx(out["figures"], rel=1e-4)
    assert len(json.loads(said("predict", "run", "a.bars", "--json"))["answers"]) == 24
    assert said("predict", "run", "a.bars", "--loudly").splitlines()[0] in ("mood: GOOD", "mood: BAD")
    assert "my_task.py:Moods" in said("info", "run")
    said("train", *own, *FLAGS, "--metric", "my_metric.py:Missed", "--out", "run", "--resume", "--steps", 30)
    assert json.loads((place / "run" / "run.json").read_text())["steps"] == 30
    said("train", *own, "--like", "run", "--out", "like", "--steps", 2)
    said("train", *own, "--start", "run", "--out", "started", "--steps", 2)


def test_its_own_flags_stand_in_the_help(place):
    for words in (("train", "my_task.py:Moods"), ("data", "check", "my_task.py:Moods")):
        text = said(*words, "--help")
        assert "--leave-out" in text
        assert "moods.bars" in text
    said("train", "my_task.py:Moods", "a.bars", "--reader", "my_reader.py:Bars", *FLAGS, "--out", "run")
    assert "--loudly" in said("predict", "run", "--help")
    assert "--loudly" not in said("predict", "--help")
    assert "--loudly" in said("predict", "--task", "my_task.py:Moods", "--help")


def test_refused(place):
    assert "Moods" in refused("train", "my_task.py:Mods", "a.bars")
    assert "none.py" in refused("train", "none.py:Moods", "a.bars")
    Path("broken.py").write_text("1 / 0")
    assert "ZeroDivisionError" in refused("train", "broken.py:Moods", "a.bars")
    assert "my_metric.py" in refused("data", "check", "my_metric.py:Missed", "a.bars")
    said("train", "my_task.py:Moods", "a.bars", "--reader", "my_reader.py:Bars", *FLAGS, "--out", "run")
    assert "my_task.py:Moods" in refused("train", "classify", "a.bars", "--out", "run", "--resume")
    assert "Moods" in refused("eval", "run", "--task", "my_task.py:Other")
    assert "my_task.py:Moods" in refused("eval", "run", "--task", "classify")


def test_nobody_elses_runs(place):
    helo.train("my_task.py:Moods", "a.bars", out="run", reader="my_reader.py:Bars", hidden=4, embedding=4, steps=2)
    assert helo.load("run").evaluate(), "its person has named it, and it is as it was"
    forget()
    word = f"--task {place}/my_task.py:Moods"
    for words in (
        ("eval", "run"), ("predict", "run", "a.bars"), ("inspect", "run"), ("explain", "run", "a.bars"),
    ):  # fmt: skip
        assert word in refused(*words), words
        assert not ran(), words
    for words in (("info", "run"), ("compare", "run", "run"), ("eval", "--help"), ("predict", "run", "--help")):
        said(*words)
        assert not ran(), words
    with pytest.raises(HeloError, match="--task"):
        helo.load("run").evaluate()
    assert helo_command("watch", "run", "--terminal").code == 0
    assert not ran()
    readers.chosen("my_reader.py:Bars")
    assert "accuracy" in said("eval", "run", "--task", "my_task.py:Moods")
    assert ran()
    assert "mood" in said("predict", "run", "a.bars", "--task", "my_task.py:Moods", "--loudly")
    assert helo.load("run", trust=True).evaluate()
    assert helo.load("run", task="my_task.py:Moods").evaluate()


def test_the_file_may_lie_elsewhere(place):
    said("train", "my_task.py:Moods", "a.bars", "--reader", "my_reader.py:Bars", *FLAGS, "--out", "run")
    Path("there").mkdir()
    shutil.move("my_task.py", "there/my_task.py")
    assert "--task" in refused("eval", "run")
    assert "accuracy" in said("eval", "run", "--task", "there/my_task.py:Moods")
    said("train", "there/my_task.py:Moods", "--out", "run", "--resume", "--steps", 30)
    assert json.loads((place / "run" / "run.json").read_text())["steps"] == 30


def test_an_entry_point_is_a_task_like_any_other(place, monkeypatch):
    (place / "their_tasks.py").write_text(TASK)
    monkeypatch.syspath_prepend(str(place))
    theirs = EntryPoint("moods", "their_tasks:Moods", "helo.tasks")
    broken = EntryPoint("broken", "not_there:Moods", "helo.tasks")
    monkeypatch.setattr(registry, "entry_points", lambda group: [theirs, broken] if group == "helo.tasks" else [])
    assert {"moods", "classify"} <= set(tasks.names())
    assert reports.find("moods").unit == "moods"
    assert "moods" in said("train", "--help")
    said("train", "moods", "a.bars", "--reader", "my_reader.py:Bars", *FLAGS, "--out", "run")
    assert json.loads((place / "run" / "run.json").read_text())["task"] == "moods"
    assert "accuracy" in said("eval", "run")
    assert said("predict", "run", "a.bars", "--loudly").splitlines()[0] in ("mood: GOOD", "mood: BAD")
    assert "moods" in refused("predict", "run", "a.bars", "--beam", 3)

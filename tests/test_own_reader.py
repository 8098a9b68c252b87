"""A stranger's reader, from a file outside the package or an entry point, takes part in check, train, eval and predict; and
each way of holding examples out to validate on.
"""

from __future__ import annotations

import json
import shutil
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

import helo
from helo import registry, tasks
from helo.cli import main
from helo.data import readers, splits
from helo.data.dataset import Dataset
from helo.errors import HeloError

MOODS = """
from helo.data.dataset import Dataset
from helo.data.readers import Reader

class Moods(Reader):
    SUFFIXES = (".mood",)

    def sniff(self, path):
        return "a mood in brackets" if path.read_text().startswith("[") else None

    def read(self, paths, options):
        texts, labels, places, label = [], [], [], ""
        for path in paths:
            for n, line in enumerate(path.read_text().splitlines(), 1):
                if line.startswith("["):
                    label = line.strip("[]")
                elif line:
                    texts, labels, places = texts + [line], labels + [label], places + [f"{path}:{n}"]
        return Dataset("text", texts, labels, lambda i, *step: places[i])
"""
TINY: dict[str, Any] = {"hidden": 4, "embedding": 4, "steps": 2}
FLAGS = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]


@pytest.fixture
def moods(tmp_path, monkeypatch):
    """A file that no reader of helo's knows, and one beside it that is called as a table is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELO_TRUSTED", str(tmp_path / "trusted"))
    monkeypatch.setattr(readers, "_vouched", set())
    (tmp_path / "moods.py").write_text(MOODS)
    text = "".join(f"[{mood}]\n" + "".join(f"a {word} day {i}\n" for i in range(12)) for mood, word in
                   (("good", "fine"), ("bad", "poor")))  # fmt: skip
    (tmp_path / "a.mood").write_text(text)
    shutil.copy("a.mood", "b.tsv")
    return tmp_path


def said(capsys, *words: str) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["helo", *words])
        with pytest.raises(SystemExit) as end:
            main()
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_a_strangers_reader_takes_part_in_everything(moods, capsys):
    own = ["--reader", "moods.py:Moods"]
    code, _, err = said(capsys, "data", "check", "classify", "a.mood")
    assert code == 2
    assert "--reader" in err
    code, out, _ = said(capsys, "data", "check", "classify", "a.mood", "b.tsv", *own, "--json")
    assert code == 0
    claim = json.loads(out)["understood"]["readers"]
    assert [c["files"] for c in claim] == [["a.mood", "b.tsv"]], "whatever they are called"
    assert "moods.py:Moods" in claim[0]["reader"]
    assert said(capsys, "train", "classify", "a.mood", *own, *FLAGS, "--out", "run", "-q")[0] == 0
    figures = json.loads(said(capsys, "eval", "run", "--json")[1])["figures"]
    assert figures == pytest.approx(json.loads((moods / "run" / "run.json").read_text())["figures"], abs=1e-5)
    assert json.loads(said(capsys, "eval", "run", "b.tsv", "--json")[1])["figures"]["examples"] == 24
    assert len(json.loads(said(capsys, "predict", "run", "b.tsv", "--json")[1])["answers"]) == 24
    assert (
        said(capsys, "train", "classify", "a.mood", *own, *FLAGS, "--steps", "3", "--out", "run", "--resume", "-q")[0]
        == 0
    )


def test_a_reader_that_a_folder_names_runs_only_by_a_persons_word(moods, monkeypatch):
    run = helo.train("classify", "a.mood", out="run", reader="moods.py:Moods", **TINY)
    assert run.about["options"]["reader"] == str(moods / "moods.py:Moods")
    monkeypatch.setattr(readers, "_vouched", set())
    assert len(helo.load("run").predict(helo.load("run").examples("a.mood"))) == 24, "it was named once"
    (moods / "moods.py").write_text(MOODS + "# changed\n")
    for ask in (lambda r: r.examples("a.mood"), lambda r: r.evaluate()):
        with pytest.raises(HeloError, match="--reader") as error:
            ask(helo.load("run"))
        assert "moods.py" in str(error.value)
    with pytest.raises(HeloError, match="--reader"):
        helo.train("classify", "a.mood", out="other", like="run", **TINY)
    assert len(helo.load("run").predict(["a fine day"])) == 1, "who reads no file runs no reader"
    assert len(helo.load("run", trust=True).examples("a.mood")) == 24
    monkeypatch.setattr(readers, "_vouched", set())
    (moods / "there").mkdir()
    shutil.move("moods.py", "there/moods.py")
    assert helo.load("run").evaluate(reader="there/moods.py:Moods") == pytest.approx(run.figures, abs=1e-5), (
        "wherever it lies"
    )


def test_an_entry_point_is_a_reader_like_any_other(moods, monkeypatch):
    package = moods / "their_package.py"
    package.write_text(MOODS)
    monkeypatch.syspath_prepend(str(moods))
    theirs = EntryPoint("moods", "their_package:Moods", "helo.readers")
    monkeypatch.setattr(registry, "entry_points", lambda group: [theirs] if group == "helo.readers" else [])
    kind = tasks.find("classify")
    assert "moods" in readers.names()
    assert kind.source.read(["a.mood"], kind.Options())[0].notes["readers"][0]["reader"] == "moods"
    with pytest.raises(HeloError, match="rows") as error:
        kind.source.read(["b.tsv"], kind.Options())
    assert all(word in str(error.value) for word in ("moods", "--reader", "b.tsv"))
    assert len(kind.source.read(["b.tsv"], kind.Options(reader="moods"))[0]) == 24


@pytest.mark.parametrize(
    "gives, words",
    [
        ("[]", "Dataset"),
        ('Dataset("text", ["a"], [], lambda i, *s: "here")', "0 labels"),
        ('Dataset("text", ["a"], [7], lambda i, *s: "here")', "7"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_what_a_strangers_reader_does_wrong_is_said_of_it(moods, gives, words):
    (moods / "wrong.py").write_text(MOODS.replace('Dataset("text", texts, labels, lambda i, *step: places[i])', gives))
    with pytest.raises(HeloError) as error:
        helo.train("classify", "a.mood", out="run", reader="wrong.py:Moods", **TINY)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "name, value",
    [("SUFFIXES", '".mood"'), ("SUFFIXES", "5"), ("labels", '("example")'), ("labels", "None"), ("kinds", "(1,)"),
     ("columns", '"text"'), ("required", "5"), ("beside", '".txt"'), ("called", "5"), ("general", "None"), ("folders", "1")],
)  # fmt: skip
def test_what_a_reader_declares_in_another_form_is_refused_by_name(moods, name, value):
    (moods / "moods.py").write_text(f"{MOODS}\n    {name} = {value}\n")
    with pytest.raises(HeloError, match=rf"moods\.py:Moods: .*Moods\.{name} = .*expected"):
        helo.train("classify", "a.mood", out="run", reader="moods.py:Moods", **TINY)


def test_a_reader_is_for_files_whose_labels_a_task_takes():
    kind = tasks.find("classify")
    with pytest.raises(HeloError, match="rows"):
        kind.source.read(["a.conll"], kind.Options(reader="conll"))
    with pytest.raises(HeloError, match="conll"):
        readers.find("conl")


def examples(column=None, labels="ab" * 30) -> Dataset:
    return Dataset("text", list(range(len(labels))), list(labels), lambda i, *step: f"f:{i}",
                   {"readers": [{"files": ["f"]}]}, split_by=column)  # fmt: skip


def test_groups_stay_whole():
    patients = [[f"p{i * 7 // 60}"] for i in range(60)]
    learn, check = splits.split(examples(patients), "group", "patient")
    assert not {patients[i][0] for i in learn} & {patients[i][0] for i in check}
    assert sorted([*learn, *check]) == list(range(60))
    labels = "a" * 50 + "b" * 10  # only one group has the label b: it is learned from
    assert splits.split(examples([[y] for y in "xyz" * 16 + "ww" + "v" * 10], labels), "group", "g",
                        [{y} for y in labels], 1)[1].max() < 50  # fmt: skip
    with pytest.raises(HeloError, match="--split-by"):
        splits.split(examples(), "group")
    with pytest.raises(HeloError, match="f:0"):
        splits.split(examples([["a", "b"]] * 60), "group", "g")


def test_a_future_never_leaks_into_its_past():
    days = np.random.default_rng(0).permutation(60)
    spans = [
        [f"2024-{1 + d // 28:02d}-{1 + d % 28:02d}", f"2024-{1 + (d + 4) // 28:02d}-{1 + (d + 4) % 28:02d}"]
        for d in days
    ]
    learn, check = splits.split(examples(spans), "chronological", "day")
    assert max(spans[i][1] for i in learn) < min(spans[i][0] for i in check)
    assert len(check) == 6
    assert len(learn) == 50, "those that reach into the last tenth are on neither side"
    assert [len(half) for half in splits.split(examples([[1]] * 30 + [[2]] * 30), "chronological", "t")] == [30, 30]
    assert splits.split(examples(), "chronological")[1].tolist() == list(range(54, 60))
    with pytest.raises(HeloError, match="--valid"):
        splits.split(examples([[1]] * 60), "chronological", "t")
    with pytest.raises(HeloError, match=r"f:0.*'soon'"):
        splits.split(examples([["soon"]] * 60), "chronological", "t")


@pytest.mark.parametrize(
    "how, said",
    [
        ({}, splits.SAID["stratified"]),
        ({"split": "random"}, splits.SAID["random"]),
        ({"split": "group", "split_by": "day"}, splits.SAID["group"]),
        ({"split": "chronological", "split_by": "Day"}, splits.SAID["chronological"]),
    ],
)
def test_the_validation_data_of_a_split_is_found_again(tmp_path, how: Any, said):
    rng = np.random.default_rng(0)
    rows = [f"{i % 9},{rng.normal():.3f},{rng.normal():.3f},{'ab'[i % 2]}" for i in range(60)]
    file = tmp_path / "t.csv"
    file.write_text("day,x,y,label\n" + "\n".join(rows) + "\n")
    run = helo.train("classify", file, out=tmp_path / "run", **TINY, **how)
    assert run.about["options"]["split"] == how.get("split", "stratified")
    assert run.about["data"]["valid"] == said
    assert run.evaluate() == pytest.approx(run.figures, abs=1e-5)
    assert run.task.form.to_json()["numbers"]["mean"].__len__() == (3 if not how.get("split_by") else 2), "no feature"
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    if not how:  # a run of before knows no splits and no readers
        for name in ("split", "split_by", "reader"):
            del about["options"][name]
        (tmp_path / "run" / "run.json").write_text(json.dumps(about))
        assert helo.load(tmp_path / "run").evaluate() == pytest.approx(run.figures, abs=1e-5)
    with pytest.raises(HeloError, match="--valid"):
        helo.train("classify", file, file, out=tmp_path / "other", split="random", **TINY)


def test_a_column_to_split_by_has_to_be_there(tmp_path):
    file = tmp_path / "t.conll"
    file.write_text("a x\nb y\n\n" * 20)
    how: Any
    for how in ({"split": "group", "split_by": "day"}, {"split": "random", "split_by": "day"}, {"split": "group"}):
        with pytest.raises(HeloError, match="split"):
            helo.train("tag", file, out=tmp_path / "run", **TINY, **how)
    (tmp_path / "u.conll").write_text("a y\nb x\n\n" * 3)
    run = helo.train("tag", [file, tmp_path / "u.conll"], out=tmp_path / "run", **TINY, split="group")
    assert run.about["data"]["examples"]["valid"] in (3, 20), "a file is a group"

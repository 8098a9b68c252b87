"""helo sweep: trainings with other options each, chosen by Optuna."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="runs are made by training")
pytest.importorskip("optuna", reason="a sweep needs optuna")

import helo
from fixtures import helo_command, stopped, text_file
from helo.errors import HeloError
from helo.inspection import space
from helo.inspection import sweep as module
from helo.tasks import find
from helo.training import Interrupted

SMALL = {"steps": 3, "hidden": 8, "quiet": True}
LM = {"hidden": 8, "embedding": 8, "streams": 4, "chunk": 16, "quiet": True}


def test_the_best_comes_first_and_each_trial_is_a_run(reviews):
    words = ("--vary", "hidden=4..32", "--vary", "cell=lstm,gru", "--trials", 4, "--steps", 3, "--quiet")
    done = helo_command("sweep", "classify", reviews, *words, "--out", "s", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["figure"], found["higher_is_better"]) == ("accuracy", True)
    assert [t["state"] for t in found["trials"]] == ["complete"] * 4
    values = [t["value"] for t in found["trials"]]
    assert values == sorted(values, reverse=True)
    assert found["best"] == found["trials"][0]
    for trial in found["trials"]:
        run = helo.load(trial["run"])
        assert run.figures["accuracy"] == trial["value"]
        assert {k: run.about["options"].get(k, run.about["cell"]) for k in trial["options"]} == trial["options"]
        assert 4 <= trial["options"]["hidden"] <= 32
    assert len({t["options"]["hidden"] for t in found["trials"]}) > 1


def test_the_same_again_goes_on(reviews, monkeypatch):
    def first():
        try:
            helo.sweep("classify", reviews, out="s", trials=3, **SMALL)
        except Interrupted as error:
            assert "--out s continues" in str(error)
            raise

    stopped(monkeypatch, 5, first)
    before = Path("s/trial-0/weights.safetensors").stat().st_mtime_ns
    options = json.loads(Path("s/trial-1/run.json").read_text())["training"]["rate"]
    found = helo.sweep("classify", reviews, out="s", trials=3, **SMALL)
    assert sorted(t["number"] for t in found["trials"]) == [0, 1, 2]
    assert Path("s/trial-0/weights.safetensors").stat().st_mtime_ns == before
    assert next(t for t in found["trials"] if t["number"] == 1)["options"]["rate"] == options
    more = helo.sweep("classify", reviews, out="s", trials=4, **SMALL)
    assert len(more["trials"]) == 4
    assert len({t["options"]["rate"] for t in more["trials"]}) == 4, "who goes on draws something else"


def test_those_who_share_the_storage_share_the_trials(reviews):
    helo.sweep("classify", reviews, out="one", trials=2, storage="shared.db", **SMALL)
    found = helo.sweep("classify", reviews, out="two", trials=3, storage="shared.db", **SMALL)
    assert sorted(Path(t["run"]).parent.name for t in found["trials"]) == ["one", "one", "two"]


def test_hopeless_trials_end_early(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "FIRST", 2)
    how = LM | {"steps": 60, "trials": 12, "seed": 1, "vary": {"adam_rate": (1e-6, 0.02)}, "rate": 1e-9}
    found = helo.sweep("lm", text_file(), out="s", **how)
    pruned = [t for t in found["trials"] if t["state"] == "pruned"]
    assert pruned
    assert max(t["options"]["adam_rate"] for t in pruned) < found["best"]["options"]["adam_rate"]
    assert found["figure"] == "loss"
    assert not json.loads((Path(pruned[0]["run"]) / "run.json").read_text()).get("finished")
    every = helo.sweep("lm", text_file(), out="t", prune=False, **how)
    assert {t["state"] for t in every["trials"]} == {"complete"}


def test_a_trial_that_fails_is_not_the_end(reviews, monkeypatch):
    train, count = module.train, 0

    def failing(*args, **more):
        nonlocal count
        count += 1
        if count == 2:
            raise HeloError("no validation loss was finite")
        return train(*args, **more)

    monkeypatch.setattr(module, "train", failing)
    found = helo.sweep("classify", reviews, out="s", trials=2, **SMALL)
    assert [t["state"] for t in found["trials"]] == ["complete", "complete", "failed"]


@pytest.mark.parametrize("words, named", [
    (("--vary", "hiden=1..2"), "hidden"),
    (("--vary", "hidden=9..2"), "lower end first"),
    (("--vary", "hidden=0..9"), "1 or more"),
    (("--vary", "hidden=a..9"), "whole number"),
    (("--vary", "hidden=1.5..9"), "whole number"),
    (("--vary", "hidden=9"), "LOW..HIGH"),
    (("--vary", "hidden"), "LOW..HIGH"),
    (("--vary", "hidden=8,8"), "different"),
    (("--vary", "hidden=1..9", "--vary", "hidden=3,4"), "twice"),
    (("--vary", "minutes=1..9"), "--minutes"),
    (("--vary", "seed=1,2"), "--seed"),
    (("--vary", "pool=max,most"), "one of"),
    (("--vary", "cell=lstm,gnu"), "gru"),
    (("--vary", "hidden=1..9", "--hidden", 4), "one of them"),
    (("--trials", 0), "--trials"),
    (("--storage", "nosuch://x"), "nosuch"),
    (("--batch", "0"), "--batch"),
    (("-",), "standard input"),
])  # fmt: skip
def test_bad_words_are_refused_and_nothing_stays(reviews, words, named):
    done = helo_command("sweep", "classify", reviews, "--steps", 1, "--quiet", *words)
    assert done.code == 2, done.err
    assert named in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_no_files(reviews):
    for words in (("sweep", "classify"), ("sweep", "classify", "nowhere.tsv"), ("sweep", "nothing", reviews)):
        done = helo_command(*words)
        assert done.code == 2
        assert len(done.err.strip().splitlines()) == 1


def test_what_varies_by_itself():
    found = space.usual(find("classify"))
    assert set(found) == {"rate", "adam_rate", "dropout"}
    assert found["dropout"] == (0, 0.6)


def test_values_from_python():
    kind = find("classify")
    assert space.space(kind, {"hidden": (8, 64)}) == {"hidden": (8, 64)}
    assert space.space(kind, {"bidirectional": "true,false"}) == {"bidirectional": [True, False]}
    assert space.space(kind, ["cell=lstm,forget_bias=1,gru"]) == {"cell": ["lstm,forget_bias=1", "gru"]}
    assert space.space(kind, "dropout=0..0.5") == {"dropout": (0.0, 0.5)}


def test_another_sweep_in_the_same_folder_is_refused(reviews):
    """Optuna itself knows no change of the values to choose from."""
    words = ("sweep", "classify", reviews, "--trials", 1, "--steps", 2, "--hidden", 8, "--quiet", "--out", "s")
    assert helo_command(*words, "--vary", "cell=lstm,gru").code == 0
    for other in ("cell=lstm,rnn", "rate=0.01..0.1"):
        done = helo_command(*words[:3], *words[3:4], 2, *words[5:], "--vary", other)
        assert done.code == 2, done.err
        assert len(done.err.strip().splitlines()) == 1
        assert "--vary" in done.err
    assert helo_command(*words, "--vary", "cell=lstm,gru").code == 0


def test_trials_of_other_data_or_options_are_refused(reviews, tmp_path):
    helo.sweep("classify", reviews, out="s", vary={"hidden": [4, 8]}, trials=1, steps=3, quiet=True)
    other = tmp_path / "other.tsv"
    other.write_text(Path(reviews).read_text() + "fine\tgood\n")
    for files, words, said in (
        (other, {"steps": 3}, "a sweep with other data"), (reviews, {"steps": 4}, "a sweep with --steps 3"),
        (reviews, {"steps": 3, "valid": other}, "other data"), (reviews, {"steps": 3, "dropout": 0.3}, "a sweep without --dropout 0.3"),
    ):  # fmt: skip
        with pytest.raises(HeloError, match=said):
            helo.sweep("classify", files, out="s", vary={"hidden": [4, 8]}, trials=2, quiet=True, **words)
    copied = tmp_path / "copied.tsv"  # on another machine it lies elsewhere
    copied.write_text(Path(reviews).read_text())
    found = helo.sweep("classify", copied, out="s", vary={"hidden": [4, 8]}, trials=2, steps=3, quiet=True, seed=1)
    assert len(found["trials"]) == 2
    folders = [tmp_path / name for name in ("x", "y", "again")]
    for folder, names in zip(folders, (("a/1", "b/2"), ("b/1", "a/2"), ("a/1", "b/2")), strict=True):
        for name in names:  # the folder that a file is in is its label
            (folder / name).parent.mkdir(parents=True)
            (folder / name).write_text(name[-1])
    one, other, again = (module._digest([str(f)]) for f in folders)
    assert one == again != other
    with pytest.raises(HeloError, match="^s/trial-0: a run is there already"):
        helo.sweep("classify", reviews, out="s/trial-0", trials=1, steps=3, quiet=True)


def test_two_that_share_a_storage_and_begin_at_once(tmp_path):
    """One makes the tables, the other waits for them."""
    code = (
        "import sys; from helo.inspection import sweep as s; from pathlib import Path\n"
        "import optuna; print('here', flush=True); sys.stdin.readline(); study = s._study(Path(sys.argv[1]), sys.argv[2], 0, True)\n"
        "s._same(study, {'task': 'lm', 'vary': [], 'data': [], 'options': []}, '')"
    )
    for k in range(2):
        started = [
            subprocess.Popen([sys.executable, "-c", code, str(tmp_path / f"{n}"), str(tmp_path / f"{k}.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for n in range(2)
        ]  # fmt: skip
        for p in started:  # both have begun before either is let go
            assert p.stdout is not None
            assert p.stdout.readline() == "here\n"
        for p in started:
            assert p.stdin is not None
            p.stdin.write("go\n")
            p.stdin.flush()
        ends = [p.communicate(timeout=60)[1] for p in started]
        assert [p.returncode for p in started] == [0, 0], ends

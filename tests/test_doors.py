"""How people come in: a config, and the names that other tools give to our flags."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import helo
from fixtures import helo_command, text_file, train
from helo.errors import HeloError, nearest


def same(one: Path, other: Path) -> bool:
    return (one / "weights.safetensors").read_bytes() == (other / "weights.safetensors").read_bytes()


def test_the_config_of_a_run_trains_it_again(tmp_path):
    first = train(text_file(), tmp_path / "a", seed=3, dropout=0.1, steps=6)
    again = helo.train("lm", config=first.path / "config.toml", out=tmp_path / "b")
    assert same(first.path, again.path)
    assert (tmp_path / "a/config.toml").read_bytes() == (tmp_path / "b/config.toml").read_bytes()


def test_what_is_said_stands_above_the_config(tmp_path):
    config = train(text_file(), tmp_path / "a", steps=6).path / "config.toml"
    other = tmp_path / "other.txt"
    other.write_text("abcd " * 600)
    run = helo.train("lm", other, config=config, out=tmp_path / "b", epochs=0.5, hidden=4)
    assert run.about["options"]["hidden"] == 4
    assert run.about["training"]["steps"] is None
    assert run.about["data"]["train"] == [str(other)]
    assert run.about["options"]["chunk"] == 16


def test_a_longer_run_writes_its_new_config(tmp_path):
    train(text_file(), tmp_path / "a", steps=3)
    helo.train("lm", text_file(), out=tmp_path / "a", resume=True, steps=5)
    assert "steps = 5\n" in (tmp_path / "a/config.toml").read_text()


def test_sides_and_validation_files_come_with_the_config(tmp_path):
    for name, lines in (("s", ["a b", "b c", "c d"] * 4), ("t", ["x y", "y z", "z w"] * 4)):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    files = (tmp_path / "s", tmp_path / "t")
    first = helo.train("translate", files, files, tmp_path / "a", hidden=4, embedding=4, steps=2)
    assert same(first.path, helo.train("translate", config=tmp_path / "a/config.toml", out=tmp_path / "b").path)


@pytest.mark.parametrize(
    "line, said",
    [
        ("hiden = 4", "c.toml:2: no option 'hiden'; did you mean 'hidden'"),
        ('hidden = "four"', "c.toml:2: 'four'"),
        ("hidden = 0", "c.toml:2: 0"),
        ("[hidden]", "c.toml:2: a table"),
        ("files = 4", "c.toml:2: 4"),
        ("valid = [4]", "c.toml:2: [4]"),
        ("hidden = ", "c.toml:2: no TOML"),
        ('task = "tag"', "c.toml:2: a config of the task 'tag'; expected lm"),
        ("task = 4", "c.toml:2"),
        ('cell = "evil.py:Evil"', "evil.py:Evil"),
    ],
)
def test_a_bad_config_is_refused_by_its_line(line, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text("raise SystemExit('it ran')\n")
    Path("c.toml").write_text(f"# a comment\n{line}\n")
    done = helo_command("train", "lm", text_file(), "--config", "c.toml", "--out", "b")
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not Path("b").exists()


def test_a_config_of_files_whose_names_are_no_utf8(tmp_path):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")
    shutil.copy(text_file(), name)
    first = train(name, tmp_path / "a", steps=3)
    assert same(first.path, helo.train("lm", config=tmp_path / "a/config.toml", out=tmp_path / "b").path)


def test_a_config_that_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "missing.toml"):
        with pytest.raises(HeloError, match=path.name):
            helo.train("lm", text_file(), config=path)


@pytest.mark.parametrize(
    "task, flag, ours",
    [
        ("lm", "--learning-rate", "--rate"), ("lm", "--lr", "--rate"), ("lm", "--batch-size", "--streams"),
        ("classify", "--batch_size", "--batch"), ("lm", "--hidden-size", "--hidden"), ("lm", "--num-layers", "--layers"),
        ("tag", "--optimizer", "--rate"), ("translate", "--max-epochs", "--epochs"), ("lm", "--rnn-size", "--hidden"),
        ("regress", "--label", "--target"), ("classify", "--target", "--label"), ("forecast", "--prediction-length", "--horizon"),
        ("forecast", "--freq", "--frequency"), ("forecast", "--sp", "--season"), ("regress", "--y", "--target"),
    ],
)  # fmt: skip
def test_flags_by_the_names_of_other_tools(task, flag, ours, tmp_path):
    for words in ((flag, "1"), (f"{flag}=1",)):
        done = helo_command("train", task, text_file(), *words, "--out", tmp_path / "x")
        assert done.code == 2
        assert ours in done.err.split()
        assert len(done.err) < 300


def test_of_many_names_the_three_nearest_are_said():
    many = [f"name-{i}" for i in range(40)] + ["hidden"]
    assert nearest("hiden", many).count("'") == 6
    assert "'hidden'" in nearest("hiden", many)
    assert nearest("b", ["a", "c"]) == "one of a, c"


@pytest.mark.parametrize(
    "task, name, ours",
    [
        ("lm", "lr", "rate and adam_rate"), ("lm", "learning_rate", "rate and adam_rate"), ("lm", "batch_size", "streams"),
        ("classify", "batch_size", "batch"), ("lm", "hidden_size", "hidden"), ("lm", "n_epochs", "epochs"),
        ("classify", "class_weight", "balance"), ("lm", "validation_data", "valid"), ("lm", "output_dir", "out"),
    ],
)  # fmt: skip
def test_options_by_the_names_of_other_tools(task, name, ours):
    other: dict[str, Any] = {name: 1}
    with pytest.raises(HeloError, match=f"'{name}'; here it is {ours}$"):
        helo.train(task, text_file(), **other)


def test_an_option_before_its_task_is_told_to_come_after_it():
    done = helo_command("train", "--config", "config.toml")
    assert done.code == 2
    assert "helo train TASK --config" in done.err


def test_a_notebook_shows_the_persons_own_lines_and_the_message():
    def mine():
        helo.train("lm", text_file(), lr=1)

    with pytest.raises(HeloError) as caught:
        mine()
    shown = caught.value._render_traceback_()
    assert 'helo.train("lm", text_file(), lr=1)' in shown[-2]
    assert shown[-1] == f"HeloError: {caught.value}"
    assert not any("raise " in line for line in shown)

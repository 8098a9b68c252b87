"""The command line: bad input is one line, exit code 2; --json is one object; help shows examples."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from helo import cli

SMALL = ["--hidden", "8", "--embedding", "4", "--chunk", "8", "--steps", "3", "--quiet"]


@pytest.fixture
def helo(monkeypatch, capfd, tmp_path):
    """Run the command line in this process, in a folder of its own: (exit code, out, err)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("hello world, hello again. " * 40)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["helo", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture
def run(helo):
    code, _, err = helo("train", "lm", "text.txt", "--out", "run", *SMALL)
    assert code == 0, err
    return "run"


def refused(result: tuple[int, str, str], *names: str) -> None:
    code, _, err = result
    assert code == 2, err
    assert len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err
    for name in names:
        assert name in err, err


def test_bad_texts_are_refused(helo, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "one.txt").write_text("a")
    (tmp_path / "short.txt").write_text("hello")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 " * 100)
    (tmp_path / "wide.txt").write_bytes(("hello " * 100).encode("utf-16"))
    (tmp_path / "folder").mkdir()
    for name, *said in (
        ("empty.txt", "empty"),
        ("one.txt", "1 "),
        ("short.txt", "2 for validation", "more text"),
        ("latin.txt", "byte 3", "iconv -f WINDOWS-1252"),
        ("wide.txt", "byte 0", "iconv -f UTF-16"),
        ("missing.txt",),
        ("folder", "text"),
    ):
        refused(helo("train", "lm", name, "--out", "r", "--steps", 3, "--quiet"), name, *said)


def test_bad_words_are_refused(helo, run):
    refused(helo("trian"), "train")
    refused(helo("train", "ml", "text.txt"), "lm")
    refused(helo("train", "lm", "text.txt", "--out", "r", "--hiden", 9), "--hidden")
    refused(helo("train", "lm", "text.txt", "--out", "r", "--cell", "lstn"), "lstm")
    refused(helo("train", "lm", "text.txt", "--out", "r", "--minutes", 1, "--steps", 3), "--minutes", "--steps")
    refused(helo("train", "lm", "text.txt", "--out", run, *SMALL), "--overwrite")
    refused(helo("sample", run, "--temperature", -1), "temperature")
    refused(helo("sample", run, "--top-p", 7), "top-p")
    refused(helo("sample", run, "--prompt", "張"), "張")
    refused(helo("sample", "nowhere"), "nowhere")
    refused(helo("eval", run, "--blocks", 2**63), "--blocks", f"{2**63}")


def test_damaged_runs_and_foreign_states_are_refused(helo, run, tmp_path):
    assert helo("sample", run, "--length", 5, "--state", "s")[0] == 0
    assert helo("train", "lm", "text.txt", "--out", "other", "--seed", 9, *SMALL)[0] == 0
    refused(helo("sample", "other", "--state", "s"), "s: ", "run")
    file = tmp_path / run / "weights.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    refused(helo("sample", run), "weights.safetensors")
    about = json.loads((tmp_path / run / "run.json").read_text())
    (tmp_path / run / "run.json").write_text(json.dumps(about | {"format": 999}))
    refused(helo("sample", run), "999")
    (tmp_path / run / "run.json").write_text("{")
    refused(helo("info", run), "run.json")


@pytest.mark.parametrize("verb", cli.cli.list_commands(click.Context(cli.cli)))
def test_a_verb_alone_ends_in_its_help_or_a_line(helo, verb):
    code, _, err = helo(verb)
    assert code in (0, 2)
    assert "a bug in helo" not in err  # what `demo` writes may hold the word


def test_json_is_one_object_with_its_keys(helo, run):
    for words, keys in (
        (("train", "lm", "text.txt", "--out", "again", *SMALL, "--json"), {"run", "steps", "seconds", "figures"}),
        (("eval", run, "--json"), {"figures"}),
        (("sample", run, "--json", "--length", 5), {"texts"}),
        (("info", run, "--json"), {"task", "cell", "parameters", "options", "figures"}),
    ):
        code, out, _ = helo(*words)
        assert code == 0
        assert keys <= set(json.loads(out))


def test_the_state_goes_on_to_the_letter(helo, run):
    def texts(*words: object) -> str:
        return json.loads(helo("sample", run, "--temperature", 0, "--json", *words)[1])["texts"][0]

    whole = texts("--prompt", "hello", "--length", 30)
    assert texts("--prompt", "hello", "--length", 12, "--state", "s") + texts("--length", 18, "--state", "s") == whole
    Path("empty").touch()  # as mktemp makes it: nothing to go on from yet
    assert texts("--prompt", "hello", "--length", 30, "--state", "empty") == whole
    assert Path("empty").stat().st_size


def test_who_cannot_keep_corpora_is_told_of_helo_data(helo, monkeypatch):
    monkeypatch.setenv("HELO_DATA", "/dev/null")
    refused(helo("data", "get", "digits"), "/dev/null", "HELO_DATA")


@pytest.mark.parametrize(
    "words", [(v,) for v in ("hello", "demo", "sample", "eval", "info", "check")] + [("train", "lm")]
)
def test_help_shows_two_examples(helo, words):
    code, out, _ = helo(*words, "--help")
    assert code == 0
    assert out.count(f"helo {' '.join(words)}") >= 3  # the usage line and two examples


def test_corpora_are_named_made_and_checked(helo, monkeypatch, tmp_path):
    monkeypatch.setenv("HELO_DATA", str(tmp_path / "kept"))
    code, out, _ = helo("data", "list", "--json")
    assert code == 0
    assert {"shakespeare", "digits", "places", "python", "dates"} <= set(json.loads(out))
    code, listed, _ = helo("data", "list")
    assert code == 0
    for name, corpus in json.loads(out).items():
        assert name in listed
        assert corpus["what"] in listed
    code, out, _ = helo("data", "check", "python")
    assert code == 2
    assert "helo data get python" in out
    code, out, _ = helo("data", "get", "python", "--json")
    assert code == 0
    made = json.loads(out)
    assert made["train"] == f"helo train tag {made['files'][0]} --column 2 --spelling 0"
    assert helo("data", "check", "python") == (0, f"{made['files'][0]}: complete\n", "")
    code, out, _ = helo("data", "check", "tag", *made["files"], "--column", 2, "--json")
    assert code == 0
    assert json.loads(out)["faults"] == []
    assert json.loads(out)["understood"]["labels"] == 7
    refused(helo("data", "get", "pyton"), "python")
    refused(helo("data", "check", "pyton"), "python")


def test_what_is_understood_of_aligned_files(helo, tmp_path):
    (tmp_path / "a.en").write_text("one\ntwo\nthree\n")
    (tmp_path / "a.de").write_text("eins\nzwei\ndreizehn\n")
    code, out, _ = helo("data", "check", "translate", "--source", "a.en", "--target", "a.de")
    assert code == 0
    (target,) = (line for line in out.splitlines() if line.startswith("target "))
    assert re.findall(r"\d+", target) == ["4", "8", "4"]  # the shortest, the longest, the median
    refused(helo("data", "check", "translate", "--source", "a.en"), "--source", "--target")
    refused(helo("data", "check", "translate"), "files")


def test_a_bug_says_that_it_is_one(helo, run, monkeypatch):
    monkeypatch.setattr("helo.runs.load", lambda path, **how: 1 / 0)
    code, _, err = helo("info", run)
    assert code == 1
    assert "bug" in err
    assert "ZeroDivisionError" in err
    assert "--debug" in err
    assert "Traceback" not in err
    assert "Traceback" in helo("info", run, "--debug")[2]

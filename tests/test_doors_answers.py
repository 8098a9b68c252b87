"""Answers come home: tables of answers, tags with their places, and data found by the flags of training."""

from __future__ import annotations

import csv
import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import helo
from fixtures import helo_command
from helo.layers import crf


def helo_done(*words, **more):
    done = helo_command(*words, **more)
    assert done.code == 0, done.err
    return done


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    rng = np.random.default_rng(0)
    lines = [f"{i % 2 + rng.normal(0, 0.3):.3f},{rng.normal():.3f},{'yn'[i % 2]}" for i in range(3000)]
    (folder / "train.csv").write_text("\n".join(["a,b,label", *lines[:100]]) + "\n")
    (folder / "new.csv").write_text("\n".join(["id,a,b,label", *(f"m{i},{x}" for i, x in enumerate(lines))]) + "\n")
    helo_done("train", "classify", folder / "train.csv", "--steps", "5", "--out", folder / "run", "--quiet")
    return folder


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    one = "Anna B-PER\nlives O\nin O\nBerlin B-LOC\n. O\n\nShe O\nlikes O\nRome B-LOC\n. O\n\n"
    (folder / "train.conll").write_text(one * 12)
    for name, more in (("run", ()), ("crf", ("--crf",))):
        helo_done(
            "train",
            "tag",
            folder / "train.conll",
            "--steps",
            "5",
            "--hidden",
            "4",
            *more,
            "--out",
            folder / name,
            "--quiet",
        )
    return folder


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_every_row_has_its_own_columns_and_its_answer(numbers, kind):
    out = numbers / f"out.{kind}"
    helo_done("predict", numbers / "run", numbers / "new.csv", "-o", out)
    text = out.read_text().splitlines()
    got = (
        [json.loads(x) for x in text]
        if kind == "jsonl"
        else list(csv.DictReader(text, delimiter="\t" if kind == "tsv" else ","))
    )
    assert [r["id"] for r in got] == [f"m{i}" for i in range(3000)]
    assert list(got[0]) == ["id", "a", "b", "label", "label_predicted", "probability", "p_n", "p_y"]
    whole = helo.load(numbers / "run")
    answers = whole.predict(whole.examples(numbers / "new.csv"))
    assert [r["label_predicted"] for r in got] == [a["label"] for a in answers]
    np.testing.assert_allclose([float(r["p_y"]) for r in got], [a["probabilities"]["y"] for a in answers], atol=1e-6)


def test_a_file_of_an_unknown_kind_is_refused_unless_it_is_said(numbers, tmp_path):
    done = helo_command("predict", numbers / "run", numbers / "new.csv", "-o", tmp_path / "out.xls")
    assert done.code == 2
    assert "out.xls" in done.err
    assert "FILE.csv" in done.err
    assert done.err.count("\n") <= 1
    helo_done("predict", numbers / "run", numbers / "new.csv", "-o", tmp_path / "out.xls", "--format", "csv")
    assert len(rows(tmp_path / "out.xls")) == 3000


def test_what_stood_there_stands_there_still_where_a_row_is_bad(numbers, tmp_path):
    out, bad = tmp_path / "out.csv", tmp_path / "bad.csv"
    out.write_text("before")
    bad.write_text((numbers / "new.csv").read_text() + "m3000,x,0.1,y\n")
    done = helo_command("predict", numbers / "run", bad, "-o", out)
    assert done.code == 2
    assert "bad.csv:3002" in done.err
    assert out.read_text() == "before"


def test_a_pipe_has_rows_before_the_input_ends(numbers):
    command = [sys.executable, "-m", "helo", "predict", str(numbers / "run"), "-", "--format", "jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"0.1 0.2\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == "0.1 0.2"
        process.stdin.close()
        process.stdout.read()


def test_python_writes_the_same_table(numbers, tmp_path):
    helo.load(numbers / "run").predict_files(numbers / "new.csv", tmp_path / "out.csv")
    helo_done("predict", numbers / "run", numbers / "new.csv", "-o", tmp_path / "two.csv")
    assert (tmp_path / "out.csv").read_text() == (tmp_path / "two.csv").read_text()


@pytest.mark.parametrize("name", ["run", "crf"])
@pytest.mark.parametrize("language", ["en", "xx"])
def test_tags_have_probabilities_and_their_place_in_the_text(words, name, language):
    text = "  Anna lives in Berlin. She likes  Rome."
    done = helo_command("predict", words / name, "-", "--json", "--tokenizer", language, stdin=text.encode())
    answer = json.loads(done.out)["answers"][0]
    assert answer["words"] == ["Anna", "lives", "in", "Berlin", ".", "She", "likes", "Rome", "."]
    assert all(text[t["start"] : t["end"]] == t["word"] for t in answer["tags"])
    assert [t["label"] for t in answer["tags"]] == answer["labels"]
    assert all(0 < t["probability"] <= 1 for t in answer["tags"])
    assert helo.load(words / name).predict([text], tokenizer=language)[0] == answer


def test_a_table_of_tags_has_a_row_a_token(words, tmp_path):
    (tmp_path / "in.txt").write_text("Anna lives.\nShe\u00a0likes Rome.\n")
    helo_done("predict", words / "run", tmp_path / "in.txt", "--tokenizer", "en", "-o", tmp_path / "out.csv")
    got = rows(tmp_path / "out.csv")
    assert [(r["sentence"], r["token"], r["word"]) for r in got[:4]] == [
        ("1", "1", "Anna"),
        ("1", "2", "lives"),
        ("1", "3", "."),
        ("2", "1", "She"),
    ]
    (tmp_path / "in.jsonl").write_text('{"id": 7, "text": "Anna lives."}\n')
    helo_done("predict", words / "run", tmp_path / "in.jsonl", "--tokenizer", "en", "-o", tmp_path / "out.jsonl")
    assert {json.loads(x)["id"] for x in (tmp_path / "out.jsonl").read_text().splitlines()} == {7}


@pytest.mark.parametrize(
    "more, named", [(("train.conll", "--tokenizer", "en"), "train.conll"), (("in.txt", "--tokenizer", "qq"), "qq")]
)
def test_a_tokenizer_that_is_none_is_refused(words, more, named):
    (words / "in.txt").write_text("Anna lives.\n")
    done = helo_command("predict", words / "run", words / more[0], *more[1:])
    assert done.code == 2
    assert named in done.err


def test_marginals_are_those_of_all_paths():
    rng = np.random.default_rng(0)
    own = {"transitions": rng.normal(size=(2, 2)), "first": rng.normal(size=2), "last": rng.normal(size=2)}
    scores, lengths = rng.normal(size=(2, 3, 2)), np.array([3, 2])
    for row, length in enumerate(lengths):
        p = np.zeros((length, 2))
        for path in np.ndindex(*[2] * int(length)):
            s = own["first"][path[0]] + own["last"][path[-1]] + sum(scores[row, t, y] for t, y in enumerate(path))
            s += sum(own["transitions"][a, b] for a, b in itertools.pairwise(path))
            p[np.arange(length), path] += np.exp(s)
        np.testing.assert_allclose(crf.marginals(own, scores, lengths)[row, :length], p / p.sum(1, keepdims=True))


def test_sides_and_columns_are_said_anew(tmp_path):
    pairs = [(f"a b{i}", f"x y{i}") for i in range(20)]
    for k, side in enumerate(("source", "target")):
        (tmp_path / side).write_text("".join(f"{p[k]}\n" for p in pairs))
    (tmp_path / "t.csv").write_text("en,de\n" + "".join(f"{a},{b}\n" for a, b in pairs))
    sides = ("--source", tmp_path / "source", "--target", tmp_path / "target")
    helo_done("train", "translate", *sides, "--steps", "2", "--hidden", "4", "--out", tmp_path / "run", "--quiet")
    columns = (tmp_path / "t.csv", "--source-column", "en", "--target-column", "de")
    found = [json.loads(helo_done("eval", tmp_path / "run", *of, "--json").out)["figures"] for of in (sides, columns)]
    assert found[0]["pairs"] == 20
    assert found[0]["chrf"] == found[1]["chrf"]
    helo_done("predict", tmp_path / "run", *sides[:2], "-o", tmp_path / "out.csv")
    assert [r["source"] for r in rows(tmp_path / "out.csv")] == [a for a, _ in pairs]
    assert "target" in rows(tmp_path / "out.csv")[0]
    helo_done("predict", tmp_path / "run", *columns[:3], "-o", tmp_path / "out.csv", "--n-best", "2")
    assert list(rows(tmp_path / "out.csv")[0]) == ["en", "de", "rank", "target", "score"]


def test_texts_are_found_by_their_columns(tmp_path):
    (tmp_path / "t.csv").write_text("text,label\n" + "good film,p\nbad film,n\n" * 10)
    (tmp_path / "new.csv").write_text("no,review,stars\n1,good film,p\n2,bad film,n\n")
    helo_done(
        "train", "classify", tmp_path / "t.csv", "--steps", "2", "--hidden", "4", "--out", tmp_path / "run", "--quiet"
    )
    said = ("--text", "review", "--label", "stars", "--json")
    assert json.loads(helo_done("eval", tmp_path / "run", tmp_path / "new.csv", *said).out)["figures"]["examples"] == 2
    helo_done("predict", tmp_path / "run", tmp_path / "new.csv", "--text", "review", "-o", tmp_path / "out.csv")
    assert [r["no"] for r in rows(tmp_path / "out.csv")] == ["1", "2"]


def test_the_column_of_the_text_of_a_tagger_is_said_anew(words, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"body": "Anna lives", "title": "Rome"}\n')
    for name, text in (("body", "Anna"), ("title", "Rome")):
        helo_done("predict", words / "run", tmp_path / "in.jsonl", "--text", name, "-o", tmp_path / "out.csv")
        assert rows(tmp_path / "out.csv")[0]["word"] == text
    done = helo_command("predict", words / "run", tmp_path / "in.jsonl", "--text", "nope")
    assert done.code == 2
    assert "'nope'" in done.err


def test_ignore_and_multilabel_are_said_anew(tmp_path):
    (tmp_path / "t.csv").write_text("id,a,label\n" + "".join(f"u{i},{i % 2},{'yn'[i % 2]}\n" for i in range(40)))
    (tmp_path / "m.csv").write_text("text,tags\n" + "good film,a|b\nbad film,c\n" * 20)
    (tmp_path / "new.csv").write_text("text,tags\n" + "good film,a;b\nbad film,c\n")
    short = ("--steps", "2", "--hidden", "4", "--quiet")
    helo_done("train", "classify", tmp_path / "t.csv", "--ignore", "id", "--out", tmp_path / "t", *short)
    said = ("--label", "tags", "--multilabel")
    helo_done("train", "classify", tmp_path / "m.csv", *said, "|", "--out", tmp_path / "m", *short)
    for verb in ("eval", "predict"):
        helo_done(verb, tmp_path / "t", tmp_path / "t.csv", "--ignore", "id")
        done = helo_command(verb, tmp_path / "t", tmp_path / "t.csv", "--ignore", "nope")
        assert done.code == 2
        assert "'nope'" in done.err
    found = helo_done("eval", tmp_path / "m", tmp_path / "new.csv", *said, ";", "--json")
    assert json.loads(found.out)["figures"]["examples"] == 2


@pytest.mark.parametrize(
    "words_, named",
    [
        (("eval", "--valid", "x"), "without a flag"),
        (("predict", "--dev", "x"), "without a flag"),
        (("train", "lm", "--data", "x"), "without a flag"),
        (("eval", "--units", "words"), "--units"),
        (("predict", "--hidden-size", "3"), "the run keeps the --hidden"),
        (("predict", "--imges", "x"), "'--images'"),
    ],
)
def test_flags_of_training_in_other_verbs_are_understood(words_, named):
    verb, *more = words_
    done = helo_command(verb, *(["RUN"] if verb != "train" else []), *more)
    assert done.code == 2
    assert named in done.err


def test_frames_keep_their_columns_and_tokens_their_lines(words, tmp_path):
    for v in range(4):
        lines = [f'{t / 10},{t % 3},"{"ab"[t // 5]}, c"' for t in range(10)]
        (tmp_path / f"v{v}.csv").write_text("\n".join(["time,x,phase", *lines]) + "\n")
    videos = [tmp_path / f"v{v}.csv" for v in range(4)]
    short = ("--steps", "2", "--hidden", "4", "--quiet", "--out", tmp_path / "run")
    helo_done("train", "tag", *videos, "--column", "phase", *short)
    helo_done("predict", tmp_path / "run", *videos, "-o", tmp_path / "out.csv")
    got = rows(tmp_path / "out.csv")
    assert list(got[0]) == ["file", "time", "x", "phase", "step", "label", "probability"]
    assert [(r["file"], r["time"], r["phase"]) for r in got[10:12]] == [
        (str(videos[1]), "0.0", "a, c"), (str(videos[1]), "0.1", "a, c"),
    ]  # fmt: skip
    for name in "ab":
        (tmp_path / f"{name}.conll").write_text("Anna B-PER\n. O\n\nRome B-LOC\n")
    two = tmp_path / "a.conll", tmp_path / "b.conll"
    helo_done("predict", words / "run", *two, "-o", tmp_path / "out.csv")
    assert [(r["file"], r["line"], r["word"]) for r in rows(tmp_path / "out.csv")] == [
        (str(f), n, w) for f in two for n, w in (("1", "Anna"), ("2", "."), ("4", "Rome"))
    ]


def test_an_input_is_never_replaced(numbers, tmp_path):
    (tmp_path / "in.csv").write_text(before := (numbers / "new.csv").read_text())
    (tmp_path / "link.csv").symlink_to("in.csv")
    for out in ("in.csv", "link.csv"):
        done = helo_command("predict", numbers / "run", tmp_path / "in.csv", "-o", tmp_path / out)
        assert done.code == 2
        assert out in done.err
        with pytest.raises(helo.errors.HeloError):
            helo.load(numbers / "run").predict_files(tmp_path / "in.csv", tmp_path / out)
    assert (tmp_path / "in.csv").read_text() == before


def test_a_long_text_is_answered_in_small_pieces(words, tmp_path):
    """Of a text of any size little is in memory, so its answers come in pieces: no piece has more than so many bytes of it."""
    (tmp_path / "in.txt").write_text("Anna lives in Berlin\n" * 20_000)
    sizes = [
        len(examples) for examples, _ in itertools.islice(helo.load(words / "run").answering(tmp_path / "in.txt"), 2)
    ]
    assert all(1000 < n < 4000 for n in sizes)

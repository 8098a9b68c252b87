"""How likely a text is: what `helo eval` says, symbol by symbol, and what was likelier."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

import helo
from fixtures import helo_command, prose, trained
from helo.inspection import score as scoring
from helo.inspection.score import score
from test_no_torch import without_torch
from test_shapes import CASES
from test_shapes import trained as answering


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("scored"))


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(prose(3000, 1000), encoding="utf-8")
    return path


@pytest.mark.parametrize("units", ["characters", "words", "bytes", "subwords"])
def test_it_is_what_eval_says(units, text, monkeypatch):
    run = helo.load(trained(units=units))
    figures = run.evaluate(text)
    for room in (1 << 24, 100 * len(run.task.vocab)):  # in one stretch, and in many
        monkeypatch.setattr(scoring, "ROOM", room)
        rows = []
        found = score(run, text, on_stretch=lambda number, stretch, rows=rows: rows.append(stretch))[0]
        assert found["nats_per_symbol"] == pytest.approx(figures["nats"], abs=1e-6)
        assert found["protocol"] == figures["protocol"]
        for name in ("symbols", "perplexity", "bits_per_character", "bits_per_byte"):
            assert found[name] == pytest.approx(figures[name], rel=1e-6)
        nats = np.concatenate([s.nats for s in rows])
        assert len(nats) == found["symbols"] + 1
        assert np.isnan(nats[0])
        assert np.nansum(nats) == pytest.approx(found["nats"])
        assert found["surprising"][0]["nats"] == pytest.approx(np.nanmax(nats))


def test_unknown_characters_cost_what_eval_says(tmp_path):
    run, text = helo.load(trained()), tmp_path / "t.txt"
    text.write_text("the \u4e16\u754c state", encoding="utf-8")
    found, figures = score(run, text)[0], run.evaluate(text)
    assert found["unknown"] == figures["unknown"] == 2
    assert found["nats_per_symbol"] == pytest.approx(figures["nats"])


def test_ranks_and_what_else_was_likely():
    run, rows = helo.load(trained()), []
    score(run, [_file("the state")], on_stretch=lambda number, stretch: rows.append(stretch))
    stream = run.stream()
    for i, symbol in enumerate("the state"[1:]):
        stream.feed("the state"[i])
        logs = stream.scores()[0].astype(np.float64)
        logs[0] = -np.inf  # an unknown character is never written
        p = np.exp(logs - np.logaddexp.reduce(logs))
        own = int(run.task.encode(symbol)[0])
        stretch, at = rows[1], i
        assert stretch.rank[at] == 1 + (logs > logs[own]).sum()
        best = [int(k) for k in np.argsort(-p) if k != own][:3]
        assert stretch.others[at].tolist() == best
        np.testing.assert_allclose(stretch.likely[at], p[best], atol=2e-2)


def _file(text):
    import tempfile
    from pathlib import Path

    path = Path(tempfile.mkdtemp()) / "t.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_are_texts_by_themselves(tmp_path, monkeypatch):
    run, file = helo.load(trained()), tmp_path / "t.txt"
    lines = ["the state", "", "a much longer line than the others are", "the state", "x"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = score(run, file, lines=True)
    assert [f["text"] for f in found] == lines
    assert [f["line"] for f in found] == [1, 2, 3, 4, 5]
    assert found[0]["nats"] == pytest.approx(found[3]["nats"], rel=1e-5)
    one = tmp_path / "one.txt"
    one.write_text("\nthe state\n", encoding="utf-8")  # behind a line end, and with one
    assert found[0]["nats"] == pytest.approx(score(run, one)[0]["nats"], rel=1e-5)
    monkeypatch.setattr(scoring, "ROOM", 12 * len(run.task.vocab))
    parts = score(run, file, lines=True)
    np.testing.assert_allclose([f["nats"] for f in parts], [f["nats"] for f in found], rtol=1e-5)


def test_the_table_has_a_row_a_symbol(text, tmp_path):
    run, table = trained(), tmp_path / "t.tsv"
    for more in ((), ("--lines",)):
        done = helo_command("score", run, text, "--out", table, "--json", *more)
        assert done.code == 0
        texts = json.loads(done.out)["texts"]
        rows = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8")), delimiter="\t", quoting=csv.QUOTE_NONE))
        assert len({len(r) for r in rows}) == 1
        nats = [float(r[3]) for r in rows[1:] if r[3]]
        assert len(nats) == sum(t["symbols"] for t in texts)
        assert math.fsum(nats) == pytest.approx(sum(t["nats"] for t in texts), abs=1e-2)
        spelled = "".join(r[2] for r in rows[1:]).replace("\\n", "\n").replace("\\\\", "\\")
        assert spelled == text.read_text(encoding="utf-8") + ("\n" if more else "")


def test_the_page_and_the_terminal(tmp_path):
    file, page = _file("the <b>state</b> & so on\n" * 3), tmp_path / "p.html"
    assert helo_command("score", trained(), file, "--out", page).code == 0
    told = page.read_text(encoding="utf-8")
    assert "<b>state" not in told
    assert told.count("<section") == 1
    said = helo_command("score", trained(), file)
    assert "nats" in said.out
    assert "\x1b" not in said.out
    assert len(helo_command("score", trained(), file, "--lines").out.strip().splitlines()) == 3


@pytest.mark.parametrize("case", ["words", "spans", "tokens", "pairs", "frames"])
def test_examples_as_likely_as_their_answers(case, place):
    run = answering(case, place)
    file = run.about["data"]["train"]
    found = score(run, file)
    assert len(found) == len(run.examples(file))
    assert all(f["nats"] >= 0 and f["symbols"] >= 1 for f in found)
    if case == "words":
        for f, a in zip(found, run.predict(run.examples(file)), strict=True):
            label = "pos" if found.index(f) % 2 else "neg"
            assert f["nats"] == pytest.approx(-math.log(a["probabilities"][label]), abs=1e-5)
    assert CASES[case]


def test_without_torch(text):
    done = without_torch("score", str(trained()), str(text), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["texts"][0]["symbols"] > 100


def test_what_is_refused(text, place, tmp_path):
    run, one, foreign = trained(), _file("a"), _file("\u4e16\u754c\u4e16\u754c")
    classifier = answering("words", place)
    for words, names in (
        ((run,), ("FILES",)),
        ((run, tmp_path / "none.txt"), ("none.txt",)),
        ((run, _file("")), ("empty",)),
        ((run, one), ("one symbol", "1 character")[1:]),
        ((run, foreign), ("vocabulary",)),
        ((run, foreign, "--lines"), ("vocabulary",)),
        ((run, _file("\u4e16\u754c\n\u4e16\u754c\n")), ("vocabulary",)),  # a line end says nothing of a text
        ((run, text, "--out", "x.pdf"), ("x.pdf",)),
        ((classifier.path, classifier.about["data"]["train"][0], "--out", tmp_path / "x.tsv"), ("--out",)),
        ((classifier.path, classifier.about["data"]["train"][0], "--lines"), ("--lines",)),
        ((tmp_path, text), (str(tmp_path),)),
    ):
        done = helo_command("score", *words)
        assert done.code == 2, (words, done)
        assert len(done.err.strip().splitlines()) == 1, done.err
        for name in names:
            assert name in done.err, (name, done.err)
    assert not (tmp_path / "x.tsv").exists()
    odd = tmp_path / "odd.csv"
    odd.write_text("a,b\nx,y\n")
    for case, files in (("pairs", [text]), ("pairs", [odd]), ("words", [odd])):
        for verb in ("score", "explain", "inspect", "eval"):
            done = helo_command(verb, answering(case, place).path, *files)
            assert done.code == 2 or (verb, files) == ("explain", [text])  # sources alone are asked about
            assert "--" not in done.err, done.err  # flags of training are no remedy
    assert "[FILES" not in helo_command("score", "--help").out + helo_command("explain", "--help").out

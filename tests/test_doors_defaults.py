"""Defaults that fit the data and the minutes at hand."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from seqeval.metrics import classification_report

import helo
from fixtures import helo_command, stopped
from helo import drawing
from helo.data.spans import spans
from helo.metrics.calibration import Calibration
from helo.metrics.spans import by_type, most_wrong
from helo.models import tagger
from helo.models.base import Budget
from helo.tasks import tag

TRUTH = [["B-PER", "I-PER", "O", "B-LOC", "O"], ["O", "B-ORG", "I-ORG", "O"], ["B-LOC", "O"]]
ANSWERS = [["B-PER", "O", "O", "B-LOC", "O"], ["O", "B-LOC", "I-LOC", "B-PER"], ["B-LOC", "O"]]
WORDS = [["Anna", "Bell", "in", "Rome", "."], ["the", "Red", "Cross", "Ed"], ["Paris", "!"]]


def sized(budget, **said):
    return tagger.sized(tag.Options(**said), "tokens", 60_000, 3_400, budget)


def test_few_minutes_few_units():
    """Macs of a minute on a slow processor, of an hour, and steps, which say nothing of time."""
    minute, hour, steps = (sized(b) for b in (Budget(macs=5e11), Budget(macs=1e14), Budget(steps=100)))
    assert (minute.hidden, minute.embedding, minute.spelling) == tagger.SMALL
    assert (
        (hour.hidden, hour.embedding, hour.spelling) == (steps.hidden, steps.embedding, steps.spelling) == tagger.LARGE
    )
    assert 0 < minute.dropout < hour.dropout == steps.dropout == 0.5
    assert sized(Budget(macs=5e11), hidden=99, dropout=0.3).hidden == 99
    assert sized(Budget(macs=5e11), hidden=99, dropout=0.3).dropout == 0.3
    assert sized(Budget(macs=5e11), crf=True).dropout < minute.dropout
    assert sized(Budget(symbols=1e9)).hidden == 192


def test_types_are_seqevals():
    found = by_type([spans(y) for y in ANSWERS], [spans(y) for y in TRUTH])
    said: Any = classification_report(TRUTH, ANSWERS, output_dict=True, zero_division=0)  # pyright: ignore[reportArgumentType]
    assert found.keys() == said.keys()
    for name, row in found.items():
        assert row == pytest.approx([said[name][k] for k in ("precision", "recall", "f1-score", "support")])


@pytest.fixture(scope="module")
def entities(tmp_path_factory):
    """Sentences of spans by chance, of sixty types of different frequency, in IOB2, and runs with and without samples."""
    folder, draw = tmp_path_factory.mktemp("entities"), random.Random(0)

    def sentence():
        for _ in range(draw.randint(2, 6)):
            kind = int(60 * draw.random() ** 3)
            yield from (f"in{draw.randint(0, 3)} O",) * draw.randint(0, 2)
            yield f"name{kind % 20} B-T{kind}"
            yield from (f"more{kind % 5} I-T{kind}",) * draw.randint(0, 2)

    (folder / "train.conll").write_text("\n\n".join("\n".join(sentence()) for _ in range(300)) + "\n")
    several: Any = (("run", {}), ("quiet", {"samples": False}))
    for name, said in several:
        helo.train("tag", folder / "train.conll", out=folder / name, steps=60, hidden=16, quiet=True, seed=1, **said)
    return folder


def test_an_evaluation_has_seqevals_report(entities):
    done = helo_command("eval", entities / "run", entities / "train.conll", "--json")
    found = json.loads(done.out)
    answers = helo.load(entities / "run").predict(helo.load(entities / "run").examples(entities / "train.conll"))
    truth = [[x.split()[1] for x in s.splitlines()] for s in (entities / "train.conll").read_text().split("\n\n")]
    said: Any = classification_report(truth, [a["labels"] for a in answers], output_dict=True, zero_division=0)  # pyright: ignore[reportArgumentType]
    assert [row["type"] for row in found["by_type"]] == list(said)
    for row in found["by_type"]:
        of = said[row["type"]]
        assert [row[k] for k in ("precision", "recall", "f1", "support")] == pytest.approx(
            [of[k] for k in ("precision", "recall", "f1-score", "support")]
        )
    assert said["micro avg"]["f1-score"] == pytest.approx(found["figures"]["span_f1"])
    assert sum(row["support"] > 0 for row in found["by_type"]) > 40
    wrong = found["most_wrong_spans"]
    assert [row["times"] for row in wrong] == sorted((row["times"] for row in wrong), reverse=True)


def test_many_types_stay_readable(entities):
    done = helo_command("eval", entities / "run", entities / "train.conll")
    shown = [line.split()[1] for line in done.out.splitlines() if line.startswith("| T")]
    tables = helo.load(entities / "run").evaluate_with_tables(entities / "train.conll")[1]["by_type"]
    types = {row["type"]: row["support"] for row in tables if not row["type"].endswith(" avg")}
    assert len(shown) == 25 < len(types)
    assert min(types[y] for y in shown) >= max(n for y, n in types.items() if y not in shown)
    assert f"{len(types) - 25} more" in done.out
    assert all(f"| {name} avg" in done.out for name in ("micro", "macro", "weighted"))


def test_without_samples_no_span_is_shown(entities):
    done = helo_command("eval", entities / "quiet")
    assert "| weighted avg" in done.out
    assert "name" not in done.out
    assert "most_wrong_spans" not in json.loads(helo_command("eval", entities / "quiet", "--json").out)


def test_most_wrong_spans():
    found = most_wrong(WORDS, [spans(y) for y in ANSWERS], [spans(y) for y in TRUTH])
    assert sorted(found) == [
        ("Anna Bell (PER)", "Anna (PER)", 1), ("Red Cross (ORG)", "Red Cross (LOC)", 1), ("none", "Ed (PER)", 1),
    ]  # fmt: skip


@pytest.fixture
def noise(tmp_path):
    """Labels by chance, one of them rare: what is learned of them holds nowhere else."""
    draw, path = random.Random(1), tmp_path / "noise.csv"
    rows = (
        f"{draw.gauss(0, 1):.3f},{draw.gauss(0, 1):.3f},{'up' if draw.random() < 0.85 else 'down'}" for _ in range(200)
    )
    path.write_text("a,b,label\n" + "\n".join(rows) + "\n")
    return path


def early(path, out, **said):
    return helo.train("classify", path, out=out, epochs=100, early_stop=True, balance=True, hidden=128, **said)


def test_ends_early_and_goes_on_exactly(noise, tmp_path, monkeypatch):
    """What decides is saved: a training that was stopped in between ends at the same step."""
    run = early(noise, tmp_path / "whole")
    about = run.about
    assert about["ended_early"]
    assert about["training"]["early_stop"]
    assert about["steps"] < 600
    reports = [json.loads(line) for line in (tmp_path / "whole/metrics.jsonl").read_text().splitlines()]
    assert about["steps"] == reports[-1]["step"] == 60 * len(reports)
    stopped(monkeypatch, about["steps"] - 20, lambda: early(noise, tmp_path / "cut"))
    again = early(noise, tmp_path / "cut", resume=True)
    assert again.about["steps"] == about["steps"]
    assert all((a == b).all() for a, b in zip(run.parameters.values(), again.parameters.values(), strict=True))
    more = early(noise, tmp_path / "cut", resume=True)  # it is finished
    assert more.about["steps"] == about["steps"]
    on = helo.train("classify", noise, out=tmp_path / "cut", epochs=110, resume=True)
    assert on.about["steps"] > about["steps"]


def test_steps_and_epochs_are_exact(noise, tmp_path):
    run = helo.train("classify", noise, out=tmp_path / "run", epochs=100, balance=True, hidden=128)
    assert run.about["steps"] == 600
    assert not run.about["ended_early"]


def test_balance_selects_by_macro_f1(noise, tmp_path):
    several: Any = (({"balance": True}, "macro_f1"), ({}, "accuracy"), ({"balance": True, "metric": "loss"}, "loss"))
    for said, key in several:
        run = helo.train("classify", noise, out=tmp_path / f"{key}", steps=5, hidden=4, layers=1, **said)
        assert run.task.scoring.choose(run.metric()).monitor == key
        assert key in json.loads((tmp_path / key / "metrics.jsonl").read_text().splitlines()[0])


def test_pages_list_what_took_part(noise, tmp_path):
    """Of a table no image network, frames, units of text, view of pictures, or recurrence; run.json has all."""
    helo.train("classify", noise, out=tmp_path / "run", steps=5, hidden=4, layers=1)
    none = {"encoder", "fps", "units", "view", "cell", "bidirectional"}
    page, said = (tmp_path / "run/README.md").read_text(), helo_command("info", tmp_path / "run").out
    assert not [n for n in none if f"| {n} |" in page or f"options.{n} " in said]
    assert "| dropout |" in page
    assert "options.dropout" in said
    assert none <= json.loads(helo_command("info", tmp_path / "run", "--json").out)["options"].keys()


def test_a_text_has_units_and_no_pictures(tmp_path):
    (tmp_path / "t.tsv").write_text(
        "text\tlabel\n" + "".join(f"word{i % 7} and {i}\t{'ab'[i % 2]}\n" for i in range(60))
    )
    run = helo.train("classify", tmp_path / "t.tsv", out=tmp_path / "run", steps=2, hidden=4, embedding=4)
    assert run.task.options.unused(run.task) & {"encoder", "fps", "view", "units", "cell"} == {"encoder", "fps", "view"}


def test_figures_say_of_which_data(tmp_path):
    """A validation while it trains has part of the data; the page and the line say how much of it, and what the last had."""
    (tmp_path / "t.txt").write_text("".join(random.Random(0).choices("abcdef \n", k=60_000)))
    done = helo_command(
        "train",
        "lm",
        tmp_path / "t.txt",
        "--steps",
        "10",
        "--hidden",
        "8",
        "--embedding",
        "4",
        "--out",
        tmp_path / "run",
    )
    page = (tmp_path / "run/README.md").read_text()
    for said in (done.err, page):
        assert "all 6,000 symbols" in said
        assert "4,096 of 6,000 symbols" in said


def lm(path, out, *more):
    return helo_command("train", "lm", path, "--hidden", "8", "--embedding", "4", "--out", out, *more)


def test_lines_are_held_out_by_chance(tmp_path):
    """Of sorted lines each letter is on both sides; what is held out is found again, and no order of lines is learned from."""
    names = [letter + ("x" * k) for letter in "abcdefghij" for k in range(1, 41)]
    (tmp_path / "names.txt").write_text("\n".join(names))  # the last has no end
    run = helo.train("lm", tmp_path / "names.txt", out=tmp_path / "run", steps=4, hidden=8, embedding=4, lines=True)
    symbols, split = run.task.text(run.about["data"])
    text = run.task.vocab.decode(symbols.ids.tolist()).decode()
    learn, held = (text[a:b].splitlines() for a, b in ((0, split), (split, None)))
    assert sorted(learn + held) == sorted(names)
    assert len(held) == 40
    assert learn != sorted(learn)
    assert len({name[0] for name in held}) >= 7
    assert run.about["data"]["symbols"] == {"train": split, "valid": len(text) - split}
    assert run.evaluate()["nats"] == pytest.approx(run.figures["nats"], rel=1e-4)
    assert run.task.start == run.about["data"]["start"]


def test_lines_beside_validation_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"{name}bc\n" * 60)
    run = helo.train("lm", tmp_path / "a", tmp_path / "b", tmp_path / "run", steps=2, hidden=8, embedding=4, lines=True)
    assert run.about["data"]["symbols"] == {"train": 240, "valid": 240}
    assert run.evaluate()["nats"] == pytest.approx(run.figures["nats"], rel=1e-4)


@pytest.mark.parametrize("text", ["one line", "\n\n", "a\n"])
def test_too_few_lines(text, tmp_path):
    (tmp_path / "t.txt").write_text(text)
    done = lm(tmp_path / "t.txt", tmp_path / "run", "--lines", "--steps", "2")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1


def test_a_short_text_has_short_chunks(tmp_path):
    """A chunk that is given stays, and is refused where it is too large."""
    (tmp_path / "t.txt").write_text("the cat sat on the mat")
    done = lm(tmp_path / "t.txt", tmp_path / "run", "--steps", "3")
    assert "chunks of 18" in done.err
    assert helo.load(tmp_path / "run").about["options"]["chunk"] == 18
    done = lm(tmp_path / "t.txt", tmp_path / "four", "--steps", "3", "--streams", "4")
    assert helo.load(tmp_path / "four").about["options"]["chunk"] == 4
    done = lm(tmp_path / "t.txt", tmp_path / "no", "--steps", "3", "--chunk", "30")
    assert done.code == 2
    assert "--chunk" in done.err


def test_no_samples_shows_no_example(tmp_path):
    secret = [f"secret{i} word" for i in range(40)]
    (tmp_path / "t.tsv").write_text("text\tlabel\n" + "".join(f"{x}\t{'ab'[i % 2]}\n" for i, x in enumerate(secret)))
    (tmp_path / "t.conll").write_text("".join(f"secret{i} {'B-X' if i % 2 else 'O'}\n\n" for i in range(40)))
    (tmp_path / "p.tsv").write_text("".join(f"secret{i}\tsecret\n" for i in range(40)))
    for task, name in (("classify", "t.tsv"), ("tag", "t.conll"), ("translate", "p.tsv")):
        run = tmp_path / task
        more = ("--steps", "3", "--hidden", "8", "--embedding", "4", "--no-samples")
        done = helo_command("train", task, tmp_path / name, *more, "--out", run)
        assert done.code == 0, done.err
        for said in (done.err, done.out, *((run / f).read_text() for f in ("README.md", "metrics.jsonl"))):
            assert "secret" not in said


@pytest.fixture
def axes(monkeypatch):
    """The axes of the one picture that is drawn."""
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    monkeypatch.setattr(drawing, "draw", lambda path, size, paint, *more: paint(axes))
    return axes


def test_confusion_has_a_title_and_whole_labels(axes, tmp_path):
    labels = ["a very long label indeed, of a customer who has left", "kept", "wants $5 and $6 back"]
    drawing.confusion(tmp_path / "c.png", np.array([[50, 4, 3], [3, 200, 1], [4, 5, 6]]), labels)
    assert "276" in axes.get_title()
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [t.get_text().replace("\n", " ").replace("\\$", "$") for t in ticks] == labels


@pytest.mark.parametrize(("labels", "least"), [(2, 0.4), (10, 0.0)])
def test_calibration_begins_where_answers_do(axes, tmp_path, labels, least):
    draw = np.random.default_rng(0)
    p = draw.dirichlet([0.5] * labels, size=300)
    drawing.reliability(tmp_path / "r.png", Calibration().statistics(p, draw.integers(labels, size=300)), labels)
    assert axes.get_xlim()[0] == pytest.approx(least, abs=0.11)
    assert axes.get_title()


def test_the_first_validation_is_within_the_picture_of_the_loss(axes, tmp_path):
    """Without dropout's help a first validation may be worse than every loss in training."""
    reports = [{"step": s, "loss": 0.69 - s / 1000, "valid": 0.70 - s / 1000} for s in range(1, 11)]
    drawing.loss(tmp_path / "l.png", reports, "t", "nats")
    assert axes.get_ylim()[1] > 0.699


def test_loss_names_its_data_and_labels_stand_free(axes, tmp_path):
    """The label of the lowest validation stands on the side where the loss in training is not."""
    for sign in (1, -1):
        axes.clear()
        reports = [{"step": s, "loss": 2.0 + sign * 0.02, "valid": 2.0 + abs(s - 5) / 10} for s in range(1, 11)]
        drawing.loss(tmp_path / "l.png", reports, "t", "nats", "4 of 9 examples", (5, 2.25, "all 9 examples"))
        said = [t.get_text() for t in axes.get_legend().get_texts()]
        assert any("4 of 9 examples" in t for t in said)
        assert any("all 9 examples" in t and "2.250" in t for t in said)
        (label,) = [t for t in axes.texts if t.get_text() == "2.000"]
        assert label.xyann[1] * sign < 0


def test_a_validation_that_rises_is_seen_whole(axes, tmp_path):
    """However far the loss in training has fallen, what it is compared with stands in the picture, its end too."""
    for losses, valid in (((0.3, 0.1, 0.06), (0.38, 0.6, 0.75)), ((2.0, 1.0, 0.5), (1.9, 1.8, 3.0))):
        axes.clear()
        reports = [{"step": i, "loss": a, "valid": b} for i, (a, b) in enumerate(zip(losses, valid, strict=True), 1)]
        drawing.loss(tmp_path / "l.png", reports, "t", "nats", "", (1, valid[0], "all"))
        low, high = axes.get_ylim()
        assert low < min(losses)
        assert high > max(valid)

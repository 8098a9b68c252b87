"""What is unusual: lines of a log, examples with a doubtful label, thresholds, figures."""

from __future__ import annotations

import functools
import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import helo
from fixtures import copied, helo_command, home, prose, train, trained
from helo.errors import HeloError
from helo.inspection import alarms
from helo.inspection import surprise as module
from helo.inspection.score import score
from helo.inspection.surprise import SHORT, surprise
from test_no_torch import without_torch
from test_shapes import trained as answering


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("surprised"))


def log(count: int, seed: int) -> list[str]:
    r = random.Random(seed)
    kinds = ("job {} started on node {}", "job {} ended, {} bytes written", "disk {} checked in {} ms")
    return [r.choice(kinds).format(r.randrange(10**5), r.randrange(10**3)) for _ in range(count)]


@functools.cache
def watched():
    """A model that has learned a small log."""
    (file := home() / "watched.log").write_text("\n".join(log(700, 1)) + "\n")
    return train([file], home() / "watched", hidden=48, streams=16, chunk=32, steps=250, adam_rate=0.01).path


@functools.cache
def planted():
    """A log with lines that are of another kind, a label a line, and their numbers."""
    lines = log(60, 2)
    for at, line in ((10, "GET /index.html 500"), (31, "job 777 exploded on node 12"), (50, "Traceback: no such user")):
        lines[at - 1] = line
    lines[20:20] = [""]  # between the first and the second
    text, labels = home() / "new.log", home() / "labels"
    text.write_text("\n".join(lines) + "\n")
    where = {10, 32, 51}
    labels.write_text("".join(f"{int(n in where)}\n" for n in range(1, len(lines) + 1)))
    return text, labels, where


@pytest.mark.parametrize("how", [(), ("--lines",)])
def test_what_does_not_belong_comes_first(how):
    text, labels, where = planted()
    done = helo_command("surprise", watched(), text, *how, "--json", "--labels", labels)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    lines = found["lines"]
    assert {x["line"] for x in lines[:3]} == where
    assert len(lines) == found["count"] == 60  # the blank one is none
    assert [x["nats"] for x in lines] == sorted((x["nats"] for x in lines), reverse=True)
    written = text.read_text().split("\n")
    assert all(written[x["line"] - 1] == x["text"] and x["symbols"] == len(x["text"]) + 1 for x in lines)
    assert found["figures"]["auc_pr"] == 1
    assert found["figures"]["marked"] == 3


def test_nats_are_what_each_symbol_costs_beyond_what_the_model_expects(tmp_path, monkeypatch):
    run, file = helo.load(trained()), tmp_path / "t.txt"
    file.write_text("the state\nof a line\n")
    found = {x.line: x for x in surprise(run, file).found}
    stream, over = run.stream(), []
    for symbol in "the state\nof a line\n":
        logs = stream.scores()[0].astype(np.float64)
        logs -= np.logaddexp.reduce(logs)
        own = int(run.task.encode(symbol)[0])
        over.append(max(0.0, -logs[own] + (np.exp(logs) * logs).sum()))
        stream.feed(symbol) if len(over) > 1 else stream.feed("\n" + symbol)  # the first symbol comes behind a line end
    for line, part in ((1, over[:10]), (2, over[10:])):
        np.testing.assert_allclose(found[line].excess, part, atol=1e-4)
        assert found[line].nats == pytest.approx(math.sqrt(sum(x * x for x in part) / (10 + SHORT)), rel=1e-4)
    whole = {x.line: x.nats for x in surprise(run, file).found}
    monkeypatch.setattr(module, "SYMBOLS", 1)  # a line at a time, as a stream
    assert {x.line: x.nats for x in surprise(run, file).found} == pytest.approx(whole, rel=1e-5)


def test_a_line_by_itself_is_the_same_wherever_it_is(tmp_path):
    run, file = helo.load(trained()), tmp_path / "t.txt"
    file.write_text("the state\n\na much longer line than the others\nthe state\n")
    by = {x.line: x.nats for x in surprise(run, file, lines=True).found}
    assert by[1] == pytest.approx(by[4], rel=1e-5)
    assert sorted(by) == [1, 3, 4]
    carried = {x.line: x.nats for x in surprise(run, file).found}
    assert carried[1] == pytest.approx(by[1], rel=1e-5)
    assert carried[4] != pytest.approx(by[4], rel=1e-5)


@pytest.mark.parametrize("units", ["bytes", "words", "subwords"])
def test_every_unit(units, tmp_path):
    run, file = helo.load(trained(units=units)), tmp_path / "t.txt"
    file.write_text(prose(1500, 1000), encoding="utf-8")
    found = surprise(run, file)
    assert found.count == sum(1 for x in prose(1500, 1000).split("\n") if x)
    assert all(np.isfinite(x.nats) and x.nats >= 0 for x in found.found)


def test_line_ends_of_windows_and_unknown_characters(tmp_path):
    run, one, two = helo.load(trained()), tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_bytes(b"the state\nof it\n")
    two.write_bytes(b"the state\r\nof it")
    assert [x.nats for x in surprise(run, one).found] == pytest.approx([x.nats for x in surprise(run, two).found])
    one.write_text("the state\nthe \u4e16\u754c state\n", encoding="utf-8")
    first = surprise(run, one).found[0]
    assert first.text == "the \u4e16\u754c state"  # as it is written


def test_threshold_of_the_validation_text(tmp_path):
    text, _, where = planted()
    done = helo_command("surprise", watched(), text, "--false-alarms", ".05", "--json")
    found = json.loads(done.out)
    usual = tmp_path / "usual.log"
    whole = "\n".join(log(700, 1)) + "\n"
    usual.write_text(whole[int(len(whole) * 0.9) :].partition("\n")[2])
    known = sorted(x.nats for x in surprise(helo.load(watched()), usual).found)
    assert found["threshold"] == pytest.approx(known[math.ceil(0.95 * (len(known) + 1)) - 1], rel=1e-4)
    assert {x["line"] for x in found["lines"] if x["alarm"]} >= where
    assert found["alarms"] == sum(x["nats"] > found["threshold"] for x in found["lines"]) <= 12
    said = helo_command("surprise", watched(), text, "--false-alarms", ".05", "--valid", usual)
    assert len(said.out.strip().splitlines()) == found["alarms"]
    run = copied(watched(), tmp_path / "run")
    about = json.loads((run / "run.json").read_text())
    about["data"]["train"] = [str(tmp_path / "gone.log")]
    (run / "run.json").write_text(json.dumps(about))
    refused = helo_command("surprise", run, text, "--false-alarms", ".05")
    assert refused.code == 2
    assert "--valid" in refused.err
    assert helo_command("surprise", run, text).code == 0


def test_a_threshold_keeps_its_rate():
    r = np.random.default_rng(0)
    for rate in (0.01, 0.1, 0.5):
        above = [(r.gamma(2, size=50) > alarms.threshold(r.gamma(2, size=199), rate)).mean() for _ in range(400)]
        assert np.mean(above) == pytest.approx(rate, rel=0.2)
    usual = np.arange(99.0)
    assert alarms.threshold(usual, 0.01) == 98
    with pytest.raises(HeloError, match="99 or more"):
        alarms.threshold(usual[1:], 0.01)


def test_windows_are_several_lines(tmp_path):
    text, labels, _ = planted()
    run = helo.load(watched())
    single, several = surprise(run, text), surprise(run, text, window=3, labels=labels)
    by = {x.line: x for x in single.found}
    shown = [set(range(x.line, x.last + 1)) for x in several.found]
    assert several.count == 58
    assert all(a.isdisjoint(b) for i, a in enumerate(shown) for b in shown[:i])
    one = next(x for x in several.found if {x.line, x.line + 1, x.line + 2} <= set(by) and x.last == x.line + 2)
    parts = [by[n] for n in range(one.line, one.last + 1)]
    assert one.text == "\n".join(p.text for p in parts)
    total = sum((p.excess.astype(float) ** 2).sum() for p in parts)
    assert one.nats == pytest.approx(math.sqrt(total / (sum(len(p.excess) for p in parts) + SHORT)), rel=1e-4)
    assert several.figures is not None
    assert several.figures["marked"] == 3
    (short := tmp_path / "short").write_text("job 1 started on node 2\n")
    assert surprise(run, short, window=5).count == 1


def test_a_stream_is_judged_line_by_line_as_a_file():
    text, _, where = planted()
    whole = {x.line: x.nats for x in surprise(helo.load(watched()), text).found}
    told = helo_command("surprise", watched(), "-", "--stream", stdin=text.read_bytes())
    rows = [line.split("\t") for line in told.out.strip().split("\n")]
    assert [float(r[0]) for r in rows] == pytest.approx([whole[n] for n in sorted(whole)], abs=0.006)
    only = helo_command(
        "surprise", watched(), "-", "--stream", "--false-alarms", "0.02", "--json", stdin=text.read_bytes()
    )
    found = json.loads(only.out)["lines"]
    assert {x["line"] for x in found[:3]} == where
    assert [x["nats"] for x in found] == sorted((x["nats"] for x in found), reverse=True)
    odd = helo_command("surprise", watched(), "-", "--stream", stdin=b"job 1 started on node 2\n\xff\xfe\n")
    assert odd.code == 0
    assert len(odd.out.strip().split("\n")) == 2


def test_each_line_of_a_stream_is_said_before_the_next_is_read():
    run, seen = helo.load(watched()), []

    def arriving():
        for line in (b"job 1 started on node 2\n", b"\n", b"GET /\n"):
            yield line
            seen.append(len(judged))

    judged = []
    for one in module.judging(run).follow(run.parameters, arriving()):
        judged.append(one)
    assert seen == [1, 1, 2]


def test_only_so_many_are_kept():
    text, _, where = planted()
    found = surprise(helo.load(watched()), text, top=3)
    assert {x.line for x in found.found} == where
    assert found.count == 60
    assert len(surprise(helo.load(watched()), text, window=2, top=4).found) == 4
    assert len(helo_command("surprise", watched(), text).out.strip().splitlines()) == 20


def test_colours_on_a_terminal(monkeypatch):
    from helo.cli import flags

    told = []
    monkeypatch.setattr(flags, "colours", lambda: True)
    monkeypatch.setattr(flags, "shaded", lambda piece, value: told.append((piece, value)) or piece)
    text, _, _ = planted()
    assert helo_command("surprise", watched(), text, "--top", "1").out.endswith(f"{text}:10\tGET /index.html 500\n")
    assert "".join(piece for piece, _ in told) == "GET /index.html 500\n"  # also what the model does not know
    assert told[0][1] > 0.5


@pytest.mark.parametrize("case", ["words", "characters"])
def test_labels_that_the_model_doubts(case, place, tmp_path):
    run = answering(case, place)
    head, *rows = Path(run.about["data"]["train"][0]).read_text().splitlines()
    wrong, right = tmp_path / "new.tsv", {3, 8}
    turned = [r.replace("pos", "neg") if "pos" in r else r.replace("neg", "pos") for r in rows]
    kept = [turned[i] if i in right else r for i, r in enumerate(rows)]
    wrong.write_text("\n".join([head, *kept]) + "\n")
    done = helo_command("surprise", run.path, wrong, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["examples"]
    assert {x["place"] for x in found[:2]} == {f"{wrong}:{i + 2}" for i in right}
    assert all(x["label"] != x["answer"] and x["nats"] > 0 for x in found[:2])
    assert all(x["label"] == x["answer"] and x["nats"] <= 0.1 for x in found[2:])
    plain = {s["text"]: s["nats"] for s in score(run, wrong)}
    for x in found:
        assert -math.log(x["label_probability"]) == pytest.approx(plain[x["place"]], abs=1e-4)
        assert x["text"]
    assert helo_command("surprise", run.path, wrong).out.splitlines()[0].count("\t") == 4


def test_several_labels(tmp_path):
    rows = "".join(f"{'sun ' if i % 2 else ''}{'rain ' if i % 3 else ''}day\t{'warm' if i % 2 else ''}{';' if i % 2 and i % 3 else ''}{'wet' if i % 3 else ''}\n" for i in range(1, 61) if i % 6)  # fmt: skip
    (file := tmp_path / "days.tsv").write_text("text\tlabel\n" + rows)
    run = helo.train(
        "classify",
        file,
        out=tmp_path / "run",
        multilabel=";",
        steps=150,
        hidden=16,
        embedding=8,
        adam_rate=0.03,
        dropout=0.1,
    )
    (new := tmp_path / "new.tsv").write_text("text\tlabel\nsun day\twarm\nsun day\twet\nrain day\twet\n")
    found = surprise(run, new).found
    assert found[0].place == f"{new}:3"
    assert (found[0].label, found[0].answer) == ("wet", "warm")


def test_area_and_volume_are_those_of_the_reference():
    """auc_pr: scikit-learn's. vus_pr: vus 0.0.6, `metricor().RangeAUC_volume_opt(labels, scores, width)[-1]`."""
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 0, 1, 0] * 10)
    scores = np.array([0.1, 0.2, 0.9, 0.4, 0.3, 0.1, 0.05, 0.5, 0.6, 0.2] * 10) + np.arange(100) * 1e-3
    assert alarms.vus_pr(labels, scores, 4) == pytest.approx(0.9518932654275123, abs=1e-12)
    r = np.random.default_rng(0)
    for n in (20, 300):
        own = (r.random(n) < 0.3).astype(int)
        own[0] = 1 - own[1]
        values = np.round(r.normal(size=n) + own, 1)
        assert alarms.average_precision(own, values) == pytest.approx(average_precision_score(own, values), abs=1e-12)
    y = np.zeros(300, int)
    for k in range(4):
        y[40 + 60 * k : 40 + 60 * k + 3 + 4 * k] = 1
    s = np.round(np.random.default_rng(3).normal(size=300) + y * 1.5, 2)
    for width, value in VOLUMES.items():
        assert alarms.vus_pr(y, s, width) == pytest.approx(value, abs=1e-12)


VOLUMES = {0: 0.45015858012722165, 1: 0.45015858012722165, 7: 0.4731073055505145, 60: 0.6652310354037212}


def test_figures_count_points_and_adjust_none():
    labels, scores = np.array([0, 1, 1, 1, 0, 0]), np.array([0.1, 0.9, 0.2, 0.2, 0.8, 0.1])
    found = alarms.figures(labels, scores, 0.5, days=2)
    assert found["precision"] == 0.5
    assert found["recall"] == pytest.approx(1 / 3)
    assert found["f1"] == pytest.approx(0.4)
    assert found["alarms_a_day"] == 1
    assert {"auc_pr", "vus_pr"} <= set(alarms.figures(labels, scores, None))


def wave(count: int, seed: int, far: tuple[int, ...] = ()) -> np.ndarray:
    """A series with a season of 12 and a little noise; values at `far` (from 1) are far off."""
    x = 10 + np.sin(np.arange(count) * math.pi / 6) + np.random.default_rng(seed).normal(0, 0.05, count)
    for at in far:
        x[at - 1] += 4
    return x


def series_file(path: Path, *columns: np.ndarray) -> Path:
    rows = [",".join(["step", *(f"c{k}" for k in range(len(columns)))])]
    rows += [
        f"2024-01-01 {i // 60:02d}:{i % 60:02d}," + ",".join(f"{x:.4f}" for x in row)
        for i, row in enumerate(zip(*columns, strict=True))
    ]
    path.write_text("\n".join(rows).replace("step", "time", 1) + "\n")
    return path


@functools.cache
def forecaster() -> helo.Run:
    file = series_file(home() / "waves.csv", wave(300, 1), wave(300, 2))
    return helo.train("forecast", file, out=home() / "waves", horizon=4, season=12, steps=80, quiet=True)


def test_values_that_a_forecaster_did_not_expect(tmp_path):
    run, labels = forecaster(), tmp_path / "labels"
    file = series_file(tmp_path / "new.csv", wave(120, 3, (50, 90)))
    labels.write_text("".join(f"{int(i in (50, 90))}\n" for i in range(1, 121)))
    done = helo_command("surprise", run.path, file, "--json", "--labels", labels, "--false-alarms", "0.02")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    values = found["values"]
    assert {v["step"] for v in values[:2]} == {50, 90}
    assert {v["time"] for v in values[:2]} == {"2024-01-01 00:49", "2024-01-01 01:29"}
    assert values[0]["value"] > values[0]["expected"] + 2
    assert found["figures"]["auc_pr"] == 1
    assert found["figures"]["recall"] == 1
    assert found["figures"]["alarms_a_day"] == pytest.approx(found["alarms"] * 1440 / found["count"])
    assert found["count"] < 120  # the first have too little before them
    assert (
        len(
            helo_command("surprise", run.path, file, "--window", "5", "--top", "2", "--labels", labels).out.splitlines()
        )
        > 2
    )


def test_nats_of_a_value_are_those_of_its_tail(tmp_path):
    from helo.layers.quantiles import LEVELS, probability

    run = forecaster()
    values = wave(60, 4)
    file = series_file(tmp_path / "new.csv", values)
    found = {v.step: v for v in surprise(run, file).found}
    t, nats = 40, []
    for ahead in range(4):
        (part := tmp_path / "part.csv").write_text("\n".join(file.read_text().split("\n")[: t - ahead]) + "\n")
        answer = run.predict(run.examples(part))[0]
        deciles = np.array([answer["quantiles"][f"{level:g}"][ahead] for level in LEVELS])
        below = float(probability(deciles, LEVELS, round(values[t - 1], 4)))
        nats.append(-math.log(2 * min(below, 1 - below)))
        if not ahead:
            assert found[t].expected == pytest.approx(deciles[4], rel=1e-4)
    assert found[t].nats == pytest.approx(np.mean(nats), rel=1e-3)


def test_channels_of_one_series_are_added_up(tmp_path):
    run, far = forecaster(), (70,)
    file = series_file(tmp_path / "new.csv", wave(120, 5, far), wave(120, 6, far))
    single, both = surprise(run, file), surprise(run, file, together=True)
    parts = [v.nats for v in single.found if v.step == 100]
    assert len(parts) == 2
    assert next(v.nats for v in both.found if v.step == 100) == pytest.approx(sum(parts))
    assert both.found[0].step == 70
    assert both.count * 2 == single.count
    rows = file.read_text().rstrip().split("\n")
    file.write_text("\n".join([*rows[:-1], rows[-1].rpartition(",")[0] + ","]) + "\n")
    assert surprise(run, file).count == single.count - 1


def test_without_torch():
    text, _, where = planted()
    done = without_torch("surprise", str(watched()), str(text), "--json")
    assert done.returncode == 0, done.stderr
    assert {x["line"] for x in json.loads(done.stdout)["lines"][:3]} == where


def test_what_is_refused(place, tmp_path):
    text, labels, _ = planted()
    run, classifier = watched(), answering("words", place)
    file = classifier.about["data"]["train"][0]
    (short := tmp_path / "short").write_text("0\n1\n")
    (odd := tmp_path / "odd").write_text("0\nmaybe\n")
    (none := tmp_path / "none").write_text("0\n" * 61)
    (blank := tmp_path / "blank").write_text("\n\n")
    (empty := tmp_path / "empty").write_text("")
    for words, names in (
        ((run,), ("FILES",)),
        ((run, tmp_path / "no.txt"), ("no.txt",)),
        ((run, empty), ("empty",)),
        ((run, blank), ("blank",)),
        ((tmp_path, text), (str(tmp_path),)),
        ((run, text, "--false-alarms", "0"), ("--false-alarms",)),
        ((run, text, "--false-alarms", "1.5"), ("--false-alarms", "1.5")),
        ((run, text, "--false-alarms", "nan"), ("--false-alarms",)),
        ((run, text, "--false-alarms", "0.0001"), ("9,999", "--valid")),
        ((run, text, "--false-alarms", "0.1", "--valid", blank), ("0 lines",)),
        ((run, text, "--valid", text), ("--valid", "--false-alarms")),
        ((run, text, "--labels", short), ("short", "61")),
        ((run, text, "--labels", odd), ("odd:2", "maybe")),
        ((run, text, "--labels", none), ("--labels",)),
        ((run, text, "--labels", tmp_path / "no"), ("no",)),
        ((run, text, text, "--labels", labels), ("--labels",)),
        ((run, text, "--top", "0"), ("--top",)),
        ((run, text, "--window", "0"), ("--window",)),
        ((run, text, "--stream"), ("--stream", "new.log")),
        ((run, "-", "--stream", "--top", "3"), ("--top",)),
        ((run, "-", "--stream", "--labels", labels), ("--labels",)),
        ((classifier.path, file, "--lines"), ("--lines", "language model")),
        ((classifier.path, file, "--window", "2"), ("--window",)),
        ((classifier.path, "-", "--stream"), ("--stream",)),
        ((run, text, "--together"), ("--together", "forecaster")),
        ((forecaster().path, text), ()),
        ((forecaster().path, text, "--lines"), ("--lines",)),
        ((forecaster().path, "-", "--stream"), ("--stream",)),
        ((answering("pairs", place).path, text), ("translate", "language model")),
        ((answering("tokens", place).path, text), ("tag", "language model")),
        ((answering("frames", place).path, text), ("tag", "language model")),
    ):
        done = helo_command("surprise", *words)
        assert done.code == 2, (words, done)
        assert len(done.err.strip().splitlines()) == 1, done.err
        for name in names:
            assert name in done.err, (name, done.err)
    with pytest.raises((HeloError, TypeError)):
        surprise(helo.load(run), text, window=0)


@pytest.mark.parametrize(
    "how", [{"window": np.ones((2, 2))}, {"window": 0}, {"top": 1.5}, {"false_alarms": 5e-324}, {"false_alarms": "x"}]
)
def test_what_is_no_number_is_refused(how, tmp_path):
    (tmp_path / "t.log").write_text("a line\nanother line\n")
    with pytest.raises(HeloError, match="--"):
        helo.surprise(helo.load(trained()), tmp_path / "t.log", **how)


def test_doubtful_labels_of_the_data_that_a_run_was_validated_on(tmp_path):
    rows = [f"{'good' if i % 2 else 'bad'} thing {i % 7}\t{'pos' if i % 2 else 'neg'}\n" for i in range(80)]
    (tmp_path / "r.tsv").write_text("text\tlabel\n" + "".join(rows))
    run = helo.train("classify", tmp_path / "r.tsv", out=tmp_path / "run", epochs=2, hidden=8, embedding=8, quiet=True)
    done = helo_command("surprise", run.path, "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["examples"]) == run.evaluate()["examples"] == 8


def test_values_with_too_little_before_them_are_counted(tmp_path):
    run = forecaster()
    first = max(run.task.form.bases)
    file = series_file(tmp_path / "new.csv", wave(60, 3, (5, 50)))
    found = helo.surprise(run, file, false_alarms=0.02)
    assert (found.early, found.count) == (first, 60 - first)
    assert found.to_json(run.task)["not_judged"] == first
    done = helo_command("surprise", run.path, file, "--false-alarms", "0.02")
    assert f"; {first} more are not judged, with too little before them" in done.err
    short = series_file(tmp_path / "short.csv", wave(first, 3))
    done = helo_command("surprise", run.path, short)
    assert done.code == 2
    assert f"{first} values; expected more than {first}: so many come before the first that is judged" in done.err


def test_a_channel_without_values_is_no_series(tmp_path):
    run, text = forecaster(), series_file(tmp_path / "both.csv", wave(60, 3), wave(60, 4)).read_text()
    dead = tmp_path / "dead.csv"
    dead.write_text(
        "".join(line.rpartition(",")[0] + (",c1\n" if i == 0 else ",\n") for i, line in enumerate(text.splitlines()))
    )
    alone = series_file(tmp_path / "alone.csv", wave(60, 3))
    for together in (False, True):
        found, one = (helo.surprise(run, f, together=together) for f in (dead, alone))
        assert [x.nats for x in found.found] == [x.nats for x in one.found]
    ends = tmp_path / "ends.csv"  # one channel is silent at the end
    ends.write_text(
        "".join(line + "\n" if i < 50 else line.rpartition(",")[0] + ",\n" for i, line in enumerate(text.splitlines()))
    )
    found = helo.surprise(run, ends, together=True)
    assert (found.count, found.early) == (60 - max(run.task.form.bases), max(run.task.form.bases))
    nothing = tmp_path / "nothing.csv"
    nothing.write_text(
        "".join(line.partition(",")[0] + (",c0\n" if i == 0 else ",\n") for i, line in enumerate(text.splitlines()))
    )
    done = helo_command("surprise", run.path, nothing)
    assert done.code == 2, done.err

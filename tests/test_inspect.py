"""What the units know is found and not hand-picked: by hand-built networks, by untrained ones, on every shape."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import helo
from fixtures import SMALL, helo_command, home, prose, text_file, train, trained
from helo import cells
from helo.engines import Tap, tapped
from helo.errors import HeloError
from helo.inspection import inspect, properties
from helo.inspection.ablation import Ablation
from helo.inspection.loaders import WARM, loader
from helo.inspection.memory import memory_lengths
from helo.inspection.probes import probe
from helo.inspection.properties import Measured, Property, measured
from helo.inspection.ranks import ranked, weight
from helo.inspection.scores import SHIFTS, scores
from helo.inspection.traces import Reading, Recorder, Trace
from helo.layers import part, stack
from test_no_torch import without_torch

COUNTER, QUOTE = 5, 11  # units of the network that is built by hand


@functools.cache
def speech() -> Path:
    """Lines with a few quotations, in which letters are others than outside."""
    rng = np.random.default_rng(4)
    lines = []
    for _ in range(700):
        words = ["".join(rng.choice(list("abc"), rng.integers(1, 6))) for _ in range(rng.integers(2, 9))]
        if rng.random() < 0.2:
            words[rng.integers(len(words))] = "“" + "".join(rng.choice(list("xyz"), 8)) + "”"
        lines.append(" ".join(words))
    path = home() / "speech.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@functools.cache
def built() -> helo.Run:
    """A counter of the place in the line and a flag of quotations, set by hand among units that were never trained."""
    path = home() / "built"
    train(speech(), path, cell="rnn,nonlinearity=relu", hidden=16, embedding=16, steps=1)
    run = helo.load(path)
    ids = {s.decode(): i for i, s in enumerate(run.task.vocab.spelling)}
    p = {n: np.array(a) for n, a in run.task.model.init(np.random.default_rng(8)).items()}
    p["embedding"] = np.eye(len(ids), 16, dtype=np.float32)
    for unit in (COUNTER, QUOTE):
        for name in ("weight_ih", "weight_hh"):
            p[f"recurrent.0.{name}"][unit] = 0
        p["recurrent.0.weight_hh"][:, unit] = 0
        p["recurrent.0.weight_hh"][unit, unit] = 1
    p["recurrent.0.weight_ih"][COUNTER, : len(ids)] = 1
    p["recurrent.0.weight_ih"][COUNTER, ids["\n"]] = -1000
    p["recurrent.0.weight_ih"][QUOTE, ids["“"]], p["recurrent.0.weight_ih"][QUOTE, ids["”"]] = 1, -1
    p["head.weight"][:] = 0
    p["head.bias"][[ids[c] for c in "xyz”"]] = -4
    p["head.weight"][[ids[c] for c in "xyz”"], QUOTE] = 8
    run.__dict__["parameters"] = p
    return run


@functools.cache
def found():
    return inspect(built(), speech())


def best(name: str):
    return found().properties[name]["units"][0]


def test_what_was_built_in_by_hand_is_found_and_nothing_else_takes_its_place():
    assert best("position in line") | {"cost": 0, "cost_elsewhere": 0} == {
        "layer": "recurrent.0", "unit": COUNTER, "score": pytest.approx(1, abs=1e-3), "lag": 0, "high": True, "found": True,
        "cost": 0, "cost_elsewhere": 0,
    }  # fmt: skip
    assert (best("inside quotes")["unit"], best("inside quotes")["auc"]) == (QUOTE, pytest.approx(1, abs=1e-3))
    assert best("inside quotes")["found"]
    assert found().properties["inside quotes"]["set"]["units"][0] == ["recurrent.0", QUOTE]


def test_silencing_costs_where_the_unit_is_needed_and_nowhere_else():
    quotes, line = best("inside quotes"), best("position in line")
    assert quotes["cost"] > 1
    assert abs(quotes["cost_elsewhere"]) < 0.1 * quotes["cost"]
    assert line["cost"] == pytest.approx(0, abs=1e-6)  # nothing reads the counter


def test_memory_of_what_never_forgets_lasts():
    memory = found().numbers["layers"]["recurrent.0"]["memory"]
    assert memory["half"][QUOTE] == memory["reach"]
    assert memory["gate"] is None
    assert found().numbers["layers"]["recurrent.0"]["gates"] == {}
    assert "has no gates" in found().page()


def test_memory_by_a_push_is_that_of_the_gate():
    run = trained(cell="mingru", hidden=8)
    source = loader(helo.load(run), [text_file(20_000)], 4000)
    (reading,) = source.read()
    told = memory_lengths(source, reading)["recurrent.0"]
    kept = reading.traces[0].kept
    assert kept is not None
    np.testing.assert_allclose(told["gate"], 1 / (1 - kept), rtol=1e-3)
    # The memory of a minGRU unit falls by what its gate keeps, whatever the others do.
    assert np.corrcoef(np.log(told["gate"]), np.log(told["half"]))[0, 1] > 0.9


def test_an_untrained_network_shows_nothing():
    text = text_file(60_000)
    run = train(text, home() / "untrained", hidden=32, steps=1, rate=1e-9, adam_rate=1e-9)
    known = inspect(run, text).properties
    assert len(known) >= 8
    assert [n for n, p in known.items() if p["units"][0]["found"]] == []


# Scores.


def reading_of(units: np.ndarray, pieces: list[str] | None = None, rows: int = 1) -> Reading:
    steps = len(units) // rows
    pieces = pieces or ["a"] * len(units)
    laid = units[: steps * rows].reshape(rows, steps, -1).astype(np.float32)
    return Reading(
        "text", "text", "characters", [pieces[i * steps : (i + 1) * steps] for i in range(rows)], np.full(rows, steps),
        np.zeros((rows, steps), np.float32), joined=True, traces=[Trace("recurrent.0", cells.find("rnn"), laid)],
    )  # fmt: skip


def test_scores_are_auc_and_rank_correlation():
    rng = np.random.default_rng(0)
    flag = rng.random(400) < 0.3
    unit = np.round(rng.standard_normal(400) + flag, 1)  # with ties
    auc = np.mean(unit[flag][:, None] > unit[~flag]) + 0.5 * np.mean(unit[flag][:, None] == unit[~flag])
    s = scores(reading_of(unit[:, None]), [Measured("f", "", True, flag.astype(np.float32))], shifted=False)
    assert s.all[0, 0] == pytest.approx(2 * auc - 1, abs=1e-5)
    number = np.exp(unit) + rng.standard_normal(400)
    from scipy.stats import spearmanr

    s = scores(reading_of(unit[:, None]), [Measured("n", "", False, number.astype(np.float32))], shifted=False)
    assert s.all[0, 0] == pytest.approx(spearmanr(unit, number)[0] ** 2, abs=1e-5)


def test_a_unit_that_knows_it_later_says_so_and_a_low_one_counts_as_much():
    rng = np.random.default_rng(1)
    flag = (rng.random(2000) < 0.2).astype(np.float32)
    units = np.stack([rng.standard_normal(2000), -np.r_[0, 0, flag[:-2]] + 0.1 * rng.standard_normal(2000)], 1)
    s = scores(reading_of(units), [Measured("f", "", True, flag)])
    assert (s.best[0].argmax(), s.lag[0, 1], s.high[0, 1]) == (1, 2, False)
    assert s.best[0, 1] > 0.99
    assert s.chance[0] < 0.3


def test_the_floor_is_the_best_of_all_shifts_as_they_are_computed_one_by_one():
    rng = np.random.default_rng(2)
    walk = np.cumsum(rng.standard_normal((SHIFTS * 10, 3)), 0)  # what changes slowly is alike by chance
    flag = (np.cumsum(rng.standard_normal(len(walk))) > 0).astype(np.float32)
    s = scores(reading_of(walk), [Measured("f", "", True, flag)])
    ranks = ranked(walk.astype(np.float32))[0]
    maxima = []
    for k in range(10, SHIFTS - 9):
        lags = [np.r_[np.full(lag, np.nan), flag[: len(flag) - lag]] for lag in (0, 1, 2, 4)]
        maxima.append(max(np.abs(2 * np.roll(weight(v, True), k * 10) @ ranks).max() for v in lags))
    assert s.chance[0] == pytest.approx(np.quantile(maxima, 0.99), abs=1e-4)
    assert s.chance[0] > 0.3


def test_ranks_put_ties_in_the_middle():
    ranks, spread = ranked(np.array([[1, 5], [1, 5], [0, 5], [2, 5]], np.float32))
    np.testing.assert_allclose(ranks, np.array([[0, 0], [0, 0], [-1.5, 0], [1.5, 0]]) / 4)
    assert spread[1] == 1


def test_a_constant_number_weighs_nothing_whatever_rounding_makes_of_its_spread():
    for value in (-0.42028, 0.1, 1e6 + 0.3):
        constant = np.full(749, value, np.float32)  # some of these have a standard deviation above 0
        assert (weight(constant, flag=False) == 0).all()


def test_a_set_of_units_tells_what_no_single_one_does():
    rng = np.random.default_rng(3)
    units = rng.standard_normal((4000, 12)).astype(np.float32)
    flag = (units[:, [2, 7, 9]].sum(1) > 1).astype(np.float32)
    reading, known = (
        reading_of(units),
        [Measured("f", "", True, flag), Measured("chance", "", True, rng.permutation(flag))],
    )
    alone = scores(reading, known).best.max(1)
    together, nothing = probe(reading, known)
    assert {u for _, u in together["units"][:3]} == {2, 7, 9}
    assert together["score"] > alone[0] + 0.2
    assert together["floor"] < 0.15
    assert nothing["score"] < 0.15


# Properties.


def values(name: str, text, kind: str = "text"):
    given = properties.find(name).values(text)
    return given if isinstance(given, dict) else np.asarray(given).astype(float).tolist()


def marked(name: str, text: str) -> str:
    """The characters behind which it holds."""
    return "".join(c for c, v in zip(text, values(name, text), strict=True) if v)


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("inside_quotes", 'he "sai" no', '"sai'),
        ("inside_quotes", "‘a’ «b» 「春」 “c", "«b「春“c"),
        ("inside_quotes", 'a "b\n\nc', '"b\n'),
        ("inside_comment", "int a; /* no */ b; // x\nc" * 2, "* no *" + "/ x" + "* no *" + "/ x"),
        ("inside_comment", '# a\ndef f():\n    return "#"  # b\n', "# a# b"),
        ("inside_comment", "#define X 1\n/* a */ #include\n", "* a *"),
        ("inside_comment", "\\begin{x}\n% a\n5\\% b\n", "% a"),
        ("inside_comment", "Plain # words, no code // at all.", ""),
        ("inside_string", 'f("a\\"b"); /* "no" */ \'c\';', '"a\\"b\'c'),
        ("inside_string", 'import x\ny = """a"b"""\n', '"a"b""'),
        ("inside_if", "if (a(b)) c(d)", "(a(b)"),
        ("word_start", "ab, c3 d", "acd"),
        ("capital_run", "ABc DE F", "BE"),
        ("digit", "a1 22", "122"),
        ("punctuation", "a, b。", ",。"),
    ],
)
def test_flags_of_a_text(name, text, expected):
    assert marked(name, text) == expected


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("position_in_line", "ab\nc", [1, 2, 0, 1]),
        ("bracket_depth", "a([{b}])c", [0, 1, 2, 3, 3, 2, 1, 0, 0]),
        ("bracket_depth", "}({)a", [0, 1, 2, 0, 0]),
        ("indentation", "\n  a b\n\tc", [0, 1, 2, 2, 2, 2, 0, 4, 4]),
        ("since_blank", "ab c", [np.nan, np.nan, 0, 1]),
        ("since_period", "a. b", [np.nan, 0, 1, 2]),
        ("sentence_length", "a bc. d", [1, 1, 2, 2, 0, 0, 1]),
        ("place_in_phrase", "春眠不，处", [1, 2, 3, 0, 1]),
        ("since_change", ["A", "A", "B", "B"], [np.nan, np.nan, 0, 1]),
        ("place_in_sequence", ["x", "y"], [0, 1]),
    ],
)
def test_numbers_of_a_text(name, text, expected):
    np.testing.assert_array_equal(values(name, text), expected)


def test_the_depth_of_brackets_is_that_of_the_language():
    text = 'int a; // x\nif (s == "(") { /* { */ }\n'
    assert set(properties.names()) >= {"inside_comment", "inside_if", "bracket_depth"}
    assert len(values("bracket_depth", text)) == len(text)


def test_properties_stand_at_the_last_byte_of_a_character(tmp_path):
    text = tmp_path / "t.txt"
    text.write_text("“春眠不觉晓”，处处。\n" * 200, encoding="utf-8")
    run = train(text, tmp_path / "run", units="bytes")
    (reading,) = loader(run, [text], 3000).read()
    assert "".join(reading.pieces) == text.read_text(encoding="utf-8")[: len("".join(reading.pieces))]
    found = {m.name: m.values for m in measured(reading, [properties.find("inside_quotes")])}["inside quotes"]
    assert found[:3].tolist() == [np.isnan(0), np.isnan(0), 1] or found[2] == 1
    assert found[2:18].all()


def test_steps_without_a_character_have_no_property():
    nothing = Reading("target", "text", "token", [["", ""]], np.array([2]), np.ones((1, 2), np.float32))
    assert properties.measured(nothing, [properties.find("digit")]) == []


def test_a_property_of_ones_own(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "from helo.inspection.properties import Property\n"
        "def vowel(text):\n    'A vowel.'\n    return [c in 'aeiou' for c in text]\n"
        "class Twice(Property):\n    'The letter before comes again.'\n"
        "    def values(self, row):\n        return [a == b for a, b in zip(' ' + row, row)]\n"
        "def short(text):\n    return [True]\n"
        "def wrong(text):\n    raise KeyError('x')\n"
        "def two(text, more):\n    return [1] * len(text)\n"
        "def words(text):\n    return 'no numbers'\n"
        "def nowhere(text):\n    return [float('nan')] * len(text)\n"
        "def endless(text):\n    return [float('inf') if c == 'a' else 1e300 if c == 'b' else i % 7 for i, c in enumerate(text)]\n"
        "def digit(text):\n    return [c in 'aeiou' for c in text]\n"
        "class Unmade(Property):\n    def __init__(self, x):\n        pass\n    def values(self, row):\n        return row\n"
        "class Empty(Property):\n    pass\n"
    )
    found = inspect(built(), speech(), [f"{own}:vowel", f"{own}:Twice", "inside quotes"], most=5000).properties
    assert list(found) == ["inside quotes", "vowel", "Twice"]
    assert found["vowel"]["about"] == "A vowel."
    for name, said in (
        ("short", "1 values of"), ("wrong", "KeyError"), ("nothing", "no property 'nothing'"), ("two", "more"),
        ("words", "numbers"), ("digit", "two properties are called 'digit'"), ("Unmade", "Unmade"), ("Empty", "Empty"),
    ):  # fmt: skip
        with pytest.raises(HeloError, match=said):
            inspect(built(), speech(), [f"{own}:{name}"], most=5000)
    with pytest.raises(HeloError, match="occurs"):
        inspect(built(), speech(), ["inside if", f"{own}:nowhere"], most=5000)
    assert (
        list(inspect(built(), speech(), ["digit", "punctuation", f"{own}:endless"], most=5000).properties)[-1]
        == "endless"
    )
    with pytest.raises(HeloError, match="inside_quotes"):
        inspect(built(), speech(), ["inside_quote"])


def test_every_property_says_what_it_is():
    for name in properties.names():
        about = type(properties.find(name)).__doc__
        assert about
        assert about != Property.__doc__


# Traces.


def test_losses_are_those_that_eval_finds(tmp_path):
    text = tmp_path / "t.txt"
    text.write_text(prose(900))
    run = helo.load(trained())
    (reading,) = loader(run, [text]).read()
    assert len(reading.lengths) == 1
    assert np.isnan(reading.losses[0, 0])
    assert np.nanmean(reading.losses) == pytest.approx(run.evaluate(text)["nats"], abs=1e-5)


def test_stretches_side_by_side_are_warm():
    run = helo.load(trained())
    (reading,) = loader(run, [text_file()]).read()
    assert len(reading.lengths) > 4
    assert "".join(reading.pieces) == prose(6000)[: int(reading.lengths.sum())]
    stream, row, time = run.stream(), 3, int(reading.lengths[0])
    ids = run.task.encode(prose(6000))[None].astype(np.int64)
    start = row * time
    _, state = run.task.model.forward(run.parameters, ids[:, start - WARM : start])
    scores, _ = run.task.model.forward(run.parameters, ids[:, start : start + time], state)
    assert stream.rows == 1
    np.testing.assert_allclose(
        reading.losses[row, 1:5],
        [-np.log(np.exp(s - s.max())[i] / np.exp(s - s.max()).sum()) for s, i in zip(scores[0], ids[0, start + 1 : start + 5], strict=False)],
        rtol=1e-3,
    )  # fmt: skip


@functools.cache
def shapes() -> dict[str, tuple[Path, Path]]:
    """A small run of each other shape, and its file."""
    made = {}
    for shape, name, lines in (
        ("classify", "t.tsv", ["text\tlabel", *(f"{'good fine' if i % 2 else 'bad poor'} thing {i % 7}\t{'pos' if i % 2 else 'neg'}" for i in range(120))]),
        ("tag", "t.conll", [line for i in range(90) for line in ("the DET", f"{'cat' if i % 3 else 'dog'} NOUN", "sat VERB", f"{i % 10} NUM", ". PUNCT", "")]),
        ("translate", "p.tsv", ["source\ttarget", *(f"day {i % 9} of {i % 7}\tTag {i % 9} von {i % 7}" for i in range(150))]),
    ):  # fmt: skip
        file = home() / name
        file.write_text("\n".join(lines) + "\n")
        helo.train(shape, file, out=home() / f"look-{shape}", steps=8, hidden=16)
        made[shape] = home() / f"look-{shape}", file
    return made


def test_both_directions_stand_as_the_steps_do():
    path, file = shapes()["tag"]
    run = helo.load(path)
    assert run.about["cell"] == "lstm"
    source = loader(run, [file])
    (reading,) = source.read()
    assert [t.name for t in reading.traces] == ["recurrent.0.backward", "recurrent.0.forward"]

    class Outputs(Recorder):
        def step(self, cell, parameters, before, x, after, output):
            return super().step(cell, parameters, before, x, (output, output), output) and (after, output)

    encoded = run.task.encode(source.examples)
    batch = encoded.batch(np.arange(7))
    p = run.parameters
    with tapped(Outputs(p)) as outputs:
        xs = run.task.form.forward(part(p, "input"), batch, run.task.model.cell, None)
        whole = stack.read(run.task.model.cell, 1, part(p, "recurrent"), xs, batch["lengths"], True)
    assert isinstance(outputs, Outputs)
    hidden = reading.traces[0].hidden
    np.testing.assert_allclose(outputs.scans["recurrent.0.forward"]["units"], whole[..., :hidden], atol=1e-6)
    turned = stack.reverse_sequences(outputs.scans["recurrent.0.backward"]["units"], batch["lengths"])
    np.testing.assert_allclose(turned, whole[..., hidden:], atol=1e-6)
    assert reading.labels is not None
    assert reading.labels[0][: len(reading.steps[0])] == ["DET", "NOUN", "VERB", "NUM", "PUNCT"]


def test_silenced_units_are_at_their_means_and_taps_nest():
    run = helo.load(trained())
    source = loader(run, [text_file(20_000)], 3000)
    (reading,) = source.read()
    trace = reading.traces[0]
    with tapped(Ablation(run.parameters, reading.traces, [[(trace.name, 3)]])):
        (silent,) = source.read()
    np.testing.assert_allclose(silent.traces[0].units[:, :, 3], trace.means[-2][3], rtol=1e-5)  # pyright: ignore
    assert np.nanmean(silent.losses) != np.nanmean(reading.losses)
    with tapped(Tap()):
        (same,) = source.read()
    np.testing.assert_array_equal(same.traces[0].units, trace.units)


@pytest.mark.parametrize("shape", ["classify", "tag", "translate"])
def test_every_shape_is_looked_into(shape, tmp_path):
    run, file = shapes()[shape]
    page = tmp_path / "page.html"
    done = helo_command("inspect", run, file, "--out", page, "--json")
    assert done.code == 0, done.err
    numbers = json.loads(done.out)
    assert numbers == json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))
    for about in numbers["properties"].values():
        assert 0 <= about["floor"] <= 1
        assert about["needed"] >= max(about["floor"], about["untrained"])
        assert about["units"][0]["found"] == (about["units"][0]["score"] > about["needed"])
        assert [u["score"] for u in about["units"]] == sorted((u["score"] for u in about["units"]), reverse=True)
        assert {"unit", "layer", "score", "found", "cost"} <= set(about["units"][0])
    names = set(numbers["properties"])
    assert {"classify": {"label pos"}, "tag": {"label NOUN", "place in sequence"}, "translate": {"source: digit", "target: digit"}}[shape] <= names  # fmt: skip
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("cell", ["gru", "rnn", "mingru"])
def test_every_cell_is_looked_into(cell):
    looked = inspect(helo.load(trained(cell=cell)), text_file(20_000), most=6000)
    gates = looked.numbers["layers"]["recurrent.0"]["gates"]
    assert set(gates) == {"gru": {"r", "z"}, "rnn": set(), "mingru": {"z"}}[cell]
    for shares in gates.values():
        assert len(shares["closed"]) == SMALL["hidden"]
        assert all(0 <= a + b <= 1 for a, b in zip(shares["closed"], shares["open"], strict=True))


# The page.


def test_the_page_is_read_without_its_script_and_small():
    page = found().page()
    before = page[: page.index("<script>")]
    assert "inside quotes" in before
    assert f"recurrent.0:{QUOTE}" in before
    assert len(page) < 5e6
    assert page.count("<main>") == 1
    controls = len(re.findall(r"<(?:input|select)", before))
    assert controls > 5
    assert len(re.findall(r"<label[^>]*>[^<]*<(?:input|select)", before)) == controls
    named = re.findall(r'\bid="([^"]+)"', before)
    assert len(named) == len(set(named))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here")
def test_the_page_runs_in_a_browser(tmp_path):
    page = tmp_path / "page.html"
    found().save(page)
    flags = ["--headless", "--no-sandbox", "--disable-background-networking", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run(["chromium", *flags, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in done.stderr
    said = re.search(r'id="said"[^>]*>([^<]*)<', done.stdout)
    assert said
    assert re.search(r"unit \d+: best unit for", said[1])
    assert done.stdout.count("data-i=") > 1000


def test_one_short_row_is_enough():
    looked = inspect(helo.load(trained()), text_file(900))
    assert len(looked.results[0].reading.lengths) == 1
    assert looked.properties


# What is refused.


def refused(*words) -> str:
    done = helo_command("inspect", *words)
    assert done.code == 2, done.err
    assert len(done.err.strip().splitlines()) == 1
    return done.err


def test_what_cannot_be_looked_into_is_said_in_one_line(tmp_path):
    run = trained()
    short, foreign = tmp_path / "short.txt", tmp_path / "foreign.txt"
    short.write_text("a short text " * 5)
    foreign.write_text("春眠不觉晓处处闻啼鸟夜来风雨声" * 200, encoding="utf-8")
    assert "200" in refused(run, short)
    assert "unknown to the model" in refused(run, foreign)
    assert "inside_quotes" in refused(run, text_file(20_000), "--property", "inside_quote")
    assert "no such file" in refused(run, text_file(20_000), "--property", "nothing.py:x").lower()
    assert "page.json" in refused(run, text_file(20_000), "--out", tmp_path / "page.json")
    (tmp_path / "file").write_text("")
    assert (
        "file" in refused(run, text_file(20_000), "--out", tmp_path / "file" / "page.html", "--quiet").splitlines()[-1]
    )
    assert "--property" in refused(run, text_file(20_000), "--property", "label")  # which a text has none of
    pairs, few = shapes()["translate"], tmp_path / "few.tsv"
    rows = [row.split("\t") for row in Path(pairs[1]).read_text(encoding="utf-8").splitlines()]
    few.write_text("".join(f"{a}\t{b if i == 0 else b[:1]}\n" for i, (a, b) in enumerate(rows[:60])), encoding="utf-8")
    assert "200" in refused(pairs[0], few)  # its sources are long enough, what is written is not
    assert "no run" in refused(tmp_path / "nothing").lower() or "nothing" in refused(tmp_path / "nothing")


def test_a_model_without_a_recurrence_or_without_weights_has_nothing_to_show(tmp_path):
    numbers = tmp_path / "n.csv"
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((80, 2))
    numbers.write_text("a,b,label\n" + "".join(f"{a:.3f},{b:.3f},{'up' if a > 0 else 'down'}\n" for a, b in rows))
    helo.train("classify", numbers, out=tmp_path / "flat", steps=2)
    assert "feed-forward" in refused(tmp_path / "flat")
    unfinished = tmp_path / "unfinished"
    shutil.copytree(trained(), unfinished)
    (unfinished / "weights.safetensors").unlink()
    about = json.loads((unfinished / "run.json").read_text())
    about["finished"] = False
    (unfinished / "run.json").write_text(json.dumps(about))
    assert "no weights" in refused(unfinished)


def test_it_needs_no_torch(tmp_path):
    run = trained()
    done = without_torch(
        "inspect", str(run), str(text_file(20_000)), "--out", str(tmp_path / "p.html"), "--most", "3000"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p.html").stat().st_size > 10_000
    assert "torch" not in {m for m in sys.modules if m == "torch"} or dataclasses

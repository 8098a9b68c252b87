"""Features beyond units, the errors that remain, state space: what is planted is found, what is counted is right."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import helo
from fixtures import SMALL, home, prose
from helo import cells
from helo.inspection import dictionary, errors, projection
from helo.inspection.analysis import analyse, lines, sections
from helo.inspection.analysis import score as as_units
from helo.inspection.loaders import loader
from helo.inspection.properties import Measured
from helo.inspection.scores import scores
from helo.inspection.traces import Reading, Trace

LETTERS = list("etaoin shrdlu.\n")


def score(activations, property):
    """The square of the correlation."""
    a = activations - activations.mean(0)
    p = property - property.mean()
    return (p @ a) ** 2 / np.maximum((a * a).sum(0) * (p @ p), 1e-12)


@pytest.fixture(scope="module")
def planted():
    """States made of few of many directions, none of them along a unit; which are active; a text."""
    rng = np.random.default_rng(5)
    directions = rng.standard_normal((30, 20))
    active = rng.random((8000, 30)) < 0.06
    states = (active * rng.uniform(1, 2, active.shape)) @ directions + 0.05 * rng.standard_normal((8000, 20))
    return states.astype(np.float32), active, [LETTERS[i] for i in rng.integers(0, len(LETTERS), 8000)]


@pytest.fixture(scope="module")
def found(planted):
    states, active, text = planted
    properties = {f"direction {i}": active[:, i].astype(float) for i in range(6)}
    properties["noise"] = np.random.default_rng(1).random(8000)
    properties["never"] = np.zeros(8000)
    properties["seldom told"] = np.where(np.arange(8000) % 3, np.nan, active[:, 0])
    return dictionary.compute(states, text, properties, score, directions=60, active=4)


# Dictionary.


def test_planted_directions_are_found_better_than_by_units_and_by_chance(found):
    for i in range(6):
        told = found["properties"][f"direction {i}"]
        assert told["feature"]["score"] > 0.6
        assert told["feature"]["score"] > told["unit"]["score"] + 0.2
        assert told["feature"]["score"] > told["random"]["score"] + 0.2
        assert told["more"] == pytest.approx(told["feature"]["score"] - told["unit"]["score"])
        assert told["feature"]["score"] >= told["activation"]["score"] or told["feature"]["by"] != "activation"
    variance = found["variance"]
    assert 1 >= variance["features"] > max(variance["units"], variance["random"]) + 0.1
    assert found["means"]["feature"] > found["means"]["unit"]


def test_noise_is_told_by_nothing_and_what_never_changes_is_left_out(found):
    assert found["properties"]["noise"]["feature"]["score"] < 0.01
    assert "never" not in found["properties"]
    assert found["properties"]["seldom told"]["feature"]["score"] > 0.6


def test_features_come_with_their_contexts(planted, found):
    text = planted[2]
    first = found["features"][0]
    assert sum(f["share"] for f in found["features"]) == pytest.approx(1)
    assert [f["share"] for f in found["features"]] == sorted((f["share"] for f in found["features"]), reverse=True)
    for context in first["contexts"]:
        t = context["at"]
        assert not dictionary.halves(8000, (0,))[t]
        assert context["symbol"] == text[t]
        assert context["before"] == "".join(text[t - 28 : t])
        assert context["after"] == "".join(text[t + 1 : t + 11])
    json.dumps(found, allow_nan=False)


def test_what_stands_round_a_step_ends_with_its_row():
    text = errors.Snippets(["one", "two", "three", "four"], (0, 2), " ")
    assert text.at(1, 10, 10) == {"before": "one ", "symbol": "two", "after": ""}
    assert text.at(2, 10, 3) == {"before": "", "symbol": "three", "after": " fo"}


def test_a_seed_gives_the_same_dictionary(planted):
    states, active, text = planted
    twice = [
        dictionary.compute(states[:1000], text[:1000], {"a": active[:1000, 0]}, score, seed=3, directions=20)
        for _ in range(2)
    ]
    assert twice[0] == twice[1]
    assert twice[0] != dictionary.compute(
        states[:1000], text[:1000], {"a": active[:1000, 0]}, score, seed=4, directions=20
    )


def test_units_of_any_scale_and_units_that_never_move():
    rng = np.random.default_rng(0)
    states = rng.standard_normal((400, 6)).astype(np.float32) * [1e-3, 1, 1e4, 1, 1, 0] + [0, 0, 5, 0, 0, 7]
    flag = states[:, 0] > 0
    found = dictionary.compute(states.astype(np.float32), ["a"] * 400, {"first": flag}, score)
    assert found["properties"]["first"]["unit"]["number"] == 0
    assert found["properties"]["first"]["unit"]["score"] > 0.4
    constant = dictionary.compute(np.ones((400, 6), np.float32), ["a"] * 400, {"first": flag}, score)
    json.dumps(constant, allow_nan=False)
    assert dictionary.section(constant)


def test_every_other_row_is_learned():
    assert dictionary.halves(6, (0,)).tolist() == [True] * 3 + [False] * 3
    long = dictionary.halves(100_000, (0,))
    assert long.mean() == pytest.approx(0.5, abs=0.01)
    assert long[:1500].all()
    assert not long[1600:3000].any()
    assert dictionary.halves(6, (0, 2, 5)).tolist() == [True, True, False, False, False, True]


def test_too_short_a_text_is_told():
    found = dictionary.compute(np.zeros((40, 3), np.float32), ["a"] * 40, {}, score)
    assert "40 steps" in found["missing"]
    assert "40 steps" in dictionary.section(found)


def test_states_that_are_no_numbers_have_no_features():
    states = np.ones((400, 3), np.float32)
    states[7, 1] = np.nan
    for module, found in (
        (dictionary, dictionary.compute(states, ["a"] * 400, {}, score)), (projection, projection.compute(states, ["a"] * 400, {})),
    ):  # fmt: skip
        assert "finite" in found["missing"]
        assert "finite" in module.section(found)


def test_the_section_says_how_much_more(found):
    html = dictionary.section(found)
    assert f"{found['means']['feature']:.2f}" in html
    assert f"{found['means']['unit']:.2f}" in html
    for name in found["properties"]:
        assert name in html
    number = found["properties"]["direction 0"]["feature"]["number"]
    assert f'href="#feature-{number}"' in html
    assert f'id="feature-{number}"' in html
    assert "<mark>" in html


# Errors.


def kinds(text, before=""):
    """What is found of a text, each symbol at one nat more than the one before, and the kind of every symbol but the first."""
    nats, of = np.arange(len(text)) + 1.0, [None]
    nats[0] = np.nan
    for t in range(1, len(text)):
        one = np.where(np.arange(len(text)) == t, 1, np.nan)
        (kind,) = (k for k in errors.compute(list(text), one, (0,), before)["kinds"] if k["count"])
        of.append(kind["kind"])
    return errors.compute(list(text), nats, (0,), before), of


def test_a_text_whose_kinds_are_known():
    found, of = kinds('\nHe (or\n"x1") Q!')
    assert of == [
        None, "after newline", "unseen word", "blank", "opening quote or bracket", "word start", "unseen word", "blank", "after newline",
        "word start", "digit", "closing quote or bracket", "closing quote or bracket", "blank", "capital", "punctuation",
    ]  # fmt: skip
    assert sum(k["share"] for k in found["kinds"]) == pytest.approx(1)
    assert sum(k["share_of_symbols"] for k in found["kinds"]) == pytest.approx(1)
    assert [k["kind"] for k in found["kinds"]] == list(errors.KINDS)
    worst = next(k for k in found["kinds"] if k["kind"] == "punctuation")
    assert worst["examples"][0]["symbol"] == "!"
    assert worst["nats"] == 16


def test_rare_and_common_words():
    text = "".join(f"{sign}word" for sign in ",;:!?-+/")  # a sign each, so that no n-gram leads into the word
    words = errors._Text(list(text), (), (0,))
    assert words.often[words.place > 1].tolist() == [n for n in range(8) for _ in range(3)]
    assert words.fits()["unseen word"].sum() == 3
    assert words.fits()["rare word"].sum() == 3 * 6
    assert words.fits()["common word"].sum() == 3 * 8  # those before it are tried first
    known = errors._Text(list(text), list(",word"), (0,))
    assert known.fits()["unseen word"].sum() == 0


def test_what_an_n_gram_knows():
    _, of = kinds("abcabcabd")
    assert [k == "known to an n-gram" for k in of] == [False] * 4 + [True] * 4 + [False]
    _, of = kinds("bc", before="abcab")
    assert of[1] == "known to an n-gram"
    _, of = kinds("bc", before="abcabd")  # as often d as c
    assert of[1] != "known to an n-gram"


def test_no_context_reaches_over_the_beginning_of_a_row():
    text = errors._Text(list("abab"), (), (0, 2))
    assert text.knows.tolist() == [False, False, False, True]
    assert text.position.tolist() == [1, 2, 1, 2]
    assert errors._Text(list("wordword"), (), (0, 4)).place.tolist() == [1, 2, 3, 4] * 2


def test_how_long_ago_a_context_occurred():
    text = errors._Text(list("abcdeXYabcdeZ"), (), (0,))
    assert text.distance.tolist() == [-1] * 12 + [7]
    words = errors._Text(["to", "be", "or", "not", "to", "be", "that"], (), (0,))
    assert words.context == 2
    assert words.distance.tolist() == [-1] * 6 + [4]


def test_symbols_that_are_words_are_judged_as_words():
    text = errors._Text(["The", " ", "cat", " ", "saw", " ", "the", " ", "cat"], (), (0,))
    assert [bool(u) for u in text.fits()["unseen word"]] == [True, False, True, False, True, False, False, False, False]
    chinese = errors._Text(list("天地。天"), (), (0,))
    assert [bool(u) for u in chinese.fits()["unseen word"]] == [True, True, False, False]


def test_quotes_and_brackets_are_open_until_closed():
    text = errors._Text(list('a "b (c)" d (\n\n) «e»'), (), (0,))
    assert "".join(c for c, q in zip(text.symbols, text.quoted, strict=True) if q) == 'b (c)"e»'
    assert "".join(c for c, d in zip(text.symbols, text.depth, strict=True) if d) == "c)\n"
    found = errors.compute(list("(ab)cd"), np.array([np.nan, 3, 3, 3, 1, 1]))
    inside = next(p for p in found["places"] if p["place"] == "inside brackets")
    assert (inside["nats"], inside["nats_outside"]) == (3, 1)


@pytest.mark.parametrize("seed", range(4))
def test_shares_add_up_whatever_the_text(seed):
    rng = np.random.default_rng(seed)
    signs = list("aB c\n1\"'()[]«».,…é天字\t\u200b🙂")
    text = ["".join(rng.choice(signs, rng.integers(0, 4))) for _ in range(300)]
    nats = np.where(rng.random(300) < 0.1, np.nan, rng.exponential(size=300))
    starts = (0, *sorted(set(rng.integers(1, 300, 5).tolist())))
    nats[list(starts)] = np.nan
    found = errors.compute(text, nats, starts, text[:40], {"odd": np.arange(300) % 2})
    assert sum(k["count"] for k in found["kinds"]) == found["symbols_scored"] == np.isfinite(nats).sum()
    assert sum(k["share"] for k in found["kinds"]) == pytest.approx(1)
    position, since = found["curves"][0]["points"], found["curves"][3]["points"]
    for points in (position, since):
        assert sum(p["count"] for p in points) == found["symbols_scored"]
        assert sum(p["share"] for p in points) == pytest.approx(1)
    odd = next(p for p in found["places"] if p["place"] == "odd")
    assert odd["nats"] == pytest.approx(np.nanmean(nats[1::2]))
    json.dumps(found, allow_nan=False)
    assert errors.section(found)


def test_the_loss_by_place_in_the_row():
    found = errors.compute(list("abcdefgh"), np.array([np.nan, 8, 4, 2, 1, 1, 1, 1]))
    assert [(p["name"], p["nats"]) for p in found["curves"][0]["points"]] == [
        ("1 to 3", pytest.approx(14 / 3)), ("4 to 15", 1),
    ]  # fmt: skip
    found = errors.compute(list("ab"), np.array([2.0, 1]), read=np.array([300, 301]))
    assert [p["name"] for p in found["curves"][0]["points"]] == ["256 to 1,023"]
    fresh = np.array([[3.0, 3, 3, 1], [1, 1, 1, 0]])
    found = errors.compute(list("ab"), np.array([np.nan, 1]), fresh=fresh)
    assert [(p["nats"], p["count"]) for p in found["curves"][0]["points"]] == [(2, 6), (0.5, 2)]


def test_nothing_to_predict():
    for text in ([], ["a"]):
        found = errors.compute(text, np.full(len(text), np.nan))
        assert found["symbols_scored"] == 0
        assert errors.section(found)


def test_confusions_that_cost_most():
    truth, said = np.array([0, 0, 0, 1, 1, 2, -1]), np.array([0, 1, 1, 1, 2, 2, 0])
    nats = np.array([0.5, 1, 2, 0.5, 5, 1, np.nan])
    found = errors.labelled(truth, said, nats, ["x", "y", "z"], np.array([1, 5, 5, 20, 20, 1, 1]), list("abcdefg"))
    assert found["accuracy"] == 0.5
    pairs = [(c["truth"], c["said"], c["count"], c["share"]) for c in found["confusions"]]
    assert pairs == [("y", "z", 1, 0.5), ("x", "y", 2, 0.3)]
    assert [e["text"] for e in found["confusions"][1]["examples"]] == ["c", "b"]
    assert sum(k["share"] for k in found["labels"]) == pytest.approx(1)
    assert [p["count"] for p in found["curves"][0]["points"]] == [2, 2, 2]
    html = errors.section(found)
    assert "y mistaken for z" in html
    assert "50.0%" in html


# State space.


def test_shares_of_variance_are_those_of_the_singular_values(planted):
    states, active, text = planted
    found = projection.compute(states, text, {"a": active[:, 0]}, points=200)
    scaled = (states - states.mean(0)) / states.std(0)
    sizes = np.linalg.svd(scaled, compute_uv=False) ** 2
    np.testing.assert_allclose(found["components"], (sizes / sizes.sum())[:10], rtol=1e-4)
    # A point lies as far from the middle as on the singular vectors.
    _, _, axes = np.linalg.svd(scaled, full_matrices=False)
    at = found["points"]["at"]
    np.testing.assert_allclose(np.abs(found["points"]["x"]), np.abs(scaled[at] @ axes[0]), atol=0.02)


def test_paths_end_where_the_state_is(planted):
    states, active, text = planted
    found = projection.compute(states, text, {"a": active[:, 0]}, points=4000, paths=[5500, 7990], steps=20)
    first, last = found["paths"]
    assert first["symbols"] == text[5500:5520]
    assert len(last["symbols"]) == 10  # the text ends
    points = dict(zip(found["points"]["at"], zip(found["points"]["x"], found["points"]["y"], strict=True), strict=True))
    for t, x, y in zip(range(5500, 5520), first["x"], first["y"], strict=True):
        assert points[t] == (x, y)
    cut = projection.compute(states, text, {}, starts=(0, 5510), paths=[5500], steps=20)
    assert len(cut["paths"][0]["symbols"]) == 10  # the row ends


def test_a_property_has_a_direction_of_its_own(planted):
    states, _, text = planted
    noise = np.random.default_rng(2).random(8000)
    line = (states[:, 3] * 2 + 1).astype(np.float64)
    line[::5] = np.nan
    found = projection.compute(states, text, {"noise": noise, "unit": line, "never": noise * 0}, points=300)[
        "properties"
    ]
    assert list(found) == ["unit", "noise"]
    assert found["unit"]["explained"] == pytest.approx(1, abs=0.01)
    assert abs(found["noise"]["explained"]) < 0.05
    known = [(x, v) for x, v in zip(found["unit"]["x"], found["unit"]["value"], strict=True) if v is not None]
    assert np.corrcoef(np.array(known).T)[0, 1] > 0.99


def test_the_map_says_its_shares_and_shows_every_point(planted):
    states, active, text = planted
    found = projection.compute(
        states, ["<b>" if s == "e" else s for s in text], {"a": active[:, 0], "b": states[:, 1]}, points=50
    )
    json.dumps(found, allow_nan=False)
    html = projection.section(found, "b")
    assert f"{found['components'][0]:.1%}" in html
    assert html.count("<circle") == 2 * 50 + sum(len(p["symbols"]) for p in found["paths"])
    assert "<option selected>b</option>" in html
    assert "<b>[" not in html
    assert set(re.findall(r'class="d(.)"', html)) <= set("01234")
    assert "4 steps" in projection.section(projection.compute(states[:2], text[:2], {}))


# All of them, of what a run read.


def reading(states, pieces, rows, **more):
    steps = len(states) // rows
    laid = states[: rows * steps].reshape(rows, steps, -1)
    trace = Trace("recurrent.0", cells.find("rnn"), laid)
    given = {"kind": "text", "losses": np.ones((rows, steps), np.float32), "traces": [trace]} | more
    steps_of = [pieces[i * steps : (i + 1) * steps] for i in range(rows)]
    return Reading("text", unit="characters", steps=steps_of, lengths=np.full(rows, steps), **given)


def test_features_are_scored_as_units_are(planted):
    states, active, text = planted
    noise = np.random.default_rng(0).random(800).astype(np.float32)
    for flag, value in ((True, active[:800, 0].astype(np.float32)), (False, noise)):
        told = scores(reading(states[:800], text[:800], 1), [Measured("p", "", flag, value)], shifted=False)
        ours = as_units(states[:800], value)
        # Those of units are the best over several lags.
        assert (ours <= told.best[0] + 1e-5).all()
        np.testing.assert_allclose(ours[told.lag[0] == 0], told.best[0][told.lag[0] == 0], atol=1e-5)


def test_all_of_a_text_that_was_read_in_stretches(planted):
    states, active, text = planted
    whole = reading(states, text, 8, joined=True)
    found = analyse(whole, [Measured("active", "", True, active[:, 0].astype(np.float32))])
    told = found["features"]["recurrent.0"]["properties"]["active"]
    assert told["feature"]["score"] > told["unit"]["score"]
    assert found["errors"]["symbols_scored"] == 8000
    points = found["errors"]["curves"][0]["points"]
    assert points[0]["count"] == 3  # of the first stretch alone: the others were read after some of what is before them
    json.dumps(found, allow_nan=False)
    html = sections(found)
    for title in ("Features beyond units", "State space", "The remaining errors"):
        assert title in html
    said = " ".join(lines(found))
    assert f"{found['features']['recurrent.0']['means']['feature']:.2f}" in said
    assert f"{found['features']['recurrent.0']['means']['unit']:.2f}" in said
    assert f"{max(k['share'] for k in found['errors']['kinds']):.0%}" in said
    both = sections(found) + sections(found, "other")
    names = re.findall(r' id="([^"]+)"', both)
    assert len(names) == len(set(names))


def test_all_of_what_has_labels(planted):
    states, active, _ = planted
    labels, said = [["x"] * 10 for _ in range(40)], [[""] * 10 for _ in range(40)]
    losses = np.full((40, 10), np.nan, np.float32)
    losses[:, 9] = 1
    for row in range(40):
        said[row][9] = "y" if row % 4 == 0 else "x"
    words = [f"word{i}" for i in range(400)]
    one = reading(states[:400], words, 40, kind="tokens", losses=losses, labels=labels, predicted=said)
    found = analyse(one, [Measured("active", "", True, active[:400, 0].astype(np.float32))])
    assert found["errors"]["accuracy"] == 0.75
    assert found["errors"]["confusions"][0]["said"] == "y"
    assert found["errors"]["confusions"][0]["examples"][0]["text"].endswith("word7 word8 word9")
    assert "x mistaken for y" in sections(found)
    assert any("75.0%" in line for line in lines(found))
    assert analyse(reading(states[:400], words, 40, kind="series", labels=labels), [])["errors"] is None


def test_whether_the_loss_falls_is_told_from_stretches_read_from_nothing():
    text = home() / "context.txt"
    text.write_text(prose(8_000), encoding="utf-8")
    run = helo.train("lm", text, out=home() / "context", seed=0, **SMALL)
    source = loader(run, [text])
    (one,) = source.read(gates=False)
    found = analyse(one, [], source)["errors"]["curves"][0]
    stretches, time = 64, 1023
    assert sum(p["count"] for p in found["points"]) == stretches * time
    ids = np.asarray(source.ids)
    nats = np.zeros(time)
    for start in np.linspace(0, len(ids) - time - 1, stretches).astype(int):
        scores = np.float64(run.task.model.forward(run.parameters, ids[None, start : start + time])[0][0])
        likely = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        nats -= np.log(likely[np.arange(time), ids[start + 1 : start + time + 1]]) / stretches
    for point in found["points"]:
        assert point["nats"] == pytest.approx(nats[point["from"] - 1 : point["to"]].mean(), abs=1e-4)

"""Why this answer: attributions add up, agree with each other, and see what was planted."""

from __future__ import annotations

import json
import re
import sys
from unittest import mock

import numpy as np
import pytest

import helo
from fixtures import copied, helo_command
from fixtures import trained as written
from helo import cells
from helo.data.dataset import Dataset
from helo.errors import HeloError
from helo.inspection import attribution
from helo.inspection.attribution import Forward, integrated_gradients
from helo.inspection.explain import explain
from helo.inspection.targets import BEFORE, WHOLE
from helo.runs import arrays
from test_no_torch import without_torch
from test_pictures import made  # noqa: F401  a fixture
from test_shapes import CASES, trained, write

TEXT = "the state that was carried"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("explained"))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A classifier in whose examples one word alone tells the label."""
    folder = tmp_path_factory.mktemp("planted")
    rows = [f"the thing {i % 7} was {'superb' if i % 2 else 'dreadful'} on day {i % 5}" for i in range(200)]
    table = "".join(f"{text}\t{'pos' if i % 2 else 'neg'}\n" for i, text in enumerate(rows))
    return helo.train(
        "classify", write(folder / "t.tsv", "text\tlabel\n" + table), out=folder / "run", epochs=10, seed=1
    )


def complete(found):
    for one in found:
        assert one.attribution is not None
        assert one.attribution.error() < 0.01
        for k in range(len(one.request.targets)):
            assert one.attribution.error(k) < 0.01
        assert one.attribution.values.shape == (len(one.request.targets), len(one.request.features))
        assert one.occlusion.shape == (len(one.request.targets), len(one.request.patches or one.request.features))
        assert np.isfinite(one.occlusion).all()
        json.dumps(one.to_json())


# The mathematics.


def question(f, *inputs, **more):
    owners = [np.arange(x.size).reshape(x.shape) for x in inputs]
    return Forward(lambda parameters, xs: f(*xs)[:, None], {}, inputs, owners, **more)


def test_of_a_linear_model_an_attribution_is_weight_times_input():
    x, w = np.array([1.0, -2, 3]), np.array([0.5, 4, -1])
    found = integrated_gradients(question(lambda xs: xs @ w, x))
    assert found is not None
    np.testing.assert_allclose(found.values[0], w * x, atol=1e-8)
    np.testing.assert_allclose(question(lambda xs: xs @ w, x).occlusion()[0], w * x, atol=1e-5)


def test_what_is_saturated_or_bends_is_complete():
    x = np.array([1.0, 0.4, -0.3])
    for f in (
        lambda xs: np.tanh(80 * xs.sum(-1)),
        lambda xs: np.max(xs * 5 - 1, -1),
        lambda xs: np.tanh(300 * (xs[:, 0] - 0.37)) + np.maximum(xs[:, 1] - 0.3, 0),
    ):
        found = integrated_gradients(question(f, x))
        assert found is not None
        assert found.error() < 0.01


def test_a_piece_at_its_baseline_counts_nothing_and_no_difference_is_no_error():
    same = question(lambda xs: xs.sum(-1) ** 2, np.zeros(3))
    found = integrated_gradients(same)
    assert found is not None
    assert found.error() == 0
    assert not found.values.any()
    assert not same.occlusion().any()


# Every shape.


@pytest.mark.parametrize("case", CASES)
def test_attributions_add_up_on_every_shape(case, place):
    source = [x for x in CASES[case][3] if len(x)]
    found = explain(trained(case, place), source)
    complete(found)
    assert len(found) == len(source)


@pytest.mark.parametrize("case", ["words", "spans", "frames", "dialogue", "pairs", "fixed vector"])
def test_differences_and_the_backward_pass_agree(case, place):
    asked = explain(trained(case, place), CASES[case][3][:1])[0].request.forward
    alphas = np.array([0.13, 0.5, 0.91])
    # What is left is the third derivative, in proportion to the slopes: with convolutions some are above 10.
    each = attribution.differences(asked, alphas), attribution.backward(asked, alphas)
    np.testing.assert_allclose(*each, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("cell", [n for n in cells.names() if "." not in n])
def test_a_language_model_of_every_cell(cell):
    complete(explain(helo.load(written(cell=cell)), TEXT))


@pytest.mark.parametrize("units", ["words", "bytes", "subwords"])
def test_a_language_model_of_every_unit(units):
    run = helo.load(written(units=units))
    found = explain(run, TEXT)
    complete(found)
    assert "".join(found[0].request.features) + found[0].request.answer["text"] == TEXT


@pytest.mark.parametrize("view", ["whole", "rows", "pixels"])
def test_pictures(view, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = rng.integers(0, 60, (40, 6, 5)).astype(np.uint8)
    x[:, 1, 2] = 250 * y
    np.savez(tmp_path / "x.npz", x=x, y=y)
    run = helo.train("classify", tmp_path / "x.npz", out=tmp_path / "run", view=view, hidden=12, steps=80, seed=1)
    found = explain(run, x[:2])
    complete(found)
    for one in found:
        assert one.attribution is not None
        assert one.attribution.values.shape == (1, 30)
        if view == "whole":
            assert abs(one.attribution.values[0]).argmax() == 1 * 5 + 2
            assert abs(one.occlusion[0]).argmax() == one.request.forward.patch_mask[0][1 * 5 + 2]
    page = tmp_path / "p.html"
    done = helo_command("explain", run.path, tmp_path / "x.npz", "--out", page)
    assert done.code == 0
    assert page.read_text().count("data:image/png") == 5 * 40


def test_rows_of_numbers_by_their_names(tmp_path):
    rows = "".join(f"{i % 2},{i % 7},{'yes' if i % 2 else 'no'}\n" for i in range(60))
    table = write(tmp_path / "n.csv", "tells,noise,label\n" + rows)
    run = helo.train("classify", table, out=tmp_path / "run", hidden=12, steps=80, seed=1)
    one = explain(run, run.examples([table]).take(np.array([1])))[0]
    complete([one])
    assert one.request.features == ["tells", "noise"]
    assert one.attribution is not None
    assert one.attribution.values[0, 0] > abs(one.attribution.values[0, 1])


def test_several_labels_are_explained_each(tmp_path):
    rows = "".join(
        f"{'red ' if i % 2 else ''}{'big ' if i % 3 else ''}thing\t{'r' if i % 2 else ''},{'b' if i % 3 else ''}\n"
        for i in range(90)
    )
    run = helo.train(
        "classify",
        write(tmp_path / "t.tsv", "text\tlabel\n" + rows),
        out=tmp_path / "run",
        multilabel=",",
        steps=120,
        hidden=12,
        seed=1,
    )
    one = explain(run, ["red big thing"])[0]
    complete([one])
    assert one.request.targets == ["b", "r"]
    assert one.attribution is not None
    assert [one.request.features[i] for i in one.attribution.values.argmax(1)] == ["big", "red"]
    assert [t["text"] for t in one.to_json()["targets"]] == ["b", "r"]


def test_captions(made):  # noqa: F811
    folder, run = made
    one = explain(run, [folder / "pictures" / "01.png"])[0]
    complete([one])
    assert one.request.features[-2:] == [WHOLE, BEFORE]
    assert one.request.attention is not None
    np.testing.assert_allclose(one.request.attention.sum(1), 1, atol=1e-4)
    assert " ".join(one.request.targets) == one.request.answer["text"]
    page = folder / "p.html"
    assert helo_command("explain", run.path, folder / "pictures" / "01.png", "--out", page).code == 0
    assert page.read_text().count("<svg") == 1 + 2 * len(one.request.targets)


# What it sees.


def test_a_planted_word_comes_first_whichever_way_it_is_asked(planted):
    for text, label, other in (
        ("the thing 3 was superb on day 2", "pos", "neg"),
        ("the thing 1 was dreadful on day 4", "neg", "pos"),
    ):
        one, against = explain(planted, [text])[0], explain(planted, [text], label=other)[0]
        assert one.request.answer["label"] == label
        word = one.request.features.index(text.split()[4])
        assert one.attribution is not None
        assert against.attribution is not None
        assert one.attribution.values[0].argmax() == one.occlusion[0].argmax() == word
        assert one.attribution.values[0, word] > 0
        assert one.occlusion[0, word] > 0
        np.testing.assert_allclose(against.attribution.values, -one.attribution.values, atol=0.05)  # of two labels
        np.testing.assert_allclose(against.occlusion, -one.occlusion, atol=1e-4)


@pytest.mark.parametrize("baseline", ["mean", "unknown"])
def test_another_baseline(planted, baseline):
    one = explain(planted, ["the thing 3 was superb on day 2"], baseline=baseline)[0]
    complete([one])
    assert one.attribution is not None
    assert one.request.features[int(one.attribution.values[0].argmax())] == "superb"


def test_a_carried_state_is_an_input_and_changes_nothing_of_the_answer():
    run = helo.load(written())
    whole, parted = explain(run, TEXT)[0], explain(run, TEXT, window=5)[0]
    complete([whole, parted])
    assert whole.attribution is not None
    assert parted.attribution is not None
    assert parted.request.features == [BEFORE, *TEXT[-6:-1]]
    np.testing.assert_allclose(parted.attribution.score, whole.attribution.score, atol=1e-4)
    stream = run.stream()
    stream.feed(TEXT[:-1])
    logs = attribution.log_odds(stream.scores().astype(np.float64)[0], int(run.task.encode(TEXT[-1])[0]))
    np.testing.assert_allclose(parted.attribution.score[0], logs, atol=1e-4)
    alone = explain(run, TEXT[-6:])[0]  # as if nothing had been read before
    assert alone.attribution is not None
    np.testing.assert_allclose(
        parted.occlusion[0, 0], whole.attribution.score[0] - alone.attribution.score[0], atol=1e-4
    )
    assert abs(parted.occlusion[0, 0]) > 1e-4


def test_a_text_that_goes_on_from_a_stream(tmp_path):
    run = helo.load(written())
    stream = run.stream()
    stream.feed(TEXT[:10])
    stream.save(tmp_path / "state")
    whole, on = explain(run, TEXT)[0], explain(run, TEXT[10:], stream=run.stream(state=tmp_path / "state"))[0]
    complete([on])
    assert whole.attribution is not None
    assert on.attribution is not None
    assert on.request.features == [BEFORE, *TEXT[9:-1]]
    np.testing.assert_allclose(on.attribution.score, whole.attribution.score, atol=1e-4)
    done = helo_command("explain", run.path, "-", "--state", tmp_path / "state", "--json", stdin=TEXT[10:].encode())
    assert json.loads(done.out)["answers"][0]["log_odds"] == pytest.approx(on.attribution.score[0], abs=1e-6)
    one = helo_command("explain", run.path, "-", "--state", tmp_path / "state", stdin=TEXT[10:11].encode())
    assert one.code == 0
    for words in ((run.path, "-", "--state", tmp_path / "none"), (run.path, "-", "--state", run.path / "run.json")):
        assert helo_command("explain", *words, stdin=b"the").code == 2


def test_at_and_label_of_a_language_model():
    run = helo.load(written())
    one = explain(run, TEXT, at=5, label="e")[0]
    assert one.request.features == list(TEXT[:4])
    assert one.request.answer["text"] == "e"
    assert len(one.request.answer["likely"]) == 3


def test_a_step_and_spans_of_a_tagger(place):
    one = explain(trained("spans", place), CASES["spans"][3])[0]
    complete([one])
    step = explain(trained("spans", place), CASES["spans"][3], step=4)[0]
    assert len(step.request.targets) == 1
    assert step.attribution is not None
    for s in one.request.answer["spans"]:
        assert any(t.startswith(s["text"]) for t in one.request.targets)


def test_attention_stands_beside(place):
    one = explain(trained("pairs", place), ["abc"])[0]
    assert one.request.attention is not None
    np.testing.assert_allclose(one.request.attention.sum(1), 1, atol=1e-4)
    told = one.to_json()
    assert all({"text", "attributions", "attention", "completeness_error"} <= set(t) for t in told["targets"])
    assert explain(trained("fixed vector", place), ["abc"])[0].request.attention is None


# The command.


def test_the_command_says_it_as_json_text_and_page(planted, tmp_path):
    asked = b"the thing 3 was superb on day 2\nit was <dreadful> & bad\n"
    answers = json.loads(helo_command("explain", planted.path, "-", "--json", stdin=asked).out)["answers"]
    assert [max(a["attributions"], key=lambda x: x["value"])["text"] for a in answers] == ["superb", "dreadful"]
    assert all(abs(a["completeness_error"]) < 0.01 for a in answers)
    assert answers[0]["label"] == answers[0]["explains"] == "pos"
    said = helo_command("explain", planted.path, "-", stdin=asked).out
    assert re.search(r"superb +\+\d", said)
    assert "\x1b" not in said
    page = tmp_path / "p.html"
    assert helo_command("explain", planted.path, "-", "--out", page, stdin=asked).code == 0
    text = page.read_text(encoding="utf-8")
    assert "superb" in text
    assert "<dreadful>" not in text
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text)


@pytest.mark.parametrize("case", ["tokens", "frames", "pairs", "dialogue"])
def test_pages_and_lines_of_other_shapes(case, place, tmp_path):
    from helo.inspection.visualization import explanations

    found = explain(trained(case, place), CASES[case][3][:1])
    assert "<section" in explanations("x", found)
    files = {"tokens": b"the cat\n", "frames": b"1 0 0\n0 1 0\n", "pairs": b"abc\n"}
    if case in files:
        done = helo_command("explain", trained(case, place).path, "-", stdin=files[case])
        assert done.code == 0
        assert done.out.strip()


@pytest.mark.parametrize("case", ["words", "tokens", "frames", "pairs"])
def test_pages_of_occlusion_alone(case, place, monkeypatch):
    from helo.inspection.visualization import explanations

    monkeypatch.setattr(attribution, "cheapest", lambda forward, nodes: None)
    found = explain(trained(case, place), CASES[case][3][:1])
    assert found[0].attribution is None
    assert "<section" in explanations("x", found)


def test_colours_where_there_are_some(planted):
    from helo.cli import flags

    assert flags.shaded("x", 0.9) != "x"
    assert flags.shaded("x", 0.05) == "x"
    with (
        mock.patch.dict("os.environ", {"NO_COLOR": "1"}),
        mock.patch.object(sys.stdout, "isatty", return_value=True, create=True),
    ):
        assert not flags.colours()


def test_without_torch(planted, tmp_path):
    file = write(tmp_path / "t.tsv", "text\nthe thing 3 was superb on day 2\n")
    done = without_torch("explain", str(planted.path), str(file), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["answers"][0]
    assert max(answer["attributions"], key=lambda x: x["value"])["text"] == "superb"
    assert answer["completeness_error"] < 0.01


def test_what_costs_too_much_without_torch_is_occluded_and_said(planted, monkeypatch):
    monkeypatch.setattr(attribution, "cheapest", lambda forward, nodes: None)
    done = helo_command("explain", planted.path, "-", "--json", stdin=b"the thing 3 was superb on day 2\n")
    assert done.code == 0
    assert "helo[train]" in done.err
    answer = json.loads(done.out)["answers"][0]
    assert answer["attributions"] == []
    assert answer["completeness_error"] is None
    assert max(answer["occlusion"], key=lambda x: x["value"])["text"] == "superb"
    assert "superb" in helo_command("explain", planted.path, "-", stdin=b"it was superb\n").out


def test_what_is_much_is_explained_in_part_and_said(place, monkeypatch):
    monkeypatch.setattr(attribution, "TARGETS", 2)
    monkeypatch.setattr(attribution, "OCCLUDED", 1)
    for case, stdin in (("tokens", b"the cat sleeps a dog runs the cat sleeps the dog runs\n"), ("pairs", b"abcd\n")):
        done = helo_command("explain", trained(case, place).path, "-", "--json", stdin=stdin)
        assert done.code == 0
        answer = json.loads(done.out)["answers"][0]
        assert len(answer["targets"]) <= 2
        assert answer["completeness_error"] < 0.01
        assert len(answer["occlusion"]) <= 8
        if case == "tokens":
            assert " 10 more" in done.err
            assert answer["occlusion"][0]["text"] == "the to cat"


# What is refused.


def test_what_is_refused(planted, place, tmp_path):
    lm, tagger, writer = written(), trained("tokens", place).path, trained("pairs", place).path
    (tmp_path / "empty").mkdir()
    long = "the " * 20
    for words, stdin, names in (
        ((planted.path,), "", ("FILES",)),
        ((planted.path, "-"), "", ("nothing",)),
        ((planted.path, "-"), "\n", ("empty",)),
        ((planted.path, "-", "--label", "maybe"), "fine\n", ("--label", "maybe", "pos")),
        ((planted.path, "-", "--step", "1"), "fine\n", ("--step",)),
        ((planted.path, "-", "--at", "2"), "fine\n", ("--at",)),
        ((planted.path, "-", "--window", "2"), "fine\n", ("--window",)),
        ((planted.path, "-", "--out", "x.pdf"), "fine\n", ("x.pdf", ".html")),
        ((planted.path, "-", "--out", tmp_path / "no.html" / "p.html"), "fine\n", ()),
        ((planted.path, tmp_path / "none.tsv"), "", ("none.tsv",)),
        ((lm, "-"), "", ("0 characters",)),
        ((lm, "-"), "t", ("1 character",)),
        ((lm, "-"), "the \u4e16\u754c", ("\u4e16",)),
        ((lm, "-", "--at", "500"), long, ("--at", "500", "80")),
        ((lm, "-", "--at", "1"), long, ("--at",)),
        ((lm, "-", "--label", "the"), long, ("--label", "the")),
        ((lm, "-", "--step", "1"), long, ("--step",)),
        ((lm, tmp_path / "none.txt"), "", ("none.txt: no such file",)),
        ((lm, tmp_path / "empty"), "", ("no text",)),
        ((tagger, "-", "--step", "9"), "the cat\n", ("--step", "9", "2")),
        ((tagger, "-", "--label", "Q"), "the cat\n", ("--label", "Q")),
        ((writer, "-", "--label", "Q"), "abc\n", ("--label",)),
        ((writer, "-", "--baseline", "mean"), "abc\n", ("--baseline",)),
        ((writer, "-", "--state", "x"), "abc\n", ()),
        ((tmp_path, "-"), "abc\n", (str(tmp_path),)),
    ):
        if words[-1] == tmp_path / "no.html" / "p.html":
            (tmp_path / "no.html").write_text("a file")
        done = helo_command("explain", *words, stdin=stdin.encode())
        assert done.code == 2, (words, done)
        assert len(done.err.strip().splitlines()) == 1, done.err
        for name in names:
            assert name in done.err, (name, done.err)


def test_a_run_without_weights_yet(tmp_path):
    run = copied(written(), tmp_path / "run")
    (run / "weights.safetensors").unlink()
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(about | {"finished": False}))
    for verb in ("explain", "score"):
        done = helo_command(verb, run, "-", stdin=b"the text")
        assert done.code == 2
        assert "no weights" in done.err


def test_from_python_only_what_is_meant(planted):
    with pytest.raises((HeloError, TypeError)):
        explain(planted, [3])
    with pytest.raises(HeloError):
        explain(planted, Dataset("text", [], None, str))
    with pytest.raises(HeloError):
        explain(planted, ["fine"], baseline="none")
    with pytest.raises(TypeError):
        explain(helo.load(written()), 3)


def too_large(run, to):
    """A copy of a run whose weights are numbers, and whose answers are none."""
    path = copied(run, to)
    weights = arrays.read_arrays(path / "weights.safetensors")[0]
    arrays.write_arrays(path / "weights.safetensors", {n: np.sign(w) * np.float32(1e38) for n, w in weights.items()})
    return path


@pytest.mark.parametrize("case", ["lm", *CASES])
def test_results_that_are_no_numbers_are_refused(case, place, tmp_path):
    path = too_large(written() if case == "lm" else trained(case, place).path, tmp_path / "run")
    file = tmp_path / "t.txt"
    file.write_text(TEXT, encoding="utf-8")
    run = helo.load(path)
    with pytest.raises(HeloError, match=r"weights\.safetensors.*not numbers"):
        explain(run, TEXT if case == "lm" else CASES[case][3])
    done = helo_command("inspect", path, "--json", "--most", 300)
    assert done.code == 2
    assert "not numbers" in done.err or "200 or more" in done.err
    told = json.loads(helo_command("watch", path, "--json").out)
    assert told["weights"] is None
    assert "not numbers" in told["trouble"]


# Numbers.


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """Regressions of a table, of two numbers, of series and of texts."""
    folder, rng = tmp_path_factory.mktemp("numbers"), np.random.default_rng(0)
    x = rng.standard_normal((150, 3))
    y = 100 + 30 * x[:, 0] - 20 * x[:, 1]
    series = rng.standard_normal((60, 12, 2)).astype(np.float32)
    words = [f"the {'large' if i % 2 else 'small'} thing number {i % 7}" for i in range(80)]
    how = {"steps": 150, "seed": 1, "quiet": True, "precision": "float32"}
    cases = {
        "table": ((x, y), x[:4], {}),
        "normal": ((x, y), x[:2], {"distribution": "normal"}),
        "two": ((x, np.stack([y, 5 * x[:, 2]], 1)), x[:2], {}),
        "series": ((series, series[:, :, 0].mean(1)), series[:2], {"steps": 30}),
        "texts": ((words, [10.0 if "large" in w else -10.0 for w in words]), words[:2], {"hidden": 8}),
    }
    return {n: (helo.train("regress", d, out=folder / n, **how | more), some) for n, (d, some, more) in cases.items()}


@pytest.mark.parametrize("case", ["table", "normal", "two", "series", "texts"])
def test_what_a_number_rests_on_adds_up_to_its_median(numbers, case):
    run, some = numbers[case]
    found = explain(run, some)
    complete(found)
    for one, answer in zip(found, run.predict(some), strict=True):
        each = answer["targets"] if case == "two" else {run.task.names[0]: answer}
        assert one.attribution is not None
        medians = [a["quantiles"]["0.5"] for a in each.values()]
        assert one.attribution.score == pytest.approx(medians, rel=1e-4)
        assert one.request.targets == list(each)


def test_it_rests_on_what_it_is_made_of(numbers):
    run, some = numbers["table"]
    for one, x in zip(explain(run, some), some, strict=True):
        true = np.array([30 * x[0], -20 * x[1], 0])
        assert np.abs(one.values[0] - true).max() < 8, (one.values[0], true)
        said = one.to_json()
        assert {"median", "median_baseline", "value", "attributions"} <= set(said)
        assert "log_odds" not in said
    run, some = numbers["texts"]
    one = explain(run, some)[0]
    assert one.names[int(abs(one.values[0]).argmax())] in ("large", "small")


def test_numbers_of_several_kinds_are_not_added_up(numbers):
    run, some = numbers["two"]
    said = explain(run, some)[0].to_json()
    assert set(said["targets"]) == set(run.task.names)
    assert [e["text"] for e in said["explained"]] == run.task.names
    assert "attributions" not in said


def test_a_number_on_the_command_line_and_on_a_page(numbers, tmp_path):
    run, _ = numbers["table"]
    file = write(tmp_path / "x.csv", "x1,x2,x3\n0.5,-1,2\n")
    for case in ("table", "two"):
        run, _ = numbers[case]
        done = helo_command("explain", run.path, file)
        assert done.code == 0, done.err
        assert "nats" not in done.out
        done = helo_command("explain", run.path, file, "--out", tmp_path / "why.html", "--quiet")
        assert done.code == 0, done.err
        page = (tmp_path / "why.html").read_text()
        assert "nats" not in page
        assert "unit of the number" in page
    done = helo_command("explain", run.path, file, "--label", "x")
    assert done.code == 2
    assert "--label" in done.err

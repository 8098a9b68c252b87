"""Tables of numbers and categories: what is learned of their columns, and that it is the same in every door."""

from __future__ import annotations

import csv
import json
import logging
from typing import Any

import numpy as np
import pytest

import helo
from fixtures import helo_command
from helo import inputs
from helo.errors import HeloError
from helo.inputs.vectors import ONE_HOT, Vectors
from helo.tasks.classify import Classify

COUNTRIES = ["de", "fr", "jp"]


def rows(n=60):
    """The country alone decides. Some ages are missing."""
    return [
        {
            "machine": f"m{i}", "age": None if i % 7 == 3 else 20 + i % 40, "country": COUNTRIES[i % 3],
            "city": f"c{i % 20}", "new": i % 2 == 0, "label": "yes" if i % 3 == 1 else "no",
        }
        for i in range(n)
    ]  # fmt: skip


def as_csv(path, table, leave_out=()):
    names = [n for n in table[0] if n not in leave_out]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([row[n] for n in names] for row in table)
    return path


def as_jsonl(path, table, leave_out=()):
    path.write_text("".join(json.dumps({k: v for k, v in r.items() if k not in leave_out}) + "\n" for r in table))
    return path


def learned(path, **options):
    options = Classify.Options(**options)
    examples = Classify.source.read([path], options)[0]
    return examples, Classify.from_dataset(options, examples)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    return helo.train("classify", as_csv(place / "t.csv", rows()), out=place / "run", steps=120, ignore="new", seed=1)


def test_a_category_decides(trained):
    pytest.importorskip("torch")
    assert trained.evaluate()["accuracy"] == 1
    form = trained.task.form
    assert set(form.categories) == {"country", "city"}
    assert set(form.categories["country"]) == set(COUNTRIES)
    assert form.numeric == ["age"]
    assert len(form.categories["city"]) > ONE_HOT
    assert [n for n in trained.parameters if "embedding" in n] == ["input.embedding.1"]
    assert form.owners().shape == (form.width,)


def test_the_same_in_every_door(tmp_path, trained):
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    table = [row | {"more": "a b"} for row in rows(12)]
    asked = ("machine", "label", "new")  # what was left out in training is not missed
    wanted = trained.predict(trained.examples([as_csv(tmp_path / "t.csv", table)]))
    for source in (as_csv(tmp_path / "a.csv", table, asked), as_jsonl(tmp_path / "a.jsonl", table, asked)):
        assert trained.predict(trained.examples([source])) == wanted
    for frame in (pandas.DataFrame(table), polars.DataFrame(table), pandas.read_csv(tmp_path / "t.csv")):
        assert trained.predict(frame) == wanted
        columns = [c for c in frame.columns if c not in asked]
        assert trained.predict(frame[columns[::-1]]) == wanted
    assert trained.predict([dict(row) for row in table]) == wanted
    order = trained.task.form.columns
    assert trained.predict([[row[n] for n in order] for row in table]) == wanted
    lines = "\n".join(",".join("" if row[n] is None else str(row[n]) for n in order) for row in table)
    assert trained.predict(trained.task.source.lines(trained.task, lines)) == wanted
    with pytest.raises(HeloError, match=r"input 1: 1 cell.*country"):
        trained.predict([["de"]])
    for source in (5, [5], [None], ["de"], {"de": 1}, np.zeros((2, 2)), np.zeros(3)):
        with pytest.raises(HeloError):
            trained.predict(source)
    with pytest.raises(HeloError, match="standard input:1: .*country"):
        trained.task.source.lines(trained.task, "de")
    with pytest.raises(HeloError, match="'city'"):
        trained.predict(pandas.DataFrame(table)[["age", "country"]])
    with pytest.raises(HeloError, match="row 0.*'old'.*'age'"):
        trained.predict(pandas.DataFrame([table[0] | {"age": "old"}]))


def test_an_unknown_category_has_an_entry_of_its_own(trained):
    order = trained.task.form.columns
    row = [rows()[0][n] for n in order]

    def answer(country):
        cells = [country if n == "country" else v for n, v in zip(order, row, strict=True)]
        return trained.predict([cells])[0]["probabilities"]

    assert answer("us") == answer("at")  # neither was seen in training
    assert answer("us") != answer("de")
    encoded = trained.task.encode(trained.task.source.given(trained.task, [row] * 2))
    found = encoded.batch(np.arange(2), np.random.default_rng(0))
    assert found["xs"].shape == (2, trained.task.form.width - trained.task.form.sizes[1])


def test_rare_ones_are_unknown_in_training(tmp_path):
    table = rows(30)
    for i, row in enumerate(table):
        row["country"] = "once" if i == 4 else row["country"]
    examples, model = learned(as_csv(tmp_path / "t.csv", table))
    assert "once" not in model.form.categories["country"]
    encoded: Any = model.encode(examples)
    assert encoded.ids[4, 0] == 0
    assert (encoded.ids[:4, 0] > 0).all()
    met = [encoded.batch(np.arange(30), np.random.default_rng(s))["xs"] for s in range(40)]
    column = int(np.flatnonzero(model.form.owners() == model.form.columns.index("country"))[0])
    assert 0 < np.mean([x[5:, column].sum() for x in met]) < 3  # known ones now and then


def test_spellings_that_no_two_programs_share(tmp_path):
    table = [
        {"code": v, "sure": s, "size": z, "label": y}
        for v, s, z, y in [("1", "True", "NA", "x"), ("A", "False", "2", "y"), ("B", "true", "?", "x"), ("A", "false", "3.5", "y")] * 3
    ]  # fmt: skip
    examples, model = learned(as_csv(tmp_path / "t.csv", table))
    assert set(model.form.categories) == {"code", "sure"}
    assert set(model.form.categories["sure"]) == {"true", "false"}
    assert model.form.numbers.missing
    first = model.encode(examples).batch(np.arange(4))["xs"]
    other = [[1.0, True, None], ["A", False, 2], ["B", np.True_, float("nan")], ["A", "FALSE", "3.5"]]
    given = model.source.given(model, other)
    assert np.array_equal(model.encode(given).batch(np.arange(4))["xs"], first)


def test_missing_values_are_the_mean_and_marked(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,label\n1,,x\n3,4,y\n,6,x\n2,NaN,y\n")
    examples, model = learned(tmp_path / "t.csv")
    xs = model.encode(examples).batch(np.arange(4))["xs"]
    assert xs[:, 2:].tolist() == [[0, 1], [0, 0], [1, 0], [0, 1]]
    assert xs[2, 0] == 0
    assert xs[0, 1] == 0
    np.savez(tmp_path / "t.npz", x=np.array([[1, np.nan], [3, 4], [np.nan, 6], [2, np.nan]]), y=[0, 1, 0, 1])
    examples, model = learned(tmp_path / "t.npz")
    assert np.array_equal(model.encode(examples).batch(np.arange(4))["xs"], xs)


def test_a_plain_table_is_as_it_was(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,label\n" + "1,2,x\n3,4,y\n" * 4)
    _, model = learned(tmp_path / "t.csv")
    assert set(model.form.to_json()) == {"form", "numbers"}
    assert model.form.init(np.random.default_rng(0), None) == {}


def test_what_was_learned_is_saved(tmp_path):
    _, model = learned(as_csv(tmp_path / "t.csv", rows()))
    saved = json.loads(json.dumps(model.form.to_json()))
    assert inputs.from_json(saved).to_json() == saved
    _, words = learned(as_csv(tmp_path / "t.csv", rows(), ["age"]))
    assert words.form.numbers is None
    assert inputs.from_json(words.form.to_json()).to_json() == words.form.to_json()
    for wrong in (
        {"categories": {"country": []}}, {"categories": {"country": ["a", "a"]}}, {"names": ["age"]}, {"names": None},
        {"numbers": None}, {"categories": {}}, {"categories": {"other": ["a"]}},
    ):  # fmt: skip
        with pytest.raises(HeloError, match="form of input"):
            inputs.from_json(saved | wrong)


@pytest.mark.parametrize("name, values, said", [
    ("machine", [f"m{i}" for i in range(20)], "left out"),
    ("n", list(range(1, 21)), "--ignore n"),
    ("user_id", [i * 37 % 101 for i in range(20)], "--ignore user_id"),
    ("customerID", [i * 37 % 101 for i in range(20)], "--ignore customerID"),
    ("first name", [*(f"m{i}" for i in range(19)), "m0"], "--ignore 'first name'"),
    ("width", [i * 37 % 101 for i in range(20)], ""),
    ("a", [i % 5 for i in range(20)], ""),
    ("when", [i / 2 for i in range(20)], ""),
])  # fmt: skip
def test_identifiers_are_said(tmp_path, caplog, name, values, said):
    table = [{"size": i % 3, name: v, "label": "xy"[i % 2]} for i, v in enumerate(values)]
    with caplog.at_level(logging.WARNING, "helo"):
        learned(as_csv(tmp_path / "t.csv", table))
        lines = [r.getMessage() for r in caplog.records]
        assert len(lines) == bool(said)
        assert all(name in line and said in line for line in lines)
        caplog.clear()
        learned(tmp_path / "t.csv", ignore=(name.upper(),))
        assert not caplog.records


def test_columns_to_be_left_out(tmp_path):
    as_csv(tmp_path / "t.csv", rows())
    with pytest.raises(HeloError, match="--ignore: .*'machin'.*'machine'"):
        learned(tmp_path / "t.csv", ignore=("machin",))
    (tmp_path / "text.csv").write_text("text,a,label\n" + "s,1,x\nt,2,y\n" * 3)
    assert learned(tmp_path / "text.csv")[0].kind == "text"
    assert isinstance(learned(tmp_path / "text.csv", ignore=("text",))[1].form, Vectors)


def test_running_text_beside_numbers_is_refused_by_name(tmp_path):
    table = [row | {"said": f"what number {i} of us said of it"} for i, row in enumerate(rows(20))]
    with pytest.raises(HeloError, match="'said'.*--text said.*--ignore said"):
        learned(as_csv(tmp_path / "t.csv", table))
    assert "said" not in learned(tmp_path / "t.csv", ignore=("said",))[1].form.columns


def test_the_command_line(tmp_path):
    pytest.importorskip("torch")
    file, run = as_csv(tmp_path / "t.csv", rows()), tmp_path / "run"
    flags = ["--ignore", "machine", "--ignore", "new", "--steps", 3, "--out", run, "--quiet"]
    assert helo_command("train", "classify", file, *flags).code == 0
    lacking = as_csv(tmp_path / "u.csv", rows(3), ["machine", "new", "label"])
    done = helo_command("predict", run, lacking, "--json")
    assert len(json.loads(done.out)["answers"]) == 3
    assert helo_command("eval", run, file, "--json").code == 0
    assert helo_command("explain", run, lacking, "--json").code == 0
    assert helo_command("explain", run, lacking, "--out", tmp_path / "p.html").code == 0
    assert helo_command("train", "classify", "--out", run, "--resume", "--steps", 5, "--quiet").code == 0
    wrong = helo_command("train", "classify", file, "--ignore", "contry", "--out", tmp_path / "r")
    assert wrong.code == 2
    assert "'country'" in wrong.err
    assert wrong.err.count("\n") == 1


def test_a_remedy_is_a_flag_that_was_given(tmp_path):
    """Not by how its text begins: a reader's own remedy may begin like a flag."""
    table = as_csv(tmp_path / "t.csv", [{"said": f"well {i}", "mood": "yn"[i % 2]} for i in range(20)])
    run = helo.train("classify", table, text="said", label="mood", out=tmp_path / "run", steps=1)
    other = as_csv(tmp_path / "o.csv", [{"words": "well", "mood": "y"}])
    for how, named in (({}, "the training files"), ({"text": "wrods"}, "--text")):
        with pytest.raises(HeloError, match=f"(?s)o.csv.*(?={named})") as caught:
            run.examples(other, **how)
        assert caught.value.flag == "--text"
    with pytest.raises(HeloError, match="words"):
        run.examples(other, text="wrods")
    own = tmp_path / "own.py"
    own.write_text(
        "from helo.data.readers import Reader\nfrom helo.errors import HeloError\n"
        "class Own(Reader):\n    def read(self, paths, options):\n        raise HeloError('dry', mend='choose --wet')\n"
    )
    with pytest.raises(HeloError, match="--wet"):
        run.examples(other, reader=f"{own}:Own")


def test_what_a_text_leaves_out_is_said(tmp_path, caplog):
    table = [{"text": f"well {i}", "age": i % 9, "town": "abcd"[i // 2 % 4], "label": "yn"[i % 2]} for i in range(20)]
    file, how = as_csv(tmp_path / "t.csv", table), {"steps": 1, "quiet": True}

    def said(source, **more):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "helo"):
            helo.train("classify", source, out=tmp_path / "run", overwrite=True, **how, **more)
        return [r.getMessage() for r in caplog.records]

    for source in (file, table, {name: [row[name] for row in table] for name in table[0]}):
        (line,) = said(source)
        for part in ("'text'", "age, town", "--ignore text"):
            assert part in line
    assert not said(file, text="text")
    assert not said(file, ignore=("age", "town"))
    assert not said(file, ignore=("text",))
    assert "age" not in said(file, ignore=("age",))[0]
    assert "town" not in said(file, split_by="town", split="group")[0]
    caplog.clear()
    done = helo_command("data", "check", "classify", file)
    assert done.code == 0
    assert "age, town" in done.out
    assert "--ignore text" in caplog.text
    found = json.loads(helo_command("data", "check", "classify", file, "--json").out)["understood"]
    assert found["not read"] == ["age", "town"]


def test_columns_that_differ_in_case_alone(trained):
    table = [dict(row) for row in rows(12)]
    twins = [row | {"COUNTRY": "de", "Age": 1, "CITY": "x"} for row in table]
    assert trained.predict(twins) == trained.predict(table)
    assert trained.predict([{n.upper(): v for n, v in row.items()} for row in table]) == trained.predict(table)
    form = Classify.from_dataset(*_learned_of(twins, ignore=("Age",))).form
    assert {"age", "country", "COUNTRY"} <= set(form.columns)
    assert "Age" not in form.columns


def _learned_of(table, **options):
    options = Classify.Options(**options)
    return options, Classify.source.read(table, options)[0]


def test_a_refusal_is_one_line_whatever_was_warned_of_before(tmp_path):
    table = [{"size": i % 3, "n": i, "label": "xy"[i % 2]} for i in range(20)]
    file = as_csv(tmp_path / "t.csv", table)
    done = helo_command("train", "classify", file, "--out", tmp_path / "run", "--steps", 2, "--metric", "nowhere")
    assert done.code == 2
    assert "nowhere" in done.err
    assert "identifier" not in done.err


def test_a_column_of_dates_is_named(caplog, tmp_path):
    """Each date is a category of which nothing is learned; few dates, and numbers, are none."""
    days = [f"2024-{1 + i % 4:02d}-{1 + i % 25:02d} 00:00:00" for i in range(200)]
    rows = [{"since": day, "wave": f"2024-0{1 + i % 3}-01", "n": i % 7, "year": str(2000 + i % 60), "label": "ab"[i % 2]} for i, day in enumerate(days)]  # fmt: skip
    helo.train("classify", rows, out=tmp_path / "dates", steps=1, hidden=4, quiet=True)
    (said,) = [r.getMessage() for r in caplog.records if "dates" in r.getMessage()]
    assert "--ignore since" in said


def test_labels_that_are_measurements_are_named(tmp_path):
    rows = [{"a": i % 5, "label": i + 0.5} for i in range(40)]
    with pytest.raises(HeloError, match="40 different ones in 40.*helo train regress"):
        helo.train("classify", rows, out=tmp_path / "measured", steps=1, quiet=True)


def test_a_feed_forward_run_names_no_cell(tmp_path):
    rows = [{"a": i % 5, "label": "ab"[i % 2]} for i in range(40)]
    run = helo.train("classify", rows, out=tmp_path / "forward", steps=1, hidden=4, quiet=True)
    for shown in (repr(run), run._repr_html_()):
        assert "feed-forward" in shown
        assert "lstm" not in shown


def test_an_infinite_number_is_one_error_and_no_warning(tmp_path):
    rows = [{"a": float("inf"), "label": "ab"[i % 2]} for i in range(40)]
    with pytest.raises(HeloError, match="inf in the column 'a'"):
        helo.train("classify", rows, out=tmp_path / "infinite", steps=1, quiet=True)


def test_labels_come_back_as_texts(tmp_path):
    rows = [{"a": i % 2, "label": bool(i % 2)} for i in range(40)]
    run = helo.train("classify", rows, out=tmp_path / "truth", steps=1, hidden=4, quiet=True)
    assert {answer["label"] for answer in run.predict(rows)} <= {"True", "False"}


def test_a_column_without_values_is_said(tmp_path, caplog):
    table = [{"size": i % 3, "empty": None, "kind": "pq"[i % 2], "label": "xy"[i % 2]} for i in range(20)]
    with caplog.at_level(logging.WARNING, "helo"):
        learned(as_csv(tmp_path / "t.csv", table))
    assert [r.getMessage() for r in caplog.records if "empty" in r.getMessage()]
    assert len(caplog.records) == 1


def test_an_option_that_a_verb_lacks_is_named(trained, tmp_path):
    for call in (
        trained.evaluate,
        trained.predict,
        lambda files, **more: trained.report(tmp_path / "out", files, **more),
    ):
        with pytest.raises(HeloError, match="labl"):
            call(rows(), labl="x")
    with pytest.raises(HeloError, match="dat"):
        trained.report(tmp_path / "out", dat=rows())


def test_the_numbers_of_rows_are_no_column(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(f"{x:.3f}", f"{y:.3f}", "up" if x > 0 else "down") for x, y in rng.standard_normal((40, 2))]
    plain, indexed = tmp_path / "plain.csv", tmp_path / "indexed.csv"
    order = rng.permutation(40).tolist()  # as after a random split
    plain.write_text("a,b,label\n" + "".join(",".join(r) + "\n" for r in rows))
    indexed.write_text(",a,b,label\n" + "".join(f"{k}," + ",".join(r) + "\n" for k, r in zip(order, rows, strict=True)))
    one, other = (helo.train("classify", f, out=tmp_path / f.stem, steps=3, quiet=True) for f in (plain, indexed))
    assert one.evaluate(plain) == other.evaluate(indexed)
    assert other.task.form.columns == one.task.form.columns == ["a", "b"]
    for head, cells, said in (
        (",a,label", "x,1,up", "a column without a name: 1 of 3"),
        ("a,,label", "1,2,up", "a column without a name: 2 of 3"),
        (",a,label", "7,1,up", "without a name: 1"),
    ):
        indexed.write_text(head + "\n" + (cells + "\n") * 20)
        with pytest.raises(HeloError, match=said):
            helo.train("classify", indexed, out=tmp_path / "x", steps=3, quiet=True)


def test_a_table_on_standard_input_is_refused_by_its_names(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    file = tmp_path / "t.csv"
    file.write_text(
        "a,b,label\n"
        + "".join(f"{x:.3f},{y:.3f},{'up' if x > 0 else 'down'}\n" for x, y in rng.standard_normal((40, 2)))
    )
    helo.train("classify", file, out=tmp_path / "run", steps=3, quiet=True)
    for text in (b"a,b\n1,2\n", b'{"a": 1, "b": 2}\n'):
        done = helo_command("predict", tmp_path / "run", "-", stdin=text)
        assert done.code == 2
        assert "expected 2 values: a, b; give a file, whose columns are found by their names" in done.err
    done = helo_command("predict", tmp_path / "run", "-", stdin=b"1,2\n")
    assert done.code == 0, done.err


def test_years_without_a_name_are_no_numbers_of_rows(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text(",sales\n" + "".join(f"{year},{year % 7}\n" for year in range(1930, 1990)))
    with pytest.raises(HeloError, match="a column without a name: 1 of 2"):
        helo.train("forecast", file, out=tmp_path / "run", frequency="yearly", steps=2, quiet=True)


def test_a_category_that_a_column_is_called_by_is_one(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(int(a), int(b), ("home", "away")[int(a) % 2]) for a, b in rng.integers(0, 9, (60, 2))]
    file = tmp_path / "t.csv"
    file.write_text(
        "home,away,venue,label\n" + "".join(f"{a},{b},{v},{'win' if a > b else 'loss'}\n" for a, b, v in rows)
    )
    helo.train("classify", file, out=tmp_path / "run", steps=3, quiet=True)
    done = helo_command("predict", tmp_path / "run", "-", stdin=b"3,2,home\n")
    assert done.code == 0, done.err

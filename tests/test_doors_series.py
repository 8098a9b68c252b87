"""Series of a table with columns of texts beside numbers: what is learned of them, and that it is the same in every door."""

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
from helo.inputs.mixed import Mixed
from helo.inputs.numbers import Numbers
from helo.tasks.classify import Classify


def steps(series=40, length=4):
    """Only what the machine does at the third step decides. Some heats are missing."""
    return [
        {
            "run": f"r{s}", "t": t, "heat": None if (s + t) % 9 == 4 else (s * 7 + t * 3) % 10,
            "does": "stop" if t == 2 and s % 2 else ("go", "wait")[(s + t) % 2],
            "site": f"s{s % 20}", "serial": f"n{s}", "label": ("fine", "bad")[s % 2],
        }
        for s in range(series)
        for t in range(length)
    ]  # fmt: skip


def as_csv(path, table, leave_out=()):
    names = [n for n in table[0] if n not in leave_out]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([row[n] for n in names] for row in table)
    return path


def as_jsonl(path, table):
    path.write_text("".join(json.dumps(row) + "\n" for row in table))
    return path


def learned(path, **options):
    options = Classify.Options(group="run", order="t", **options)
    examples = Classify.source.read([path], options)[0]
    return examples, Classify.from_dataset(options, examples)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    file = as_csv(place / "t.csv", steps())
    return helo.train("classify", file, group="run", order="t", out=place / "run", steps=150, seed=1, quiet=True)


def test_a_category_of_a_step_decides(trained):
    pytest.importorskip("torch")
    assert trained.evaluate()["accuracy"] == 1
    form = trained.task.form
    assert isinstance(form, Mixed)
    assert form.columns == ["heat", "does", "site"]  # each serial is of one series alone
    assert set(form.rows.categories["does"]) == {"go", "wait", "stop"}
    assert [n for n in trained.parameters if "embedding" in n] == ["input.embedding.1"]
    assert form.owners().shape == (form.width,)
    again = helo.load(trained.path)
    assert again.evaluate() == trained.evaluate()


def test_the_same_in_every_door(tmp_path, trained):
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    table = steps(6)
    wanted = trained.predict(trained.examples([as_csv(tmp_path / "t.csv", table)]))
    assert len(wanted) == 6
    shuffled = [table[i] for i in np.random.default_rng(0).permutation(len(table))]
    others = [as_csv(tmp_path / "a.csv", table, ("serial", "label")), as_jsonl(tmp_path / "a.jsonl", table)]
    for source in others:
        assert trained.predict(trained.examples([source])) == wanted
    for frame in (pandas.DataFrame(table), polars.DataFrame(table), pandas.read_csv(tmp_path / "t.csv")):
        assert trained.predict(frame) == wanted
        assert trained.predict(frame[frame.columns[::-1]]) == wanted
    assert trained.predict(table) == wanted
    found = sorted(a["probability"] for a in trained.predict(shuffled))
    assert found == pytest.approx(sorted(a["probability"] for a in wanted))
    order = trained.task.form.columns
    series = [[[row[n] for n in order] for row in table if row["run"] == f"r{s}"] for s in range(6)]
    assert trained.predict(series) == wanted
    assert trained.predict([np.array(x, object) for x in series]) == wanted
    done = helo_command("predict", trained.path, tmp_path / "t.csv", "-o", tmp_path / "out.csv")
    assert done.code == 0
    with (tmp_path / "out.csv").open() as file:
        assert [row["run"] for row in csv.DictReader(file)] == [f"r{s}" for s in range(6)]
    for source in (5, [5], [None], ["go"], [[["go"]]], [[]], np.zeros((2, 2))):
        with pytest.raises(HeloError):
            trained.predict(source)
    with pytest.raises(HeloError, match="'site'"):
        trained.predict(pandas.DataFrame(table)[["run", "t", "heat", "does"]])
    with pytest.raises(HeloError, match="row 1.*'hot'.*'heat'"):
        trained.predict(pandas.DataFrame([table[0], table[1] | {"heat": "hot"}]))


def test_frames_train_as_files_do(tmp_path, trained):
    pandas = pytest.importorskip("pandas")
    how: dict[str, Any] = {"group": "run", "order": "t", "steps": 2, "quiet": True, "seed": 1}
    run = helo.train("classify", pandas.DataFrame(steps()), out=tmp_path / "run", **how)
    file = helo.train("classify", trained.about["data"]["train"], out=tmp_path / "file", **how)
    assert run.task.form.to_json() == file.task.form.to_json()
    assert all(np.array_equal(x, file.parameters[n]) for n, x in run.parameters.items())
    # What was given can be given again: it is known by what it holds.
    helo.train("classify", pandas.DataFrame(steps()), out=tmp_path / "run", resume=True, **how | {"steps": 3})


def test_an_unknown_category_has_an_entry_of_its_own(tmp_path, trained):
    def answer(does):
        return trained.predict([[[3, does, "s1"]] * 4])[0]["probabilities"]

    assert answer("fly") == answer("swim")
    assert answer("fly") != answer("stop")
    table = steps(20)
    for row in table:
        row["does"] = "once" if row["run"] == "r3" else row["does"]
    examples, model = learned(as_csv(tmp_path / "t.csv", table))
    assert "once" not in model.form.rows.categories["does"]  # four steps, but of one series
    encoded: Any = model.encode(examples)
    rows, column = np.arange(20), model.form.columns.index("does")
    mine = np.flatnonzero(model.form.owners() == column)
    plain = encoded.batch(rows)["xs"][..., mine]
    assert (plain.sum(2) == 1).all()
    assert plain[3, :, 0].all()
    met = [encoded.batch(rows, np.random.default_rng(s))["xs"][..., mine[0]] for s in range(60)]
    others = np.delete(np.stack(met), 3, axis=1)
    assert 0 < others.mean() < 0.1
    part = encoded.batch(rows, np.random.default_rng(5), slice(3, 9))["xs"]
    whole = encoded.batch(rows, np.random.default_rng(5))["xs"][3:9]
    assert np.array_equal(part, whole)


def test_lengths_that_differ(tmp_path):
    table = [row for row in steps(20) if row["t"] < 2 + int(row["run"][1:]) % 3]
    examples, model = learned(as_csv(tmp_path / "t.csv", table))
    xs = model.encode(examples).batch(np.arange(3))
    assert xs["xs"].shape[:2] == (3, 4)
    assert xs["lengths"].tolist() == [2, 3, 4]
    assert not xs["xs"][0, 2:].any()


def test_what_was_learned_is_saved(tmp_path, trained):
    saved = json.loads(json.dumps(trained.task.form.to_json()))
    assert inputs.from_json(saved).to_json() == saved
    plain = {"form": "vectors", "numbers": saved["rows"]["numbers"]}
    for wrong in ({"rows": {}}, {"rows": plain}, {"rows": None}):
        with pytest.raises(HeloError, match="form of input"):
            inputs.from_json(saved | wrong)


def test_numbers_alone_are_as_they_were(tmp_path, caplog):
    table = steps(20)
    _, model = learned(as_csv(tmp_path / "t.csv", table), ignore=("does", "site", "serial"))
    assert isinstance(model.form, Numbers)
    with caplog.at_level(logging.WARNING, "helo"):
        examples, other = learned(as_csv(tmp_path / "u.csv", table), ignore=("does", "site"))
    assert "serial" in caplog.text
    assert other.form.to_json() == model.form.to_json()
    assert np.array_equal(other.encode(examples).batch(np.arange(4))["xs"].shape, (4, 4, 4))
    with pytest.raises(HeloError, match="v.csv:3.*'warm'.*'heat'"):
        other.encode(learned(as_csv(tmp_path / "v.csv", [table[0], table[1] | {"heat": "warm"}, *table[2:]]))[0])


def test_running_text_is_refused_by_name(tmp_path):
    table = [row | {"said": f"what number {i} of us said of it"} for i, row in enumerate(steps(20))]
    with pytest.raises(HeloError, match="'said'.*--text said.*--ignore said"):
        learned(as_csv(tmp_path / "t.csv", table))


def test_every_verb(tmp_path, trained):
    file = as_csv(tmp_path / "t.csv", steps(6))
    checked = helo_command("data", "check", "classify", file, "--group", "run", "--order", "t", "--json")
    assert checked.code == 0, checked.err
    assert helo_command("eval", trained.path, file, "--json").code == 0
    done = helo_command("explain", trained.path, file, "--json", "-o", tmp_path / "p.html")
    assert done.code == 0, done.err
    assert "does" in (tmp_path / "p.html").read_text()
    assert helo_command("train", "classify", "--out", trained.path, "--resume", "--steps", 152, "--quiet").code == 0


def test_a_row_of_no_series_is_refused(tmp_path):
    table = [row | {"run": "" if i == 5 else row["run"]} for i, row in enumerate(steps(20))]
    with pytest.raises(HeloError, match=r"t.csv:7: .*'run'"):
        learned(as_csv(tmp_path / "t.csv", table))
    talks = [{"run": r, "text": "well", "label": y} for r, y in (("a", "x"), (None, "x"), ("b", "y"))]
    for task in ("classify", "tag"):
        with pytest.raises(HeloError, match=r"row 1: .*'run'"):
            helo.train(task, talks, group="run", out=tmp_path / "run", steps=1, quiet=True)

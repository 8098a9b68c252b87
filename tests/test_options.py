"""What an option may be stands on the option: the same in Python, on the command line, in --help and in the schema."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

import helo
from fixtures import copied, helo_command
from helo import options, tasks
from helo.decoding.sampling import Choice
from helo.errors import HeloError
from helo.runs import folder
from helo.training.options import Options

KINDS = {name: tasks.find(name).Options for name in tasks.names()} | {"training": Options, "choice": Choice}
NUMBERS = [(n, o) for n, kind in KINDS.items() for o in options.described(kind) if o.kind in (int, float)]


@pytest.mark.parametrize("name, option", NUMBERS, ids=lambda x: getattr(x, "name", x))
def test_each_number_has_bounds_and_they_hold(name, option):
    bounds = option.bounds
    assert bounds is not None
    step = 1 if option.kind is int else 1e-9
    least = bounds.least + step if bounds.above else bounds.least
    most = bounds.most - step if bounds.below else bounds.most
    for value in (least, most):
        assert getattr(KINDS[name](**{option.name: option.kind(value)}), option.name) == value
        options.build(KINDS[name], {option.name: value})
    wrong = [bounds.least if bounds.above else bounds.least - 1, *([bounds.most] if bounds.below else [])]
    wrong += [float("nan")] if option.kind is float else [int(bounds.most) + 1]
    for value in wrong:
        with pytest.raises(HeloError) as refused:
            options.build(KINDS[name], {option.name: option.kind(value) if value == value else value})
        assert str(refused.value).startswith(f"{option.flag}: {option.kind(value) if value == value else value}")
        assert str(bounds) in refused.value.expected


@pytest.mark.parametrize("task", tasks.names())
def test_bounds_are_in_the_help_and_in_the_schema(task):
    said = " ".join(helo_command("train", task, "--help").out.split())
    schema = folder.schema()
    for kind, fields in ((KINDS[task], schema["$defs"][task]), (Options, schema["properties"]["training"])):
        for o in options.described(kind):
            field = fields["properties"][o.name]
            if o.bounds is not None:
                assert f"{o.help}, {o.bounds}" in said or o.name == "seed"
                assert o.bounds.least in (field.get("minimum"), field.get("exclusiveMinimum"))
                assert o.bounds.most in (field.get("maximum"), field.get("exclusiveMaximum"))


@pytest.mark.parametrize("words, expected", [(("translate", "--hidden", 1), "2 or more"), (("lm", "--layers", 0), "1 or more"), (("tag", "--spelling", -1), "0 or more"), (("classify", "--dropout", 2), "between 0 and 1"), (("lm", "--steps", 10**20), f"1 or more, at most {2**53:,}")], ids=str)  # fmt: skip
def test_what_is_out_of_bounds_names_its_flag(tmp_path, words, expected):
    task, flag, value = words
    (tmp_path / "data.tsv").write_text("text\tlabel\none\ttwo\n")
    done = helo_command("train", task, tmp_path / "data.tsv", flag, value, "--out", tmp_path / "run")
    assert done.code == 2
    assert f"{flag}: {float(value) if flag == '--dropout' else value}" in done.err
    assert expected in done.err
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A small classifier of several labels an example, and its file."""
    place = tmp_path_factory.mktemp("multilabel")
    rows = [f"{' '.join(words)}\t{','.join(words)}" for words in (["red"], ["big"], ["big", "red"])] * 8
    (place / "data.tsv").write_text("\n".join(["text\tlabel", *rows]))
    helo.train("classify", place / "data.tsv", out=place / "run", multilabel=",", hidden=4, embedding=4, steps=3)
    return place


def test_the_name_that_an_option_had_goes_on_working(colours, tmp_path):
    old = helo_command("train", "classify", colours / "data.tsv", "--several", ",", "--hidden", 4, "--embedding", 4, "--steps", 3, "--out", tmp_path / "run")  # fmt: skip
    assert old.code == 0, old.err
    one, other = (json.loads((p / "run" / "run.json").read_text()) for p in (colours, tmp_path))
    assert one["options"] == other["options"]
    assert one["options"]["multilabel"] == ","
    assert one["figures"] == other["figures"]
    assert "--several" not in helo_command("train", "classify", "--help").out
    both = helo_command("data", "check", "classify", colours / "data.tsv", "--several", ",", "--multilabel", ",")
    assert both.code == 2
    assert "--several" in both.err
    assert "--multilabel" in both.err
    checked = helo_command("data", "check", "classify", colours / "data.tsv", "--several", ",", "--json")
    assert checked.code == 0, checked.err


def test_a_run_with_the_old_name_is_read_and_goes_on(colours, tmp_path):
    run = copied(colours / "run", tmp_path / "run")
    about = json.loads((run / "run.json").read_text())
    about["options"]["several"] = about["options"].pop("multilabel")
    (run / "run.json").write_text(json.dumps(about))
    jsonschema.validate(about, folder.schema())
    text = ["big red", "big"]
    assert helo.load(run).predict(text) == helo.load(colours / "run").predict(text)
    further = helo.train("classify", colours / "data.tsv", out=run, resume=True, several=",", steps=6)
    assert further.about["steps"] == 6
    assert further.about["options"]["multilabel"] == ","


def test_numpy_numbers_are_numbers():
    built = options.build(Options, {"rate": np.float32(0.5), "steps": np.int64(3)})
    assert (built.rate, built.steps, type(built.steps)) == (0.5, 3, int)
    with pytest.raises(HeloError, match="--steps"):
        options.build(Options, {"steps": True})


def test_a_text_with_a_nul_names_its_flag(colours):
    with pytest.raises(HeloError, match="--vectors"):
        helo.train("classify", colours / "data.tsv", vectors="a\0b", steps=1)


@pytest.mark.parametrize("name", ["rate", "adam_rate"])
def test_a_rate_that_is_none_in_float32_is_refused(name):
    for value in (5e-324, 1e-40, 0):
        with pytest.raises(HeloError, match="rate"):
            Options(**{name: value})
    Options(**{name: 1e-6})

"""The run folder: it is whole at any instant, it moves, what is damaged is named; and streams go on exactly."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="runs are made by training")

import itertools

import helo
from fixtures import copied, home, many, prose, text_file, train, trained
from helo.decoding.sampling import Choice
from helo.errors import HeloError
from helo.runs import Run, folder
from helo.runs.arrays import read_arrays, write_arrays
from helo.runs.run import _Row
from helo.runs.stream import _whole
from helo.training.report import Reporter

GREEDY = Choice(temperature=0)


def sample(run: Path | Run, length: int = 30) -> str:
    return helo.load(run if isinstance(run, Path) else run.path).sample("The ", length, temperature=0)


def joined(pieces, row: int = 0) -> str:
    return "".join(p[row] for p in pieces)


# What lies in it.


def test_files():
    run = trained()
    assert {p.name for p in run.iterdir()} == set(folder.NAMES) - {
        "loss.png",
        "tensorboard",
        *folder.PICTURES,
        *folder.PAGES,
    }
    assert [p.name for p in (run / "last").iterdir()] == ["state.safetensors"]
    for line in (run / "metrics.jsonl").read_text().splitlines():
        report = json.loads(line)
        assert set(report) == {
            "step", "epoch", "seconds", "loss", "valid", "rate", "norm", "clipped", "symbols_per_second", "norms", "sample"
        }  # fmt: skip
        assert report["norms"].keys() == {"embedding", "recurrent.0", "head"}


def test_schema():
    schema = folder.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for run in (trained(), trained(units="bytes"), trained(cell="rnn,nonlinearity=relu", layers=2)):
        about = json.loads((run / "run.json").read_text())
        jsonschema.validate(about, schema)
        assert about["format"] == folder.FORMAT == 1
        assert about["finished"] is True
        assert about["steps"] == 20
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(about | {"another": 1}, schema)


def test_about():
    about = helo.load(trained()).about
    assert about["task"] == "lm"
    assert about["cell"] == about["options"]["cell"] == "lstm"
    assert about["options"]["hidden"] == 16
    assert about["training"]["steps"] == 20
    vocabulary = len(set(prose(6000))) + 1
    per_gate = 16 * (8 + 16) + 16 + 16
    assert about["parameters"] == vocabulary * 8 + 4 * per_gate + vocabulary * 17
    assert about["data"]["symbols"] == {"train": 5400, "valid": 600}
    assert about["figures"]["symbols"] == 599


def test_page():
    """README.md says what it is and what to type next, and names no path of the machine."""
    page = (trained() / "README.md").read_text()
    for word in ("lstm", "prose-6000.txt", "bits_per_character", "helo sample", "10 %"):
        assert word in page
    assert str(home()) not in page


def test_shows_itself():
    run = helo.load(trained())
    nats = f"{run.figures['nats']:.4f}"
    assert repr(run).startswith(f"<Run {run.path}: lm, lstm, {run.about['parameters']:,} parameters")
    assert nats in repr(run)
    html = run._repr_html_()
    assert nats in html
    assert "<img" not in html
    assert html.count("<tr>") == html.count("</tr>") == 3 + len(run.figures)


def test_shows_its_loss_curve_and_escapes(tmp_path):
    run = copied(trained(), tmp_path / "a <b> & c")
    (run / "loss.png").write_bytes(b"PNG")
    html = helo.load(run)._repr_html_()
    assert "data:image/png;base64,UE5H" in html
    assert "<b>" not in html
    assert "a &lt;b&gt; &amp; c" in html


def test_no_figures_yet(tmp_path):
    run = copied(trained(), tmp_path / "run")
    edit(run, figures={})
    shown = repr(helo.load(run)), helo.load(run)._repr_html_()
    for name in helo.load(trained()).figures:
        assert not any(re.search(rf"\b{name}\b", text) for text in shown)
    assert "<table>" in shown[1]


# It moves.


def test_moved_and_from_another_working_folder(tmp_path, monkeypatch):
    """Trained where the text was a relative path, answered from elsewhere, the same."""
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    Path("novel.txt").write_text(prose(6000), encoding="utf-8")
    run = train("novel.txt", Path("run"))
    text, figures = sample(run), run.evaluate()
    assert figures["nats"] == pytest.approx(run.figures["nats"])
    assert text == sample(trained())
    shutil.move("run", tmp_path / "moved")
    monkeypatch.chdir("/")
    moved = helo.load(tmp_path / "moved")
    assert sample(moved) == text
    assert moved.evaluate() == figures


def test_a_cell_of_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "from dataclasses import dataclass\nfrom helo.cells import Cell\nfrom helo.cells.functions import namespace\n\n\n"
        "@dataclass(frozen=True)\nclass Mine(Cell):\n    speed: float = 0.5\n\n"
        "    def init(self, rng, inputs, hidden):\n        return {'w': rng.standard_normal((hidden, inputs)).astype('float32')}\n\n"
        "    def state(self, parameters, batch):\n        w = parameters['w']\n"
        "        return (namespace(w).zeros((batch, w.shape[0]), dtype=w.dtype, device=w.device),)\n\n"
        "    def step(self, parameters, state, x):\n"
        "        h = state[0] + self.speed * (namespace(x).tanh(x @ parameters['w'].T) - state[0])\n        return (h,), h\n"
    )
    run = train(text_file(), Path("run"), cell="mine.py:Mine,speed=0.25", steps=3)
    text = run.sample("The ", 30, temperature=0)
    monkeypatch.chdir("/")
    again = helo.load(tmp_path / "run", trust=True)
    assert again.task.model.cell.speed == 0.25
    assert again.sample("The ", 30, temperature=0) == text


def test_python_and_numbers_of_the_same_run():
    run = helo.load(str(trained()))
    assert run.sample("The ", 40, seed=3) == run.sample("The ", 40, seed=3)
    assert run.sample("The ", 40, seed=3) != run.sample("The ", 40, seed=4)
    assert len(run.sample("The ", 40, seed=3)) == 40
    assert run.sample("The ", 0) == ""


# What is damaged is named.


def edit(run: Path, leave_out: tuple[str, ...] = (), **changes) -> None:
    about = json.loads((run / "run.json").read_text()) | changes
    (run / "run.json").write_text(json.dumps({k: v for k, v in about.items() if k not in leave_out}))


def refused(run: Path) -> str:
    with pytest.raises(HeloError) as error:
        sample(run)
    assert "\n" not in str(error.value)
    return str(error.value)


CHANGES = {
    "half of it": lambda data: data[: len(data) // 2],
    "its end missing": lambda data: data[:-7],
    "nothing": lambda data: b"",
    "another kind": lambda data: b"\x89PNG\r\n\x1a\n" * 9,
    "a list": lambda data: b"[1, 2]",
    "an open brace": lambda data: b"{",
    "no file": None,
}


@pytest.mark.parametrize("file", ["run.json", "vocab.json", "weights.safetensors"])
@pytest.mark.parametrize("change", CHANGES)
def test_damaged(tmp_path, file, change):
    run = copied(trained(), tmp_path / "run")
    make = CHANGES[change]
    if make is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(make((run / file).read_bytes()))
    assert refused(run).startswith(f"{run / file}: ")


@pytest.mark.parametrize("key", folder.schema()["required"])
def test_run_json_without(tmp_path, key):
    run = copied(trained(), tmp_path / "run")
    edit(run, leave_out=(key,))
    said = refused(run)
    assert said.startswith(f"{run / 'run.json'}: ")
    assert key in said


@pytest.mark.parametrize(
    "change", [{"task": "ln"}, {"options": {"cell": "lstm", "colour": "red"}}, {"options": 3}], ids=str
)
def test_run_json_with(tmp_path, change):
    run = copied(trained(), tmp_path / "run")
    edit(run, **change)
    assert refused(run).startswith(f"{run / 'run.json'}: ")


def test_weights_of_another_run(tmp_path):
    run = copied(trained(), tmp_path / "run")
    shutil.copy(trained(layers=2) / "weights.safetensors", run)
    assert refused(run).startswith(f"{run / 'weights.safetensors'}: ")


def test_vocabulary_of_another_run(tmp_path):
    run = copied(trained(), tmp_path / "run")
    shutil.copy(trained(units="bytes") / "vocab.json", run)
    assert "vocab.json" in refused(run)


def test_what_is_not_needed_may_be_missing(tmp_path):
    run, text = copied(trained(), tmp_path / "run"), sample(trained())
    for name in ("metrics.jsonl", "README.md"):
        (run / name).unlink()
    shutil.rmtree(run / "last")
    assert sample(run) == text


def test_no_run(tmp_path):
    for path in (tmp_path / "nowhere", text_file()):
        with pytest.raises(HeloError) as error:
            helo.load(path)
        assert error.value.where == str(path)
        assert "run" in error.value.found
    with pytest.raises(HeloError) as error:
        helo.load(tmp_path)
    assert error.value.where == str(tmp_path / "run.json")


def test_no_weights_yet(tmp_path):
    run = copied(trained(), tmp_path / "run")
    (run / "weights.safetensors").unlink()
    edit(run, finished=False)
    said = refused(run)
    assert str(run) in said
    assert "weights" in said
    assert "--resume" in said


def test_newer_format(tmp_path):
    run = copied(trained(), tmp_path / "run")
    edit(run, format=999)
    with pytest.raises(HeloError) as error:
        helo.load(run)
    assert error.value.where == str(run / "run.json")
    assert "999" in error.value.found
    assert str(folder.FORMAT) in error.value.expected
    assert "pip install -U helo" in error.value.mend


@pytest.mark.parametrize("number", ["1", None, 1.5, [1]])
def test_format_that_is_no_number(tmp_path, number):
    run = copied(trained(), tmp_path / "run")
    edit(run, format=number)
    said = refused(run)
    assert said.startswith(f"{run / 'run.json'}: ")
    assert "format" in said


def test_older_runs_are_read(tmp_path):
    """What came later has a default: options that an older helo did not know, keys that are not required."""
    run, text = copied(trained(), tmp_path / "run"), sample(trained())
    options = json.loads((run / "run.json").read_text())["options"]
    later = [k for k in options if k not in ("hidden", "embedding", "chunk", "streams")]
    edit(
        run,
        ("steps", "seconds", "finished"),
        options={k: v for k, v in options.items() if k not in later},
        helo="0.0.1",
    )
    assert sample(run) == text
    assert helo.load(run).evaluate()["nats"] == pytest.approx(helo.load(trained()).figures["nats"])


def test_text_that_has_changed_since(tmp_path):
    text = tmp_path / "novel.txt"
    text.write_text(prose(3000), encoding="utf-8")
    run = train(text, tmp_path / "run", steps=2)
    text.write_text(prose(3000, 5), encoding="utf-8")
    with pytest.raises(HeloError) as error:
        run.evaluate()
    assert str(text) in str(error.value)
    assert run.evaluate([text])["symbols"] == 2999, "given as a file it is a text like any other"


# Saving.


class FullDisk:
    """Every operation that writes to a file system, of which the n-th fails: half written, where it writes."""

    def __init__(self, monkeypatch, n: int):
        self.n, self.count = n, 0
        for name in ("mkdir", "close", "fsync", "chmod", "replace", "unlink"):
            monkeypatch.setattr(os, name, self._failing(getattr(os, name)))
        opens, low = io.open, os.open
        writing = os.O_CREAT | os.O_WRONLY | os.O_RDWR
        monkeypatch.setattr(
            os, "open", lambda p, flags, *a, **k: (self._failing(low) if flags & writing else low)(p, flags, *a, **k)
        )
        monkeypatch.setattr(io, "open", lambda p, mode="r", *a, **k: self._opened(opens, p, mode, *a, **k))

    @property
    def failed(self) -> bool:
        return self.count >= self.n

    def _fails(self) -> bool:
        self.count += 1
        return self.count == self.n

    def _failing(self, operation):
        def tried(*args, **more):
            if self._fails():
                if operation.__name__ == "close":
                    operation(*args)  # closed all the same, as POSIX has it
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return operation(*args, **more)

        return tried

    def _opened(self, opens, path, mode, *args, **more):
        if not set(mode) & set("wax+"):
            return opens(path, mode, *args, **more)
        if self._fails():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file = opens(path, mode, *args, **more)
        write = file.write

        def half(data):
            if self._fails():
                write(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(data)

        file.write = half
        return file


def failing_one_by_one(monkeypatch, prepare, save, check, by: int = 1) -> int:
    """`save(prepare())` with its first file operation failing, then its second, … until it succeeds: how many it has.

    After each failure, which must be a HeloError, `check` is called with what `prepare` gave. by: try every so many.
    """
    for n in range(1, 500, by):
        thing = prepare(n)
        with monkeypatch.context() as patched:
            disk = FullDisk(patched, n)
            try:
                save(thing)
            except HeloError as error:
                assert os.strerror(errno.ENOSPC) in str(error), error
                assert disk.failed
        if not disk.failed:
            return n - 1
        check(thing, n)
    raise AssertionError("it never succeeds")


def whole(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("*")) if p.is_file()}


def test_saving_one_file(tmp_path, monkeypatch):
    """The old file or the new one, whole; and nothing beside it but where taking it away was what failed."""
    old, new = b"old", "new" * 1000
    saves = {
        "a.json": lambda path: folder.write_json(path, new),
        "a.safetensors": lambda path: write_arrays(path, {"a": np.zeros(99)}),
    }
    for name, save in saves.items():
        save(tmp_path / name)
        right = (tmp_path / name).read_bytes()

        def prepare(n, name=name):
            path = tmp_path / f"{n}" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(old)
            return path

        def check(path, n, right=right):
            assert path.read_bytes() in (old, right)

        assert failing_one_by_one(monkeypatch, prepare, save, check) >= 7
    left = [p for p in tmp_path.rglob("*") if p.is_file() and p.name not in saves]
    assert len(left) <= 2 * len(saves)


def test_saving_a_state(tmp_path, monkeypatch):
    run = helo.load(trained())
    stream = run.stream()
    stream.feed("The ")
    stream.save(tmp_path / "state")
    before = (tmp_path / "state").read_bytes()
    stream.feed("quick ")
    stream.save(tmp_path / "after")
    after = (tmp_path / "after").read_bytes()
    assert before != after

    def check(_, n):
        assert (tmp_path / "state").read_bytes() in (before, after)
        assert joined(run.stream(state=tmp_path / "state").write(5, GREEDY))

    failing_one_by_one(monkeypatch, lambda n: stream, lambda s: s.save(tmp_path / "state"), check)


def test_saving_a_training(tmp_path, monkeypatch):
    """A training goes on and its n-th file operation fails: the run loads each time, with the weights that it had or
    those that it has just found; and going on from there gives the weights that it would have had.
    """
    text = tmp_path / "text.txt"
    text.write_text(prose(900), encoding="utf-8")
    sizes = {"hidden": 4, "embedding": 4, "streams": 2, "chunk": 8, "steps": 5}

    class Stops(Reporter):
        def step(self, done, *figures):
            if done == 5:
                raise KeyboardInterrupt

    expected = whole(train(text, tmp_path / "unbroken", **sizes).path)
    with pytest.raises(KeyboardInterrupt):
        train(text, tmp_path / "stopped", reporter=Stops(), **sizes)
    had, has = (whole(tmp_path / "stopped")["weights.safetensors"], expected["weights.safetensors"])
    assert had != has

    def go_on(run):
        train(text, run, resume=True, **sizes)

    def check(run, n):
        assert whole(run)["weights.safetensors"] in (had, has)
        assert len(sample(run, 5)) == 5
        json.loads((run / "vocab.json").read_text())
        if n % 4 == 0:
            go_on(run)
            after = whole(run)
            for name in ("weights.safetensors", "vocab.json"):
                assert after[name] == expected[name]
            assert json.loads(after["run.json"])["finished"]
            assert after["metrics.jsonl"].count(b"\n") == expected["metrics.jsonl"].count(b"\n")

    count = failing_one_by_one(monkeypatch, lambda n: copied(tmp_path / "stopped", tmp_path / f"{n}"), go_on, check)
    assert count > 20


def test_starting_a_training(tmp_path, monkeypatch):
    """No bad start is in the way of a second one."""
    text = tmp_path / "text.txt"
    text.write_text(prose(900), encoding="utf-8")

    def start(run, **more):
        train(text, run, hidden=4, embedding=4, streams=2, chunk=8, steps=1, **more)

    def check(run, n):
        start(run, resume=True)
        sample(run, 5)

    assert failing_one_by_one(monkeypatch, lambda n: tmp_path / f"{n}", start, check, by=4) > 40


# Streams.

PROMPT = "The following"


@pytest.mark.parametrize("options", [{}, {"cell": "gru", "layers": 2}, {"cell": "mingru"}, {"units": "bytes"}], ids=str)
def test_in_pieces_as_in_one(options):
    run = helo.load(trained(**options))
    whole_one, pieces = run.stream(), run.stream()
    whole_one.feed(PROMPT)
    for piece in ("T", "", "he f", "ollowin", "g"):
        pieces.feed(piece)
    np.testing.assert_allclose(pieces.scores(), whole_one.scores(), rtol=1e-5, atol=1e-5)
    expected = joined(whole_one.write(40, GREEDY))
    assert joined(p for n in (1, 0, 17, 22) for p in pieces.write(n, GREEDY)) == expected
    assert run.sample(PROMPT, 40, temperature=0) == expected


def test_written_is_read():
    """A stream that wrote a text stands where one that was fed it stands."""
    run = helo.load(trained())
    wrote, read = run.stream(), run.stream()
    wrote.feed(PROMPT)
    text = joined(wrote.write(25, Choice(1.0), seed=1))
    read.feed(PROMPT + text)
    np.testing.assert_allclose(wrote.scores(), read.scores(), rtol=1e-5, atol=1e-5)


def test_stands_after_what_was_taken():
    run = helo.load(trained())
    stream, other = run.stream(), run.stream()
    writing = stream.write(50, GREEDY)
    taken = joined(next(writing) for _ in range(7))
    assert joined(other.write(7, GREEDY)) == taken
    np.testing.assert_array_equal(stream.scores(), other.scores())


def test_scores_do_not_go_on():
    stream = helo.load(trained()).stream()
    stream.feed(PROMPT)
    assert (stream.scores() == stream.scores()).all()


def test_scores_are_those_of_the_model():
    """The softmax of them, symbol by symbol, makes up the evaluation of that text."""
    run, text = helo.load(trained()), prose(60, 200)
    stream, nats = run.stream(), 0.0
    ids = run.task.encode(text)
    stream.feed(text[0])
    for symbol, character in zip(ids[1:], text[1:], strict=True):
        scores = stream.scores()[0].astype(np.float64)
        nats -= scores[symbol] - np.log(np.exp(scores).sum())
        stream.feed(character)
    file = home() / "sixty.txt"
    file.write_text(text, encoding="utf-8")
    assert run.evaluate([file])["nats"] == pytest.approx(nats / 59, rel=1e-5)


def test_fork():
    run = helo.load(trained())
    stream = run.stream()
    stream.feed(PROMPT)
    fork = stream.fork()
    fork.feed(" another way entirely")
    list(fork.write(10, Choice(1.0), seed=0))
    second = stream.fork()
    assert joined(second.write(20, GREEDY)) == joined(stream.write(20, GREEDY)) == run.sample(PROMPT, 20, temperature=0)


@pytest.mark.parametrize("options", [{}, {"cell": "gru", "layers": 2}, {"units": "bytes"}], ids=str)
def test_saved_and_loaded(tmp_path, options):
    run = helo.load(trained(**options))
    stream = run.stream(rows=3)
    stream.feed(PROMPT)
    list(stream.write(9, Choice(1.0), seed=2))
    stream.save(tmp_path / "state")
    assert (tmp_path / "state").stat().st_size < 10_000
    again = helo.load(trained(**options)).stream(state=tmp_path / "state")
    assert again.rows == 3
    for a, b in zip(stream.state, again.state, strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.dtype == y.dtype
            assert (x == y).all()
    one, two = list(stream.write(20, Choice(1.0), seed=5)), list(again.write(20, Choice(1.0), seed=5))
    assert one == two


def test_saved_at_the_beginning(tmp_path):
    run = helo.load(trained())
    run.stream().save(tmp_path / "state")
    again = run.stream(state=tmp_path / "state")
    assert joined(again.write(20, GREEDY)) == run.sample("", 20, temperature=0)
    fed = run.stream(state=tmp_path / "state")
    fed.feed(PROMPT)
    assert joined(fed.write(20, GREEDY)) == run.sample(PROMPT, 20, temperature=0)


def test_state_of_another_run(tmp_path):
    stream = helo.load(trained()).stream()
    stream.feed(PROMPT)
    stream.save(tmp_path / "state")
    other = helo.load(trained(seed=1))
    with pytest.raises(HeloError) as error:
        other.stream(state=tmp_path / "state")
    assert error.value.where == str(tmp_path / "state")
    assert "run" in error.value.found
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:-9])
    with pytest.raises(HeloError, match="damaged"):
        helo.load(trained()).stream(state=tmp_path / "state")
    with pytest.raises(HeloError) as error:
        other.stream(state=trained() / "weights.safetensors")
    assert error.value.where == str(trained() / "weights.safetensors")


def test_identity(tmp_path):
    """Of the weights alone, to the last bit."""
    run = copied(trained(), tmp_path / "run")
    assert helo.load(run).identity == helo.load(trained()).identity
    weights, _ = read_arrays(run / "weights.safetensors")
    weights["head.bias"][0] = np.nextafter(weights["head.bias"][0], np.float32(9))
    write_arrays(run / "weights.safetensors", weights)
    assert helo.load(run).identity != helo.load(trained()).identity


def test_alone_as_in_company():
    """Rows that went different ways go on, each, as a stream of its own would."""
    run = helo.load(trained())
    stream = run.stream(rows=4)
    stream.feed(PROMPT)
    wrote = list(stream.write(20, Choice(1.5, min_p=0), seed=0))
    went_on = list(stream.write(20, GREEDY))
    texts = [joined(wrote, row) for row in range(4)]
    assert len(set(texts)) == 4
    for row, text in enumerate(texts):
        assert joined(went_on, row) == run.sample(PROMPT + text, 20, temperature=0)


@pytest.mark.parametrize("units", ["characters", "bytes", "words", "subwords"])
def test_text_without_a_prompt(units):
    """It begins as after a line end, and what is never written is not written."""
    if units == "subwords":
        pytest.importorskip("tokenizers")
    run = helo.load(trained(units=units))
    assert run.task.vocab.decode([run.task.start]) == b"\n"
    text = run.sample("", 80, seed=0, temperature=5.0, min_p=0.0)
    assert text
    if units in ("characters", "words"):
        assert "\ufffd" not in text


def test_prompt_in_its_normal_form(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("un café à la crème. " * 60, encoding="utf-8")
    run = train(text, tmp_path / "run", steps=2)
    assert run.task.encode("cafe\u0301").tolist() == run.task.encode("café").tolist()
    assert len(run.task.encode("cafe\u0301")) == 4


@pytest.mark.parametrize("units", ["characters", "words"])
def test_prompt_that_the_model_does_not_know(units):
    run = helo.load(trained(units=units))
    for prompt, named in (("张", "'张'"), ("The \u0b85", "U+0B85"), ("The \udcff", "UTF-8"), ("\ud800", "UTF-8")):
        with pytest.raises(HeloError, match=re.escape(named)):
            run.sample(prompt, 5)


# Stop strings.


def until(text: str, stop: str) -> str:
    return text.split(stop)[0]


@given(st.text("ab", max_size=14), st.text("ab", min_size=1, max_size=4), st.lists(st.integers(0, 14), max_size=5))
@example("aab", "ab", [1, 2])
@example("aaa", "aab", [])
@many(60)
def test_stop_over_pieces(text, stop, cuts):
    row, at = _Row([stop]), [0, *sorted(min(c, len(text)) for c in cuts), len(text)]
    shown = [row.take(text[a:b]) for a, b in itertools.pairwise(at)]
    assert "".join(shown) + row.rest() == until(text, stop)
    assert row.ended == (stop in text)


def test_stop():
    run = helo.load(trained())
    text = run.sample(PROMPT, 60, temperature=0)
    stop = text[20:23]
    assert run.sample(PROMPT, 60, temperature=0, stop=[stop]) == until(text, stop)
    assert run.sample(PROMPT, 60, temperature=0, stop=[stop, "~~", ""]) == until(text, stop)
    assert run.sample(PROMPT, 60, temperature=0, stop=["~~~"]) == text
    # What might be the beginning of one at the very end is text after all.
    assert run.sample(PROMPT, 60, temperature=0, stop=[text[-1] + "~"]) == text


def test_stop_of_two_the_first():
    row = _Row(["xyz", "b"])
    assert [row.take(c) for c in "axbxyz"] == ["a", "", "x", "", "", ""]
    assert row.ended


def test_each_row_stops_by_itself():
    run = helo.load(trained())
    free = list(run.writing(PROMPT, 80, 0, [], run.stream(3), Choice(1.0)))
    stopped = list(run.writing(PROMPT, 80, 0, ["e"], run.stream(3), Choice(1.0)))
    texts = [joined(free, row) for row in range(3)]
    assert all("e" in t for t in texts)
    assert len({until(t, "e") for t in texts}) == 3
    assert [joined(stopped, row) for row in range(3)] == [until(t, "e") for t in texts]
    assert len(stopped) < len(free), "when all have ended nothing more is computed"


# Characters of several bytes.


@given(st.text(max_size=12), st.lists(st.integers(1, 5), max_size=12))
@example("aé漢👩", [1])
@many(40)
def test_whole_characters(text, cuts):
    data, left, seen = text.encode(), b"", ""
    while data:
        n = cuts.pop() if cuts else 1
        piece, left = _whole(left + data[:n])
        assert "\ufffd" not in piece.replace("\ufffd" * text.count("\ufffd"), "") or "\ufffd" in text
        seen, data = seen + piece, data[n:]
    assert seen == text
    assert left == b""


@given(st.binary(max_size=12))
@example(b"\xe6\xbca")
@example(b"\x80\x80\x80\x80\x80")
@example(b"\xf0\x9f\xff")
@example(b"\xff\xfe\xfd")
@many(40)
def test_what_is_not_utf8_does_not_hang(data):
    left, seen = b"", ""
    for b in data:
        piece, left = _whole(left + bytes([b]))
        seen += piece
        assert len(left) < 4
    assert seen + left.decode(errors="replace") == data.decode(errors="replace")


@pytest.fixture(scope="module")
def bytes_run() -> Run:
    text = home() / "world.txt"
    text.write_text("漢字 и 👩 é. " * 120, encoding="utf-8")
    return train(text, home() / "run-of-bytes", units="bytes", hidden=32, steps=200, dropout=0.0)


def test_characters_of_several_bytes(bytes_run):
    stream = bytes_run.stream()
    stream.feed("漢")
    pieces = [p[0] for p in stream.write(60, GREEDY)]
    text = "".join(pieces)
    assert any(c in text for c in "字и👩é")
    assert "\ufffd" not in text
    assert pieces.count("") >= 20, "a piece is empty while a character is not whole"


def test_saved_inside_a_character(bytes_run, tmp_path):
    whole_one = bytes_run.sample("漢", 40, temperature=0)
    for n in range(1, 9):
        stream = bytes_run.stream()
        stream.feed("漢")
        first = joined(stream.write(n, GREEDY))
        stream.save(tmp_path / "state")
        again = bytes_run.stream(state=tmp_path / "state")
        forked = again.fork()
        assert first + joined(again.write(40 - n, GREEDY)) == whole_one
        assert first + joined(forked.write(40 - n, GREEDY)) == whole_one


def test_fed_inside_a_character(bytes_run):
    """What is fed begins a character of its own; the one that was not whole is given up."""
    stream = bytes_run.stream()
    stream._bytes = ["漢".encode()[:2]]
    stream.feed("é. ")
    assert joined(stream.write(20, GREEDY)) == bytes_run.sample("é. ", 20, temperature=0)

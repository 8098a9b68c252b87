"""Data that a person gives in Python, in place of files."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import numpy as np
import pytest

import helo
from helo.data.dataset import Dataset
from helo.data.readers import given
from helo.errors import HeloError
from helo.runs import folder
from helo.training import Reporter, loggers, report

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

COUNT = 40
RNG = np.random.default_rng(0)
LABELS = ["yes" if i % 3 == 1 else "no" for i in range(COUNT)]
FRAME = pd.DataFrame(
    {"a": [(y == "yes") * 4 + RNG.normal() for y in LABELS], "b": RNG.normal(size=COUNT), "label": LABELS}
)
SERIES = RNG.normal(size=(COUNT, 9, 2)) + np.array([3.0 * (y == "yes") for y in LABELS])[:, None, None]
TEXTS = ["a good film" if y == "yes" else "a bad one" for y in LABELS]


def train(tmp_path, task, data, **more):
    return helo.train(task, data, out=tmp_path / "run", quiet=True, **{"steps": 12, "hidden": 8, **more})


def same(one, other) -> None:
    assert json.dumps(one) == json.dumps(other)


def test_a_frame_trains_the_model_that_its_file_trains(tmp_path):
    file = tmp_path / "t.csv"
    FRAME.to_csv(file, index=False)
    by_file = helo.train("classify", file, out=tmp_path / "file", quiet=True, steps=12, hidden=8)
    forms = {
        "pandas": FRAME, "polars": pl.from_dicts(FRAME.to_dict("records")), "lazy": pl.from_dicts(FRAME.to_dict("records")).lazy(),
        "columns": {n: FRAME[n].to_numpy() for n in FRAME}, "rows": FRAME.to_dict("records"), "X, y": (FRAME[["a", "b"]], FRAME["label"]),
        "iterator": (row for row in FRAME.to_dict("records")),
    }  # fmt: skip
    for name, data in forms.items():
        run = helo.train("classify", data, out=tmp_path / name, quiet=True, steps=12, hidden=8)
        assert run.identity == by_file.identity, name
        assert run.about["data"]["train"] == []
    run = helo.load(tmp_path / "pandas")
    assert run.about["data"]["fingerprint"] == helo.load(tmp_path / "rows").about["data"]["fingerprint"]
    same(run.predict(FRAME[["b", "a"]]), by_file.predict(FRAME))
    same(run.predict(FRAME.to_dict("records")), by_file.predict(by_file.examples(file)))
    same(run.predict(iter(FRAME.to_dict("records"))), by_file.predict({"b": FRAME["b"], "a": FRAME["a"]}))
    same(run.evaluate(FRAME), by_file.evaluate(file))
    same(run.evaluate((FRAME[["b", "a"]], LABELS)), by_file.evaluate([file]))


def test_pyarrow_tables(tmp_path):
    pa = pytest.importorskip("pyarrow")
    run = train(tmp_path, "classify", pa.Table.from_pandas(FRAME, preserve_index=False))
    same(run.evaluate(FRAME), run.evaluate(pa.Table.from_pandas(FRAME, preserve_index=False)))
    with pytest.raises(HeloError, match="'a'.*twice"):
        run.predict(pa.table([[1.0], [2.0]], names=["a", "a"]))


@pytest.mark.parametrize(
    "task, data, more, asked",
    [
        ("classify", (SERIES, LABELS), {}, SERIES[:2]),
        ("classify", (list(SERIES), np.array(LABELS)), {}, list(SERIES[:2])),
        ("classify", [(x[: 4 + i % 5], i % 2) for i, x in enumerate(SERIES)], {}, [SERIES[0][:5]]),
        ("classify", (TEXTS, pd.Series(LABELS)), {}, TEXTS[:2]),
        ("classify", (TEXTS, [[y, "film"] for y in LABELS]), {}, pd.Series(TEXTS[:2])),
        ("classify", (SERIES[:, 0], [float(y == "yes") for y in LABELS]), {}, SERIES[:2, 0]),
        ("classify", ((SERIES[:, :8, :, None] > 0).astype(np.uint8).repeat(4, 2), LABELS), {}, None),
        ("tag", ([["the", "cat", "runs"], ["a", "dog"]] * 10, [["D", "N", "V"], ["D", "N"]] * 10), {}, [["the", "dog"]]),
        ("tag", [(x, ["up" if v > 1 else "down" for v in x[:, 0]]) for x in SERIES], {}, [SERIES[0]]),
        ("translate", [("one two", "eins zwei"), ("two one", "zwei eins")] * 10, {}, ["one"]),
    ],
    ids=["array", "arrays", "pairs", "texts", "several labels", "vectors", "pictures", "words", "frames", "translations"],
)  # fmt: skip
def test_arrays_and_lists(tmp_path, task, data, more, asked):
    run = train(tmp_path, task, iter(data) if isinstance(data, list) else data, **more)
    found = run.evaluate(data)
    assert any(isinstance(v, float) for v in found.values())
    same(found, run.evaluate(iter(data) if isinstance(data, list) else data))
    if asked is not None:
        assert len(run.predict(asked)) == len(asked)
    assert run.report(tmp_path / "report", data)


def test_labels_are_those_of_files(tmp_path):
    holes = FRAME.assign(label=[float(y == "yes") for y in LABELS])
    assert train(tmp_path, "classify", holes).task.labels == ["0", "1"]


def test_running_text(tmp_path):
    text = ["the quick brown fox jumps over the lazy dog"] * 120
    (tmp_path / "t.txt").write_text("\n".join([*text, ""]))
    by_file = helo.train("lm", tmp_path / "t.txt", out=tmp_path / "file", quiet=True, steps=5, hidden=8)
    run = train(tmp_path, "lm", {"text": text}, steps=5)
    assert run.identity == by_file.identity
    assert run.about["data"]["fingerprint"] == by_file.about["data"]["fingerprint"]
    same(
        run.evaluate(pd.DataFrame({"number": range(3), "text": text[:3]})),
        run.evaluate([{"text": t} for t in text[:3]]),
    )
    same(run.evaluate(tmp_path / "t.txt"), run.evaluate({"anything": text}))
    with pytest.raises(HeloError, match='"text"'):
        train(tmp_path, "lm", ["once\nupon", "a time"])


def test_a_run_knows_that_its_data_came_from_python(tmp_path):
    run = train(tmp_path, "classify", FRAME)
    config = (run.path / "config.toml").read_text()
    assert "files" not in config
    assert "Python" in (run.path / "README.md").read_text()
    for words in (["eval"], ["train", "classify", "--resume", "--out"]):
        done = subprocess.run(
            [sys.executable, "-m", "helo", *words, str(run.path)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == (0 if words[0] == "train" else 2), done.stderr  # it is finished
        assert "Python" in done.stderr or words[0] == "train"
    for call in (
        run.evaluate,
        lambda: run.report(tmp_path / "report"),
        lambda: train(tmp_path, "classify", [], resume=True, steps=20),
    ):
        with pytest.raises(HeloError, match="Python") as error:
            call()
        assert str(run.path) in str(error.value)
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads((run.path / "run.json").read_text()), folder.schema())
    again = helo.train("classify", config=run.path / "config.toml", files=FRAME, out=tmp_path / "again", quiet=True)
    assert again.identity == run.identity


def test_the_same_data_goes_on_and_other_data_does_not(tmp_path):
    run = train(tmp_path, "classify", FRAME, valid=FRAME[:10])
    assert run.about["data"]["valid"] == []
    with pytest.raises(HeloError, match="changed"):
        train(tmp_path, "classify", FRAME[::-1], valid=FRAME[:10], resume=True, steps=16)
    with pytest.raises(HeloError, match="Python"):
        train(tmp_path, "classify", FRAME, resume=True, steps=16)
    assert (
        train(tmp_path, "classify", FRAME.to_dict("records"), valid=FRAME[:10], resume=True, steps=16).about["steps"]
        == 16
    )
    file = tmp_path / "v.csv"
    FRAME.to_csv(file, index=False)
    mixed = helo.train("classify", FRAME, valid=file, out=tmp_path / "mixed", quiet=True, steps=3, hidden=8)
    assert mixed.evaluate() == mixed.evaluate(file)


def test_a_folder_is_named_after_the_task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = helo.train("classify", FRAME, quiet=True, steps=2, hidden=8)
    assert run.path.name == "classify"


@pytest.mark.parametrize(
    "asked, named",
    [
        (FRAME[["a", "label"]], ["'b'"]),
        (FRAME.assign(a=[*["1"] * 17, "x", *["2"] * (COUNT - 18)]), ["row 17", "'x'", "'a'"]),
        (pd.concat([FRAME, FRAME], axis=1), ["'a'", "twice"]),
        (FRAME[:0], ["DataFrame", "0 rows"]),
        (pd.DataFrame(), ["DataFrame", "0 columns"]),
        (FRAME.rename(columns={"a": ""}), ["without a name"]),
        ({"a": [1.0], "b": [1.0, 2.0]}, ["1 in 'a'", "2 in 'b'"]),
        ({"a": 1.0, "b": 2.0}, ["'a'", "list"]),
        ([{}], ["0 columns"]),
        ((FRAME[["a", "b"]], LABELS[:3]), [str(COUNT), "3 labels"]),
        ((FRAME, LABELS), ["'label'"]),
        (FRAME.assign(label=["maybe", *LABELS[1:]]), ["row 0", "'maybe'"]),
        ((SERIES, LABELS[:3]), [str(COUNT), "3 labels"]),
        ((SERIES, LABELS), ["9"]),
        (SERIES, ["no labels", "(inputs, labels)"]),
        ((TEXTS, LABELS), ["text"]),
        (([SERIES[0], SERIES[1, :, 0]], ["yes", "no"]), ["(9,)"]),
        (([SERIES[0, :3, 0], SERIES[1, :, 0]], ["yes", "no"]), ["(3,)"]),
        (([["x", 1]], ["yes"]), ["text"]),
        (([], []), ["no examples"]),
        (object(), ["object"]),
        (7, ["7"]),
    ],
)  # fmt: skip
def test_other_data_than_that_of_training_is_refused_in_one_line(tmp_path_factory, asked, named):
    global _run
    _run = _run or train(tmp_path_factory.mktemp("refused"), "classify", FRAME)
    with pytest.raises(HeloError) as error:
        _run.evaluate(asked)
    assert "\n" not in str(error.value)
    for word in named:
        assert word in str(error.value)


_run: helo.Run | None = None


@pytest.mark.parametrize("data", [FRAME[["a", "b"]], FRAME[:0], pd.concat([FRAME, FRAME], axis=1), SERIES, (SERIES, [None] * COUNT),
                                  (np.full((4, 3), np.nan), ["a", "b"] * 2), ([[]], ["a"]), [], {}, (["a\ud800", "b"] * 4, ["x", "y"] * 4),
                                  (["a", " "] * 4, ["x", "y"] * 4), (["a", "b"] * 4, ["x", {}] * 4), (["a", "b"] * 4, ["x\ud800", "y"] * 4),
                                  (["a\0", "b"] * 4, ["x", "y"] * 4), (np.array(3), np.array(3))], ids=range(15))  # fmt: skip
def test_what_no_model_comes_of_is_refused_and_leaves_nothing(tmp_path, data):
    with pytest.raises(HeloError):
        train(tmp_path, "classify", data)
    assert not (tmp_path / "run").exists()
    with pytest.raises(HeloError):
        train(tmp_path, "caption", (SERIES, LABELS))


HALVES = [0, 1] * 6


@pytest.mark.parametrize(
    "task, x, y",
    [
        *((task, x, HALVES) for task in ("classify", "regress") for x in (
            np.zeros((12, 0, 2)), np.zeros((12, 6, 0)), np.zeros((12, 0)), np.zeros((12, 0, 5), np.uint8), [np.zeros((3, 0))] * 12,
            [np.zeros((3, 0), np.uint8)] * 12, [np.zeros((3, 2)), np.zeros((4, 3))] * 6,
        )),
        ("tag", [np.zeros((3, 2)), np.zeros((4, 3))] * 6, [[1, 0, 1], [1, 0, 1, 0]] * 6),
        ("tag", [np.zeros((3, 0))] * 12, [[1, 0, 1]] * 12),
        ("tag", [["a", "b"]] * 12, [[]] * 12),
    ],
)  # fmt: skip
def test_empty_arrays_and_other_channels_are_refused(tmp_path, task, x, y):
    with pytest.raises(HeloError):
        train(tmp_path, task, (x, y))


def test_what_was_settled_is_settled():
    for source in ("a.csv", ["a.csv", "b.csv"], ("a.csv", "b.csv"), FRAME, [FRAME, FRAME], (SERIES, LABELS), ()):
        once = given.settled(source)
        assert given.settled(once) == once
    assert given.settled(("a.csv", "b.csv")) == ["a.csv", "b.csv"]
    assert len(given.settled((FRAME, FRAME))) == 2


def test_a_fingerprint_is_of_the_content():
    def of(inputs, labels=None):
        return given.fingerprint(Dataset("frames", inputs, labels, lambda i, *step: ""))

    assert of(SERIES) == of(list(SERIES.copy())) != of(SERIES.astype(np.float32))
    assert len({of(["ab", "c"]), of(["a", "bc"]), of(["abc"]), of(["ab"], ["c"]), of([], ["ab", "c"])}) == 5


# Who is told of a training


class Kept(Reporter):
    def __init__(self):
        self.begun, self.reports, self.steps, self.closed = [], [], 0, 0

    def begin(self, path):
        self.begun.append(path)

    def report(self, report):
        self.reports.append(report)

    def step(self, done, total, loss, speed, left):
        self.steps += 1

    def close(self):
        self.closed += 1


def test_reporters_are_told_and_quiet_is_quiet(tmp_path, capsys):
    one, two = Kept(), Kept()
    run = train(tmp_path, "classify", FRAME, reporter=[one, two])
    assert capsys.readouterr() == ("", "")
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    for kept in (one, two):
        assert (kept.begun, kept.steps, kept.closed) == ([run.path], 12, 1)
        assert kept.reports == lines
    helo.train("classify", FRAME, out=tmp_path / "seen", steps=2, hidden=8, reporter=one)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err
    assert one.closed == 2


@pytest.fixture
def packages(monkeypatch):
    """What the loggers' packages were told, in their place."""
    told = []

    def told_of(name):
        return lambda *args, **more: told.append((name, args, more)) or run

    run = types.SimpleNamespace(log=told_of("log"), finish=told_of("finish"))
    fakes = {
        "wandb": {"init": told_of("init")},
        "mlflow": {n: told_of(n) for n in ("start_run", "log_params", "log_metrics", "end_run")},
    }
    for name, members in fakes.items():
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**members))
    return told


def test_loggers_get_the_options_and_every_report(tmp_path, packages):
    run = train(
        tmp_path, "classify", FRAME, reporter=[loggers.WeightsAndBiases(project="mine"), loggers.MLflow()], steps=30
    )
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    told = {name: [(args, more) for n, args, more in packages if n == name] for name, *_ in packages}
    assert told["init"][0][1]["project"] == "mine"
    assert told["init"][0][1]["config"]["hidden"] == told["log_params"][0][0][0]["hidden"] == 8
    for name in ("log", "log_metrics"):
        assert [more["step"] for _, more in told[name]] == [r["step"] for r in lines]
        assert [args[0]["valid"] for args, _ in told[name]] == [r["valid"] for r in lines]
    assert [len(told[n]) for n in ("init", "start_run", "finish", "end_run")] == [1, 1, 1, 1]


def test_tensorboard_has_one_writer(tmp_path, monkeypatch):
    made = []

    class Writer:
        def __init__(self, place):
            made.append((place, []))

        def add_scalar(self, name, value, step):
            made[-1][1].append((name, step))

        def flush(self):
            pass

        def close(self):
            made[-1][1].append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.ModuleType("torch.utils.tensorboard"))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", types.SimpleNamespace(SummaryWriter=Writer))
    run = train(tmp_path, "classify", FRAME, tensorboard=True, steps=30)
    ((place, told),) = made
    assert place == str(run.path / "tensorboard")
    assert told[-1] == "closed"
    assert told.count(("valid", 30)) == 1


@pytest.mark.parametrize("name", ["TensorBoard", "WeightsAndBiases", "MLflow"])
def test_a_logger_whose_package_is_missing_says_what_to_install(name, monkeypatch):
    kind = getattr(loggers, name)
    for module in ("torch.utils.tensorboard.writer", "wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(HeloError, match=rf"pip install 'helo\[{kind.package}\]'"):
        kind()


def test_a_notebook_gets_a_bar_where_it_has_widgets(monkeypatch):
    kernel = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))
    for there, kind in ((None, report.Plain), (object(), report.Live)):
        monkeypatch.setattr(report, "find_spec", lambda name, there=there: there)
        assert type(report.reporter(False)) is kind
    assert type(report.reporter(True)) is Reporter
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert not report.notebook()

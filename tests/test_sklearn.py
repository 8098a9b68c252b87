"""Estimators: held to scikit-learn's own checks, and to what its tools do with them."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import helo
from helo import tasks, training

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from helo.sklearn import SequenceClassifier, SequenceRegressor, SequenceTagger
from helo.sklearn.base import NO_PART
from helo.training import Options

SMALL = {"epochs": 4, "hidden": 8, "random_state": 0}
# Of scikit-learn's checks those that do not hold, and why.
EXCEPTIONS = {
    "check_sample_weight_equivalence_on_dense_data": "batches, noise and the held-out tenth are drawn by the place of an example: "
    "one with the weight 2 is another training than the same example twice",
}


def series(count: int = 60):
    """Series of two channels, whose first tells up from down."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, 12, 2)).astype(np.float32)
    up = np.arange(count) % 2 == 0
    x[up, :, 0] += 1.5
    return x, np.where(up, "up", "down")


TEXTS = ["a good film", "what a bad one", "good good good", "really bad"] * 10
SENTIMENT = ["pos", "neg"] * 20
WORDS = [["the", "cat", "runs"], ["Anna", "Smith", "sees", "Bob"]] * 20
SPANS = [["O", "O", "O"], ["B-PER", "I-PER", "O", "B-PER"]] * 20


@pytest.mark.slow
@parametrize_with_checks(
    [
        SequenceClassifier(epochs=20, hidden=16, random_state=0),
        SequenceRegressor(epochs=60, hidden=16, random_state=0),
    ],
    expected_failed_checks=lambda estimator: EXCEPTIONS,
    xfail_strict=True,
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor, SequenceTagger])
def test_parameters_are_the_options_of_the_task_and_of_the_training(kind):
    params = kind().get_params()
    own, recipe = tasks.find(kind.task).Options, tasks.find(kind.task).recipe.options
    defaults = {f: getattr(own(), f) for f in inspect.signature(own).parameters} | vars(Options()) | dict(recipe)
    defaults = {name: value for name, value in defaults.items() if name not in NO_PART}
    assert params == defaults | {"random_state": None, "warm_start": False, "verbose": False}
    assert all(f"{name} : " in (kind.__doc__ or "") for name in params)
    with pytest.raises(TypeError, match="hiden"):
        kind(hiden=3)
    assert clone(kind(hidden=3)).get_params() == kind(hidden=3).get_params()


def test_pipelines_searches_and_calibration():
    x, y = series()
    small = SequenceClassifier(**SMALL)
    search = GridSearchCV(small, {"hidden": [4, 8]}, cv=2).fit(x, y)
    assert search.best_params_["hidden"] in (4, 8)
    assert cross_val_score(SequenceClassifier(epochs=20, hidden=16, random_state=0), x, y, cv=2).min() > 0.8
    assert CalibratedClassifierCV(small, cv=2).fit(x, y).predict_proba(x).shape == (60, 2)
    rows = x.reshape(60, -1)
    pipeline = make_pipeline(StandardScaler(), clone(small).set_params(epochs=40)).fit(rows, y)
    assert pipeline.score(rows, y) > 0.7


@pytest.mark.parametrize(
    "X",
    [TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object), pd.Series(TEXTS, index=range(5, 45)), pd.DataFrame({"text": TEXTS})],
    ids=["list", "tuple", "array", "objects", "Series", "DataFrame"],
)  # fmt: skip
def test_texts_come_in_any_form(X):
    model = SequenceClassifier(**SMALL | {"epochs": 12}).fit(X, SENTIMENT)
    assert list(model.predict(X)) == SENTIMENT
    assert model.predict_proba(X[:3]).shape == (3, 2)


def test_ragged_series_rows_and_pictures():
    rng, y = np.random.default_rng(0), ["a", "b", "c"] * 10
    ragged = [rng.standard_normal((int(n), 2)) for n in rng.integers(2, 9, 30)]
    objects = np.empty(30, object)
    objects[:] = ragged
    model = SequenceClassifier(**SMALL).fit(ragged, y)
    assert (model.predict_proba(objects) == model.predict_proba(ragged)).all()
    assert cross_val_score(clone(model), ragged, y, cv=2).shape == (2,)
    frame = pd.DataFrame({"length": rng.random(30), "kind": ["u", "v", None] * 10, "some": [1.0, np.nan] * 15})
    model = SequenceClassifier(**SMALL).fit(frame, y)
    assert list(model.feature_names_in_) == list(frame.columns)
    assert model.predict(frame[:4]).shape == (4,)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["kind", "length", "some"]])
    pictures = rng.integers(0, 255, (30, 6, 6), dtype=np.uint8)
    assert SequenceClassifier(**SMALL).fit(pictures, y).predict(pictures[:2]).shape == (2,)


@pytest.mark.parametrize(
    "classes", [[1.0, 2.0], [True, False], [" a", "a "], ["", "b"], [3, -1], [10, 9]], ids=lambda c: repr(c)
)
def test_classes_stay_what_they_are(classes):
    x, up = series()
    y = np.array(classes)[(up == "up").astype(int)]
    model = SequenceClassifier(**SMALL | {"epochs": 12}).fit(x, y)
    assert model.classes_.tolist() == sorted(classes)
    assert model.predict(x).dtype == y.dtype
    assert model.score(x, y) > 0.8


def test_several_labels_an_example():
    x, _ = series(80)
    y = np.stack([x[:, :, 0].mean(1) > 0.7, x[:, :, 1].mean(1) > 0, np.zeros(80)], 1).astype(int)
    model = SequenceClassifier(epochs=30, hidden=16, random_state=0).fit(x, y)
    p = model.predict_proba(x)
    assert p.shape == (80, 3)
    assert (p[:, 2] == 0).all()
    assert ((p >= 0.5) == model.predict(x)).all()
    assert (model.predict(x)[:, 0] == y[:, 0]).mean() > 0.8


def test_the_same_answers_as_the_command_line(tmp_path):
    x, y = series()
    np.savez(tmp_path / "x.npz", x=x, y=y)
    run = helo.train("classify", tmp_path / "x.npz", out=tmp_path / "run", epochs=4, hidden=8, seed=3, quiet=True)
    model = SequenceClassifier(epochs=4, hidden=8, random_state=3).fit(x, y)
    answers = [[one["probabilities"][c] for c in model.classes_] for one in run.predict(x)]
    assert np.allclose(model.predict_proba(x), answers, atol=1e-6)
    assert model.run_.figures == run.figures
    assert model.save_run(tmp_path / "saved").predict(x) == run.predict(x)
    with pytest.raises(ValueError, match="saved"):
        model.save_run(tmp_path / "saved")


NUMPY_ALONE = """
import pickle, sys
class No:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "matplotlib"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, No())
model, x, p = pickle.load(open(sys.argv[1], "rb"))
assert (model.predict_proba(x) == p).all()
"""


def test_a_pickle_answers_with_numpy_alone(tmp_path):
    x, y = series()
    model = SequenceClassifier(**SMALL).fit(x, y)
    with (tmp_path / "all.pickle").open("wb") as file:
        pickle.dump((model, x, model.predict_proba(x)), file)
    words = [sys.executable, "-c", NUMPY_ALONE, str(tmp_path / "all.pickle")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_warm_start_goes_on_and_eval_set_is_validated_on():
    x, y = series()
    model = SequenceClassifier(**SMALL, warm_start=True).fit(x, y, eval_set=(x[:20], y[:20]))
    assert model.run_.about["data"]["examples"] == {"train": 60, "valid": 20}
    before, rate = model.run_.parameters, model.run_.about["training"]["rate"]
    model.fit(x, y)
    after = model.run_.parameters
    assert model.run_.about["training"]["rate"] == rate / 10
    assert 0 < max(abs(before[k] - after[k]).max() for k in before) < 0.1
    with pytest.raises(ValueError, match="sideways"):
        clone(model).fit(x, y, eval_set=[(x[:2], ["up", "sideways"])])


@pytest.mark.parametrize("table", [False, True], ids=["array", "DataFrame"])
def test_sample_weights_decide_between_examples_that_contradict_each_other(table):
    x = np.tile(np.random.default_rng(0).standard_normal((20, 3)), (2, 1))
    y, weights = np.repeat([0, 1], 20), np.repeat([1.0, 9.0], 20)
    X = pd.DataFrame(x, columns=list("abc")) if table else x
    for w, right in ((weights, 0.9), (weights[::-1], 0.1)):
        p = SequenceClassifier(epochs=40, hidden=8, random_state=0, dropout=0.0).fit(X, y, w).predict_proba(X)[:, 1]
        assert abs(p.mean() - right) < 0.08
    number = SequenceRegressor(epochs=40, hidden=8, random_state=0, dropout=0.0, distribution="normal").fit(
        X, y, weights
    )
    assert number.predict(X).mean() > 0.75
    some = SequenceClassifier(**SMALL).fit(X, y, np.repeat([1, 0, 1], [10, 10, 20]))
    assert sum(some.run_.about["data"]["examples"].values()) == 30


def test_numbers_and_their_quantiles():
    x, _ = series(100)
    y = 100 + 10 * x[:, :, 0].mean(1)
    model = SequenceRegressor(epochs=40, hidden=16, random_state=0).fit(x, y)
    assert model.score(x, y) > 0.8
    q = model.predict_quantiles(x, [0.05, 0.1, 0.5, 0.9])
    assert q.shape == (100, 4)
    assert (np.diff(q) > 0).all()
    both = np.stack([y, -y], 1)
    model = SequenceRegressor(**SMALL).fit(pd.DataFrame(x[:, 0], columns=["a", "b"]), both)
    assert model.predict(pd.DataFrame(x[:, 0], columns=["a", "b"])).shape == (100, 2)
    for wrong in ([0], [1.5], []):
        with pytest.raises(ValueError, match="quantiles"):
            model.predict_quantiles(x, wrong)


@pytest.mark.parametrize("crf", [False, True])
def test_a_label_for_each_word(crf):
    model = SequenceTagger(**SMALL | {"epochs": 30}, crf=crf).fit(WORDS, SPANS)
    assert model.predict(WORDS) == SPANS
    assert model.score(WORDS, SPANS) == 1
    assert list(model.classes_) == ["B-PER", "I-PER", "O"]
    p = model.predict_proba(WORDS)
    assert [len(one) for one in p] == [len(w) for w in WORDS]
    assert np.allclose(np.concatenate(p).sum(1), 1)
    best = [[str(model.classes_[k]) for k in one.argmax(1)] for one in p]
    assert crf or best == SPANS  # with a CRF the best path is not that of the best labels
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(WORDS) == SPANS
    assert cross_val_score(clone(model), WORDS, SPANS, cv=2).min() > 0.5


def test_a_label_for_each_frame():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 10, 3))
    y = (x[:, :, 0] > 0).astype(int)
    model = SequenceTagger(epochs=20, hidden=16, random_state=0).fit(x, y, eval_set=(x[:5], y[:5]))
    assert model.classes_.tolist() == [0, 1]
    assert model.score(list(x), y.tolist()) > 0.7
    assert set(model.predict(x[:1])[0]) <= {0, 1}


@pytest.mark.parametrize("y", [None, SPANS[:3], ["O"] * 40, [["O"]] * 40], ids=["none", "few", "flat", "short"])
def test_labels_that_do_not_fit_the_words(y):
    with pytest.raises(ValueError):
        SequenceTagger(**SMALL).fit(WORDS, y)


def test_bad_input_is_a_value_error_of_one_line():
    x, y = series(20)
    for X, labels in (
        (x, ["up"] * 20),
        (x, y[:3]),
        (x, None),
        ([], []),
        (["", "a"] * 10, y),
        (x * np.inf, y),
        (x, np.linspace(0, 1, 20)),
    ):
        with np.errstate(invalid="ignore"), pytest.raises(ValueError) as error:
            SequenceClassifier(**SMALL).fit(X, labels)
        assert "\n" not in str(error.value) or not isinstance(error.value, helo.HeloError)
    for wrong in ({"hidden": 0}, {"cell": "lsmt"}, {"epochs": 1, "steps": 2}, {"random_state": -1}):
        with pytest.raises(ValueError):
            SequenceClassifier(**wrong).fit(x, y)
    for kind in (SequenceClassifier, SequenceRegressor, SequenceTagger):
        with pytest.raises(NotFittedError):
            kind().predict(x)
    with pytest.raises(ValueError, match="3"):
        SequenceClassifier(**SMALL).fit(x, y).predict(np.zeros((2, 5, 3)))
    for name in ("verbose", "warm_start"):
        with pytest.raises(ValueError, match=name):
            SequenceClassifier(**SMALL, **{name: np.ones(2)}).fit(x, y)


def test_a_folder_that_cannot_be_written_is_a_value_error(tmp_path):
    (tmp_path / "file").touch()
    x, y = series(20)
    with pytest.raises(ValueError, match="file"):
        SequenceClassifier(**SMALL).fit(x, y).save_run(tmp_path / "file" / "run")


def test_a_column_twice_is_a_value_error():
    frame = pytest.importorskip("pandas").DataFrame(np.zeros((20, 2)), columns=["a", "a"])
    with pytest.raises(ValueError, match="'a'"):
        SequenceClassifier(**SMALL).fit(frame, ["up", "down"] * 10)


def test_trainings_in_threads_are_those_one_after_the_other():
    joblib = pytest.importorskip("joblib")
    x, y = series(30)

    def answers(seed: int) -> np.ndarray:
        return SequenceClassifier(**SMALL | {"random_state": seed}, dropout=0.3).fit(x, y).predict_proba(x)

    found = joblib.Parallel(n_jobs=2, prefer="threads")(joblib.delayed(answers)(seed) for seed in (1, 2))
    assert all((a == b).all() for a, b in zip(found, map(answers, (1, 2)), strict=True))


def test_a_fit_that_fails_or_is_stopped_changes_nothing(monkeypatch):
    x, y = series()
    model = SequenceClassifier(**SMALL).fit(x, y)
    before = model.predict_proba(x)
    other = np.where(y == "up", "yes", "no")
    with pytest.raises(ValueError, match="shape"):
        model.fit(x[:, :0], other)
    with pytest.raises(ValueError, match="hidden"):
        model.set_params(hidden=-1).fit(x, other)
    model.set_params(hidden=8)

    def stop(*args, **words):
        raise training.Interrupted(Path("run"), 1)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", stop)
        with pytest.raises(KeyboardInterrupt, match="nothing of it is kept"):
            model.fit(x, other)
    assert set(model.classes_) == {"up", "down"}
    assert (model.predict_proba(x) == before).all()


def test_targets_of_a_table_keep_their_names(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "c"])
    y = pd.Series(frame["a"] * 2 + 1, name="price")
    frame.assign(price=y).to_csv(tmp_path / "table.csv", index=False)
    model = SequenceRegressor(**SMALL).fit(frame, y)
    run = model.save_run(tmp_path / "run")
    assert run.evaluate(tmp_path / "table.csv")["r2"] == pytest.approx(model.score(frame, y), abs=1e-5)
    two = SequenceRegressor(**SMALL).fit(
        frame, pd.DataFrame({"price": y, "tax": -y}), eval_set=(frame, pd.DataFrame({"price": y, "tax": -y}))
    )
    assert two.run_.task.names == ["price", "tax"]
    assert two.predict(frame).shape == (60, 2)
    again = SequenceRegressor(**SMALL, warm_start=True).fit(frame, y).fit(frame, y.rename("other"))
    assert again.run_.task.names == ["price"]
    for name in ("a", "text", "image", "video", 3):  # a column has it, or one of inputs
        assert SequenceRegressor(**SMALL).fit(frame, y.rename(name)).run_.task.options.target == ("label",)
    on = SequenceRegressor(**SMALL, warm_start=True).fit(frame, y)
    assert on.fit(frame.to_numpy(), y).predict(frame.to_numpy()).shape == (60,)
    label = SequenceClassifier(**SMALL).fit(frame, pd.Series(np.where(y > 0, "high", "low"), name="kind"))
    frame.assign(kind=np.where(y > 0, "high", "low")).to_csv(tmp_path / "kinds.csv", index=False)
    assert "accuracy" in label.save_run(tmp_path / "kinds").evaluate(tmp_path / "kinds.csv")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda m, x: m.predict(x[:0]), "X: 0 examples"), (lambda m, x: m.predict(x[:2, :0]), "shape"),
        (lambda m, x: m.predict([x[0], x[1][:0]]), "input 2: a sequence without steps"),
        (lambda m, x: m.fit([np.zeros(3), np.ones(4)] * 10, np.arange(20.0)), r"x\[:, None\]"),
        (lambda m, x: m.predict_quantiles(x, 0.5), "quantiles: 0.5"), (lambda m, x: m.predict_quantiles(x, ["a"]), "quantiles"),
        (lambda m, x: m.predict_quantiles(x, [0.5, 1.5]), "quantiles"),
        (lambda m, x: m.set_params(warm_start=True, hidden=7).fit(x, x[:, 0, 0]), "^warm_start: .*; warm_start=False begins anew"),
    ],
)  # fmt: skip
def test_what_no_regression_takes_is_said_in_a_line(what, said):
    x, _ = series(20)
    model = SequenceRegressor(**SMALL).fit(x, x[:, :, 0].mean(1))
    with pytest.raises(ValueError, match=said) as error:
        what(model, x)
    assert isinstance(error.value, helo.HeloError)
    assert "/" not in str(error.value)


def test_what_no_tagger_takes_is_said_in_a_line():
    tagger = SequenceTagger(**SMALL)
    with pytest.raises(ValueError, match="1 and '1'"):
        tagger.fit([["a", "b"]] * 10, [[1, "1"]] * 10)
    tagger.fit([["a", "b"]] * 10, [[1, 2]] * 10)
    for what, said in (
        (lambda: tagger.score([["a", "b"]], [[1]]), r"y\[0\]: 1 labels; expected 2"),
        (lambda: tagger.predict("cat"), "a text"),
        (lambda: tagger.score([], []), "0 examples"),
    ):
        with pytest.raises(ValueError, match=said):
            what()


def test_what_an_estimator_says_names_no_folder_that_is_gone():
    x, y = series()
    model = pickle.loads(pickle.dumps(SequenceClassifier(**SMALL).fit(x, y)))
    assert repr(model.run_).startswith("<Run SequenceClassifier: ")
    with pytest.raises(helo.HeloError, match="^SequenceClassifier"):
        model.run_.evaluate()

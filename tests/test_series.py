"""Series: how they are seen, the convolutions before the recurrence, and a classifier of them from end to end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

import helo
from fixtures import helo_command, stopped
from helo import cells, engines, inputs
from helo.data.dataset import Dataset
from helo.inputs.numbers import LONGEST, Numbers
from helo.inspection.observer import Observer
from helo.layers import convolution
from helo.runs.arrays import read_arrays


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def series(*xs):
    return Dataset("frames", [np.asarray(x, float)[:, None] for x in xs], None, lambda i, *step: f"series {i}")


def test_a_convolution_is_the_same_in_both_engines_and_as_written_out(rng):
    x, w = rng.standard_normal((2, 6, 3)).astype(np.float32), rng.standard_normal((4, 3, 5)).astype(np.float32)
    plain = np.zeros((2, 6, 4))
    for t in range(6):
        for k in range(5):
            if 0 <= t + k - 2 < 6:
                plain[:, t] += x[:, t + k - 2] @ w[:, :, k].T
    ours = engines.convolution_1d(x, w)
    theirs = engines.convolution_1d(torch.from_numpy(x), torch.from_numpy(w))
    np.testing.assert_allclose(ours, plain, atol=1e-5)
    np.testing.assert_allclose(theirs.numpy(), ours, atol=1e-5)


def test_padding_changes_nothing_and_numpy_equals_torch(rng):
    parameters = convolution.init(rng, 3)
    xs, lengths = rng.standard_normal((3, 11, 3)).astype(np.float32), np.array([11, 5, 1])
    whole, after = convolution.run(parameters, xs, lengths)
    assert whole.shape == (3, 3, convolution.CHANNELS)
    assert after.tolist() == [3, 2, 1]
    for i, n in enumerate(lengths):
        alone = convolution.run(parameters, xs[i : i + 1, :n], lengths[i : i + 1])[0]
        np.testing.assert_allclose(whole[i, : after[i]], alone[0], atol=1e-5)
        assert not whole[i, after[i] :].any()
    tensors = {n: torch.from_numpy(p) for n, p in parameters.items()}
    x = torch.from_numpy(xs).requires_grad_()
    there, _ = convolution.run(tensors, x, torch.from_numpy(lengths))
    np.testing.assert_allclose(there.detach().numpy(), whole, atol=1e-5)
    there.square().sum().backward()
    assert x.grad is not None
    assert not x.grad[1, 5:].any()
    assert x.grad[1, :5].all()


def test_steps_are_averaged_within_a_row():
    xs, lengths = convolution.shortened(np.array([[[1.0], [3], [5], [0]], [[2], [0], [0], [0]]]), np.array([3, 1]), 2)
    assert xs[..., 0].tolist() == [[2, 5], [2, 0]]
    assert lengths.tolist() == [2, 1]


def test_the_views_of_a_series():
    form = Numbers.learn(series([0, 2, 4, 6], [10, 10, 14, 14]), views=True)
    assert form.width == 3
    value, own, change = form.encode(series([3.0, 5, 7, 9])).xs.values.T
    np.testing.assert_allclose(value, (np.array([3, 5, 7, 9]) - form.mean) / form.std, rtol=1e-6)
    np.testing.assert_allclose(own, np.array([-3, -1, 1, 3]) / 5**0.5, rtol=1e-6)
    assert change[0] == 0
    np.testing.assert_allclose(change[1:], change[1])
    np.testing.assert_allclose(form.encode(series([7.0] * 3)).xs.values[:, 1:], 0)  # constant: no spread of its own
    again = inputs.from_json(form.to_json())
    assert again.to_json() == form.to_json()


def test_long_series_become_shorter_and_say_what_is_missing(rng):
    x = np.repeat(rng.standard_normal(LONGEST), 2)
    x[[0, 1, 6]] = np.nan
    form = Numbers.learn(series(x, x[:7]), views=True)
    assert form.views is not None
    assert form.views.by == 2
    long, short = (form.encode(series(v)) for v in (x, x[:7]))
    assert long.lengths.tolist() == [LONGEST]
    assert short.lengths.tolist() == [4]
    value, own, change, spread, missing = long.xs.values.T
    assert missing[:5].tolist() == [1, 0, 0, 0.5, 0]
    assert value[0] == own[0] == change[0] == change[1] == 0
    np.testing.assert_allclose(value[3], (x[7] - form.mean[0]) / form.std[0], rtol=1e-5)
    np.testing.assert_allclose(spread, 0, atol=1e-3)
    assert form.encode(series([])).lengths.tolist() == [0]


@pytest.mark.parametrize("broken", [{"by": 0}, {"changes": []}, {"spreads": [0.0]}, {"by": 1.5}, {"more": 1}])
def test_views_that_are_none(broken):
    saved = Numbers.learn(series([0, 2, 4]), views=True).to_json()
    with pytest.raises(helo.HeloError):
        inputs.from_json(saved | {"views": saved["views"] | broken})


BUMPS = "@problemName bumps\n@timestamps false\n@univariate true\n@classLabel true up down\n@data\n"


@pytest.fixture(scope="module")
def bumps(tmp_path_factory):
    """Series of noise with a short bump somewhere, upwards or downwards."""
    folder, rng = tmp_path_factory.mktemp("bumps"), np.random.default_rng(1)
    for name, count in (("train", 40), ("test", 30)):
        rows = []
        for i in range(count):
            x, at = 0.3 * rng.standard_normal(40), rng.integers(5, 30)
            x[at : at + 5] += 2 if i % 2 else -2
            rows.append(",".join(f"{v:.4f}" for v in x) + f":{('down', 'up')[i % 2]}\n")
        (folder / f"{name}.ts").write_text(BUMPS + "".join(rows))
    return folder


@pytest.mark.parametrize("cell", cells.names())
def test_each_cell_learns(cell, bumps, tmp_path):
    run = helo.train("classify", [bumps / "train.ts"], out=tmp_path / "run", epochs=12, cell=cell, hidden=8, quiet=True)
    assert run.evaluate([bumps / "test.ts"])["accuracy"] > 0.9


def test_a_run_answers_alike_and_is_looked_into(bumps, tmp_path):
    run = helo.train("classify", [bumps / "train.ts"], out=tmp_path / "run", epochs=2, hidden=8, quiet=True)
    again = helo.load(tmp_path / "run")
    assert again.task.form.to_json() == run.task.form.to_json()
    examples = again.examples([bumps / "test.ts"])
    answers = again.predict(examples)
    parameters = {n: torch.from_numpy(p) for n, p in again.parameters.items()}
    for mine, theirs in zip(answers, again.task.predict(parameters, examples), strict=True):
        assert mine["probabilities"] == pytest.approx(theirs["probabilities"], abs=1e-5)
    done = helo_command("explain", tmp_path / "run", bumps / "test.ts", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["answers"][0]
    assert len(found["attributions"]) == 40
    assert found["completeness_error"] < 0.02
    done = helo_command("inspect", tmp_path / "run", bumps / "test.ts", "--json", "--out", tmp_path / "page.html")
    assert done.code == 0, done.err
    assert Path(tmp_path / "page.html").stat().st_size
    observer = Observer(tmp_path / "run")
    observer.update()
    assert not observer.error
    assert observer.snapshot is not None
    assert {len(x) for x in observer.snapshot.units.values()} == {10}  # every fourth step of 40


def test_a_handful_of_series_chooses_no_weights_unless_a_person_says(bumps, tmp_path):
    how = {"epochs": 12, "hidden": 8, "quiet": True}
    run = helo.train("classify", [bumps / "train.ts"], out=tmp_path / "last", **how)
    reports = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    last = read_arrays(run.path / "last" / "state.safetensors")[0]
    for name, p in run.parameters.items():
        np.testing.assert_array_equal(p, last[f"averaged.{name}"])
    said = helo.train("classify", [bumps / "train.ts"], out=tmp_path / "said", metric="accuracy", **how)
    assert said.about["figures"]["accuracy"] == max(r["accuracy"] for r in reports)


def test_without_convolutions_a_series_is_its_scaled_values(bumps, tmp_path):
    run = helo.train(
        "classify", [bumps / "train.ts"], out=tmp_path / "run", epochs=1, hidden=8, quiet=True, convolutions=False
    )
    assert run.task.form.width == 1
    assert not [n for n in run.parameters if n.startswith("convolution")]
    assert "views" not in run.task.form.to_json()


def test_a_regression_of_series_has_convolutions_too(tmp_path):
    rng, rows = np.random.default_rng(1), {"train": 60, "test": 20}
    for name, count in rows.items():
        lines = []
        for size in rng.uniform(1, 3, count):
            x, at = 0.3 * rng.standard_normal(40), rng.integers(5, 30)
            x[at : at + 5] += size
            lines.append(",".join(f"{v:.4f}" for v in x) + f":{10 * size:.3f}\n")
        head = BUMPS.replace("@classLabel true up down", "@targetlabel true")
        (tmp_path / f"{name}.ts").write_text(head + "".join(lines))
    done = helo_command(
        "train", "regress", tmp_path / "train.ts", "--epochs", 12, "--hidden", 8, "--out", tmp_path / "run"
    )
    assert done.code == 0, done.err
    assert "convolutions, lstm" in done.err
    run = helo.load(tmp_path / "run")
    assert run.evaluate([tmp_path / "test.ts"])["r2"] > 0.5
    examples = run.examples([tmp_path / "test.ts"])
    parameters = {n: torch.from_numpy(p) for n, p in run.parameters.items()}
    for mine, theirs in zip(run.predict(examples), run.task.predict(parameters, examples), strict=True):
        assert mine["value"] == pytest.approx(theirs["value"], rel=1e-4)
    page, info = (run.path / "README.md").read_text(), helo_command("info", run.path).out
    assert "| convolutions | True |" in page
    assert "answers.png" in page
    assert "options.convolutions" in info
    assert "figures.coverage_80" in info
    again = helo_command("inspect", run.path, tmp_path / "test.ts", "--json", "--out", tmp_path / "page.html")
    assert again.code == 0, again.err


@pytest.mark.parametrize("pool", ["last", "attention", "max"])
def test_every_pooling_takes_both(pool, bumps, tmp_path):
    run = helo.train(
        "classify", [bumps / "train.ts"], out=tmp_path / "run", epochs=1, hidden=8, quiet=True, pool=pool, layers=2
    )
    assert len(run.predict(run.examples([bumps / "test.ts"]))) == 30


# A few series: cross-validation in place of a handful that is held out.


def test_a_network_does_not_learn_from_its_own_part(bumps, tmp_path):
    run = helo.train("classify", [bumps / "train.ts"], out=tmp_path / "run", steps=1, hidden=4, quiet=True)
    task, examples = run.task, run.task.source.reload(run.task, run.about["data"], [])
    assert task.options.folds == 5
    assert sorted(Counter(examples.folds).values()) == [8] * 5
    parameters = {n: torch.from_numpy(p).requires_grad_() for n, p in run.parameters.items()}
    encoded, targets = task.encode(examples), task.targets(examples)
    rows = np.flatnonzero(np.array(examples.folds) == 3)
    batch = {n: torch.from_numpy(a) for n, a in (encoded.batch(rows) | task.target_batch(targets, rows)).items()}
    task.loss(parameters, batch, None, None)[0].backward()
    for name, p in parameters.items():
        own = p.grad is not None and p.grad.abs().max() > 0
        assert own == (not name.startswith("folds.3.")), name


def test_an_example_is_validated_by_the_network_that_did_not_learn_from_it(bumps, tmp_path):
    run = helo.train("classify", [bumps / "train.ts"], out=tmp_path / "run", epochs=3, hidden=4, quiet=True)
    task, examples = run.task, run.task.source.reload(run.task, run.about["data"], [])
    batch = task.encode(examples).batch(np.arange(40))
    each = np.stack(task.model.each(run.parameters, batch))
    apart = task.model.forward(run.parameters, batch)
    np.testing.assert_allclose(apart, each[batch["fold"], np.arange(40)], rtol=1e-6)
    del batch["fold"]
    np.testing.assert_allclose(task.model.forward(run.parameters, batch), each.mean(0), rtol=1e-5, atol=1e-6)
    figures = run.evaluate()
    assert figures["examples"] == 40
    right = [task.labels[int(s.argmax())] == y for s, y in zip(apart, examples.labels, strict=True)]
    assert figures["accuracy"] == pytest.approx(np.mean(right))
    again = helo.load(run.path)
    assert again.evaluate() == figures
    assert "validated on all examples by 5-fold cross-validation" in (run.path / "README.md").read_text()


def test_going_on_is_the_same_as_never_having_stopped(bumps, tmp_path, monkeypatch):
    how = {"hidden": 4, "quiet": True, "steps": 12, "precision": "float32"}
    whole = helo.train("classify", [bumps / "train.ts"], out=tmp_path / "whole", **how)
    stopped(monkeypatch, 7, lambda: helo.train("classify", [bumps / "train.ts"], out=tmp_path / "run", **how))
    parts = helo.train("classify", out=tmp_path / "run", resume=True, quiet=True, precision="float32")
    for name, p in whole.parameters.items():
        np.testing.assert_array_equal(parts.parameters[name], p)
    assert parts.evaluate() == whole.evaluate()


@pytest.mark.parametrize(
    ("words", "folds"),
    [([], 5), (["--folds", 3], 3), (["--folds", 1], 1), (["--split", "chronological"], 1), (["--no-convolutions"], 1)],
)
def test_how_many_networks(words, folds, bumps, tmp_path):
    done = helo_command(
        "train", "classify", bumps / "train.ts", "--steps", 1, "--hidden", 4, "--out", tmp_path / "run", *words
    )
    assert done.code == 0, done.err
    said = (
        f"40 examples in {folds}-fold cross-validation" if folds > 1 else "36 examples for training, 4 for validation"
    )
    assert said in done.err
    run = helo.load(tmp_path / "run")
    assert run.task.options.folds == folds
    assert len({n.split(".")[1] for n in run.parameters if n.startswith("folds.")}) == (folds if folds > 1 else 0)


def test_of_few_groups_each_is_a_part(tmp_path):
    rng, rows = np.random.default_rng(0), ["id,step,person,v,label"]
    for i in range(24):
        rows += [f"{i},{t},p{i % 3},{rng.standard_normal() + 3 * (i % 2):.3f},{'ab'[i % 2]}" for t in range(8)]
    (tmp_path / "s.csv").write_text("\n".join(rows) + "\n")
    run = helo.train("classify", tmp_path / "s.csv", out=tmp_path / "run", group="id", order="step", label="label", split="group",
                     split_by="person", steps=1, hidden=4, quiet=True)  # fmt: skip
    assert run.task.options.folds == 3
    examples = run.task.source.reload(run.task, run.about["data"], [])
    assert {(x[0], k) for x, k in zip(examples.split_by, examples.folds, strict=True)} == {
        (f"p{i}", k) for i, k in enumerate(examples.folds[:3])
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--folds", 41], "between 1 and 20"),
        (["--folds", 3, "--split", "chronological"], "--folds: 3, with a chronological split; expected 1"),
        (["--folds", 3, "--no-convolutions"], "--folds: 3, with examples that are not series"),
    ],
)
def test_folds_that_cannot_be(words, said, bumps, tmp_path):
    done = helo_command("train", "classify", bumps / "train.ts", "--steps", 1, "--out", tmp_path / "run", *words)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert said in done.err
    done = helo_command(
        "train", "classify", bumps / "train.ts", "--valid", bumps / "test.ts", "--folds", 3, "--out", tmp_path / "run"
    )
    assert done.code == 2
    assert "--folds: 3, with files to validate on; expected one of both" in done.err


def test_intervals_of_a_few_series_are_calibrated_by_what_was_not_learned(tmp_path):
    rng, lines = np.random.default_rng(2), []
    for _ in range(240):  # a number that the series says nothing of
        x = rng.standard_normal(30)
        lines.append(",".join(f"{v:.4f}" for v in x) + f":{rng.standard_normal():.3f}\n")
    head = BUMPS.replace("@classLabel true up down", "@targetlabel true")
    (tmp_path / "train.ts").write_text(head + "".join(lines[:40]))
    (tmp_path / "test.ts").write_text(head + "".join(lines[40:]))
    run = helo.train("regress", [tmp_path / "train.ts"], out=tmp_path / "run", epochs=60, hidden=16, quiet=True)
    assert run.parameters["calibration.bias"].any()
    assert 0.6 <= run.evaluate()["coverage_80"] <= 0.95
    assert 0.6 <= run.evaluate([tmp_path / "test.ts"])["coverage_80"] <= 0.95  # without it about 0.2


def test_two_examples_of_each_label_are_cross_validated(tmp_path, rng):
    """None of them can be spared for validation alone."""
    rows = [rng.standard_normal(20).cumsum() + 3 * label for label in range(60) for _ in range(2)]
    file = tmp_path / "many.ts"
    lines = [",".join(f"{v:.3f}" for v in row) + f":k{i // 2}" for i, row in enumerate(rows)]
    head = ["@univariate true", "@classLabel true " + " ".join(f"k{i}" for i in range(60)), "@data"]
    file.write_text("\n".join([*head, *lines]) + "\n")
    run = helo.train("classify", file, out=tmp_path / "run", steps=2, hidden=4, quiet=True)
    assert run.task.options.folds == 5
    assert run.evaluate()["examples"] == 120

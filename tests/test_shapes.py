"""Classify, tag and translate, each through training, its run folder, and its answers."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch

import helo
from fixtures import helo_command, prose, stopped
from helo import cells, drawing, tasks, training
from helo.data import embedded
from helo.data.dataset import Dataset
from helo.data.spans import spans, written
from helo.data.splits import held_out
from helo.decoding import beam
from helo.errors import HeloError
from helo.inputs.numbers import Numbers
from helo.inputs.words import Words
from helo.laws import tasks as tasks_laws
from helo.layers import attention
from helo.tasks import writing
from helo.tasks.base import on
from helo.tasks.examples import Splits
from test_no_torch import without_torch

WORDS = {"the": "D", "a": "D", "cat": "N", "dog": "N", "runs": "V", "sleeps": "V"}
SMALL = {"hidden": 12, "steps": 60, "seed": 1}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def reviews(folder: Path) -> Path:
    rows = [
        ("good fine nice" if i % 2 else "bad poor awful") + f" thing {i % 7}\t{'pos' if i % 2 else 'neg'}"
        for i in range(80)
    ]
    return write(folder / "reviews.tsv", "text\tlabel\n" + "\n".join(rows) + "\n")


def sentences(folder: Path) -> Path:
    words = [list(WORDS)[(i * 7 + i // 3) % 6] for i in range(300)]
    rows = [f"{w}\t{WORDS[w]}" + ("\n" if i % 5 == 4 else "") for i, w in enumerate(words)]
    return write(folder / "tags.conll", "\n".join(rows) + "\n\n")


def entities(folder: Path) -> Path:
    rows = "\n".join("Anna\tB-PER\nBell\tI-PER\nsaw\tO\nRome\tB-LOC\n" for _ in range(30))
    return write(folder / "spans.conll", rows + "\n")


def numbers(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in "ab":
        y = np.repeat(rng.integers(3, size=20), 6)
        x = np.eye(3)[y] + 0.1 * rng.standard_normal((len(y), 3))
        (folder / "frames").mkdir(exist_ok=True)
        np.savez(folder / "frames" / f"{name}.npz", x=x.astype(np.float32), y=y)
    return folder / "frames"


def turns(folder: Path) -> Path:
    rows = [
        f'{d},{t},{"AB"[t % 2]},"{"oh great" if t % 2 else "no, bad"}",{"joy" if t % 2 else "anger"}'
        for d in range(20)
        for t in range(4)
    ]
    return write(folder / "turns.csv", "talk,turn,who,utterance,emotion\n" + "\n".join(rows) + "\n")


def copies(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcd"), rng.integers(1, 5))) for _ in range(200)]
    return write(folder / "pairs.tsv", "".join(f"{t}\t{t.upper()}\n" for t in texts))


TALK = {"group": "talk", "order": "turn", "speaker": "who"}
CASES = {
    "words": ("classify", reviews, {}, ["good thing", "awful thing"]),
    "characters": ("classify", reviews, {"units": "characters"}, ["good thing", "awful thing"]),
    "tokens": ("tag", sentences, {"column": "2"}, [["the", "cat"], ["a"]]),
    "spans": ("tag", entities, {"column": "2", "crf": True}, [["Anna", "Bell", "saw", "Rome"]]),
    "one way": ("tag", sentences, {"column": "2", "bidirectional": False}, [["the", "cat"], ["a"]]),
    "frames": ("tag", numbers, {}, [np.eye(3, dtype=np.float32)[[0, 0, 1]]]),
    "dialogue": ("tag", turns, TALK, [[("A", "no, bad"), ("B", "oh great")]]),
    "talk": ("classify", reviews, {"pool": "attention", "layers": 2}, ["good thing"]),
    "pairs": ("translate", copies, {}, ["abc", "d", ""]),
    "fixed vector": ("translate", copies, {"attention": "none"}, ["abc"]),
    "scheduled": ("translate", copies, {"scheduled": 0.2, "attention": "multiplicative"}, ["abc"]),
    "words to words": ("translate", copies, {"units": "words"}, ["abc"]),
}


@functools.cache
def trained(case: str, folder: str) -> helo.Run:
    task, make, options, _ = CASES[case]
    place = Path(folder) / case.replace(" ", "-")
    place.mkdir()
    return helo.train(task, make(place), out=place / "run", **SMALL | options)


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("shapes"))


@pytest.mark.parametrize("law", tasks_laws.LAWS)
@pytest.mark.parametrize("case", CASES)
def test_law(case, law, place):
    tasks_laws.LAWS[law](trained(case, place), CASES[case][3])


@pytest.mark.parametrize("case", CASES)
def test_it_learns(case, place):
    figures = trained(case, place).figures
    if case in ("words", "characters", "tokens", "spans", "one way", "frames", "dialogue", "talk"):
        assert figures["accuracy"] > 0.95
    if case == "spans":
        assert figures["span_f1"] == 1
    if case == "frames":
        assert {"edit", "f1_10", "f1_25", "f1_50"} <= set(figures)


@pytest.mark.parametrize("cell", cells.names())
def test_every_cell_in_every_shape(cell, tmp_path):
    for case in ("words", "tokens", "pairs"):
        task, make, options, asked = CASES[case]
        (tmp_path / case).mkdir()
        run = helo.train(
            task, make(tmp_path / case), out=tmp_path / case / "run", hidden=8, steps=3, cell=cell, **options
        )
        assert len(run.predict(asked)) == len(asked)


@pytest.mark.parametrize("case", ["words", "frames", "pairs"])
def test_going_on_is_the_same_as_never_having_stopped(case, place, tmp_path, monkeypatch):
    whole = trained(case, place)
    task, make, options, _ = CASES[case]
    data = make(tmp_path)
    stopped(monkeypatch, 33, lambda: helo.train(task, data, out=tmp_path / "run", **SMALL | options))
    broken = helo.train(task, data, out=tmp_path / "run", resume=True, **SMALL | options)
    ours, theirs = ((r.path / "weights.safetensors").read_bytes() for r in (broken, whole))
    assert ours == theirs


def test_a_live_stream_is_tagged_as_the_batch_and_its_state_can_be_taken_up(place, tmp_path):
    run = trained("one way", place)
    words = ["the", "cat", "runs", "a", "dog"]
    batch = run.predict([words])[0]["labels"]
    live = run.live()
    assert [live.feed(w) for w in words] == batch
    live.reset()
    first = [live.feed(w) for w in words[:2]]
    live.save(tmp_path / "state")
    again = run.live(tmp_path / "state")
    assert first + [again.feed(w) for w in words[2:]] == batch
    with pytest.raises(HeloError, match="bidirectional"):
        trained("tokens", place).live()
    with pytest.raises(HeloError, match=str(tmp_path / "other")):
        run.live(_state_of(trained("frames", place), tmp_path))


SCHEMED = {
    "IOB2": "Anna\tB-P\nBell\tI-P\nsaw\tO\nRome\tB-L\nTom\tB-P\n\n",
    "IOB1": "Anna\tI-P\nBell\tI-P\nsaw\tO\nRome\tI-L\nTom\tI-P\nAnna\tB-P\n\n",
    "BIOES": "Anna\tB-P\nBell\tE-P\nsaw\tO\nRome\tS-L\nTom\tS-P\n\n",
}


def of_chance(run: helo.Run, seed: int) -> helo.Run:
    """A run with a last layer drawn by chance: its answers are of every kind, and break every scheme."""
    weight = run.parameters["head.weight"]
    weight[:] = np.random.default_rng(seed).standard_normal(weight.shape) * 20
    return run


@pytest.mark.parametrize("name", SCHEMED)
def test_spans_in_a_stream_are_those_of_the_batch(name, tmp_path):
    file = write(tmp_path / "t.conll", SCHEMED[name] * 20)
    run = helo.train("tag", file, out=tmp_path / "run", bidirectional=False, **SMALL | {"steps": 1})
    assert run.task.marked == name
    if name == "BIOES":
        with pytest.raises(HeloError, match=r"BIOES.*IOB2"):
            run.live()
        return
    words = np.random.default_rng(0).choice(["Anna", "Bell", "saw", "Rome", "Tom", "x"], 80).tolist()
    seen = set()
    for seed in range(5):
        batch = of_chance(run, seed).predict([words])[0]["labels"]
        live = run.live()
        first = [live.feed(w) for w in words[:33]]
        live.save(tmp_path / "state")
        live = live.load(run, tmp_path / "state")
        assert first + [live.feed(w) for w in words[33:]] == batch
        live.reset()
        assert live.feed(words[0]) == batch[0]
        del run.__dict__["identity"]
        seen |= set(batch)
    assert len(seen) == 5


def test_the_schemes_of_a_file_are_those_of_the_answers(tmp_path):
    for name, text in SCHEMED.items():
        file = write(tmp_path / f"{name}.conll", text * 20)
        run = helo.train("tag", file, out=tmp_path / name, **SMALL)
        rows = [line.split("\t") for line in text.strip().split("\n")]
        answer = run.predict([[w for w, _ in rows]])[0]
        assert answer["labels"] == [y for _, y in rows]
        assert {(s["start"], s["end"], s["type"]) for s in answer["spans"][:2]} == {(0, 2, "P"), (3, 4, "L")}
        assert run.evaluate()["span_f1"] == 1


@pytest.mark.parametrize("name", SCHEMED)
@pytest.mark.parametrize("field", [False, True], ids=["alone", "crf"])
def test_tags_are_counted_as_they_are_answered(name, field, tmp_path):
    """A model that says labels in impossible orders: what `eval` counts is what `predict` makes of them."""
    file = write(tmp_path / "t.conll", SCHEMED[name] * 20)
    run = helo.train("tag", file, out=tmp_path / "run", crf=field, **SMALL | {"steps": 1})
    rng = np.random.default_rng(0)
    for part in ("head.weight", "head.bias"):
        run.parameters[part][...] = rng.standard_normal(run.parameters[part].shape) * 3
    words = [list(rng.choice(["Anna", "Bell", "saw", "Rome", "Tom"], n)) for n in rng.integers(2, 12, 40)]
    labels = [list(rng.choice(["B-P", "I-P", "O", "B-L"], len(w))) for w in words]
    truth = [written(spans(y), len(y), name) for y in labels]
    rows = "".join(
        "".join(f"{w}\t{y}\n" for w, y in zip(*pair, strict=True)) + "\n" for pair in zip(words, truth, strict=True)
    )
    figures = run.evaluate([write(tmp_path / "e.conll", rows)])
    answers = [answer["labels"] for answer in run.predict(words)]
    right = [a == b for one, other in zip(answers, truth, strict=True) for a, b in zip(one, other, strict=True)]
    assert figures["accuracy"] == pytest.approx(np.mean(right))
    if name == "IOB2" and not field:
        assert [run.task.outward(ids) for ids in _raw(run, words)] == answers
        assert [run.task._names(ids) for ids in _raw(run, words)] != answers


def _raw(run, words):
    encoded = run.task.encode(run.task.source.given(run.task, words))
    for i in range(len(words)):
        batch = encoded.batch(np.array([i]))
        yield np.asarray(run.task.model.forward(run.parameters, batch))[0].argmax(-1)


def test_spans_of_one_type_without_a_name(tmp_path):
    file = write(tmp_path / "t.conll", "New\tB\nYork\tI\nis\tO\nbig\tO\n\n" * 30)
    run = helo.train("tag", file, out=tmp_path / "run", **SMALL)
    assert run.figures["span_f1"] == 1
    answer = run.predict([["New", "York", "is"]])[0]
    assert answer["labels"] == ["B", "I", "O"]
    assert answer["spans"] == [{"start": 0, "end": 2, "type": "", "text": "New York"}]


def test_a_conversation_in_a_stream_is_answered_as_the_batch(tmp_path):
    run = helo.train("tag", turns(tmp_path), out=tmp_path / "run", bidirectional=False, **SMALL | TALK | {"steps": 1})
    said = [("A", "no"), ("A", "oh great"), ("B", "bad"), ("A", "no"), ("C", "oh"), ("C", "great")] * 4
    for seed in range(3):
        live = of_chance(run, seed).live()
        assert [live.feed(turn) for turn in said] == run.predict([said])[0]["labels"]
    lines = "".join(f"{who}\t{text}\n" for who, text in said)
    run = helo.load(run.path)
    done = helo_command("predict", run.path, "--stream", stdin=f"{lines}\n{lines}".encode())
    assert done.code == 0, done.err
    answers = [line.rpartition("\t")[2] for line in done.out.split("\n")]
    assert answers == [*(batch := run.predict([said])[0]["labels"]), "", *batch, ""]
    done = helo_command("predict", run.path, "--stream", stdin=b"A\tno\noh great\n")
    assert done.code == 2
    assert re.fullmatch(r"helo: standard input:2: 'oh great'.*speaker.* tab.*\n", done.err)
    with pytest.raises(HeloError, match=r"'no'; .*speaker, text"):
        run.live().feed("no")


def test_a_stream_on_the_command_line(place, tmp_path):
    run = trained("one way", place)
    words = ["the", "cat", "runs", "a", "dog"]
    batch = run.predict([words])[0]["labels"]
    rows = [f"{w}\t{y}" for w, y in zip(words, batch, strict=True)]

    def ask(*flags: object, stdin: str):
        return helo_command("predict", run.path, "--stream", *flags, stdin=stdin.encode())

    whole = ask(stdin="\ufeff" + "\n".join(words) + "\n\nthe\n")  # a byte-order mark is no part of a word
    assert (whole.code, whole.out.split("\n")) == (0, [*rows, "", rows[0], ""])
    state = tmp_path / "state"
    parts = [ask("--state", state, stdin="\n".join(some) + "\n").out for some in (words[:2], words[2:])]
    assert "".join(parts).split("\n") == [*rows, ""]
    found = json.loads(ask("--json", stdin="the\ncat\n\n\nthe\n").out)
    assert found == {"answers": [{"labels": batch[:2]}, {"labels": batch[:1]}]}
    for bad, where in (("the\na\tb\n", "standard input:2: "), ("the\n\udcff\n", ":2: byte 4")):
        done = helo_command("predict", run.path, "--stream", stdin=bad.encode(errors="surrogateescape"))
        assert done.code == 2
        assert where in done.err


def test_a_stream_that_is_stopped_keeps_its_state(place, tmp_path, monkeypatch):
    from helo.runs.live import Live

    run = trained("one way", place)
    whole, feed = run.predict([["the", "cat", "runs"]])[0]["labels"], Live.feed

    def stopping(self, item):
        if item == "stop":
            raise KeyboardInterrupt
        return feed(self, item)

    with monkeypatch.context() as patched:
        patched.setattr(Live, "feed", stopping)
        words = ("predict", run.path, "--stream", "--state", tmp_path / "state")
        assert helo_command(*words, stdin=b"the\ncat\nstop\n").code == 130
    assert run.live(tmp_path / "state").feed("runs") == whole[2]
    rest = helo_command(*words, stdin=b"runs\n")
    assert rest.out == f"runs\t{whole[2]}\n"


@pytest.mark.parametrize(
    "words, said",
    [
        (("--stream", "--beam", 3), ["--beam", "--stream"]),
        (("--stream", "--out", "page.html"), ["--out", "--stream"]),
        (("nosuchfile", "--stream"), ["nosuchfile", "--stream", "standard input"]),
        (("-", "--state", "s"), ["--state", "--stream"]),
    ],
)
def test_flags_that_would_mean_nothing_are_refused(words, said, place):
    done = helo_command("predict", trained("one way", place).path, *words)
    assert done.code == 2
    for part in said:
        assert part in done.err


@pytest.mark.parametrize("column", ["upos", "2"])
def test_a_tagger_reads_running_text(column, tmp_path):
    words = "\n".join(f"{i}\t{w}\t_\t{y}" + "\t_" * 6 for i, (w, y) in enumerate(WORDS.items(), 1))
    rows = words if column == "upos" else "\n".join(f"{w} {y}" for w, y in WORDS.items())
    train = write(tmp_path / f"t.{'conllu' if column == 'upos' else 'conll'}", f"{rows}\n\n" * 30)
    run = helo.train("tag", train, out=tmp_path / "run", column=column, **SMALL)
    assert run.figures["accuracy"] > 0.95
    truth = [["D", "N", "V"], ["D", "N"]]
    for name, text in (
        ("f.txt", "the cat runs\na dog\n"),
        ("f.conll", "the\ncat\nruns\n\na\ndog\n"),
        ("g.txt", "the D\ncat N\nruns V\n\na D\ndog N\n" if column == "2" else "the\ncat\nruns\n\na\ndog\n"),
    ):
        file = write(tmp_path / name, text)
        for asked, stdin in ((file, b""), ("-", text.encode())):
            done = helo_command("predict", run.path, asked, "--json", stdin=stdin)
            assert done.code == 0, done.err
            assert [a["labels"] for a in json.loads(done.out)["answers"]] == truth
    assert helo_command("predict", run.path, train, "--json").code == 0
    assert helo_command("predict", run.path, "-", "--json").code == 0  # nothing asked, nothing answered


def test_a_blank_line_parts_sequences_of_numbers_too(tmp_path):
    run = helo.train("tag", numbers(tmp_path), out=tmp_path / "run", bidirectional=False, **SMALL | {"steps": 5})
    text = "1 0 0\n0,1,0\n\n0 0 1\n"
    answers = json.loads(helo_command("predict", run.path, "-", "--json", stdin=text.encode()).out)["answers"]
    assert [len(a["labels"]) for a in answers] == [2, 1]
    live = json.loads(helo_command("predict", run.path, "--stream", "--json", stdin=text.encode()).out)["answers"]
    assert [a["labels"] for a in live] == [a["labels"] for a in answers]


def _state_of(run, folder):
    from helo.runs import arrays

    arrays.write_arrays(folder / "other", {}, {"model": run.identity})
    return folder / "other"


def kept_by(step) -> int:
    """How many numbers a step keeps for its way back."""
    seen: dict[int, int] = {}

    def keep(x):
        seen[x.untyped_storage().data_ptr()] = x.untyped_storage().size() // 4
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        step().backward()
    return sum(seen.values())


def test_a_pair_of_2_000_and_2_000_is_learned_from_in_little_room(monkeypatch):
    kind, text = tasks.find("translate"), "ab cd " * 333
    examples = Dataset("pair", [text, "ab"], [text, "cd"], lambda i: "here")
    task = kind.from_dataset(kind.Options(units="characters", hidden=8, embedding=4), examples)
    task.splits = Splits(task, examples, examples)
    batches = task.batches(0)
    assert batches.per_epoch == 2  # each pair a step of its own: side by side they were too large
    batch = max((batches.next() for _ in range(2)), key=lambda b: int(b["lengths"][0]))
    parameters = {n: torch.from_numpy(p).requires_grad_() for n, p in task.model.init(np.random.default_rng(0)).items()}

    def step():
        return task.loss(parameters, on(batch, parameters["head.bias"]), None, None)[0]

    monkeypatch.setattr(attention, "AT_ONCE", 1 << 20)
    assert kept_by(step) < 5e6  # the comparisons alone are 32 million
    gradients = {n: p.grad for n, p in parameters.items()}
    assert all(g is None or g.isfinite().all() for g in gradients.values())


def test_the_share_of_guesses_grows_over_the_training():
    kind = tasks.find("translate")
    examples = Dataset("pair", ["abc", "cab"], ["abc", "cab"], lambda i: "here")
    task = kind.from_dataset(kind.Options(scheduled=0.5, hidden=8), examples)
    batch = task.encode(examples).batch(np.arange(2)) | task.target_batch(task.targets(examples), np.arange(2))
    parameters = {n: torch.from_numpy(p) for n, p in task.model.init(np.random.default_rng(0)).items()}
    shares: list[float] = []

    def noise(x, rate):
        shares.append(rate)
        return x

    for done in (0.0, 0.4, 1.0):
        task.recipe.on_progress(done)
        task.loss(parameters, on(batch, parameters["head.bias"]), None, noise)
    of_dropout = {task.options.dropout, task.options.dropout / 2}
    assert [s for s in shares if s not in of_dropout] == [0.0, 0.2, 0.5]


@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_is_held_out_so_that_every_label_is_learned(seed, tmp_path):
    order = np.random.default_rng(seed).permutation
    rows = [f"thing {i}\trare {i // 2}" for i in range(10)] + [f"thing {i}\t{'ab'[i % 2]}" for i in range(90)]
    whole = write(tmp_path / "r.tsv", "text\tlabel\n" + "\n".join(rows[i] for i in order(100)))
    rows = ["a\tX\nb\tY\n"] * 15 + [f"{w}\tonce {w}\n" for w in "cdefg"]
    steps = write(tmp_path / "r.conll", "\n".join(rows[i] for i in order(20)))
    for task, file, least, held in (("classify", whole, 2, 10), ("tag", steps, 1, 2)):
        kind = tasks.find(task)
        learn, check, record = kind.source.split([file], [], kind.Options())
        counts = Counter(y for row in learn.labels for y in ([row] if isinstance(row, str) else row))
        assert min(counts.values()) == least
        assert len(check) == held
        again = kind.source.reload(kind.from_dataset(kind.Options(), learn), record, ())
        assert again.inputs == check.inputs


def test_where_no_label_is_rare_the_same_are_held_out_whatever_the_labels():
    labels = [{"ab"[i % 2]} for i in range(57)]
    for ours, plain in zip(held_out(57, labels, 2), held_out(57), strict=True):
        assert ours.tolist() == plain.tolist()


def test_where_nothing_can_be_held_out_that_is_said(tmp_path):
    file = write(tmp_path / "f.tsv", "text\tlabel\n" + "a b\tx\nc d\ty\n" * 2)
    with pytest.raises(HeloError, match=r"f\.tsv: .*--valid FILES"):
        helo.train("classify", file, out=tmp_path / "run", **SMALL)
    file = write(tmp_path / "g.tsv", "text\tlabel\na\tx\nb\tx\nc\ty\n")
    with pytest.raises(HeloError, match=r"g\.tsv:4: .*'y'"):
        helo.train("classify", file, out=tmp_path / "run", **SMALL)


def test_a_span_may_be_longer_than_those_of_its_type_that_were_learned(tmp_path):
    train = write(tmp_path / "t.conll", "Rome\tB-LOC\nsleeps\tO\n\n" * 20)
    valid = write(tmp_path / "v.conll", "New\tB-LOC\nYork\tI-LOC\n\n")
    run = helo.train("tag", train, valid=valid, out=tmp_path / "run", **SMALL)
    assert run.task.labels == ["B-LOC", "I-LOC", "O"]
    assert run.figures["steps"] == 2


def test_n_best_scores_and_attention(place, monkeypatch):
    run = trained("pairs", place)
    answer = run.predict(["abcd"], n_best=3, attention=True)[0]
    scores = [h["score"] for h in answer["n_best"]]
    assert len(scores) == 3
    assert answer["n_best"][0]["text"] == answer["text"]
    weights = np.array(answer["attention"]["weights"])
    assert weights.shape == (len(answer["attention"]["target"]), 4)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-3)
    greedy = run.predict(["abcd"], beam=1)[0]
    assert greedy["score"] <= max(scores) + 1e-6
    assert run.predict([""])[0]["text"] == ""
    with pytest.raises(HeloError, match="attention"):
        run.predict(["abcd"], attention=weights)
    monkeypatch.setattr("helo.tasks.writing.LARGEST", 3)
    with pytest.raises(HeloError, match="attention of 4 .* at most 3"):
        run.predict(["abcd"], attention=True)


def test_an_encoder_both_ways_has_a_unit_each_way(tmp_path):
    (tmp_path / "p.tsv").write_text("abc\tcba\nab\tba\n" * 9)
    with pytest.raises(HeloError, match="--hidden.* 2 "):
        helo.train("translate", tmp_path / "p.tsv", out=tmp_path / "run", hidden=1, steps=1)


def test_answers_on_the_command_line(place, tmp_path):
    run = trained("pairs", place)
    words, asked = ("predict", run.path, "-", "--alpha", 0, "--n-best", 2), "ab☃\n\nd\n".encode()
    done = helo_command(*words, "--json", "--attention", tmp_path / "looks.json", stdin=asked)
    assert done.code == 0, done.err
    expected = run.predict(["ab☃", "", "d"], alpha=0.0, n_best=2, attention=True)
    assert json.loads(done.out)["answers"] == expected
    assert expected != run.predict(["ab☃", "", "d"], alpha=9.0, n_best=2, attention=True)
    assert json.loads((tmp_path / "looks.json").read_text("utf-8")) == [a["attention"] for a in expected]
    done = helo_command(*words, "--attention", tmp_path / "looks.png", stdin=asked)
    assert done.code == 0, done.err
    assert (tmp_path / "looks.png").read_bytes().startswith(b"\x89PNG")
    assert len(done.out.splitlines()) == 5  # two of each, and one of nothing


def test_a_character_never_seen_is_an_unknown_symbol(place):
    task = trained("pairs", place).task
    assert task.ids("a☃b", foreign=True)[1] == task.unknown


def carrying(run):
    """The parameters of a translator that writes the unknown character alone."""
    bias = run.parameters["head.bias"].copy()
    bias[run.task.unknown] += 1000
    return run.parameters | {"head.bias": bias}


@pytest.mark.parametrize("case", ["pairs", "fixed vector"])
def test_figures_are_those_of_the_answers(case, place, tmp_path):
    run = trained(case, place)
    sources = ["a☃b☔", "abc", "☃"]
    answers = run.task.predict(carrying(run), sources)
    assert set(answers[0]["text"]) <= {"☃", "☔"}
    assert set(answers[2]["text"]) == {"☃"}
    rows = [f"{s}\t{a['text'] or 'nothing'}\n" for s, a in zip(sources, answers, strict=True)]
    figures = run.task.evaluate(carrying(run), {}, [write(tmp_path / "f.tsv", "".join(rows))])
    assert figures["exact"] == pytest.approx(2 / 3)  # a source without a stranger has nothing to carry


def test_the_loss_that_is_told_is_what_validation_measures(place):
    """Plain nats; the gradient is that of smoothed targets."""
    run = trained("pairs", place)
    task = run.task
    examples = task.source.recorded(task, run.about["data"])
    batch = task.encode(examples).batch(np.arange(4)) | task.target_batch(task.targets(examples), np.arange(4))
    plain, count, _ = task.evaluate_batch(run.parameters, batch)
    tensors = {n: torch.from_numpy(p).requires_grad_() for n, p in run.parameters.items()}
    loss, over, _ = task.loss(tensors, on(batch, tensors["head.bias"]), None, None)
    assert over == count
    assert loss.item() == pytest.approx(plain, rel=1e-5)
    (found,) = torch.autograd.grad(loss, tensors["head.bias"])
    memory = task.model.memory(tensors, on(batch, loss))
    before, targets, lengths = (torch.from_numpy(batch[n]) for n in ("before", "targets", "target_lengths"))
    scores = task.model.decode(tensors, memory, before, task.model.fresh(tensors, memory))[0]
    inside = torch.arange(scores.shape[1]) < lengths[:, None]
    smoothed = torch.nn.functional.cross_entropy(
        scores[inside], targets[inside], reduction="sum", label_smoothing=writing.SMOOTHING
    )
    torch.testing.assert_close(found, torch.autograd.grad(smoothed, tensors["head.bias"])[0], rtol=1e-3, atol=1e-4)


def test_figures_leave_out_the_blanks_round_an_answer():
    kind = tasks.find("translate")
    task = kind.from_dataset(kind.Options(), Dataset("pair", ["a b"], ["a b"], lambda i: "here"))
    found = beam.Hypothesis([int(i) for i in task.ids(" a b ")], 0.0, 0.0)
    assert task.text(found.symbols) == " a b "
    assert task.scoring.figures(task.predictions([[found]], SimpleNamespace(texts=["a b"])))["exact"] == 1


def test_an_answer_a_line_of_standard_input(place):
    run = trained("pairs", place)
    asked = run.task.source.lines(run.task, "ab\N{LINE SEPARATOR}c\r\n\nd\x0ca\rb\x85a\n")
    assert list(asked.inputs) == ["ab\N{LINE SEPARATOR}c", "", "d\x0ca\rb\x85a"]
    assert len(run.predict(asked)) == 3


def test_the_attention_names_each_stranger(place):
    look = trained("pairs", place).predict(["a☃b☔"], attention=True)[0]["attention"]
    assert look["source"] == ["a", "☃", "b", "☔"]


def test_a_translator_is_refused_before_it_is_trained_where_its_figures_cannot_be_taken(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(HeloError, match=r"pip install 'helo\[translate\]'"):
        helo.train("translate", copies(tmp_path), out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


def test_answers_need_no_torch(place, tmp_path):
    for case, text in (("words", "good thing\n"), ("tokens", "the\ncat\n"), ("pairs", "abc\n")):
        run = trained(case, place)
        file = tmp_path / f"{case}.txt"
        file.write_text(text)
        if case == "pairs" or case == "tokens":
            done = without_torch("predict", str(run.path), str(file), "--json")
        else:
            done = without_torch("eval", str(run.path), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)


def test_several_labels_and_balance(tmp_path):
    rows = [
        f'{{"text": "{"red " * (i % 2)}{"big " * (i % 3 > 0)}x", "label": {json.dumps(["R"] * (i % 2) + ["B"] * (i % 3 > 0))}}}'
        for i in range(90)
    ]
    run = helo.train(
        "classify", write(tmp_path / "s.jsonl", "\n".join(rows)), out=tmp_path / "run", hidden=12, steps=240
    )
    assert run.figures["micro_f1"] > 0.9
    assert run.predict(["red big x", "x"])[0]["labels"] == ["B", "R"]
    balanced = helo.train("classify", reviews(tmp_path), out=tmp_path / "b", balance=True, **SMALL)
    assert balanced.figures["accuracy"] > 0.95


def test_vectors_of_a_file_are_where_training_starts(tmp_path):
    lines = "good 1 0 0\nbad 0 1 0\nawful 0 1 0.1\nnever 0 0 1\n"
    vectors = write(tmp_path / "v.vec", "4 3\n" + lines)
    run = helo.train("classify", reviews(tmp_path), out=tmp_path / "run", vectors=str(vectors), **SMALL)
    assert run.parameters["input.embedding"].shape[1] == 3
    assert "never" in run.task.form.words
    spaced = write(tmp_path / "g.txt", "good 1 0 0\nat name@domain.com 0 1 0\n. . . 0 0 1 \n")
    form = Words.learn([["good", "bad"]], 8, 0, spaced)
    assert form.words == ["good", "at name@domain.com", ". . ."]
    assert form.start is not None
    assert form.start.shape == (4, 3)
    for options in ({"units": "characters"}, {"units": "bytes"}):
        with pytest.raises(HeloError, match=r"v\.vec: .*--vectors.*--units"):
            helo.train("classify", reviews(tmp_path), out=tmp_path / "r", vectors=str(vectors), **options)
    with pytest.raises(HeloError, match=r"v\.vec: .*--vectors"):
        helo.train("tag", numbers(tmp_path), out=tmp_path / "r", vectors=str(vectors))
    with pytest.raises(HeloError, match=r"v\.vec:2: 2\b.*\b3\b"):
        helo.train(
            "classify",
            reviews(tmp_path),
            out=tmp_path / "r",
            vectors=str(write(tmp_path / "v.vec", "a 1 2 3\nb 1 2\n")),
        )


def test_pictures_whole_by_rows_and_by_pixels(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = rng.integers(0, 60, (80, 6, 6)).astype(np.uint8)
    x[y == 1, :3] += 150
    np.savez(tmp_path / "p.npz", x=x, y=y)
    for view in ("whole", "rows", "pixels"):
        run = helo.train("classify", tmp_path / "p.npz", out=tmp_path / view, view=view, **SMALL)
        assert run.figures["accuracy"] == 1
        assert run.predict(x[:2])[1]["label"] == "1"
    Image = pytest.importorskip("PIL.Image")
    for i, (picture, label) in enumerate(zip(x, y, strict=True)):
        (tmp_path / "by" / f"class{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "by" / f"class{label}" / f"{i}.png")
    run = helo.train("classify", tmp_path / "by", out=tmp_path / "folders", **SMALL)
    assert run.task.labels == ["class0", "class1"]
    assert run.figures["accuracy"] == 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_of_any_size_and_mode_are_brought_to_what_was_learned(mode, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for i in range(24):
        (tmp_path / "by" / f"class{i % 2}").mkdir(parents=True, exist_ok=True)
        pixels = np.full((20 + i, 30, 3), 200 * (i % 2), np.uint8) + rng.integers(0, 50, (20 + i, 30, 3)).astype(
            np.uint8
        )
        Image.fromarray(pixels).convert(mode).save(tmp_path / "by" / f"class{i % 2}" / f"{i}.png")
    run = helo.train(
        "classify", tmp_path / "by", valid=[tmp_path / "by" / "class1" / "*.png"], out=tmp_path / "run", **SMALL
    )
    assert run.task.form.shape == ((32, 32) if mode == "L" else (32, 32, 3))
    assert run.figures["accuracy"] == 1
    asked = tmp_path / "new"
    asked.mkdir()
    for name, other, size in (("1.png", "RGB", (50, 40)), ("2.png", "RGBA", (50, 40)), ("3.png", "L", (50, 40))):
        Image.new("RGB", size, (230, 230, 230)).convert(other).save(asked / name)
    assert [a["label"] for a in run.predict(run.examples(asked))] == [
        "class1"
    ] * 3  # of one size, and not that of training
    Image.new("L", (7, 9), 10).save(asked / "4.png")
    assert [a["label"] for a in run.predict(run.examples(asked))] == ["class1"] * 3 + ["class0"]


def test_series_of_unequal_lengths_with_missing_values(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        values = rng.standard_normal(rng.integers(1, 9)) + 4 * (i % 2)
        other = ["?" if rng.random() < 0.2 else f"{v:.3f}" for v in values]
        rows.append(",".join(f"{v:.3f}" for v in values) + ":" + ",".join(other) + f":{'ab'[i % 2]}")
    head = "#a comment\n%and one more\n@problemName x\n@timeStamps false\n@classLabel true a b\n@data\n"
    run = helo.train("classify", write(tmp_path / "s.ts", head + "\n".join(rows) + "\n"), out=tmp_path / "run", **SMALL)
    assert run.figures["accuracy"] > 0.9
    assert run.task.form.missing


def test_sequences_of_length_1_and_10_000(place):
    run = trained("frames", place)
    long = np.eye(3, dtype=np.float32)[np.arange(10_000) // 6 % 3]
    answers = run.predict([long, long[:1]])
    assert [len(a["labels"]) for a in answers] == [10_000, 1]


def people(folder: Path, levels, labels) -> Path:
    """A file a person, whose two numbers lie about a level; the second goes up and down, and so do half the labels."""
    folder.mkdir()
    for i, level in enumerate(levels):
        up = np.arange(120) // 10 % 2
        x = level + 0.1 * np.random.default_rng(i).standard_normal((120, 2)) + np.outer(up, [0, 1])
        y = up if labels is None else np.full(120, labels[i])
        np.savez(folder / f"{i}.npz", x=x.astype(np.float32), y=y)
    return folder


def test_what_a_person_is_on_the_whole_counts_only_where_people_differ_in_their_labels(tmp_path):
    known, strangers = people(tmp_path / "k", (0, 0.5, -1, 2), None), people(tmp_path / "s", (5, -4), None)
    alike = helo.train("tag", known, valid=strangers, out=tmp_path / "alike", **SMALL | {"steps": 120})
    assert alike.task.options.level is False
    assert alike.figures["accuracy"] > 0.95
    assert (
        helo.train("tag", known, valid=strangers, out=tmp_path / "kept", level=True, **SMALL).figures["accuracy"] < 0.8
    )
    apart = people(tmp_path / "apart", (0, 3, 0.2, 3.1), (0, 1, 0, 1))
    run = helo.train("tag", apart, valid=apart, out=tmp_path / "apart.run", **SMALL)
    assert run.task.options.level is True
    assert run.figures["accuracy"] > 0.95
    stream = helo.train("tag", known, valid=known, out=tmp_path / "stream", bidirectional=False, **SMALL | {"steps": 1})
    assert stream.task.options.level is True
    with pytest.raises(HeloError, match=r"--no-level.*--no-bidirectional"):
        helo.train("tag", known, out=tmp_path / "no", level=False, bidirectional=False, **SMALL)


def test_few_steps_tell_little_of_a_level():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((400, 2)) * [1, 5] + 3).astype(np.float32)
    form = Numbers.learn(Dataset("frames", [x, x + 4], None, lambda *_: "here"), level=False)
    long, short = (form.encode(Dataset("frames", [v], None, lambda *_: "here")).xs.values for v in (x, x[:1]))
    far = (x - form.mean).sum(0) / 408
    np.testing.assert_allclose(long, (x - form.mean - far) / form.std, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(short, (x[:1] - form.mean) * 8 / 9 / form.std, rtol=1e-4, atol=1e-5)
    assert form.std == pytest.approx((x - x.mean(0)).std(0), rel=0.05)


@pytest.mark.parametrize("task", ["classify", "tag"])
def test_a_step_of_training_over_sequences_of_length_1_and_10_000(task, tmp_path):
    words = [list(WORDS)[i % 6] for i in range(10_000)]
    if task == "classify":
        text = "text\tlabel\n" + "".join(f"{' '.join(words)}\tlong\ncat\tshort\n" for _ in range(2))
    else:
        text = "".join(f"{w}\t{WORDS[w]}\n" for w in words) + "\nthe\tD\n\n"
    file = write(tmp_path / f"f.{'tsv' if task == 'classify' else 'conll'}", text)
    run = helo.train(task, file, valid=file, out=tmp_path / "run", hidden=8, embedding=8, batch=4, steps=1)
    assert all(np.isfinite(p).all() for p in run.parameters.values())
    assert np.abs(run.parameters["head.weight"]).max() > 0  # it learned
    long, short = run.predict([" ".join(words), "cat"])
    if task == "tag":
        assert (len(long["labels"]), len(short["labels"])) == (10_000, 1)
    else:
        for answer in (long, short):
            assert sum(answer["probabilities"].values()) == pytest.approx(1)


SIDE_BY_SIDE = {
    "words": ("text", ["good", "a bad awful poor thing and more of it", "nice"], ["pos", "neg", "pos"]),
    "characters": ("text", ["g", "a bad awful poor thing", "nice"], ["pos", "neg", "pos"]),
    "talk": ("text", ["good", "a bad awful poor thing and more of it", "nice"], ["pos", "neg", "pos"]),
    "tokens": ("tokens", [["a"], [*WORDS] * 2, ["the", "cat"]], [["D"], [*WORDS.values()] * 2, ["D", "N"]]),
    "one way": ("tokens", [["a"], [*WORDS] * 2, ["the", "cat"]], [["D"], [*WORDS.values()] * 2, ["D", "N"]]),
    "spans": ("tokens", [["Rome"], ["Anna", "Bell", "saw"] * 3], [["B-LOC"], ["B-PER", "I-PER", "O"] * 3]),
    "frames": ("frames", [np.eye(3, dtype=np.float32)[t] for t in ([0], [0, 1, 2, 2, 1])], [["0"], [*"01221"]]),
    "dialogue": (
        "dialogue",
        [[("A", "no")], [("B", "oh great and so on"), ("B", "bad"), ("C", "oh")]],
        [["joy"], ["anger", "joy", "joy"]],
    ),
    "pairs": ("pair", ["a", "abcdabcd", "bc"], ["A", "ABCDABCD", "BC"]),
    "fixed vector": ("pair", ["a", "abcdabcd", "bc"], ["A", "ABCDABCD", "BC"]),
}


@pytest.mark.parametrize("case", SIDE_BY_SIDE)
def test_what_stands_beside_changes_no_loss_no_gradient_and_no_answer(case, place):
    kind, inputs, labels = SIDE_BY_SIDE[case]
    task, parameters = (run := trained(case, place)).task, run.parameters
    examples = Dataset(kind, inputs, labels, lambda i, *step: f"{i}")
    encoded, targets = task.encode(examples), task.targets(examples)

    def learned(rows: list[int]) -> tuple[float, dict[str, np.ndarray]]:
        tensors = {n: torch.from_numpy(p.copy()).requires_grad_() for n, p in parameters.items()}
        batch = encoded.batch(np.array(rows)) | task.target_batch(targets, np.array(rows))
        loss = task.loss(tensors, on(batch, tensors["head.bias"]), None, None)[0]
        loss.backward()
        return loss.item(), {n: np.zeros(p.shape) if p.grad is None else p.grad.numpy() for n, p in tensors.items()}

    every = list(range(len(inputs)))
    together, alone = learned(every), [learned([i]) for i in every]
    assert together[0] == pytest.approx(sum(loss for loss, _ in alone), rel=1e-4)
    for name, gradient in together[1].items():
        parts = [gradients[name] for _, gradients in alone]
        scale = max(1e-3, *(np.abs(p).max() for p in parts))
        np.testing.assert_allclose(gradient, sum(parts), atol=1e-4 * scale, err_msg=name)
    answers = run.predict(examples)
    for i in every:
        own = run.predict(examples.take(np.array([i])))[0]
        for key in ("label", "labels", "text"):
            assert own.get(key) == answers[i].get(key)
        for label, p in own.get("probabilities", {}).items():
            assert answers[i]["probabilities"][label] == pytest.approx(p, abs=1e-5)


def test_the_report_of_a_classifier(place, tmp_path):
    run = trained("words", place)
    rows = ["good nice\tpos", "fine thing\tpos", "bad awful\tneg", "good fine nice\tneg"]  # the last is wrong
    file = write(tmp_path / "new.tsv", "text\tlabel\n" + "\n".join(rows) + "\n")
    done = helo_command("eval", run.path, file, "--report", tmp_path / "out")
    assert done.code == 0, done.err
    said = (tmp_path / "out" / "report.md").read_text().partition("\n")[2]  # the first line says whose it is
    assert said in done.out
    assert "| true label | examples | precision | recall | F1 | neg | pos |" in said
    assert "| neg | 2 | 1.000 | 0.500 | 0.667 | 1 | 1 |" in said
    assert "| pos | 2 | 0.667 | 1.000 | 0.800 | 0 | 2 |" in said
    wrong = said.split("Largest errors:\n\n")[1].strip().split("\n")
    assert len(wrong) == 1
    assert wrong[0].startswith("- new.tsv:5: good fine nice (true label neg, answered pos 0.")
    for name in ("confusion.png", "calibration.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")


def test_the_report_of_a_tagger(place, tmp_path):
    file = write(tmp_path / "new.conll", "the\tD\ncat\tN\n\nruns\tN\n")  # the last is wrong
    done = helo_command("eval", trained("tokens", place).path, file, "--report", tmp_path / "words")
    assert done.code == 0, done.err
    said = (tmp_path / "words" / "report.md").read_text()
    assert "| N | 2 | 1.000 | 0.500 | 0.667 | 0 | 1 | 1 |" in said
    assert [p.name for p in sorted((tmp_path / "words").iterdir())] == ["confusion.png", "report.md"]
    run = trained("frames", place)
    with mock.patch("helo.reports.tag.ribbons", wraps=drawing.ribbons) as drawn:
        done = helo_command("eval", run.path, "--report", tmp_path / "frames")
    assert done.code == 0, done.err
    ((name, truth, answer),) = drawn.call_args.args[1]
    assert name in ("a.npz", "b.npz")
    assert [run.task.labels[i] for i in truth] == [
        str(y) for y in np.load(Path(place) / "frames" / "frames" / name)["y"]
    ]
    assert np.mean(np.array(truth) == answer) == run.figures["accuracy"]
    assert (tmp_path / "frames" / "ribbons.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "task, said",
    [
        ("lm", "bits per character"),
        ("classify", "a 6: "),
        ("tag", "  #  "),
        ("translate", "le 14 juillet 1789  "),
        ("caption", "个数字："),
        ("regress", "root mean square"),
        ("forecast", "the last week repeated has"),
    ],
)
def test_a_demo_trains_answers_and_says_what_comes_next(task, said, tmp_path, monkeypatch):
    for package in ("babel", "sklearn", "PIL"):
        pytest.importorskip(package)
    suffix, writer = embedded.WRITERS[task]
    few = {"translate": {"count": 60}, "caption": {"count": 20}}.get(task, {})
    monkeypatch.setitem(embedded.WRITERS, task, (suffix, functools.partial(writer, **few)))
    monkeypatch.setattr(embedded, "LARGEST", 1000)
    if task == "lm":
        monkeypatch.setitem(embedded.WRITERS, task, (suffix, lambda path: write(path, prose(3000))))

    train = training.train

    def quick(*words, minutes, **options):
        assert minutes == 0.5
        return train(*words, steps=3, hidden=8, **options)

    monkeypatch.setattr(training, "train", quick)
    out = tmp_path / "run"
    done = helo_command("demo", task, "--minutes", 0.5, "--out", out, "--quiet")
    assert done.code == 0, done.err
    assert said in done.out
    assert f"helo train {task} {tmp_path / 'run'}{suffix}" in done.out
    assert helo.load(out).about["task"] == task
    refusal = helo_command("demo", task, "--minutes", 0.5, "--out", out, "--quiet")
    assert (refusal.code, len(refusal.err.splitlines())) == (2, 1)
    assert "--overwrite" in refusal.err or "--out" in refusal.err


def test_embedded_data_are_what_each_shape_reads(tmp_path):
    pytest.importorskip("babel")
    pytest.importorskip("sklearn")
    for task in ("classify", "tag", "translate"):
        suffix, writer = embedded.WRITERS[task]
        file = writer(tmp_path / f"data{suffix}")
        kind = tasks.find(task)
        found = kind.summary([file], kind.Options(**({"column": "2"} if task == "tag" else {})))
        assert found["examples"] > 1500
    places = embedded.write_places(tmp_path / "places.tsv")
    found = tasks.find("classify").summary([places], tasks.find("classify").Options())
    assert found["labels"] == len(embedded.PLACES)
    dates = dict(line.split("\t") for line in (tmp_path / "data.tsv").read_text(encoding="utf-8").splitlines()[1:])
    assert len(dates) > 19_000
    assert all(len(iso) == 10 for iso in dates.values())


def test_frames_are_seen_by_convolutions_at_every_step(place, tmp_path):
    """Where a person asks for them, both ways only; and however long a video is: an answer a frame."""
    file = numbers(tmp_path)
    run = helo.train("tag", file, out=tmp_path / "run", convolutions=True, **SMALL)
    assert run.figures["accuracy"] > 0.95
    assert run.task.form.views.by == 1
    assert any(n.startswith("convolution.") for n in run.parameters)
    long = np.random.default_rng(1).random((1500, 3)).astype(np.float32)
    assert len(run.predict([long])[0]["labels"]) == 1500
    several = [long[:n] for n in (3, 90, 1)]
    encoded = run.task.form.encode(run.task.source.given(run.task, several))
    whole = np.asarray(run.task.model.forward(run.parameters, encoded.batch(np.arange(3))))
    for i, x in enumerate(several):  # what pads one is not seen
        alone = np.asarray(run.task.model.forward(run.parameters, encoded.batch(np.array([i]))))
        assert np.allclose(whole[i, : len(x)], alone[0, : len(x)], atol=1e-5)
    for k, options in enumerate(({}, {"bidirectional": False, "convolutions": True})):
        plain = helo.train("tag", file, out=tmp_path / f"plain{k}", steps=2, hidden=8, quiet=True, **options)
        assert plain.task.form.views is None
        assert not any(n.startswith("convolution.") for n in plain.parameters)


def test_what_an_utterance_says_goes_past_the_recurrence(place):
    """New models of conversations have it, those of before do not, and step by step it is as in the batch."""
    run = trained("dialogue", place)
    form = run.task.form
    assert form.beside
    assert run.parameters["head.weight"].shape[1] == form.width + 2 * run.task.options.hidden
    saved = {k: v for k, v in form.to_json().items() if k != "beside"}
    assert not type(form).from_json(saved).beside

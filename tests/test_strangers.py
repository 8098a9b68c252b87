"""A folder from a stranger, or off a bad disk: whatever is in it, it is answered from or refused in one line, and no code
of it runs.
"""

from __future__ import annotations

import functools
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="runs are made by training")

import helo
from fixtures import helo_command, home, prose, trained
from helo import tasks
from helo.errors import HeloError
from helo.registry import remembered
from helo.runs import arrays, folder

SMALL = {"hidden": 8, "steps": 2, "seed": 1}
Change = Callable[[Path], None]


def _written(name: str, text: str) -> Path:
    path = home() / name
    path.write_text(text, encoding="utf-8")
    return path


def _reviews() -> Path:
    rows = [f"{'good' if i % 2 else 'bad'} thing {i % 7}\t{'pos' if i % 2 else 'neg'}" for i in range(40)]
    return _written("reviews.tsv", "text\tlabel\n" + "\n".join(rows) + "\n")


def _table() -> Path:
    return _written("rows.csv", "a,b,label\n" + "".join(f"{i % 5}.5,{-i % 3},{'xy'[i % 2]}\n" for i in range(40)))


def _digits() -> Path:
    path, rng = home() / "digits.npz", np.random.default_rng(0)
    np.savez(path, x=rng.integers(0, 255, (40, 6, 6)).astype(np.uint8), y=np.arange(40) % 2)
    return path


def _waves() -> Path:
    path, rng = home() / "waves.npz", np.random.default_rng(0)
    np.savez(path, x=rng.standard_normal((40, 9, 2)).astype(np.float32), y=np.arange(40) % 2)
    return path


def _sales() -> Path:
    days = (f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(28))
    return _written("sales.csv", "date,sales\n" + "".join(f"{day},{i * i % 11}.5\n" for i, day in enumerate(days)))


def _entities() -> Path:
    return _written("spans.conll", "Anna\tB-PER\nBell\tI-PER\nsaw\tO\nRome\tB-LOC\n\n" * 20)


def _frames() -> Path:
    place, rng = home() / "frames", np.random.default_rng(0)
    place.mkdir()
    for name in "ab":
        np.savez(place / f"{name}.npz", x=rng.standard_normal((60, 3)).astype(np.float32), y=np.arange(60) // 20)
    return place


def _turns() -> Path:
    rows = [
        f'{d},{t},{"AB"[t % 2]},"{"oh" if t % 2 else "no"}",{"joy" if t % 2 else "ire"}'
        for d in range(10)
        for t in range(4)
    ]
    return _written("turns.csv", "talk,turn,who,utterance,emotion\n" + "\n".join(rows) + "\n")


def _pairs() -> Path:
    return _written(
        "pairs.tsv", "".join(f"{t}\t{t.upper()}\n" for t in ("abc", "bcd", "cde", "ab", "cd") for _ in range(9))
    )


def _pictures() -> Path:
    from PIL import Image

    place = home() / "pictures"
    place.mkdir()
    for i in range(6):
        Image.new("RGB", (16, 16), (i * 40, 9, 9)).save(place / f"p{i}.png")
    return _written(
        "pictures/captions.tsv", "image\tcaption\n" + "".join(f"p{i}.png\ta number {i}\n" for i in range(6))
    )


def _ask_picture(run: helo.Run) -> Any:
    return run.predict([str(home() / "pictures" / "p1.png")])


TALK = {"group": "talk", "order": "turn", "speaker": "who"}
#: What is trained, once: task, files, options, and a short question.
KINDS: dict[str, tuple[str, Callable[[], Path], dict[str, Any], Callable[[helo.Run], Any]]] = {
    "text": (
        "lm",
        lambda: _written("text.txt", prose(2000)),
        {"cell": "gru", "layers": 2},
        lambda r: r.sample("The ", 5, temperature=0),
    ),
    "words": (
        "lm",
        lambda: _written("words.txt", prose(2000)),
        {"units": "words"},
        lambda r: r.sample("The ", 5, temperature=0),
    ),
    "reviews": ("classify", _reviews, {"balance": True}, lambda r: r.predict(["good thing"])),
    "letters": (
        "classify",
        _reviews,
        {"units": "characters", "pool": "attention"},
        lambda r: r.predict(["good thing"]),
    ),
    "rows": ("classify", _table, {}, lambda r: r.predict(np.array([[0.5, 1.0]], np.float32))),
    "digits": ("classify", _digits, {"view": "rows"}, lambda r: r.predict(np.zeros((1, 6, 6), np.uint8))),
    "spans": ("tag", _entities, {"column": "2", "crf": True}, lambda r: r.predict([["Anna", "saw"]])),
    "frames": (
        "tag",
        _frames,
        {"bidirectional": False, "cell": "mingru"},
        lambda r: r.predict([np.zeros((3, 3), np.float32)]),
    ),
    "talk": ("tag", _turns, TALK, lambda r: r.predict([[("A", "no"), ("B", "oh")]])),
    "pairs": ("translate", _pairs, {}, lambda r: r.predict(["abc"])),
    "pictures": ("caption", _pictures, {"encoder": "small"}, _ask_picture),
    "waves": ("classify", _waves, {}, lambda r: r.predict(np.ones((1, 9, 2), np.float32))),
    "slopes": ("regress", _waves, {}, lambda r: r.predict(np.ones((1, 9, 2), np.float32))),
    "amounts": (
        "regress",
        _table,
        {"target": ("a",), "ignore": ("label",), "distribution": "normal"},
        lambda r: r.predict(np.array([[1.0]], np.float32)),
    ),
    "sales": (
        "forecast",
        _sales,
        {"target": "sales", "horizon": 3, "members": 2},
        lambda r: r.predict([[1.0, 2.0, 3.0]]),
    ),
}


@functools.cache
def stranger(kind: str) -> Path:
    task, make, options, _ = KINDS[kind]
    return helo.train(task, make(), out=home() / f"stranger-{kind}", **SMALL | options).path


# What can happen to a folder. Each is (what, change, whether it must be refused: else it may also answer).

OTHERS: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    "",
    "x",
    [],
    [1],
    {},
    {"a": 1},
    10**30,
    1e400,
    float("nan"),
    "\ud800",
    "\x1b[31m",
]


def edited(name: str, change: Callable[[Any], Any]) -> Change:
    def spoil(run: Path) -> None:
        value = json.loads((run / name).read_text(encoding="utf-8"))
        after = change(value)
        (run / name).write_text(json.dumps(value if after is None else after), encoding="utf-8")

    return spoil


def put(name: str, path: tuple[Any, ...], new: Any) -> Change:
    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = new

    return edited(name, change)


def taken(name: str, path: tuple[Any, ...]) -> Change:
    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        del value[path[-1]]

    return edited(name, change)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in a JSON value, of long lists the first."""
    if path:
        yield path, value
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*path, 0))


def data_of(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda run: (run / name).write_bytes(change((run / name).read_bytes())) and None


def replaced(name: str, by: Callable[[Path], Any]) -> Change:
    def spoil(run: Path) -> None:
        (run / name).unlink()
        by(run / name)

    return spoil


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as s:
        before = os.getcwd()
        os.chdir(path.parent)  # a socket's name is short
        s.bind(path.name)
        os.chdir(before)


def files_in_place(kind: str) -> Iterator[tuple[str, Change, bool]]:
    """Other things where a file should be."""
    for name in ("run.json", "vocab.json", "weights.safetensors"):
        for what, by in (
            ("nothing", lambda p: None), ("a folder", Path.mkdir), ("a pipe", os.mkfifo), ("a socket", a_socket),
            ("a device", lambda p: p.symlink_to("/dev/zero")), ("a link to nowhere", lambda p: p.symlink_to("/nowhere/at/all")),
            ("a link to itself", lambda p: p.symlink_to(p)), ("a huge file", lambda p: (p.touch(), os.truncate(p, 1 << 40))),
        ):  # fmt: skip
            yield f"{name} is {what}", replaced(name, by), True
        for what, change in (
            ("empty", lambda b: b""), ("half", lambda b: b[: len(b) // 2]), ("without its end", lambda b: b[:-3]),
            ("NULs", lambda b: b"\0" * len(b)), ("a picture", lambda b: b"\x89PNG\r\n\x1a\n" * 9), ("deep", lambda b: b"[" * 100_000),
            ("deeper", lambda b: b'{"a":' * 100_000), ("text", lambda b: b"hello"), ("a number", lambda b: b"1"), ("twice", lambda b: b + b),
            ("in UTF-16", lambda b: b.decode("latin-1").encode("utf-16")), ("a long number", lambda b: b'{"a": ' + b"9" * 9999 + b"}"),
        ):  # fmt: skip
            yield f"{name} is {what}", data_of(name, change), True


def run_json(kind: str, seed: int, share: float) -> Iterator[tuple[str, Change, bool]]:
    """Each value of run.json as each other one: of another type it must be refused."""
    rng, about = random.Random(seed), folder.read_json(stranger(kind) / "run.json")
    for path, old in leaves(about):
        must = (path[0] in folder.MUST and len(path) == 1) or path[:2] in (("data", "train"), ("data", "valid"))
        for new in OTHERS:
            if type(new) is not type(old) and rng.random() < share:
                numbers = isinstance(new, int | float) and isinstance(old, int | float)
                python = path == ("data", "valid") and new == []  # of a run whose data came from Python
                yield f"run.json {path} = {new!r}", put("run.json", path, new), must and not numbers and not python
        if len(path) == 1 and path[0] in folder.MUST:
            yield f"run.json without {path}", taken("run.json", path), True
    sizes = [n for n in ("hidden", "layers", "embedding") if isinstance(about["options"].get(n), int)]
    for name in sizes:
        for new in ("16", 1.5, 0, -3, about["options"][name] + 1, 10**9, 10**30, [8]):
            yield (
                f"options.{name} = {new!r}",
                put("run.json", ("options", name), new),
                name != "embedding" or new in ("16", 1.5, 0, -3, [8]) or about["task"] not in ("classify", "tag"),
            )
    for new in (
        "lstn",
        "lstm,colour=red",
        "../cells/lstm",
        "os.path:join",
        "base",
        "functions",
        "/tmp/x.py:X",
        "x.PY:X",
    ):
        yield (
            f"cell = {new}",
            edited("run.json", lambda a, new=new: a | {"cell": new, "options": a["options"] | {"cell": new}}),
            True,
        )
    for new in ("ln", "base", "writing", "../tasks/lm", "os", *(t for t in tasks.names() if t != about["task"])):
        yield f"task = {new}", put("run.json", ("task",), new), True
    yield "cell and options.cell differ", put("run.json", ("cell",), "rnn"), True
    yield "another key", edited("run.json", lambda a: a | {"more": 1}), True
    yield "another option", edited("run.json", lambda a: a | {"options": a["options"] | {"more": 1}}), True
    yield "one number more", edited("run.json", lambda a: a | {"parameters": a["parameters"] + 1}), True


def vocab_json(kind: str, seed: int, share: float) -> Iterator[tuple[str, Change, bool]]:
    rng, vocab = random.Random(seed), folder.read_json(stranger(kind) / "vocab.json")
    for path, old in leaves(vocab):
        if path[:2] == ("vocab", "tokenizer"):
            continue
        for new in OTHERS:
            numbers = isinstance(new, int | float) and isinstance(old, int | float)
            if (
                type(new) is not type(old)
                and not numbers
                and not (old is None or (new is None and path[-1] in ("names", "weights", "spans", "selects")))
                and rng.random() < share
            ):
                yield f"vocab.json {path} = {new!r}", put("vocab.json", path, new), True
        if not isinstance(path[-1], int) and path[-1] not in ("names", "level", "weights", "selects", "usual", "unit"):
            yield f"vocab.json without {path}", taken("vocab.json", path), True
        if isinstance(old, str) and len(old) > 4:
            told = path[-1] in ("form", "unit", "view") or (path[-1] == "characters" and len(path) > 1)
            yield f"vocab.json {path} one sign less", put("vocab.json", path, old[:-1]), told
            if path[-1] in ("characters", "letters"):
                yield f"vocab.json {path} a sign twice", put("vocab.json", path, old[:-1] + old[0]), True
        if isinstance(old, list) and old and path[-1] != "mean":
            yield f"vocab.json {path} one less", put("vocab.json", path, old[:-1]), True
            if isinstance(old[0], str):
                yield f"vocab.json {path} one twice", put("vocab.json", path, [*old, old[0]]), True
    yield "vocab.json has more", edited("vocab.json", lambda v: v | {"more": 1}), True
    for other in KINDS:
        if other != kind:
            yield (
                f"vocab.json of {other}",
                lambda run, other=other: shutil.copy(stranger(other) / "vocab.json", run) and None,
                True,
            )


def _header(
    change: Callable[[dict[str, Any]], None], body: Callable[[bytes], bytes] = lambda b: b
) -> Callable[[bytes], bytes]:
    def made(data: bytes) -> bytes:
        n = struct.unpack("<Q", data[:8])[0]
        head = json.loads(data[8 : 8 + n])
        change(head)
        new = json.dumps(head).encode()
        return struct.pack("<Q", len(new)) + new + body(data[8 + n :])

    return made


def _arrays(head: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, entry) for name, entry in head.items() if name != "__metadata__"]


def _turned(head: dict[str, Any]) -> None:
    for _, entry in _arrays(head):
        entry["shape"] = entry["shape"][::-1]


def _swapped(head: dict[str, Any]) -> None:
    names = [name for name, _ in _arrays(head)]
    for a in names:
        for b in names:
            if head[a]["shape"] != head[b]["shape"]:
                head[a], head[b] = head[b], head[a]
                return


def safetensors(name: str, seed: int) -> Iterator[tuple[str, Change, bool]]:
    rng = random.Random(seed)
    first = lambda head: _arrays(head)[0][0]  # noqa: E731
    for what, change in (
        ("renamed", _header(lambda h: h.update({"stray": h.pop(first(h))}))),
        ("turned", _header(_turned)),
        ("swapped", _header(_swapped)),
        (
            "flat",
            _header(
                lambda h: (
                    [
                        e.update(shape=[int(np.prod(e["shape"]))])
                        for e in h.values()
                        if "shape" in e and len(e["shape"]) != 1
                    ]
                    and None
                )
            ),
        ),
        (
            "other type",
            _header(lambda h: [e.update(dtype="I32") for e in h.values() if e.get("dtype") == "F32"] and None),
        ),
        ("no such type", _header(lambda h: h[first(h)].update(dtype="F33"))),
        (
            "half precision",
            _header(
                lambda h: (
                    [e.update(dtype="BF16", shape=[*e["shape"], 2]) for e in h.values() if e.get("dtype") == "F32"]
                    and None
                )
            ),
        ),
        ("negative", _header(lambda h: h[first(h)].update(shape=[-1, 2]))),
        ("enormous", _header(lambda h: h[first(h)].update(shape=[1 << 62, 1 << 62]))),
        ("beyond", _header(lambda h: h[first(h)].update(data_offsets=[0, 1 << 60]))),
        ("NaN", _header(lambda h: None, lambda b: b"\xff" * len(b))),
        ("infinity", _header(lambda h: None, lambda b: b"\x00\x00\x80\x7f" * (len(b) // 4) + b"\0" * (len(b) % 4))),
        ("longer", lambda b: b + b"\0" * 64),
        ("no header", lambda b: struct.pack("<Q", 0) + b[8:]),
        ("a huge header", lambda b: struct.pack("<Q", 1 << 40) + b[8:]),
        ("a header of all", lambda b: struct.pack("<Q", len(b) - 8) + b[8:]),
        ("a header of 100 MB", lambda b: struct.pack("<Q", 100_000_000) + b"[" * 100_000_000),
    ):
        yield f"{name} {what}", data_of(name, change), (name, what) != ("live", "swapped")  # it has one array
    for _ in range(12):
        at, bit = rng.random(), 1 << rng.randrange(8)

        def flipped(data: bytes, at: float = at, bit: int = bit) -> bytes:
            place = int(at * (8 + struct.unpack("<Q", data[:8])[0]))
            return data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]

        yield f"{name} bit {bit} at {at:.4f} of its header", data_of(name, flipped), False
    for _ in range(8):
        at, bit = rng.random(), 1 << rng.randrange(8)
        yield (
            f"{name} bit {bit} at {at:.4f}",
            data_of(
                name,
                lambda b, at=at, bit=bit: (
                    b[: int(at * len(b))] + bytes([b[int(at * len(b))] ^ bit]) + b[int(at * len(b)) + 1 :]
                ),
            ),
            False,
        )


def damages(kind: str) -> Iterator[tuple[str, Change, bool]]:
    seed = list(KINDS).index(kind)
    yield from files_in_place(kind)
    yield from run_json(kind, seed, 0.25)
    yield from vocab_json(kind, seed, 0.25)
    yield from safetensors("weights.safetensors", seed)
    for other in KINDS:
        if other != kind:
            yield (
                f"weights of {other}",
                lambda run, other=other: shutil.copy(stranger(other) / "weights.safetensors", run) and None,
                True,
            )


def test_each_kind_answers():
    for kind, (*_, ask) in KINDS.items():
        assert ask(helo.load(stranger(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_damaged(kind, tmp_path, recwarn):
    """Refused in one line, whatever it is; where it may answer after all, it does without a warning."""
    ask, count = KINDS[kind][3], 0
    for n, (what, change, must) in enumerate(damages(kind)):
        run = tmp_path / f"{n}"
        shutil.copytree(stranger(kind), run)
        change(run)
        count += must
        try:
            ask(helo.load(run))
            assert not must, f"{what}: accepted"
        except HeloError as error:
            assert "\n" not in str(error), what
            assert "\x1b" not in str(error), what
            assert str(run) in str(error), f"{what}: {error}"
        except BaseException as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
        shutil.rmtree(run)
    assert count >= 90, count


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1e30, 3e38])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_weights_beyond_all_use(kind, size, tmp_path):
    """Finite, as a bit that is wrong leaves them: what is answered is a number, or the file is named."""
    run = tmp_path / "run"
    shutil.copytree(stranger(kind), run)
    weights, _ = arrays.read_arrays(run / "weights.safetensors")
    signs = {n: np.where(np.arange(w.size).reshape(w.shape) % 2, size, -size) for n, w in weights.items()}
    arrays.write_arrays(run / "weights.safetensors", {n: s.astype(np.float32) for n, s in signs.items()})
    for ask in (KINDS[kind][3], lambda r: r.evaluate()):
        try:
            json.dumps(ask(helo.load(run)), allow_nan=False)
        except HeloError as error:
            assert error.where == str(run / "weights.safetensors"), error


@pytest.mark.parametrize("mean, spread", [(1e39, 1), (-1e200, 1), (0, 1e39), (0, 1e-45), (0, 0), (0, -1)])
@pytest.mark.parametrize("kind, form", [("rows", ("input", "numbers")), ("frames", ("input",)), ("digits", ("input",))])
def test_scales_beyond_float32(kind, form, mean, spread, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(stranger(kind), run)

    def change(vocab: Any) -> None:
        for name in form:
            vocab = vocab[name]
        for name, value in (("mean", mean), ("spread", spread)):
            if value != 0 or name == "spread":
                vocab[name] = [float(value)] * len(vocab[name]) if isinstance(vocab[name], list) else float(value)

    edited("vocab.json", change)(run)
    if spread == 1e-45 and kind != "digits":  # far beyond the spread is as far as may be
        assert KINDS[kind][3](helo.load(run))
        return
    with pytest.raises(HeloError, match=r"vocab\.json"):
        KINDS[kind][3](helo.load(run))


def test_a_figure_that_is_no_number_is_null_in_json(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(stranger("text"), run)
    put("run.json", ("figures", "nats"), float("nan"))(run)
    done = helo_command("info", run, "--json")
    assert done.code == 0
    assert json.loads(done.out, parse_constant=pytest.fail)["figures"]["nats"] is None


@pytest.mark.parametrize("value", ["nan", "inf", "1e39", "-1e300", "x"])
def test_an_option_of_a_cell_is_a_number_of_float32(value):
    with pytest.raises(HeloError, match="forget_bias"):
        helo.cells.find(f"lstm,forget_bias={value}")


def test_damaged_on_the_command_line(tmp_path):
    """Exit code 2 and one line, of some of them."""
    some = [d for kind in ("text", "spans") for d in list(damages(kind))[::37] if d[2]]
    assert len(some) >= 8
    for n, (what, change, _) in enumerate(some):
        run = tmp_path / f"{n}"
        shutil.copytree(stranger("text" if n < len(some) // 2 else "spans"), run)
        try:
            change(run)
        except (KeyError, IndexError):  # a change for the other one
            continue
        done = (
            helo_command("predict", run, "-", stdin=b"Anna\n")
            if "spans" in what
            else helo_command("sample", run, "-n", 3)
        )
        assert done.code == 2, f"{what}: {done}"
        assert len(done.err.splitlines()) == 1, f"{what}: {done.err}"


# States.


def states(file: str, seed: int) -> Iterator[tuple[str, Change, bool]]:
    for what, change in (
        ("empty", lambda b: b""), ("half", lambda b: b[: len(b) // 2]), ("NULs", lambda b: b"\0" * len(b)), ("text", lambda b: b"hello"),
    ):  # fmt: skip
        yield f"{file} {what}", data_of(file, change), True
    for what, by in (
        ("a folder", Path.mkdir), ("a pipe", os.mkfifo), ("a device", lambda p: p.symlink_to("/dev/zero")),
    ):  # fmt: skip
        yield f"{file} is {what}", replaced(file, by), True
    yield from safetensors(file, seed)

    def about(**new: Any) -> Callable[[bytes], bytes]:
        def change(head: dict[str, Any]) -> None:
            told = json.loads(head["__metadata__"]["about"])
            head["__metadata__"]["about"] = json.dumps(told | new)

        return _header(change)

    own = json.loads(
        arrays.read_arrays.__globals__["safe_open"](str(_states()[file.split("/")[-1]]), "numpy").metadata()["about"]
    )
    for key, old in own.items():
        for new in OTHERS:
            if (
                type(new) is not type(old)
                and not (isinstance(new, int | float) and isinstance(old, int | float))
                and old is not None
            ):
                must = key not in ("total", "model") or new is not None
                yield f"{file} about.{key} = {new!r}", data_of(file, about(**{key: new})), must
    yield f"{file} without about", data_of(file, _header(lambda h: h.pop("__metadata__") and None)), True
    yield f"{file} about a list", data_of(file, _header(lambda h: h["__metadata__"].update(about="[1]"))), True
    yield f"{file} about deep", data_of(file, _header(lambda h: h["__metadata__"].update(about="[" * 50_000))), True


@functools.cache
def _states() -> dict[str, Path]:
    place = home() / "states"
    place.mkdir()
    stream = helo.load(stranger("text")).stream(2)
    stream.feed("The ")
    stream.save(place / "stream")
    live = helo.load(stranger("frames")).live()
    live.feed(np.zeros(3, np.float32))
    live.save(place / "live")
    return {
        "stream": place / "stream",
        "live": place / "live",
        "state.safetensors": stranger("text") / "last/state.safetensors",
    }


@pytest.mark.parametrize("name", ["stream", "live"])
def test_damaged_state(name, tmp_path):
    run = helo.load(stranger("text" if name == "stream" else "frames"))
    for n, (what, change, must) in enumerate(states(name, 7)):
        place = tmp_path / f"{n}"
        place.mkdir()
        shutil.copy(_states()[name], place / name)
        change(place)
        try:
            if name == "stream":
                list(run.stream(state=place / name).write(2))
            else:
                run.live(state=place / name).feed(np.zeros(3, np.float32))
            assert not must, f"{what}: accepted"
        except HeloError as error:
            assert "\n" not in str(error), what
            assert str(place) in str(error), what
        except BaseException as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error


def test_damaged_training(tmp_path):
    """Of `last/`, when a training is to go on; the weights stand."""
    _, make, options, _ = KINDS["text"]
    text, n = make(), 0
    for n, (what, change, must) in enumerate(states(folder.STATE, 5)):
        if n % 3 and "about" not in what:
            continue
        run = tmp_path / f"{n}"
        shutil.copytree(stranger("text"), run)
        change(run)
        before = (run / "weights.safetensors").read_bytes()
        try:
            helo.train("lm", text, out=run, resume=True, **SMALL | options | {"steps": 3})
            assert not must, f"{what}: accepted"
        except HeloError as error:
            assert "\n" not in str(error), what
            assert str(run) in str(error), what
            assert (run / "weights.safetensors").read_bytes() == before
        except BaseException as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("name", ["metrics.jsonl", "loss.png", "README.md"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_a_folder_leads_no_writing_out_of_it(name, there, tmp_path):
    _, make, options, _ = KINDS["text"]
    text, run, other = make(), tmp_path / "run", tmp_path / "other"
    shutil.copytree(stranger("text"), run)
    (run / name).unlink()
    (run / name).symlink_to(other)
    if there:
        other.write_text("mine")
    helo.train("lm", text, out=run, resume=True, **SMALL | options | {"steps": 3})
    assert other.exists() == there
    assert not there or other.read_text() == "mine"
    assert (run / name).is_file()
    assert not (run / name).is_symlink()


# Whose code runs.

EVIL = "import pathlib\npathlib.Path({!r}).touch()\nfrom helo.cells.lstm import LSTM\nclass Evil(LSTM):\n    pass\n"


@pytest.fixture
def evil(tmp_path):
    """A run that names a cell by its file, and the mark that the file leaves when it runs."""
    run, mark = tmp_path / "run", tmp_path / "ran"
    shutil.copytree(trained(), run)
    (run / "cell.py").write_text(EVIL.format(str(mark)))
    cell = f"{run}/cell.py:Evil"
    edited("run.json", lambda a: a | {"cell": cell, "options": a["options"] | {"cell": cell}})(run)
    return run, mark, cell


def test_a_strangers_code_does_not_run(evil, tmp_path):
    run, mark, _ = evil
    text = _written("short.txt", prose(2000))
    for words in (
        ("sample", run, "-n", 3), ("eval", run), ("eval", run, text), ("eval", run, text, "--dynamic"), ("predict", run, "-"),
        ("train", "lm", text, "--like", run, "--steps", 2, "--out", tmp_path / "a"),
        ("train", "lm", text, "--start", run, "--steps", 2, "--out", tmp_path / "b"),
        ("train", "lm", text, "--out", run, "--resume", "--steps", 99), ("train", "lm", "--out", run, "--resume"),
        ("sample", run, "-n", 3, "--cell", "lstm"),
    ):  # fmt: skip
        done = helo_command(*words)
        assert not mark.exists(), words
        assert done.code == 2, words
        assert "cell" in done.err, done.err
        assert len(done.err.splitlines()) == 1, words
    assert helo_command("info", run).code == 0
    assert not mark.exists()
    for ask in (lambda: helo.load(run).sample("The ", 2), lambda: helo.load(run, cell="lstm").sample("The ", 2)):
        with pytest.raises(HeloError, match="cell"):
            ask()
    assert not mark.exists()


@pytest.mark.parametrize("way", ["sample", "info", "trust", "cell", "like", "resume"])
def test_ones_own_word_runs_it(way, evil, tmp_path):
    run, mark, cell = evil
    text = _written("prose-6000.txt", prose(6000))
    elsewhere = shutil.copy(run / "cell.py", tmp_path / "mine.py")
    asked = {
        "sample": lambda: helo_command("sample", run, "-n", 3, "--cell", cell).code == 0,
        "info": lambda: helo_command("info", run, "--cell", cell).code == 0 and not mark.exists() and mark.touch() is None,
        "trust": lambda: helo.load(run, trust=True).sample("The ", 2),
        "cell": lambda: helo.load(run, cell=f"{elsewhere}:Evil").sample("The ", 2),
        "like": lambda: helo.train("lm", text, out=tmp_path / "c", like=run, trust=True, steps=2),
        "resume": lambda: helo.train("lm", text, out=run, resume=True, cell=cell, steps=22),
    }  # fmt: skip
    assert asked[way]()
    assert mark.exists()


# What a folder says reaches nobody's terminal as it is.


def test_no_escape_sequence_reaches_a_person(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(stranger("reviews"), run)
    steer = "\x1b]0;hello\x07\x1b[2J"
    for what in ({"task": steer}, {"helo": steer, "cell": steer}, {steer: 1}):
        edited("run.json", lambda a, what=what: a | what)(run)
        for words in (("info", run), ("predict", run, "-"), ("predict", run, f"{steer}.tsv")):
            assert "\x1b" not in helo_command(*words, stdin=b"good\n").err


def test_a_terminal_is_not_steered(monkeypatch, capsys, tmp_path):
    """Of labels and of text that is written; what goes into a pipe is as it is."""
    run = tmp_path / "run"
    shutil.copytree(stranger("reviews"), run)
    put("vocab.json", ("labels", 0), "\x1b[31mred\x1b[2J")(run)
    put("vocab.json", ("labels", 1), "\x9b31m\u202egreen")(run)
    from helo.cli import flags

    label = helo.load(run).predict(["good thing"])[0]["label"]
    flags.tell(label)
    assert capsys.readouterr().out == label + "\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    flags.tell(label + "\tone\n\u00e9\u6f22")
    out = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\u202e"} & set(out)
    assert out.endswith("\tone\n\u00e9\u6f22\n")


# What a run names is not searched for.


@pytest.mark.parametrize("named", [["/"], ["/**"], ["/nowhere"], ["\0"], ["."], ["-"]], ids=str)
def test_recorded_files_are_files(named, tmp_path):
    for kind in ("text", "reviews"):
        run = tmp_path / kind
        shutil.copytree(stranger(kind), run)
        put("run.json", ("data", "train"), named)(run)
        with pytest.raises(HeloError) as error:
            helo.load(run).evaluate()
        assert "files" in error.value.mend
        os.mkfifo(run / "pipe")
        put("run.json", ("data", "train"), [str(run / "pipe")])(run)
        with pytest.raises(HeloError) as error:
            helo.load(run).evaluate()
        assert "files" in error.value.mend


def test_a_great_model_takes_no_memory(tmp_path):
    """Its sizes are compared before there is anything of them."""
    import tracemalloc

    for name in ("hidden", "embedding", "layers"):
        run = tmp_path / name
        shutil.copytree(stranger("text"), run)
        put("run.json", ("options", name), 10**9)(run)
        tracemalloc.start()
        with pytest.raises(HeloError, match=rf"{run}/\w+"):
            helo.load(run).sample("The ", 2)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
        tracemalloc.stop()


def test_sizes_are_those_of_fresh_weights():
    from helo.runs.sizes import expected

    for kind in KINDS:
        run = helo.load(stranger(kind))
        fresh = run.task.model.init(np.random.default_rng(0))
        assert expected(run.task, 10**6, 100) == {n: (p.shape, p.dtype) for n, p in fresh.items()}


def test_the_schema_says_what_is_looked_at():
    import jsonschema

    schema, about = folder.schema(), folder.read_json(stranger("text") / "run.json")
    assert set(schema["properties"]) == set(folder.ABOUT)
    assert tuple(schema["required"]) == folder.MUST
    for key in about.keys() - {"format"}:  # which `describe` has looked at before
        for new in OTHERS:
            changed = about | {key: new}
            with pytest.raises((HeloError, ValueError)) if not _fits(jsonschema, changed, schema) else _nothing():
                folder._looked_at(changed)
    for key in about["data"]:
        for new in OTHERS:
            changed = about | {"data": about["data"] | {key: new}}
            with pytest.raises((HeloError, ValueError)) if not _fits(jsonschema, changed, schema) else _nothing():
                folder._looked_at(changed)


def _fits(jsonschema: Any, value: Any, schema: Any) -> bool:
    try:
        jsonschema.validate(value, schema)
    except jsonschema.ValidationError:
        return False
    return True


def _nothing() -> Any:
    import contextlib

    return contextlib.suppress(HeloError, ValueError)


def test_a_start_up_is_short():
    """Nothing that looks at files is imported before there is one to look at."""
    code = "import sys, helo.cli; assert not {'jsonschema', 'torch', 'numpy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_cell_that_its_person_named_once_is_remembered_until_it_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("HELO_TRUSTED", str(tmp_path / "trusted"))
    file = tmp_path / "mine.py"
    file.write_text("from helo.cells.lstm import LSTM\nclass Mine(LSTM):\n    pass\n")
    text = tmp_path / "t.txt"
    text.write_text("the cat sat on the mat. " * 200)
    small = {"hidden": 8, "embedding": 8, "streams": 2, "chunk": 8, "steps": 3}
    helo.train("lm", text, out=tmp_path / "run", cell=f"{file}:Mine", **small)
    assert len(helo.load(tmp_path / "run").sample("the", 5, seed=1)) == 5
    file.write_text(file.read_text() + "# changed\n")
    with pytest.raises(HeloError, match=r"mine\.py"):
        helo.load(tmp_path / "run").sample("the", 5, seed=1)


def test_a_pipe_in_place_of_a_cell_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HELO_TRUSTED", str(tmp_path / "trusted"))
    (tmp_path / "trusted").write_text("0\n")
    os.mkfifo(tmp_path / "cell.py")
    assert not remembered(f"{tmp_path / 'cell.py'}:Evil")


def test_what_runs_of_a_file_is_what_a_person_can_read(tmp_path):
    """Not what lies compiled beside it."""
    import importlib.util
    import py_compile

    file, other, mark = tmp_path / "mine.py", tmp_path / "other.py", tmp_path / "ran"
    file.write_text("from helo.cells.lstm import LSTM\nclass Mine(LSTM):\n    pass\n")
    other.write_text(EVIL.format(str(mark)))
    beside = importlib.util.cache_from_source(str(file))
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(other), beside, invalidation_mode=unchecked)
    assert type(helo.cells.find(f"{file}:Mine")).__name__ == "Mine"
    assert not mark.exists()
    file.write_text(file.read_text().replace("Mine", "Yours"))
    assert type(helo.cells.find(f"{file}:Yours")).__name__ == "Yours", "a file that is changed is read again"

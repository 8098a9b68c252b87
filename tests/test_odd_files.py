"""Odd files and arrays: each ends in the right value, or is refused in one line that names its place."""

from __future__ import annotations

import gzip
import io
import json
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fixtures import helo_command
from helo import tasks
from helo.data import readers
from helo.data.readers import conll, encoding, numbers, pairs, series, table
from helo.errors import HeloError
from helo.inputs.words import Words

TEXTS = "text,label\n" + "a b,x\nc d,y\n" * 3
NUMBERS = "a,b,label\n" + "1,2,x\n3,4,y\n" * 3
BEYOND = ["1.7976931348623157e+308", "1.8e308", "1e39", "-1e39", "3.5e38", "1e400", "inf", "-Infinity"]
NONE = ["nan", "NaN", "0x10", "1_000", '"1,000"', '"1,5"', "\u0661\u0662", "\u22125", "1d5", "NA", "", "1 000", "TRUE"]
GOOD = ["-3.4e38", "1e-400", "16777217", " 7 ", "5.", ".5", "+1e5"]


def understood(task: str, files, **options):
    """The examples of files, learned from and encoded: nothing of them is anything but a number."""
    kind = tasks.find(task)
    found = kind.source.read(files, kind.Options(**options))[0]
    model = kind.from_dataset(kind.Options(**options), found)
    model.data = {}
    encoded = model.encode(found)
    model.targets(found)
    for values in encoded.batch(np.arange(len(found))).values():
        assert np.isfinite(values).all()
    json.dumps(model.to_json()[1], allow_nan=False)
    return found, model


def refused(*args, **options) -> str:
    with pytest.raises(HeloError) as error:
        understood(*args, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# Numbers


@pytest.mark.parametrize("value", BEYOND + NONE)
def test_what_is_no_number_is_refused_by_its_place_in_every_reader(tmp_path, value):
    bare = value.strip('"')
    absent = numbers.nothing(bare)
    for task, name, content, options, where in (
        ("classify", "t.csv", f"{NUMBERS}{value},4,x\n", {}, ":8: "),
        ("tag", "v.csv", f"{NUMBERS}{value},4,x\n", {}, ":8: "),
        (
            "classify",
            "j.jsonl",
            '{"a": 1, "label": "x"}\n{"a": 2, "label": "y"}\n' * 2 + json.dumps({"a": bare, "label": "x"}),
            {},
            ":5: ",
        ),
    ):
        if absent and task == "classify":
            assert np.isnan(understood(task, [written(tmp_path / name, content)])[0].inputs[-1][0])
            continue
        said = refused(task, [written(tmp_path / name, content)], **options)
        assert f"{name}{where}" in said
        assert "'a'" in said, said
    if "," in bare or " " in bare or not bare:
        return
    written(tmp_path / "v_targets.txt", "0\n1\n")
    assert "v_datapoints.txt:3: " in refused("tag", [written(tmp_path / "v_datapoints.txt", f"a b\n1 2\n3 {value}\n")])
    if not absent:  # there, and in series, it says that a value is missing
        header = "@classLabel true a b\n@data\n"
        assert "s.ts:7: " in refused(
            "classify", [written(tmp_path / "s.ts", header + "1,2:a\n3,4:b\n" * 2 + f"1,{value}:a\n")]
        )
        assert "X_TRAIN.tsv:3: " in refused(
            "classify", [written(tmp_path / "X_TRAIN.tsv", f"1\t2\t3\n2\t3\t4\n1\t{value}\t3\n")]
        )
        rows = "s,a,label\n1,1,x\n2,2,y\n3,1,x\n4,2,y\n"
        assert "g.csv:6: " in refused("classify", [written(tmp_path / "g.csv", f"{rows}5,{value},x\n")], group="s")
    with pytest.raises(HeloError, match=r"v\.vec:2: "):
        Words.learn([["a", "b"]], 4, 0, written(tmp_path / "v.vec", f"a 1 2\nb 1 {value}\n"))
    model = understood("classify", [written(tmp_path / "t.csv", NUMBERS)])[1]
    if absent:
        assert np.isnan(model.source.lines(model, f"1 2\n{value} 2\n").inputs[1, 0])
        return
    with pytest.raises(HeloError, match="standard input:2: "):
        model.source.lines(model, f"1 2\n{value} 2\n")


@pytest.mark.parametrize("value", GOOD)
def test_what_is_a_number_is_read_as_it_stands(tmp_path, value):
    found, model = understood("classify", [written(tmp_path / "t.csv", f"{NUMBERS}{value},4,x\n")])
    assert found.inputs[-1].tolist() == [float(value), 4.0]
    assert np.isfinite(model.form.numbers.std).all()


def test_large_numbers_that_differ_by_little_stay_apart(tmp_path):
    for a, b in (("1700000001", "1700000002"), ("1e-9", "3e-9"), ("16777216", "16777217"), ("1e38", "-1e38")):
        found, model = understood(
            "classify", [written(tmp_path / "t.csv", f"a,label\n{a},x\n{b},y\n" * 1 + f"{a},x\n{b},y\n")]
        )
        x = model.encode(found).batch(np.arange(2))["xs"]
        assert abs(x[0, 0] - x[1, 0]) == pytest.approx(2.0)
    found, model = understood("classify", [written(tmp_path / "t.csv", "a,label\n0.1,x\n0.1,y\n0.1,x\n0.1,y\n")])
    assert abs(model.encode(found).batch(np.arange(4))["xs"]).max() < 1e-6


def stored(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


X, Y = np.random.default_rng(0).standard_normal((10, 3)), np.array([0, 1] * 5)


def spoiled(value, dtype: type = np.float64) -> np.ndarray:
    x = X.astype(dtype)
    x[3, 1] = value
    return x


@pytest.mark.parametrize(
    "arrays, named",
    [
        ({"x": spoiled(1e39), "y": Y}, ["x[3, 1]", "1e+39"]),
        ({"x": spoiled(-np.inf, np.float16), "y": Y}, ["x[3, 1]", "-inf"]),
        ({"x": X + 1j, "y": Y}, ["complex128"]),
        ({"x": X.astype(str), "y": Y}, ["<U", "numbers"]),
        ({"x": np.zeros(10, [("a", "f4")]), "y": Y}, ["f4", "numbers"]),
        ({"x": np.zeros(10, "V8"), "y": Y}, ["V8", "numbers"]),
        ({"x": np.full((10, 3), np.datetime64("2024-01-01")), "y": Y}, ["datetime64"]),
        ({"x": np.array([sys.exit], object), "y": Y}, ["objects"]),
        ({"x": np.array(3.0), "y": Y}, ["x ", " ()"]),
        ({"x": X[:, 0], "y": Y}, ["x ", "(10,)"]),
        ({"x": X[:0], "y": Y[:0]}, ["x ", "(0, 3)"]),
        ({"x": X[:, :0], "y": Y}, ["x ", "(10, 0)"]),
        ({"x": np.zeros((10, 0, 3), np.uint8), "y": Y}, ["x ", "(10, 0, 3)"]),
        ({"x": X, "y": Y[:9]}, ["10 examples", "9 labels"]),
        ({"x": X, "y": np.array(1)}, ["10 examples", "1 label"]),
        ({"x": X, "y": np.where(Y, np.inf, 1.0)}, ["y[1]", "inf"]),
        ({"x": X, "y": Y + 1j}, ["labels", "complex128"]),
        ({"x": X, "y": np.array([b"a", b"\xff"] * 5)}, ["UTF-8"]),
        ({"z": X, "y": Y}, ["z, y"]),
        ({}, ["arrays", "none"]),
    ],
)  # fmt: skip
def test_arrays_that_are_refused(tmp_path, arrays, named):
    said = refused("classify", [stored(tmp_path / "a.npz", **arrays)])
    for part in ("a.npz", *named):
        assert part in said, said


@pytest.mark.parametrize(
    "x",
    [
        X.astype(">f8"),
        np.asfortranarray(X),
        X.astype(np.float16),
        X > 0,
        X.astype(np.longdouble),
        X * 1e38,
        np.ones((10, 3)),
    ],
)
def test_arrays_of_every_kind_of_numbers(tmp_path, x):
    found, _ = understood("classify", [stored(tmp_path / "a.npz", x=x, y=Y.astype(">i4"))])
    np.testing.assert_array_equal(found.inputs, x)
    understood("tag", [stored(tmp_path / "a.npz", x=x, y=Y)])
    pictures = (
        np.ones((10, 4, 4, 1), np.float32) * np.float32(1e30) * np.arange(10, dtype=np.float32)[:, None, None, None]
    )
    understood("classify", [stored(tmp_path / "p.npz", x=pictures, y=Y)])


def test_archives_that_lie(tmp_path):
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }"
    for content in (header % b"1000000000000000", header % b"-1", b"\x93NUMPY\x01\x00v\x00{'descr': (((", b"", b"junk"):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", content.ljust(128) if content else b"")
        assert "a.npz: " in refused("classify", [tmp_path / "a.npz"])
    for content in (b"MATLAB 7.3 MAT-file".ljust(200), b"\x89HDF\r\n\x1a\n".ljust(200)):
        pytest.importorskip("scipy.io")
        assert "a.mat: " in (said := refused("classify", [written(tmp_path / "a.mat", content)]))
        assert "7.3" in said
        assert "-v7" in said


# DataFrames and arrays in Python


def model_of(tmp_path, content: str, task: str = "classify", **options):
    model = understood(task, [written(tmp_path / "learn.csv", content)], hidden=8, **options)[1]
    random = np.random.default_rng(1)
    parameters = {n: random.standard_normal(p.shape).astype(np.float32) for n, p in model.model.init(random).items()}
    return model, lambda source: model.predict(parameters, source)


@pytest.fixture(params=["pandas", "polars"])
def frame(request):
    return pytest.importorskip(request.param).DataFrame


def test_columns_of_a_frame_are_taken_by_their_names_as_those_of_files_are(tmp_path, frame):
    model, predict = model_of(tmp_path, "a,b,label\n" + "1,2,x\n3,4,y\n0,9,x\n" * 3)
    columns = {"a": [1.0, 3.0, 0.0], "b": [2.0, 4.0, 9.0]}
    wanted = predict(np.array(list(columns.values())).T)
    several = {
        "reordered": {"b": columns["b"], "a": columns["a"]},
        "case": {"A": columns["a"], "b": columns["b"]},
        "one more": columns | {"c": [1, 2, 3]},
        "label": columns | {"label": ["x", "y", "q"]},
        "text": {"a": ["1", "3", "0"], "b": ["2", "4", "9"]},
        "one more text": columns | {"name": ["p", "q", "r"]},
    }
    for what, given in several.items():
        rows = [",".join(given), *(",".join(map(str, row)) for row in zip(*given.values(), strict=True))]
        file = written(tmp_path / "asked.csv", "\n".join(rows) + "\n")
        assert predict(frame(given)) == predict(model.source.unlabelled(model, [file])) == wanted, what
    for value, said in (
        ({"a": columns["a"]}, "'b'"),
        (columns | {"a": [1.0, 1e39, 2.0]}, "row 1.*'a'"),
        (columns | {"a": [1.0, float("inf"), 2.0]}, "row 1.*'a'"),
        (columns | {"a": ["p", "q", "r"]}, "row 0.*'a'"),
    ):
        with pytest.raises(HeloError, match=said):
            predict(frame(value))
        rows = [
            ",".join(value),
            *(",".join("" if v is None else str(v) for v in row) for row in zip(*value.values(), strict=True)),
        ]
        with pytest.raises(HeloError, match=said.replace("row 1", r"asked\.csv:3").replace("row 0", r"asked\.csv:2")):
            predict(model.source.unlabelled(model, [written(tmp_path / "asked.csv", "\n".join(rows) + "\n")]))
    told = frame(columns | {"label": ["x", "y", "x"]})
    assert model.evaluate(model.model.init(np.random.default_rng(0)), {}, told)["examples"] == 3


def test_texts_and_frames_and_conversations_of_a_frame(tmp_path, frame):
    _, predict = model_of(tmp_path, TEXTS)
    assert predict(frame({"more": [1, 2], "text": ["a b", "c"]})) == predict(["a b", "c"])
    assert predict(frame({"text": ["a b", "c"]})["text"]) == predict(["a b", "c"])
    for value, said in (
        ({"review": ["a"]}, "review"),
        ({"text": ["a", None]}, "row 1"),
        ({"text": ["a", " "]}, "row 1"),
    ):
        with pytest.raises(HeloError, match=said):
            predict(frame(value))
    _, predict = model_of(tmp_path, "a,b,label\n1,2,x\n3,4,y\n", "tag")
    one = frame({"b": [2.0, 4.0], "a": [1.0, 3.0]})
    (alone,), several, (array,) = predict(one), predict([one, one]), predict([np.array([[1.0, 2.0], [3.0, 4.0]])])
    for answer in (*several, array):
        assert answer["labels"] == alone["labels"]
        for a, b in zip(answer["tags"], alone["tags"], strict=True):
            assert a == b | {"probability": pytest.approx(b["probability"], rel=1e-4)}
    with pytest.raises(HeloError, match="'b'"):
        predict(frame({"a": [1.0]}))
    talk = "d,text,label\n1,a b,x\n1,b c,y\n2,c,x\n"
    _, predict = model_of(tmp_path, talk, "tag", group="d")
    assert predict(frame({"text": ["a b", "b c"], "d": [1, 1]})) == predict([[("", "a b"), ("", "b c")]])
    told, _ = readers.read(frame({"target": ["A"], "source": ["a"]}), None, "text")  # pyright: ignore[reportArgumentType]
    assert (told.inputs, told.labels) == (["a"], ["A"])


@pytest.mark.parametrize(
    "source",
    [None, 5, pytest.param(object(), id="object"), {"a": 1}, "text", [1, 2], [[1, 2], [3]], np.zeros((2, 3)), np.array([[1, np.inf]]), np.array([[1, 1e39]]),
     np.array([[1, None]], object), np.array([["1", "2"]]), np.zeros((2, 2), complex), np.ma.masked_equal([[1.0, 2.0]], 1), []],
    ids=repr,
)  # fmt: skip
def test_what_is_no_array_of_examples_is_refused(tmp_path, source):
    _, predict = model_of(tmp_path, NUMBERS)
    with pytest.raises(HeloError, match="input"):
        predict(source)


@pytest.mark.parametrize("source", [None, ["a", None], [b"a"], [["a"]], np.zeros((2, 2))], ids=repr)
def test_what_is_no_text_is_refused(tmp_path, source):
    _, predict = model_of(tmp_path, TEXTS)
    with pytest.raises(HeloError, match="input"):
        predict(source)


# Tables


@pytest.mark.parametrize(
    "name, content, named",
    [
        ("t.csv", TEXTS + "a, b,x\n", ["t.csv:8", " 3 "]),
        ("t.csv", TEXTS + "a\n", ["t.csv:8", " 1 "]),
        ("t.csv", TEXTS + 'a,"x\nb,y\nc,x\n', ["t.csv:8", "quote"]),
        ("t.csv", TEXTS + '"a,x\nb,y\n', ["t.csv:8", "quote"]),
        ("t.csv", TEXTS + "a\0b,x\n", ["t.csv:8", "byte 48 "]),
        ("t.csv", "text,text,label\na,b,x\n", ["t.csv:1", "'text'"]),
        ("t.csv", "\n\n,text,label\nq,a,x\n", ["t.csv:3", "name"]),
        ("t.csv", '"', ["t.csv"]),
        ("t.csv", ",,\n,,\n", ["t.csv", "no rows"]),
        ("t.csv", " \n\n", ["t.csv", "empty"]),
        ("t.csv", "text,label\n", ["t.csv", "no rows"]),
        ("t.csv", TEXTS + "q, \n", ["t.csv:8", "no label"]),
        ("t.csv", "a;b;label\n" + "1,5;2;x\n3;4;y\n" * 2, ["t.csv:2", "'1,5'", "'a'"]),
        ("t.tsv", TEXTS.replace(",", "\t") + "a\tb\tx\n", ["t.tsv:8", " 3 "]),
        ("t.jsonl", '{"text": "a", "label": "x",}\n', ["t.jsonl:1", "JSON"]),
        ("t.jsonl", '{"text": "a", "text": "b", "label": "x"}\n', ["t.jsonl:1", "'text'", "twice"]),
        ("t.jsonl", '{"text": {"a": 1}, "label": "x"}\n', ["t.jsonl:1", "'text'"]),
        ("t.jsonl", '{"text": ["a"], "label": "x"}\n', ["t.jsonl:1", "a list"]),
        ("t.jsonl", '{"text": "a", "label": {"b": 1}}\n', ["t.jsonl:1", "'label'"]),
        ("t.jsonl", '{"text": "a", "label": [["b"]]}\n', ["t.jsonl:1", "'label'"]),
        ("t.jsonl", '{"text": "\\ud800", "label": "x"}\n', ["t.jsonl:1", "\\ud800"]),
        ("t.jsonl", '{"text": "a\\u0000", "label": "x"}\n', ["t.jsonl:1", "\\u0000"]),
        ("t.jsonl", '{"text": NaN, "label": "x"}\n', ["t.jsonl:1", "'text'"]),
        ("t.jsonl", '{"text": "a", "label": NaN}\n', ["t.jsonl:1", "no label"]),
        ("t.jsonl", '{"text": "a", "label": "x"}\n{"text": "a"}\n', ["t.jsonl:2", "no label"]),
        ("t.jsonl", '[{"text": "a", "label": "x"},\n', ["t.jsonl:1", "jq"]),
        ("t.jsonl", "[" * 100_000, ["t.jsonl:1", "deep"]),
        ("t.jsonl", '{"text": "a", "label": 1' + "0" * 5000 + "}\n", ["t.jsonl:1", "JSON"]),
        ("t.jsonl", "{}\n", ["t.jsonl:1", "keys"]),
        ("t.jsonl", "null\n", ["t.jsonl:1", "object"]),
        ("t.jsonl", "", ["t.jsonl", "no rows"]),
        ("t.ts", "@classLabel true a b\n@data\n1,2:3,4\n", ["t.ts:3", "'3,4'"]),
        ("t.ts", "@classLabel true a b\n@data\n1,2:a\n3,4\n", ["t.ts:4", "no label"]),
        ("X_TRAIN.tsv", "1\t2\n1e400\t2\n", ["X_TRAIN.tsv:2", "1e400"]),
    ],
)  # fmt: skip
def test_rows_that_are_refused(tmp_path, name, content, named):
    said = refused("classify", [written(tmp_path / name, content)])
    for part in named:
        assert part in said, said


def test_rows_as_strangers_write_them(tmp_path):
    for content in (
        "\ufeff" + TEXTS,
        TEXTS.replace("\n", "\r"),
        TEXTS.replace("\n", "\r\n"),
        "\n\n" + TEXTS,
        TEXTS.replace(",", ";"),
    ):
        found, _ = understood("classify", [written(tmp_path / "t.csv", content)])
        assert found.inputs == ["a b", "c d"] * 3
    odd = 'q,x \nr,\u00a0x\n"s, ""t""",x\n\ufeffu,x\nsay "v",x\n' + "w " * 100_000 + ",x\n"
    found, _ = understood("classify", [written(tmp_path / "t.csv", TEXTS + odd)])
    assert found.inputs[6:-1] == ["q", "r", 's, "t"', "u", 'say "v"']
    assert set(found.labels or ()) == {"x", "y"}
    more = '{"text": "a", "label": "x"}\n{"text": "\\ud83d\\ude00", "label": "y", "more": [1]}\n' * 2
    found, _ = understood("classify", [written(tmp_path / "t.jsonl", "\ufeff" + more)])
    assert found.inputs[:2] == ["a", "\U0001f600"]
    wide = ",".join(f"c{i}" for i in range(20_000))
    rows = "".join(f"{','.join([v] * 20_000)},{y}\n" for v, y in (("1", "x"), ("2", "y")) * 2)
    found, _ = understood("classify", [written(tmp_path / "t.csv", f"{wide},label\n{rows}")])
    assert found.inputs.shape == (4, 20_000)


@pytest.mark.parametrize("order", ["nan", "inf", "1e400", "soon", "", "1_0", "2024-13-01"])
def test_moments_that_are_none(tmp_path, order):
    rows = "s,t,a,label\n1,1,1,x\n2,2,2,y\n3,1,1,x\n4,2,2,y\n"
    said = refused("classify", [written(tmp_path / "t.csv", f"{rows}4,{order},2,y\n")], group="s", order="t")
    assert "t.csv:6: " in said


def test_words_in_columns(tmp_path):
    for content, line in (("a\tX\nb\tY\nNew\tYork\tX\n", 3), ("a X\nb Y\nNew York X\n", 3), ("a\tX\nb\0\tY\n", 2)):
        assert f"f.conll:{line}: " in refused("tag", [written(tmp_path / "f.conll", content)])
    for content, words in (
        ("10\u00a0000 X\nb Y\n", ["10\u00a0000", "b"]),
        ("\u00a0\tX\nb\tY\n", ["\u00a0", "b"]),
        ("a\u0085b X\nc Y\n", ["a\u0085b", "c"]),
        ("a\tX\t\nb\tY\t\n", ["a", "b"]),
        ("a\tX\rb\tY\r", ["a", "b"]),
        ("a\tX\n\ufeffb\tY\n", ["a", "b"]),
    ):
        assert conll.read([written(tmp_path / "f.conll", content)], None).inputs == [words]
    widths = "a _ X\nb _ Y\n\nc _ _ X\nd _ _ Y\n"  # as CoNLL-2012 has them: as many as a sentence has predicates
    assert conll.read([written(tmp_path / "f.conll", widths)], "3").inputs == [["a", "b"], ["c", "d"]]
    with pytest.raises(HeloError, match="'\u00b2'"):
        conll.read([tmp_path / "f.conll"], "\u00b2")


def test_pairs_with_more_behind_them(tmp_path):
    for content, line in (("a\tb\nc\td\te\n", 2), ("a\tb\te\nc\td\n", 2), ("a\tb\nc\td\t\n", 2)):
        with pytest.raises(HeloError, match=rf"p\.tsv:{line}: "):
            pairs.read([written(tmp_path / "p.tsv", content)])
    assert pairs.read([written(tmp_path / "p.tsv", "a\tb\tby\nc\td\tby\n")]).labels == ["b", "d"]
    with pytest.raises(HeloError, match=r"p\.jsonl:1: .*'target'"):
        pairs.read([written(tmp_path / "p.jsonl", '{"source": "a", "target": ["b"]}\n')])


def test_faults_of_numbers_are_collected(tmp_path):
    from helo.errors import collecting

    kind = tasks.find("classify")
    file = written(tmp_path / "t.csv", NUMBERS + "1e39,inf,x\n1_0,2,y\n")
    with collecting() as faults:
        kind.summary([file], kind.Options())
    assert sorted(f.where.rpartition(":")[2] for f in faults) == ["8", "8", "9"]


# Captions


LINES = "".join(f"p{i}.jpg,A green bar .\n" for i in range(3))


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("c.txt", "image,caption\n" + LINES + "p3.jpg,A bar, on white, here .\n", "A bar, on white, here ."),
        ("c.txt", "image,caption\n" + LINES + 'p3.jpg,"A bar, on white"\n', "A bar, on white"),
        ("c.csv", "image, caption\n" + LINES + "p3.jpg, A bar, on white\n", "A bar, on white"),
        ("c.txt", "image\tcaption\n" + LINES.replace(",", "\t") + "p3.jpg\tA bar\ton white\n", "A bar on white"),
        ("c.txt", LINES.replace(",", "\t") + "p3.jpg\tA bar, on white\n", "A bar, on white"),
        ("c.txt", LINES.replace(",", "\t") + "p3.jpg\tA bar\ton white\n", None),
        ("c.txt", "image,caption\n" + LINES + 'p3.jpg,"A bar", on white\n', None),
        ("c.csv", LINES + "p3.jpg,A bar, on white\n", None),
        (
            "c.txt",
            "image,caption,split\n" + LINES.replace(" .\n", " .,train\n") + "p3.jpg,A bar, on white,train\n",
            None,
        ),
        ("c.txt", "caption,image\nA bar,p0.jpg\nA bar, on white,p3.jpg\n", None),
        ("c.txt", "image,caption\n" + LINES + "p3.jpg\n", None),
        ("c.txt", "image,caption\n" + LINES + 'p3.jpg,"A bar\np0.jpg,A car\n', None),
    ],
)
def test_a_sentence_is_whole_or_refused(tmp_path, name, content, sentence):
    from helo.data.readers import captions

    file = written(tmp_path / name, content)
    if sentence is None:
        with pytest.raises(HeloError, match=rf"{name}:\d+: "):
            captions.read([file])
    else:
        assert captions.read([file])[-1].sentences == [sentence]


# Encodings

PROSE = {
    "cp1252": "Der Müller möchte für die Größe „übermäßig“ bezahlen — schön, sagt er, und für 5 € geht es auch.",
    "latin-1": "Le garçon a mangé des crêpes à la forêt près de l'hôpital, où l'été a été très beau.",
    "iso-8859-2": "Ministerstvo školství rozhodlo, že děti budou od příštího týdne znovu chodit do školy.",
    "cp1250": "Zażółć gęślą jaźń. Święta były piękne i śnieżne, a dzieci śpiewały.",
    "koi8-r": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
    "cp1251": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
    "cp866": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
    "gbk": "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。今天天气很好，我们去公园散步。",
    "gb18030": "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。今天天气很好，我们去公园散步。𠀀",
    "big5": "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。今天天氣很好，我們去公園散步。",
    "shift_jis": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "euc_jp": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "euc_kr": "나라의 말이 중국과 달라 문자와 서로 통하지 아니하므로. 오늘은 날씨가 좋습니다.",
    "cp437": "Der Müller möchte für die Größe übermäßig bezahlen.",
    "mac_roman": "L’été où nous étions à la plage, c’était très beau ; l’hôtel coûtait cher.",
    "iso2022_jp": "吾輩は猫である。名前はまだ無い。",
    "utf-16": "The cat sat.\n春眠不觉晓",
    "utf-16-le": "The cat sat on the mat.\n" * 20,
    "utf-16-be": "春眠不觉晓，处处闻啼鸟。\n" * 20,
    "utf-32": "The cat sat.",
    "utf-32-le": "The cat sat on the mat.\n" * 20,
    "utf-32-be": "The cat sat on the mat.\n" * 20,
}


@pytest.mark.parametrize("codec", PROSE)
def test_the_command_that_is_named_makes_utf8(tmp_path, codec):
    pytest.importorskip("chardet")
    text = (PROSE[codec] + "\n") * 3
    file = written(tmp_path / "a text.tsv", text.encode(codec))
    with pytest.raises(HeloError) as error:
        encoding.decoded(file.read_bytes(), str(file))
    said = str(error.value)
    assert said.startswith(f"{file}:1: byte ")
    name = said.partition("iconv -f ")[2].split()[0]
    command = said[said.index("iconv -f ") :]
    to = tmp_path / "a text.utf8.tsv"
    assert command.endswith(f"-t utf-8 {shlex.quote(str(file))} > {shlex.quote(str(to))}")
    if shutil.which("iconv"):
        subprocess.run(command, shell=True, check=True)
        assert to.read_text(encoding="utf-8-sig") == text, name


def test_quotes_and_dashes_alone_are_windows_1252(tmp_path):
    for text in ("It’s a “test” of quotes — ", "é“x”", "the café café, and café. ", "5 € … • one"):
        with pytest.raises(HeloError, match="iconv -f WINDOWS-1252 ") as error:
            encoding.decoded((text * (1 if len(text) < 9 else 20)).encode("cp1252"), "w.txt")
        assert "atin" not in str(error.value)


def test_without_a_detector_nothing_is_guessed(monkeypatch):
    monkeypatch.setitem(sys.modules, "chardet", None)
    with pytest.raises(HeloError, match="chardet") as error:
        encoding.decoded(PROSE["gbk"].encode("gbk"), "w.txt")
    assert "iconv" not in str(error.value)


@pytest.mark.parametrize(
    "content, named",
    [
        ("é".encode() * 5 + b"\xc3", ["w.txt:1: byte 10", "0xc3"]),
        ("é".encode() * 9 + b"\n\xff" + "é".encode() * 9, ["w.txt:2: byte 19", "1 place"]),
        ("é".encode() * 9 + b"\xed\xa0\xbd\xed\xb8\x80", ["byte 18", "surrogate"]),
        (b"abc\n\0def\n", ["w.txt:2: byte 4 "]),
        (bytes(range(256)), ["NULs"]),
        (b"%PDF-1.7\n", ["PDF"]),
        (b"\x89PNG\r\n\x1a\n", ["PNG"]),
        (b"\xff\xd8\xff\xe0", ["JPEG"]),
        (gzip.compress(b"abc", mtime=0), ["gzip", "FILE.gz"]),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", ["Office"]),
    ],
)
def test_what_a_file_is_instead(content, named):
    with pytest.raises(HeloError) as error:
        encoding.decoded(content, "w.txt")
    for part in named:
        assert part in str(error.value), str(error.value)


WIDE = {
    "Cyrillic": "Все счастливые семьи похожи друг на друга.\n" * 9,
    "Greek": "Η ποίηση είναι πιο φιλοσοφική από την ιστορία.\n" * 9,
    "Han": "这是一个用一来测试编码的句子。\n今天天气很好我们去公园散步。\n" * 9,
    "Hangul": "오늘은 날씨가 좋아서 공원에 산책하러 갔습니다.\n" * 9,
}


@pytest.mark.parametrize("text", WIDE.values(), ids=WIDE)
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_beyond_latin_letters(codec, text):
    with pytest.raises(HeloError, match=codec.upper().replace("16-", "16")):
        encoding.decoded(text.encode(codec), "w.txt")


@pytest.mark.parametrize(
    "text", ["a b c\n\0d e f\n" * 9, "some words\0and more\0and\0" * 9, "Все счастливые\0 семьи\n" * 9]
)
def test_a_nul_in_utf_8_is_no_utf_16(text):
    with pytest.raises(HeloError, match="take it out"):
        encoding.decoded(text.encode(), "w.txt")


def test_documents_are_told_from_archives():
    for inside, said in (("word/document.xml", "docx"), ("xl/workbook.xml", "xlsx"), ("a.txt", "zip")):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr(inside, "x")
        with pytest.raises(HeloError, match=said):
            encoding.decoded(data.getvalue(), "w.txt")


def test_marks_before_lines_are_dropped_and_others_stand():
    assert encoding.decoded("\ufeffa\n\ufeffb\ufeffc\n".encode(), "w.txt") == "a\nb\ufeffc\n"


def test_files_that_are_no_gzip(tmp_path):
    for content in (b"hello", gzip.compress(b"text\tlabel\n" * 9)[:-9], gzip.compress(b"abc", mtime=0) + b"junk"):
        said = refused("classify", [written(tmp_path / "t.tsv.gz", content)])
        assert "t.tsv.gz: " in said
        assert "read" in said.rpartition("t.tsv.gz: ")[2]


# Folders and pictures


def test_hidden_files_links_and_folders(tmp_path):
    folder = tmp_path / "all"
    (folder / "below.csv").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("a.csv", "below.csv/b.csv"):
        written(folder / name, TEXTS)
    for name in (".DS_Store", "._a.csv", ".x.csv", ".git/c.csv"):
        written(folder / name, b"\0\1")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.csv").symlink_to("nowhere")
    assert len(understood("classify", [folder])[0]) == 12
    with pytest.raises(HeloError, match=r"gone\.csv: .*link"):
        tasks.find("classify").source.read([folder / "gone.csv"], tasks.find("classify").Options())
    words = tmp_path / "words"
    words.mkdir()
    written(words / ".DS_Store", b"\0\1")
    written(words / "a.conll", "a\tX\nb\tY\n")
    assert len(understood("tag", [words])[0]) == 1
    texts = tmp_path / "texts"
    texts.mkdir()
    written(texts / "a.txt", "abc\n")
    written(texts / "b.txt", ("abc\n" * 20).encode("utf-16-le"))
    from helo.data.readers import text as reader

    with pytest.raises(HeloError, match=r"b\.txt:1: .*UTF-16LE"):
        list(reader.find([texts]).pieces())


def test_pictures_of_every_depth(tmp_path):
    image = pytest.importorskip("PIL.Image")
    from helo.data.readers.photos import opened

    ramp = np.arange(64).reshape(8, 8)
    for values, suffix in ((ramp.astype(np.float32) / 63, "tif"), ((ramp * 1040).astype(np.uint16), "png"),
                           ((ramp - 5).astype(np.int32), "tif"), ((ramp * 4).astype(np.uint8), "png")):  # fmt: skip
        file = tmp_path / f"p.{suffix}"
        image.fromarray(values).save(file)
        grey = np.asarray(opened(file.read_bytes(), "p"))[..., 0].astype(int)
        assert grey[0, 0] == 0
        assert (np.diff(grey.reshape(-1)) > 0).all()
    image.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "p.tif")
    with pytest.raises(HeloError, match="p: NaN"):
        opened((tmp_path / "p.tif").read_bytes(), "p")
    image.new("CMYK", (8, 8)).save(tmp_path / "p.jpg")
    assert opened((tmp_path / "p.jpg").read_bytes(), "p").mode == "RGB"
    for content in (b"", b"text", (tmp_path / "p.jpg").read_bytes()[:200]):
        with pytest.raises(HeloError, match="p: "):
            opened(content, "p")


def test_one_reading_of_numbers():
    assert numbers.number(True) == 1.0
    assert numbers.number(np.float32(2.5)) == 2.5
    assert np.isnan(numbers.number(None, missing=True))
    for value in (10**400, None, b"1", [1], 1 + 2j, float("nan"), np.float64(1e39), "1e"):
        with pytest.raises(HeloError):
            numbers.number(value)
    assert series.MISSING
    assert table.given([]) == []


def test_what_is_refused_is_refused_in_one_line(tmp_path):
    """Columns that look like identifiers are said only where a model comes of it."""
    rows = "".join(f"{i},item {i},{'xy'[i % 2]}\n" for i in range(40))
    for header, cells in (("name,label\n", [r.partition(",")[2] for r in rows.splitlines(True)]),
                          ("id,note,label\n", [r.replace("item", "one item of many") for r in rows.splitlines(True)])):  # fmt: skip
        file = written(tmp_path / "t.csv", header + "".join(cells))
        done = helo_command("train", "classify", file, "--out", tmp_path / "run")
        assert done.code == 2
        assert done.err.count("helo:") == 1

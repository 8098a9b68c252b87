"""Readers: what lies about is read, and each kind of damage is named with its place."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from hashlib import sha256
from types import SimpleNamespace

import numpy as np
import pytest

from helo import tasks
from helo.data import corpora, embedded, readers
from helo.data.readers import conll, frames, pairs, series, table
from helo.errors import HeloError, collecting

GOOD = "text\tlabel\n" + "a b\tx\nc d\ty\n" * 3


def refused(task: str, files, **options) -> str:
    kind = tasks.find(task)

    def read():
        examples, _ = kind.source.read(files, kind.Options(**options))
        model = kind.from_dataset(kind.Options(**options), examples)
        model.encode(examples)
        model.targets(examples)

    with pytest.raises(HeloError) as error:
        read()
    return str(error.value)


@pytest.mark.parametrize(
    "task, name, content, options, parts",
    [
        ("classify", "f.tsv", "text\tlabel\na\tx\nb\n", {}, ["f.tsv:3", "1 ", " 2"]),
        ("classify", "f.tsv", "words\tkind\na\tb\n", {}, ["f.tsv:1", "words, kind", "--label"]),
        ("classify", "f.tsv", GOOD, {"label": "labl"}, ["f.tsv:1", "labl", "'label'"]),
        ("classify", "f.tsv", "text\tlabel\na\tx\nb\tx\n", {}, ["f.tsv", "label", "'x'"]),
        ("classify", "f.tsv", "text\tlabel\na\tx\nb\tx\nc\ty\n", {}, ["f.tsv:4", "example", "'y'"]),
        ("classify", "f.tsv", "text\tlabel\n \tx\n", {}, ["f.tsv:2", "'text'"]),
        ("classify", "f.tsv", "text\ttext\na\tb\n", {}, ["f.tsv:1", "twice", "text"]),
        ("classify", "f.tsv", "", {}, ["f.tsv", "empty"]),
        ("classify", "f.tsv", "text\tlabel\ncafé\tx\n".encode("latin-1"), {}, ["f.tsv:2", "not UTF-8", "iconv -f WINDOWS-1252", "f.utf8.tsv"]),
        ("classify", "f.tsv", GOOD.encode("utf-16"), {}, ["f.tsv:1", "not UTF-8", "iconv -f UTF-16"]),
        ("classify", "f.tsv", GOOD.encode("utf-16-le"), {}, ["f.tsv:1", "iconv -f UTF-16LE"]),
        ("classify", "f.jsonl", '{"text": "a", "label": "b"}\nno\n', {}, ["f.jsonl:2", "not JSON"]),
        ("classify", "f.csv", "a,b,label\n1,2,x\n1,two,y\n", {}, ["f.csv:3", "'two'", "'b'", "number"]),
        ("classify", "f.csv", "s,said,label\n1,no,x\n1,yes,x\n2,so,y\n2,or,y\n3,if,x\n4,oh,y\n", {"group": "s"}, ["f.csv", "said", "--text"]),
        ("classify", "f.csv", "said,label\n" + "no,x\nyes,y\nwell,x\nso,y\n", {}, ["f.csv", "said", "--text"]),
        ("classify", "f.csv", "s,a,label\n1,2,x\n1,inf,x\n", {"group": "s"}, ["f.csv:3", "'inf'", "'a'"]),
        ("classify", "f.csv", "s,a,label\n1,2,x\n1,2,y\n", {"group": "s"}, ["f.csv:3", "'y'", "'x'"]),
        ("classify", "f.csv", "s,t,a,label\n1,soon,2,x\n", {"group": "s", "order": "t"}, ["f.csv:2", "'soon'", "'t'"]),
        ("classify", "f.csv", "text,label\na,x\nb,\n", {}, ["f.csv:3", "no label"]),
        ("classify", "f.jsonl", '{"text": "a", "label": "b"}\n{"text": "a", "label": null}', {}, ["f.jsonl:2", "no label"]),
        ("classify", "f.jsonl", '{"text": "a", "label": "b"}\n{"text": null, "label": "b"}', {}, ["f.jsonl:2", "'text'"]),
        ("tag", "f.csv", "d,text,label\n1,a,x\n1,b,\n", {"group": "d"}, ["f.csv:3", "no label"]),
        ("tag", "f.csv", "a,b,label\n1,2,x\n1,2,\n", {}, ["f.csv:3", "no label"]),
        ("classify", "f.ts", "@classLabel true a b\n@data\n1,inf:a\n", {}, ["f.ts:3", "'inf'"]),
        ("classify", "f_TRAIN.tsv", "1\t2\t3\n1\tx\t3\n", {}, ["f_TRAIN.tsv:2", "'x'"]),
        ("classify", "f.ts", "not a ts file\n", {}, ["f.ts:1", "@data"]),
        ("classify", "f.ts", "@classLabel true a b\n@data\n1,2:3:a\n", {}, ["f.ts:3", "2, 1"]),
        ("classify", "f.pdf", "x", {}, ["f.pdf", "TSV, CSV"]),
        ("tag", "f.conll", "a\tB-X\nb\n\n", {"column": "2"}, ["f.conll:2", "column 2"]),
        ("tag", "f.conll", "a\tX\n\nb\n\nc\tY\n", {"column": "2"}, ["f.conll:3", "no label"]),
        ("tag", "f.conll", "a\tO\nb\tI-X\n\nc\tB-X\n\nd\tB-X\n", {"column": "2"}, ["f.conll:2", "I-X"]),
        ("tag", "f.conll", "a\tS-X\nb\tI-X\n\n", {"column": "2"}, ["f.conll:2", "BIOES"]),
        ("tag", "f.conll", "a\tB-X\nb\tIX\n\nc\tB-X\n", {"column": "2"}, ["f.conll:2", "'IX'", "span"]),
        ("tag", "f.conllu", "1\ta\tb\n", {"column": "upos"}, ["f.conllu:1", "3 ", "CoNLL-U"]),
        ("tag", "f.csv", "a,b,Phase\n1,2,x\n1,2\n", {"column": "Phase"}, ["f.csv:3"]),
        ("tag", "f.csv", "a,b,Phase\n1,2,x\n1,2,y\n", {"column": "Fase"}, ["f.csv", "Phase"]),
        ("translate", "f.tsv", "a\tb\nc\n", {}, ["f.tsv:2", "source", "target"]),
        ("translate", "f.txt", "a\n", {}, ["1 ", "--source", "--target"]),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_place(tmp_path, task, name, content, options, parts):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refused(task, [file], **options)
    assert "\n" not in said
    named(said, *parts)


def named(said: str, *parts: str) -> None:
    """What was refused names its place and what is at fault, however it is worded."""
    for part in parts:
        assert part in said, said


def test_arrays_that_are_none(tmp_path):
    np.savez(tmp_path / "nan.npz", x=np.full((5, 3), np.nan), y=np.zeros(5, int))
    named(refused("tag", [tmp_path / "nan.npz"]), "nan.npz: ", "x[0, 0]", "nan")
    np.savez(tmp_path / "bare.npz", x=np.ones((5, 3)))
    named(refused("tag", [tmp_path / "bare.npz"]), "bare.npz: ", "labels")
    np.savez(tmp_path / "short.npz", x=np.ones((5, 3)), y=np.zeros(4))
    named(refused("tag", [tmp_path / "short.npz"]), "short.npz: ", "5 frames", "4 labels")
    (tmp_path / "no.npz").write_text("no")
    named(refused("classify", [tmp_path / "no.npz"]), "no.npz: ", " .npz ")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "short.npz").read_bytes()[:200])
    named(refused("tag", [tmp_path / "cut.npz"]), "cut.npz: ", "complete")
    np.save(tmp_path / "one.npy", np.ones(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    named(refused("classify", [tmp_path / "one.npz"]), "one.npz: ", " .npz ")


def test_mat_files_as_matlab_writes_them(tmp_path):
    savemat = pytest.importorskip("scipy.io").savemat
    file, x = tmp_path / "v.mat", np.ones((3, 2))
    for y in (np.array(["rest", "go", "rest"], object), np.array(["rest", "go  ", "rest"])):
        savemat(file, {"x": x, "y": y})
        assert frames.read([file], None).labels == [["rest", "go", "rest"]]
    for damaged in (b"", file.read_bytes()[:150], file.read_bytes()[:-40]):
        file.write_bytes(damaged)
        named(refused("tag", [file]), "v.mat: ", "SciPy")


STAMPED = "1390385453.{}" + " {}" * 3


def test_frames_without_the_time_that_they_were_taken(tmp_path):
    """The stamps fall, as those that lack leading zeros do."""
    rows = [STAMPED.format(n, 1, 2, n) for n in ("97", "172", "5")]
    file = tmp_path / "a_datapoints.txt"
    file.write_text("\r\n".join(["0.0 0x 0y 0z", *rows]) + "\r\n")
    (tmp_path / "a_targets.txt").write_text("0\r\n1\r\n1")
    found, paths = readers.read([tmp_path], tasks.find("tag").Options(), "step")
    assert found.inputs[0].tolist() == [[1, 2, 97], [1, 2, 172], [1, 2, 5]]
    assert found.labels == [["0", "1", "1"]]
    assert found.notes["features"] == ["0x", "0y", "0z"]
    assert len(paths) == 2
    file.write_text("Frame x y z\n0 1 2 3\n7 1 2 4\n3 1 2 5\n")
    assert frames.read([file], None).inputs[0].tolist() == [[1, 2, 3], [1, 2, 4], [1, 2, 5]]
    file.write_text("a b\n7 1\n8 -1\n9 1\n")
    assert frames.read([file], None).inputs[0].shape == (3, 2)
    file.write_text("a b\n7 1\n8\n9 1\n")
    named(refused("tag", [file]), "a_datapoints.txt:3: 1 ", "2")


@pytest.mark.parametrize(
    "name, labels",
    [
        ("v1.txt", "go\nrest\n"),
        ("v1_labels.txt", "label\ngo\nrest"),
        ("v1_labels.csv", "frame,label\n0,go\n1,rest\n"),
        ("v1_labels.csv.gz", "go\nrest\n"),
    ],
)
def test_labels_in_a_file_beside_the_frames(tmp_path, name, labels):
    data = labels.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    kind = tasks.find("tag")
    np.savez(tmp_path / "v1.npz", x=np.eye(2))
    assert kind.source.read([tmp_path], kind.Options())[0].labels == [["go", "rest"]]
    (tmp_path / "v1.npz").unlink()
    for heading in ("a,b\n", ""):
        (tmp_path / "v1.csv").write_text(heading + "1,0\n0,1\n")
        found, paths = kind.source.read([tmp_path / "v1.csv"], kind.Options())
        assert (found.labels, found.inputs[0].tolist()) == ([["go", "rest"]], [[1, 0], [0, 1]])
        assert paths == [tmp_path / "v1.csv", tmp_path / name]
    (tmp_path / "v1.csv").write_text("a,b\n1,0\n0,1\n1,1\n")
    named(refused("tag", [tmp_path]), f"{name}: ", "3 frames", "2 labels")
    (tmp_path / name).unlink()
    named(refused("tag", [tmp_path]), "v1.csv: ", "labels")
    assert kind.source.read([tmp_path], kind.Options(), labelled=False)[0].labels is None


def test_frames_parted_by_tabs_are_told_from_words(tmp_path):
    kind, file = tasks.find("tag"), tmp_path / "v.tsv"
    file.write_text("a\tb\tphase\n1\t2\tgo\n3\t4\trest\n")
    found = kind.source.read([file], kind.Options())[0]
    assert (found.kind, found.labels, found.place(0, 1)) == ("frames", [["go", "rest"]], f"{file}:3")
    file.write_text("word\ttag\n1\tCD\n\nbirds\tNNS\n")
    assert kind.source.read([file], kind.Options())[0].kind == "tokens"


def test_columns_are_taken_by_their_names(tmp_path):
    classify, tag = tasks.find("classify"), tasks.find("tag")
    table_ = "a,b,label\n" + "1,10,x\n2,30,y\n" * 3
    (tmp_path / "t.csv").write_text(table_)
    (tmp_path / "u.csv").write_text("B,more,a\n10,0,1\n30,0,2\n")
    for kind in (classify, tag):
        learned = kind.from_dataset(kind.Options(), kind.source.read([tmp_path / "t.csv"], kind.Options())[0])
        learned.data = {}
        model = kind.load(learned.options, json.loads(json.dumps(learned.to_json()[1])), {})
        rows = np.zeros(1, int) if kind is tag else np.arange(2)
        x = model.encode(kind.source.read([tmp_path / "t.csv"], model.options)[0]).batch(rows)["xs"].reshape(-1, 2)[:2]
        other = model.encode(kind.source.read([tmp_path / "u.csv"], model.options, labelled=False)[0]).batch(rows)["xs"]
        np.testing.assert_array_equal(x, other.reshape(-1, 2))
        (tmp_path / "w.csv").write_text("a,c,label\n1,10,x\n2,30,y\n")
        with pytest.raises(HeloError, match=r"w\.csv.*'b'"):
            model.encode(kind.source.read([tmp_path / "w.csv"], model.options)[0])
    with pytest.raises(HeloError, match=r"w\.csv: .*'b'"):
        frames.read([tmp_path / "t.csv", tmp_path / "w.csv"], None)


def test_aligned_files_of_other_lengths_are_refused_with_both_counts(tmp_path):
    (tmp_path / "a").write_text("one\ntwo\nthree\n")
    (tmp_path / "b").write_text("eins\nzwei\n")
    named(refused("translate", [tmp_path / "a", tmp_path / "b"]), str(tmp_path / "a"), str(tmp_path / "b"), "3 ", " 2")


def test_a_label_that_was_not_learned_is_refused(tmp_path):
    kind = tasks.find("classify")
    (tmp_path / "good.tsv").write_text(GOOD)
    (tmp_path / "other.tsv").write_text("text\tlabel\na\tx\nb\tz\n")
    model = kind.from_dataset(kind.Options(), kind.source.read([tmp_path / "good.tsv"], kind.Options())[0])
    with pytest.raises(HeloError, match=r"other\.tsv:3: .*'z'.*x, y"):
        model.targets(kind.source.read([tmp_path / "other.tsv"], kind.Options())[0])


def test_all_faults_are_collected_where_that_is_asked_for(tmp_path):
    (tmp_path / "f.tsv").write_text("text\tlabel\na\nb\tx\nc\n\nd\ty\n")
    kind = tasks.find("classify")
    with collecting() as faults:
        found = kind.summary([tmp_path / "f.tsv"], kind.Options())
    assert [f.where.rpartition("/")[2] for f in faults] == ["f.tsv:2", "f.tsv:4"]
    assert found["examples"] == 2


@pytest.mark.parametrize(
    "task, name, content, options, said",
    [
        ("classify", "f.tsv", "text\tlabel\na\tx\nb\tx\nc\ty\n", {}, ["f.tsv:4", "example", "'y'"]),
        ("classify", "f.tsv", "text\tlabel\na\tx\nb\tx\n", {}, ["f.tsv", "label", "'x'"]),
        ("tag", "f.conll", "a\tX\nb\tX\n", {"column": "2"}, ["f.conll", "label", "'X'"]),
        ("tag", "f.conll", "a\tO\nb\tI-X\n\nc\tB-X\n\nd\tB-X\n", {"column": "2"}, ["f.conll:2", "I-X"]),
    ],
)
def test_what_a_training_would_refuse_is_a_fault_before_it(tmp_path, task, name, content, options, said):
    (tmp_path / name).write_text(content)
    kind = tasks.find(task)
    with collecting() as faults:
        found = kind.summary([tmp_path / name], kind.Options(**options))
    assert len(faults) == 1
    named(str(faults[0]), *said)
    assert found["labels"] >= 1


def test_tables_as_they_lie_about(tmp_path):
    file = tmp_path / "f.csv"
    file.write_bytes('﻿a;b\r\n"x;1";"two\r\nlines"\r\n3;4\r\n'.encode())
    rows = table.read(file)
    assert rows.columns == {"a": ["x;1", "3"], "b": ["two\r\nlines", "4"]}
    assert [p.rpartition(":")[2] for p in rows.places] == ["2", "4"]
    packed = tmp_path / "f.tsv.gz"
    packed.write_bytes(gzip.compress(b'text\tlabel\r\na "quoted\tx\r\n'))
    assert table.read(packed).columns == {"text": ['a "quoted'], "label": ["x"]}


def test_conversations_of_two_files_are_kept_apart_though_they_are_called_alike(tmp_path):
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_text(f"talk,text,label\n0,one {file.stem},x\n1,two,y\n0,three,x\n")
    for task, labels in (("tag", ["x", "x"]), ("classify", "x")):
        kind = tasks.find(task)
        found, _ = kind.source.read(files, kind.Options(group="talk"))
        assert [len(turns) for turns in found.inputs] == [2, 1, 2, 1]
        assert [found.inputs[i][0][1] for i in (0, 2)] == ["one a", "one b"]
        assert found.labels[2] == labels
        assert found.place(2).endswith("b.csv:2")


def test_sentences_as_they_lie_about(tmp_path):
    file = tmp_path / "f.conll"
    file.write_bytes("﻿New York\tB-LOC\r\n.\tO\r\n\t\r\nRome\tB-LOC\r\n".encode())
    found = conll.read([file], "2")
    assert found.inputs == [["New York", "."], ["Rome"]]
    assert found.labels == [["B-LOC", "O"], ["B-LOC"]]
    assert found.place(1, 0).endswith(":4")
    universal = tmp_path / "f.conllu"
    row = "{}\t{}\tl\t{}\tX\t_\t0\troot\t_\t_\n"
    universal.write_text("# text = don't\n" + "1-2\tdon't" + "\t_" * 8 + "\n" + row.format(1, "do", "AUX") + row.format(2, "n't", "PART")
                         + row.format("2.1", "ghost", "VERB") + "\n")  # fmt: skip
    for column in ("upos", None):
        found = conll.read([universal], column)
        assert found.inputs == [["do", "n't"]]
        assert found.labels == [["AUX", "PART"]]


def test_the_label_is_the_last_column_unless_another_is_named(tmp_path):
    file = tmp_path / "f.conll"
    file.write_text("-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n")
    assert conll.read([file], None).labels == [["I-ORG", "O"]]
    assert conll.read([file], "2").labels == [["NNP", "VBZ"]]
    file.write_text("EU\nrejects\n\n")
    assert conll.read([file], None).labels is None


def test_series_read_as_written(tmp_path):
    file = tmp_path / "f.ts"
    file.write_text("@problemName x\n@classLabel true a b\n@data\n1,?,3:4,5,6:a\n7:8:b\n")
    found = series.read([file])
    np.testing.assert_array_equal(found.inputs[0], np.array([[1, 4], [np.nan, 5], [3, 6]], np.float32))
    assert found.labels == ["a", "b"]


def test_series_a_step_a_row(tmp_path):
    """Of two files whose series have the same names."""
    kind = tasks.find("classify")
    options = kind.Options(group="series", order="time", label="kind")
    (tmp_path / "a.csv").write_text("series,time,u,v,kind\n1,2,5,,x\n1,1,3,4,x\n2,1,7,8,y\n")
    (tmp_path / "b.csv").write_text("kind,u,v,series,time\nx,1,nan,1,2024-03-01\n")
    found, _ = kind.source.read([tmp_path / "a.csv", tmp_path / "b.csv"], options)
    assert (found.kind, found.labels) == ("frames", ["x", "y", "x"])
    wanted = [[[3, 4], [5, np.nan]], [[7, 8]], [[1, np.nan]]]
    for x, y in zip(found.inputs, wanted, strict=True):
        np.testing.assert_array_equal(x, np.array(y, np.float32))
    assert found.place(0, 1) == f"{tmp_path / 'a.csv'}:2"
    (tmp_path / "c.csv").write_text("v,u,series,time\n1,2,1,1\n")
    assert kind.source.read([tmp_path / "c.csv"], options, labelled=False)[0].labels is None


def test_series_without_a_heading(tmp_path):
    for name, mark in (("X_TRAIN.tsv", "\t"), ("X_TEST.csv", ",")):
        file = tmp_path / name
        file.write_text("1.0 2 NaN 3 NaN\n-1.0 4 5 6 7\n".replace(" ", mark))
        found = tasks.find("classify").source.read([file], tasks.find("classify").Options())[0]
        assert found.labels == ["1", "-1"]
        np.testing.assert_array_equal(found.inputs[0], np.array([[2], [np.nan], [3]], np.float32))
        assert found.inputs[1].shape == (4, 1)


@pytest.mark.parametrize(
    "name, rows, options, wanted",
    [
        (
            "f.csv",
            'd,text,label\n1,a,"big,red"\n1,b,"big,red"\n2,c,\n',
            {"group": "d", "multilabel": ","},
            [["big", "red"], []],
        ),
        (
            "f.jsonl",
            '{"text": "a", "label": "big"}\n{"text": "b", "label": ["big", "red"]}\n',
            {},
            [["big"], ["big", "red"]],
        ),
        ("f.jsonl", '{"d": 1, "text": "a", "label": ["big", "red"]}\n', {"group": "d"}, [["big", "red"]]),
    ],
)
def test_several_labels_are_whole_wherever_they_stand(tmp_path, name, rows, options, wanted):
    kind = tasks.find("classify")
    (tmp_path / name).write_text(rows)
    assert kind.source.read([tmp_path / name], kind.Options(**options))[0].labels == wanted


def test_several_labels_of_arrays(tmp_path):
    kind, file = tasks.find("classify"), tmp_path / "f.npz"
    x, y = np.ones((3, 2)), np.array([[1, 1, 0], [0, 0, 0], [0, 0, 1]])
    np.savez(file, x=x, y=y)
    assert kind.source.read([file], kind.Options())[0].labels == [["0", "1"], [], ["2"]]
    np.savez(file, x=x, y=y, names=np.array(["a", "b", "c"]))
    found = kind.source.read([file], kind.Options())[0]
    model = kind.from_dataset(kind.Options(), found)
    assert model.targets(found).tolist() == (y > 0).tolist()
    np.savez(file, x=x, y=np.eye(3)[[2, 0, 0]])
    assert kind.source.read([file], kind.Options())[0].labels == ["2", "0", "0"]
    np.savez(file, x=x, y=np.array(["a|b", "a", ""]))
    assert kind.source.read([file], kind.Options(multilabel="|"))[0].labels == [["a", "b"], ["a"], []]
    named(refused("classify", [file]), "f.npz example 2: ", "label")


def test_rare_labels_among_several_weigh_as_much_as_frequent_ones(tmp_path):
    kind, file = tasks.find("classify"), tmp_path / "f.tsv"
    file.write_text("text\tlabel\n" + "a\toften\n" * 9 + "b\toften,seldom\n")
    found = kind.source.read([file], kind.Options(multilabel=","))[0]
    losses = []
    for balance in (False, True):
        model = kind.from_dataset(kind.Options(multilabel=",", balance=balance), found)
        batch = model.encode(found).batch(np.arange(10)) | model.target_batch(model.targets(found), np.arange(10))
        losses.append(model._loss(np.zeros((10, 2), np.float32), batch["targets"]) / np.log(2))
    assert losses == pytest.approx([20, 9 + 11 * 10 / 20 * 2])  # nine absences, and as much for either label's presence


def test_only_line_ends_end_lines(tmp_path):
    file = tmp_path / "f.csv"
    odd = "a\u2028b\x85c\x0cd\x1ce"
    file.write_bytes(f'text,label\r\n{odd},x\n"{odd}\n",y\rz,"v'.encode() + b'"\nq,w,e\n')
    with collecting() as faults:
        rows = table.read(file)
    assert rows.columns == {"text": [odd, odd + "\n", "z"], "label": ["x", "y", "v"]}
    assert [p.rpartition(":")[2] for p in rows.places] == ["2", "3", "5"]
    assert [f.where for f in faults] == [f"{file}:6"]
    kind = tasks.find("classify")
    (tmp_path / "g.tsv").write_text(GOOD)
    model = kind.from_dataset(kind.Options(), kind.source.read([tmp_path / "g.tsv"], kind.Options())[0])
    assert model.source.lines(model, f"{odd}\n\nf\n").inputs == [odd, "", "f"]


def test_rows_on_standard_input_are_numbers(tmp_path):
    kind = tasks.find("classify")
    (tmp_path / "t.csv").write_text("a,b,label\n" + "1,10,x\n2,30,y\n" * 3)
    model = kind.from_dataset(kind.Options(), kind.source.read([tmp_path / "t.csv"], kind.Options())[0])
    assert model.source.lines(model, "1 2\n\n3,4\n").inputs.tolist() == [[1, 2], [3, 4]]
    assert model.predict(model.model.init(np.random.default_rng(0)), model.source.lines(model, "")) == []
    not_read(model, {"1 2\n1 inf": ":2: 'inf'", "1 2 3": ":1: 3 .* 2", "1 2\na b": ":2: 'a'"})


def not_read(model, cases):
    """Each standard input is refused, and what is said of it."""
    for text, said in cases.items():
        with pytest.raises(HeloError, match=f"standard input{said}"):
            model.source.lines(model, text)


def test_frames_on_standard_input_are_numbers(tmp_path):
    kind = tasks.find("tag")
    np.savez(tmp_path / "v.npz", x=np.eye(2), y=[0, 1])
    model = kind.from_dataset(kind.Options(), kind.source.read([tmp_path / "v.npz"], kind.Options())[0])
    not_read(model, {"": ": no input", "1 2\n1 nan\n": ":2: 'nan'", "1 inf\n": ":1: 'inf'"})


@pytest.mark.parametrize(
    "name, content, columns, expected",
    [
        ("f.tsv", "source\ttarget\na b\tA B\n", (), [("a b", "A B")]),
        ("f.tsv", "tgt\tsrc\nA\ta\n", (), [("a", "A")]),
        ("f.tsv", "a b\tA B\tmore\n\nc\tC\tmore\n", (), [("a b", "A B"), ("c", "C")]),
        ("f.tsv", "to\tzu\nfrom\tvon\n", (), [("to", "zu"), ("from", "von")]),
        ("f.tsv", "english\tgerman\na\tA\n", ("english", "german"), [("a", "A")]),
        ("f.csv", "en,de\na,A\n", ("de", "en"), [("A", "a")]),
        ("f.jsonl", '{"en": "a", "target": "A"}\n', ("en", None), [("a", "A")]),
    ],
)
def test_pairs_of_tables(tmp_path, name, content, columns, expected):
    (tmp_path / name).write_text(content)
    found = pairs.read([tmp_path / name], True, *columns)
    assert list(zip(found.inputs, found.labels or (), strict=True)) == expected


def test_columns_of_pairs_that_have_to_be_named(tmp_path):
    (tmp_path / "f.csv").write_text("en,de\na,A\n")
    named(refused("translate", [tmp_path / "f.csv"]), "f.csv:1: ", "en, de", "--source-column", "--target-column")
    said = refused("translate", [tmp_path / "f.csv"], source_column="en", target_column="fr")
    named(said, "f.csv:1: ", "'fr'", "--target-column")


def test_a_side_that_is_empty_is_a_fault_whatever_the_form(tmp_path):
    (tmp_path / "a").write_text("one\n\n \nfour\n")
    (tmp_path / "b").write_text("eins\n\ndrei\n\n")
    (tmp_path / "f.tsv").write_text("one\teins\n\n \tdrei\nfour\t\n")
    for files, places in ((["a", "b"], ["a:3", "b:4"]), (["f.tsv"], ["f.tsv:3", "f.tsv:4"])):
        with collecting() as faults:
            found = pairs.read([tmp_path / f for f in files])
        assert found.inputs == ["one"]
        assert [f.where.rpartition("/")[2] for f in faults] == places
        assert ["source" in f.found for f in faults] == [True, False]
        assert ["target" in f.found for f in faults] == [False, True]
    named(refused("translate", [tmp_path / "a", tmp_path / "b"]), "a:3: ", "source")


def test_comments_before_sentences_are_told_from_words(tmp_path):
    file = tmp_path / "f.conll"
    file.write_text("# id 5-f domain=en\n# _ _ O\n# _ _ O\ncat _ _ B-X\n\n# id 6 en\nthe _ _ O\n\n# more\n")
    found = conll.read([file], "4")
    assert found.inputs == [["#", "#", "cat"], ["the"]]
    assert found.labels == [["O", "O", "B-X"], ["O"]]
    assert found.place(1, 0).endswith(":7")
    file.write_text("# text = a b\na\tX\n#\tY\n\n#\tY\n")
    assert conll.read([file], "2").inputs == [["a", "#"], ["#"]]


UNIVERSAL = "# text = the cat\n1\tthe\t_\tD" + "\t_" * 6 + "\n2\tcat\t_\tN" + "\t_" * 6 + "\n"
TOLD = [
    ("the\ncat\n\nruns\n", "2", [["the", "cat"], ["runs"]]),
    ("the cat\nruns\n", "2", [["the", "cat"], ["runs"]]),
    ("the cat\na dog\n", "2", [["the", "cat"], ["a", "dog"]]),  # of two words each, but no labels
    ("the D\ncat N\n\nruns V\n", "2", [["the", "cat"], ["runs"]]),
    ("# id 1 x\nthe\tD\ncat\tX\n\nruns\tV\n", "2", [["the", "cat"], ["runs"]]),
    ("the\t_\ncat\t_\n", "upos", [["the", "cat"]]),
    (UNIVERSAL, "upos", [["the", "cat"]]),
    ("1\tthe cat\n2\ta dog runs\n", "2", [["1", "the", "cat"], ["2", "a", "dog", "runs"]]),
    ("\n\n", "2", []),
]


@pytest.mark.parametrize("text, column, sentences", TOLD)
def test_words_are_understood_as_people_write_them(text, column, sentences, tmp_path):
    assert conll.typed(text.split("\n"), "standard input", column, {"D", "N", "V"}).inputs == sentences
    file = tmp_path / "f.txt"
    file.write_text(text)
    if sentences:
        assert conll.questions([file], column, {"D", "N", "V"}).inputs == sentences


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A loopback server of one file that can break off, with the ranges that it was asked for."""
    data = bytes(range(256)) * 2000
    asked: list[str | None] = []
    state = SimpleNamespace(data=data, asked=asked, breaks=False, url="")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            span = self.headers.get("Range")
            asked.append(span)
            start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
            self.send_response(206 if span else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            stop = start + 200_000 if state.breaks else len(data)
            self.wfile.write(data[start:stop])

        def log_message(self, *words):
            pass

    monkeypatch.setenv("HELO_DATA", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{running.server_port}/f.bin"
        yield state
        running.shutdown()


def corpus(server, digest: str | None = None) -> dict:
    return {
        "files": [{"name": "f.bin", "url": server.url, "sha256": digest or sha256(server.data).hexdigest()}],
        "train": "helo train lm {f.bin}",
    }


def test_a_corpus_is_fetched_checked_and_gone_on_with(server):
    pytest.importorskip("pooch")
    server.breaks = True
    with pytest.raises(HeloError) as error:
        corpora.get("x", corpus(server))
    assert error.value.where == server.url
    server.breaks = False
    (path,) = corpora.get("x", corpus(server))
    assert path.read_bytes() == server.data
    assert server.asked[0] is None
    assert server.asked[-1] is not None
    assert 0 < int(server.asked[-1].removeprefix("bytes=").rstrip("-")) <= 200_000
    requests = len(server.asked)
    assert corpora.get("x", corpus(server)) == [path]  # out of the cache
    assert len(server.asked) == requests
    assert corpora.check("x", corpus(server)) == [(path, "")]
    path.write_bytes(b"damaged")
    assert "SHA-256" in corpora.check("x", corpus(server))[0][1]


def test_a_wrong_checksum_is_refused_and_nothing_kept(server):
    pytest.importorskip("pooch")
    with pytest.raises(HeloError, match="SHA-256") as error:
        corpora.get("x", corpus(server, "0" * 64))
    assert error.value.where == server.url
    assert not list((corpora.cache() / "x").iterdir())


def test_a_kill_before_the_check_leaves_nothing_unchecked(server, monkeypatch):
    pytest.importorskip("pooch")
    with monkeypatch.context() as patched:
        patched.setattr(corpora, "_fault", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            corpora.get("x", corpus(server, "0" * 64))
    with pytest.raises(HeloError, match=r"f\.bin: SHA-256 "):
        corpora.get("x", corpus(server, "0" * 64))
    assert not list((corpora.cache() / "x").iterdir())


def test_a_corpus_is_made_on_the_spot(monkeypatch, tmp_path):
    monkeypatch.setenv("HELO_DATA", str(tmp_path))
    (path,) = corpora.get("python")
    assert path == tmp_path / "python" / "python.conll"
    assert [p.name for p in path.parent.iterdir()] == ["python.conll"]
    assert corpora.check("python") == [(path, "")]
    written = path.stat().st_mtime_ns
    assert corpora.get("python") == [path]
    assert path.stat().st_mtime_ns == written


def test_every_corpus_says_what_it_must():
    for name in corpora.known():
        found = corpora.find(name)
        assert found["task"] in tasks.names()
        assert {"what", "licence", "citation", "train"} <= set(found)
        for file in found["files"]:
            assert file["made"] in embedded.MADE if "made" in file else len(file["sha256"]) == 64
            assert "{" + file["name"] + "}" in found["train"]

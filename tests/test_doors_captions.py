"""Captions, and texts to be scored, that are given in Python."""

from __future__ import annotations

import logging
import tarfile
from pathlib import Path

import pytest

import helo
from fixtures import trained
from helo.errors import HeloError
from helo.inspection.score import score
from test_pictures import COLOURS, square

HOW = {"encoder": "small", "hidden": 8, "steps": 3, "seed": 1, "batch": 8, "quiet": True}


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Twenty pictures, and rows of a table about them: two of each."""
    folder, table = tmp_path_factory.mktemp("album"), []
    for i in range(20):
        colour, right = list(COLOURS)[i % 3], bool(i % 2)
        square(colour, right, i).save(folder / f"{i:02}.png")
        side = "right" if right else "left"
        table += [(f"{i:02}.png", s) for s in (f"a {colour} square on the {side}", f"a {colour} square, {side}")]
    with tarfile.open(folder / "all.tar", "w") as tar:
        tar.add(folder, "some", filter=lambda m: None if m.name.endswith(".tar") else m)
    return folder, table


@pytest.fixture(autouse=True)
def _own_store(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HELO_DATA", str(tmp_path_factory.mktemp("store")))


def test_every_door_trains_alike(tmp_path, album):
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    folder, table = album
    file = tmp_path / "captions.tsv"
    file.write_text("image\tcaption\n" + "".join(f"{n}\t{s}\n" for n, s in table))
    wanted = helo.train("caption", file, out=tmp_path / "file", images=(str(folder),), **HOW)
    names, said = zip(*table, strict=True)
    columns = {"caption": list(said), "more": list(range(40)), "image": [str(folder / n) for n in names]}
    lists = {"image": list(columns["image"][::2]), "caption": [[*said[i : i + 2]] for i in range(0, 40, 2)]}
    sources = [
        pandas.DataFrame(columns), polars.DataFrame(columns), polars.DataFrame(lists), lists,
        [{"file_name": p, "sentence": s} for p, s in zip(columns["image"], said, strict=True)],
        (columns["image"], list(said)), [(Path(p), s) for p, s in zip(columns["image"], said, strict=True)],
    ]  # fmt: skip
    for i, source in enumerate(sources):
        run = helo.train("caption", source, out=tmp_path / f"run{i}", **HOW)
        assert run.figures == wanted.figures, i
        assert all((x == run.parameters[n]).all() for n, x in wanted.parameters.items())
    named = pandas.DataFrame({"image": names, "caption": said})
    run = helo.train("caption", named, out=tmp_path / "named", images=(str(folder / "all.tar"),), **HOW)
    assert run.figures == wanted.figures
    with pytest.raises(HeloError, match="Python"):
        run.evaluate()
    figures = run.evaluate(named)
    assert figures == run.evaluate(file)
    helo.train(
        "caption", named, out=tmp_path / "named", images=(str(folder / "all.tar"),), resume=True, **HOW | {"steps": 4}
    )
    other = named.assign(caption="a square")
    with pytest.raises(HeloError):
        helo.train(
            "caption",
            other,
            out=tmp_path / "named",
            images=(str(folder / "all.tar"),),
            resume=True,
            **HOW | {"steps": 5},
        )


def test_an_answer_a_row(tmp_path, album):
    pandas = pytest.importorskip("pandas")
    folder, table = album
    frame = pandas.DataFrame(
        {"image": [str(folder / n) for n, _ in table], "caption": [s for _, s in table], "k": range(40)}
    )
    run = helo.train("caption", frame[:36], valid=frame[36:], out=tmp_path / "run", **HOW)
    answers = run.predict(frame)
    assert [a["picture"] for a in answers] == [n for n, _ in table]
    assert answers == run.predict(frame[["image"]]) == run.predict([folder / n for n, _ in table])
    assert [run.examples(frame).row(i)["k"] for i in range(40)] == list(range(40))
    assert run.evaluate(frame[36:]) == {n: v for n, v in run.figures.items() if n in run.evaluate(frame[36:])}
    assert len(score(run, frame[36:])) == 2
    assert helo.explain(run, frame[:1])


def test_a_path_is_that_picture_and_no_other_of_its_name(tmp_path, album, monkeypatch):
    folder, table = album
    run = helo.train(
        "caption", [{"image": n, "caption": s} for n, s in table], images=(str(folder),), out=tmp_path / "run", **HOW
    )
    (tmp_path / "new").mkdir()
    square("red", True, 77).save(tmp_path / "new" / "00.png")
    monkeypatch.chdir(tmp_path)
    (photo,) = run.examples({"image": ["new/00.png"]}).inputs
    assert photo.file.samefile(tmp_path / "new" / "00.png")
    (photo,) = run.examples({"image": ["00.png"]}).inputs
    assert photo.file.samefile(folder / "00.png")


def test_what_is_refused(tmp_path, album, caplog):
    folder, table = album
    good = [{"image": str(folder / n), "caption": s} for n, s in table]
    run = helo.train("caption", good, out=tmp_path / "run", **HOW)

    def refused(source, *parts, **how):
        for ask in (
            lambda: helo.train("caption", source, out=tmp_path / "other", **HOW, **how),
            lambda: run.evaluate(source, **how),
        ):
            with pytest.raises(HeloError) as error:
                ask()
            said = str(error.value)
            assert "\n" not in said
            assert all(part in said for part in parts), said

    refused([{"pic": "a", "caption": "b"}] * 2, "pic", "image")
    refused([{"image": "a.png", "said": "b"}] * 2, "said", "caption")
    refused([*good[:3], {"image": "gone.png", "caption": "b"}], "row 3", "gone.png")
    refused([*good[:3], {"image": None, "caption": "b"}], "row 3", "'image'", "path")
    refused([*good[:3], {"image": 5, "caption": "b"}], "row 3", "'image'", "path")
    refused([*good[:3], good[3] | {"caption": None}], "row 3", "sentence")
    refused([*good[:3], good[3] | {"caption": 5.5, "image": ""}], "row 3")
    refused({"image": [], "caption": []}, "0 rows")
    refused([*good[:3], good[3] | {"caption": {"a": 1}}], "row 3", "'caption'", "text")
    refused(([g["image"] for g in good], ["a"]), "length")
    for source in ([{"pic": "a"}], [{"image": "gone.png"}], [{"image": None}], {"image": []}):
        with pytest.raises(HeloError):
            run.predict(source)
    some = [*good[:8], {"image": "gone.png", "caption": "b"}]
    with caplog.at_level(logging.WARNING, "helo"):
        helo.train("caption", some, out=tmp_path / "skipped", skip_bad=True, **HOW)
    assert "gone.png" in caplog.text
    assert len(run.predict(run.examples([{"image": "gone.png"}, *good[:2]], skip_bad=True))) == 2


def test_texts_are_scored(tmp_path):
    pandas = pytest.importorskip("pandas")
    run = helo.load(trained())
    texts = ["the first", "and a\nsecond of two lines", "x"]
    found = score(run, {"text": texts})
    assert [f["text"] for f in found] == texts
    assert found == score(run, pandas.DataFrame({"id": [1, 2, 3], "text": texts}))
    file = tmp_path / "t.txt"
    file.write_text("the first\nx\n")
    assert [f["nats"] for f in score(run, file, lines=True)] == pytest.approx([found[0]["nats"], found[2]["nats"]])
    for wrong in ({"other": [1], "more": [2]}, {"text": []}, {"text": [["a"]]}):
        with pytest.raises(HeloError):
            score(run, wrong)

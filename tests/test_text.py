"""Running text out of files."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import sys
import unicodedata
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fixtures import many, prose
from helo.data.readers import text as reader
from helo.errors import HeloError


def read(*names, form="none", raw=False) -> bytes:
    return b"".join(reader.find(names, form, raw).pieces())


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(*names, **how) -> str:
    with pytest.raises(HeloError) as error:
        read(*names, **how)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_file_as_it_stands(tmp_path):
    text = "one\r\ntwo\n\n \t漢字 e\u0301 end without a line end"
    assert read(write(tmp_path / "a.txt", text)) == text.encode()


def test_files_in_the_order_given(tmp_path):
    b, a = write(tmp_path / "b.txt", "B"), write(tmp_path / "a.txt", "A")
    assert read(b, str(a), b) == b"BAB"


@pytest.fixture
def folder(tmp_path) -> Path:
    top = tmp_path / "folder"
    write(top / "b.txt", "b\n")
    write(top / "a.md", "a\n")
    write(top / "sub" / "deep" / "c", "c\n")
    write(top / "sub.txt", "s\n")
    write(top / "z.txt.gz", gzip.compress(b"z\n"))
    write(top / ".hidden.txt", "hidden\n")
    write(top / ".git" / "config.txt", "hidden\n")
    write(top / "sub" / ".cache" / "d.txt", "hidden\n")
    write(top / "picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    write(top / "packed.gz", gzip.compress(b"binary \0 inside"))
    write(top / "broken.gz", b"not gzip at all")
    write(top / "empty.txt", "")
    (top / "dangling.txt").symlink_to(top / "nowhere")
    return top


def test_folder_sorted_without_hidden_and_binary(folder):
    found = [str(p.relative_to(folder)) for p in reader.find([folder]).files]
    assert found == ["a.md", "b.txt", "sub/deep/c", "sub.txt", "z.txt.gz"]
    assert read(folder) == b"a\nb\nc\ns\nz\n"


def test_hidden_above_the_folder_is_no_matter(tmp_path):
    write(tmp_path / ".notes" / "a.txt", "a")
    assert read(tmp_path / ".notes") == b"a"


def test_a_folder_below_that_cannot_be_read_is_named(folder, monkeypatch):
    scan = os.scandir

    def refusing(path):
        if Path(path).name == "deep":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert refused(folder).startswith(f"{folder / 'sub' / 'deep'}: ")


def test_order_of_listing_is_no_matter(folder, monkeypatch):
    sorted_one = read(folder)
    walk = os.walk

    def backwards(*args, **how):
        for at, folders, names in walk(*args, **how):
            folders.sort(reverse=True)
            yield at, folders, sorted(names, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    assert read(folder) == sorted_one


def test_globs(folder):
    assert read(folder / "*.txt") == b"b\ns\n"
    assert read(folder / "**" / "c") == b"c\n"
    assert read(folder / "s*") == b"s\n", "a folder that a glob meets is passed over"
    assert read(write(folder / "b[1].txt", "literal")) == b"literal", "a file of that very name is meant"


def test_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a.txt", "mine")
    assert read("~/a.txt") == b"mine"


def test_gz(tmp_path):
    text = prose(5000).encode()
    packed, plain = write(tmp_path / "a.txt.gz", gzip.compress(text)), write(tmp_path / "a.txt", text)
    assert read(packed) == text
    assert read(packed, raw=True) == text
    assert reader.find([packed]).fingerprint() == reader.find([plain]).fingerprint()


def test_byte_order_mark(tmp_path):
    """One at the start of each file goes; inside, the character is text; to the unit of bytes all is text."""
    a, b = write(tmp_path / "a.txt", "\ufeffone\ufeff\n"), write(tmp_path / "b.txt", "\ufeff\ufefftwo")
    assert read(a, b).decode() == "one\ufeff\n\ufefftwo"
    assert read(a, raw=True).decode() == "\ufeffone\ufeff\n"
    assert read(write(tmp_path / "c.txt", "\ufeff")) == b""


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeffpiped 漢\n".encode())))
    text = reader.find(["-"])
    assert b"".join(text.pieces()).decode() == "piped 漢\n"
    assert b"".join(text.pieces()).decode() == "piped 漢\n", "it is read a second time"


def test_empty_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    said = refused("-")
    assert said.startswith("-: ")
    assert "empty" in said


MIXED = "e\u0301 \u00e9 ﬁ Å \u212b 한 \u1112\u1161\u11ab ｶﾞ \u0915\u093c \u09c7\u09be q\u0323\u0307"


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_normal_forms(tmp_path, form):
    file = write(tmp_path / "a.txt", MIXED)
    assert read(file, form=form).decode() == unicodedata.normalize(form, MIXED)
    assert read(file, form="none").decode() == MIXED


def test_unknown_normal_form(tmp_path):
    assert "'NFX'" in refused(write(tmp_path / "a.txt", "a"), form="NFX")


# Letters, syllables in parts, half-width kana, and marks that combine with what stands before; few line ends.
LETTERS = ["e", "é", "漢", "\u1112\u1161", "\u1112\u1161\u11ab", "カ", "\uff76", "\u09c7", "\u0915", "👩", " ", "\n"]
MARKS = ["", "", "\u0301", "\u0323\u0307", "\u3099", "\uff9e", "\u09be", "\u093c", "\u0307\u0323\u0301"]
combining = st.lists(st.tuples(st.sampled_from(LETTERS), st.sampled_from(MARKS)).map("".join), min_size=20, max_size=80)


@pytest.mark.parametrize("form", ["none", "NFC", "NFD", "NFKC", "NFKD"])
@given(text=combining.map("".join), piece=st.integers(64, 90))
@example(text="漢" * 30 + "e\u0301" * 30, piece=64)
@example(text="\u1112\u1161\u11ab" * 20, piece=66)
@example(text="\uff76\uff9e" * 30, piece=69)
@example(text="ee\u0301" * 30, piece=65)
@many(40)
def test_normal_form_over_the_borders_of_pieces(tmp_path_factory, form, text, piece):
    file = write(tmp_path_factory.mktemp("text") / "a.txt", text)
    expected = text if form == "none" else unicodedata.normalize(form, text)
    with mock.patch.object(reader, "PIECE", piece):
        assert read(file, form=form).decode() == expected


def test_pieces_are_cut_after_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "PIECE", 200)
    text = prose(5000)
    pieces = list(reader.find([write(tmp_path / "a.txt", text)]).pieces())
    assert b"".join(pieces) == text.encode()
    assert len(pieces) > 20
    assert all(p.endswith(b"\n") for p in pieces[:-1] if b"\n" in p)
    assert max(map(len, pieces)) <= 400, "memory is bounded by the size of a piece"
    for p in pieces:
        p.decode()


@pytest.mark.parametrize("piece", [8, 64, 1 << 20])
@pytest.mark.parametrize("before", ["", "good text, and then ", "漢字\n" * 40, "\ufeffmarked ", "é" * 50, "x" * 99])
@pytest.mark.parametrize("bad", [b"\xff", b"\x80", b"\xe6\xbc", b"\xc0\xaf", b"\xed\xa0\x80"])
@pytest.mark.parametrize("after", ["", "more\n"])
def test_invalid_utf8(tmp_path, monkeypatch, piece, before, bad, after):
    monkeypatch.setattr(reader, "PIECE", piece)
    file = write(tmp_path / "bad.txt", before.encode() + bad + after.encode())
    place = len(before.encode())
    line = before.count("\n") + 1
    said = refused(file)
    assert said.startswith(f"{file}:{line}: byte {place} (0x{bad[0]:02x})")
    assert "UTF-8" in said
    assert read(file, raw=True) == before.encode() + bad + after.encode()


def test_invalid_utf8_in_the_second_file(tmp_path):
    good, bad = write(tmp_path / "good.txt", "fine"), write(tmp_path / "bad.txt", b"ab\xff")
    assert refused(good, bad).startswith(f"{bad}:1: byte 2 ")


def test_empty(tmp_path):
    empty = write(tmp_path / "empty.txt", "")
    for names in ((empty,), (empty, empty)):
        said = refused(*names)
        assert "empty" in said
        assert str(empty) in said or len(names) > 1
    assert read(empty, write(tmp_path / "a.txt", "a")) == b"a"


def test_nothing_given():
    assert "files" in refused()


def test_missing(tmp_path):
    near = write(tmp_path / "novel.txt", "text")
    said = refused(tmp_path / "novle.txt")
    assert said.startswith(f"{tmp_path / 'novle.txt'}: ")
    assert str(near) in said
    for name in (tmp_path / "quite different", tmp_path / "no" / "such" / "a.txt", tmp_path / "*.nothing"):
        said = refused(name)
        assert said.startswith(f"{name}: ")
        assert "no such file" in said
        assert near.name not in said


def test_folder_without_text(tmp_path):
    write(tmp_path / "f" / "picture.bin", b"\0\1\2")
    write(tmp_path / "f" / "empty.txt", "")
    write(tmp_path / "f" / ".hidden", "text")
    said = refused(tmp_path / "f")
    assert said.startswith(f"{tmp_path / 'f'}: ")
    assert "no text" in said


def damaged_gz() -> dict[str, bytes]:
    whole = gzip.compress(prose(40_000).encode())
    return {
        "truncated": whole[: len(whole) // 2],
        "without its end": whole[:-4],
        "not gzip": b"plain text after all",
        "header only": whole[:10],
        "nothing packed": whole[:10] + b"\xff" * 200,
        "overwritten": whole[:2000] + b"\xff" * 2000 + whole[4000:],
        "wrong sum": whole[:-8] + b"\0\0\0\0" + whole[-4:],
    }


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("kind", damaged_gz())
def test_damaged_gz(tmp_path, kind, raw):
    file = write(tmp_path / "a.txt.gz", damaged_gz()[kind])
    said = refused(file, raw=raw)
    assert said.startswith(f"{file}: ")
    assert ".gz" in said
    with pytest.raises(HeloError) as error:
        reader.find([file]).fingerprint()
    assert str(error.value) == said


@pytest.mark.parametrize("kind", damaged_gz())
def test_damaged_gz_in_a_folder(tmp_path, kind):
    """What does not even begin as text is passed over; what breaks off later is refused by name."""
    write(tmp_path / "f" / "a.txt", "text\n")
    file = write(tmp_path / "f" / "b.gz", damaged_gz()[kind])
    try:
        assert read(tmp_path / "f") == b"text\n"
    except HeloError as error:
        assert str(error).startswith(f"{file}: ")
        assert ".gz" in str(error)


def test_fingerprint(tmp_path):
    a, b = write(tmp_path / "a.txt", "\ufeffone\n"), write(tmp_path / "b.txt", "two\n")
    both = hashlib.sha256("\ufeffone\ntwo\n".encode()).hexdigest()[:16]
    assert reader.find([a, b]).fingerprint() == both
    assert reader.find([a, b], "NFC").fingerprint() == both
    assert reader.find([b, a]).fingerprint() != both

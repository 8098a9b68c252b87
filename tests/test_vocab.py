"""Text to symbols and back."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fixtures import many, prose
from helo.data import vocab
from helo.errors import HeloError

UNITS = vocab.names()
AWKWARD = (
    "\r\n",
    "\n",
    " ",
    "  ",
    "e\u0301",
    "\ufffd",
    "\ufeff",
    "\u2028",
    "\x00",
    "👩‍👩‍👧",
    "ß",
    "漢字",
    "한",
    "\u1112\u1161",
)
anything = st.lists(st.one_of(st.text(max_size=12), st.sampled_from(AWKWARD)), max_size=8).map("".join)


def built(unit: str, text: str, pieces: int = 1) -> vocab.Vocab:
    if unit == "subwords":
        pytest.importorskip("tokenizers")
    cuts = [len(text) * i // pieces for i in range(pieces + 1)]
    return vocab.build(unit, (text[a:b].encode() for a, b in itertools.pairwise(cuts)))


def test_units():
    assert {"characters", "bytes", "words", "subwords"} <= set(UNITS)
    with pytest.raises(HeloError, match="'word'.*'words'"):
        vocab.find("word")


@pytest.mark.parametrize("unit", UNITS)
@given(anything)
@example("".join(AWKWARD) * 4)
@example("")
@example("one two one two one two\r\none\ttwo  three")
@many(12)
def test_round_trip(unit, text):
    v = built(unit, text)
    ids = v.encode(text.encode())
    assert v.decode(ids) == text.encode()
    assert ids.dtype == v.dtype
    assert len(ids) == 0 or 0 <= ids.min() <= ids.max() < len(v)
    assert not set(ids.tolist()) & set(v.silent)
    assert v.widths[ids].sum(0).tolist() == [len(text.encode()), len(text)]


@pytest.mark.parametrize("unit", UNITS)
def test_pieces_lose_nothing(unit):
    text = prose(3000) + "\r\n naïve — 漢字 👩‍👩‍👧\n"
    v = built(unit, text, pieces=7)
    cuts = [0, 1, 10, 500, 501, 2999, len(text)]
    pieces = [v.encode(text[a:b].encode()) for a, b in itertools.pairwise(cuts)]
    assert v.decode(np.concatenate(pieces)) == text.encode()


@pytest.mark.parametrize("unit", UNITS)
@given(anything)
@example("".join(AWKWARD) * 3)
def test_saved_and_read(unit, text):
    v = built(unit, text + "the the the the")
    saved = json.loads(json.dumps(v.to_json(), ensure_ascii=False))
    again = vocab.from_json(saved)
    assert saved["unit"] == unit
    assert type(again) is type(v)
    assert again.spelling == v.spelling
    assert again.encode(text.encode()).tolist() == v.encode(text.encode()).tolist()


@pytest.mark.parametrize("unit", UNITS)
def test_the_same_every_time(unit):
    text = prose(4000)
    one, two = built(unit, text), built(unit, text, pieces=1)
    assert json.dumps(one.to_json()) == json.dumps(two.to_json())


def test_the_same_whatever_the_hash_seed():
    code = (
        "import json, sys; from helo.data import vocab\n"
        "text = 'b a c b a c b a c one two one two one two 漢 字'.encode()\n"
        "print(json.dumps([vocab.build(u, [text]).to_json() for u in ('characters', 'words')]))"
    )
    seen = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": s}, capture_output=True, check=True).stdout
        for s in ("1", "2")
    ]
    assert seen[0] == seen[1]
    assert seen[0].startswith(b"[{")


def test_characters_are_numbered_in_order():
    v = built("characters", "banana")
    assert v.encode(b"banana").tolist() == [2, 1, 3, 1, 3, 1]
    assert [s.decode() for s in v.spelling[1:]] == ["a", "b", "n"]


@pytest.mark.parametrize("unit", ["characters", "words"])
@pytest.mark.parametrize(
    "text, character, code",
    [("abz", "z", "U+007A"), ("ab\u00e9", "é", "U+00E9"), ("a漢字", "漢", "U+6F22"), ("b👩a", "👩", "U+1F469")],
)
def test_unknown_character(unit, text, character, code):
    v = built(unit, "abcmn\n")
    with pytest.raises(HeloError) as refused:
        v.encode(text.encode())
    assert repr(character) in str(refused.value)
    assert code in str(refused.value)
    ids = v.encode(text.encode(), lenient=True)
    assert len(ids) == len(text)
    assert [i == 0 for i in ids] == [c not in "abcmn\n" for c in text]
    assert 0 in v.silent


@given(st.binary(max_size=60))
@example(b"\xff\xfe\x00\x80 \xe6\xbc")
@many(20)
def test_bytes_take_any_file(data):
    v = built("bytes", "")
    assert v.encode(data).tolist() == list(data)
    assert v.decode(v.encode(data)) == data
    assert len(v) == 256


@given(anything)
@example("".join(AWKWARD))
@many(20)
def test_subwords_know_every_text(text):
    v = _subwords()
    assert v.decode(v.encode(text.encode())) == text.encode()


def _subwords(_kept: list[vocab.Vocab] = []) -> vocab.Vocab:  # noqa: B006
    if not _kept:
        _kept.append(built("subwords", prose(20_000)))
    return _kept[0]


def test_subwords_are_shorter_than_bytes():
    v, text = _subwords(), prose(20_000).encode()
    assert 256 < len(v) <= 2000
    assert len(v.encode(text)) < len(text) / 2.5


def test_words_seen_often_are_one_symbol():
    v = built("words", "the cat the cat the cat sat.")
    # " cat" three times; " the" twice and "the" once are too rare, and so is spelled what is not a word.
    assert [s.decode() for s in v.spelling[1:]] == [*sorted(set("the cat sat.")), " cat"]
    spelled = [v.spelling[i].decode() for i in v.encode(b"the cat sat.")]
    assert spelled == ["t", "h", "e", " cat", " ", "s", "a", "t", "."]


def test_words_most_frequent_first():
    v = built("words", " b" * 3 + " aa" * 5 + " cc" * 5)
    assert [s.decode() for s in v.spelling if len(s) > 1][1:] == [" aa", " cc", " b"]


@pytest.mark.parametrize("size, dtype", [(255, np.uint8), (256, np.uint16), (70_000, np.uint32)])
def test_smallest_numbers(size, dtype):
    v = built("characters", "".join(chr(0x10000 + i) for i in range(size)))
    assert (len(v), v.dtype) == (size + 1, dtype)


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"unit": "runes"},
        {"unit": ["bytes"]},
        {"unit": "characters"},
        {"unit": "characters", "characters": 5},
        {"unit": "characters", "characters": [1, 2]},
        {"unit": "words", "characters": "ab", "words": 7},
        {"unit": "words", "characters": "ab", "words": [7]},
        {"unit": "subwords", "tokenizer": {}},
        {"unit": "subwords", "tokenizer": {"model": 7}},
    ],
    ids=repr,
)
def test_damaged(saved):
    if saved.get("unit") == "subwords":
        pytest.importorskip("tokenizers")
    with pytest.raises(HeloError):
        vocab.from_json(saved)


LETTERS = [*map(chr, [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]), *map(chr, range(256, 324))]


def subwords(**new):
    """A vocabulary of all bytes and of "he", as JSON, with changes of its model and of the tokenizer round it."""
    model = {"type": "BPE", "vocab": {c: i for i, c in enumerate([*LETTERS, "he"])}, "merges": [["h", "e"]]}
    round_it = {k: v for k, v in new.items() if k not in model}
    model |= {k: v for k, v in new.items() if k in model}
    return {"unit": "subwords", "tokenizer": {"version": "1.0", "model": model, **round_it}}


@pytest.mark.parametrize(
    "new",
    [{"vocab": {c: i for i, c in enumerate(LETTERS[1:])}}, {"vocab": {}}, {"vocab": None}, {"vocab": [1]}, {"merges": None},
     {"merges": [["h"]]}, {"merges": ["h e y"]}, {"merges": [5]}, {"merges": [["zz", "qq"]]},
     *({"vocab": {c: i for i, c in enumerate(LETTERS)} | {"he": wrong}} for wrong in (300, 10**9, 2**31, 0, -1, 0.5, True, "256")),
     {"vocab": {c: i for i, c in enumerate([*LETTERS, "☃", "he"])}}],
    ids=lambda new: next(iter(new)),
)  # fmt: skip
def test_damaged_subwords(new):
    """Each byte has a symbol, and the symbols are numbered without a gap: no text is lost, and no number is beyond a model."""
    pytest.importorskip("tokenizers")
    with pytest.raises(HeloError):
        vocab.from_json(subwords(**new))


@pytest.mark.parametrize(
    "new",
    [{}, {"merges": ["h e"]}, {"type": "Unigram"}, {"normalizer": {"type": "Lowercase"}}, {"pre_tokenizer": None},
     {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}},
     {"padding": {"strategy": {"Fixed": 3 * 10**8}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 99, "pad_type_id": 0, "pad_token": "x"}},
     {"truncation": {"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 0}},
     {"added_tokens": [{"id": 5555, "content": "the", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}]},
     {"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}], "pair": [], "special_tokens": {"x": {"id": "x", "ids": [7777], "tokens": ["x"]}}}}],
    ids=lambda new: next(iter(new), "whole"),
)  # fmt: skip
def test_a_tokenizer_does_nothing_else(new):
    """Whatever a file says round the symbols and merges: texts are neither padded nor cut nor replaced."""
    pytest.importorskip("tokenizers")
    found, text = vocab.from_json(subwords(**new)), "the héHE\n" + "a" * 40
    assert b"".join(found.spelling[i] for i in found.encode(text.encode())) == text.encode()
    assert len(LETTERS) in found.encode(text.encode())


def test_subwords_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(HeloError, match=r"pip install 'helo\[subwords\]'"):
        vocab.build("subwords", [b"text"])

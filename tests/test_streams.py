"""Streams and chunks, and the symbols on disk under them."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fixtures import many
from helo.data import symbols as symbols_module
from helo.data.streams import Streams
from helo.data.symbols import Symbols, encoded
from helo.data.vocab.bytes import Bytes

FIRST = 7  # the text's first id; every id occurs once, so that an id tells its place


def text(length: int) -> Symbols:
    return Symbols([np.arange(FIRST, FIRST + length, dtype=np.uint16)], np.dtype(np.uint16))


@st.composite
def sizes(draw):
    streams, chunk = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    start, after = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    length = draw(st.integers(streams * chunk + 1, streams * chunk * 5 + 9))
    return {
        "streams": streams,
        "chunk": chunk,
        "start": start,
        "length": length,
        "after": after,
        "seed": draw(st.integers(0, 99)),
    }


def streams_of(size, **more) -> Streams:
    start, length = size["start"], size["length"]
    whole = text(start + length + size["after"])
    return Streams(whole, start, start + length, size["streams"], size["chunk"], size["seed"], **more)


LEAST = {"streams": 1, "chunk": 1, "start": 0, "length": 2, "after": 0, "seed": 0}


@given(sizes())
@example(LEAST)
@many(30)
def test_a_pass_over_the_text(size):
    s = streams_of(size)
    first, last = FIRST + size["start"], FIRST + size["start"] + size["length"] - 1
    for epoch in range(3):
        freshness, chunks = zip(*((s.fresh, s.next()) for _ in range(s.per_epoch)), strict=True)
        assert (s.epoch, s.index) == (epoch + 1, 0)
        assert list(freshness) == [True] + [False] * (s.per_epoch - 1)
        for c in chunks:
            assert c["inputs"].shape == c["targets"].shape == (size["streams"], size["chunk"])
            assert c["inputs"].dtype == c["targets"].dtype == np.int64
            assert (c["targets"] == c["inputs"] + 1).all(), "every target follows its input"
        for before, after in itertools.pairwise(chunks):
            assert (after["inputs"][:, 0] == before["targets"][:, -1]).all(), "a row goes on where it left off"
        read = np.concatenate([c["targets"].ravel() for c in chunks])
        assert len(set(read.tolist())) == read.size, "nothing is read twice in a pass"
        assert first < read.min() <= read.max() <= last, "nothing outside is read"
        # What a pass leaves out is less than one more chunk of every stream.
        assert size["length"] - 1 - read.size < size["streams"] * size["chunk"]
        assert read.max() - read.min() == read.size - 1, "the streams lie side by side"


@given(sizes(), st.integers(1, 5))
@many(20)
def test_ranks_share_the_streams(size, world):
    world = min(world, size["streams"])  # more are refused
    whole, ranks = streams_of(size), [streams_of(size, rank=r, world=world) for r in range(world)]
    for _ in range(2 * whole.per_epoch + 1):
        assert all(r.fresh == whole.fresh for r in ranks)
        c, parts = whole.next(), [r.next() for r in ranks]
        for rank, part in enumerate(parts):
            assert (part["inputs"] == c["inputs"][rank::world]).all()
            assert (part["targets"] == c["targets"][rank::world]).all()
        assert sum(len(p["inputs"]) for p in parts) == size["streams"]


@given(sizes(), st.integers(0, 25))
@many(20)
def test_the_position_decides_what_follows(size, steps):
    read, jumped = streams_of(size), streams_of(size)
    for _ in range(steps):
        read.next()
    jumped.epoch, jumped.index = read.epoch, read.index
    for _ in range(3):
        assert read.fresh == jumped.fresh
        assert (read.next()["inputs"] == jumped.next()["inputs"]).all()


def test_passes_start_at_other_places():
    """The first at the start of the text, the others anywhere that leaves room, as the seed says."""

    def starts(seed):
        s = Streams(text(1000), 0, 1000, 4, 50, seed)
        chunks = [(s.fresh, s.next()["inputs"]) for _ in range(40 * s.per_epoch)]
        return [int(inputs[0, 0]) - FIRST for fresh, inputs in chunks if fresh]

    one, other = starts(1), starts(2)
    assert one[0] == other[0] == 0
    assert len(set(one)) > 20
    assert max(one) <= 1000 - 1 - 4 * 4 * 50
    assert one == starts(1)
    assert one != other


# Symbols.


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_symbols(tmp_path, dtype):
    ids = np.random.default_rng(0).integers(0, 250, 1000)
    s = Symbols([ids[:10], ids[10:10], ids[10:]], np.dtype(dtype), tmp_path)
    assert len(s) == 1000
    assert s.ids.dtype == dtype
    assert s.ids.tolist() == ids.tolist()
    window = s.take(np.array([0, 3, 990]), 10)
    assert window.dtype == np.int64
    assert window.tolist() == [ids[0:10].tolist(), ids[3:13].tolist(), ids[990:].tolist()]
    assert list(tmp_path.iterdir()) == [], "the file has no name"


def test_no_symbols():
    s = encoded(Bytes(), [])
    assert len(s) == 0
    assert s.ids.tolist() == []


def test_pages_given_back_are_read_again(monkeypatch):
    monkeypatch.setattr(symbols_module, "_LET_GO", 1)
    ids = np.random.default_rng(0).integers(0, 256, 100_000)
    s = Symbols([ids], np.dtype(np.uint8))
    for at in (0, 50_000, 99_000, 0):
        assert s.take(np.array([at]), 1000)[0].tolist() == ids[at : at + 1000].tolist()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not say how much memory is taken")
def test_memory_does_not_grow_with_the_text():
    """200 MB are written and read through with not much more than half of that resident."""
    code = """
import re
import numpy as np
from helo.data.symbols import Symbols

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024

before = peak()
piece = np.arange(1 << 20).astype(np.uint8)
symbols = Symbols((piece for _ in range(200)), np.dtype(np.uint8))
rows = np.arange(32) * (len(symbols) // 32)
seen = sum(int(symbols.take(rows + t, 1 << 13).sum()) for t in range(0, len(symbols) // 32, 1 << 13))
print(len(symbols) >> 20, peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    length, grown = map(int, done.stdout.split())
    assert length == 200
    assert grown < 120

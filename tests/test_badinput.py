"""A few hundred of the generator's cases; by hand thousands (`python tests/badinput.py`), and its seeds are kept."""

import os
import stat

import pytest

import badinput


@pytest.fixture(scope="module")
def home():
    with badinput.trying() as folder:
        yield folder


@pytest.mark.parametrize(
    "kind, count", [("words", 120), ("files", 80), ("folder", 60), ("cell", 40), ("python", 120), ("outside", 6)]
)
def test_bad_input_ends_in_one_line(home, kind, count):
    faults = []
    for number in range(count):
        case, found = badinput.tried(home, 7, number, [kind])
        if found:
            faults.append(f"{found}\n    {case}\n    python tests/badinput.py --seed 7 --case {number} --only {kind}")
    assert not faults, "\n".join(faults)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)  # a file that takes the place of a device breaks the machine


def test_the_generator_finds_a_fault(home, monkeypatch):
    def broken(path, **more):
        raise KeyError("planted")

    monkeypatch.setattr("helo.runs.load", broken)
    case = badinput.Case("words", ["info", "lm"])
    assert "bug" in (badinput.fault(case, home) or "")
    monkeypatch.setattr(
        "helo.runs.load", lambda path, **more: print("a\nb", file=badinput.sys.stderr) or badinput.sys.exit(2)
    )
    assert "2 lines" in (badinput.fault(case, home) or "")

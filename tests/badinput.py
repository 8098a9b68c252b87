"""Bad input without end: every verb and flag, files of every kind, damaged run folders, cells, surroundings, Python.

python tests/badinput.py --count 5000 --seed 0     each fault with the command that shows it again, and a count
python tests/badinput.py --seed 0 --case 17        one case alone, with its traceback
python tests/badinput.py --about forecast surprise the commands and runs of these words alone

A case is a seed and a number. Flags are read off the commands themselves, so that a new one is tried by itself. What
holds for each: exit code 0, 2 or 130 (1 where `helo check` finds a law broken), no traceback, no "bug", one line of
refusal, JSON that is JSON, an end in time; from Python, HeloError or TypeError, from an estimator also what scikit-learn
raises.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import click
import numpy as np

SECONDS = 60  # so long a case may take; one whose input asks for more is stopped as by Ctrl-C after LONG
LONG = 4
ROOM = 12 << 30  # bytes of address space, so that what asks for all memory gets none of it

#: The runs of the stock.
RUNS = ["lm", "classify", "numbers", "series", "regress", "slope", "tag", "translate", "caption", "forecast"]
FEW = ["--hidden", "8", "--steps", "2", "--quiet"]
AHEAD = ["--horizon", "3", "--members", "1", *FEW]
LONG_FORM = ["--group", "shop", "--time", "date", "--target", "sales"]
SMALL = ["--hidden", "8", "--embedding", "4", "--steps", "2", "--quiet"]
BASES: list[list[str]] = [
    ["train", "lm", "t.txt", "--out", "o", "--chunk", "8", "--streams", "2", *SMALL],
    ["train", "lm", "t.txt", "--out", "lm", "--chunk", "8", "--streams", "2", *SMALL, "--resume"],
    ["train", "lm", "t.txt", "--out", "lm", "--chunk", "8", "--streams", "2", *SMALL, "--overwrite"],
    ["train", "lm", "t.txt", "--out", "o", "--like", "lm", "--steps", "2", "--quiet"],
    ["train", "lm", "t.txt", "--out", "o", "--start", "lm", "--steps", "2", "--quiet"],
    ["train", "classify", "t.tsv", "--out", "o", *SMALL],
    ["train", "classify", "n.csv", "--out", "o", *SMALL],
    ["train", "classify", "x.npz", "--out", "o", *SMALL],
    ["train", "classify", "s.ts", "--out", "o", *SMALL],
    ["train", "classify", "c.csv", "--group", "who", "--out", "o", *SMALL],
    ["train", "classify", "s.ts", "--out", "o", "--no-convolutions", *FEW],
    ["train", "classify", "s.ts", "--out", "o", "--start", "series", "--steps", "2", "--quiet"],
    ["train", "regress", "n.csv", "--target", "b", "--ignore", "label", "--out", "o", *FEW],
    ["train", "regress", "n.csv", "--target", "a", "--target", "b", "--distribution", "normal", "--out", "o", *FEW],
    ["train", "regress", "v.csv", "--target", "stars", "--distribution", "student-t", "--out", "o", *SMALL],
    ["train", "regress", "x.npz", "--out", "o", *FEW],
    ["train", "regress", "q.ts", "--out", "o", *FEW],
    ["train", "regress", "q.ts", "--out", "slope", "--steps", "4", "--hidden", "8", "--resume", "--quiet"],
    ["train", "regress", "c.csv", "--group", "who", "--target", "stars", "--out", "o", *SMALL],
    ["train", "forecast", "h.csv", *LONG_FORM, "--known", "holiday", "--past", "rain", "--out", "o", *AHEAD],
    ["train", "forecast", "h.csv", *LONG_FORM, "--gaps", "zero", "--repeated", "sum", "--out", "o", *AHEAD],
    ["train", "forecast", "h.parquet", *LONG_FORM, "--out", "o", *AHEAD],
    ["train", "forecast", "m.csv", "--out", "o", *AHEAD],
    ["train", "forecast", "m.csv", "--frequency", "monthly", "--season", "4", "--out", "o", *AHEAD],
    ["train", "forecast", "m4.csv", "--frequency", "hourly", "--out", "o", *AHEAD],
    ["train", "forecast", "f.tsf", "--out", "o", *AHEAD],
    ["train", "forecast", "h.csv", "--out", "forecast", *LONG_FORM, *AHEAD, "--steps", "4", "--resume"],
    ["train", "forecast", "f.tsf", "--out", "o", "--like", "forecast", "--steps", "2", "--quiet"],
    ["train", "forecast", "f.tsf", "--out", "o", "--start", "forecast", "--steps", "2", "--quiet"],
    ["train", "tag", "w.conll", "--out", "o", *SMALL],
    ["train", "tag", "u.conllu", "--out", "o", *SMALL],
    ["train", "tag", "frames", "--out", "o", *SMALL],
    ["train", "tag", "c.csv", "--group", "who", "--out", "o", *SMALL],
    ["train", "translate", "p.tsv", "--out", "o", *SMALL],
    ["train", "translate", "--source", "a.en", "--target", "a.de", "--out", "o", *SMALL],
    ["train", "caption", "k.txt", "--images", "pics", "--encoder", "small", "--out", "o", *SMALL],
    ["sample", "lm", "--length", "5"],
    ["sample", "lm", "--length", "5", "--prompt", "the", "--state", "state"],
    ["sample", "lm", "--length", "5", "--streams", "2", "--json"],
    ["sample", "classify"],
    ["predict", "classify", "t.tsv"],
    ["predict", "classify", "-", "--json"],
    ["predict", "numbers", "n.csv"],
    ["predict", "numbers", "-"],
    ["predict", "series", "s.ts"],
    ["predict", "series", "-", "--json"],
    ["predict", "regress", "n.csv", "--out", "answers.csv"],
    ["predict", "regress", "-", "--json"],
    ["predict", "slope", "q.ts", "--json"],
    ["predict", "forecast", "h.csv"],
    ["predict", "forecast", "h.csv", "--horizon", "9", "--quantiles", "0.95", "--paths", "3", "--json"],
    ["predict", "forecast", "h.parquet", "--out", "answers.csv"],
    ["predict", "forecast", "h.csv", "--out", "page.html"],
    ["predict", "forecast", "m.csv", "--format", "jsonl"],
    ["predict", "forecast", "f.tsf", "--json"],
    ["predict", "forecast", "-"],
    ["predict", "forecast", "-", "--stream", "--state", "state"],
    ["predict", "tag", "w.conll"],
    ["predict", "tag", "-", "--json"],
    ["predict", "tag", "-", "--stream", "--state", "state"],
    ["predict", "translate", "p.tsv", "--beam", "2"],
    ["predict", "translate", "-", "--n-best", "2", "--json"],
    ["predict", "translate", "-", "--attention", "look.json"],
    ["predict", "caption", "pics"],
    ["predict", "lm", "-"],
    ["predict", "lm", "t.txt"],
    ["predict", "lm"],
    ["eval", "lm"],
    ["eval", "lm", "t.txt", "--json"],
    ["eval", "lm", "--blocks", "8"],
    ["eval", "lm", "--dynamic"],
    ["eval", "classify", "t.tsv"],
    ["eval", "numbers", "n.csv", "--json"],
    ["eval", "series", "s.ts"],
    ["eval", "regress"],
    ["eval", "regress", "n.csv", "--json"],
    ["eval", "slope", "q.ts", "--report", "rep"],
    ["eval", "forecast", "--json"],
    ["eval", "forecast", "h.csv", "--origins", "2", "--stride", "2", "--json"],
    ["eval", "forecast", "f.tsf", "--report", "rep"],
    ["eval", "tag"],
    ["eval", "translate", "p.tsv"],
    ["eval", "caption"],
    ["explain", "lm", "t.txt"],
    ["explain", "lm", "-", "--at", "5", "--window", "3", "--json"],
    ["explain", "classify", "-", "--label", "a", "--json"],
    ["explain", "numbers", "n.csv"],
    ["explain", "series", "s.ts", "--json"],
    ["explain", "regress", "n.csv"],
    ["explain", "slope", "q.ts", "--out", "page.html"],
    ["explain", "forecast", "h.csv", "--json"],
    ["explain", "tag", "w.conll", "--step", "1"],
    ["explain", "translate", "p.tsv", "--out", "page.html"],
    ["explain", "caption", "pics"],
    ["score", "lm", "t.txt", "--json"],
    ["score", "lm", "t.txt", "--lines", "--out", "s.tsv"],
    ["score", "classify", "t.tsv"],
    ["score", "translate", "p.tsv", "--json"],
    ["surprise", "lm", "t.txt", "--json"],
    ["surprise", "lm", "l.txt", "--lines", "--top", "3"],
    ["surprise", "lm", "l.txt", "--window", "2", "--false-alarms", "0.1", "--valid", "t.txt", "--json"],
    ["surprise", "lm", "l.txt", "--labels", "marks.txt", "--json"],
    ["surprise", "lm", "-", "--stream"],
    ["surprise", "lm", "-", "--stream", "--false-alarms", "0.5", "--valid", "l.txt", "--json"],
    ["surprise", "forecast", "h.csv"],
    ["surprise", "forecast", "h.csv", "--together", "--window", "3", "--false-alarms", "0.1", "--json"],
    ["surprise", "forecast", "f.tsf", "--false-alarms", "0.5", "--valid", "h.csv"],
    ["surprise", "classify", "t.tsv", "--json"],
    ["surprise", "series", "s.ts", "--top", "3"],
    ["surprise", "numbers", "n.csv", "--false-alarms", "0.1", "--json"],
    ["surprise", "regress", "n.csv"],
    ["inspect", "lm", "t.txt", "--most", "300", "--out", "i.html"],
    ["inspect", "lm", "--most", "300", "--json"],
    [
        "inspect",
        "lm",
        "t.txt",
        "--most",
        "300",
        "--property",
        "position in line",
        "--property",
        "prop.py:Good",
        "--json",
    ],
    ["inspect", "classify", "t.tsv", "--json"],
    ["inspect", "tag", "w.conll", "--out", "i.html"],
    ["inspect", "translate", "p.tsv", "--json"],
    ["inspect", "series", "s.ts", "--json"],
    ["inspect", "slope", "q.ts", "--json"],
    ["inspect", "forecast", "h.csv", "--json"],
    ["inspect", "caption"],
    ["gradients", "--length", "9", "--hidden", "4"],
    ["gradients", "--cell", "rnn", "--length", "9", "--hidden", "4", "--chunk", "3", "--scale", "2", "--json"],
    ["gradients", "lm", "t.txt", "--length", "5"],
    ["gradients", "lm", "--length", "5", "--at", "9", "--json"],
    ["gradients", "lm", "t.txt", "--length", "5", "--out", "g.html"],
    ["gradients", "tag"],
    ["info", "lm"],
    ["gradients", "series", "s.ts"],
    ["gradients", "forecast", "--json"],
    ["info", "tag", "--json"],
    ["info", "forecast", "--json"],
    ["watch", "lm", "--no-browser"],
    ["watch", "lm", "--json"],
    ["watch", "tag", "--terminal"],
    ["watch", "translate", "--json"],
    ["watch", "forecast", "--json"],
    ["compare", "forecast", "forecast", "--json"],
    ["compare", "regress", "slope"],
    ["compare", "classify", "classify", "--test", "t.tsv"],
    ["compare", "classify", "t.tsv", "--cells", "rnn,gru", "--seeds", "1", "--out", "o", *SMALL],
    [
        "compare",
        "forecast",
        "h.csv",
        *LONG_FORM,
        "--cells",
        "rnn",
        "--seeds",
        "2",
        "--test",
        "h.csv",
        "--out",
        "o",
        *AHEAD,
    ],
    ["sweep", "classify", "t.tsv", "--trials", "2", "--vary", "rate=0.01..0.1", "--seed", "1", "--out", "o", *SMALL],
    ["sweep", "lm", "t.txt", "--trials", "1", "--vary", "cell=rnn,gru", "--storage", "s.db", "--out", "o", *SMALL],
    ["explain", "regress", "n.csv", "--json"],
    ["explain", "slope", "q.ts", "--out", "e.html"],
    ["predict", "forecast", "h.csv", "--out", "f.html"],
    ["eval", "forecast", "h.csv", "--ets", "--json"],
    ["data", "check", "forecast", "h.csv", *LONG_FORM],
    ["data", "check", "forecast", "m.csv"],
    ["data", "check", "regress", "n.csv", "--target", "b"],
    ["data", "check", "regress", "q.ts"],
    ["train", "lm", "t.txt", "--out", "o", "--chunk", "8", "--streams", "2", *SMALL, "--watch", "--no-browser"],
    ["compare", "lm", "lm", "--json"],
    ["compare", "lm", "classify"],
    ["compare", "tag", "tag", "--out", "page.html"],
    ["data", "list"],
    ["data", "get", "python"],
    ["data", "check", "python"],
    ["data", "check", "lm", "t.txt"],
    ["data", "check", "classify", "t.tsv", "--json"],
    ["data", "check", "tag", "w.conll"],
    ["data", "check", "translate", "p.tsv"],
    ["data", "check", "caption", "k.txt", "--images", "pics"],
]
RARE: list[list[str]] = [  # they take seconds each
    ["hello"],
    ["hello", "--json"],
    ["hello", "--quiet"],
    ["hello", "mississippi", "--cell", "lstm", "--quiet"],
    ["hello", "papaya", "--cell", "gru", "--json"],
    ["check", "rnn"],
    ["demo", "--minutes", "0.001", "--quiet"],
    ["demo", "classify", "--minutes", "0.001", "--quiet"],
    ["demo", "tag", "--minutes", "0.001", "--quiet"],
    ["demo", "forecast", "--minutes", "0.001", "--quiet"],
    ["demo", "regress", "--minutes", "0.001", "--quiet"],
]
WITHOUT_END = {
    "length",
    "steps",
    "epochs",
    "minutes",
    "save_seconds",
    "streams",
    "beam",
    "n_best",
    "layers",
    "batch",
    "chunk",
    "blocks",
    "dynamic",
    "tasks",
    "horizon",
    "paths",
    "origins",
    "members",
    "seeds",
    "trials",
}

WHOLE = ["-1", "0", "1", "2", "3", "7", "-9223372036854775808", "2147483648", "9223372036854775808", "1" + "0" * 30,
         "9" * 5000, "1.5", "1e3", "nan", "abc", "", " 5", "1_0", "0x10", "٣", "٣٣", "+1", "--"]  # fmt: skip
REAL = ["-1", "0", "-0", "-0.0", "1", "0.5", "0.001", "1e-300", "5e-324", "1e30", "1e300", "1e400", "-1e300", "nan", "-nan", "inf", "-inf",
        "abc", "", "1,5", "1_0", "٣", "9" * 400, "0x1p3", "1e-7"]  # fmt: skip
TEXT = ["", " ", "-", ".", "..", "nowhere", "~", "~nobody-here/x", "*", "**", "[", "a\nb", "\x1b[31mred", "n" * 300, "x" * 5000, os.fsdecode(b"\xff.txt"),
        "/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "/proc/nowhere/x", "/dev/null/x", "t.txt", "t.txt/x", "lm", "lm/run.json", "lm/weights.safetensors", "classify", "pics",
        "pics/1.png", "text", "label", "2", "0", "-1", "upos", "lstm", "lstm,x=1", "rnn,nonlinearity=relu", "rnn,nonlinearity=", "mingru", "gru,", ",", "cell.py", "cell.py:Good",
        "cell.py:Nobody", "nowhere.py:Good", ".py:", "a.py:b:c", "small", "thumbnail", "efficientnet-lite9", "x.onnx", "{}", "{x}", "%s", "%", "\u202e", "春", "\ud83d\ude00"[:0] + "😀",
        os.fsdecode(b"\xff\xfe"), "a" * 255, "a/" * 2000, "-h", "--help", "--", "=", "\t", "NaN", "None", "empty", "fifo"]  # fmt: skip
WORDS = [
    "--",
    "-",
    "--help",
    "-h",
    "--version",
    "--debug",
    "--quiet",
    "--json",
    "help",
    "helo",
    "--no-such-flag",
    "--hiden",
    "--seed",
    "--out",
    "",
    "-x",
    "-n",
    "train",
    "lm",
    "lm",
    "nix",
]
SUFFIXES = [
    "txt",
    "tsv",
    "csv",
    "jsonl",
    "ts",
    "tsf",
    "parquet",
    "npz",
    "mat",
    "conll",
    "conllu",
    "json",
    "png",
    "jpg",
    "tar",
    "gz",
    "vec",
    "onnx",
    "mp4",
    "py",
    "TXT",
    "",
]
CELLS = {
    "import": "import sys\nsys.exit(7)\n",
    "raises": "raise ValueError('mine')\n",
    "syntax": "def (\n",
    "bytes": "\0\1\2",
    "deep": "x = " + "(" * 5000 + "\n",
    "empty": "",
    "no cell": "class Good: pass\n",
    "abstract": "from helo.cells import Cell\nclass Good(Cell):\n    pass\n",
    "must": "from dataclasses import dataclass\nfrom helo.cells.lstm import LSTM\n@dataclass(frozen=True)\nclass Good(LSTM):\n    size: int\n",
    "post": "from helo.cells.lstm import LSTM\nclass Good(LSTM):\n    def __init__(self): raise KeyError('mine')\n",
}
BODIES = [
    "def init(self, rng, i, h): return None", "def init(self, rng, i, h): return {}", "def init(self, rng, i, h): return {'w': [1.0]}",
    "def init(self, rng, i, h): raise ValueError('mine')", "def init(self, rng, i, h): raise SystemExit(3)",
    "def init(self, rng, i, h): return {'w': np.zeros((h, i))}", "def init(self, rng, i, h): return {'w': np.full((h, i), np.nan, np.float32)}",
    "def init(self, rng, i, h): return {1: np.zeros((h, i), np.float32)}",
    "def state(self, p, b): return None", "def state(self, p, b): return ()", "def state(self, p, b): return [p['w']]", "def state(self, p, b): return (np.zeros((b, len(p['w'])), np.float32),)",
    "def state(self, p, b): return (p['w'][:1],)", "def state(self, p, b): raise ZeroDivisionError('mine')",
    "def step(self, p, s, x): return None", "def step(self, p, s, x): return s", "def step(self, p, s, x): return s, x", "def step(self, p, s, x): return s, s[0][:, :1]",
    "def step(self, p, s, x): return s, s[0] * float('nan')", "def step(self, p, s, x): return s, s[0] * float('inf')",
    "def step(self, p, s, x): raise ValueError('mine')", "def step(self, p, s, x): raise SystemExit('mine')", "def step(self, p, s, x): raise MemoryError",
    "def step(self, p, s, x): return self.step(p, s, x)", "def step(self, p, s, x): return (s[0] @ p['w'],), s[0]", "def step(self, p, s, x): return (s[0][0],), s[0]",
    "def step(self, p, s, x): return (np.zeros(s[0].shape),), np.zeros(s[0].shape)", "def step(self, p, s, x): return (s[0] + 1j,), s[0]", "def step(self, p, s, x): return s, s[0].double()",
    "def step(self, p, s, x): import os; return s, s[0][:, [0]]", "def project(self, p, xs): return None", "def project(self, p, xs): return xs[0]", "def project(self, p, xs): raise OSError('mine')",
    "def step(self, p, s, x): 1 / (len(x) != 2)\n        return s, s[0]", "def step(self, p, s, x): return s, s[0] / 0",
]  # fmt: skip
BODY = """import numpy as np
from helo.cells import Cell
class Good(Cell):
    def init(self, rng, i, h): return {{'w': rng.standard_normal((h, i)).astype(np.float32)}}
    def state(self, p, b): return (p['w'][:1].sum(1)[:, None] * 0 + p['w'].sum(1)[None] * 0 + (p['w'][:1, :1] * 0).repeat(b, 1).reshape(b, 1),)
    def step(self, p, s, x):
        h = s[0] + x @ p['w'].T
        return (h,), h
    {}
"""
PROPERTY = """from helo.inspection.properties.base import Property
class Good(Property):
    "Every third."
    def values(self, row): return [t % 3 == 0 for t in range(len(row))]
"""
SURROUNDINGS: list[dict[str, str | None]] = [
    {"RANK": "x"}, {"RANK": "-1"}, {"RANK": "5"}, {"WORLD_SIZE": "0"}, {"WORLD_SIZE": "-1"}, {"WORLD_SIZE": "abc"}, {"WORLD_SIZE": ""}, {"LOCAL_RANK": "x"},
    {"WORLD_SIZE": "2", "RANK": "0"}, {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1"}, {"OMP_NUM_THREADS": "abc"}, {"OMP_NUM_THREADS": "0"}, {"OMP_NUM_THREADS": "-1"},
    {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "gbk"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "xx_YY.nix"},
    {"COLUMNS": "1"}, {"COLUMNS": "abc"}, {"COLUMNS": "-5"}, {"TERM": "dumb"}, {"TERM": ""}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1"}, {"TMPDIR": "/nowhere"}, {"TMPDIR": "/proc"},
    {"HOME": None}, {"HOME": ""}, {"HOME": "/nowhere"}, {"HELO_DATA": "/proc/x"}, {"HELO_DATA": ""}, {"PYTHONWARNINGS": "default"}, {"PATH": ""}, {"LANG": "zh_CN.GBK"},
    {"XDG_CACHE_HOME": "/proc/x"}, {"MPLCONFIGDIR": "/proc/x"}, {"PYTHONOPTIMIZE": "2"},
]  # fmt: skip
STREAMS = [
    "",
    "<&-",
    ">&-",
    "2>&-",
    "<&- >&- 2>&-",
    ">/dev/full",
    "2>/dev/full",
    ">/dev/full 2>&1",
    "| head -c 10",
    "| head -1",
    "2>&1 | head -1",
    "| true",
    "</dev/full",
    "</proc/self/mem",
]


@dataclass
class Case:
    """What is tried: words of the command line with their surroundings, or a call."""

    kind: str
    words: list[str] = field(default_factory=list)
    stdin: bytes = b""
    env: dict[str, str | None] = field(default_factory=dict)
    streams: str = ""
    outside: bool = False  # in a process of its own
    call: Callable[[], Any] | None = None
    said: str = ""  # a call, or what was done to files, in words

    @property
    def endless(self) -> bool:
        """Whether the input may ask for more than a moment."""
        flags = {w[2:].partition("=")[0].replace("-", "_") for w in self.words if w.startswith("--")}
        verbs = (["check"], ["demo"], ["watch"], ["explain"])
        return (
            bool(flags & WITHOUT_END)
            or any(w.rpartition("=")[2] == "fifo" for w in self.words)
            or self.words[:1] in verbs
        )

    def __str__(self) -> str:
        env = " ".join(f"{k}={shlex.quote(v)}" if v is not None else f"-u {k}" for k, v in self.env.items())
        words = shlex.join(w if len(w) < 200 else f"{w[:40]}…({len(w):,})" for w in self.words)
        parts = [
            f"[{self.kind}]",
            f"env {env}" if env else "",
            f"helo {words}" if words else "",
            self.streams,
            self.said,
        ]
        return " ".join(p for p in parts if p) + (f"  <<< {self.stdin[:60]!r}" if self.stdin else "")


# What there is to begin with.


def stock(folder: Path) -> None:
    """Small whole files of every kind, and a small run of every shape."""
    import helo

    r = random.Random(1)
    some = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "one", "dog", "run", "by", "it"]
    text = " ".join(r.choice(some) for _ in range(600)) + "\n"
    (folder / "t.txt").write_text(text)
    (folder / "t.tsv").write_text(
        "text\tlabel\n" + "".join(f"{' '.join(r.choices(some, k=4))}\t{'ab'[i % 2]}\n" for i in range(24))
    )
    (folder / "t.jsonl").write_text(
        "".join(json.dumps({"text": " ".join(r.choices(some, k=4)), "label": "ab"[i % 2]}) + "\n" for i in range(24))
    )
    (folder / "n.csv").write_text(
        "a,b,label\n" + "".join(f"{r.gauss(0, 1):.3f},{i},{'ab'[i % 2]}\n" for i in range(24))
    )
    (folder / "c.csv").write_text(
        "who,text,label,speaker,stars\n"
        + "".join(
            f"{i // 4},{r.choice(some)} {r.choice(some)},{'ab'[i % 2]},{'xy'[i % 2]},{i % 5}\n" for i in range(32)
        )
    )
    rng = np.random.default_rng(0)
    np.savez(folder / "x.npz", x=rng.standard_normal((24, 5, 2)), y=np.arange(24) % 2)
    (folder / "s.ts").write_text(
        "@problemName x\n@classLabel true a b\n@data\n"
        + "".join(f"{','.join(f'{v:.2f}' for v in rng.standard_normal(6))}:{'ab'[i % 2]}\n" for i in range(24))
    )
    (folder / "q.ts").write_text(
        "@problemName x\n@targetlabel true\n@data\n"
        + "".join(f"{','.join(f'{v:.2f}' for v in rng.standard_normal(6))}:{i / 7:.2f}\n" for i in range(24))
    )
    (folder / "v.csv").write_text(
        "text,stars\n" + "".join(f"{' '.join(r.choices(some, k=4))},{i % 5}.5\n" for i in range(24))
    )
    (folder / "l.txt").write_text("".join(f"{' '.join(r.choices(some, k=3))}\n" for _ in range(30)))
    (folder / "marks.txt").write_text("".join(f"{int(i == 7)}\n" for i in range(30)))
    days = [str(date(2024, 1, 1) + timedelta(i)) for i in range(30)]
    rows = [
        (day, shop, round(9 * k + i % 7 + r.random(), 2), int(i % 6 == 0), r.randrange(9))
        for k, shop in enumerate(["north", "south"], 1)
        for i, day in enumerate(days)
    ]
    names = ["date", "shop", "sales", "holiday", "rain"]
    (folder / "h.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in [names, *rows]))
    with contextlib.suppress(ImportError):
        import polars

        polars.DataFrame(rows, schema=names, orient="row").write_parquet(folder / "h.parquet")
    (folder / "m.csv").write_text(
        "month,a,b\n" + "".join(f"{2020 + i // 12}-{i % 12 + 1:02d},{i % 12}.5,{i}\n" for i in range(36))
    )
    wide = [[f"H{k}", *(f"{v:.2f}" for v in rng.standard_normal(26 + 3 * k))] for k in range(3)]
    (folder / "m4.csv").write_text(
        "".join(",".join(f'"{c}"' for c in row) + "\n" for row in [[f"V{i}" for i in range(1, 40)], *wide])
    )
    (folder / "f.tsf").write_text(
        "@relation x\n@attribute series_name string\n@attribute start_timestamp date\n@frequency daily\n"
        "@horizon 3\n@missing true\n@equallength false\n@data\n"
        + "".join(f"T{k}:2020-01-01 00-00-00:{','.join(f'{v:.2f}' for v in rng.random(30))},?\n" for k in range(3))
    )
    (folder / "w.conll").write_text(
        "\n\n".join("\n".join(f"{w}\t{'N' if len(w) > 2 else 'V'}" for w in r.choices(some, k=4)) for _ in range(20))
        + "\n"
    )
    sentences = (
        [
            "\t".join([str(j), w, w, "NOUN" if len(w) > 2 else "VERB", *"______"])
            for j, w in enumerate(r.choices(some, k=4), 1)
        ]
        for _ in range(20)
    )
    (folder / "u.conllu").write_text("\n\n".join("\n".join(s) for s in sentences) + "\n\n")
    (folder / "frames").mkdir()
    for i in range(6):
        np.savez(folder / "frames" / f"{i}.npz", x=rng.standard_normal((12, 3)), y=np.arange(12) // 6)
    pairs = [(" ".join(p), " ".join(reversed(p))) for p in (r.choices(some, k=3) for _ in range(24))]
    (folder / "p.tsv").write_text("source\ttarget\n" + "".join(f"{a}\t{b}\n" for a, b in pairs))
    (folder / "a.en").write_text("".join(f"{a}\n" for a, _ in pairs))
    (folder / "a.de").write_text("".join(f"{b}\n" for _, b in pairs))
    (folder / "pics").mkdir()
    from PIL import Image

    for i in range(6):
        Image.fromarray(rng.integers(0, 255, (24, 24, 3), np.uint8)).save(folder / "pics" / f"{i}.png")
    (folder / "k.txt").write_text(
        "".join(f"{i}.png\t{r.choice(some)} {r.choice(some)}\n" for i in range(6) for _ in range(2))
    )
    (folder / "v.vec").write_text("".join(f"{w} 0.1 0.2 {i}\n" for i, w in enumerate(sorted(set(some)))))
    (folder / "cell.py").write_text(BODY.format(""))
    (folder / "prop.py").write_text(PROPERTY)
    (folder / "empty").mkdir()
    os.mkfifo(folder / "fifo")
    with contextlib.chdir(folder), mock.patch("helo.drawing.loss"):
        small: dict[str, Any] = {"hidden": 8, "embedding": 4, "steps": 3}
        helo.train("lm", "t.txt", out="lm", chunk=8, streams=2, **small)
        helo.train("classify", "t.tsv", out="classify", **small)
        helo.train("classify", "n.csv", out="numbers", **small)
        helo.train("classify", "s.ts", out="series", hidden=8, steps=3)
        helo.train("regress", "n.csv", out="regress", target="b", distribution="student-t", hidden=8, steps=3)
        helo.train("regress", "q.ts", out="slope", hidden=8, steps=3)
        helo.train("tag", "w.conll", out="tag", bidirectional=False, **small)
        helo.train("translate", "p.tsv", out="translate", **small)
        helo.train("caption", "k.txt", out="caption", images=("pics",), encoder="small", **small)
        few: dict[str, Any] = {"hidden": 8, "steps": 3, "horizon": 3, "members": 2}
        helo.train("forecast", "h.csv", out="forecast", group="shop", target="sales", known="holiday", **few)


def copied(stock: Path, to: Path) -> None:
    def copy(a: str, b: str) -> None:
        if Path(a).is_fifo():
            os.mkfifo(b)
        else:
            shutil.copyfile(a, b)

    shutil.copytree(stock, to, copy_function=copy, dirs_exist_ok=True)


# Kinds of bad input. Each makes a case; the working folder is a copy of the stock, and may be damaged.


def flags_of(words: list[str]) -> list[click.Parameter]:
    """The flags of the verb that words name, off the command itself."""
    from helo.cli import cli

    command: click.Command = cli
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        if found is None:
            break
        command = found
    return [p for p in command.params if isinstance(p, click.Option)]


def values_of(p: click.Parameter, r: random.Random) -> list[str]:
    """Something odd for a flag, as words."""
    name = r.choice([*p.opts, *p.secondary_opts])
    if getattr(p, "is_flag", False):
        return [name] if r.random() < 0.9 else [f"{name}={r.choice(TEXT)}"]
    kind = type(p.type).__name__
    pool = WHOLE if "Int" in kind else REAL if "Float" in kind else TEXT
    if r.random() < 0.1:
        pool = r.choice([WHOLE, REAL, TEXT])
    if isinstance(p.type, click.Choice):
        pool = [*p.type.choices, *p.type.choices, str(p.type.choices[0]).upper(), *TEXT[:12]]
    value = r.choice(pool)
    return [name, value] if r.random() < 0.8 else [f"{name}={value}"]


def command_line(r: random.Random, folder: Path) -> Case:
    words = list(r.choice(RARE) if r.random() < 0.015 else r.choice(BASES))
    known = flags_of(words)
    for _ in range(r.choice([1, 1, 1, 2, 2, 3])):
        how = r.random()
        if how < 0.6 and known:
            p = r.choice(known)
            if (name := p.opts[0]) in words and not getattr(p, "is_flag", False) and r.random() < 0.7:
                words[words.index(name) + 1 : words.index(name) + 2] = [
                    r.choice(WHOLE + REAL if name in SMALL else TEXT)
                ]
            else:
                words += values_of(p, r)
        elif how < 0.8:  # another file
            at = [i for i, w in enumerate(words) if i and not w.startswith("--") and not words[i - 1].startswith("--")]
            words[r.choice(at or [0])] = r.choice([*TEXT, *(p.name for p in folder.iterdir())])
        elif how < 0.87:
            words.insert(r.randrange(len(words) + 1), r.choice(WORDS + TEXT))
        elif how < 0.94:
            del words[r.randrange(len(words))]
        else:
            r.shuffle(words)
    stdin = r.choice(
        [
            b"",
            b"abc\n",
            b"\n\n\n",
            b"\xff\xfe\n",
            b"1,2\n",
            b"\0",
            "the cat\n春\n".encode(),
            b"a" * 10000 + b"\n",
            b"nan,inf\n",
            b"t.txt\npics/1.png\n",
        ]
    )
    return Case("words", words, stdin)


def odd(content: bytes, suffix: str, r: random.Random) -> bytes:
    """A file's content as it should not be."""

    def cells(change: Callable[[str], str]) -> bytes:
        lines = content.decode(errors="replace").split("\n")
        at = r.randrange(len(lines))
        lines[at] = change(lines[at])
        return "\n".join(lines).encode(errors="surrogatepass")

    def every(change: Callable[[str], str]) -> bytes:
        return "\n".join(map(change, content.decode(errors="replace").split("\n"))).encode(errors="surrogatepass")

    def cell(line: str) -> str:
        mark = "\t" if "\t" in line else ","
        parts = line.split(mark)
        parts[r.randrange(len(parts))] = r.choice(
            [
                "",
                " ",
                "nan",
                "inf",
                "-inf",
                "1e39",
                "1e400",
                "1.8e308",
                "-0",
                "9" * 5000,
                '"',
                '""',
                '"a',
                "'",
                "\x85",
                "\u2028",
                "\0",
                "\x1b[2J",
                "x" * 3000,
                "None",
                "春",
                "\ufeff",
                "NA",
                "-1e308",
                "1e19",
                "?",
                "2020-02-30",
                "0000-00-00",
                "9999-12-31",
                "1-1-1",
                "2024-01-01T00:00:00+25:00",
                "2024-01-01 25:00",
                "99999999999999999999",
                "2024Q9",
            ]
        )
        return mark.join(parts)

    def row(line: str) -> str:
        if suffix == "jsonl" and line:
            value = r.choice(["1", "null", "[]", "{}", '"x"', "NaN", "Infinity", "1e400", "[" * 100000, '{"a":' * 100000, "9" * 5000, '{"text": "\\ud800", "label": "a"}', '{"text": 1, "label": 2}', '{"text": null, "label": null}',
                              '{"text": ["a"], "label": {"x": 1}}', '{"text": "a", "label": ["a", null]}', '{"text": "a", "text": "b"}', '{"label": true, "text": "x"}', '{"text": "", "label": ""}', "{'text': 1}", '{"text": "a", "label": 1e999}'])  # fmt: skip
            return value
        return cell(line)

    ways: list[Callable[[], bytes]] = [
        lambda: b"", lambda: b"\n", lambda: b"a", lambda: b"\0" * 100, lambda: r.randbytes(200), lambda: b"\n" * 500, lambda: b"\r" * 9, lambda: b",,,\n" * 30, lambda: b"\t\t\n" * 30,
        lambda: content[: r.randrange(len(content) + 1)], lambda: content.decode(errors="replace").encode("utf-16"), lambda: content.decode(errors="replace").encode("utf-16-le"),
        lambda: b"\xef\xbb\xbf" + content, lambda: content + "café\n".encode("latin-1"), lambda: content.replace(b"\n", b"\r\n"), lambda: content.replace(b"\n", b"\r"), lambda: content.split(b"\n")[0],
        lambda: b"\n".join(content.split(b"\n")[:2]) + b"\n", lambda: b"[" * (100000 if "json" in suffix else 3000), lambda: b"{}", lambda: b"x" * 3000, lambda: content * 2, lambda: gzip.compress(content)[:-9],
        lambda: bytes(b ^ (r.random() < 0.01) * 0xFF for b in content),
    ]  # fmt: skip
    ways += (
        [lambda: cells(cell)] * 6
        + [lambda: cells(row)] * 6
        + [lambda: cells(lambda line: line * 2), lambda: cells(lambda line: "")]
        + [lambda: cells(lambda line: f"{line}\n{line}"), lambda: every(cell), lambda: every(lambda line: line[:-1])]
    )
    return r.choice(ways)()


def arrays(path: Path, r: random.Random) -> None:
    """An .npz or .mat as it should not be."""
    rng = np.random.default_rng(r.randrange(1 << 30))
    x: list[Any] = [
        rng.standard_normal((24, 5, 2)), rng.standard_normal((24, 3)), rng.standard_normal(24), np.float32(1), np.zeros((0, 3)), np.zeros((24, 0)), np.zeros((24, 0, 2)), np.full((24, 3), np.nan),
        np.full((24, 3), 1e300), np.full((24, 3), np.inf), np.array(["a"] * 24), np.array([object()] * 24, object), np.array([[1, 2], [3]], object), np.zeros((24, 3), complex), np.zeros((24, 3), "datetime64[s]"),
        np.zeros((24, 2, 2, 2, 2, 2)), rng.integers(0, 255, (24, 8, 8), np.uint8), rng.integers(0, 255, (24, 8, 8, 3), np.uint8), np.zeros(24, [("a", float)]), np.zeros((24, 3), bool), np.zeros((24, 3), np.float16),
        np.zeros((24, 3), ">f8"), np.array([None] * 24), np.full((24, 3), -1, np.int8), np.full((24, 3), 2**63, np.uint64), np.zeros((24, 3), np.longdouble), np.array(["x" * 9] * 24, "S"), np.zeros((1, 1, 1)),
    ]  # fmt: skip
    y: list[Any] = [
        np.arange(24) % 2, np.zeros(24), np.arange(24), np.arange(3), np.full(24, np.nan), np.array(["a", "b"] * 12), np.zeros((24, 2)), np.eye(24), np.float32(1), np.array([None] * 24),
        np.array([["a"], [2]] * 12, object), np.full(24, 1e300), np.zeros(24, complex), np.array([b"\xff", b"a"] * 12), np.zeros((24, 5)), np.arange(24) % 2 == 0, np.array(["", "a"] * 12), np.zeros((0,)),
    ]  # fmt: skip
    found: dict[str, Any] = {r.choice(["x", "x", "x", "X", "data", "nix"]): r.choice(x)}
    if r.random() < 0.85:
        found[r.choice(["y", "y", "y", "labels", "x"])] = r.choice(y)
    if r.random() < 0.1:
        found["names"] = r.choice([np.array(["a", "b"]), np.zeros(3), np.array(1), np.array([None, {}])])
    with contextlib.suppress(Exception):
        if path.suffix == ".mat":
            from scipy.io import savemat

            savemat(path, found)
        else:
            np.savez(path, **found)


def files(r: random.Random, folder: Path) -> Case:
    verbs = ("train", "predict", "eval", "explain", "score", "surprise")
    bases = [b for b in BASES if b[0] in verbs or b[:2] == ["data", "check"]]
    words = list(r.choice(bases))
    named = [i for i, w in enumerate(words) if i > 1 and (folder / w).exists() and w not in RUNS]
    whole = [p for p in folder.iterdir() if p.is_file()]
    if not named:
        words.append("t.txt")
        named = [len(words) - 1]
    at = r.choice(named)
    old = folder / words[at]
    if old.is_dir():
        inside = sorted(old.iterdir())
        old = r.choice(inside) if inside else folder / "t.txt"
    content = old.read_bytes()
    if r.random() < 0.15:
        content = r.choice(whole).read_bytes()
    suffix = old.suffix[1:]
    if (folder / words[at]).is_dir():
        to = old
    else:
        suffix = r.choice(SUFFIXES) if r.random() < 0.25 else suffix
        to = folder / f"odd{'.' * bool(suffix)}{suffix}"
        words[at] = to.name
    if suffix in ("npz", "mat") and r.random() < 0.85:
        arrays(to, r)
        if not to.exists():
            to.write_bytes(b"PK")
    else:
        to.write_bytes(odd(content, suffix, r))
        if r.random() < 0.06:
            packed = to.with_name(to.name + ".gz")
            packed.write_bytes(gzip.compress(to.read_bytes()))
            if not (folder / words[at]).is_dir():
                words[at] = packed.name
    if r.random() < 0.2:
        words += values_of(r.choice(flags_of(words)), r)
    return Case("files", words, said=f"({to.name}: {to.stat().st_size if to.exists() else 0} bytes)")


def damaged(value: Any, r: random.Random) -> Any:
    """A JSON value with something in it changed."""
    if isinstance(value, dict) and value and r.random() < 0.9:
        key = r.choice(list(value))
        how = r.random()
        if how < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if how < 0.25:
            return value | {r.choice(["x", "", key + "x"]): value[key]}
        return value | {key: damaged(value[key], r)}
    if isinstance(value, list) and value and r.random() < 0.6:
        at = r.randrange(len(value))
        return [*value[:at], damaged(value[at], r), *value[at + r.choice([0, 1]) :]]
    return r.choice(
        [
            None,
            True,
            0,
            -1,
            1.5,
            1e300,
            10**30,
            float("nan"),
            float("inf"),
            "",
            "x",
            "\x1b[2J",
            "../../etc/passwd",
            "cell.py:Good",
            [],
            {},
            [[]],
            {"a": 1},
            ["x"] * 3,
            [1, "a"],
            "春",
        ]
    )


def folders(r: random.Random, folder: Path) -> Case:
    run = r.choice(RUNS)
    bases = [b for b in BASES if run in b[1:] and b[:2] != ["train", run] and b[:3] != ["data", "check", run]]
    bases += [["info", run], ["info", run, "--json"], ["eval", run]]
    words = list(r.choice(bases))
    names = [
        "run.json",
        "run.json",
        "run.json",
        "vocab.json",
        "vocab.json",
        "weights.safetensors",
        "metrics.jsonl",
        "last/state.safetensors",
        "README.md",
    ]
    file = folder / run / r.choice(names)
    how = r.choice(["json", "json", "json", "json", "odd", "odd", "gone", "folder", "fifo", "other", "rows"])
    if how == "json" and file.suffix == ".json":
        value = json.loads(file.read_text())
        for _ in range(r.choice([1, 1, 2])):
            value = damaged(value, r)
        file.write_text(json.dumps(value))
    elif how == "gone":
        file.unlink()
    elif how == "folder":
        file.unlink()
        file.mkdir()
    elif how == "fifo":
        file.unlink()
        os.mkfifo(file)
    elif how == "other":
        theirs = folder / r.choice(RUNS) / file.relative_to(folder / run)
        file.write_bytes(theirs.read_bytes())
    elif file.suffix == ".safetensors" and how != "odd":
        from safetensors.numpy import load_file, save_file

        found = load_file(file)
        name = r.choice(sorted(found))
        a = found[name]
        change = r.choice(
            [
                a.T.copy(),
                a[:1].copy() if a.ndim else a,
                a.astype(np.float16),
                a.astype(np.float64),
                np.full_like(a, np.nan) if a.dtype.kind == "f" else a,
                a.reshape(-1).copy(),
                np.zeros(0, a.dtype),
                None,
            ]
        )
        del found[name]
        save_file(found | ({} if change is None else {name: change}), file)
    else:
        file.write_bytes(odd(file.read_bytes(), file.suffix[1:], r))
    return Case("folder", words, b"the cat\n", said=f"({file.relative_to(folder)}: {how})")


def cell_files(r: random.Random, folder: Path) -> Case:
    code = r.choice([*CELLS.values(), *(BODY.format(b) for b in BODIES * 2)])
    name = f"odd{r.randrange(1 << 40)}.py"
    (folder / name).write_bytes(code.encode())
    words = list(r.choice([b for b in BASES if b[0] == "train" and "lm" not in b[3:]]))
    words += ["--cell", f"{name}:Good"]
    if r.random() < 0.04:
        words = ["check", f"{name}:Good"]
    return Case("cell", words, said=f"({name}: {code.splitlines()[-1].strip() if code else 'empty'})")


def surroundings(r: random.Random, folder: Path) -> Case:
    words = list(r.choice([*BASES, ["--help"], ["train", "lm", "--help"], [], ["hello"], ["train"]]))
    case = Case("outside", words, b"the cat\n", outside=True)
    case.env = r.choice(SURROUNDINGS) if r.random() < 0.6 else {}
    case.streams = r.choice(STREAMS) if not case.env or r.random() < 0.2 else ""
    if r.random() < 0.1 and "--quiet" in words:
        words.remove("--quiet")
    if r.random() < 0.05:
        case.streams += " # the folder is gone"
    return case


ODD: list[Callable[[random.Random], Any]] = [
    lambda r: None, lambda r: 0, lambda r: -1, lambda r: 1.5, lambda r: float("nan"), lambda r: "", lambda r: "the cat", lambda r: b"x", lambda r: [], lambda r: {}, lambda r: (), lambda r: object(), lambda r: [None],
    lambda r: [1, 2], lambda r: ["the cat", 3], lambda r: ["the cat"], lambda r: [["the", "cat"]], lambda r: [[]], lambda r: [""], lambda r: np.zeros(3), lambda r: np.zeros((2, 2)), lambda r: np.zeros((2, 5, 2)),
    lambda r: np.zeros((2, 3), "U1"), lambda r: np.array([None]), lambda r: np.full((2, 2), np.nan), lambda r: "a\0b", lambda r: "\ud800", lambda r: Path("nowhere"), lambda r: Path("t.txt"), lambda r: ["t.txt"],
    lambda r: iter(["the cat"]), lambda r: {"a": 1}, lambda r: True, lambda r: 10**30, lambda r: "n" * 300, lambda r: [("a", "b")], lambda r: [[("a", "b")]], lambda r: lambda: 1, lambda r: np.float32(1), lambda r: range(3),
    lambda r: {"the cat"}, lambda r: "lm", lambda r: "classify", lambda r: np.zeros((2, 2), complex), lambda r: np.array(["the cat"]), lambda r: [np.zeros(2)], lambda r: [np.zeros((3, 2))], lambda r: "pics", lambda r: [b"x"],
]  # fmt: skip
OPTIONS = [
    "hidden",
    "embedding",
    "cell",
    "steps",
    "minutes",
    "rate",
    "seed",
    "dropout",
    "units",
    "batch",
    "text",
    "label",
    "images",
    "vectors",
    "start",
    "precision",
    "clip",
    "nix",
    "layers",
    "tensorboard",
    "encoder",
    "fps",
    "target",
    "distribution",
    "convolutions",
    "horizon",
    "time",
    "group",
    "known",
    "past",
    "frequency",
    "gaps",
    "season",
    "members",
    "ignore",
]


def python(r: random.Random, folder: Path) -> Case:
    import helo

    def one() -> Any:
        return r.choice(ODD)(r)

    def number() -> Any:
        return r.choice(
            ODD[:20] + ODD[1:5] * 5 + [lambda r: 2**63, lambda r: float("inf"), lambda r: np.int64(2), lambda r: True]
        )(r)

    run = r.choice(RUNS)
    what = r.choice(
        [
            "train",
            "train",
            "train",
            "load",
            "predict",
            "predict",
            "predict",
            "evaluate",
            "sample",
            "examples",
            "stream",
            "live",
            "report",
            "dynamic",
            "surprise",
            "explain",
            "score",
        ]
    )
    args: list[Any] = [one()]
    more: dict[str, Any] = {}
    if what == "train":
        small = {"hidden": 8, "embedding": 4, "steps": 2}
        task, file = r.choice(
            [
                ("lm", "t.txt"),
                ("classify", "t.tsv"),
                ("classify", "n.csv"),
                ("tag", "w.conll"),
                ("translate", "p.tsv"),
                ("regress", "q.ts"),
                ("regress", one()),
                ("forecast", "m.csv"),
                ("forecast", one()),
                (one(), "t.txt"),
                ("lm", one()),
            ]
        )
        more = small | ({"chunk": 8, "streams": 2} if isinstance(task, str) and task == "lm" else {}) | {"out": "o"}
        more |= {r.choice([*OPTIONS, "out", "valid", "like", "resume", "overwrite"]): r.choice([one, number])()}
        args = [task, file]
    elif what == "sample":
        args = [r.choice(["the", one()])]
        more = {"length": 5} | {
            r.choice(["length", "seed", "stop", "stream", "temperature", "top_k", "top_p", "min_p", "nix"]): number()
        }
    elif what == "predict" and r.random() < 0.3:
        names = ["beam", "n_best", "alpha", "attention", "temperature", "seed", "horizon", "quantiles", "paths", "nix"]
        more = {r.choice(names): r.choice([one, number])()}
    elif what == "evaluate" and r.random() < 0.3:
        more = {r.choice(["blocks", "skip_bad", "origins", "stride", "nix"]): number()}
    elif what == "surprise":
        args = [r.choice([one(), "h.csv", "t.txt", "t.tsv"])]
        names = ["lines", "window", "together", "false_alarms", "valid", "labels", "top", "nix"]
        more = {r.choice(names): r.choice([one, number])()} if r.random() < 0.8 else {}
    elif what == "report":
        args = ["rep", one()] if r.random() < 0.5 else [one()]
    elif what == "stream":
        args = [r.choice([2, number()]), r.choice([None, one()])]

    def call() -> Any:
        if what == "train":
            return helo.train(*args, **more)
        if what == "load":
            return helo.load(*args)
        model = helo.load(run)
        if what == "dynamic":
            return helo.dynamic_evaluation(model, *args)
        if what in ("surprise", "explain", "score"):
            return getattr(helo, what)(model, *args, **more)
        if what == "stream":
            return list(model.stream(*args).write(3))
        return getattr(model, what)(*args, **more)

    return Case(
        "python",
        call=call,
        said=f"{'' if what in ('train', 'load') else run + '.'}{what}({', '.join([*map(_short, args), *(f'{k}={_short(v)}' for k, v in more.items())])})",
    )


def _short(value: Any) -> str:
    return (
        f"{type(value).__name__}{value.shape}" if isinstance(value, np.ndarray) else " ".join(repr(value).split())[:60]
    )


THEIRS = ("sklearn", "sktime", "skbase")
PARAMETERS = [
    "hidden", "embedding", "cell", "layers", "pool", "units", "view", "batch", "steps", "epochs", "minutes", "rate", "dropout", "vectors", "precision", "clip", "random_state",
    "warm_start", "verbose", "balance", "convolutions", "bidirectional", "distribution", "crf", "horizon", "season", "frequency", "gaps", "members", "metric", "early_stop", "nix",
]  # fmt: skip


def estimators(r: random.Random, folder: Path) -> Case:
    """An estimator of scikit-learn on odd data, or with odd parameters."""
    rng = np.random.default_rng(r.randrange(1 << 30))
    name = r.choice(["SequenceClassifier", "SequenceRegressor", "SequenceTagger", "Forecaster"])
    usual: dict[str, tuple[Any, Any]] = {
        "SequenceClassifier": (rng.standard_normal((12, 6, 2)), np.arange(12) % 2),
        "SequenceRegressor": (rng.standard_normal((12, 3)), rng.standard_normal(12)),
        "SequenceTagger": ([["the", "cat"]] * 12, [["a", "b"]] * 12),
        "Forecaster": (np.arange(30) % 5, [1, 2]),
    }
    values: list[Any] = [
        rng.standard_normal((12, 3)), rng.standard_normal((12, 6, 1)), rng.standard_normal((12, 4, 4, 3)), np.zeros((12, 3)), np.full((12, 3), np.nan), np.full((12, 6, 2), np.inf), np.full((12, 3), 1e300),
        np.zeros((12, 0)), np.zeros((0, 3)), np.zeros((12, 0, 2)), np.zeros((12, 6, 0)), np.zeros((1, 3)), np.zeros(12), ["the cat"] * 12, ["", " "] * 6, [["the"], []] * 6, [np.zeros((3, 2)), np.zeros((4, 2))] * 6,
        [np.zeros((3, 2)), np.zeros((4, 3))] * 6, [np.zeros((0, 2))] * 12, [[1.0, 2.0]] * 12, [[1.0], [1.0, 2.0]] * 6, np.array(["the cat"] * 12), np.array(["the cat", None] * 6, object), np.array([[1, "a"]] * 12, object),
        np.array([object()] * 12), np.zeros((12, 3), complex), rng.integers(0, 255, (12, 5, 5)).astype(np.uint8), np.zeros((12, 3), "datetime64[s]"), np.zeros((2, 2, 2, 2, 2, 2)), [b"x"] * 12, [None] * 12, [{}] * 12,
        np.arange(12), np.arange(12) % 2, np.arange(12) % 2 == 0, ["a", "b"] * 6, ["a", None] * 6, np.eye(12), np.ones((12, 2)), np.full(12, 7), np.full(12, np.nan), np.full(12, 1e300), [["a"], ["b"]] * 6,
        [[1, 2]] * 12, [["a", "b", "c"]] * 12, ["a", 1] * 6, np.array([["a", "b"]] * 12), [(1,), (2,)] * 6, np.array([1e308, -1e308] * 6), np.float64(3), [float("nan"), 1] * 6, [1 + 2j] * 12, np.arange(30) % 7,
    ]  # fmt: skip
    with contextlib.suppress(ImportError):
        import pandas as pd

        dates = pd.date_range("2024-01-01", periods=30, freq="D")
        panel = pd.MultiIndex.from_product([["a", "b"], dates])
        values += [
            pd.DataFrame({"a": range(12), "b": list("xy") * 6}), pd.DataFrame({"a": [np.nan] * 12}), pd.DataFrame({1: range(12), "b": range(12)}), pd.DataFrame([[1, 2]] * 12, columns=["a", "a"]),
            pd.DataFrame({"a": pd.Categorical(list("xy") * 6)}), pd.DataFrame({"a": [object()] * 12}), pd.DataFrame(), pd.DataFrame({"a": dates[:12]}), pd.Series(["a", "b"] * 6), pd.Series([pd.NA, "a"] * 6),
            pd.Series(np.arange(30) % 5.0, dates), pd.Series([np.nan] * 30, dates), pd.Series(np.arange(30) % 5.0, dates[::-1]), pd.Series([1.0] * 30, dates), pd.DataFrame({"y": rng.random(60)}, panel),
            pd.Series([1.0], dates[:1]), pd.Series(np.arange(30.0), dates.to_period("D")), pd.DataFrame({"y": [1e300, -1e300] * 30}, panel), pd.Series(np.arange(30) % 5.0, [*dates[:29], dates[28]]),
        ]  # fmt: skip

    def one() -> Any:
        return r.choice([lambda: r.choice(values), lambda: r.choice(values), lambda: r.choice(ODD)(r)])()

    x, y = usual[name]
    if r.random() < 0.6:
        x = one()
    if r.random() < 0.4:
        y = one()
    more: dict[str, Any] = {"hidden": 4, "steps": 2, "random_state": 0}
    if name == "Forecaster":
        more["members"] = 1
    if r.random() < 0.3:
        more[r.choice(PARAMETERS)] = r.choice([lambda: r.choice(ODD)(r), one])()
    extra: dict[str, Any] = {}
    if name != "Forecaster" and r.random() < 0.25:
        extra[r.choice(["sample_weight", "eval_set", "eval_set", "nix"])] = r.choice(
            [one(), (x, y), [(x, y)], (one(), one()), (x,)]
        )
    after = r.choice(["predict", "predict", "predict_proba", "predict_quantiles", "score", "save_run", "run_", "none"])
    other = r.choice([x, x, one()])

    def call() -> Any:
        from helo import sklearn

        made = getattr(sklearn, name)(**more)
        if r.random() < 0.95:
            made = made.fit(x, fh=y) if name == "Forecaster" else made.fit(x, y, **extra)
        if after == "none":
            return made
        if after == "run_":
            return made.run_
        if after == "save_run":
            return made.save_run(r.choice(["o", "lm", "t.txt/x", ""]))
        ask = getattr(made, after, made.predict)
        return ask(other, y) if after == "score" else ask(*[] if name == "Forecaster" else [other])

    said = [*map(_short, (x, y, other)), *(f"{k}={_short(v)}" for k, v in (more | extra).items())]
    return Case("estimator", call=call, said=f"{name}.{after}({', '.join(said)})")


KINDS: dict[str, tuple[float, Callable[[random.Random, Path], Case]]] = {
    "words": (0.35, command_line), "files": (0.25, files), "folder": (0.15, folders), "cell": (0.08, cell_files), "outside": (0.02, surroundings), "python": (0.15, python), "estimator": (0.04, estimators),
}  # fmt: skip


# Trying.


class Late(BaseException):
    """A case did not end in time."""


@contextlib.contextmanager
def _alarm(endless: bool) -> Iterator[None]:
    rung = 0

    def ring(number: int, frame: Any) -> None:
        nonlocal rung
        rung += 1
        if endless and rung == 1:
            signal.setitimer(signal.ITIMER_REAL, SECONDS - LONG)
            os.kill(os.getpid(), signal.SIGINT)
        else:
            raise Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LONG if endless else SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _inside(case: Case) -> tuple[int, str, str]:
    """`helo WORDS…` in this process."""
    from helo.cli import main

    streams = [io.TextIOWrapper(io.BytesIO(b), encoding="utf-8") for b in (case.stdin, b"", b"")]
    code = 0
    with (
        mock.patch.object(sys, "argv", ["helo", *case.words]),
        mock.patch.object(sys, "stdin", streams[0]),
        mock.patch.object(sys, "stdout", streams[1]),
        mock.patch.object(sys, "stderr", streams[2]),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
    for stream in streams[1:]:
        stream.flush()
    out, err = (s.buffer.getvalue().decode(errors="replace") for s in streams[1:])  # pyright: ignore[reportAttributeAccessIssue]
    return code, out, err


def _outside(case: Case, folder: Path) -> tuple[int, str, str]:
    env = {k: v for k, v in os.environ.items() if k not in case.env} | {
        k: v for k, v in case.env.items() if v is not None
    }
    env["HELO_DATA"] = env.get("HELO_DATA", str(folder / "kept"))
    ended = f"/usr/bin/timeout --foreground --preserve-status -s INT {LONG} " if case.endless else ""
    python = f"{ended}{shlex.quote(sys.executable)} -m helo"
    gone = "gone" in case.streams
    first = "/bin/mkdir gone; cd gone; /bin/rmdir ../gone; " if gone else ""
    line = f"{first}{python} {shlex.join(case.words)} {case.streams}\nexit ${{PIPESTATUS[0]}}"
    limits = lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # noqa: E731
    done = subprocess.run(
        ["/bin/bash", "-c", line],
        input=case.stdin,
        capture_output=True,
        env=env,
        cwd=folder,
        timeout=SECONDS,
        preexec_fn=limits,
    )
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def fault(case: Case, folder: Path, show: bool = False) -> str | None:
    """What is wrong with how a case ends; None where nothing is."""
    from helo.errors import HeloError

    try:
        if case.call is not None:
            with _alarm(False):
                try:
                    case.call()
                except (HeloError, TypeError) as error:
                    said = str(error)
                    return (
                        f"several lines: {said!r}"
                        if isinstance(error, HeloError) and len(said.splitlines()) > 1
                        else None
                    )
                except Exception as error:
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    if case.kind == "estimator" and theirs(error):
                        return None
                    if show:
                        traceback.print_exc()
                    return f"{type(error).__name__}: {str(error)[:150]} at {Path(where.filename).name}:{where.lineno}"
            return None
        if case.outside:
            code, out, err = _outside(case, folder)
        else:
            with _alarm(case.endless):
                code, out, err = _inside(case)
    except (Late, subprocess.TimeoutExpired):
        if show:
            traceback.print_exc()
        return f"no end in {SECONDS} s"
    except BaseException as error:
        if show:
            traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} came out: {str(error)[:150]} at {Path(where.filename).name}:{where.lineno}"
    if show:
        print(f"exit code {code}\n{out[-3000:]}\n{err[-8000:]}")
    lines = [line for line in err.splitlines() if line.strip() and "warning: setlocale" not in line]
    if "Traceback" in err and "--debug" not in case.words:
        return f"a traceback: {lines[-1][:200]}"
    if "this is a bug" in err:
        return lines[-1][:250]
    broken = code == 1 and case.words[:1] == ["check"] and "broken" in out
    if code not in (0, 2, 130) and not broken and not (code == 141 and "|" in case.streams):
        return f"exit code {code}: {' '.join(lines)[-200:]}"
    if code == 2 and not err and not out and "2>" not in case.streams:
        return "refused without a word"
    several = (
        len(lines) > 1
        and "--debug" not in case.words
        and ("--quiet" in case.words or case.words[:1] not in (["train"], ["demo"]))
    )
    if (
        code == 2
        and several
        and not (case.words[:2] == ["data", "check"] and all(s.startswith("helo:") for s in lines))
    ):
        return f"{len(lines)} lines: {' | '.join(lines)[:300]}"
    if code == 2 and len(lines) == 1 and len(lines[0]) > 1100:
        return f"a line of {len(lines[0])} characters"
    if code == 0 and lines and case.words[:1] == ["sample"] and case.streams == "":
        return f"says on standard error: {lines[0][:200]}"
    if (
        code == 0
        and "--json" in case.words
        and "|" not in case.streams
        and ">" not in case.streams
        and "--help" not in case.words
        and "-h" not in case.words
        and "--version" not in case.words
    ):
        try:
            json.loads(out, parse_constant=lambda word: (_ for _ in ()).throw(ValueError(word)))
        except ValueError as error:
            return f"not one JSON object: {error}: {out[:100]!r}"
    return None


def theirs(error: Exception) -> bool:
    """Whether scikit-learn or sktime raised it: what they check, they say in their own words."""
    from sklearn.exceptions import NotFittedError

    files = [Path(f.filename).parts for f in traceback.extract_tb(error.__traceback__)]
    last = max(i for i, parts in enumerate(files) if "helo" in parts or parts[-1] == "badinput.py")
    return isinstance(error, NotFittedError) or bool({*THEIRS} & {*files[min(last + 1, len(files) - 1)]})


def _unreachable(*args: Any) -> Any:
    raise OSError(101, "Network is unreachable")


@contextlib.contextmanager
def trying() -> Iterator[Path]:
    """The stock, and a process in which cases do no harm: no network, no end of memory, no pictures of curves."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    umask = os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="helo-bad-") as home, warnings.catch_warnings():
        warnings.simplefilter("default")
        (Path(home) / "stock").mkdir()
        stock(Path(home) / "stock")
        resource.setrlimit(resource.RLIMIT_AS, (ROOM, before[1]))
        try:
            with (
                mock.patch("helo.drawing.loss"),
                mock.patch.object(socket.socket, "connect", _unreachable),
                mock.patch.object(socket, "getaddrinfo", _unreachable),
                mock.patch.dict(os.environ, {"HELO_DATA": str(Path(home) / "kept")}),
            ):
                yield Path(home)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
            os.umask(umask)


def tried(
    home: Path, seed: int, number: int, only: Sequence[str] = tuple(KINDS), show: bool = False
) -> tuple[Case, str | None]:
    """A case by its number, and its fault."""
    r = random.Random(f"{seed}:{number}")
    kind = r.choices(only, [KINDS[k][0] for k in only])[0]
    work = home / "case"
    copied(home / "stock", work)
    back = Path.cwd()
    os.chdir(work)
    try:
        case = KINDS[kind][1](r, work)
        if show and not case.outside:
            case.words += ["--debug"] * bool(case.words)
        return case, fault(case, work, show)
    finally:
        os.chdir(back)
        subprocess.run(
            ["rm", "-rf", str(work)], check=False
        )  # Python has too little depth for a folder in a folder in a folder …


def main() -> None:
    parser = argparse.ArgumentParser(description="Bad input, and how helo takes it.")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--about", nargs="+", help="commands and runs with one of these words alone")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS), help="these kinds alone")
    asked = parser.parse_args()
    if asked.about:
        BASES[:] = [b for b in BASES if {*asked.about} & {*b}]
        RUNS[:] = [run for run in RUNS if run in asked.about] or RUNS
    with trying() as home:
        if asked.case is not None:
            case, found = tried(home, asked.seed, asked.case, asked.only, show=True)
            print(f"{case}\n{found or 'as it should be'}")
            return
        faults, kinds, slow, started = 0, Counter[str](), [], time.monotonic()
        for number in range(asked.first, asked.first + asked.count):
            began = time.monotonic()
            case, found = tried(home, asked.seed, number, asked.only)
            slow.append((time.monotonic() - began, number))
            kinds[case.kind] += 1
            if found:
                faults += 1
                kinds_asked = "" if asked.only == list(KINDS) else f" --only {' '.join(asked.only)}"
                kinds_asked += f" --about {' '.join(asked.about)}" if asked.about else ""
                again = f"python tests/badinput.py --seed {asked.seed} --case {number}{kinds_asked}"
                print(f"{found}\n    {case}\n    {again}", flush=True)
        seconds = time.monotonic() - started
        print(
            f"{faults} faults in {asked.count:,} cases ({', '.join(f'{k} {n}' for k, n in kinds.items())}), {seconds:.0f} s"
        )
        print("the slowest:", ", ".join(f"{n} ({s:.1f} s)" for s, n in sorted(slow)[-5:]))
        sys.exit(bool(faults))


if __name__ == "__main__":
    main()

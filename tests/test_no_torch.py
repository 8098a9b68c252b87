"""Where torch was never installed, everything but training works."""

from __future__ import annotations

import subprocess
import sys

import helo

BLOCK = """
import sys
class No:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, No())
from helo.cli import main
sys.argv = ["helo", *sys.argv[1:]]
main()
"""


def without_torch(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BLOCK, *words], capture_output=True, text=True, timeout=120)


def test_answers_need_no_torch(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("hello world, " * 100)
    run = helo.train("lm", text, out=tmp_path / "run", steps=3, hidden=8)
    for words in (
        ("--help",),
        ("sample", str(run.path), "--length", "20"),
        ("eval", str(run.path)),
        ("info", str(run.path)),
        ("watch", str(run.path), "--json"),
        ("watch", str(run.path), "--terminal"),
        ("compare", str(run.path), str(run.path)),
        ("hello", "papaya", "--cell", "gru"),
    ):
        done = without_torch(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    for words in (("train", "lm", str(text), "--out", str(tmp_path / "r")), ("eval", str(run.path), "--dynamic")):
        refused = without_torch(*words)
        assert refused.returncode == 2
        assert "helo[train]" in refused.stderr


def test_importing_helo_imports_neither_torch_nor_numpy():
    code = "import sys, helo; assert not {'torch', 'numpy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0

"""What stands round a command: streams that close or fill up, letters that a terminal lacks, environments, Ctrl-C."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fixtures
from helo.errors import HeloError, as_helo_error, door, one_line, others, place
from helo.training import before
from helo.training.options import Options

SMALL = "--hidden 8 --embedding 4 --chunk 8 --streams 2 --steps 2 --quiet"


def shell(line: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """A line of bash in which `helo` is this one."""
    line = f'helo() {{ {shlex.quote(sys.executable)} -m helo "$@"; }}\n{line}'
    around = {k: v for k, v in os.environ.items() if k not in ("PYTHONUTF8", "PYTHONIOENCODING")} | env
    return subprocess.run(["bash", "-c", line], cwd=cwd, env=around, capture_output=True, timeout=120, check=False)


def one(done: subprocess.CompletedProcess[bytes]) -> str:
    """The line of a refusal."""
    said = done.stderr.decode()
    assert done.returncode == 2, (done.returncode, said)
    assert len(said.splitlines()) == 1, said
    assert said.startswith("helo: ")
    assert "bug" not in said
    return said


@pytest.fixture(scope="module")
def lm() -> Path:
    return fixtures.trained()


@pytest.mark.parametrize(
    "line",
    [
        "helo sample RUN -n 20000 | head -c 10; exit ${PIPESTATUS[0]}",
        "helo --help | head -1; exit ${PIPESTATUS[0]}",
        "helo help train | head -1; exit ${PIPESTATUS[0]}",
        "helo info RUN | true; exit ${PIPESTATUS[0]}",
        "helo data list | head -1; exit ${PIPESTATUS[0]}",
        "helo sample RUN -n 5 -p - <&-",
        "helo sample RUN -n 5 >&-",
        "helo info RUN <&- >&- 2>&-",
        f"helo train lm t.txt --out o {SMALL.replace('--quiet', '')} 2>&-",
        f"helo train lm t.txt --out p {SMALL.replace('--quiet', '')} 2>/dev/full",
        f"helo train lm <(cat t.txt) --out q {SMALL}",
        f"helo train lm - --out r {SMALL} < t.txt",
    ],
)
def test_streams_may_close(lm, line, tmp_path):
    (tmp_path / "t.txt").write_text(fixtures.prose(2000), encoding="utf-8")
    done = shell(line.replace("RUN", str(lm)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""


def test_a_full_standard_output_is_named(lm, tmp_path):
    assert "standard output" in one(shell(f"helo sample {lm} -n 5 >/dev/full", tmp_path))
    assert "standard output" in one(shell("helo --help >/dev/full", tmp_path))
    assert "--help" in one(shell("helo >&-", tmp_path))


@pytest.mark.parametrize("env", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "gbk"}])  # fmt: skip
def test_any_locale(env, tmp_path):
    (tmp_path / "春.txt").write_text("春眠不觉晓 é 处处闻啼鸟\n" * 50, encoding="utf-8")
    done = shell(
        f"helo train lm 春.txt --out run {SMALL} && helo info run && helo sample run -n 9 -p 春 --json", tmp_path, **env
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    json.loads(done.stdout.splitlines()[-1].decode(env.get("PYTHONIOENCODING", "ascii")))


def test_names_that_are_no_utf8_are_read_and_kept(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.txt"
    with open(name, "wb") as file:
        file.write(fixtures.prose(2000).encode())
    done = shell(f"helo train lm $'\\xff.txt' --out run {SMALL} && helo eval run --json && helo info run", tmp_path)
    assert done.returncode == 0, done.stderr
    assert os.fsencode(json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))["data"]["train"][0]) == name
    assert "missing-\\udcff" in one(shell("helo train lm $'missing-\\xff.txt'", tmp_path))


@pytest.mark.parametrize(
    "env, names",
    [
        ({"RANK": "x"}, ("RANK", "'x'")),
        ({"RANK": "1"}, ("RANK", "WORLD_SIZE", "torchrun")),
        ({"WORLD_SIZE": "0"}, ("WORLD_SIZE", "0")),
        ({"WORLD_SIZE": "-1"}, ("WORLD_SIZE", "-1")),
        ({"WORLD_SIZE": "abc"}, ("WORLD_SIZE", "'abc'")),
        ({"WORLD_SIZE": "2"}, ("WORLD_SIZE", "torchrun")),
    ],
)
def test_an_environment_that_torchrun_would_not_make(env, names, tmp_path):
    (tmp_path / "t.txt").write_text(fixtures.prose(2000), encoding="utf-8")
    said = one(shell(f"helo train lm t.txt --out o {SMALL}", tmp_path, **env))
    for name in names:
        assert name in said


def test_odd_surroundings_change_nothing(tmp_path):
    (tmp_path / "t.txt").write_text(fixtures.prose(2000), encoding="utf-8")
    env = {
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "1",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "TMPDIR": "/nowhere",
        "HOME": "/nowhere",
        "MPLBACKEND": "nosuch",
    }
    assert shell(f"helo train lm t.txt --out o {SMALL} && helo --help && helo hello", tmp_path, **env).returncode == 0
    assert (tmp_path / "o/loss.png").exists()
    one(shell("mkdir gone; cd gone; rmdir ../gone; helo train lm t.txt", tmp_path))
    one(shell("mkdir gone; cd gone; rmdir ../gone; helo info run", tmp_path))


def test_a_prompt_that_is_refused_is_not_shown(lm):
    done = fixtures.helo_command("sample", lm, "--prompt", "\u5f20", "-n", 3)
    assert (done.code, done.out) == (2, "")
    assert "U+5F20" in done.err


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.5])
def test_ctrl_c_is_answered_in_a_line(seconds, lm):
    command = [sys.executable, "-m", "helo", "sample", str(lm), "-n", "10000000"]
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(seconds)
    p.send_signal(signal.SIGINT)
    said = p.communicate(timeout=60)[1]
    assert len(said.splitlines()) == 1 or seconds < 0.2
    assert b"Traceback" not in said.replace(b"Exception ignored", b"") or seconds < 0.2  # Python itself was starting
    assert p.returncode == 130 or seconds < 0.2


def test_no_file_is_opened_in_the_encoding_of_a_locale():
    src = Path(__file__).parents[1] / "src"
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--preview", "--select", "PLW1514", str(src)]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# Help.


@pytest.mark.parametrize(
    "words", [(), ("train",), ("data",), ("data", "check"), ("help",), ("help", "train", "lm"), ("-h",)]
)
def test_help_reads_as_help(words):
    done = fixtures.helo_command(*words)
    assert done.code in (0, 2)
    assert done.err == ""
    assert done.out.startswith("Usage: helo")
    assert len(done.out.splitlines()) > 5


# One line.


def test_a_line_shows_what_no_terminal_should_obey():
    assert one_line("a\nb\r\x1b[31m\x85c\u202e\udcff") == "a b \\x1b[31m c\\u202e\\udcff"
    assert len(one_line("x" * 10**6)) < 1100
    assert "\x1b" not in str(HeloError("\x1b[2J", where="\x07"))


def test_what_the_machine_refuses_is_no_bug(tmp_path):
    for error, said in (
        (PermissionError(13, "Permission denied", "a.txt"), "a.txt"),
        (OSError(28, "No space left on device"), "No space"),
        (MemoryError("Unable to allocate 9 EiB"), "9 EiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "memory"),
    ):
        found = as_helo_error(error)
        assert found is not None
        assert said in str(found)
    assert as_helo_error(ValueError("x")) is None
    with pytest.raises(HeloError, match=r"^b\.txt:3: .*deep"), place("b.txt", 3):
        raise RecursionError

    @door
    def reading():
        return (tmp_path / "nowhere").read_bytes()

    with pytest.raises(HeloError, match="nowhere"):
        reading()


def test_what_another_persons_code_raises_is_said_of_its_file(tmp_path):
    file = tmp_path / "theirs.py"
    file.write_text("def f():\n    raise KeyError('mine')\ndef g():\n    raise SystemExit(7)\n", encoding="utf-8")
    names: dict = {}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)
    others(str(file))
    for function, line, said in (("f", 2, "mine"), ("g", 4, "7")):
        with pytest.raises(HeloError, match=f"theirs.py:{line}: .*{said}"):
            door(names[function])()


# Sizes, seeds and rates.


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1}, {"seed": 2**63}, {"rate": float("nan")}, {"rate": float("inf")}, {"rate": -0.0}, {"rate": 1e300}, {"adam_rate": 1e300}, {"clip": 0}, {"clip": 1e300},
        {"steps": 0}, {"steps": 1.5}, {"minutes": 1e300}, {"epochs": "2"}, {"weight_decay": -1.0}, {"weight_decay": float("nan")}, {"device": "tpu"}, {"tensorboard": 1}, {"save_seconds": True},
    ],
)  # fmt: skip
def test_options_of_training_are_refused_by_name(options):
    with pytest.raises(HeloError, match="^--" + next(iter(options)).replace("_", "-")):
        Options(**options)


def test_numbers_of_numpy_are_numbers():
    import numpy as np

    options = Options(steps=np.int64(3), rate=np.float32(0.5))  # pyright: ignore[reportArgumentType]
    assert type(options.steps) is int
    assert type(options.rate) is float


@pytest.mark.parametrize(
    "name, value", [("hidden", 10**9), ("hidden", 10**30), ("embedding", 10**9), ("layers", 10**9), ("hidden", 200_000)]
)
def test_sizes_beyond_memory_are_refused_before_any_is_made(name, value, tmp_path):
    with pytest.raises(HeloError, match=f"--{name}.*{value:,}|--{name} {value}|--{name}: {value}"):
        fixtures.train(fixtures.text_file(), tmp_path / "o", **{name: value})
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "mingru"])
def test_parameters_are_counted_right_before_they_are_made(cell):
    import numpy as np

    from helo import cells

    law = before._parameter_count(cells.find(cell))
    made = cells.find(cell).init(np.random.default_rng(0), 50, 70)
    assert law(50, 70) == pytest.approx(sum(p.size for p in made.values()))


CELL = """import numpy as np
from helo.cells import Cell
class Mine(Cell):
    def init(self, rng, i, h): return {{'w': rng.standard_normal((h, i)).astype(np.float32)}}
    def state(self, p, b): return (p['w'][:1, :1].repeat(b, 1).reshape(b, 1) * 0,)
    def step(self, p, s, x):
        {}
"""


@pytest.mark.parametrize(
    "body, said",
    [
        ("raise ValueError('mine')", "mine"),
        ("raise SystemExit(7)", "7"),
        ("return s", "state.*output"),
        ("return s, x", r"\(2, "),
        ("return s, (x @ p['w'].T).double()", "float64"),
        ("return s, (x @ p['w'].T).detach().numpy()", "numpy"),
        ("return s, (x @ p['w'].T) * float('nan')", "NaN"),
        ("return (s[0], s[0]), x @ p['w'].T", "state"),
        ("return (s[0][0],), x @ p['w'].T", "state"),
        ("return s, x @ p['w'].T if len(x) == 2 else 1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_persons_cell_that_is_wrong_is_named_by_its_file(body, said, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(CELL.format(body), encoding="utf-8")
    with pytest.raises(HeloError, match=f"{file}:.*{said}"):
        fixtures.train(fixtures.text_file(), tmp_path / "o", cell=f"{file}:Mine", steps=2)


@pytest.mark.parametrize("code", ["import sys; sys.exit(7)", "raise ValueError", "def (", "\0", "x = 1", "class Mine: pass", "from helo.cells import Cell\nclass Mine(Cell): pass"])  # fmt: skip
def test_a_file_that_gives_no_cell_is_named(code, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(code, encoding="utf-8")
    done = fixtures.helo_command("train", "lm", fixtures.text_file(), "--out", tmp_path / "o", "--cell", f"{file}:Mine")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert str(file) in done.err


INTERRUPTED = """
import signal, sys

class Interrupts:
    \"\"\"Ctrl-C where the given part of torch is about to be imported; counts the modules that were asked for.\"\"\"

    count, torch, at = 0, False, int(sys.argv.pop(1))

    def find_spec(self, name, path=None, target=None):
        self.torch = self.torch or name == "torch"
        self.count += self.torch
        if self.count == self.at and self.torch:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, interrupts := Interrupts())
from helo import __main__
import os
leave = os._exit
os._exit = lambda code: (print("torch" in sys.modules and hasattr(sys.modules["torch"], "compile"), flush=True), leave(code))
__main__.main()
"""


@pytest.mark.parametrize("at", [1, 2, 7, 20, 45, 80, 130, 220, 380, 500])
def test_ctrl_c_waits_until_torch_is_imported(at, tmp_path):
    """In the middle, torch's C++ would abort the process (exit code 134)."""
    line = [sys.executable, "-c", INTERRUPTED, str(at), "gradients", "--cell", "rnn", "--length", "8"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 130, done.stderr
    assert (done.stdout, len(done.stderr.splitlines())) == ("True\n", 1)


@pytest.mark.parametrize(
    "error",
    [ImportError("ft2font.so: failed to map segment from shared object"), RuntimeError("could not create a primitive")],
)
def test_memory_that_is_full_has_other_names_too(error):
    assert "memory" in str(as_helo_error(error))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_to_stop_are_answered_as_ctrl_c(number, lm):
    command = [sys.executable, "-m", "helo", "sample", str(lm), "-n", "10000000"]
    p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.stdout is not None
    p.stdout.read(1)
    p.send_signal(number)
    said = p.communicate(timeout=60)[1].decode()
    assert (p.returncode, len(said.splitlines())) == (130, 1), said


def test_a_table_that_fills_the_disk_is_named(lm, tmp_path):
    (tmp_path / "t.txt").write_text(fixtures.prose(4000), encoding="utf-8")
    (tmp_path / "old.tsv").write_text("old", encoding="utf-8")
    assert "old.tsv" in one(shell(f"ulimit -f 16; helo score {lm} t.txt -o old.tsv", tmp_path))
    assert (tmp_path / "old.tsv").read_text(encoding="utf-8") == "old"


def test_a_cell_said_in_one_place_only_is_named(lm, tmp_path):
    shutil.copytree(lm, tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    (tmp_path / "run" / "run.json").write_text(json.dumps(about | {"cell": "evil.py:Evil"}), encoding="utf-8")
    assert "evil.py:Evil" in one(shell("helo info run", tmp_path))


def test_a_line_without_end_on_standard_input_is_refused(tmp_path):
    rows = "".join(f"{i % 5},{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"x,label\n{rows}")
    shell(f"helo train classify t.csv --out run {SMALL.replace('--embedding 4 --chunk 8 --streams 2', '')}", tmp_path)
    line = one(shell("helo predict run - </dev/full", tmp_path))
    assert "standard input:1" in line
    assert "end of a line" in line


def test_a_signal_is_not_lost_where_python_raises_nothing(tmp_path):
    (tmp_path / "lost.py").write_text(
        """
import os, signal, sys, time, weakref
sys.argv = ["helo"]
import helo.__main__, helo.cli

class A: ...

def run():
    a = A()
    callback = weakref.ref(a, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del a
    end = time.monotonic() + 20
    while time.monotonic() < end: ...
    print("lost")

helo.cli.main = run
helo.__main__.main()
"""
    )
    done = subprocess.run([sys.executable, "lost.py"], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 130
    assert done.stderr == b"helo: stopped\n"

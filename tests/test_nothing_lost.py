"""Nobody's work is lost: not good weights, not other people's files, not where a stream stood."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

pytest.importorskip("torch", reason="runs are made by training")

import helo
from fixtures import SMALL, copied, helo_command, prose, stopped, text_file, train, trained
from helo import training
from helo.errors import HeloError
from helo.runs import arrays, folder, writer
from helo.runs.report_folder import report_folder as report
from helo.training import Interrupted, validation
from helo.training.loop import Training

TINY = ("--hidden", 16, "--embedding", 8, "--streams", 4, "--chunk", 16, "--quiet")


def whole(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def digest(run: Path) -> str:
    return hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()


def lines(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


class Killed(BaseException):
    """As far as the files are concerned: nothing more is done."""


# Good weights are never trained over.


@pytest.mark.parametrize("finished", [False, True])
def test_weights_without_where_they_stood(finished, tmp_path, monkeypatch):
    run = tmp_path / "run"
    if finished:
        train(text_file(), run)
    else:
        stopped(monkeypatch, 15, lambda: train(text_file(), run))
    (run / "last/state.safetensors").unlink()
    before = digest(run)
    with pytest.raises(HeloError, match=r"last/state\.safetensors"):
        train(text_file(), run, resume=True, steps=40 if finished else 20)
    assert digest(run) == before


# Other people's files.


@pytest.mark.parametrize("name", folder.NAMES)
@pytest.mark.parametrize("how", [{}, {"resume": True}, {"overwrite": True}], ids=str)
@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_somebody_elses(name, how, what, tmp_path):
    place = tmp_path / "mine"
    place.mkdir()
    if what == "file":
        (place / name).write_text("{}")
    elif what == "folder":
        (place / name).mkdir()
        (place / name / "thesis.txt").write_text("years")
    else:
        (place / name).symlink_to("/nowhere")
    before, listed = whole(place), sorted(os.listdir(place))
    with pytest.raises(HeloError, match=f"{place}"):
        train(text_file(), place, **how)
    assert whole(place) == before
    assert sorted(os.listdir(place)) == listed


def test_a_folder_that_is_no_run_is_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(HeloError, match="not a run"):
        train(text_file(), tmp_path, overwrite=True)
    assert whole(tmp_path) == {"notes.txt": b"mine"}
    (tmp_path / "empty").mkdir()
    train(text_file(), tmp_path / "empty", overwrite=True)


def test_overwriting_leaves_what_is_not_a_runs(tmp_path):
    run = copied(trained(), tmp_path / "run")
    (run / "last/thesis.txt").write_text("years")
    (run / ".weights.safetensors.mine").write_text("not helo's")
    (run / "tensorboard").mkdir()
    (run / "tensorboard/notes").write_text("mine")
    (run / "tensorboard/events.out.tfevents.1.x").write_text("old")
    (run / "loss.png").write_text("old")
    train(text_file(), run, overwrite=True, seed=5)
    left = whole(run)
    for name in ("last/thesis.txt", ".weights.safetensors.mine", "tensorboard/notes"):
        assert name in left
    assert "tensorboard/events.out.tfevents.1.x" not in left
    assert "loss.png" not in left
    assert digest(run) == digest(trained(seed=5))


@pytest.mark.parametrize("there", [True, False])
def test_a_failed_start_leaves_things_as_they_were(there, tmp_path):
    place = tmp_path / "a" / "b"
    if there:
        place.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    for files, more in ((tmp_path / "none.txt", {}), (text_file(), {"chunk": 10**6})):
        with pytest.raises(HeloError):
            train(files, place, **more)
        assert sorted(tmp_path.rglob("*")) == before


def test_no_name_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HeloError, match="--out"):
        train(text_file(), "")
    done = helo_command("train", "lm", text_file(), "--out", "", "--steps", 2, *TINY)
    assert done.code == 2
    assert not os.listdir(tmp_path)


# A report.


def test_a_report_replaces_only_a_report(tmp_path):
    place = tmp_path / "report"
    for name in ("report.md", "confusion.png"):
        place.mkdir(exist_ok=True)
        (place / name).write_text("mine")
        for overwrite in (False, True):
            with pytest.raises(HeloError, match=name.replace(".", r"\.")), report(place, overwrite):
                raise AssertionError("nothing is drawn")
        assert whole(place) == {name: b"mine"}
        (place / name).unlink()
    (place / "notes.txt").write_text("mine")

    def drawn(names, **how):
        with report(place, **how) as (beside, text):
            for name in names:
                (beside / name).write_text("new")
            text.append("# it\n")

    drawn(["confusion.png", "calibration.png"])
    assert set(whole(place)) == {"notes.txt", "report.md", "confusion.png", "calibration.png"}
    with pytest.raises(HeloError, match="--overwrite"):
        drawn(["confusion.png"])
    (place / "ribbons.png").write_text("mine")
    with pytest.raises(HeloError, match="ribbons"):
        drawn(["confusion.png"], overwrite=True)
    (place / "ribbons.png").unlink()
    drawn(["confusion.png"], overwrite=True)
    assert set(whole(place)) == {"notes.txt", "report.md", "confusion.png"}
    assert (place / "report.md").read_text().endswith("-->\n# it\n")


def test_a_report_into_the_run_is_refused(tmp_path):
    rows = "".join(f"{'good' if i % 2 else 'bad'}\t{'pos' if i % 2 else 'neg'}\n" for i in range(40))
    (tmp_path / "r.tsv").write_text("text\tlabel\n" + rows)
    run = helo.train("classify", tmp_path / "r.tsv", out=tmp_path / "run", hidden=8, steps=2)
    (run.path / "confusion.png").touch()
    before = whole(run.path)
    for more in ((), ("--overwrite",)):
        done = helo_command("eval", run.path, "--report", run.path, *more)
        assert done.code == 2
        assert "confusion.png" in done.err
    assert whole(run.path) == before
    assert helo_command("eval", run.path, "--report", tmp_path / "new").code == 0
    assert helo_command("eval", run.path, "--report", tmp_path / "new").code == 2
    assert helo_command("eval", run.path, "--report", tmp_path / "new", "--overwrite").code == 0
    (tmp_path / "file").touch()
    assert helo_command("eval", run.path, "--report", tmp_path / "file").code == 2


# Overwriting waits for weights.


def test_the_old_run_stands_when_the_new_one_fails(tmp_path, monkeypatch):
    run, step = copied(trained(), tmp_path / "run"), Training.step
    before = whole(run)

    def breaking(self):
        if self.progress.step == 1:
            raise HeloError("the loss is nan")
        return step(self)

    monkeypatch.setattr(Training, "step", breaking)
    with pytest.raises(HeloError, match="nan"):
        train(text_file(), run, overwrite=True, seed=5)
    assert whole(run) == before
    assert sorted(os.listdir(run)) == sorted({n.split("/")[0] for n in before})


def test_a_kill_at_any_file_operation_leaves_a_whole_run(tmp_path, monkeypatch):
    """Of an overwriting: the old run or the new one, and no third; the next start tidies up."""
    old, n = digest(trained()), 0
    text = text_file()
    seen = set()
    for n in range(1, 400):
        run = copied(trained(), tmp_path / f"{n}")
        count = 0

        def counted(operation, n=n):
            def tried(*args, **more):
                nonlocal count
                count += 1
                if count >= n:  # and after it nothing more is done at all
                    raise Killed
                return operation(*args, **more)

            return tried

        killed = False
        with monkeypatch.context() as patched:
            for name in ("mkdir", "replace", "rename", "unlink", "rmdir"):
                patched.setattr(os, name, counted(getattr(os, name)))
            try:
                train(text, run, overwrite=True, seed=5, steps=2)
            except Killed:
                killed = True
        if not killed:
            break
        loaded = helo.load(run)
        assert loaded.sample("The ", 3)
        weights = hashlib.sha256(folder.inside(run, "weights.safetensors").read_bytes()).hexdigest()
        assert (weights == old) == (loaded.about["training"]["seed"] == 0), n
        if n % 10 == 0:
            train(
                text, run, resume=True, steps=loaded.about["training"]["steps"]
            )  # finishes what was begun, or says that the old one is finished
            assert helo.load(run).about["finished"]
            assert not [p for p in os.listdir(run) if p.startswith(".")]
        seen.add(loaded.about["training"]["seed"])
    assert seen == {0, 5}
    assert n > 40


# One writer.


def test_two_trainings_in_one_folder(tmp_path):
    run = copied(trained(), tmp_path / "run")
    before = whole(run)
    with writer.held(run):
        for how in ({"overwrite": True}, {"resume": True}, {"resume": True, "steps": 40}):
            with pytest.raises(HeloError, match=r": .*\btraining\b"):
                train(text_file(), run, **how)
    assert whole(run) == before
    with writer.held(tmp_path / "new"), pytest.raises(HeloError, match=r": .*\btraining\b"):
        train(text_file(), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    train(text_file(), tmp_path / "new")


def test_who_is_refused_leaves_the_folder_it_made(tmp_path):
    """Two begin at the same moment: one makes the folder, the other is the first to lock it, and keeps it."""
    run, lock, others = tmp_path / "runs" / "new", writer._flock, []

    def late(handle):
        if not others:
            others.append(os.open(run, os.O_RDONLY))
            assert lock(others[0])
        return lock(handle)

    with mock.patch.object(writer, "_flock", late), pytest.raises(HeloError, match=r": another training writes here; "):
        train(text_file(), run)
    assert run.is_dir()
    assert not writer.free(run)
    os.close(others[0])
    train(text_file(), run)


def test_a_folder_that_goes_meanwhile_is_made_again(tmp_path):
    """The one who made the folders above takes them away, just before the folder itself is made, and once it is there."""
    run, made, locked = tmp_path / "runs" / "new", Path.mkdir, writer._flock
    gone = []

    def taken(path, *more, **words):
        if path == run and not gone:
            gone.append("above")
            run.parent.rmdir()
        return made(path, *more, **words)

    def taken_later(handle):
        if gone == ["above"]:
            gone.append("itself")
            run.rmdir()
        return locked(handle)

    with mock.patch.object(Path, "mkdir", taken), mock.patch.object(writer, "_flock", taken_later), writer.held(run):
        assert gone == ["above", "itself"]
        assert run.is_dir()
        assert not writer.free(run)
    assert not run.parent.exists()


def test_a_kill_releases_the_folder(tmp_path):
    code = f"import sys, time; from helo.runs import writer\nwith writer.held({str(tmp_path / 'run')!r} and __import__('pathlib').Path({str(tmp_path / 'run')!r})):\n print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(HeloError, match=r": .*\btraining\b"):
        train(text_file(), tmp_path / "run")
    process.kill()
    process.communicate()
    train(text_file(), tmp_path / "run")


def test_two_without_a_name_take_two(tmp_path, monkeypatch):
    """Two begin at the same moment, and a third: each finds the next name free, and has it taken away."""
    monkeypatch.chdir(tmp_path)
    found, held = training.free_place, writer.held

    def late(path, free=False):
        if path.name in ("prose", "prose-2"):
            path.mkdir(parents=True)
        return held(path, free)

    Path("prose.txt").write_text(text_file().read_text())
    with mock.patch.object(writer, "held", late):
        assert train("prose.txt", None).path == Path("runs/prose-3")
    assert found("prose") == Path("runs/prose-4")
    Path("runs/prose-4").symlink_to("nowhere")
    assert found("prose") == Path("runs/prose-5")


def test_a_file_that_a_person_names_is_as_open_as_it_was(tmp_path):
    state, longest = tmp_path / "state", tmp_path / ("x" * 255)
    for file in (state, longest):
        assert helo_command("sample", trained(), "-n", 3, "--state", file).code == 0
        file.chmod(0o600)
        before = file.read_bytes()
        assert helo_command("sample", trained(), "-n", 3, "--state", file).code == 0
        assert file.read_bytes() != before
        assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([state.name, longest.name])


@pytest.mark.parametrize("flag", ["--state", "--report", "--out", "--attention"])
def test_what_cannot_be_written_is_said_before_anything_is_computed(flag, tmp_path, monkeypatch):
    verb = {"--state": "sample", "--report": "eval"}.get(flag, "predict")
    (tmp_path / "file").touch()
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, *a, **k: "closed" not in str(p) and access(p, *a, **k))
    (tmp_path / "closed").mkdir()
    for place in ("", tmp_path / "file/x", tmp_path / "closed/x", tmp_path / "closed/new/x"):
        done = helo_command(verb, trained(), flag, place)
        assert (done.code, done.out) == (2, "")
        assert flag in done.err
        assert str(place) in done.err
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["closed", "file"]


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    """Of pictures that are drawn, and of a report's folder; with an empty folder that was there."""
    figure = pytest.importorskip("matplotlib.figure").Figure
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def cut(self, path, **_):
        Path(path).write_bytes(b"half")
        raise full

    with monkeypatch.context() as m:
        m.setattr(figure, "savefig", cut)
        done = helo_command("gradients", trained(), "--out", tmp_path / "a.png")
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert str(tmp_path / "a.png") in done.err
    (tmp_path / "there").mkdir()

    def no_room(self, data):
        raise full

    def drawn(place):
        with monkeypatch.context() as m, report(place) as (beside, _):
            (beside / "confusion.png").touch()
            m.setattr(Path, "write_bytes", no_room)

    for place in (tmp_path / "there", tmp_path / "new"):
        with pytest.raises(HeloError, match=r"confusion\.png"):
            drawn(place)
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


# A kill.


def test_no_line_twice(tmp_path, monkeypatch):
    """Killed between the first report and the first save after it, gone on with: as if never stopped."""
    expected = whole(train(text_file(), tmp_path / "unbroken", steps=20).path)
    save, count = Training.save, 0

    def killing(self):
        nonlocal count
        count += 1
        if count == 2:
            raise Killed
        return save(self)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "save", killing)
        with pytest.raises(Killed):
            train(text_file(), tmp_path / "run", steps=20)
    assert lines(tmp_path / "run") == [2]
    train(text_file(), tmp_path / "run", steps=20, resume=True)
    assert lines(tmp_path / "run") == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert (tmp_path / "run/weights.safetensors").read_bytes() == expected["weights.safetensors"]


def test_litter_of_kills_is_cleaned(tmp_path, monkeypatch):
    run = tmp_path / "run"
    stopped(monkeypatch, 15, lambda: train(text_file(), run))
    ours = [
        ".run.json.abcd1234",
        ".weights.safetensors.x_yz0000",
        "last/.state.safetensors.aaaaaaaa",
        ".helo-new/run.json",
    ]
    theirs = [".run.json.mine", ".gitignore", "last/.notes", ".weights.safetensors", "weights.safetensors.abcd1234"]
    (run / ".helo-new").mkdir()
    for name in ours + theirs:
        (run / name).write_text("x")
    train(text_file(), run, resume=True)
    for name in ours:
        assert not (run / name).exists()
    for name in theirs:
        assert (run / name).exists()


# Going on with what is finished.


def test_to_more_steps(tmp_path):
    run = copied(trained(), tmp_path / "run")
    said = []

    class Says(helo.training.report.Reporter):
        def say(self, line):
            said.append(line)

    for steps in (None, 20, 30, 30):
        more = {} if steps is None else {"steps": steps}
        before = digest(run)
        helo.train("lm", text_file(), out=run, resume=True, reporter=Says(), **more)
        about = helo.load(run).about
        assert about["finished"]
        assert about["steps"] == about["training"]["steps"] == (30 if len(said) > 2 else 20)
        if steps in (None, 20):
            assert digest(run) == before
    assert lines(run)[-6:] == [18, 20, 21, 24, 27, 30] or lines(run)[-1] == 30
    assert "finished" in said[0]
    assert any("30" in line and "%" in line for line in said)
    with pytest.raises(HeloError, match="--steps"):
        train(text_file(), run, resume=True, steps=20)


@pytest.mark.parametrize("more", [{"epochs": 3}, {"minutes": 9.0}], ids=str)
def test_to_more_of_another_measure(more, tmp_path):
    run = copied(trained(), tmp_path / "run")
    about = json.loads((run / "run.json").read_text())
    state = arrays.read_arrays(run / folder.STATE)
    arrays.write_arrays(run / folder.STATE, state[0], state[1] | {"seconds": 9 * 60 * 2 / 3})
    helo.train("lm", text_file(), out=run, resume=True, **more)
    after = helo.load(run).about
    assert after["finished"]
    assert after["steps"] > about["steps"]
    assert after["training"]["steps"] is None
    assert after["training"][next(iter(more))] == next(iter(more.values()))
    if "minutes" in more:
        assert after["steps"] == 30
    with pytest.raises(HeloError, match=f"--{next(iter(more))}"):
        helo.train("lm", text_file(), out=run, resume=True, **{k: v / 9 for k, v in more.items()})


def test_with_other_options_or_files(tmp_path):
    run = copied(trained(), tmp_path / "run")
    other = tmp_path / "other.txt"
    other.write_text(prose(6000, 7), encoding="utf-8")
    before = whole(run)
    for files, more, named in (
        (text_file(), {"hidden": 32}, "hidden"), (text_file(), {"rate": 0.5, "steps": 40}, "rate"), (other, {}, "data"),
        (other, {"steps": 40}, "data"), (text_file(), {"seed": 4}, "seed"), (text_file(), {"cell": "gru", "steps": 40}, "cell"),
    ):  # fmt: skip
        with pytest.raises(HeloError, match=named):
            helo.train("lm", files, out=run, resume=True, **more)
    assert whole(run) == before


@pytest.mark.parametrize("at", [1, 5, 9])
def test_killed_while_it_goes_further(at, tmp_path, monkeypatch):
    expected = whole(train(text_file(), copied(trained(), tmp_path / "whole"), resume=True, steps=30).path)
    run = copied(trained(), tmp_path / "run")
    stopped(monkeypatch, at, lambda: train(text_file(), run, resume=True, steps=30))
    assert not helo.load(run).about["finished"]
    train(text_file(), run, resume=True, steps=30)
    after = whole(run)
    assert after["weights.safetensors"] == expected["weights.safetensors"]
    assert lines(run) == [json.loads(x)["step"] for x in expected["metrics.jsonl"].splitlines()]


def test_killed_before_it_goes_further(tmp_path, monkeypatch):
    """Between the saved training and run.json: the same command does it again."""
    run = copied(trained(), tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(folder, "write_json", mock.Mock(side_effect=Killed))
        with pytest.raises(Killed):
            train(text_file(), run, resume=True, steps=30)
    assert helo.load(run).about["finished"]
    assert train(text_file(), run, resume=True, steps=30).about["steps"] == 30


@pytest.mark.parametrize("recorded", [True, False])
def test_killed_in_the_final_figures(recorded, tmp_path, monkeypatch):
    """Under --minutes they are taken again on as much as there is time for, recorded or measured anew."""
    from helo.training.minutes import Minutes

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(validation, "finish", mock.Mock(side_effect=Killed))
        if not recorded:
            patched.setattr(Minutes, "ending", lambda self, parameters: None)
        with pytest.raises(Killed):
            helo.train("lm", text_file(), out=run, **SMALL | {"steps": None, "minutes": 0.04})
    finished = helo.train("lm", text_file(), out=run, resume=True)
    assert finished.figures["symbols"] > 100


# Signals.


def test_a_signal_ends_the_final_figures(tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(validation, "write_page", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted, match="resume"):
            train(text_file(), run)
    train(text_file(), run, resume=True)
    assert (run / "README.md").exists()


def test_what_a_person_names_stays_what_it_is(tmp_path):
    real, link, pipe = tmp_path / "real", tmp_path / "link", tmp_path / "pipe"
    real.write_bytes(b"before")
    link.symlink_to(real)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for place in (link, pipe, Path(os.devnull)):
        with folder.replacing(place, named=True) as beside:
            beside.write_bytes(b"after")
    assert (os.read(reader, 100), real.read_bytes(), link.is_symlink()) == (b"after", b"after", True)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    # In a run folder, which may be a stranger's, a link leads nowhere.
    with folder.replacing(link) as beside:
        beside.write_bytes(b"ours")
    assert (real.read_bytes(), link.is_symlink(), link.read_bytes()) == (b"after", False, b"ours")


def running(*words, stdin=None):
    return subprocess.Popen(
        [sys.executable, "-m", "helo", *map(str, words)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_keeps_where_a_text_stood(number, tmp_path):
    state, run = tmp_path / "state", trained()
    process = running("sample", run, "--length", 10**8, "--temperature", 0, "--state", state)
    assert process.stdout is not None
    first = process.stdout.read(50)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    written = (first + out).decode()
    again = helo.load(run).stream(state=state)
    expected = helo.load(run).sample("", len(written) + 20, temperature=0)
    assert written.rstrip("\n") + "".join(p[0] for p in again.write(10, helo.runs.run.Choice(temperature=0))) in (
        expected[: len(written) + 10], expected[: len(written.rstrip("\n")) + 10],
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_keeps_where_a_stream_stood(number, tmp_path):
    (tmp_path / "t.conll").write_text(
        "".join(f"{w}\t{w.upper()}\n" + "\n" * (i % 3 == 2) for i, w in enumerate("abcab" * 30))
    )
    run = helo.train(
        "tag", tmp_path / "t.conll", out=tmp_path / "run", bidirectional=False, hidden=8, steps=2, column="2"
    )
    state = tmp_path / "state"
    process = running("predict", run.path, "-", "--stream", "--state", state, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"a\nb\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"a\t")
    assert process.stdout.readline().startswith(b"b\t")
    process.send_signal(number)
    assert process.wait(timeout=60) == 130
    process.communicate()
    live = run.live()
    live.feed("a"), live.feed("b")
    again = run.live(state)
    assert again.past == live.past
    assert all((x == y).all() for a, b in zip(again.state, live.state, strict=True) for x, y in zip(a, b, strict=True))


def test_hanging_up_saves_a_training_but_under_nohup(tmp_path):
    for nohup in (False, True):
        run = tmp_path / f"run-{nohup}"
        words = ["train", "lm", text_file(), "--steps", 10**6, "--out", run, *TINY]
        ignoring = (lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) if nohup else None
        process = subprocess.Popen(
            [sys.executable, "-m", "helo", *map(str, words)], stderr=subprocess.PIPE, preexec_fn=ignoring
        )
        until = time.monotonic() + 60
        while time.monotonic() < until and not (run / "run.json").exists():
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGHUP)
        if nohup:
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert helo.load(run).sample("The ", 3)


def test_interrupted_while_it_overwrites(tmp_path, monkeypatch):
    """What is stopped on purpose is kept: it can be gone on with."""
    run = copied(trained(), tmp_path / "run")
    stopped(monkeypatch, 1, lambda: train(text_file(), run, overwrite=True, seed=5))
    assert helo.load(run).about["training"]["seed"] == 5
    train(text_file(), run, resume=True, seed=5)
    assert digest(run) == digest(trained(seed=5))
    assert Interrupted
    assert SMALL


def test_a_task_without_a_report_says_so(tmp_path):
    done = helo_command("eval", trained(), "--report", tmp_path / "report")
    assert done.code == 2
    assert "--report" in done.err
    assert not (tmp_path / "report").exists()


def test_a_state_may_be_a_link_to_what_is_not_there_yet(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "state")
    for _ in range(2):
        assert helo_command("sample", trained(), "--length", 5, "--state", tmp_path / "link").code == 0
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "state").is_file()

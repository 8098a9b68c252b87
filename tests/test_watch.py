"""A run seen while it trains and afterwards, and runs side by side."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest

import helo
from fixtures import SMALL, copied, helo_command, text_file, train, trained
from helo.errors import HeloError
from helo.inspection import compare, compare_report, curves, terminal, watch
from helo.inspection.observer import Observer
from helo.inspection.watch_process import WatchReporter
from helo.runs import folder
from helo.training.report import Reporter

PARTS = {"status", "figures", "loss", "rate", "norms", "gates", "samples", "saturation", "colours"}


def asked(server, path="", host=None, method="GET"):
    """(status, headers, body) of a question to a server."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={} if host is None else {"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def here(server):
    return f"/{server.secret}/"


def observed(path, **more):
    observer = Observer(path, **more)
    observer.update()
    assert observer.error == ""
    return observer


def marked(run, **changes):
    """run.json with some of it changed."""
    file = run / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return run


# The page.


def test_page_is_served_and_needs_nothing_else():
    with watch.serve(observed(trained())) as server:
        assert server.server_address[0] == "127.0.0.1"
        status, headers, page = asked(server, here(server))
        assert status == 200
        assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org)[\w.-]+\.\w", page)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        for part in PARTS:
            assert f'id="{part}"' in page
        assert "Finished" in page  # there before any script has run
        assert page.count("<svg") >= 3
        for tag in re.findall(r"<svg[^>]*>", page):
            assert 'role="img"' in tag
            assert "aria-label" in tag
        assert page.count("<label") == 2
        assert "aria-live" not in page  # what changes each second is not read aloud each second
        status, _, now = asked(server, here(server) + "now?layer=recurrent.0&unit=3")
        found = json.loads(now)
        assert status == 200
        assert found["parts"].keys() == PARTS
        assert (found["layers"], found["layer"], found["units"], found["unit"]) == (
            ["recurrent.0"],
            "recurrent.0",
            16,
            3,
        )
        assert "unit 3" in found["parts"]["colours"]
        for odd in ("unit=-1", "unit=99", "unit=x", "unit=" + "9" * 400, "layer=%00", "unit=3&unit=4", "unit=%D9%A3"):
            assert asked(server, here(server) + "now?" + odd)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "10.0.0.1", "x@127.0.0.1"]
)
def test_other_names_are_refused(host):
    with watch.serve(Observer(trained())) as server:
        status, _, body = asked(server, here(server), host)
        assert status == 403
        assert "<" not in body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9999", "LOCALHOST:1", "[::1]:8"])
def test_this_machines_names_are_served(host):
    with watch.serve(Observer(trained())) as server:
        assert asked(server, here(server), host)[0] == 200


def test_nothing_else_is_served():
    with watch.serve(Observer(trained())) as server:
        for path in (
            "/",
            "/run.json",
            "/now",
            f"/{server.secret}",
            f"/{server.secret}/run.json",
            f"/{server.secret}/../run.json",
            f"/{server.secret}//",
            "/x/now",
        ):
            assert asked(server, path)[0] == 404
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert asked(server, here(server), method=method)[0] == 501


def test_watching_writes_nothing(tmp_path):
    run = copied(trained(), tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in sorted(run.rglob("*"))}
    with watch.serve(observed(run)) as server:
        asked(server, here(server))
    assert {p: p.stat().st_mtime_ns for p in sorted(run.rglob("*"))} == before


def test_texts_of_others_are_no_html(tmp_path):
    run = copied(trained(), tmp_path / "<b>run")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    lines[0] |= {"sample": "<script>alert(1)</script>", "norms": {"<i>": 1.0, "b": "x", "c": 10**400}, "rate": 10**400}
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"half')
    page = watch.page(observed(run))
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<i>" not in page
    assert "<b>run" not in page


def test_a_run_without_weights_yet(tmp_path):
    run = marked(copied(trained(), tmp_path / "run"), finished=False)
    (run / "weights.safetensors").unlink()
    observer = observed(run)
    assert observer.snapshot is None
    assert "No weights yet" in watch.page(observer)
    found = watch.to_json(observer)
    assert found["weights"] is None
    assert found["gates"] == []
    (run / "weights.safetensors").write_bytes((trained() / "weights.safetensors").read_bytes())
    observer.update()
    assert observer.snapshot is not None
    assert "No weights yet" not in watch.page(observer)


def test_damage_is_said_on_the_page(tmp_path):
    run = copied(trained(), tmp_path / "run")
    observer = Observer(run)
    (run / "weights.safetensors").write_bytes(b"odd")
    observer.update()
    assert "weights.safetensors" in watch.page(observer)
    (run / "run.json").write_text("{")
    assert "run.json" in watch.view(observer)["parts"]["status"]
    (run / "run.json").unlink()
    (run / "metrics.jsonl").unlink()
    assert watch.page(observer)


def test_gates_are_those_of_the_steps():
    """Shares counted by hand on the same text."""
    observer = observed(trained())
    snapshot = observer.snapshot
    assert snapshot is not None
    run = helo.load(trained())
    ids = np.array([run.task.vocab.spelling.index(p.encode()) for p in snapshot.pieces])
    assert text_file().read_text(encoding="utf-8").endswith("".join(snapshot.pieces))
    p = {n.removeprefix("recurrent.0."): a for n, a in run.parameters.items()}
    xs = run.task.model.cell.project(p, run.parameters["embedding"][ids])
    state, below, outputs = run.task.model.cell.state(p, 1), {"i": 0.0, "f": 0.0, "o": 0.0}, []
    for x in xs:
        for gate, value in run.task.model.cell.gates(p, state, x[None]).items():
            below[gate] += float((value < 0.1).mean()) / len(ids)
        state, output = run.task.model.cell.step(p, state, x[None])
        outputs.append(output[0])
    assert {g["gate"]: g["below"] for g in snapshot.gates} == pytest.approx(below, abs=1e-5)
    np.testing.assert_allclose(snapshot.units["recurrent.0"], outputs, atol=1e-5)


def test_a_cell_without_gates_says_so():
    observer = observed(trained(cell="rnn,nonlinearity=relu", layers=2))
    assert "no gates" in watch.page(observer)
    assert list(observer.snapshot.units) == ["recurrent.0", "recurrent.1"]


def test_where_the_text_is_gone_the_model_writes_one(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(text_file().read_text(encoding="utf-8"), encoding="utf-8")
    run = train(text, tmp_path / "run").path
    text.unlink()
    snapshot = observed(run).snapshot
    assert snapshot is not None
    assert "wrote itself" in snapshot.source
    assert len(snapshot.pieces) > 50


OTHERS = {
    "classify": "text\tlabel\n" + "".join(f"{'good' if i % 2 else 'bad'} thing {i % 7}\t{'up' if i % 2 else 'down'}\n" for i in range(40)),
    "tag": "".join("the DET\ncat NOUN\nsat VERB\n\n" for _ in range(20)),
    "translate": "".join(f"{i} apples\t{i} Äpfel\n" for i in range(40)),
}  # fmt: skip


@pytest.mark.parametrize("task", OTHERS)
def test_every_shape(task, tmp_path):
    file = tmp_path / {"classify": "t.tsv", "tag": "t.conll", "translate": "t.tsv"}[task]
    file.write_text(OTHERS[task], encoding="utf-8")
    helo.train(task, file, out=tmp_path / "run", steps=2, hidden=8, embedding=8)
    found = watch.to_json(observed(tmp_path / "run"))
    assert found["gates"]
    assert all(0 <= g["below"] <= 1 for g in found["gates"])
    assert found["reports"][-1]["sample"]
    assert watch.page(observed(tmp_path / "run"))


def test_a_model_without_recurrence_says_so(tmp_path):
    file = tmp_path / "n.csv"
    file.write_text("a,b,label\n" + "".join(f"{i / 40},{i % 3},{'up' if i % 2 else 'down'}\n" for i in range(40)))
    helo.train("classify", file, out=tmp_path / "run", steps=2, hidden=8)
    assert "no recurrent layer" in watch.page(observed(tmp_path / "run"))


def test_without_samples_the_page_says_why(tmp_path):
    data = tmp_path / "t.csv"
    data.write_text("a,b,label\n" + "1,2,y\n2,1,n\n" * 20)
    helo.train("classify", data, out=tmp_path / "run", steps=2, hidden=4, samples=False, quiet=True)
    observer = Observer(tmp_path / "run")
    parts = watch.view(observer)["parts"]
    assert "--no-samples" in parts["samples"]
    assert "being read" in parts["saturation"]
    parts = watch.view(observed(tmp_path / "run"))["parts"]
    assert "feed-forward" in parts["figures"]
    assert "no recurrent layer" in parts["gates"]


def test_a_training_that_replaces_a_run_is_shown(tmp_path):
    run = copied(trained(), tmp_path / "run")
    new = run / folder.NEW
    (new / "last").mkdir(parents=True)
    for name in ("vocab.json", "run.json", folder.STATE):
        (new / name).write_bytes((run / name).read_bytes())
    marked(new, finished=False, figures={}, steps=0)
    (new / "metrics.jsonl").write_text("")
    observer = Observer(run)
    assert observer.home == new
    assert observer.reports() == []
    old = time.time() - 3600  # what a kill left behind is nobody's training
    os.utime(new / folder.STATE, (old, old))
    assert observer.home == run
    assert len(observer.reports()) == 10


# From the command line.


def test_json():
    done = helo_command("watch", trained(), "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert {
        "run",
        "task",
        "cell",
        "parameters",
        "status",
        "reports",
        "gates",
        "layers",
        "weights",
        "text",
    } <= found.keys()
    assert {g["gate"] for g in found["gates"]} == {"i", "f", "o"}
    assert found["layers"] == {"recurrent.0": 16}


def test_refusals(tmp_path):
    newer = marked(copied(trained(), tmp_path / "newer"), format=99)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for words, named in (
            (["watch", trained(), "--port", port, "--no-browser"], str(port)),
            (["watch", trained(), "--port", 65536], "65536"),
            (["watch", trained(), "--port", -1], "-1"),
            (["watch", trained(), "--port", "x"], "--port"),
            (["watch", tmp_path / "nowhere"], "nowhere"),
            (["watch", newer], "99"),
            (["watch"], "RUN"),
            (["watch", trained(), "--cell", "other.py:Cell", "--json"], "--cell"),
            (["watch", trained(), "--terminal", "--port", "8"], "--terminal"),
            (["train", "lm", text_file(), "--no-browser"], "--watch"),
        ):
            done = helo_command(*words)
            assert done.code == 2, words
            assert len(done.err.strip().splitlines()) == 1
            assert named in done.err


def test_terminal_on_a_pipe_says_a_line_a_report():
    done = helo_command("watch", trained(), "--terminal")
    lines = done.out.splitlines()
    assert done.code == 0
    assert [line.split()[1] for line in lines[:-1]] == [str(n) for n in range(2, 21, 2)]
    assert lines[-1].startswith("Finished")


def test_terminal_screen(tmp_path):
    rows = terminal.screen(observed(trained()), 70, 20)
    assert len(rows) <= 20
    assert max(map(len, rows)) <= 70
    text = "\n".join(rows)
    assert "lstm" in text
    assert any(block in text for block in terminal.BLOCKS)
    assert "recurrent.0" in text
    run = marked(copied(trained(), tmp_path / "run"), finished=False)
    (run / "weights.safetensors").unlink()
    assert "no weights yet" in "\n".join(terminal.screen(observed(run)))
    assert terminal.sparkline([1, 2, 3]) == "▁▅█"
    assert terminal.sparkline([]) == ""


# While it trains.


def watched(tmp_path, *words):
    command = [
        sys.executable,
        "-m",
        "helo",
        "train",
        "lm",
        str(text_file()),
        "--out",
        str(tmp_path / "run"),
        "--watch",
        "--no-browser",
    ]
    small = [w for k, v in SMALL.items() if k != "steps" for w in (f"--{k.replace('_', '-')}", str(v))]
    process = subprocess.Popen([*command, *small, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)(/\S+/)", line):
            return process, int(found[1]), found[2]
    raise AssertionError("no address")


def answers(port, path):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except OSError:
            return None


def gone(port):
    """Whether nobody answers there any more, soon."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if answers(port, "/") is None:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_it_stops_with_the_training(number, tmp_path):
    process, port, path = watched(tmp_path, "--steps", "1000000")
    with process:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            now = json.loads(answers(port, path + "now") or "{}")
            if "Step" in now["parts"]["status"]:
                break
            time.sleep(0.1)
        assert "Step" in now["parts"]["status"]
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "--resume" in err
        assert helo.load(tmp_path / "run").sample(length=3)
    assert gone(port)


def test_from_python_and_with_its_end(tmp_path):
    said, pages = [], []

    class Looks(Reporter):
        def step(self, done, *figures):
            if done in (1, 15):
                port, path = re.search(r":(\d+)(/\S+/)", said[0]).groups()
                pages.append(json.loads(answers(int(port), path + "now")))

    reporter = WatchReporter(Looks(), said.append, browser=False)
    train(text_file(), tmp_path / "run", reporter=reporter)
    assert [page["ended"] for page in pages] == [False, False]
    assert "No weights yet" in pages[0]["parts"]["saturation"]
    assert reporter.process.wait(20) == 0  # it lets an open page hear of the end
    assert gone(int(re.search(r":(\d+)/", said[0])[1]))


def test_who_does_not_read_never_holds_training_up(tmp_path):
    reporter = WatchReporter(Reporter(), lambda line: None, browser=False)
    reporter.process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    os.set_blocking(reporter.process.stdin.fileno(), False)
    for step in range(3000):
        reporter.sent = 0.0
        reporter.step(step, None, 1.0, 1.0, None)
    reporter.process.kill()
    reporter.process.wait()
    reporter.sent = 0.0
    reporter.step(1, None, 1.0, 1.0, None)
    reporter.close()


def test_a_watcher_that_does_not_start_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    done = helo_command("train", "lm", text_file(), "--steps", "1", "--out", tmp_path / "run", "--watch", "--quiet")
    assert done.code == 2
    assert "--watch" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_norms_by_layer_are_those_of_the_gradient(tmp_path):
    """A report a step: the layers' norms together are the norm that is clipped."""
    run = train(text_file(), tmp_path / "run", steps=10, clip=0.05)
    reports = folder.metrics(run.path / "metrics.jsonl")
    assert len(reports) == 10
    for report in reports:
        assert report["norms"].keys() == {"embedding", "recurrent.0", "head"}
        assert sum(n * n for n in report["norms"].values()) ** 0.5 == pytest.approx(report["norm"], rel=1e-3)


# Side by side.


def test_compare():
    paths = [trained(), trained(seed=1)]
    found = compare.compare(paths)
    assert [r["run"] for r in found["runs"]] == [str(p) for p in paths]
    assert found["differ"] == ["seed"]
    assert [r["options"] for r in found["runs"]] == [{"seed": 0}, {"seed": 1}]
    assert found["alike"]["nats"] == [[0, 1]]
    figures = [helo.load(p).figures["nats"] for p in paths]
    assert found["best"]["nats"] == [int(np.argmin(figures))]
    for curve, path in zip(found["curves"], paths, strict=True):
        reports = folder.metrics(path / "metrics.jsonl")
        assert curve["valid"] == [r["valid"] for r in reports]
        assert curve["step"] == [r["step"] for r in reports]
        assert curve["bits_per_byte"][-1] > 0
    page = compare_report.page(found)
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w", page)
    assert page.count("<svg") == 4
    done = helo_command("compare", *paths, "--json")
    assert json.loads(done.out) == json.loads(json.dumps(found))


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_json_is_json_whatever_a_run_says_of_itself(figure, tmp_path):
    run = marked(copied(trained(), tmp_path / "run"), figures={"nats": figure, "accuracy": 1.0})
    for words in (("compare", run, trained(), "--json"), ("watch", run, "--json"), ("info", run, "--json")):
        done = helo_command(*words)
        assert done.code == 0, done.err
        found = json.loads(done.out, parse_constant=pytest.fail)
        assert (found["runs"][0] if "runs" in found else found)["figures"]["nats"] is None
    assert helo_command("compare", run, trained(), "--out", tmp_path / "page.html").code == 0


def test_what_does_not_compare_is_marked(tmp_path):
    """Nats a character and a byte do not compare; bits a byte do, on the same text; on another nothing does."""
    found = compare.compare([trained(), trained(units="bytes"), trained(seed=1)])
    assert found["alike"]["nats"] == found["alike"]["perplexity"] == found["alike"]["valid"] == [[0, 2], [1]]
    assert found["best"]["nats"][0] in (0, 2)
    assert compare_report.notes(found)
    assert "nats" in compare_report.table(found)
    assert "bits per byte" in compare_report.page(found)
    other = train(text_file(5000), tmp_path / "run").path
    found = compare.compare([trained(), other])
    assert all(groups == [[0], [1]] for groups in found["alike"].values())
    assert found["best"] == {}


def test_what_is_not_compared(tmp_path):
    classifier = tmp_path / "t.tsv"
    classifier.write_text(OTHERS["classify"], encoding="utf-8")
    helo.train("classify", classifier, out=tmp_path / "c", steps=1, hidden=8)
    empty = copied(trained(), tmp_path / "empty")
    (empty / "metrics.jsonl").write_text("")
    for paths, named in (
        ([trained()], "one run"),
        ([], "RUNS"),
        ([trained(), tmp_path / "c"], "classify"),
        ([trained(), tmp_path / "nowhere"], "nowhere"),
        ([trained(), empty], "empty"),
        ([trained()] * 65, "64"),
    ):
        done = helo_command("compare", *paths)
        assert done.code == 2
        assert len(done.err.strip().splitlines()) == 1
        assert named in done.err
    with pytest.raises(HeloError):
        compare.compare([])


def test_compare_writes_a_page(tmp_path):
    out = tmp_path / "page.html"
    done = helo_command("compare", trained(), trained(seed=1), "--out", out)
    assert done.code == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


# Curves.


def test_a_chart_has_its_points():
    svg = curves.chart("a <b>", "step", [curves.Line("one", [0, 1, 2], [1, 4, 2]), curves.Line("none", [], [])])
    assert "a &lt;b&gt;" in svg
    assert svg.count("<path") == 1
    (way,) = re.findall(r' d="M([^"]*)"', svg)
    points = [tuple(map(float, p.split())) for p in way.split("L")]
    assert [p[0] for p in points] == sorted(p[0] for p in points)
    assert points[1][1] < points[2][1] < points[0][1]  # a picture's y goes down
    assert "<svg" not in curves.chart("nothing", "step", [])
    for lines in ([([1], [1])], [([1, 1], [0, 0])], [([0, 1e9], [1e-9, 1e9])], [([1, 2], [-1, -1])],
        [([1e60, 1e60], [1e99, 1e99])], [([-1e30], [-1e30])], [([1, 2], [5e-324, 1e-320])],
    ):  # fmt: skip
        for log in (False, True):
            assert "nan" not in curves.chart("x", "y", [curves.Line("l", *line) for line in lines], log)
    reports = [
        {"step": 1, "a": 1},
        {"step": 2, "a": float("nan")},
        {"step": 3, "a": 10**400},
        {"step": 4, "a": "x"},
        {"a": 1},
    ]
    assert curves.line("a", reports, "a").ys == [1.0]
    assert len(curves.thinned([(i, i) for i in range(1000)])) <= 400


def test_a_cell_that_there_is_not_is_refused(tmp_path):
    path = copied(trained(), tmp_path / "run")
    file = path / "run.json"
    file.write_text(file.read_text().replace('"lstm"', '"lstn"'))
    for words in ((), ("--cell", "lstn")):
        done = helo_command("watch", path, "--json", *words)
        assert done.code == 2
        assert "'lstn'" in done.err
        assert "'lstm'" in done.err


def test_names_beside_lines_stand_off_the_axis():
    """Lines that all end low keep their names apart from each other, and above the numbers under the picture."""
    lines = [curves.Line(f"n{i}", [0.0, 1.0], [4.0, 1.0 + i / 1000]) for i in range(6)]
    page = curves.chart("loss", "step", lines)
    found = sorted(float(y) for y in re.findall(r'<text class="n\d" x="[\d.]+" y="([\d.]+)"', page))
    assert len(found) == 6
    assert all(b - a >= 13.9 for a, b in itertools.pairwise(found))
    assert found[-1] <= curves.HEIGHT - curves.BOTTOM

"""A training that is watched: a process of its own serves the page, so that training never waits for it.

It has the lowest priority, one thread to compute with and no accelerator; what the training says of itself each second
comes to it through a pipe, and when the pipe ends, whatever the reason, so does the process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import helo
from helo.errors import HeloError, as_helo_error
from helo.training.report import Reporter

EVERY = 1.0  # seconds between two lines of what the training reports
LINGER = 2.5  # seconds that an open page still has to hear that training has ended
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


class WatchReporter(Reporter):
    """A reporter that shows a page of the training beside what another reporter does."""

    def __init__(self, inner: Reporter, announce: Callable[[str], None], browser: bool = True, cell: str | None = None):
        """announce: says where the page is, however quiet the other reporter is."""
        self.inner, self.announce, self.browser, self.cell = inner, announce, browser, cell
        self.process: subprocess.Popen[bytes] | None = None
        self.sent, self.sum, self.count = 0.0, 0.0, 0

    def begin(self, path: Path) -> None:
        self.inner.begin(path)
        self.process = _start({"path": str(path.absolute()), "browser": self.browser, "cell": self.cell})
        assert self.process.stdout is not None
        try:
            answer = json.loads(self.process.stdout.readline() or b"{}")
        except ValueError:
            answer = {}
        if "address" not in answer:
            raise HeloError(answer.get("error", "the process that serves the page did not start"), where="--watch")
        assert self.process.stdin is not None
        with suppress(AttributeError, OSError):
            os.set_blocking(self.process.stdin.fileno(), False)  # training goes on whether or not anybody reads
        self.announce(f"watch it at {answer['address']}")

    def say(self, line: str) -> None:
        self.inner.say(line)

    def step(self, done: int, total: int | None, loss: float, speed: float, left: float | None) -> None:
        self.inner.step(done, total, loss, speed, left)
        self.sum, self.count = self.sum + loss, self.count + 1
        now = time.monotonic()
        if now - self.sent < EVERY:
            return
        line = {"step": done, "total": total, "loss": self.sum / self.count, "speed": speed, "left": left}
        self.sent, self.sum, self.count = now, 0.0, 0
        if self.process is not None and self.process.stdin is not None:
            with suppress(OSError, ValueError):  # it has ended, or does not read: nothing of that is the training's
                os.write(self.process.stdin.fileno(), (json.dumps(line) + "\n").encode())

    def report(self, report: dict[str, Any]) -> None:
        self.inner.report(report)

    def work(self, what: str, done: int, total: int) -> None:
        self.inner.work(what, done, total)

    def close(self) -> None:
        self.inner.close()
        if self.process is None:
            return
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        # It may stay a moment longer than the training, for a page that is open: nobody waits for that but this thread.
        threading.Thread(target=self.process.wait, daemon=True).start()


def _start(request: dict[str, Any]) -> subprocess.Popen[bytes]:
    code = "from helo.inspection.watch_process import main; main()"
    path = os.pathsep.join(filter(None, [str(Path(helo.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | ALONE | {"PYTHONPATH": path}, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        os.write(process.stdin.fileno(), (json.dumps(request) + "\n").encode())
    except OSError as error:
        raise HeloError(f"the process that serves the page did not start: {error.strerror}", where="--watch") from error
    return process


def main() -> None:
    """The process: the request and what the training reports are lines of standard input, the address one of its output."""
    with suppress(AttributeError, OSError):
        os.nice(19)
    from helo.inspection.observer import Observer
    from helo.inspection.watch import IDLE, open_browser, serve

    request = json.loads(sys.stdin.readline())
    observer = Observer(Path(request["path"]), request["cell"], must_exist=False)
    try:
        with serve(observer) as server:
            print(json.dumps({"address": server.address}), flush=True)
            if request["browser"]:
                open_browser(server.address)
            for line in sys.stdin:
                with suppress(ValueError, KeyError, TypeError):
                    observer.on_step(json.loads(line))
            observer.ended = True
            if time.monotonic() - server.last_request < IDLE:
                time.sleep(LINGER)
    except HeloError as error:
        print(json.dumps({"error": str(as_helo_error(error))}), flush=True)

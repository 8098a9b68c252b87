"""How far work has come that is done in a room which knows nothing of terminals: whoever wants to hear listens."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Listener = Callable[[str, int, int], None]  # what, how many are done, of how many
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
_speaker: ContextVar[Callable[[str], None] | None] = ContextVar("speaker", default=None)


def tell(what: str, done: int, total: int) -> None:
    """So much of it is done."""
    listener = _listener.get()
    if listener is not None:
        listener(what, done, total)


def say(line: str) -> None:
    """A line that whoever waits should read."""
    speaker = _speaker.get()
    if speaker is not None:
        speaker(line)


@contextmanager
def listening(listener: Listener, speaker: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hear what is told and said inside."""
    tokens = _listener.set(listener), _speaker.set(speaker)
    try:
        yield
    finally:
        _listener.reset(tokens[0])
        _speaker.reset(tokens[1])


def stops() -> list[signal.Signals]:
    """The signals that ask a process to end. One that `nohup` told it to ignore is not among them."""
    hang_up = getattr(signal, "SIGHUP", None)
    more = [hang_up] if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN else []
    return [signal.SIGINT, signal.SIGTERM, *more]


class Stopping:
    """Whether somebody asked to stop, by Ctrl-C, SIGTERM or SIGHUP. What is at work asks now and then, and ends where
    nothing is half done; what waits (`waiting`) is stopped at once, and so is everything by a second signal.
    """

    def __init__(self):
        self.requested = self.waiting = False

    def ask(self, number: int, frame: Any) -> None:
        if self.requested or self.waiting:
            raise KeyboardInterrupt
        self.requested = True

    def end(self) -> None:
        """Raises KeyboardInterrupt if it was asked for."""
        if self.requested:
            raise KeyboardInterrupt


@contextmanager
def handling(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Inside, signals to stop go to a handler; only the main thread may set one."""
    main = threading.current_thread() is threading.main_thread()
    before = {s: signal.signal(s, handler) for s in stops()} if main else {}
    try:
        yield
    finally:
        for s, own in before.items():
            signal.signal(s, own)


@contextmanager
def unbroken() -> Iterator[None]:
    """Signals to stop wait for the end of the block. For the import of torch: its C++ aborts the process where one comes
    in the middle.
    """
    came: list[int] = []
    try:
        with handling(lambda number, frame: came.append(number)):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])


@contextmanager
def stoppable() -> Iterator[Stopping]:
    """Signals to stop do not end the block in the middle of anything."""
    stopping = Stopping()
    with handling(stopping.ask):
        yield stopping

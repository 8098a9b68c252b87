"""How far work has come that is done in a room which knows nothing of terminals: whoever wants to hear listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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

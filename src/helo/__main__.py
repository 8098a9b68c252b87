"""The command line: `helo`, `python -m helo`. Ctrl-C is answered in a word from the first moment to the last."""

import _thread
import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

AGAIN = 1.0  # seconds


def _interrupt(number: int, frame: Any) -> None:
    """As Ctrl-C, and once more if nothing has come of it: what is raised while modules are imported is dropped in some
    places, such as the callback of a weak reference or C code that goes on after an error.
    """
    again = threading.Timer(AGAIN, _thread.interrupt_main, [number])
    again.daemon = True
    with suppress(RuntimeError):  # at the very end no thread can be started
        again.start()
    raise KeyboardInterrupt


def _unraisable(error: Any) -> None:
    if not isinstance(error.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(error)


def main() -> None:
    """`helo.cli.main`, which takes a moment to be imported."""
    # SIGTERM and SIGHUP are as Ctrl-C, whatever is at work; one that `nohup` ignores stays ignored.
    for name, usual in (
        ("SIGINT", signal.default_int_handler),
        ("SIGTERM", signal.SIG_DFL),
        ("SIGHUP", signal.SIG_DFL),
    ):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is usual:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _unraisable
    try:
        from helo.cli import main as run

        run()
    except KeyboardInterrupt:
        print("helo: stopped", file=sys.stderr)
        os._exit(130)
    except SystemExit as end:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the answer stands, and the exit code with it
        if end.code != 130:
            raise
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # Where Ctrl-C came inside an `exec`, as of a named tuple, Python would end by the signal in place of the code.
        atexit._run_exitfuncs()
        os._exit(130)


if __name__ == "__main__":
    main()

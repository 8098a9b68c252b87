"""The command line: `helo`, `python -m helo`. Ctrl-C is answered in a word from the first moment to the last."""

import atexit
import os
import signal
import sys
from typing import Any

_last: int = signal.SIGINT  # the signal that came last


def _interrupt(number: int, frame: Any) -> None:
    global _last
    _last = number
    raise KeyboardInterrupt


def _once_more(lost: Any) -> None:
    """Python drops what is raised in some places, as in a weak reference's callback while modules are imported: a signal
    that came there comes again.
    """
    if isinstance(lost.exc_value, KeyboardInterrupt):
        import _thread
        import threading

        threading.Timer(0.01, _thread.interrupt_main, [_last]).start()
    else:
        sys.__unraisablehook__(lost)


def main() -> None:
    """`helo.cli.main`, which takes a moment to be imported."""
    for name in ("SIGTERM", "SIGHUP"):  # as Ctrl-C, whatever is at work; one that `nohup` ignores stays ignored
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _once_more
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
        # Where Ctrl-C came inside an `exec`, as of a named tuple, Python would end by the signal in place of the code.
        atexit._run_exitfuncs()
        os._exit(130)


if __name__ == "__main__":
    main()

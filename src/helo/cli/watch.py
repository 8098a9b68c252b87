"""helo watch RUN"""

from __future__ import annotations

import click

from helo.cli import flags


@flags.common
@flags.trusted
@flags.as_json
@click.command()
@click.argument("run")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="port of the page  [any free one]")
@click.option("--no-browser", is_flag=True, help="print the address and open no browser")
@click.option("--terminal", is_flag=True, help="show it in the terminal and serve no page")
def command(run, port, no_browser, terminal, cell, task, seed, quiet, as_json):
    """Watch a run in a browser. Shows loss, learning rate, gradients, gates, samples, and what a
    unit does on a fixed text, during training or after it. Only this machine can open the page; Ctrl-C ends it.

    \b
    helo watch runs/novel
    helo watch runs/novel --terminal
    """
    import threading
    from pathlib import Path

    from helo.errors import HeloError
    from helo.inspection import watch
    from helo.inspection.observer import Observer

    if terminal and (port or no_browser):
        raise HeloError("--terminal with an option of the page", expected="only one of them")
    observer = Observer(Path(run), cell, task=task)
    if as_json:
        observer.update()
        flags.show(watch.to_json(observer))
    elif terminal:
        from helo.inspection import terminal as view

        view.follow(observer)
    else:
        with watch.serve(observer, port) as server:
            flags.tell(f"watch it at {server.address}   (Ctrl-C ends it)", err=True)
            if not no_browser:
                watch.open_browser(server.address)
            threading.Event().wait()

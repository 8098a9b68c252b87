"""helo info RUN"""

from __future__ import annotations

from contextlib import suppress

import click

from helo import registry
from helo.cli import flags
from helo.errors import HeloError


@flags.common
@flags.trusted
@flags.as_json
@click.command()
@click.argument("run")
def command(run, cell, task, seed, quiet, as_json):
    """Show a run's task, cell, options and figures.

    \b
    helo info runs/novel
    helo info runs/novel --json
    """
    from helo.models.feed_forward import FeedForward
    from helo.options import spelled
    from helo.runs import load
    from helo.saved import as_figure, flat

    model = load(run, cell=cell, task=task)
    if cell is not None:
        model.cell  # noqa: B018  another cell than the run's is refused
    if task is not None:
        model.kind  # noqa: B018
    about = model.about
    unused: frozenset[str] = frozenset()
    with suppress(HeloError):  # a run whose code is not to be run is shown all the same
        if not registry.outside(about["cell"]):
            unused = model.task.options.unused(model.task)
            if isinstance(model.task.model, FeedForward):
                about["cell"] = None  # none runs
    if as_json:
        flags.show(about)
        return
    about["options"] = {k: v for k, v in about["options"].items() if k not in unused}
    about["figures"] = flat(about["figures"])
    for section in ("options", "training", "data", "figures"):
        about |= {f"{section}.{k}": v for k, v in about.pop(section).items()}
    for name, value in about.items():
        if value not in (None, [], ()):
            flags.tell(f"{name:28} {as_figure(value)}" if isinstance(value, float) else f"{name:28} {spelled(value)}")

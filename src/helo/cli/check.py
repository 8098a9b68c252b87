"""helo check CELL"""

from __future__ import annotations

import dataclasses

import click

from helo.cli import flags

ORDER = ("broken", "excepted", "held", "not tried")  # of two results, the one that a line is about


@flags.common
@flags.as_json
@click.command()
@click.argument("cell", nargs=-1)
@click.pass_context
def command(ctx, cell, seed, quiet, as_json):
    """Check that cells keep the laws. Each CELL (by default every registered one) is tested in every way that an
    engine runs it, with one line per law. The exit code is 1 if a law is broken.

    \b
    helo check lstm
    helo check path/to/file.py:Name --json
    """
    from helo import cells, laws

    say = (lambda line: None) if quiet or as_json else click.echo
    reports, summary = [], []
    for spec in cell or cells.names():
        say(f"{spec}: tested as {', '.join(map(laws.label, laws.instances(spec)))}")
        lines = _Lines(say)
        reports.append({"cell": spec, "results": laws.check(spec, lines.add, seed=seed or 0)})
        lines.close()
    if not cell:
        say("functions: those that cells may use")
        lines = _Lines(say)
        reports.append({"cell": "functions", "results": laws.check_functions(lines.add)})
        lines.close()
    for report in reports:
        results = report["results"]
        report["broken"] = list(dict.fromkeys(r.law for r in results if r.status == "broken"))
        report["seconds"] = sum(r.seconds for r in results)
        summary.append(_summary(**report))
        report["results"] = [dataclasses.asdict(r) for r in results]
    broken = [name for report in reports for name in report["broken"]]
    if as_json:
        flags.show({"held": not broken, "broken": list(dict.fromkeys(broken)), "cells": reports})
    else:
        for line in summary:
            click.echo(line)
    if broken:
        ctx.exit(1)


class _Lines:
    """One line a law, said when its last result is in; what is broken is said with its numbers at once under it."""

    def __init__(self, say):
        self.say, self.results = say, []

    def add(self, result):
        if self.results and self.results[0].law != result.law:
            self.close()
        self.results.append(result)

    def close(self):
        if not self.results:
            return
        from helo.laws import LAWS

        law, seconds = self.results[0].law, sum(r.seconds for r in self.results)
        by_status = {s: [r for r in self.results if r.status == s] for s in ORDER}
        status = next(s for s in ORDER if by_status[s])
        numbers = self._numbers(status, by_status[status])
        if (untried := by_status["not tried"]) and status != "not tried":
            numbers += f"; {len(untried)} not tried: {untried[0].message}"
        budget = LAWS[law].budget if law in LAWS else seconds
        late = f", over its {budget:g} s" if seconds > budget else ""
        self.say(f"  {status:9}  {law:28}  {numbers:44}  {seconds:.1f} s{late}")
        if broken := by_status["broken"]:
            self.say(f"             {broken[0].instance} {broken[0].form}: {broken[0].message}")
        if others := [f"{r.instance} {r.form}" for r in broken[1:]]:
            self.say(f"             also broken: {'; '.join(others)}")
        self.results = []

    def _numbers(self, status, found):
        if status == "broken":
            return f"on {len(found)} of {len(self.results)}"
        if status in ("excepted", "not tried"):
            return found[0].message
        worst = max(found, key=lambda r: r.difference / (r.allowed or 1))
        how = f"at most {worst.difference:.0e} of {worst.allowed:.0e} allowed" if worst.allowed else "exact"
        return f"on {len(found)}: {how}"


def _summary(cell, results, broken, seconds):
    """The last line about a cell."""
    laws = {status: list(dict.fromkeys(r.law for r in results if r.status == status)) for status in ORDER}
    held = [name for name in laws["held"] if name not in broken + laws["excepted"]]
    untried = [name for name in laws["not tried"] if name not in held + broken]
    how_many = f"{len(held)} law{'s' * (len(held) != 1)} hold{'s' * (len(held) == 1)}"
    if len(held) == len({r.law for r in results}) > 1:
        how_many = f"all {how_many}"
    parts = [f"{', '.join(broken)} broken", how_many] if broken else [how_many]
    if laws["excepted"]:
        parts.append(f"{len(laws['excepted'])} excepted by the cell ({', '.join(laws['excepted'])})")
    if laws["not tried"]:
        why = "; ".join(dict.fromkeys(r.message for r in results if r.status == "not tried"))
        only = f", {', '.join(untried)} not at all" if untried else ""
        parts.append(f"not in every form{only}: {why}")
    return f"{cell}: {'; '.join(parts)} ({seconds:.1f} s)"

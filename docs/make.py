"""Make the pages that come from the code, docs/cli.md and docs/cells.md: `python docs/make.py`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from helo import cells, engines
from helo.cli import cli

HERE = Path(__file__).parent
NAMES: dict[str, Any] = {"help_option_names": ["-h", "--help"]}  # what every verb inherits when it is called


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Context]]:
    """A command and those below it, depth first, each with a context to make its help in."""
    context = click.Context(command, info_name=" ".join(path), max_content_width=100, terminal_width=100, **NAMES)
    yield path, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


def cli_page() -> str:
    parts = ["# The command line\n\nMade from the code by `python docs/make.py`.\n"]
    for path, context in commands(cli, ("helo",)):
        parts.append(f"## {' '.join(path)}\n\n```\n{context.command.get_help(context)}\n```\n")
    return "\n".join(parts)


def cells_page() -> str:
    parts = ["# Cells\n\nMade from the code by `python docs/make.py`: the docstring of each cell, and how it is run.\n"]
    rows = ["| cell | NumPy | torch on a CPU |", "|---|---|---|"]
    for name in cells.names():
        cell = cells.find(name)
        text = inspect.cleandoc(type(cell).__doc__ or "").split("\n\n")
        parameters = cell.init(np.random.default_rng(0), 2, 3)
        xs = np.zeros((1, 2, 2), np.float32)
        tensors = {k: torch.from_numpy(p) for k, p in parameters.items()}
        ways = engines.way(cell, parameters, xs), engines.way(cell, tensors, torch.from_numpy(xs))
        rows.append(f"| `{name}` | {' | '.join(f'{way}: {why}' for way, why in ways)} |")
        shapes = ", ".join(f"`{k}` {p.shape}" for k, p in parameters.items())
        rest = "\n\n".join(text[1:])
        parts.append(f"## {name}\n\n```\n{text[0]}\n```\n\n{rest}\n\nWith 2 inputs and 3 units: {shapes}.\n")
    return "\n".join([*parts, "## How each is run\n", *rows]) + "\n"


def pages() -> dict[Path, str]:
    """Every page that is made, with its text."""
    os.environ["NO_COLOR"] = "1"
    return {HERE / "cli.md": cli_page(), HERE / "cells.md": cells_page()}


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")

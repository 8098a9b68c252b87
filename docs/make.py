"""Make the pages that come from the code: `python docs/make.py`.

cli.md       every verb's help
cells.md     the docstring of each cell, and how it is run
api.md       the docstrings of what Python names
formats.md   the docstrings of the readers and of the units of text
metrics.md   the docstring of each metric, and the contract
fields.md    the schema of run.json
run.schema.json in src/helo/runs: what the options' types, choices and bounds are
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
import numpy as np
import torch

import helo
from helo import cells, engines, metrics, options, tasks
from helo.cli import cli
from helo.data import readers, vocab
from helo.metrics import captions
from helo.runs.stream import Stream
from helo.runs.trained import TrainedModel
from helo.training.options import Options

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
    parts = [
        "# Cells\n\nMade from the code by `python docs/make.py`: the docstring of each cell, and its implementations.\n"
    ]
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


MADE = "Made from the code by `python docs/make.py`"
NAMED: dict[str, tuple[Any, ...]] = {
    "Train and load": (helo.train, helo.load, helo.dynamic_evaluation),
    "What both give": (helo.Run, TrainedModel),
    "A place in a text": (Stream,),
    "Cells": (cells.names, cells.find, cells.step, cells.Cell, cells.LinearCell),
    "In place of torch's layers": (helo.nn.Recurrent,),
    "Captions": (captions.score,),
    "Errors": (helo.HeloError,),
}
READ = ("read", "load", "find", "rows", "grouped", "whole", "segments", "number")  # what a reader reads with


def prose(text: str) -> str:
    """A docstring as Markdown: what is laid out in columns or is code stays as it stands, signs mean nothing."""
    parts = []
    for part in inspect.cleandoc(text).split("\n\n"):
        if re.search(r"\S {3,}\S|^ {4}|^>>>", part, re.M):
            parts.append(f"```\n{part}\n```")
        else:
            pieces = re.split(r"(`[^`]*`)", part)
            parts.append("".join(p if p[:1] == "`" else re.sub(r"([*<\[\]]|\b_|_\b)", r"\\\1", p) for p in pieces))
    return "\n\n".join(parts)


def signature(name: str, thing: Any) -> str:
    """How it is called, without the quotes of annotations that are not yet evaluated, one argument a line where it is long."""
    said = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(thing)))
    said = re.sub(r"^\(self(, )?", "(", said)
    if len(name + said) > 80:
        inner, closed, gives = said[1:].rpartition(")")
        said = "(\n    " + re.sub(r", (?=\*|/|\w+(?::|=|,|$))", ",\n    ", inner) + ",\n" + closed + gives
    return f"```python\n{name}{said}\n```"


def named(name: str, thing: Any, level: int) -> Iterator[str]:
    """A name with what it says of itself, and of a class its public members."""
    yield f"{'#' * level} {name}"
    if callable(thing):
        yield signature(name.rpartition(" ")[2], thing)
    if text := getattr(thing, "__doc__", None):
        yield prose(text)
    if inspect.isclass(thing) and not issubclass(thing, Exception):
        for key, member in vars(thing).items():
            inner = getattr(member, "__func__", getattr(member, "func", getattr(member, "fget", member)))
            if not key.startswith("_") and inspect.isroutine(inner) and inner.__doc__:
                own = inspect.isfunction(got := getattr(thing, key)) or inspect.ismethod(got)
                yield f"{'#' * (level + 1)} {thing.__name__}.{key}"
                yield from [signature(f".{key}", inner)] if own else []
                yield prose(inner.__doc__)


def api_page() -> str:
    parts = ["# Python, name by name", f"{MADE}, from the docstrings. For examples see [From Python](python.md)."]
    for heading, things in NAMED.items():
        parts.append(f"## {heading}")
        for thing in things:
            room = "helo.cells." if thing in NAMED["Cells"] else "helo.nn." if thing is helo.nn.Recurrent else "helo."
            room = (
                "helo.metrics.captions." if thing is captions.score else "" if thing in (Stream, TrainedModel) else room
            )
            parts += named(room + thing.__name__, thing, 3)
    return "\n\n".join(parts) + "\n"


def formats_page() -> str:
    parts = [
        "# Formats",
        f"{MADE}, from the docstrings of the readers: `--reader` selects one, and `helo data check` shows which one was used, and why. "
        "The formats of each task: [shapes](shapes.md).",
    ]
    for module in pkgutil.iter_modules(readers.__path__):
        reader = importlib.import_module(f"{readers.__name__}.{module.name}")
        if module.name == "base":
            continue
        parts += [f"## {module.name}", prose(reader.__doc__ or "")]
        if module.name in readers.names():
            found = readers.find(module.name)
            parts.append(prose(type(found).__doc__ or ""))
            rows = {
                "Files": [s for s in found.SUFFIXES if s], "A label": [readers.LABELS[n] for n in found.labels],
                "Gives": found.kinds, "Options": ["--" + c.replace("_", "-") for c in found.columns],
            }  # fmt: skip
            parts.append(
                "\n".join(
                    f"- {k}: {', '.join(f'`{v}`' if k != 'A label' else v for v in of)}" for k, of in rows.items() if of
                )
            )
        for name in READ:
            if text := getattr(getattr(reader, name, None), "__doc__", None):
                parts.append(f"`{name}`: {prose(text)}")
    parts += ["## Units of text", "What a symbol is, `--units` of `helo train lm`:"]
    for name in vocab.names():
        about = importlib.import_module(f"{vocab.__name__}.{name}").__doc__ or ""
        parts.append(f"**{name}**: {prose(about)}")
    return "\n\n".join(parts) + "\n"


def metrics_page() -> str:
    parts = [
        "# Metrics",
        f"{MADE}, from the docstrings. `helo train … --metric NAME` keeps the weights with the best value of a figure.",
    ]
    for name in metrics.names():
        metric = metrics.find(name)
        better = "higher" if metric.higher_is_better else "lower"
        about = f"For answers of the kind: {', '.join(metric.kinds)}. Figures: {', '.join(f'`{f}`' for f in metric.figures)}; {better} is better."
        parts += [f"## {name}", prose(type(metric).__doc__ or ""), about]
    parts += ["## One of your own", prose(metrics.Metric.__doc__ or ""), OWN_METRIC]
    return "\n\n".join(parts) + "\n"


OWN_METRIC = """A file of your own is enough:

```python
import numpy as np

from helo.metrics import Metric


class Kappa(Metric):
    \"\"\"Agreement above chance (Cohen 1960).\"\"\"

    kinds = ("label",)
    figures = ("kappa",)

    def statistics(self, answers, references):
        n = len(self.labels)
        return np.bincount(references * n + answers, minlength=n * n).reshape(n, n)

    def score(self, sums):
        n = sums.sum()
        chance = (sums.sum(0) * sums.sum(1)).sum() / n**2
        return {"kappa": (np.trace(sums) / n - chance) / (1 - chance)}
```

    helo train classify reviews.tsv --metric kappa.py:Kappa
    helo eval runs/reviews --metric kappa.py:Kappa

The weights with the best `kappa` are kept, and it is among the figures. If somebody else's run names such a file, you have to name it
yourself, as with cells: [promises](promises.md). A package offers metrics through entry points in the group `helo.metrics`."""


def fields(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The rows of a schema's fields, those inside a field below it."""
    for name, field in schema.get("properties", {}).items():
        kinds = [field] if "type" in field else field.get("anyOf", [])
        kind = " or ".join(" or ".join(k) if isinstance(k := one.get("type"), list) else str(k) for one in kinds)
        must = "yes" if name in schema.get("required", ()) else ""
        yield f"| `{path}{name}` | {kind} | {must} | {field.get('description', '')} |"
        yield from fields(field, f"{path}{name}.")


SCHEMA = HERE.parent / "src/helo/runs/run.schema.json"
KINDS = {int: "integer", float: "number", bool: "boolean"}


def option_schema(option: options.Option) -> dict[str, Any]:
    """An option with its type, choices and bounds as JSON schema has them."""
    kind: Any = "array" if get_origin(option.kind) is tuple else KINDS.get(option.kind, "string")
    none = [None] if option.optional else []
    about: dict[str, Any] = {"type": [kind, "null"] if none else kind, "description": option.help}
    if get_origin(option.kind) is Literal:
        about["enum"] = [*get_args(option.kind), *none]
    if (bounds := option.bounds) is not None:
        about["description"] += f", {bounds}"
        about["exclusiveMinimum" if bounds.above else "minimum"] = bounds.least
        about["exclusiveMaximum" if bounds.below else "maximum"] = bounds.most
    return about


def schema() -> str:
    """The schema of run.json, with the options of the training and of every task; one field a line."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    kinds = {name: tasks.find(name).Options for name in tasks.names()}
    described = {n: {o.name: option_schema(o) for o in options.described(k)} for n, k in kinds.items()}
    schema["properties"]["training"]["properties"] = {o.name: option_schema(o) for o in options.described(Options)}
    schema["$defs"] = {name: {"properties": own} for name, own in described.items()}
    schema["allOf"] = [
        {
            "if": {"properties": {"task": {"const": name}}},
            "then": {"properties": {"options": {"$ref": f"#/$defs/{name}"}}},
        }
        for name in kinds
    ]
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    return re.sub(r"\{[^{}]*\}|\[[^][{}]*\]", lambda m: re.sub(r"\s*\n\s*", " ", m[0]), text) + "\n"


def fields_page() -> str:
    lead = (
        f"{MADE}, from `src/helo/runs/run.schema.json`. The other files of the folder: [the run folder](run-folder.md)."
    )
    rows = ["| field | type | always | what |", "|---|---|---|---|", *fields(json.loads(schema()))]
    return "\n".join(["# run.json, field by field", "", lead, "", *rows]) + "\n"


def pages() -> dict[Path, str]:
    """Every page that is made, with its text."""
    os.environ["NO_COLOR"] = "1"
    made = {"cli": cli_page, "cells": cells_page, "api": api_page, "formats": formats_page, "fields": fields_page}
    made["metrics"] = metrics_page
    return {HERE / f"{name}.md": page() for name, page in made.items()} | {SCHEMA: schema()}


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")

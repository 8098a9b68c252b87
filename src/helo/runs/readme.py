"""README.md of a run, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helo.options import spelled
from helo.runs.folder import NEXT, PICTURES, replacing
from helo.saved import as_figure, flat


def write_page(path: Path, about: Mapping[str, Any], verb: str = "sample", report: str = "", of: str = "") -> None:
    """README.md of a run: what it is, how it was made, its figures, what to type next. report: Markdown of its own. of: of which
    data and weights the figures are.
    """
    figures = "\n".join(f"| {k} | {as_figure(v)} |" for k, v in flat(about["figures"]).items())
    options = "\n".join(
        f"| {k} | {spelled(v)} |"
        for k, v in {**about["options"], **about["training"]}.items()
        if v not in (None, [], ())
    )
    data = about["data"]
    pictures = "".join(f"![{p.removesuffix('.png')}]({p}) " for p in PICTURES if (path / p).exists())
    text = f"""# {path.name}

Task `{about["task"]}`, cell `{about["cell"]}`, {about["parameters"]:,} parameters;
trained with helo {about["helo"]} in {about["seconds"]:.0f} seconds and {about["steps"]:,} steps.

Trained on {_named(data["train"])}; validated on {
        data["valid"] if isinstance(data["valid"], str) else _named(data["valid"])
    }.

{f"The figures are of {of}." if of else ""}

| figure | |
|---|---|
{figures}

![loss](loss.png)
{pictures}

{report}
Next, in the folder above this one:

    {NEXT[verb].format(path.name)}
    helo eval {path.name}
    helo info {path.name}

| option | |
|---|---|
{options}

{"The training ended early, because validations no longer got better." if about.get("ended_early") else ""}
`weights.safetensors` holds the weights with the best validation, `vocab.json` the symbols, `last/` the state of the training
(needed only for `--resume`), `metrics.jsonl` one JSON object for each report. The model runs with NumPy alone.
"""
    with replacing(path / "README.md") as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")


def _named(files: Sequence[str]) -> str:
    return ", ".join(f"`{Path(f).name}`" for f in files) or "data from Python"

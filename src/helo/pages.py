"""Pages for people: one file of HTML that needs nothing else, on a screen, a phone or paper, by day and by night.

Everything stands in the file: style, script, numbers, pictures. What a reader sees first is there without the script.
Colours that say something are told apart by colour-blind readers too (Okabe and Ito 2008): orange is above, blue is below.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

STYLE = """
:root { color-scheme: light dark; --ink: #1c1917; --faint: #5f5952; --paper: #faf9f7; --card: #fff; --line: #dcd8d2;
        --above: #d55e00; --below: #0072b2; --mark: #f0e442; --more: #009e73 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f3f1ee; --faint: #b0aaa3; --paper: #171514; --card: #201d1b; --line: #3a3531;
          --above: #ff8a3d; --below: #56b4e9; --mark: #8a7f00; --more: #2bc49b } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem; font: 1rem/1.5 system-ui, sans-serif;
       color: var(--ink); background: var(--paper) }
h1 { font-size: 1.3rem; margin: 0 0 .2rem } h2 { font-size: 1.05rem; margin: 2.2rem 0 .4rem }
header p, .faint { color: var(--faint) } p { max-width: 46rem } a { color: var(--below) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } caption { text-align: left; color: var(--faint);
  padding-top: .8rem }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right } .wide { overflow-x: auto }
.text { font: .9rem/1.7 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card);
        border: 1px solid var(--line); border-radius: 4px; padding: .6rem }
.text span { --v: 0; border-radius: 2px }
.text .a { background: color-mix(in srgb, var(--above) calc(var(--v) * 75%), transparent) }
.text .b { background: color-mix(in srgb, var(--below) calc(var(--v) * 75%), transparent) }
button, select, input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
        border-radius: 4px; padding: .2rem .5rem } :focus-visible { outline: 2px solid var(--below); outline-offset: 1px }
mark { background: var(--mark); color: inherit; border-radius: 2px } code { font: .85rem/1.5 ui-monospace, monospace; white-space: pre-wrap }
.drawn { display: block; font-style: normal; min-width: 9rem; background: linear-gradient(to right, var(--below)
       calc(var(--v) * (100% - 4rem)), transparent 0) no-repeat 4rem 50% / 100% .8rem }
.beside { display: flex; flex-wrap: wrap; gap: 0 3rem } details { margin: .8rem 0 } summary { cursor: pointer }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif } svg { max-width: 100%; height: auto }
@media print { body { background: none; color: #000; padding: 0 } .screen { display: none } h2 { break-after: avoid }
  h3, h2 + p, caption { break-after: avoid } p, tr { break-inside: avoid } * { print-color-adjust: exact }
  .wide { overflow: visible } th, td { font-size: .7rem; padding-right: .5rem } .drawn { min-width: 7rem } }
"""

_PAGE = """<!doctype html>
<html{language}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><p>{about}</p></header>
<main>
{body}
</main>
{script}</body>
</html>
"""


def page(
    title: str, about: str, body: str, style: str = "", script: str = "", data: Any = None, language: str = "en"
) -> str:
    """The whole page. title, about: plain text; body: HTML, whose texts went through `text`; style, script: of this page,
    beside what all have; data: what the script reads as `data`, whatever JSON can say; language: "" where the texts may be in
    any.
    """
    if data is not None:
        script = f"const data = {spoken(data)};\n{script}"
    script = f"<script>\n{script}</script>\n" if script else ""
    said = f' lang="{language}"' if language else ""
    whole = _PAGE.format(
        language=said, title=text(title), about=text(about), style=STYLE + style, body=body, script=script
    )
    return whole.encode(errors="replace").decode()


def written(path: Path, page: str) -> None:
    """A page as a file that is whole at any instant."""
    beside = path.with_name(f".{path.name}")
    try:
        beside.write_text(page, encoding="utf-8")
        beside.replace(path)
    finally:  # where the disk is full
        beside.unlink(missing_ok=True)


def spoken(data: Any) -> str:
    """Whatever JSON can say, as it stands in a script: `<` is spelt, so that no text of a person's can end the script."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def text(value: object) -> str:
    """Any text as it stands on a page."""
    return html.escape(str(value), quote=True)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table; numbers stand right. A cell that is HTML already comes as `Markup`."""
    rows = [list(row) for row in rows]
    number = [all(isinstance(row[i], int | float) for row in rows) and bool(rows) for i in range(len(head))]
    mark = [' class="n"' if n else "" for n in number]
    top = "".join(f'<th scope="col"{m}>{text(h)}</th>' for h, m in zip(head, mark, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{m}>{_cell(value)}</td>" for value, m in zip(row, mark, strict=True)) + "</tr>"
        for row in rows
    )
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{said}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


class Markup(str):
    """HTML that is meant as such."""


def _cell(value: object) -> str:
    if isinstance(value, Markup):
        return value
    if isinstance(value, float):
        return text(f"{value:.4g}")
    return text(f"{value:,}" if isinstance(value, int) else value)


def shaded(pieces: Iterable[tuple[str, float]], title: str = "", scale: float = 1.0) -> str:
    """A text in colours: pieces with numbers from -1, blue, over 0, without colour, to 1, orange; each can be pointed at.
    scale: the number that has the full colour.
    """
    spans = "".join(
        f'<span class="{"a" if v > 0 else "b"}" style="--v:{min(1.0, abs(v) / scale):.2f}" title="{v:+.3f}">{text(piece)}</span>'
        for piece, v in pieces
    )
    return f'<div class="text" role="figure" aria-label="{text(title)}">{spans}</div>'


def bars(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "", form: str = ".2f") -> str:
    """A table whose last column, numbers from 0 up, is drawn too; form: how these numbers are written."""
    rows = [list(row) for row in rows]
    most = max((row[-1] for row in rows), default=0.0) or 1.0
    drawn = [
        [*row[:-1], Markup(f'<i class="drawn" style="--v:{row[-1] / most:.3f}">{row[-1]:{form}}</i>')] for row in rows
    ]
    return table(head, drawn, caption)


SIGNS = str.maketrans({"\n": "⏎", "\t": "⇥", "\r": "␍"})


def spelled(symbol: str) -> str:
    """A symbol alone, so that it is seen: blanks and line ends have signs."""
    return symbol.translate(SIGNS).replace(" ", "␣")


def marked(before: str, symbol: str, after: str) -> Markup:
    """One symbol of a text with what stands round it, in one line."""
    before, after = before.translate(SIGNS), after.translate(SIGNS)
    return Markup(f"<code>{text(before)}<mark>{text(spelled(symbol))}</mark>{text(after)}</code>")

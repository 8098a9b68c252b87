"""The page of an inspection: what was found first, then any unit on the text itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from helo import pages
from helo.inspection.analysis import sections
from helo.inspection.scores import CLEARLY, LAGS, SHIFTS
from helo.inspection.traces import Reading, Trace
from helo.inspection.units import SEEDS, Inspection, Result
from helo.pages import Markup, table, text

ROOM = 1_900_000  # bytes of units and gates on the page, which are a third more as text
WINDOW = 6_000  # steps of a text on the page, at most
EXCERPT = 700  # steps of the text on which a unit that was found is shown
EXCERPTS = 5  # properties that were found, whose best unit is shown at once

STYLE = """
[hidden] { display: none !important } .held { border-bottom: 2px solid var(--more) } .yes { color: var(--more); font-weight: 600 }
.controls { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin: .6rem 0 }
.controls label { display: flex; gap: .4rem; align-items: center } .controls input[type=number] { width: 6rem }
#text { max-height: 26rem; overflow-y: auto } #text .here { outline: 2px solid var(--ink) } #text .hit { outline: 2px solid var(--more) }
#like ol { padding-left: 1.6rem } #like button { font: .85rem/1.5 ui-monospace, monospace; white-space: pre-wrap; text-align: left }
details > summary { cursor: pointer } .scatter { display: flex; flex-wrap: wrap; gap: 1rem }
td .bar { display: inline-block; height: .7em; background: var(--below); vertical-align: middle }
"""


def page(found: Inspection) -> str:
    numbers = found.numbers
    results = found.results
    layers = ", ".join(f"{n} of {about['units']} units" for n, about in numbers["layers"].items())
    steps = ", ".join(f"{int(r.reading.lengths.sum()):,} {r.reading.unit}" for r in results)
    files = ", ".join(Path(f).name for f in found.files) or "its validation data"
    about = f"{numbers['task']}, {numbers['cell']}, {layers}; {steps} of {files}"
    body = [_properties(found), _method(), *map(_excerpts, results), _any(found), *map(_gates, results)]
    body += map(_memory, results)
    for i, result in enumerate(results):
        of = f"<h2>Of the {text(result.reading.name)}</h2>" if len(results) > 1 else ""
        body.append(of + sections(result.analysis, f"feature-{i}" if i else "feature"))
    script = resources.files("helo.inspection").joinpath("page.js").read_text(encoding="utf-8")
    title, data = f"What the units of {found.run.path.name} know", [_data(result, len(results)) for result in results]
    return pages.page(title, about, "\n".join(filter(None, body)), STYLE, script, data)


# What was found.


def _properties(found: Inspection) -> str:
    def rank(item: tuple[str, dict[str, Any]]) -> tuple[bool, float]:
        best = item[1]["units"][0]
        return not best["found"], item[1]["needed"] - best["score"]

    def cost(x: dict[str, Any]) -> str:
        return "" if x["cost"] is None else f"{x['cost']:+.3f}; {x['cost_elsewhere']:+.3f}"

    rows, ordered = [], sorted(found.properties.items(), key=rank)
    for name, p in ordered:
        best, several = p["units"][0], p["set"]
        lag = f", {best['lag']} later" if best["lag"] else ""
        rows.append([
            Markup(f'<span title="{text(p["about"])}">{text(name)}</span>'),
            Markup('<span class="yes">found</span>') if best["found"] else "no",
            f"{best['layer']}:{best['unit']} ({'high' if best['high'] else 'low'}{lag})", f"{best['score']:.2f}",
            *(f"{p[key]:.2f}" for key in ("needed", "floor", "untrained")), "AUC" if "auc" in best else "R²", cost(best),
            f"{several['score']:.2f} by {len(several['units'])} (needed {several['needed']:.2f})", cost(several),
        ])  # fmt: skip
    count = sum(p["units"][0]["found"] for p in found.properties.values())
    head = (
        "property", "found", "best unit", "score", "needed", "floor", "untrained", "of", "silenced: nats there; elsewhere",
        "a small set", "silenced",
    )  # fmt: skip
    return (
        f"<h2>{count} of {len(found.properties)} properties are found in single units</h2>"
        + table(
            head,
            rows,
            "Best unit first. A score is 0 if a unit says nothing about the property and 1 if it says everything.",
        )
        + f"<details><summary>What each property is</summary>{table(('property', 'what it is'), [(n, p['about']) for n, p in ordered])}</details>"
    )


def _method() -> str:
    return f"""<details><summary>How this was scored</summary>
<p>Each unit's memory is compared with each property, now and {", ".join(map(str, LAGS[1:]))} steps later. A flag is scored by
|2·AUC − 1|, a number by the squared rank correlation (R²). <b>Floor</b>: what chance reaches. The property is shifted along the text by every
{SHIFTS}th of it, and each time the best of all units at any lag is taken; 99 of 100 such maxima are below the floor.
<b>Untrained</b>: what the best unit predicts in {SEEDS} untrained networks of this shape, which shows what the text alone
gives to any unit: every network sees whether the newest letter is a digit. <b>Needed</b>: 1 − (1 − untrained) · (1 − floor) · {1 - CLEARLY:g}. A
unit above it is <b>found</b>: it learned to predict the property. A small set is up to eight units whose weighted sum predicts it best, chosen on
one half of the text and scored on the other, and found in the same way. Silenced: the unit is held at its
mean while the model reads on; the nats are the loss
per step that this adds, where the property holds (or is above its median) and elsewhere.</p></details>"""


def _excerpts(result: Result) -> str:
    """The best units of what was found, on the text, where the property both holds and does not."""
    out, reading = [], result.reading
    chosen = [k for k in range(len(result.properties)) if result.units(k)[0]["found"]]
    chosen.sort(key=lambda k: result.needed(k) - float(result.scores.best[k].max()))
    for k in chosen[:EXCERPTS]:
        m, best = result.properties[k], result.units(k)[0]
        trace = next(t for t in reading.traces if t.name == best["layer"])
        row, start, stop = _excerpt(reading, m.values)
        unit = trace.units[:, :, best["unit"]]
        values = _levels(unit[row, start:stop], reading.flat(unit)) / 127
        holds = _laid(reading, m.values > (0 if m.flag else np.nanmedian(m.values)))[row, start:stop]
        sign = "orange" if best["high"] else "blue"
        there = "the property holds" if m.flag else "it is above its median"
        out.append(
            f"<h2>{text(m.name)}: {text(best['layer'])}, unit {best['unit']}</h2><p class='faint'>{text(m.about)} Score "
            f"{best['score']:.2f}; expected {sign} where {there}, which is underlined.</p>"
            + _shaded(reading.steps[row][start:stop], values, holds, reading.kind == "text", m.name)
        )
    return "\n".join(out)


def _excerpt(reading: Reading, values: np.ndarray) -> tuple[int, int, int]:
    """The row and the stretch of it in which a property changes most."""
    laid = _laid(reading, np.nan_to_num(values))
    size = min(EXCERPT, len(laid[0]))
    stretches = [
        (row, start, min(start + size, int(reading.lengths[row])))
        for row in range(0, len(laid), max(1, len(laid) // 16))
        for start in range(0, max(1, int(reading.lengths[row]) - size), max(1, size // 2))
    ]
    return max(stretches, key=lambda s: float(laid[s[0], s[1] : s[2]].std()) * (s[2] - s[1]))


def _laid(reading: Reading, values: np.ndarray) -> np.ndarray:
    """Values `(steps,)` over rows and time."""
    laid = np.zeros(reading.losses.shape, np.float32)
    laid[reading.inside] = values
    return laid


def _shaded(steps: Sequence[str], values: np.ndarray, holds: np.ndarray, letters: bool, title: str) -> str:
    """Steps in the colours of a unit, underlined where a property holds; steps alike stand in one piece."""
    out, gap = [], "" if letters else " "
    shades = np.round(values * 20).astype(int)
    for (shade, held), pieces in groupby(zip(shades, holds, steps, strict=True), key=lambda s: s[:2]):
        words, mark = "".join(_visible(piece) + gap for _, _, piece in pieces), " held" if held else ""
        out.append(
            f'<span class="{"a" if shade > 0 else "b"}{mark}" style="--v:{abs(shade / 20):.2f}">{text(words)}</span>'
        )
    return f'<div class="text" role="figure" aria-label="{text(title)}, by its best unit">{"".join(out)}</div>'


def _visible(piece: str) -> str:
    """A step with its line end to be seen."""
    return piece.replace("\r", "").replace("\n", "↵\n")


def _levels(values: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Values `(steps, …)` as numbers from -127 to 127, by every `(any steps, …)`: 0 is a unit's middle, 127 what it hardly ever
    exceeds.
    """
    some = every[:: max(1, len(every) // 20_000)]
    middle = np.median(some, axis=0)
    scale = np.maximum(np.quantile(np.abs(some - middle), 0.99, axis=0), 1e-6)
    return np.clip((values - middle) / scale, -1, 1) * 127


# Any unit.


def _any(found: Inspection) -> str:
    options = "".join(f'<option value="{i}">{text(r.reading.name)}</option>' for i, r in enumerate(found.results))
    several = "" if len(found.results) > 1 else " hidden"
    return f"""<section class="screen" id="any" aria-label="any unit"><h2>Any unit, on the text</h2>
<p class="faint">Orange is high, blue is low. The arrow keys on the slider go through the units. Select part of the text, or give a
place, to find other places where the units are similar.</p>
<div class="controls">
<label{several}>of <select id="reading">{options}</select></label>
<label>layer <select id="layer"></select></label>
<label>show <select id="what"></select></label>
<label>unit <input id="unit" type="number" min="0" value="0"></label>
<label>slide <input id="slide" type="range" min="0" value="0"></label>
<label>best for <select id="best"></select></label>
</div>
<div class="controls">
<label>find in the text <input id="find" type="search"></label>
<label>place <input id="place" type="number" min="0" value="0"></label>
<button id="more">find similar places</button>
</div>
<p id="said" role="status" aria-live="polite"></p>
<div id="text" class="text" tabindex="0" role="figure" aria-label="the text, coloured by a unit"></div>
<div id="like" aria-live="polite"></div></section>
<noscript><p>With scripts enabled, every unit can be shown here.</p></noscript>"""


def _data(result: Result, count: int) -> dict[str, Any]:
    """What the script shows: a window of the steps, all units on it a byte each, gates half of one. count: of results that
    share the page.
    """
    reading = result.reading
    each = sum(t.hidden * (1 + len(t.gates) / 2) for t in reading.traces)
    left, rows = int(min(WINDOW, ROOM / count / max(1, each))), []
    for row in reading.gated if len(reading.gated) else range(len(reading.lengths)):
        take = min(int(reading.lengths[row]), left)
        if take <= 0:
            break
        rows.append((int(row), take))
        left -= take
    best = [(m.name, result.units(k)[0]) for k, m in enumerate(result.properties)]
    return {
        "steps": [[_visible(p) for p in reading.steps[row][:take]] for row, take in rows], "gap": reading.kind != "text",
        "traces": [_packed(reading, t, rows) for t in reading.traces],
        "best": [[name, *(unit[key] for key in ("layer", "unit", "score", "found"))] for name, unit in best],
    }  # fmt: skip


def _packed(reading: Reading, trace: Trace, rows: list[tuple[int, int]]) -> dict[str, Any]:
    units = np.concatenate([trace.units[row, :take] for row, take in rows])
    units = (_levels(units, reading.flat(trace.units)) + 128).astype(np.uint8)
    places = {int(row): i for i, row in enumerate(reading.gated)}
    gates = {}
    for letter, values in trace.gates.items():
        window = np.concatenate([values[places[row], :take] for row, take in rows])
        fine = np.clip(np.round(window.astype(np.float32) * 15), 0, 15).astype(np.uint8)
        if fine.shape[1] % 2:
            fine = np.concatenate([fine, np.zeros((len(fine), 1), np.uint8)], 1)
        gates[letter] = base64.b64encode((fine[:, ::2] << 4 | fine[:, 1::2]).tobytes()).decode()
    units = base64.b64encode(units.tobytes()).decode()
    return {"name": trace.name, "hidden": trace.hidden, "units": units, "gates": gates}


# Gates and memory.


def _gates(result: Result) -> str:
    pictures = [
        _scatter(shares["closed"], shares["open"], f"{name}, gate {letter}")
        for name, letters in result.gates.items()
        for letter, shares in letters.items()
    ]
    if not pictures:
        return f"<h2>Gates</h2><p>The cell has no gates: {text(', '.join(result.gates))}.</p>"
    return (
        "<h2>How open the gates are</h2><p class='faint'>Each dot is a unit. To the right: the share of steps at which its gate is "
        "below 0.1, closed; upwards: above 0.9, open. Units at the bottom left are rarely either; a forget gate at the top "
        "remembers (Karpathy, Johnson and Li 2015).</p>"
        f'<div class="scatter">{"".join(pictures)}</div>'
    )


def _scatter(xs: list[float], ys: list[float], title: str) -> str:
    size, left, bottom = 190, 34, 30
    dots = "".join(
        f'<circle cx="{left + x * (size - 8):.1f}" cy="{size - y * (size - 8):.1f}" r="2.6"><title>unit {u}: closed {x:.2f}, open '
        f"{y:.2f}</title></circle>"
        for u, (x, y) in enumerate(zip(xs, ys, strict=True))
    )
    right, about = sum(x > 0.5 for x in xs), sum(y > 0.5 for y in ys)
    return f"""<figure style="margin:0"><svg viewBox="0 0 {size + left + 4} {size + bottom}" width="{size + left + 4}" role="img"
 aria-label="{text(title)}: {about} of {len(xs)} units are open at most steps, {right} closed"><path d="M{left} 4V{size}H{size + left}"
 fill="none" stroke="var(--line)"/><line x1="{left}" y1="8" x2="{size + left - 8}" y2="{size}" stroke="var(--line)" stroke-dasharray="3 3"/>
<g fill="var(--below)" fill-opacity=".6">{dots}</g><text x="{left}" y="{size + 14}">0</text><text x="{size + left - 14}" y="{size + 14}">1</text>
<text x="{left + 50}" y="{size + 26}">closed</text><text x="{left - 14}" y="{size}">0</text><text x="{left - 14}" y="14">1</text><text
 x="0" y="{size // 2}">open</text></svg><figcaption>{text(title)}</figcaption></figure>"""


def _memory(result: Result) -> str:
    rows = []
    for name, memory in result.memory.items():
        half = np.array([h for h in memory["half"] if h is not None], float)
        units = len(memory["half"])
        gate = "no such gate" if memory["gate"] is None else _three(np.array(memory["gate"], float))
        pushed = _three(half) if len(half) else "not measured"
        longest = sorted(range(units), key=lambda u: -(memory["half"][u] or 0))[:6] if len(half) else []
        longer = f"{int((half >= memory['reach']).sum())} of {units} beyond {memory['reach']}"
        rows.append([name, gate, pushed, longer, ", ".join(map(str, longest))])
    head = (
        "layer", "by the gate: steps", "half of a push remains after: steps", "units that last longer", "longest"
    )  # fmt: skip
    return (
        "<h2>How long units remember</h2>"
        "<p class='faint'>By the gate: 1 / (1 − the share kept per step). By a push: one unit is moved by one standard deviation, and its "
        "return is measured. Each cell gives the 10th, 50th and 90th percentile over the units.</p>" + table(head, rows)
    )


def _three(values: np.ndarray) -> str:
    return " · ".join(f"{v:.1f}" for v in np.quantile(values, (0.1, 0.5, 0.9)))

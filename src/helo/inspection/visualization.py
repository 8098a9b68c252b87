"""Pages: why each answer, and how likely each symbol of a text."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from helo import pages
from helo.inspection.explain import Explanation

ORANGE, BLUE = (213, 94, 0), (0, 114, 178)
SIDE = 384  # pixels of a picture's longer side
BINS = 400  # stretches of a long series that have a colour of their own
LINES = 6  # features of a series that are drawn
TABLED = 40  # features of a table; of more the largest

STYLE = """
.matrix td, .matrix th { padding: .15rem .5rem; text-align: right; border: 1px solid var(--line); white-space: nowrap }
.matrix thead th { writing-mode: vertical-rl; text-align: left; vertical-align: bottom } .matrix tbody th { text-align: left }
.a { background: color-mix(in srgb, var(--above) calc(var(--v) * 75%), transparent) }
.b { background: color-mix(in srgb, var(--below) calc(var(--v) * 75%), transparent) }
.g { background: color-mix(in srgb, var(--more) calc(var(--v) * 75%), transparent) }
.wide, details { margin-top: .8rem } .row { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; break-inside: avoid }
figcaption { font-size: .88rem; max-width: 16rem } .row svg { width: 14rem; background: #fff; border: 1px solid var(--line) }
rect.a, .up { fill: var(--above) } rect.b, .down { fill: var(--below) } rect.g { fill: var(--more) }
.line { fill: none; stroke: var(--ink); stroke-width: 1.5 } summary { cursor: pointer } image { image-rendering: pixelated }
section + section { border-top: 1px solid var(--line); margin-top: 2rem }
"""

NUMBERS = (
    '<p><span class="a" style="--v:.8">Orange</span> makes the number larger, <span class="b" style="--v:.8">blue</span> '
    "smaller. The numbers are in its own unit: by how much each piece moves the median, compared with a vector of zeros in its place "
    "(of numbers, the mean of training). They add up to the median less that of the baseline.</p>"
)
LEGEND = (
    '<p><span class="a" style="--v:.8">Orange</span> speaks for the answer, <span class="b" style="--v:.8">blue</span> '
    "against it. Numbers are nats of log-odds: how much each piece raises the odds of the answer, compared with a "
    "vector of zeros in its place. They add up to the answer's log-odds less those of the baseline. (before) is everything read "
    "or written up to that point.</p>"
)


def explanations(title: str, found: Sequence[Explanation]) -> str:
    """The page of `explain`, an answer a section."""
    body = [
        LEGEND if all(one.request.measure == "log-odds" for one in found) else NUMBERS,
        *(_section(one, i) for i, one in enumerate(found)),
    ]
    about = "What an answer depends on" if len(found) == 1 else f"What each of {len(found):,} answers depends on"
    return pages.page(f"Why: {title}", about, "\n".join(body), STYLE, language="")


def _section(one: Explanation, number: int) -> str:
    request, found = one.request, one.attribution
    named = f"answer-{number}"
    parts = [f'<section aria-labelledby="{named}"><h2 id="{named}">{pages.text(one.line())}</h2>']
    if found is None:
        parts.append(f'<p class="faint">Occlusion only: how much the {request.measure} falls without each piece.</p>')
    else:
        said = f"{one.said(found.score.sum())}, baseline {one.number(found.baseline.sum())}; " if one.adds_up else ""
        said += f"completeness error {100 * found.error():.2f} %. {request.place}".rstrip()
        parts.append(f'<p class="faint">{pages.text(said[:1].upper() + said[1:])}</p>')
    draw = {"text": _text, "series": _series, "picture": _picture, "regions": _regions, "numbers": _numbers}
    parts.append(draw[request.kind](one, number))
    if len(request.targets) == 1 or request.kind in ("series", "picture"):
        parts.append(_table(one))
    return "\n".join([*parts, "</section>"])


def _text(one: Explanation, number: int) -> str:
    request, names, total = one.request, one.names, one.values.sum(0)
    gaps = request.gaps or [""] * len(names)
    several = len(request.targets) > 1
    pieces = [
        piece for name, gap, v in zip(names, gaps, total, strict=True) for piece in ((gap, 0.0), (name, float(v)))
    ]
    if "at" in request.answer:
        pieces.append((f"[{request.answer['text']}]", 0.0))
    title = "What the whole answer depends on" if several else f"What {request.targets[0]} depends on"
    out = pages.shaded([p for p in pieces if p[0]], title, float(abs(total).max()) or 1.0) if one.adds_up else ""
    if several:
        form = "{:+.1f}" if request.measure == "log-odds" else "{:+.3g}"
        out += _matrix(f"What each depends on (rows), {_unit(one)}", one, names, one.values, form)
        if request.attention is not None:
            caption = "Attention, which is not an attribution"
            out += _matrix(caption, one, names[:-1], request.attention[:, :-1], "{:.2f}")
    return out


def _unit(one: Explanation) -> str:
    return f"in {one.request.unit or 'the unit of the number'}"


def _numbers(one: Explanation, number: int) -> str:
    if len(one.request.targets) == 1:
        return ""  # the table says it
    return _matrix(f"What each depends on (rows), {_unit(one)}", one, one.names, one.values, "{:+.3g}")


def _matrix(caption: str, one: Explanation, columns: Sequence[str], values: np.ndarray, form: str) -> str:
    """Numbers in colours, a row a target."""
    top, plain = float(abs(values).max()) or 1.0, form == "{:.2f}"
    head = "".join(f'<th scope="col">{pages.text(one.one_line(c))}</th>' for c in columns)
    body = []
    for row, cells in zip(one.request.targets, values, strict=True):
        tds = "".join(
            f'<td class="{"g" if plain else "a" if v > 0 else "b"}" style="--v:{abs(v) / top:.2f}">{form.format(v)}</td>'
            for v in cells
        )
        body.append(f'<tr><th scope="row">{pages.text(one.one_line(row))}</th>{tds}</tr>')
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{pages.text(caption)}"><table class="matrix">'
        f"<caption>{pages.text(caption)}</caption><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _table(one: Explanation) -> str:
    names, total, few = one.names, one.values.sum(0), len(one.names) <= TABLED
    columns = {"attribution" if one.attribution else "occlusion": total}
    if one.attribution is not None and not one.request.patches:
        columns["occlusion"] = one.occlusion.sum(0)
    chosen = range(len(names)) if few else np.argsort(-abs(total), kind="stable")[:TABLED].tolist()
    rows = [[one.one_line(names[i]), *(float(column[i]) for column in columns.values())] for i in chosen]
    table = pages.table(
        ["piece", *columns], rows, f"{'' if few else f'the {TABLED} largest of {len(names):,}, '}{_unit(one)}"
    )
    return f"<details{' open' if few else ''}><summary>Numbers</summary>{table}</details>"


def _series(one: Explanation, number: int) -> str:
    """Each feature as a line, and behind it in colours what the answer rests on."""
    request, values = one.request, one.values
    steps, features = request.shape
    if values.shape[1] == steps * features:
        weights = values.sum(0).reshape(steps, features)
    else:  # occlusion, by windows
        weights = np.repeat(values.sum(0)[:, None], -(-steps // values.shape[1]), 0)[:steps]
    x = np.asarray(request.display, np.float64).reshape(steps, -1)
    lines = range(min(LINES, x.shape[1])) if x.shape[1] <= 16 else ()
    width, height, out = 760, 90, []
    size = -(-steps // BINS)
    sums = np.add.reduceat(weights, np.arange(0, steps, size), axis=0)
    top = float(abs(sums).max()) or 1.0
    for f in lines or (None,):
        column = sums[:, f if f is not None and sums.shape[1] > 1 else 0]
        bands = "".join(
            f'<rect class="{"a" if v > 0 else "b"}" x="{i * size * width / steps:.1f}" y="0" width="{size * width / steps + 0.3:.1f}" '
            f'height="{height}" fill-opacity="{0.8 * abs(v) / top:.2f}"/>'
            for i, v in enumerate(column)
            if abs(v) > 0.02 * top
        )
        line, name = "", "all features"
        if f is not None:
            y = x[:, f]
            low, high = np.nanmin(y), np.nanmax(y)
            y = height - 5 - (height - 10) * (y - low) / ((high - low) or 1.0)
            points = " ".join(f"{(t + 0.5) * width / steps:.1f},{v:.1f}" for t, v in enumerate(y) if np.isfinite(v))
            name = (request.features[f].split(" ", 2)[2:] or [""])[0] if features > 1 else ""
            line, name = f'<polyline class="line" points="{points}"/>', name or f"feature {f + 1}"
        label = f"{name} over {steps} steps, shaded by what the answer depends on"
        out.append(_figure(_svg(width, height, label, bands + line), pages.text(name)))
    return "".join(out)


def _picture(one: Explanation, number: int) -> str:
    """The picture, and over it what the answer rests on, pixel by pixel and patch by patch."""
    request = one.request
    height, width = request.shape
    pixels = np.asarray(request.display, np.float64).reshape(height, width, -1)
    low, high = float(pixels.min()), float(pixels.max())
    grey = ((pixels - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    patches = np.asarray(request.forward.patch_mask[0]).reshape(height, width, -1)[..., 0]
    layers = {"The picture": None}
    if one.attribution is not None:
        layers["What the answer depends on (integrated gradients)"] = one.values.sum(0).reshape(height, width)
    layers["What is lost without each patch (occlusion)"] = one.occlusion.sum(0)[patches]
    out = []
    for name, heat in layers.items():
        over = "" if heat is None else _image(_heat(heat), width, height)
        under = _image(grey, width, height, 1 if heat is None else 0.35)
        out.append(_figure(_svg(width, height, name, under + over), pages.text(name)))
    return f'<div class="row">{"".join(out)}</div>'


def _svg(width: float, height: float, label: str, inside: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{pages.text(label)}">{inside}</svg>'


def _figure(drawing: str, caption: str) -> str:
    """caption: HTML."""
    return f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>"


def _heat(values: np.ndarray) -> np.ndarray:
    """Numbers as colours, `(height, width, 4)` bytes: clear at 0."""
    top = float(np.quantile(abs(values), 0.995)) or float(abs(values).max()) or 1.0
    out = np.zeros((*values.shape, 4), np.uint8)
    out[..., :3] = np.where((values > 0)[..., None], ORANGE, BLUE)
    out[..., 3] = (np.minimum(1, abs(values) / top) * 235).astype(np.uint8)
    return out


def _image(pixels: np.ndarray, width: float, height: float, opacity: float = 1) -> str:
    return (
        f'<image href="data:image/png;base64,{base64.b64encode(png(pixels)).decode()}" width="{width}" height="{height}" '
        f'opacity="{opacity}" preserveAspectRatio="none"/>'
    )


def png(pixels: np.ndarray) -> bytes:
    """A PNG of bytes `(height, width, channels)`, one, three or four of them."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels, np.uint8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _regions(one: Explanation, number: int) -> str:
    """A photo, and for each word the regions that it rests on and, beside them, those that were looked at."""
    from helo.data.readers.photos import middle, opened

    request, values, names = one.request, one.values, one.names
    picture = opened(request.display.read(), request.display.place, SIDE)
    if request.crop:
        picture = picture.crop(middle(picture.size))
    picture.thumbnail((SIDE, SIDE))
    width, height = picture.size
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=82)
    rows, columns = request.shape
    top = float(abs(values[:, : rows * columns]).max()) or 1.0

    def over(heat: np.ndarray, kind: str, top: float) -> str:
        rects = "".join(
            f'<rect class="{kind or ("a" if v > 0 else "b")}" x="{c * width / columns:.1f}" y="{r * height / rows:.1f}" '
            f'width="{width / columns:.1f}" height="{height / rows:.1f}" fill-opacity="{min(0.85, 0.85 * abs(v) / top):.2f}"/>'
            for r in range(rows)
            for c in range(columns)
            if abs(v := float(heat[r, c])) > 0.03 * top
        )
        return f'<use href="#photo-{number}" opacity="0.55"/>{rects}'

    photo = base64.b64encode(data.getvalue()).decode()
    photo = f'<image id="photo-{number}" href="data:image/jpeg;base64,{photo}" width="{width}" height="{height}"/>'
    out = [_figure(_svg(width, height, one.line(), photo), pages.text(one.line()))]
    for k, word in enumerate(request.targets):
        own = values[k, : rows * columns].reshape(rows, columns)
        rest = ", ".join(f"{names[i]} {values[k, i]:+.2f}" for i in range(rows * columns, len(names)))
        figures = _svg(width, height, f"what {word} depends on", over(own, "", top))
        if request.attention is not None:
            weights = request.attention[k, : rows * columns].reshape(rows, columns)
            green = over(weights, "g", float(weights.max()) or 1.0)
            figures += " " + _svg(width, height, f"attention for {word}", green)
        out.append(_figure(figures, f"<b>{pages.text(word)}</b>: regions {own.sum():+.2f}, {pages.text(rest)}"))
    legend = "<p>Green shows the attention, for comparison; it is not an attribution.</p>"
    return f'{legend if request.attention is not None else ""}<div class="row">{"".join(out)}</div>'


def scores(title: str, texts: Sequence[tuple[dict[str, Any], list[tuple[str, float, str]], bool]]) -> str:
    """The page of texts in the colours of their surprise: (what `score` gives, (symbol, bits, what else was likely) each,
    whether it goes on).
    """
    body = [
        '<p>The more <span class="a" style="--v:.8">orange</span> a symbol is, the more it surprised the model, in bits; full orange '
        "is 8 bits or more. Point at one to see what was more likely.</p>"
    ]
    for i, (about, symbols, more) in enumerate(texts):
        name = f"text-{i}"
        figures = ", ".join(f"{k.replace('_', ' ')} {v:.4f}" for k, v in about.items() if isinstance(v, float))
        body.append(f'<section aria-labelledby="{name}"><h2 id="{name}">{pages.text(about["text"])}</h2>')
        body.append(f'<p class="faint">{about["symbols"]:,} symbols; {figures}; {pages.text(about["protocol"])}</p>')
        spans, plain = [], ""
        for symbol, bits, others in symbols:
            if bits < 1:
                plain += symbol
                continue
            said = f' title="{bits:.1f} bits{pages.text(f"; {others}" if others else "")}"'
            spans.append(
                f'{pages.text(plain)}<span class="a" style="--v:{min(1, bits / 8):.2f}"{said}>{pages.text(symbol)}</span>'
            )
            plain = ""
        spans.append(pages.text(plain))
        body.append(f'<div class="text" role="figure" aria-label="The text by surprise">{"".join(spans)}</div>')
        if more:
            body.append(f'<p class="faint">The first {len(symbols):,} symbols; --out FILE.tsv saves all.</p>')
        rows = [
            [w["at"], w["before"][-24:] + "▸", w["text"].replace("\n", "⏎"), w["nats"] / np.log(2), w["rank"],
             ", ".join(f"{o['text']!r} {o['probability']:.2f}" for o in w["likely"])]
            for w in about.get("surprising", [])
        ]  # fmt: skip
        if rows:
            body.append(
                pages.table(["at", "after", "symbol", "bits", "rank", "more likely"], rows, "Most surprising symbols")
            )
        body.append("</section>")
    return pages.page(
        f"Surprise: {title}", "How likely a text is, symbol by symbol", "\n".join(body), STYLE, language=""
    )

"""A run seen in a browser while it trains, or afterwards: one page, served on this machine to this machine alone.

serving(seen, port)   a server in threads of its own; its `address` is what to open
view(seen, …)         what the page shows, as parts of HTML: the first time with the page, then whenever they change

Who may read it: whoever knows the address, whose path is drawn anew each time, on this machine; and no page from
elsewhere, since a name that is not this machine's is refused (DNS rebinding) and nothing is shared with other origins.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from helo import pages
from helo.errors import HeloError, as_helo_error
from helo.inspection import curves
from helo.inspection.curves import Line, chart
from helo.inspection.seen import OPEN, SHUT, Look, Seen
from helo.pages import text

HOSTS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
IDLE = 5.0  # seconds without a question after which no page is open
SHARE = 100  # of its time, one part in so many, is spent on looking at weights: a training feels more of it than that
SAMPLES = 12  # newest that are shown

STYLE = (
    curves.STYLE
    + """
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 2rem }
.two h2 { margin-top: 1.4rem } #status { font-weight: 600 } .bar { display: inline-block; width: 8rem; max-width: 30vw; height: .7rem;
  border: 1px solid var(--line); border-radius: 2px; vertical-align: middle; overflow: hidden }
.bar i { display: block; height: 100%; float: left } .bar .lo { background: var(--below) } .bar .hi { background: var(--above); float: right }
#samples dt { color: var(--faint); float: left; clear: left; min-width: 6rem } #samples dd { margin: 0 0 .3rem 6.5rem; overflow-wrap: anywhere }
.controls label { margin-right: 1rem } .controls input { width: 6rem }
"""
)

SCRIPT = """
const part = id => document.getElementById(id), layer = part("layer"), unit = part("unit");
let had = {}, missed = 0;
async function ask() {
  const query = new URLSearchParams({ layer: layer.value, unit: unit.value });
  try {
    const answer = await fetch("now?" + query, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const now = await answer.json();
    missed = 0;
    for (const [id, html] of Object.entries(now.parts))
      if (had[id] !== html) { part(id).innerHTML = html; had[id] = html; }
    const known = [...layer.options].map(o => o.value).join();
    if (known !== now.layers.join()) {
      layer.replaceChildren(...now.layers.map(n => new Option(n, n)));
      layer.value = now.layer;
    }
    if (document.activeElement !== unit || unit.value === "") unit.value = now.unit;
    unit.max = now.units - 1;
    if (now.ended) { part("status").setAttribute("role", "status"); return; }
  } catch (error) {
    if (++missed > 2) { part("status").setAttribute("role", "status"); part("status").textContent = data.gone; return; }
  }
  setTimeout(next, 1000);
}
function next() {
  if (document.hidden) document.addEventListener("visibilitychange", ask, { once: true });
  else ask();
}
let soon;
function chosen() { clearTimeout(soon); soon = setTimeout(ask, 150); }
layer.addEventListener("change", chosen); unit.addEventListener("input", chosen);
ask();
"""

BODY = """
<p id="status">{status}</p>
<div id="figures">{figures}</div>
<div class="two">
<section><h2>Loss</h2><div id="loss">{loss}</div></section>
<section><h2>Learning rate, as a share of its peak</h2><div id="rate">{rate}</div></section>
<section><h2>Norm of the gradient, by layer</h2><div id="norms">{norms}</div></section>
<section><h2>Gates over training</h2><div id="gates">{gates}</div></section>
</div>
<h2>Samples</h2><div id="samples">{samples}</div>
<h2>Gates on a fixed text</h2><div id="saturation">{saturation}</div>
<h2>One unit on a fixed text</h2>
<p class="controls screen"><label>Layer <select id="layer">{options}</select></label>
<label>Unit <input id="unit" type="number" min="0" max="{most}" value="{unit}" inputmode="numeric"></label></p>
<div id="colours">{colours}</div>
"""


# What is shown.


def view(seen: Seen, layer: str = "", unit: str = "") -> dict[str, Any]:
    """parts: HTML by the id of its place; layers, layer, units, unit: what can be chosen, and what is; ended."""
    try:
        about, reports, trouble = seen.about(), seen.reports(), seen.trouble
    except (
        Exception
    ) as error:  # a file that is being written, or that somebody changed: the page says so and asks again
        about, reports, trouble = None, [], str(as_helo_error(error) or f"{type(error).__name__}: {error}")
    look = seen.look_
    layers = list(look.units) if look else []
    layer = layer if layer in layers else next(iter(layers), "")
    width = look.units[layer].shape[1] if look and layer else 0
    chosen = int(unit) if unit.isdecimal() and len(unit) < 9 and int(unit) < width else _liveliest(look, layer)
    parts = {
        "status": text(trouble if about is None and trouble else status(seen, about)),
        "figures": _figures(about),
        "loss": _loss(seen, reports),
        "rate": chart("Learning rate, as a share of its peak", "step", [curves.line("rate", reports, "rate")]),
        "norms": chart("Norm of the gradient", "step", _norms(reports), log=True),
        "gates": _over_training(seen),
        "samples": _samples(reports),
        "saturation": _saturation(look, trouble),
        "colours": _colours(look, layer, chosen),
    }
    return {"parts": parts, "layers": layers, "layer": layer, "units": width, "unit": chosen, "ended": seen.ended}


def status(seen: Seen, about: Mapping[str, Any] | None) -> str:
    """Where the training stands, in a line."""
    now = seen.now
    if about and about.get("finished"):
        return f"Finished: {about.get('steps', 0):,} steps in {clock(about.get('seconds', 0))}."
    if seen.ended:
        return f"Training has ended; helo watch {seen.path} shows this page again."
    if now:
        left = "" if now["left"] is None else f", {clock(now['left'])} left"
        total = f" of {now['total']:,}" if now["total"] else ""
        return f"Step {now['step']:,}{total}, loss {now['loss']:.3f}, {now['speed']:,.0f} per second{left}."
    age = seen.age()
    if about is None or age is None:
        return "Training has not started: the data is being read."
    return f"Not finished; last saved {clock(age)} ago."


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    seconds = round(seconds)
    hours = f"{seconds // 3600}:" if seconds >= 3600 else ""
    minutes = seconds // 60 % 60
    return f"{hours}{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"


def _figures(about: Mapping[str, Any] | None) -> str:
    if about is None:
        return ""
    facts = {"task": about["task"], "cell": about["cell"], "parameters": f"{about['parameters']:,}"}
    figures = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in about["figures"].items()}
    return pages.table(["", ""], [(k.replace("_", " "), str(v)) for k, v in (facts | figures).items()], "best so far")


def _loss(seen: Seen, reports: list[dict[str, Any]]) -> str:
    live = [Line("now", [x for x, _ in seen.live], [y for _, y in seen.live])] if seen.live else []
    lines = [curves.line("learning", reports, "loss"), curves.line("validation", reports, "valid"), *live]
    return chart("Loss, nats", "step", lines)


def _norms(reports: list[dict[str, Any]]) -> list[Line]:
    norms = [r["norms"] for r in reports if isinstance(r.get("norms"), dict)]
    layers = list(dict.fromkeys(k for n in norms for k in n))[:8]
    flat = [{"step": r["step"], **r["norms"]} for r in reports if isinstance(r.get("norms"), dict)]
    return [curves.line(k, flat, k) for k in layers]


def _over_training(seen: Seen) -> str:
    if len(seen.gates) < 2:
        return '<p class="faint">Drawn while this page is open: one point for each new best.</p>'
    names = list(dict.fromkeys(k for _, shares in seen.gates for k in shares))
    lines = [
        Line(f"{name} {sign}{bound}".removeprefix("recurrent."), steps, [shares[name][i] for _, shares in seen.gates])
        for name in names
        for i, (sign, bound) in enumerate((("<", SHUT), (">", OPEN)))
        if (steps := [step for step, shares in seen.gates if name in shares])
    ]
    return chart("Shares of the gates below and above", "step", lines[:8])


def _samples(reports: list[dict[str, Any]]) -> str:
    said = [(r["step"], r["sample"]) for r in reports if isinstance(r.get("sample"), str)]
    if not said:
        return '<p class="faint">None yet: one is taken at each validation.</p>'
    rows = [f"<dt>step {step:,}</dt><dd>{text(sample)}</dd>" for step, sample in reversed(said[-SAMPLES:])]
    return f"<dl>{''.join(rows)}</dl>"


def _saturation(look: Look | None, trouble: str) -> str:
    if trouble:
        return f'<p class="faint">{text(trouble)}</p>'
    if look is None:
        return '<p class="faint">No weights yet: the first are saved at the first validation.</p>'
    if not look.units:
        return '<p class="faint">This model has no recurrent layer.</p>'
    if not look.gates:
        return '<p class="faint">This cell has no gates.</p>'
    rows = [
        (g["layer"], g["gate"], f"{g['below']:.0%}", f"{g['above']:.0%}", pages.Markup(_bar(g))) for g in look.gates
    ]
    said = f"at step {look.step:,}, on {look.source}: shares of all units and steps"
    return pages.table(["layer", "gate", f"below {SHUT}", f"above {OPEN}", "shut / open"], rows, said)


def _bar(gate: Mapping[str, Any]) -> str:
    low, high = 100 * gate["below"], 100 * gate["above"]
    return f'<span class="bar" aria-hidden="true"><i class="lo" style="width:{low:.1f}%"></i><i class="hi" style="width:{high:.1f}%"></i></span>'


def _liveliest(look: Look | None, layer: str) -> int:
    return int(np.argmax(look.units[layer].std(0))) if look and layer else 0


def _colours(look: Look | None, layer: str, unit: int) -> str:
    if look is None or not layer:
        return '<p class="faint">Nothing to show yet.</p>'
    values = look.units[layer][:, unit].astype(float)
    most = float(np.abs(values).max()) or 1.0
    pieces = look.pieces if len(look.pieces) == len(values) else [f"{i + 1} " for i in range(len(values))]
    said = f"unit {unit} of {layer}, after each symbol of {look.source}"
    shown = pages.shaded(zip(pieces, values / most, strict=True), said)
    return f'<p class="faint">{text(said)}: orange above 0, blue below, up to {most:.3g}.</p>{shown}'


def page(seen: Seen) -> str:
    """The whole page, as it is now; with its script it goes on by itself."""
    now = view(seen)
    options = "".join(f"<option>{text(name)}</option>" for name in now["layers"])
    body = BODY.format(**now["parts"], options=options, unit=now["unit"], most=max(0, now["units"] - 1))
    gone = f"Training has ended. helo watch {seen.path} shows this page again."
    about = "Loss in nats. The page contacts only this machine, once a second."
    return pages.page(seen.path.name or "run", about, body, STYLE, SCRIPT, {"gone": gone}, language="")


def shown(seen: Seen) -> dict[str, Any]:
    """What the page shows, for programs."""
    look = seen.look_
    about = seen.about() or {}
    keys = ("task", "cell", "parameters", "steps", "seconds", "finished", "figures")
    return {
        "run": str(seen.path),
        **{k: about[k] for k in keys if k in about},
        "status": status(seen, about or None),
        "reports": seen.reports(),
        "weights": None if look is None else look.step,
        "gates": [] if look is None else look.gates,
        "layers": {} if look is None else {n: a.shape[1] for n, a in look.units.items()},
        "text": "" if look is None else "".join(look.pieces),
        "trouble": seen.trouble,
    }


# How it is served.


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    server_version, sys_version = "helo", ""

    def do_GET(self) -> None:
        if not HOSTS.fullmatch(self.headers.get("Host", "")):
            self._say(403, "text/plain", b"only this machine is served\n")
            return
        server = self.server
        assert isinstance(server, Server)
        where, seen = urlsplit(self.path), server.seen
        if where.path == f"/{server.secret}/":
            server.asked = time.monotonic()
            self._say(200, "text/html; charset=utf-8", page(seen).encode())
        elif where.path == f"/{server.secret}/now":
            server.asked = time.monotonic()
            asked = {k: v[0] for k, v in parse_qs(where.query).items()}
            now = view(seen, asked.get("layer", ""), asked.get("unit", ""))
            self._say(200, "application/json", json.dumps(now).encode())
        else:
            self._say(404, "text/plain", b"nothing here\n")

    def _say(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
             "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # who asked has gone
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


class Server(ThreadingHTTPServer):
    """Serves one run. asked: when a page last asked, by `time.monotonic()`."""

    daemon_threads = True

    def __init__(self, seen: Seen, port: int):
        self.seen, self.secret, self.asked = seen, secrets.token_urlsafe(8), -IDLE
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """What to open."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.secret}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is no news."""


@contextmanager
def serving(seen: Seen, port: int = 0) -> Iterator[Server]:
    """A server while this holds. port: 0 is any free one. Raises HeloError where it cannot be had."""
    try:
        server = Server(seen, port)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise HeloError(f"port {port}: {said}", mend="omit it to use any free port", where="--port") from error
    stop = threading.Event()

    def looks() -> None:
        """New weights are looked at while a page is open, a small part of the time."""
        rest = 0.5
        while not stop.wait(rest):
            if time.monotonic() - server.asked < IDLE:
                began = time.monotonic()
                seen.look()
                rest = max(0.5, SHARE * (time.monotonic() - began))

    threads = [threading.Thread(target=server.serve_forever, daemon=True), threading.Thread(target=looks, daemon=True)]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        stop.set()
        server.shutdown()
        server.server_close()


def open_browser(address: str) -> None:
    """Show it, where there is a screen to show it on."""
    import os
    import sys
    import webbrowser

    screen = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

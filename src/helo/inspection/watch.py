"""A run in a browser while it trains, or afterwards: one page, served on this machine to this machine alone.

serve(observer, port)   a server in threads of its own; its `address` is what to open
view(observer, …)       what the page shows, as parts of HTML: the first time with the page, then whenever they change

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
from helo.inspection.observer import CLOSED, OPEN, Observer, Snapshot
from helo.pages import text
from helo.saved import flat

HOSTS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
IDLE = 5.0  # seconds without a request after which no page is open
SHARE = 100  # of its time, one part in so many, is spent on snapshots: a training feels more of it than that
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


def view(observer: Observer, layer: str = "", unit: str = "") -> dict[str, Any]:
    """parts: HTML by the id of its place; layers, layer, units, unit: what can be chosen, and what is; ended."""
    try:
        about, reports, problem = observer.about(), observer.reports(), observer.error
    except Exception as error:  # a file that is being written, or that somebody changed: the page says so and goes on
        about, reports, problem = None, [], str(as_helo_error(error) or f"{type(error).__name__}: {error}")
    snapshot = observer.snapshot
    units = snapshot.units if snapshot else {}
    layer = layer if layer in units else next(iter(units), "")
    width = units[layer].shape[1] if layer else 0
    chosen = int(unit) if unit.isdecimal() and len(unit) < 9 and int(unit) < width else -1
    if chosen < 0:  # the one that changes most
        chosen = int(np.argmax(units[layer].std(0))) if layer else 0
    parts = {
        "status": text(problem if about is None and problem else status(observer, about)),
        "figures": _figures(about, snapshot),
        "loss": _loss(observer, about, reports),
        "rate": chart("Learning rate, as a share of its peak", "step", [curves.line("rate", reports, "rate")]),
        "norms": chart("Norm of the gradient", "step", _norms(reports), log=True),
        "gates": _over_training(observer),
        "samples": _samples(reports, about),
        "saturation": _saturation(snapshot, problem or _awaited(observer)),
        "colours": _colours(snapshot, layer, chosen),
    }
    return {
        "parts": parts,
        "layers": list(units),
        "layer": layer,
        "units": width,
        "unit": chosen,
        "ended": observer.ended,
    }


def status(observer: Observer, about: Mapping[str, Any] | None) -> str:
    """Where the training stands, in a line."""
    now = observer.progress
    if about and about.get("finished"):
        return f"Finished: {about.get('steps', 0):,} steps in {clock(about.get('seconds', 0))}."
    if observer.ended:
        return f"Training has ended; helo watch {observer.path} shows this page again."
    if now:
        left = "" if now["left"] is None else f", {clock(now['left'])} left"
        total = f" of {now['total']:,}" if now["total"] else ""
        return f"Step {now['step']:,}{total}, loss {now['loss']:.3f}, {now['speed']:,.0f} per second{left}."
    age = observer.age()
    if about is None or age is None:
        return "Training has not started: the data is being read."
    return f"Not finished; last saved {clock(age)} ago."


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"


def _figures(about: Mapping[str, Any] | None, snapshot: Snapshot | None) -> str:
    if about is None:
        return ""
    cell = about["cell"] if snapshot is None or snapshot.units else "none: feed-forward"
    facts = {"task": about["task"], "cell": cell, "parameters": f"{about['parameters']:,}"}
    figures = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in flat(about["figures"]).items()}
    caption = "figures" if about.get("finished") else "best so far"
    return pages.table(["", ""], [(k.replace("_", " "), str(v)) for k, v in (facts | figures).items()], caption)


def _loss(observer: Observer, about: Mapping[str, Any] | None, reports: list[dict[str, Any]]) -> str:
    live = [Line("now", *zip(*observer.live, strict=True))] if observer.live else []
    lines = [curves.line("learning", reports, "loss"), curves.line("validation", reports, "valid"), *live]
    return chart(f"Loss{observer.loss_unit(about)}", "step", lines)


def _norms(reports: list[dict[str, Any]]) -> list[Line]:
    rows = [{"step": r["step"], **r["norms"]} for r in reports if isinstance(r.get("norms"), dict)]
    return [curves.line(k, rows, k) for k in list(dict.fromkeys(k for row in rows for k in row if k != "step"))[:8]]


def _over_training(observer: Observer) -> str:
    if observer.snapshot is not None and not observer.snapshot.gates:
        return f'<p class="faint">{_gateless(observer.snapshot)}</p>'
    if len(observer.gates) < 2:
        return '<p class="faint">Drawn while this page is open: one point for each new best.</p>'
    names = list(dict.fromkeys(k for _, shares in observer.gates for k in shares))
    lines = [
        Line(
            f"{name} {sign}{bound}".removeprefix("recurrent."), steps, [shares[name][i] for _, shares in observer.gates]
        )
        for name in names
        for i, (sign, bound) in enumerate((("<", CLOSED), (">", OPEN)))
        if (steps := [step for step, shares in observer.gates if name in shares])
    ]
    return chart("Shares of the gates below and above", "step", lines[:8])


def _gateless(snapshot: Snapshot) -> str:
    return "This cell has no gates." if snapshot.units else "This model has no recurrent layer."


def _samples(reports: list[dict[str, Any]], about: Mapping[str, Any] | None) -> str:
    samples = [(r["step"], r["sample"]) for r in reports if isinstance(r.get("sample"), str)]
    if not samples and about is not None and about["training"].get("samples") is False:
        return '<p class="faint">None: the run is trained with --no-samples.</p>'
    if not samples:
        return '<p class="faint">None yet: one is taken at each validation.</p>'
    rows = [f"<dt>step {step:,}</dt><dd>{text(sample)}</dd>" for step, sample in reversed(samples[-SAMPLES:])]
    return f"<dl>{''.join(rows)}</dl>"


def _awaited(observer: Observer) -> str:
    """Why there is no snapshot yet; nothing where there is one."""
    if observer.snapshot is not None:
        return ""
    there = (observer.path / "weights.safetensors").exists()
    return "The weights are being read." if there else "No weights yet: the first are saved at the first validation."


def _saturation(snapshot: Snapshot | None, problem: str) -> str:
    if not problem and snapshot is not None and not snapshot.gates:
        problem = _gateless(snapshot)
    if problem or snapshot is None:
        return f'<p class="faint">{text(problem)}</p>'
    rows = []
    for g in snapshot.gates:
        parts = [
            f'<i class="{k}" style="width:{100 * g[side]:.1f}%"></i>' for k, side in (("lo", "below"), ("hi", "above"))
        ]
        bar = pages.Markup(f'<span class="bar" aria-hidden="true">{"".join(parts)}</span>')
        rows.append((g["layer"], g["gate"], f"{g['below']:.0%}", f"{g['above']:.0%}", bar))
    caption = f"at step {snapshot.step:,}, on {snapshot.source}: shares of all units and steps"
    return pages.table(["layer", "gate", f"below {CLOSED}", f"above {OPEN}", "shut / open"], rows, caption)


def _colours(snapshot: Snapshot | None, layer: str, unit: int) -> str:
    if snapshot is None or not layer:
        return '<p class="faint">Nothing to show yet.</p>'
    values = snapshot.units[layer][:, unit].astype(float)
    most, pieces = float(np.abs(values).max()) or 1.0, snapshot.pieces
    pieces = pieces if len(pieces) == len(values) else [f"{i + 1} " for i in range(len(values))]
    title = f"unit {unit} of {layer}, after each symbol of {snapshot.source}"
    shaded = pages.shaded(zip(pieces, values / most, strict=True), title)
    return f'<p class="faint">{text(title)}: orange above 0, blue below, up to {most:.3g}.</p>{shaded}'


def page(observer: Observer) -> str:
    """The whole page, as it is now; with its script it goes on by itself."""
    now = view(observer)
    options = "".join(f"<option>{text(name)}</option>" for name in now["layers"])
    body = BODY.format(**now["parts"], options=options, unit=now["unit"], most=max(0, now["units"] - 1))
    gone = f"Training has ended. helo watch {observer.path} shows this page again."
    about = "The page contacts only this machine, once a second."
    with suppress(HeloError, OSError):  # the page itself says what is wrong with the run
        unit = observer.loss_unit(observer.about()).removeprefix(", ")
        about = f"Loss in {unit}. {about}" if unit else about
    return pages.page(observer.path.name or "run", about, body, STYLE, SCRIPT, {"gone": gone}, language="")


def to_json(observer: Observer) -> dict[str, Any]:
    """What the page shows, for programs."""
    snapshot, about = observer.snapshot or Snapshot(0), observer.about() or {}
    keys = ("task", "cell", "parameters", "steps", "seconds", "finished", "figures")
    return {
        "run": str(observer.path),
        **{k: about[k] for k in keys if k in about},
        "status": status(observer, about or None),
        "reports": observer.reports(),
        "weights": None if observer.snapshot is None else snapshot.step,
        "gates": snapshot.gates,
        "layers": {n: a.shape[1] for n, a in snapshot.units.items()},
        "text": "".join(snapshot.pieces),
        "trouble": observer.error,
    }


# How it is served.


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    server_version, sys_version = "helo", ""

    def do_GET(self) -> None:
        if not HOSTS.fullmatch(self.headers.get("Host", "")):
            self._respond(403, "text/plain", b"only this machine is served\n")
            return
        server = self.server
        assert isinstance(server, Server)
        where = urlsplit(self.path)
        if where.path not in (f"/{server.secret}/", f"/{server.secret}/now"):
            self._respond(404, "text/plain", b"nothing here\n")
            return
        server.last_request = time.monotonic()
        if where.path.endswith("/"):
            self._respond(200, "text/html; charset=utf-8", page(server.observer).encode())
        else:
            query = {k: v[0] for k, v in parse_qs(where.query).items()}
            now = view(server.observer, query.get("layer", ""), query.get("unit", ""))
            self._respond(200, "application/json", json.dumps(now).encode())

    def _respond(self, code: int, kind: str, body: bytes) -> None:
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
        with suppress(OSError):  # the browser has gone
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


class Server(ThreadingHTTPServer):
    """Serves one run. last_request: when a page last sent one, by `time.monotonic()`."""

    daemon_threads = True

    def __init__(self, observer: Observer, port: int):
        self.observer, self.secret, self.last_request = observer, secrets.token_urlsafe(8), -IDLE
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """What to open."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.secret}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is no news."""


@contextmanager
def serve(observer: Observer, port: int = 0) -> Iterator[Server]:
    """A server while this holds. port: 0 is any free one. Raises HeloError where it cannot be had."""
    try:
        server = Server(observer, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HeloError(f"port {port}: {reason}", mend="omit it to use any free port", where="--port") from error
    stop = threading.Event()

    def update() -> None:
        """Of new weights a snapshot is made while a page is open, a small part of the time."""
        rest = 0.5
        while not stop.wait(rest):
            if time.monotonic() - server.last_request < IDLE:
                began = time.monotonic()
                observer.update()
                rest = max(0.5, SHARE * (time.monotonic() - began))

    for target in (server.serve_forever, update):
        threading.Thread(target=target, daemon=True).start()
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

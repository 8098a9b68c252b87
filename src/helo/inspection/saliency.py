"""How far back a trained language model looks: the gradient of log p(symbol) with respect to each earlier state and input,
on average over many places of a text, and of single predictions (connectivity: Madsen, Visualizing memorization in RNNs,
Distill 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helo import engines, pages, reports
from helo.errors import HeloError, door
from helo.inspection import curves
from helo.inspection.gradients import ROOM, check, fits, require_torch, summary, trace_of
from helo.inspection.loaders import explained
from helo.layers import part
from helo.models.language_model import LanguageModel
from helo.runs import Run

LENGTH = 200  # symbols that are looked back on, where the text has as many
PLACES = 100  # predictions that are averaged over
STRETCH = 240  # predictions of a page
TOGETHER = 32  # predictions of a page that are looked back from at once
OF = (
    "norm of d log p(symbol_T) / d s_{T-k}, s the whole state that a layer passes on (LSTM: h and c together), and of "
    "d log p(symbol_T) / d x_{T-k}, x the embedding of a symbol; lag 0 is the newest symbol that is read"
)
UNKNOWN = 0.1  # a text of which more than this share is not in the vocabulary is not the model's


class Saliency:
    """Of a language model's predictions on a text. Raises HeloError for a run of another shape, and for a text that is
    too short or of another vocabulary.
    """

    @door
    def __init__(self, run: Run, files: Sequence[str | Path] = (), length: int | None = None):
        """files: the text; none: the validation text that the run recorded. length: how many symbols are looked back on."""
        if not isinstance(run.task.model, LanguageModel):
            raise HeloError(
                f"a model of the task {run.about['task']}", expected=f"a language model ({', '.join(reports.after('sample'))})", where=str(run.path),
                mend=explained(run.task),
            )  # fmt: skip
        require_torch()
        check("length", length)
        self.run = run
        self.task: Any = run.task
        run.parameters  # noqa: B018  a run without weights is refused before its text is read
        self.symbols, self.start = self.task.text(run.recorded(files), files)
        where = ", ".join(map(str, files))
        n: int = len(self.symbols) - self.start
        least = 2 if length is None else length + 1
        if n < least:
            raise HeloError(
                f"a text of {n:,} symbol{'s' * (n != 1)}", expected=f"at least {least:,}: those to look back on, and the one predicted",
                mend="use a smaller --length, or more text" if length else "give more text", where=where,
            )  # fmt: skip
        self.length = length or max(1, min(LENGTH, n // 2))
        ids = self.symbols.ids[self.start :]
        if self.task.vocab.silent and (share := np.isin(ids, self.task.vocab.silent).mean()) > UNKNOWN:
            raise HeloError(
                f"{share:.0%} of the text is not in the model's vocabulary", expected=f"{UNKNOWN:.0%} at most",
                mend="give text like the training text", where=where,
            )  # fmt: skip

    @door
    def lags(self, places: int = PLACES) -> dict[str, Any]:
        """On average over evenly spaced places: norms, ‖d log p(symbol_T) / d s_{T-k}‖ of the state s that the top layer hands
        on after symbol T-k, lag 0 being the newest that is read; layers, the same of every layer, the lowest first; inputs,
        the same of the vector that each symbol becomes; places, over how many; and the rest of what `gradients.described`
        says. Each place is read with the state of up to so many symbols before the first that is looked back on.
        """
        own, o = self._parameters(np.float64), self.task.options
        n = len(self.symbols)
        before = min(self.length, (n - 1 - self.length - self.start) // 2)
        starts = np.unique(np.linspace(self.start + before, n - 1 - self.length, places).astype(np.int64))
        fits(1, self.length, o.layers, o.hidden)
        most = max(1, int(min(TOGETHER, self._room(self.length), ROOM / (128.0 * self.length * o.layers * o.hidden))))
        states, inputs = [], []
        for i in range(0, len(starts), most):
            some = starts[i : i + most]
            trace = trace_of(o.layers, part(own, "recurrent"))
            ends = np.full(len(some), self.length - 1)
            self._back(own, some, ends, before, trace)
            states.append(trace.norms())
            inputs.append(trace.input_norms()[:, ::-1])
        norms = np.concatenate(states, 2).mean(2)
        found = summary(self.task.model.cell, part(self.run.parameters, "recurrent"), norms)
        return found | {"inputs": np.concatenate(inputs).mean(0).tolist(), "places": len(starts), "chunk": o.chunk}

    @door
    def predictions(self, at: int | None = None, count: int = STRETCH) -> list[dict[str, Any]]:
        """So many predictions in a row, the last one that of the at-th symbol of the text (from 1; None: as near to the
        beginning as all can look back over the whole length). Of each: at; text, the symbol; probability; inputs, of each symbol
        that it looks back on, the newest first, ‖d log p / d x‖, x being the vector that the symbol becomes; before, their
        texts in the same order.
        """
        n: int = len(self.symbols) - self.start
        if at is None:
            at = min(n, self.length + count)
        if not 2 <= at <= n:
            raise HeloError(f"{at}", where="--at",
                            expected=f"from 2, the first symbol that is predicted, to {n}, the last of the text")  # fmt: skip
        own = self._parameters(np.float32)
        last = self.start + at - 1  # where in the symbols the last predicted one stands
        first = max(self.start + 1, last + 1 - count)
        if at > self.length + 1:  # rather all of them with all that they look back on
            first = max(first, min(last, self.start + self.length))
        found: list[dict[str, Any]] = []
        together = max(1, min(TOGETHER, self._room(self.length + TOGETHER)))
        for targets in np.split(np.arange(first, last + 1), range(together, last + 1 - first, together)):
            start = max(self.start, int(targets[0]) - self.length)
            trace = trace_of(self.task.options.layers, part(own, "recurrent"), steps=False)
            before = min(self.length, start - self.start)
            starts = np.full(len(targets), start)
            probability = self._back(own, starts, targets - 1 - start, before, trace)
            for row, (target, norms) in enumerate(zip(targets, trace.input_norms(), strict=True)):
                lags = min(self.length, int(target) - self.start)
                newest = int(target) - 1 - start
                found.append({
                    "at": int(target) - self.start + 1,
                    "text": self.text(int(target)),
                    "probability": float(probability[row]),
                    "inputs": [float(v) for v in norms[newest - lags + 1 : newest + 1][::-1]],
                    "before": [self.text(i) for i in range(int(target) - 1, int(target) - 1 - lags, -1)],
                })  # fmt: skip
        return found

    def text(self, place: int) -> str:
        """The symbol at a place, as people read it; part of a character is shown as such."""
        return self.task.vocab.spelling[int(self.symbols.ids[place])].decode(errors="replace")

    def _room(self, time: int) -> int:
        """So many rows, of so many steps each, whose scores fit."""
        return int(ROOM / 10 / (8.0 * time * len(self.task.vocab)))

    def _parameters(self, dtype: type) -> dict[str, Any]:
        torch = require_torch()
        return {n: torch.from_numpy(np.asarray(p, dtype)) for n, p in self.run.parameters.items()}

    def _back(self, own: dict[str, Any], starts: np.ndarray, ends: np.ndarray, before: int, trace: Any) -> np.ndarray:
        """Backwards from log p of the symbol after the step `ends` of each row, `(rows,)`, to what the trace keeps; the
        probabilities. The rows begin at `starts`, with the state of `before` symbols more.
        """
        torch = require_torch()
        like, state = own["embedding"], None
        if before:
            with torch.no_grad():
                state = self.task.model.forward(own, engines.array(self.symbols.take(starts - before, before), like))[1]
        window = engines.array(self.symbols.take(starts, int(ends.max()) + 2), like)
        with engines.tapped(trace):
            scores = self.task.model.forward(own, window[:, :-1], state)[0]
        rows, at = torch.arange(len(starts)), torch.from_numpy(ends)
        logs = torch.log_softmax(scores[rows, at], -1)[rows, window[rows, at + 1]]
        logs.sum().backward()
        if not torch.isfinite(logs).all():
            with self.run.computing():
                raise FloatingPointError("log p")
        return logs.detach().exp().numpy()


# The page.

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"  # a number from 0 to 63 is one of them
LAGS = (0, 1, 2, 3, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 3000, 5000)  # of a table
STRONGEST = 5  # symbols that are named in words

STYLE = """
.text span.t { cursor: pointer } .text .now { outline: 2px solid var(--below); background: none }
.text .far { opacity: .65 } input[type=range] { width: min(100%, 46rem); vertical-align: middle }
#said { min-height: 3em } caption { white-space: nowrap }
"""

SCRIPT = """
const spans = [...document.querySelectorAll("#text span")], slider = document.getElementById("at");
const said = document.getElementById("said"), strength = c => data.digits.indexOf(c) / 63;
function quoted(i) { return "\u201c" + spans[i].dataset.s + "\u201d" }
function show(p) {
  const row = data.rows[p], at = data.first + p;
  slider.value = p;
  spans.forEach((s, i) => {
    const lag = at - 1 - i, v = lag >= 0 && lag < row.length ? strength(row[lag]) : 0;
    s.style.setProperty("--v", v.toFixed(2));
    s.className = (i == at ? "now" : i > at ? "far" : "a") + (i >= data.first ? " t" : "");
  });
  const best = [...row].map((c, lag) => [strength(c), lag]).filter(b => b[0]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  const text = "Symbol " + (data.at + p) + ", " + quoted(at) + ", had the probability " + data.probability[p].toFixed(3) +
    ". Strongest: " + best.slice(0, data.strongest).map(b => quoted(at - 1 - b[1]) + " " + (b[1] + 1) + " before").join(", ") + ".";
  said.textContent = text; slider.setAttribute("aria-valuetext", text);
}
slider.max = data.rows.length - 1;
slider.addEventListener("input", () => show(+slider.value));
const choose = e => { const i = spans.indexOf(e.target); if (i >= data.first) show(i - data.first) };
const box = document.getElementById("text");
box.addEventListener("pointerover", choose); box.addEventListener("click", choose);
document.getElementById("move").hidden = false;
show(data.rows.length - 1);
"""


def page(name: str, lags: dict[str, Any], predictions: Sequence[dict[str, Any]]) -> str:
    """A page of what `Saliency.lags` and `predictions` give. name: of the run."""
    first, last = predictions[0], predictions[-1]
    text = [*reversed(first["before"]), *(p["text"] for p in predictions)]
    known = len(first["before"])  # before the first symbol that is predicted
    shade = [0.0] * (len(text) - 1 - len(last["inputs"])) + shades(last)[::-1]
    marks = zip(text, [*shade, 0.0], strict=True)
    spans = "".join(
        f'<span class="{"now" if i == len(text) - 1 else "a"}" data-s="{pages.text(visible(symbol).strip() or symbol)}" '
        f'style="--v:{v:.2f}">{pages.text(visible(symbol))}</span>'
        for i, (symbol, v) in enumerate(marks)
    )
    data = {
        "digits": DIGITS,
        "first": known,
        "at": first["at"],
        "strongest": STRONGEST,
        "probability": [round(p["probability"], 4) for p in predictions],
        "rows": ["".join(DIGITS[round(63 * v)] for v in shades(p)) for p in predictions],
    }
    norms = {f"layer {i}": norms for i, norms in enumerate(lags["layers"], 1)}
    if len(norms) == 1:
        norms = {"state": lags["norms"]}
    norms["input"] = lags["inputs"]
    rows = [[lag, *(float(n[lag]) for n in norms.values())] for lag in table_lags(len(lags["norms"]))]
    least = 1e-18 * max(map(max, norms.values()))  # what is less is drawn no more
    lines = [curves.Line(name, range(len(n)), [v if v > least else 0.0 for v in n]) for name, n in norms.items()]
    body = f"""<h2>One prediction, and what it looks back on</h2>
<p>The framed symbol is predicted from all before it. The deeper the orange behind a symbol, the more the logarithm of the
probability of the framed one would change with it: the norm of its gradient with respect to the vector that the symbol
becomes, the root of its share of the largest (Madsen, Visualizing memorization in RNNs, Distill 2019).</p>
<p id="move" class="screen" hidden><label for="at">Which prediction: </label><br>
<input type="range" id="at" min="0" max="0" value="0"> <span class="faint">or point at a symbol in the text</span></p>
<p id="said" aria-live="polite">{pages.text(words(last))}</p>
<div class="text" id="text" role="figure" aria-label="The text, each symbol shaded by how much the prediction depends on it">{spans}</div>
<h2>How far back the gradient reaches</h2>
<p>The same on average over {lags["places"]} places of the text: with respect to the state that each layer passes on after the
symbol k steps back (of an LSTM h and c together), and with respect to the input there. Lag 0 is the newest symbol that was
read. {pages.text(reading(lags))}</p>
{curves.chart("Norm of the gradient, lag by lag", "lag (symbols back)", lines, log=True)}
{pages.table(["lag", *norms], rows, "norm of the gradient of log p, on average")}"""
    return pages.page(
        f"What {name} depends on", "The gradient of its predictions with respect to what it has read, and to its state.",
        body, curves.STYLE + STYLE, SCRIPT, data,
    )  # fmt: skip


def table_lags(length: int) -> list[int]:
    """The lags of a table, the last of so many among them."""
    return sorted({*(lag for lag in LAGS if lag < length), length - 1})


def shades(prediction: dict[str, Any]) -> list[float]:
    """The root of each norm as a share of the largest, the newest symbol first: a root, so that what is faint is seen."""
    norms = prediction["inputs"]
    return [(v / (max(norms) or 1.0)) ** 0.5 for v in norms]


def visible(symbol: str) -> str:
    """A symbol with its line ends to be seen."""
    return symbol.replace("\n", "\u21b5\n")


def words(prediction: dict[str, Any]) -> str:
    """A prediction and the symbols that it depends on most, in words."""
    best = sorted(range(len(prediction["inputs"])), key=lambda lag: -prediction["inputs"][lag])[:STRONGEST]
    named = ", ".join(f"{_quoted(prediction['before'][lag])} {lag + 1} before" for lag in best)
    return (
        f"Symbol {prediction['at']}, {_quoted(prediction['text'])}, had the probability {prediction['probability']:.3f}. "
        f"Strongest: {named}."
    )


def _quoted(symbol: str) -> str:
    return f"\u201c{visible(symbol).strip() or symbol}\u201d"


def reading(lags: dict[str, Any]) -> str:
    """What the lags say, in a sentence."""
    norms = lags["norms"]
    half, hundredth = (next((k for k, v in enumerate(norms) if v < share * norms[0]), None) for share in (0.5, 0.01))
    parts = [f"{share} at lag {k}" for share, k in (("a half", half), ("a hundredth", hundredth)) if k is not None]
    fallen = (
        f"It has fallen below {' and below '.join(parts)}" if parts else f"It stays above a half for {len(norms)} steps"
    )
    return f"{fallen}; a step multiplies it by {lags['factor']:.3f} on average." if lags["factor"] else f"{fallen}."

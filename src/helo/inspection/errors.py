"""The errors that remain: on which kinds of symbols the loss falls, and whether it falls with context.

compute(symbols, nats)                 of a language model, `{"kinds": [...], "places": [...], "curves": [...], "symbols": [...]}`
labelled(truth, predicted, nats, labels)    of a classifier or a tagger, `{"labels": [...], "confusions": [...], "curves": [...]}`
section(found)                         either as HTML for a page

After section 4.4 of Karpathy, Johnson and Li 2015, "Visualizing and understanding recurrent networks", who take one kind of
error after another out of the loss. Here every symbol is of one kind, the first that fits, so that shares add up to 1; and an
n-gram counts as knowing a symbol where the longest context that occurred before was followed by it more often than not.
Shares are from 0 to 1, losses in nats per symbol.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from helo import pages

LONGEST = 8  # symbols of an n-gram's context
RARE = 5  # a word seen so often or less
EXAMPLES = 3
READ = "symbols read before"

IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # written without blanks: each is a word of its own
WORD = re.compile(rf"[{IDEOGRAPHS}]|[^\W{IDEOGRAPHS}]+(?:['’][^\W\d{IDEOGRAPHS}]+)*")
OPENING, CLOSING, EITHER = "([“«「『（《", ")]”»」』）》", '"'  # an apostrophe is no quote that could be told apart

#: Kinds in the order in which they are tried, and what they are.
KINDS = {
    "known to an n-gram": f"the longest context of up to {LONGEST} symbols that occurred before was mostly followed by this symbol",
    "after newline": "the first symbol of a line",
    "closing quote or bracket": "a quote or bracket that ends an open one",
    "opening quote or bracket": "another quote or bracket",
    "digit": "a number, or part of one",
    "capital": "a capital letter",
    "unseen word": "in a word that never occurred before, after its first letter",
    "rare word": f"in a word that occurred at most {RARE} times before, after its first letter",
    "word start": "the first letter of a word",
    "common word": "in a word that occurred more often, after its first letter",
    "blank": "a space or a line break",
    "punctuation": "any other character",
}


def compute(
    symbols: Sequence[str],
    nats: np.ndarray,
    starts: Sequence[int] = (0,),
    before: Sequence[str] = (),
    flags: Mapping[str, np.ndarray] | None = None,
    read: np.ndarray | None = None,
    fresh: np.ndarray | None = None,
) -> dict[str, Any]:
    """The loss of a language model by kind of symbol, by place, and by what came before.

    symbols: (steps,) what the model read, joined the text. nats: (steps,) the loss of each symbol, from all before it in its row;
    NaN where it was not predicted, as the first of a row. starts: where rows begin, ascending. before: symbols of the text that
    was learned, or of its end: what n-grams and words occurred before is counted from there on. flags: (steps,) each, by name:
    the loss inside and outside is compared. read: (steps,) how many symbols of the text
    the state had read before each, where that is not since the row began. fresh: (stretches, time) the loss of symbols of stretches
    that were read from a state of zeros, each time of one more symbol: whether the loss falls with context is told from these.
    """
    nats = np.asarray(nats, np.float64)
    if len(symbols) != len(nats):
        raise ValueError(f"{len(symbols)} symbols, {len(nats)} losses")
    scored = np.isfinite(nats)
    text = _Text(symbols, before, starts)
    names = list(KINDS)
    fits = list(text.fits().values())
    kind = np.select(fits, range(len(fits)), len(fits))
    places = {"inside quotes": text.quoted, "inside brackets": text.depth > 0, **(flags or {})}
    return {
        "symbols_scored": int(scored.sum()),
        "before": len(before),
        "nats": _mean(nats[scored]),
        "kinds": [
            {"kind": name, **_share(nats, scored, kind == i), "examples": text.costly(nats, scored & (kind == i))}
            for i, name in enumerate(names)
        ],
        "places": [
            {"place": n, **_share(nats, scored, inside), "nats_outside": _mean(nats[scored & ~inside])}
            for n, f in places.items()
            if (scored & (inside := np.asarray(f).astype(bool))).any()
        ],
        "curves": [
            _curve(READ, nats, scored, text.position - 1 if read is None else read) if fresh is None else _fresh(fresh),
            _curve("place in the line", nats, scored, text.line),
            _curve("place in the word", nats, scored, text.place, most=12),
            _curve(f"symbols since the same {text.context} came before", nats, scored, text.distance, none="never"),
        ],
        "symbols": _by_symbol(text, nats, scored),
    }


def labelled(
    truth: np.ndarray,
    predicted: np.ndarray,
    nats: np.ndarray,
    labels: Sequence[str],
    lengths: np.ndarray | None = None,
    texts: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The loss of a classifier by example, or of a tagger by step.

    truth, predicted: (examples,) places in `labels`; where `truth` is below 0 there is none. nats: (examples,) the loss of the true
    label. lengths: (examples,) steps of the text that each belongs to. texts: what each is, as people read it.
    """
    truth, predicted, nats = np.asarray(truth), np.asarray(predicted), np.asarray(nats, np.float64)
    scored = np.isfinite(nats) & (truth >= 0)
    wrong = scored & (truth != predicted)
    confusions = []
    for a, b in sorted({*zip(truth[wrong].tolist(), predicted[wrong].tolist(), strict=True)}):
        here = wrong & (truth == a) & (predicted == b)
        examples: dict[str, float] = {}  # each text once
        if texts is not None:
            for i in np.flatnonzero(here)[np.argsort(-nats[here], kind="stable")].tolist():
                examples.setdefault(str(texts[i])[:200], float(nats[i]))
        worst = [{"text": text, "nats": loss} for text, loss in list(examples.items())[:EXAMPLES]]
        confusions.append({"truth": labels[a], "said": labels[b], **_share(nats, scored, here), "examples": worst})
    return {
        "examples_scored": int(scored.sum()),
        "nats": _mean(nats[scored]),
        "accuracy": _mean((truth == predicted)[scored]),
        "labels": [
            {
                "label": label,
                **_share(nats, scored, truth == i),
                "accuracy": _mean((predicted == i)[scored & (truth == i)]),
            }
            for i, label in enumerate(labels)
        ],
        "confusions": sorted(confusions, key=lambda c: -c["share"]),
        "curves": [] if lengths is None else [_curve("length", nats, scored, np.asarray(lengths))],
    }


class _Text:
    """What each symbol is, from the text up to it."""

    def __init__(self, symbols: Sequence[str], before: Sequence[str], starts: Sequence[int]):
        self.symbols, self.known, steps = list(symbols), len(before), len(symbols)
        self.around = Snippets(self.symbols, starts)
        both = [*before, *self.symbols]
        first = np.zeros(len(both), bool)  # of a row
        first[[0, *(self.known + int(s) for s in starts if s < steps)] if both else []] = True
        # Rows are parted, so that no word reaches over a border.
        parted = ["\n" + s if f else s for s, f in zip(both, first, strict=True)]
        self.joined, self.ends = "".join(parted), np.cumsum([len(s) for s in parted])
        numbers = {s: i for i, s in enumerate(dict.fromkeys(both))}
        self.names, ids = list(numbers), np.array([numbers[s] for s in both], np.int64)
        self.ids = ids[self.known :]
        self.context = 5 if self.characters else 2
        places = _since(first)
        self.position = places[self.known :] + 1
        self._grams(ids, places)
        self._words()
        ended = np.array([s[-1:] in ("\n", "\r") for s in both], bool)
        self.newline = (np.concatenate([[True], ended[:-1]]) | first)[self.known :] if both else ended
        self.line = _since(self.newline) + 1
        self._marks()

    @property
    def characters(self) -> bool:
        """Whether a symbol is a character."""
        return len(self.joined) < 1.2 * max(1, len(self.ends))

    def _grams(self, ids: np.ndarray, places: np.ndarray) -> None:
        """Whether an n-gram knows each symbol, and how long ago the context of each occurred."""
        knows, distance = np.zeros(len(ids), bool), np.full(len(ids), -1)
        followed = np.append(places[1:] > 0, False)[: len(ids)]  # the last of a row leads to nothing
        gram, _, count, last = _alike(ids, followed)
        for n in range(1, LONGEST + 1):
            longer = np.concatenate([[-1], gram[:-1]]) * (1 + ids.max(initial=0)) + ids
            # A context that reaches beyond the beginning of its row is no context: nothing else is equal to it.
            longer, together, next_count, next_last = _alike(
                np.where(places >= n, longer, -2 - np.arange(len(ids))), followed
            )
            alone = np.concatenate([[0], count[:-1]])
            met = (places >= n) & (alone > 0)
            knows = np.where(met, 2 * together > alone, knows)
            if n == self.context:
                distance = np.where(met, np.arange(len(ids)) - 1 - np.concatenate([[-1], last[:-1]]), -1)
            gram, count, last = longer, next_count, next_last
        self.knows, self.distance = knows[self.known :], distance[self.known :]

    def _words(self) -> None:
        """The place of each symbol in its word, 0 outside, and how often that word occurred before."""
        steps = len(self.ends)
        place, often, numbers, spans = np.zeros(steps, np.int64), np.zeros(steps, np.int64), {}, []
        for word in WORD.finditer(self.joined):
            spans.append((word.start(), word.end(), numbers.setdefault(word.group().lower(), len(numbers))))
        earlier = _alike(np.array([s[2] for s in spans], np.int64), np.zeros(len(spans), bool))[1]
        low = np.searchsorted(self.ends, [s[0] for s in spans], side="right")
        size = np.searchsorted(self.ends, [s[1] for s in spans], side="left") - low + 1
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        here = np.repeat(low, size) + within
        place[here], often[here] = within + 1, np.repeat(earlier, size)
        # Of a unit that is a word, the first symbol is the word; so is an ideograph.
        whole = np.zeros(steps, bool)
        words = [not self.characters or self.joined[s[0]] >= "\u3040" for s in spans]
        whole[low] = (size == 1) & np.array(words, bool)
        self.place, self.often, self.whole = (a[self.known :] for a in (place, often, whole))

    def _marks(self) -> None:
        """Whether a symbol closes or opens a quote or bracket, and what is open behind it."""
        steps = len(self.symbols)
        self.closes, self.opens, self.quoted = (np.zeros(steps, bool) for _ in range(3))
        self.depth = np.zeros(steps, np.int64)
        open_, blank = "", False
        starts = self.position == 1
        for t, symbol in enumerate(self.symbols):
            if starts[t] or (symbol.strip(" \t") == "\n" and blank):
                open_ = ""  # what was not closed by the end of a paragraph will not be
            blank = symbol.endswith("\n") or (blank and symbol.isspace())
            was = open_
            for c in symbol:
                if c in OPENING:
                    open_ += CLOSING[OPENING.index(c)]
                elif c in EITHER and c not in open_:
                    open_ += c
                elif c in CLOSING + EITHER and c in open_:
                    open_ = open_[: open_.rindex(c)]
                else:
                    continue
                self.closes[t] |= len(open_) < len(was)
                self.opens[t] = True
            quotes = sum(c in '"”»」』' for c in was)
            self.quoted[t], self.depth[t] = quotes > 0, len(was) - quotes

    def fits(self) -> dict[str, np.ndarray]:
        """(steps,) of each kind but the last whether a symbol is of it, whatever others it is of."""
        heads = [s.strip()[:1] for s in self.names]
        digit, capital, blank = (
            np.array([of(h) for h in heads], bool)[self.ids] for of in (str.isdigit, str.isupper, operator.not_)
        )
        inner = (self.place > 1) | self.whole
        fits = [
            self.knows, self.newline, self.closes, self.opens, digit, capital, inner & (self.often == 0),
            inner & (self.often <= RARE), self.place == 1, inner, blank,
        ]  # fmt: skip
        return dict(zip(KINDS, fits, strict=False))

    def costly(self, nats: np.ndarray, here: np.ndarray) -> list[dict[str, Any]]:
        """The symbols that cost most, each with the text round it; of one text only once."""
        found: list[dict[str, Any]] = []
        where = np.flatnonzero(here)
        for t in where[np.argsort(-nats[where], kind="stable")][: 8 * EXAMPLES]:
            example = {"at": int(t), "nats": float(nats[t]), **self.around.at(int(t), 24, 8)}
            if all(example["symbol"] != e["symbol"] for e in found):
                found.append(example)
        return found[:EXAMPLES]


class Snippets:
    """The text round steps. starts: where rows begin, over whose borders nothing is shown; gap: what stands between steps."""

    def __init__(self, symbols: Sequence[str], starts: Sequence[int] = (0,), gap: str = ""):
        self.symbols, self.gap = symbols, gap
        self.borders = np.unique([0, *starts, len(symbols)])

    def at(self, t: int, back: int, on: int) -> dict[str, str]:
        """What stands before a step, itself, and what comes after, in about so many characters."""
        row = int(np.searchsorted(self.borders, t, side="right"))
        first, end = int(self.borders[row - 1]), int(self.borders[row])
        before = [s + self.gap for s in self.symbols[max(first, t - back) : t]]
        after = [self.gap + s for s in self.symbols[t + 1 : min(end, t + 1 + on)]]
        return {"before": "".join(before)[-back:], "symbol": self.symbols[t], "after": "".join(after)[:on]}


def _alike(keys: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Whole numbers: a number from 0 up for each that equal ones share, how many equal ones stand before it, how many of them
    are chosen, and where the last of them stands, -1 where there is none.
    """
    order = np.argsort(keys, kind="stable")
    new = np.concatenate([[True], np.diff(keys[order]) != 0])[: len(keys)]
    number, earlier, those, last = (np.full(len(keys), -1) for _ in range(4))
    since = _since(new)
    number[order], earlier[order] = np.cumsum(new) - 1, since
    counted = np.cumsum(chosen[order]) - chosen[order]
    those[order] = counted - counted[np.arange(len(keys)) - since]
    again = np.flatnonzero(~new)
    last[order[again]] = order[again - 1]
    return number, earlier, those, last


def _since(first: np.ndarray) -> np.ndarray:
    """Steps since the last flag, which is step 0."""
    at = np.arange(len(first))
    return at - np.maximum.accumulate(np.where(first, at, 0)) if len(first) else at


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _share(nats: np.ndarray, scored: np.ndarray, here: np.ndarray) -> dict[str, Any]:
    """How many, which shares of all and of the loss, the loss of each."""
    here = here & scored
    total = nats[scored].sum()
    return {
        "count": int(here.sum()),
        "share_of_symbols": float(here.sum() / max(1, scored.sum())),
        "share": float(nats[here].sum() / total) if total > 0 else 0.0,
        "nats": _mean(nats[here]),
    }


def _curve(
    by: str, nats: np.ndarray, scored: np.ndarray, value: np.ndarray, most: int = 0, none: str = ""
) -> dict[str, Any]:
    """The loss by a whole number from 1 up, one by one up to `most`, or else in steps that grow fourfold; what is below 1 is
    left out, or stands last under a name.
    """
    value = np.asarray(value)
    points = []
    edge, top = 1, int(value[scored].max(initial=0))
    while edge <= top:
        upto = 4 * edge - 1 if not most else edge if edge < most else top
        here = (value >= edge) & (value <= upto)
        name = f"{edge:,}" if upto == edge else f"{edge:,} to {upto:,}" if not most else f"{edge:,} and more"
        if (here & scored).any():
            points.append({"from": edge, "to": upto, "name": name, **_share(nats, scored, here)})
        edge = upto + 1
    if none and (scored & (value < 1)).any():
        points.append({"from": None, "to": None, "name": none, **_share(nats, scored, value < 1)})
    return {"by": by, "points": points}


def _fresh(nats: np.ndarray) -> dict[str, Any]:
    """The loss by what was read, of stretches (stretches, time) read from nothing: before the first of them one symbol was."""
    flat = np.asarray(nats, np.float64).ravel()
    return _curve(READ, flat, np.isfinite(flat), np.broadcast_to(np.arange(nats.shape[1]) + 1, nats.shape).ravel())


def _by_symbol(text: _Text, nats: np.ndarray, scored: np.ndarray) -> list[dict[str, Any]]:
    """Every symbol of the text, the most costly in sum first."""
    ids, cost = text.ids[scored], nats[scored]
    count, total = np.bincount(ids, minlength=len(text.names)), np.bincount(ids, cost, minlength=len(text.names))
    whole = max(float(cost.sum()), 1e-12)
    most = [i for i in np.argsort(-total, kind="stable")[:500] if count[i]]
    rows = [(text.names[i], int(count[i]), float(total[i] / count[i]), float(total[i] / whole)) for i in most]
    return [dict(zip(("symbol", "count", "nats", "share"), row, strict=True)) for row in rows]


def section(found: Mapping[str, Any]) -> str:
    """What `compute` or `labelled` gives, as HTML."""
    return _labels(found) if "confusions" in found else _kinds(found)


def _kinds(found: Mapping[str, Any]) -> str:
    kinds = [k for k in found["kinds"] if k["count"]]
    if not kinds:
        return "<p>No symbol was predicted.</p>"
    worst = max(kinds, key=lambda k: k["share"])
    parts = [
        f"<p>{found['symbols_scored']:,} symbols at {found['nats']:.3f} nats. Every symbol is of one kind, the first that fits, so "
        f"the shares add up to 1. The largest share: <b>{pages.text(worst['kind'])}</b>, {worst['share']:.0%} of the loss on "
        f"{worst['share_of_symbols']:.0%} of the symbols. What occurred before is counted in this text"
        f"{f', from {before:,} symbols before it on' if (before := found['before']) else ' alone'}.</p>",
        pages.bars(
            ("kind", "symbols", "nats per symbol", _AXIS["share"]),
            [(k["kind"], f"{k['share_of_symbols']:.1%}", f"{k['nats']:.2f}", k["share"]) for k in kinds],
            form=".1%",
        ),
        "<details><summary>What the kinds are, and where their loss is largest</summary>",
        "<dl>",
        *(f"<dt><b>{k['kind']}</b>: {KINDS[k['kind']]}</dt><dd>{_examples(k['examples'])}</dd>" for k in kinds),
        "</dl>",
        "</details>",
        '<div class="beside">',
    ]
    if found["places"]:
        rows = [
            (p["place"], f"{p['share_of_symbols']:.1%}", _nats(p["nats_outside"]), p["nats"]) for p in found["places"]
        ]
        parts.append(pages.bars(("place", "symbols", "outside", "nats inside"), rows, "Loss inside and outside"))
    parts += _curves(found, "symbols", "nats per symbol")
    symbols = found["symbols"]
    least = max(5, found["symbols_scored"] // 5000)
    dear = sorted((s for s in symbols if s["count"] >= least), key=lambda s: -s["nats"])
    forms = {"share": ".1%", "nats": ".2f"}
    for chosen, value, other, caption in (
        (symbols[:12], "share", "nats", "Symbols with the largest loss"),
        (dear[:12], "nats", "share", f"Hardest symbols among those that occur at least {least} times"),
    ):
        rows = [(pages.spelled(s["symbol"]), s["count"], f"{s[other]:{forms[other]}}", s[value]) for s in chosen]
        if rows:
            parts.append(pages.bars(("symbol", "times", _AXIS[other], _AXIS[value]), rows, caption, forms[value]))
    return "\n".join([*parts, "</div>"])


def _labels(found: Mapping[str, Any]) -> str:
    if not found["examples_scored"]:
        return "<p>No example has a label to compare with.</p>"
    parts = [
        f"<p>{found['examples_scored']:,} labels, {found['accuracy']:.1%} of them right, at {found['nats']:.3f} nats.</p>",
        '<div class="beside">',
    ]
    labels = sorted((k for k in found["labels"] if k["count"]), key=lambda k: -k["share"])[:30]
    rows = [(k["label"], k["count"], f"{k['accuracy']:.1%}", _nats(k["nats"]), k["share"]) for k in labels]
    parts.append(pages.bars(("label", "times", "right", "nats", _AXIS["share"]), rows, "Loss by label", ".1%"))
    parts += [*_curves(found, "times", "nats"), "</div>"]
    confused = {f"{c['truth']} mistaken for {c['said']}": c for c in found["confusions"][:15]}
    if confused:
        rows = [(name, c["count"], _nats(c["nats"]), c["share"]) for name, c in confused.items()]
        head = ("confusion", "times", "nats", _AXIS["share"])
        parts.append(pages.bars(head, rows, "Confusions with the largest loss", ".1%"))
        examples = [(name, f"{e['nats']:.2f}", e["text"]) for name, c in confused.items() for e in c["examples"]]
        if examples:
            table = pages.table(("confusion", "nats", "text"), examples)
            parts += ["<details><summary>Examples</summary>", table, "</details>"]
    return "\n".join(parts)


def _curves(found: Mapping[str, Any], count: str, value: str) -> Iterator[str]:
    for curve in found["curves"]:
        if len(curve["points"]) > 1:
            rows = [(p["name"], p["count"], p["nats"]) for p in curve["points"]]
            yield pages.bars((curve["by"], count, value), rows, f"Loss by {curve['by']}")


_AXIS = {"share": "share of the loss", "nats": "nats per symbol"}


def _nats(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _examples(examples: Sequence[Mapping[str, Any]]) -> str:
    return "<br>".join(f"{e['nats']:.1f} nats {pages.marked(e['before'], e['symbol'], e['after'])}" for e in examples)

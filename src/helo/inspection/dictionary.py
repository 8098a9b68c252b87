"""Features beyond units: a sparse dictionary over states, since many features are not in one unit.

compute(states, symbols, properties, score)    what was found, as numbers for JSON
section(found)                                 as HTML for a page

Each state x, every unit less its mean and over its spread, is written as a sum of a few of many directions:

a = max(0, E x + b), all but the k largest of it 0;  x̂ = a D, rows of D of length 1;  learned: E, b and D, by |x - x̂|²

This is the sparse coding of Olshausen and Field 1996, "Emergence of simple-cell receptive field properties by learning a sparse
code for natural images", learned as a k-sparse autoencoder (Makhzani and Frey 2013), as Bricken et al. 2023, "Towards
monosemanticity", did with the activations of a transformer. It is learned on one half of the text; every score is of the other
half. Not to be confused with principal components, which are few, all active at once and at right angles.

A feature tells a property in three ways: by its activation, `a`, and by where the state lies along its direction in the encoder, a
row of E, or in the decoder, a row of D. Which feature, and which of the three, is chosen on the half that was learned, as the
unit and the random direction are that it is compared with; so more tries are of no advantage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from helo import pages
from helo.inspection.errors import Snippets

DIRECTIONS, ACTIVE = 256, 16
STEPS, BATCH, RATE = 600, 256, 5e-3  # of learning
LEAST = 64  # states to learn from
STRETCHES, STRETCH = 64, 500  # that a text is cut into at most, steps of each at least
LOOKED = 16_000  # states of each half at which scores are taken
TRIED = 6  # directions of each kind that the score chooses from, the best by correlation
CONTEXTS, BACK, ON = 5, 28, 10  # of each feature; characters before and behind
SHOWN = 24  # features that stand open on the page
AROUND = 0.3  # a correlation from which on a property is named beside a feature

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]


def compute(
    states: np.ndarray,
    symbols: Sequence[str],
    properties: Mapping[str, np.ndarray],
    score: Score,
    starts: Sequence[int] = (0,),
    directions: int = DIRECTIONS,
    active: int = ACTIVE,
    seed: int = 0,
    gap: str = "",
) -> dict[str, Any]:
    """A dictionary of so many directions, so many of them active at a step, and what its features follow.

    states: (steps, units) after each symbol. symbols: (steps,) as text. properties: (steps,) flags or numbers by name, NaN where
    there is none. score: how well activations (steps, any) tell a property (steps,), one number each, 0 for not at all.
    starts: where rows begin, ascending; every other one is learned from, of a single one every other stretch. gap: what
    is shown between symbols.

    `missing` alone, with the reason, is given for fewer than 64 states to learn from and for states that are no numbers.
    """
    steps, units = states.shape
    learned = halves(steps, starts)
    rng = np.random.default_rng(seed)
    if not np.isfinite(states).all():
        return {"missing": "states that are no finite numbers"}
    if learned.sum() < LEAST or (~learned).sum() < LEAST:
        return {"missing": f"{steps} steps, of which {int(learned.sum())} to learn from; {LEAST} are needed"}
    ours, theirs = np.flatnonzero(learned), np.flatnonzero(~learned)
    x, rest = (scaled(states[places], states[ours]) for places in (ours, theirs))
    directions = max(1, min(directions, len(ours) // 8))
    active = max(1, min(active, directions, units // 2))

    book = _Dictionary(x, directions, active, rng)
    codes = book.codes(rest)
    held = np.sort(rng.choice(len(theirs), min(LOOKED, len(theirs)), replace=False))
    some = np.sort(rng.choice(len(ours), min(LOOKED, len(ours)), replace=False))
    random = _long(rng.standard_normal((directions, units)).astype(np.float32))
    values = {n: np.asarray(v, np.float64) for n, v in properties.items()}
    at_ours, at_theirs = ours[some], theirs[held]
    kinds: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "unit": lambda x: x,
        "activation": lambda x: book.codes(x),
        "encoder": lambda x: x @ book.E.T,
        "decoder": lambda x: x @ book.D.T,
        "random": lambda x: x @ random.T,
    }
    first, second = x[some], rest[held]
    here = {kind: (f(first), f(second)) for kind, f in kinds.items()}
    several = [
        n for n, v in values.items() if all(len(np.unique(v[p][np.isfinite(v[p])])) > 1 for p in (at_ours, at_theirs))
    ]
    likely = {kind: _correlations(ours, [values[n][at_ours] for n in several]) for kind, (ours, _) in here.items()}
    best = {
        n: _best(here, {k: v[i] for k, v in likely.items()}, values[n][at_ours], values[n][at_theirs], score)
        for i, n in enumerate(several)
    }
    kinds_scored = ("unit", "feature", "random") if best else ()
    text, known = Snippets(symbols, starts, gap), {n: v[at_theirs] for n, v in values.items()}
    return {
        "directions": directions, "active": active, "steps_learned": len(ours), "steps_scored": len(theirs),
        "variance": _variance(book, rest[held], codes[held], random, first),
        "properties": best,
        "means": {kind: float(np.mean([b[kind]["score"] for b in best.values()])) for kind in kinds_scored},
        "features": _features(codes, theirs, text, known, here["activation"][1], best, score),
    }  # fmt: skip


def halves(steps: int, starts: Sequence[int]) -> np.ndarray:
    """(steps,) which are learned from: every other row of several, every other stretch of one, since a text changes on its way."""
    if len(starts) < 2:
        parts = min(STRETCHES, max(1, steps // STRETCH // 2) * 2)
        starts = (np.arange(parts) * steps // parts).tolist()
    row = np.searchsorted(np.asarray(starts), np.arange(steps), side="right") - 1
    return row % 2 == 0


def scaled(states: np.ndarray, like: np.ndarray) -> np.ndarray:
    """States less the mean of those that they are to be like, over their spread, unit by unit; a unit that never moves says
    nothing: 0.
    """
    mean, square = like.mean(0, dtype=np.float64), np.zeros(like.shape[1])
    for t in range(0, len(like), 4096):
        square += ((like[t : t + 4096] - mean) ** 2).sum(0)
    spread = np.sqrt(square / max(1, len(like)))
    spread = np.where(spread > 1e-6 * np.abs(mean) + 1e-30, spread, np.inf)
    x = states - mean.astype(np.float32)
    x /= spread.astype(np.float32)
    return x


class _Dictionary:
    """The k-sparse autoencoder: D (directions, units), E the same, b (directions,)."""

    def __init__(self, x: np.ndarray, directions: int, active: int, rng: np.random.Generator):
        self.active = active
        self.D = _long(rng.standard_normal((directions, x.shape[1])).astype(np.float32))
        self.E, self.b = self.D.copy(), np.zeros(directions, np.float32)
        weights = [self.D, self.E, self.b]
        first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
        for step in range(1, STEPS + 1):
            batch = x[rng.integers(0, len(x), BATCH)]
            a = self.codes(batch)
            wrong = (a @ self.D - batch) / BATCH
            back = (wrong @ self.D.T) * (a > 0)
            rate = RATE * min(1, step / 50) * min(1, 2 * (1 - step / STEPS) + 0.02)
            # Adam (Kingma and Ba 2015), with its usual numbers.
            for w, m, v, g in zip(weights, first, second, (a.T @ wrong, back.T @ batch, back.sum(0)), strict=True):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                w -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
            self.D[:] = _long(self.D)

    def codes(self, x: np.ndarray) -> np.ndarray:
        """(steps, directions) how active each is, at most `active` of them above 0."""
        out = np.empty((len(x), len(self.b)), np.float32)
        for t in range(0, len(x), 4096):
            a = np.maximum(x[t : t + 4096] @ self.E.T + self.b, 0)
            least = np.partition(a, -self.active, axis=1)[:, -self.active, None]
            out[t : t + 4096] = np.where(a >= least, a, 0)
        return out


def _long(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def pursued(x: np.ndarray, D: np.ndarray, active: int) -> np.ndarray:
    """States (steps, units) as sums of at most so many of the directions D, each taken for what it leaves least of (matching
    pursuit, Mallat and Zhang 1993).
    """
    left = x.copy()
    step = np.arange(len(x))
    for _ in range(active):
        along = left @ D.T
        best = along.argmax(1)
        left -= np.maximum(along[step, best], 0)[:, None] * D[best]
    return x - left


def _variance(
    book: _Dictionary, x: np.ndarray, codes: np.ndarray, random: np.ndarray, learned: np.ndarray
) -> dict[str, float]:
    """Shares of the variance with so many active a step. Units and random directions are given the better way to choose which."""
    whole = float((x.astype(np.float64) ** 2).sum()) or 1.0
    few = x[:: max(1, len(x) // 4000)]
    part = float((few.astype(np.float64) ** 2).sum()) or 1.0
    axes = np.concatenate([np.eye(x.shape[1]), -np.eye(x.shape[1])]).astype(np.float32)
    _, components = np.linalg.eigh(learned.T @ learned)
    components = components[:, ::-1][:, : book.active]
    return {
        "features": 1 - float(((x - codes @ book.D) ** 2).sum()) / whole,
        "units": 1 - float(((few - pursued(few, axes, book.active)) ** 2).sum()) / part,
        "random": 1 - float(((few - pursued(few, random, book.active)) ** 2).sum()) / part,
        "principal_components": 1 - float(((x - x @ components @ components.T) ** 2).sum()) / whole,
    }


def _best(
    here: Mapping[str, tuple[np.ndarray, np.ndarray]],
    likely: Mapping[str, np.ndarray],
    ours: np.ndarray,
    theirs: np.ndarray,
    score: Score,
) -> dict[str, Any]:
    """The best of each kind for one property: chosen on the half that was learned, scored on the other."""
    found, learned = {}, {}
    fit, test = np.isfinite(ours), np.isfinite(theirs)
    for kind, (first, second) in here.items():
        some = np.argsort(-np.abs(likely[kind]), kind="stable")[:TRIED]
        tried = np.nan_to_num(score(first[fit][:, some], ours[fit]))
        best = int(tried.argmax())
        value = np.nan_to_num(score(second[test][:, some[best : best + 1]], theirs[test]))
        found[kind], learned[kind] = {"number": int(some[best]), "score": float(value[0])}, float(tried[best])
    by = max(("activation", "encoder", "decoder"), key=lambda kind: learned[kind])
    feature = {**found[by], "by": by}
    more = feature["score"] - found["unit"]["score"]
    return {
        "unit": found["unit"],
        "feature": feature,
        "activation": found["activation"],
        "random": found["random"],
        "more": more,
    }


def _correlations(activations: np.ndarray, properties: Sequence[np.ndarray]) -> np.ndarray:
    """(properties, any) of each column with each property; steps where a property has no value count as its mean."""
    a = activations - activations.mean(0)
    a /= np.maximum(np.linalg.norm(a, axis=0), 1e-9)
    p = np.zeros((len(properties), len(a)), np.float32)
    for row, value in zip(p, properties, strict=True):
        row[:] = np.nan_to_num(value - np.nanmean(value))
        row /= max(float(np.linalg.norm(row)), 1e-9)
    return p @ a


def _features(
    codes: np.ndarray,
    places: np.ndarray,
    text: Snippets,
    values: Mapping[str, np.ndarray],
    some: np.ndarray,
    best: Mapping[str, Any],
    score: Score,
) -> list[dict[str, Any]]:
    """Each feature: how much of it there is, on which symbols and before which, its most active contexts, its properties.
    values: of the properties where the activations `some` are.
    """
    energy = (codes.astype(np.float64) ** 2).sum(0)
    numbers = {s: i for i, s in enumerate(dict.fromkeys(text.symbols))}
    names, ids = list(numbers), np.array([numbers[s] for s in text.symbols])
    now, after = ids[places], np.append(ids[1:], 0)[places]
    ended = np.isin(places + 1, text.borders)  # nothing comes after
    properties = list(best)
    related = _correlations(some, [values[n] for n in properties])
    found = []
    for f in np.argsort(-energy, kind="stable"):
        if not energy[f]:
            continue
        a, near = codes[:, f], []
        for i in np.argsort(-np.abs(related[:, f]), kind="stable")[:2]:
            if abs(related[i, f]) > AROUND:
                known = np.isfinite(value := values[properties[i]])
                figure = float(np.nan_to_num(score(some[known][:, f : f + 1], value[known]))[0])
                near.append({"property": properties[i], "score": figure})
        found.append({
            "number": int(f), "share": float(energy[f] / energy.sum()), "active": float((a > 0).mean()),
            "symbols": _most(a, now, names), "next": _most(np.where(ended, 0, a), after, names),
            "best_for": [n for n in properties if best[n]["feature"]["number"] == f],
            "properties": near, "contexts": _contexts(a, places, text),
        })  # fmt: skip
    return found


def _most(a: np.ndarray, ids: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """The symbols on which a feature is most active in sum, with shares."""
    sums = np.bincount(ids, a, minlength=len(names))
    return [
        {"symbol": names[i], "share": float(sums[i] / sums.sum())}
        for i in np.argsort(-sums, kind="stable")[:3]
        if sums[i] > 0.05 * sums.sum()
    ]


def _contexts(a: np.ndarray, places: np.ndarray, text: Snippets) -> list[dict[str, Any]]:
    """Where a feature is most active; never twice within one stretch of the text, and first those that differ before it."""
    high = np.argpartition(-a, min(200, len(a)) - 1)[:200]
    likely: list[dict[str, Any]] = []
    for i in high[np.argsort(-a[high], kind="stable")]:
        t = int(places[i])
        here = text.at(t, BACK, ON)
        if a[i] and all(abs(t - c["at"]) > BACK and not here.items() <= c.items() for c in likely):
            likely.append({"at": t, "activation": float(a[i]), **here})
    endings = [c["before"][-8:] for c in likely]
    new = [e not in endings[:i] for i, e in enumerate(endings)]
    ordered = sorted(zip(likely, new, strict=True), key=lambda pair: not pair[1])[:CONTEXTS]
    return sorted((c for c, _ in ordered), key=lambda c: -c["activation"])


def section(found: Mapping[str, Any], key: str = "feature") -> str:
    """What `compute` gives, as HTML. key: what its links are called, another for each of several on one page."""
    if "missing" in found:
        return f"<p>There is no dictionary: {pages.text(found['missing'])}.</p>"
    features, means, k = found["features"], found["means"], found["active"]
    share = found["variance"]
    parts = [
        f"<p>{found['directions']} directions, learned on {found['steps_learned']:,} steps; all figures are from {found['steps_scored']:,} "
        f"others. With {k} of them active at a step they explain {share['features']:.0%} of the variance of the units.</p>"
    ]
    if means:
        more = means["feature"] - means["unit"]
        parts.append(
            f"<p>The best feature predicts a property {abs(more):.2f} {'better' if more > 0 else 'worse'} than the best unit, on the "
            f"average of {len(found['properties'])} properties: {means['feature']:.2f} against {means['unit']:.2f}; the best of as "
            f"many random directions {means['random']:.2f}.</p>"
        )
    names = (
        (f"features, {k} active", "features"), (f"units, the best {k} of each step", "units"),
        (f"random directions, {k} active", "random"), (f"the first {k} principal components", "principal_components"),
    )  # fmt: skip
    rows = [(title, max(0.0, share[name])) for title, name in names]
    parts.append(pages.bars(("of", "share of the variance"), rows, "Variance explained", ".0%"))
    if found["properties"]:
        parts.append(_properties(found["properties"], key))
    first = sorted(features, key=lambda f: (not f["best_for"], -f["share"]))
    parts += [
        "<h3>Features and where they are most active</h3>",
        '<p class="screen"><label>Find a feature, symbol, property or text '
        f'<input type="search" id="{key}-find"></label></p>',
        '<div class="features">', *(_card(f, key) for f in first[:SHOWN]), "</div>",
    ]  # fmt: skip
    if first[SHOWN:]:
        parts += [
            f'<details class="more"><summary>{len(first) - SHOWN} more features, by their share of the variance</summary>',
            '<div class="features">', *(_card(f, key) for f in first[SHOWN:]), "</div></details>",
        ]  # fmt: skip
    return "\n".join(["<section>", _STYLE, *parts, _SCRIPT, "</section>"])


def _properties(properties: Mapping[str, Any], key: str) -> str:
    rows = []
    for name, best_of in sorted(properties.items(), key=lambda item: -item[1]["more"]):
        feature, n = best_of["feature"], best_of["feature"]["number"]
        scores = [round(best_of[kind]["score"], 3) for kind in ("feature", "unit", "random", "activation")]
        best = pages.Markup(f'<a href="#{key}-{n}">{n}</a>&nbsp;by&nbsp;its&nbsp;{feature["by"]}')
        rows.append((name, *scores[:3], f"{best_of['more']:+.3f}", best, best_of["unit"]["number"], scores[3]))
    head = (
        "property", "best feature", "best unit", "best random direction", "more", "which feature", "which unit", "best activation"
    )  # fmt: skip
    return pages.table(head, rows, "How well each property is predicted, by the same score")


def _card(feature: Mapping[str, Any], key: str) -> str:
    def shares(most: Sequence[Mapping[str, Any]]) -> str:
        return ", ".join(f"<code>{pages.text(pages.spelled(m['symbol']))}</code> {m['share']:.0%}" for m in most)

    facts = [f"{feature['share']:.1%} of what is explained", f"active at {feature['active']:.1%} of the steps"]
    if feature["symbols"]:
        facts.append(f"on {shares(feature['symbols'])}")
    if feature["next"]:
        facts.append(f"before {shares(feature['next'])}")
    facts += [f"{pages.text(p['property'])} {p['score']:.2f}" for p in feature["properties"]]
    title = f"Feature {feature['number']}"
    if feature["best_for"]:
        title += f": {', '.join(feature['best_for'])}"
    lines = "<br>".join(pages.marked(c["before"], c["symbol"], c["after"]) for c in feature["contexts"])
    return (
        f'<article id="{key}-{feature["number"]}"><h4>{pages.text(title)}</h4>'
        f'<p class="faint">{"; ".join(facts)}</p><p>{lines}</p></article>'
    )


_STYLE = """<style>
.features { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 0 2rem }
.features article { border-top: 1px solid var(--line); break-inside: avoid; overflow-wrap: anywhere }
.features h4 { margin: .5rem 0 0; font-size: 1rem } .features p { margin: .2rem 0 .5rem; font-size: .85rem }
.features article:target { outline: 2px solid var(--below) }
</style>"""

_SCRIPT = """<script>
(() => {
  const part = document.currentScript.parentElement;
  const find = part.querySelector("input"), more = part.querySelector(".more"), cards = [...part.querySelectorAll("article")];
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(" ").filter(w => w);
    for (const card of cards) card.hidden = !words.every(w => card.textContent.toLowerCase().includes(w));
    if (more && words.length) more.open = true;
  });
  // A link to a feature in the closed part opens it.
  addEventListener("hashchange", () => {
    const at = document.getElementById(location.hash.slice(1));
    if (at && more && more.contains(at)) { more.open = true; at.scrollIntoView(); }
  });
})();
</script>"""

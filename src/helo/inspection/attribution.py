"""What of its inputs a number rests on that a model computes: integrated gradients, and occlusion. It knows no task.

integrated gradients (Sundararajan, Taly and Yan 2017)   a_p = ∫₀¹ ∂f(b + α (x - b)) / ∂α_p dα, along the straight way from
    a baseline b to the inputs x, α_p being how far piece p has come. They are complete: Σ_p a_p = f(x) - f(b).
occlusion (Zeiler and Fergus 2014)                       o_p = f(x) - f(x with piece p at its baseline).

A piece is whatever is shown as one: a word, a step, a pixel, all of a carried state. The slope along each piece is taken
by central differences in float64 where that costs little, so that torch need not be there, and by torch's backward pass
where it costs more.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helo import progress
from helo.cells.functions import Array, namespace

TOLERANCE = 0.005  # of f(x) - f(b), by which the sum of all attributions may be off
APART = 0.01  # of the sum of their sizes, by which the parts of the way may be off, each by itself, together
NODES, FIRST, MOST = 2, 8, 1600  # Gauss-Legendre nodes a part of the way; parts to begin with; nodes in all
STEP = 1e-4  # of the way, for central differences; what is left of f's third derivative is far below TOLERANCE
# Products (differences do some 1e10 a second). To import torch takes more than CHEAP, and AGAIN is what differences may cost
# where it is there already; without torch up to DEAR is done.
CHEAP, AGAIN, DEAR = 4e9, 4e8, 1e11
LONGEST = 3e11  # of all backward passes together: a minute or so; then it ends with the error that it has
OCCLUDED = 4e10  # for all patches together
TARGETS, SEVERAL = 60, 3e9  # words or steps of one example; products of a row for all of them
FEW = 3  # questions that are answered without torch if they are cheap
ROOM = 1 << 22  # numbers of inputs and what is made of them side by side


def products(parameters: Mapping[str, np.ndarray], steps: int) -> float:
    """About how many multiplications so many steps of a model cost."""
    return steps * float(sum(p.size for n, p in parameters.items() if p.ndim > 1 and "embedding" not in n))


def most(parameters: Mapping[str, np.ndarray], steps: int) -> int:
    """So many targets of one example are explained at most: each takes a backward pass of its own."""
    return int(min(TARGETS, max(1.0, SEVERAL / max(1.0, products(parameters, steps)))))


Model = Callable[[Mapping[str, Array], Sequence[Array]], Array]


@dataclass
class Question:
    """model(parameters, inputs): inputs `(n, …)` each to numbers `(n, targets)`; rows never meet.

    inputs: of the example, without the axis n. owners: for each input which piece each of its numbers belongs to, of a
    shape that broadcasts to it; patches: the same for occlusion, where pieces are too small to be missed. baselines: where
    the way begins; zeros where nothing else is said.
    """

    model: Model
    parameters: Mapping[str, np.ndarray]
    inputs: Sequence[np.ndarray]
    owners: Sequence[np.ndarray]
    baselines: Sequence[np.ndarray] = ()
    patches: Sequence[np.ndarray] = ()
    steps: int = 1
    _double: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        self.inputs = [np.asarray(x, np.float64) for x in self.inputs]
        given = self.baselines or [np.zeros(())] * len(self.inputs)
        self.baselines = [
            np.broadcast_to(b, x.shape).astype(np.float64) for b, x in zip(given, self.inputs, strict=True)
        ]
        self.owners = [np.broadcast_to(o, x.shape) for o, x in zip(self.owners, self.inputs, strict=True)]
        patches = self.patches or self.owners
        self.patches = [np.broadcast_to(o, x.shape) for o, x in zip(patches, self.inputs, strict=True)]
        self._double = {n: p.astype(np.float64) for n, p in self.parameters.items()}

    @property
    def pieces(self) -> int:
        return 1 + max(int(o.max(initial=0)) for o in self.owners)

    @property
    def masks(self) -> int:
        """How many patches there are."""
        return 1 + max(int(o.max(initial=0)) for o in self.patches)

    def joined(self) -> int:
        """Patches are joined, so many to one, until to occlude each takes seconds at the most."""
        most = max(8, int(OCCLUDED / max(1.0, self.products())))
        size = -(-self.masks // most)
        self.patches = [o // size for o in self.patches]
        return size

    def products(self) -> float:
        """About how many multiplications one row costs."""
        return products(self.parameters, self.steps)

    def values(self, way: np.ndarray) -> np.ndarray:
        """f where each piece has come some way from its baseline, 0, to the input, 1: `(n, pieces)` to `(n, targets)`."""
        return self._along(way, self.owners)

    def _along(self, way: np.ndarray, owners: Sequence[np.ndarray], exact: bool = True) -> np.ndarray:
        size = sum(x.size for x in self.inputs) + 1
        rows = max(1, ROOM // (16 * size))
        found = []
        for i in range(0, len(way), rows):
            some = way[i : i + rows]
            inputs = [b + some[:, o] * (x - b) for x, b, o in zip(self.inputs, self.baselines, owners, strict=True)]
            if not exact:
                inputs = [x.astype(np.float32) for x in inputs]
            found.append(np.asarray(self.model(self._double if exact else self.parameters, inputs), np.float64))
        return np.concatenate(found)

    def straight(self, alphas: np.ndarray) -> np.ndarray:
        """f on the straight way, `(alphas,)` to `(alphas, targets)`."""
        return self.values(np.repeat(np.asarray(alphas, np.float64)[:, None], self.pieces, 1))

    def occluded(self) -> np.ndarray:
        """Occlusion `(targets, patches)`: what f loses without each. No difference is taken in the limit: float32 is enough."""
        count = self.masks
        found = self._along(np.concatenate([np.ones((1, count)), 1 - np.eye(count)]), self.patches, exact=False)
        return (found[:1] - found[1:]).T


def differences(question: Question, alphas: np.ndarray) -> np.ndarray:
    """Slopes along each piece by central differences: `(alphas, targets, pieces)`."""
    pieces = question.pieces
    apart = np.concatenate([np.eye(pieces), -np.eye(pieces)]) * STEP
    found = question.values((alphas[:, None, None] + apart).reshape(-1, pieces))
    found = found.reshape(len(alphas), 2, pieces, -1)
    return ((found[:, 0] - found[:, 1]) / (2 * STEP)).transpose(0, 2, 1)


def backward(question: Question, alphas: np.ndarray) -> np.ndarray:
    """The same by torch's backward pass, in float32: half the time, and off by far less than TOLERANCE."""
    with progress.unbroken():
        import torch

    parameters = {n: torch.from_numpy(p) for n, p in question.parameters.items()}
    apart = [x - b for x, b in zip(question.inputs, question.baselines, strict=True)]
    rows = max(1, ROOM // (16 * (sum(x.size for x in question.inputs) + 1)))
    found = []
    for i in range(0, len(alphas), rows):
        some = alphas[i : i + rows]
        inputs = []
        for b, d in zip(question.baselines, apart, strict=True):
            x = b + some.reshape(-1, *[1] * b.ndim) * d
            inputs.append(torch.from_numpy(x.astype(np.float32)).requires_grad_())
        y = question.model(parameters, inputs)
        for_each = []
        for k in range(y.shape[1]):
            slopes = torch.autograd.grad(y[:, k].sum(), inputs, retain_graph=k + 1 < y.shape[1], allow_unused=True)
            own = np.zeros((len(some), question.pieces))
            for g, d, o in zip(slopes, apart, question.owners, strict=True):
                if g is not None:
                    flat = (g.numpy() * d).reshape(len(some), -1)
                    for row in range(len(some)):
                        own[row] += np.bincount(o.reshape(-1), flat[row], question.pieces)
            for_each.append(own)
        found.append(np.stack(for_each, 1))
    return np.concatenate(found)


Slopes = Callable[[Question, np.ndarray], np.ndarray]


def slopes(question: Question, nodes: int) -> Slopes | None:
    """The way to so many slopes that costs least here; None where there is none in reasonable time."""
    cost = 2 * nodes * question.pieces * question.products()
    if cost <= (CHEAP if "torch" not in sys.modules else AGAIN):
        return differences
    if importlib.util.find_spec("torch") is not None:
        return backward
    return differences if cost <= DEAR else None


def ready(questions: int) -> None:
    """Told how many questions there will be: for many torch is worth its import, where it is there."""
    if questions > FEW and importlib.util.find_spec("torch") is not None:
        with progress.unbroken():
            importlib.import_module("torch")


@dataclass(frozen=True)
class Attribution:
    """values `(targets, pieces)`; score and baseline `(targets,)`: f(x) and f(b); nodes: at how many places of the way the
    slope was taken.
    """

    values: np.ndarray
    score: np.ndarray
    baseline: np.ndarray
    nodes: int

    def error(self, target: int | None = None) -> float:
        """How far the sum of the attributions lies from f(x) - f(b), as a share of it; of all targets together by default."""
        each = slice(None) if target is None else target
        difference = float(np.sum(self.score[each] - self.baseline[each]))
        off = abs(float(np.sum(self.values[each])) - difference)
        return 0.0 if off < 1e-12 else off / max(abs(difference), 1e-12)


def integrated(question: Question, by: Slopes | None = None) -> Attribution | None:
    """Integrated gradients, or None where they cost too much here. by: the way to the slopes, the cheapest by default.

    On each part of the way what the slopes add up to is compared with what f really gains there, which is known; the parts
    that are farthest off are halved, until all together are off by TOLERANCE at most and their sizes by APART. So a model
    that is saturated over most of the way (gates), or bends sharply (max over time, relu), gets nodes where it needs them.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    nodes, weights = (nodes + 1) / 2, weights / 2
    ends = np.linspace(0, 1, FIRST + 1)
    at = {float(a): v for a, v in zip(ends, question.straight(ends), strict=True)}
    gain = at[1.0] - at[0.0]
    whole = abs(np.append(gain, gain.sum()))  # all targets together have to be right too
    each = (1 + 2 * len(gain)) * question.products()  # of a node: forward once, and back for each target
    most = int(np.clip(LONGEST / max(each, 1.0), NODES * FIRST, MOST))
    fresh, left, done, spent = list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)), [], [], 0
    while True:
        alphas = np.concatenate([a + (b - a) * nodes for a, b in fresh])
        if (way := by or slopes(question, spent + len(alphas))) is None:
            if not spent:
                return None
            break  # what was found so far, with its error
        progress.tell("integrated gradients, places of at most", spent, most)
        spent += len(alphas)
        done = left
        found = way(question, alphas).reshape(len(fresh), NODES, *_shape(question, at))
        for (a, b), parts in zip(fresh, found, strict=True):
            values = np.tensordot(weights, parts, 1) * (b - a)
            done.append((a, b, values, values.sum(1) - (at[b] - at[a])))
        off = np.stack([np.append(d[3], d[3].sum()) for d in done])  # (parts, targets and their sum)
        every = np.sum([d[2] for d in done], axis=0)
        size = abs(np.concatenate([every, every.sum(0, keepdims=True)])).sum(1)
        in_all = abs(off.sum(0)) / np.maximum(TOLERANCE * whole, 1e-9)
        apart = abs(off).sum(0) / np.maximum(APART * size, 1e-9)
        if (np.maximum(in_all, apart) <= 1).all() or spent >= most:
            break
        wrong = abs(off[:, np.maximum(in_all, apart) > 1]).max(1)
        bad = wrong > 0.2 * wrong.max()
        halved = [(d[0], d[1]) for d, w in zip(done, bad, strict=True) if w]
        left = [d for d, w in zip(done, bad, strict=True) if not w]
        middles = np.array([(a + b) / 2 for a, b in halved])
        at |= {float(m): v for m, v in zip(middles, question.straight(middles), strict=True)}
        fresh = [part for (a, b), m in zip(halved, middles.tolist(), strict=True) for part in ((a, m), (m, b))]
    return Attribution(np.sum([d[2] for d in done], axis=0), at[1.0], at[0.0], spent)


def _shape(question: Question, at: Mapping[float, np.ndarray]) -> tuple[int, int]:
    return len(at[0.0]), question.pieces


def log_odds(scores: Array, answer: int) -> Array:
    """log p - log(1 - p) of an answer out of scores `(…, answers)`, in nats: `(…)`. 0 is as likely as not."""
    from helo.layers.crf import log_sum_exp

    others = namespace(scores).concat([scores[..., :answer], scores[..., answer + 1 :]], axis=-1)
    return scores[..., answer] - log_sum_exp(others, -1)


def tree(arrays: Sequence[Any], like: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """Arrays one after the other as the states of layers, as `like` has them."""
    left = iter(arrays)
    return tuple(tuple(next(left) for _ in layer) for layer in like)

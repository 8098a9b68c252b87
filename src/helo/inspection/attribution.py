"""What of its inputs a number rests on that a model computes: integrated gradients, and occlusion. It knows no task.

integrated gradients (Sundararajan, Taly and Yan 2017)   a_p = ∫₀¹ ∂f(b + α (x - b)) / ∂α_p dα, along the straight path from
    a baseline b to the inputs x, α_p being how far feature p has come. They are complete: Σ_p a_p = f(x) - f(b).
occlusion (Zeiler and Fergus 2014)                       o_p = f(x) - f(x with feature p at its baseline).

A feature is whatever is shown as one: a word, a step, a pixel, all of a carried state. The slope along each is taken
by central differences in float64 where that costs little, so that torch need not be there, and by torch's backward pass
where it costs more.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import progress
from helo.cells.functions import Array, namespace

TOLERANCE = 0.005  # of f(x) - f(b), by which the sum of all attributions may be off
APART = 0.01  # of the sum of their sizes, by which the parts of the path may be off, each by itself, together
NODES, FIRST, MOST = 2, 8, 1600  # Gauss-Legendre nodes a part of the path; parts to begin with; nodes in all
STEP = 1e-4  # of the path, for central differences; what is left of f's third derivative is far below TOLERANCE
# Products (differences do some 1e10 a second). To import torch takes more than CHEAP, and AGAIN is what differences may cost
# where it is there already; without torch up to DEAR is done.
CHEAP, AGAIN, DEAR = 4e9, 4e8, 1e11
LONGEST = 3e11  # of all backward passes together: a minute or so; then it ends with the error that it has
OCCLUDED = 4e10  # for all patches together
TARGETS, SEVERAL = 60, 3e9  # words or steps of one example; products of a row for all of them
FEW = 3  # attributions that are made without torch if they are cheap
ROOM = 1 << 22  # numbers of inputs and what is made of them side by side


def cost(parameters: Mapping[str, np.ndarray], steps: int) -> float:
    """About how many multiplications so many steps of a model take."""
    return steps * float(sum(p.size for n, p in parameters.items() if p.ndim > 1 and "embedding" not in n))


def max_targets(parameters: Mapping[str, np.ndarray], steps: int) -> int:
    """So many targets of one example are explained at most: each takes a backward pass of its own."""
    return int(min(TARGETS, max(1.0, SEVERAL / max(1.0, cost(parameters, steps)))))


Model = Callable[[Mapping[str, Array], Sequence[Array]], Array]


@dataclass
class Forward:
    """model(parameters, inputs): inputs `(n, …)` each to numbers `(n, targets)`; rows never meet.

    inputs: of the example, without the axis n. feature_mask: for each input which feature each of its numbers belongs to, of
    a shape that broadcasts to it; patch_mask: the same for occlusion, where features are too small to be missed. baselines:
    where the path begins; zeros where nothing else is said. beside: about how many products a row takes beside those with the
    parameters, and numbers it makes.
    """

    model: Model
    parameters: Mapping[str, np.ndarray]
    inputs: Sequence[np.ndarray]
    feature_mask: Sequence[np.ndarray]
    baselines: Sequence[np.ndarray] = ()
    patch_mask: Sequence[np.ndarray] = ()
    steps: int = 1
    beside: tuple[int, int] = (0, 0)

    def __post_init__(self):
        def shaped(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [np.broadcast_to(a, x.shape) for a, x in zip(arrays, self.inputs, strict=True)]

        self.inputs = [np.asarray(x, np.float64) for x in self.inputs]
        self.baselines = shaped(self.baselines or [np.zeros(())] * len(self.inputs))
        self.feature_mask, self.patch_mask = shaped(self.feature_mask), shaped(self.patch_mask or self.feature_mask)
        self.features = 1 + max(int(m.max(initial=0)) for m in self.feature_mask)
        self.cost = cost(self.parameters, self.steps) + self.beside[0]
        self.rows = max(
            1, ROOM // (16 * (sum(x.size for x in self.inputs) + 1) + self.beside[1] // 16)
        )  # of inputs side by side
        self._double = {n: p.astype(np.float64) for n, p in self.parameters.items()}

    @property
    def patches(self) -> int:
        return 1 + max(int(m.max(initial=0)) for m in self.patch_mask)

    def join_patches(self) -> int:
        """Patches are joined, so many to one, until to occlude each takes seconds at the most."""
        size = -(-self.patches // max(8, int(OCCLUDED / max(1.0, self.cost))))
        self.patch_mask = [m // size for m in self.patch_mask]
        return size

    def values(self, alphas: np.ndarray) -> np.ndarray:
        """f where each feature has come some way from its baseline, 0, to the input, 1: `(n, features)` to `(n, targets)`."""
        return self._values(alphas, self.feature_mask)

    def _values(self, alphas: np.ndarray, masks: Sequence[np.ndarray], exact: bool = True) -> np.ndarray:
        found = []
        for i in range(0, len(alphas), self.rows):
            some = alphas[i : i + self.rows]
            inputs = [b + some[:, m] * (x - b) for x, b, m in zip(self.inputs, self.baselines, masks, strict=True)]
            if not exact:
                inputs = [x.astype(np.float32) for x in inputs]
            found.append(np.asarray(self.model(self._double if exact else self.parameters, inputs), np.float64))
        return np.concatenate(found)

    def straight(self, alphas: np.ndarray) -> np.ndarray:
        """f on the straight path, `(alphas,)` to `(alphas, targets)`."""
        return self.values(np.repeat(np.asarray(alphas, np.float64)[:, None], self.features, 1))

    def occlusion(self) -> np.ndarray:
        """Occlusion `(targets, patches)`: what f loses without each. No difference is taken in the limit: float32 is enough."""
        count = self.patches
        found = self._values(np.concatenate([np.ones((1, count)), 1 - np.eye(count)]), self.patch_mask, exact=False)
        return (found[:1] - found[1:]).T


def differences(forward: Forward, alphas: np.ndarray) -> np.ndarray:
    """Slopes along each feature by central differences: `(alphas, targets, features)`."""
    n = forward.features
    apart = np.concatenate([np.eye(n), -np.eye(n)]) * STEP
    found = forward.values((alphas[:, None, None] + apart).reshape(-1, n)).reshape(len(alphas), 2, n, -1)
    return ((found[:, 0] - found[:, 1]) / (2 * STEP)).transpose(0, 2, 1)


def backward(forward: Forward, alphas: np.ndarray) -> np.ndarray:
    """The same by torch's backward pass, in float32: half the time, and off by far less than TOLERANCE."""
    with progress.unbroken():
        import torch

    parameters = {n: torch.from_numpy(p) for n, p in forward.parameters.items()}
    apart = [x - b for x, b in zip(forward.inputs, forward.baselines, strict=True)]
    found = []
    for some in np.split(alphas, range(forward.rows, len(alphas), forward.rows)):
        inputs = [
            torch.from_numpy((b + some.reshape(-1, *[1] * b.ndim) * d).astype(np.float32)).requires_grad_()
            for b, d in zip(forward.baselines, apart, strict=True)
        ]
        y = forward.model(parameters, inputs)
        own = np.zeros((len(some), y.shape[1], forward.features))
        for k in range(y.shape[1]):
            gradients = torch.autograd.grad(y[:, k].sum(), inputs, retain_graph=k + 1 < y.shape[1], allow_unused=True)
            for g, d, m in zip(gradients, apart, forward.feature_mask, strict=True):
                for row, slope in enumerate(() if g is None else g.numpy()):
                    own[row, k] += np.bincount(m.reshape(-1), (slope * d).reshape(-1), forward.features)
        found.append(own)
    return np.concatenate(found)


Slopes = Callable[[Forward, np.ndarray], np.ndarray]


def cheapest(forward: Forward, nodes: int) -> Slopes | None:
    """The implementation of so many slopes that costs least here; None where there is none in reasonable time."""
    cost = 2 * nodes * forward.features * forward.cost
    if cost <= (CHEAP if "torch" not in sys.modules else AGAIN):
        return differences
    if importlib.util.find_spec("torch") is not None:
        return backward
    return differences if cost <= DEAR else None


def prepare(count: int) -> None:
    """For so many attributions torch may be worth its import, where it is there."""
    if count > FEW and importlib.util.find_spec("torch") is not None:
        with progress.unbroken():
            importlib.import_module("torch")


@dataclass(frozen=True)
class Attribution:
    """values `(targets, features)`; score and baseline `(targets,)`: f(x) and f(b); nodes: at how many places of the path the
    slope was taken.
    """

    values: np.ndarray
    score: np.ndarray
    baseline: np.ndarray
    nodes: int

    def error(self, of: int | slice = slice(None)) -> float:
        """How far the sum of the attributions lies from f(x) - f(b), as a share of it; of all targets together by default."""
        difference = float(np.sum(self.score[of] - self.baseline[of]))
        off = abs(float(np.sum(self.values[of])) - difference)
        return 0.0 if off < 1e-12 else off / max(abs(difference), 1e-12)


def integrated_gradients(forward: Forward, slopes: Slopes | None = None) -> Attribution | None:
    """Integrated gradients, or None where they cost too much here. slopes: their implementation, the cheapest by default.

    On each part of the path what the slopes add up to is compared with what f really gains there, which is known; the parts
    that are farthest off are halved, until all together are off by TOLERANCE at most and their sizes by APART. So a model
    that is saturated over most of the path (gates), or bends sharply (max over time, relu), gets nodes where it needs them.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    nodes, weights = (nodes + 1) / 2, weights / 2
    ends = np.linspace(0, 1, FIRST + 1)
    at = {float(a): v for a, v in zip(ends, forward.straight(ends), strict=True)}
    gain = at[1.0] - at[0.0]
    whole = abs(np.append(gain, gain.sum()))  # all targets together have to be right too
    each = (1 + 2 * len(gain)) * forward.cost  # of a node: forward once, and back for each target
    most = int(np.clip(LONGEST / max(each, 1.0), NODES * FIRST, MOST))
    fresh, left, done, spent = list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)), [], [], 0
    while True:
        alphas = np.concatenate([a + (b - a) * nodes for a, b in fresh])
        if (method := slopes or cheapest(forward, spent + len(alphas))) is None:
            if not spent:
                return None
            break  # what was found so far, with its error
        progress.tell("integrated gradients, places of at most", spent, most)
        spent += len(alphas)
        done = left
        found = method(forward, alphas).reshape(len(fresh), NODES, len(gain), forward.features)
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
        at |= {float(m): v for m, v in zip(middles, forward.straight(middles), strict=True)}
        fresh = [part for (a, b), m in zip(halved, middles.tolist(), strict=True) for part in ((a, m), (m, b))]
    return Attribution(np.sum([d[2] for d in done], axis=0), at[1.0], at[0.0], spent)


def log_odds(scores: Array, answer: int) -> Array:
    """log p - log(1 - p) of an answer out of scores `(…, answers)`, in nats: `(…)`. 0 is as likely as not."""
    from helo.layers.crf import log_sum_exp

    others = namespace(scores).concat([scores[..., :answer], scores[..., answer + 1 :]], axis=-1)
    return scores[..., answer] - log_sum_exp(others, -1)


def tree(arrays: Sequence[Any], like: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """Arrays one after the other as the states of layers, as `like` has them."""
    left = iter(arrays)
    return tuple(tuple(next(left) for _ in layer) for layer in like)

"""A linear-chain conditional random field over the labels of a sequence (Lafferty, McCallum and Pereira 2001).

score(y) = Σ_t scores[t, y_t] + first[y_1] + Σ_t transitions[y_{t-1}, y_t] + last[y_T]
-log p(y) = log Σ_y' exp score(y') - score(y)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helo.cells.functions import Array, namespace


def init(labels: int) -> dict[str, np.ndarray]:
    """Parameters: transitions `(from, to)`, first and last `(labels,)`; all 0, so that training starts without them."""
    zeros = {"transitions": (labels, labels), "first": (labels,), "last": (labels,)}
    return {name: np.zeros(shape, np.float32) for name, shape in zeros.items()}


def loss(parameters: Mapping[str, Array], scores: Array, targets: Array, lengths: Array) -> Array:
    """Σ -log p(targets) over scores `(batch, time, labels)`, targets `(batch, time)`, lengths `(batch,)` of 1 or more."""
    xp, time = namespace(scores), scores.shape[1]
    transitions = parameters["transitions"]
    picked = xp.take_along_axis(scores, targets[..., None], axis=2)[..., 0]
    reached = scores[:, 0] + parameters["first"]
    path = picked[:, 0] + parameters["first"][targets[:, 0]]
    for t in range(1, time):
        inside = t < lengths
        step = log_sum_exp(reached[:, :, None] + transitions[None], 1) + scores[:, t]
        reached = xp.where(inside[:, None], step, reached)
        gain = picked[:, t] + transitions[targets[:, t - 1], targets[:, t]]
        path = path + xp.where(inside, gain, xp.zeros_like(gain))
    ends = xp.take_along_axis(targets, lengths[:, None] - 1, axis=1)[:, 0]
    return xp.sum(log_sum_exp(reached + parameters["last"], 1) - path - parameters["last"][ends])


def best(parameters: Mapping[str, np.ndarray], scores: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
    """The likeliest labels of each row, `(length,)` each (Viterbi 1967). NumPy arrays."""
    transitions, backs = parameters["transitions"], []
    reached = scores[:, 0] + parameters["first"]
    for t in range(1, scores.shape[1]):
        through = reached[:, :, None] + transitions[None]
        backs.append(through.argmax(1))
        reached = np.where((t < lengths)[:, None], through.max(1) + scores[:, t], reached)
    label = (reached + parameters["last"]).argmax(1)
    out = []
    for row, length in enumerate(lengths):
        path = [int(label[row])]
        for t in range(int(length) - 2, -1, -1):
            path.append(int(backs[t][row, path[-1]]))
        out.append(np.array(path[::-1], np.int64)[: int(length)])
    return out


def marginals(parameters: Mapping[str, np.ndarray], scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """p(y_t) of each label at each step, `(batch, time, labels)` (forward-backward). NumPy arrays; behind the end of a row
    they mean nothing.
    """
    transitions, time = parameters["transitions"], scores.shape[1]
    forward, backward = np.empty_like(scores), np.empty_like(scores)
    forward[:, 0] = scores[:, 0] + parameters["first"]
    for t in range(1, time):
        forward[:, t] = log_sum_exp(forward[:, t - 1, :, None] + transitions[None], 1) + scores[:, t]
    for t in range(time - 1, -1, -1):
        ends = (t >= lengths - 1)[:, None]
        after = np.zeros((len(scores), 1, 1)) if t == time - 1 else (scores[:, t + 1] + backward[:, t + 1])[:, None, :]
        backward[:, t] = np.where(ends, parameters["last"][None], log_sum_exp(transitions[None] + after, 2))
    total = forward + backward
    return np.exp(total - log_sum_exp(total, 2)[..., None])


def log_sum_exp(x: Array, axis: int) -> Array:
    """log Σ exp(x) over an axis, without overflow."""
    xp = namespace(x)
    top = xp.max(x, axis=axis, keepdims=True)
    return xp.log(xp.sum(xp.exp(x - top), axis=axis)) + xp.max(x, axis=axis)

"""The mathematics: forward, loss, the gradient by hand (whole, and cut at a chunk's border), training, writing.

The cell of training and writing is `helo.cells`' own; its step by hand is for the gradient and for paper. Letters one-hot are
rows `(T, V)`. A network is a dict: the cell's weights as `Hand` names them, and W_hy `(V, hidden)`, b_y `(V)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from helo import engines
from helo.cells.base import State, uniform
from helo.cells.functions import Array, log_softmax, namespace
from helo.errors import HeloError
from helo.hello.base import Example, Network, Numbers, Round, example

HELLO = example()
RATE, ENOUGH, MOST = 0.1, 0.1, 3000  # of a step, the loss at which it is learned, steps at most


def forward(w: Network, e: Example, letters: tuple[str, ...], state: State | None = None) -> tuple[Array, Array, State]:
    """Letters through the network: states h `(T, hidden)`, scores y `(T, V)`, and the state to go on from.

    The same lines run on NumPy's arrays and on torch's tensors.
    """
    xs = engines.array(e.one_hot(letters), like=w["W_hy"])
    h, state = engines.scan(e.hand.cell, e.hand.parameters(w), xs[None], state)
    return h[0], h[0] @ w["W_hy"].T + w["b_y"], state


def softmax(y: Array) -> Array:
    """Scores `(T, V)` as probabilities."""
    return namespace(y).exp(log_softmax(y))


def losses(y: Array, target: list[int]) -> Array:
    """-log p of the right letter at each step `(T,)`, from scores `(T, V)`."""
    return -log_softmax(y)[list(range(len(target))), target]


def trace(w: Network, e: Example, r: Round = lambda number: number) -> list[Numbers]:
    """The numbers of every step by hand; the state before the first is zeros."""
    steps = [zero_state(w, e)]
    for x in e.one_hot(e.read):
        steps.append(e.hand.step(w, x, steps[-1], r))
    return steps[1:]


def zero_state(w: Network, e: Example) -> Numbers:
    """A state of zeros."""
    return {name: np.zeros(w["W_hy"].shape[1]) for name in e.hand.state}


@dataclass(frozen=True)
class BackwardStep:
    """Of one step backwards: what y and what the step after send to its state, and all numbers by their names."""

    y: np.ndarray
    later: Numbers
    numbers: Numbers


def backward(
    w: Network, e: Example, border: int | None = None, steps_back: list[BackwardStep] | None = None
) -> dict[str, np.ndarray]:
    """The gradient of the summed loss by every weight, by hand: backpropagation through time.

    Each d… has the shape of what it is the gradient by; the weights are the same at every step, so their gradients add up
    over the steps. border: after so many steps a chunk ends; the state crosses it, the gradient does not. steps_back: gets
    the numbers on the way, the last step first.
    """
    steps, x, target = trace(w, e), e.one_hot(e.read), e.one_hot(e.next)
    d = {name: np.zeros_like(value) for name, value in w.items()}
    later = zero_state(w, e)  # nothing comes back from beyond the last step
    for t in reversed(range(len(steps))):
        if t + 1 == border:
            later = zero_state(w, e)
        now, before = steps[t], steps[t - 1] if t else zero_state(w, e)
        dy = softmax(w["W_hy"] @ now["h"] + w["b_y"]) - target[t]  # (V)  loss = -log softmax(y)[right]
        d["W_hy"] += np.outer(dy, now["h"])  # y = W_hy h + b_y
        d["b_y"] += dy
        from_y, from_later = w["W_hy"].T @ dy, later
        numbers, later = e.hand.backward(w, d, x[t], before, now, later | {"h": later["h"] + from_y})
        if steps_back is not None:
            steps_back.append(BackwardStep(from_y, from_later, {"dy": dy} | numbers))
    return d


def autograd(w: Network, e: Example, border: int | None = None) -> dict[str, np.ndarray] | None:
    """The same gradient by torch, from the forward pass alone; None where torch is not installed."""
    try:
        import helo.engines.torch as engine
    except ImportError:
        return None
    tensors = {name: engine.array(value, like=engine.Tensor()).requires_grad_() for name, value in w.items()}
    state, target = None, e.ids(e.next)
    for part in (slice(None, border), slice(border, None)) if border else (slice(None),):
        _, y, state = forward(tensors, e, e.read[part], state)
        losses(y, target[part]).sum().backward()
        state = tuple(s.detach() for s in state)
    return {name: tensor.grad.numpy() for name, tensor in tensors.items() if tensor.grad is not None}


def compare(e: Example = HELLO, border: int | None = None) -> dict[str, dict[str, Any]] | None:
    """By parameter, with the weights of part 1: its shape, the largest entry of its gradient, and the largest
    difference of the gradient by hand from torch's; None where torch is not installed.
    """
    theirs = autograd(e.weights, e, border)
    if theirs is None:
        return None
    ours = backward(e.weights, e, border)
    return {
        name: {
            "shape": list(ours[name].shape),
            "gradient": float(abs(ours[name]).max()),
            "difference": float(abs(ours[name] - theirs[name]).max()),
        }
        for name in ours
    }


# On paper


@dataclass(frozen=True)
class Paper:
    """A forward pass whose every number is rounded to the digits that are printed, and carried on so."""

    steps: list[Numbers]  # four digits
    y: np.ndarray  # (T, V) three digits
    sums: np.ndarray  # (T,) of exp(y), four digits
    p: np.ndarray  # (T, V) four digits
    right: np.ndarray  # (T,) p of the right letter
    loss: np.ndarray  # (T,) three digits


def digits(values: Array, n: int) -> np.ndarray:
    """Values as they are printed with n digits."""
    flat = [float(f"{v:z.{n}f}") for v in np.ravel(values)]
    return np.array(flat).reshape(np.shape(values))


def on_paper(e: Example, w: Network | None = None) -> Paper:
    """The forward pass, as somebody works it out with a pencil."""
    w = e.weights if w is None else w
    steps = trace(w, e, lambda a: digits(a, 4))
    y = digits(np.stack([w["W_hy"] @ s["h"] + w["b_y"] for s in steps]), 3)
    whole = np.exp(y).sum(1)
    sums = digits(whole, 4)
    p = digits(np.exp(y) / (whole if e.few else sums)[:, None], 4)
    right = p[np.arange(len(y)), e.ids(e.next)]
    with np.errstate(divide="ignore"):
        return Paper(steps, y, sums, p, right, digits(-np.log(right), 3))


# Training


def start(e: Example, seed: int, units: int | None = None) -> dict[str, np.ndarray]:
    """A network that has learned nothing: the cell's own beginning, and small random weights for the scores."""
    if seed < 0:
        raise HeloError(str(seed), expected="a whole number, 0 or more", where="--seed")
    rng, letters, units = np.random.default_rng(seed), len(e.vocabulary), units or e.units
    w = e.hand.network(e.hand.cell.init(rng, letters, units))
    W_hy = uniform(rng, letters, units, units**-0.5).astype(np.float64)
    return w | {"W_hy": W_hy, "b_y": np.zeros(letters)}


@dataclass(frozen=True)
class Progress:
    """Training after a number of steps: the network, its probabilities p `(T, V)` and its loss."""

    step: int
    network: Network
    p: np.ndarray
    loss: float

    @property
    def learned(self) -> bool:
        # Each letter is then more than 90 % sure and right, so that the most probable letters spell the word.
        return self.loss < ENOUGH

    @property
    def last(self) -> bool:
        return self.learned or self.step == MOST


def train(seed: int, e: Example = HELLO) -> Iterator[Progress]:
    """Adagrad, as in min-char-rnn: the larger a weight's gradients have been, the smaller its steps."""
    w: Network = start(e, seed)
    memory = {name: np.zeros_like(value) for name, value in w.items()}
    for step in range(MOST + 1):
        _, y, _ = forward(w, e, e.read)
        progress = Progress(step, w, softmax(y), float(losses(y, e.ids(e.next)).sum()))
        yield progress
        if progress.last:
            return
        d = backward(w, e)
        memory = {name: memory[name] + d[name] ** 2 for name in w}
        w = {name: w[name] - RATE * d[name] / np.sqrt(memory[name] + 1e-8) for name in w}


def write(w: Network, e: Example = HELLO) -> Iterator[tuple[str, np.ndarray, str]]:
    """Feed the first letter, take the most probable one, feed that: (fed, p `(V,)`, written), the state carried on."""
    state, letter = None, e.letters[0]
    for _ in e.next:
        _, y, state = forward(w, e, (letter,), state)
        p = softmax(y)[0]
        fed, letter = letter, e.vocabulary[int(p.argmax())]
        yield fed, p, letter


def word(w: Network, e: Example = HELLO) -> str:
    """What a network writes when it is fed the first letter, from that on."""
    return e.letters[0] + "".join(letter for _, _, letter in write(w, e))


def written(seed: int, e: Example = HELLO) -> str:
    """What the trained network writes."""
    *_, end = train(seed, e)
    return word(end.network, e)


# The numbers


@dataclass(frozen=True)
class Truncation:
    """The gradient by each weight, and the steps backwards, the last first: of the whole word, and of two chunks of it."""

    whole: dict[str, np.ndarray]
    chunks: dict[str, np.ndarray]
    whole_steps: list[BackwardStep]
    chunks_steps: list[BackwardStep]

    @property
    def lost(self) -> dict[str, np.ndarray]:
        """What of the gradient is lost at the border, by parameter."""
        return {name: self.whole[name] - self.chunks[name] for name in self.whole}

    def share(self, name: str) -> float:
        """How much of a parameter's gradient that is."""
        return float(np.linalg.norm(self.lost[name]) / max(1e-12, float(np.linalg.norm(self.whole[name]))))


def truncated(e: Example) -> Truncation:
    """Truncated backpropagation beside the whole, at the weights of part 1."""
    whole: list[BackwardStep] = []
    chunks: list[BackwardStep] = []
    gradients = backward(e.weights, e, None, whole), backward(e.weights, e, e.border, chunks)
    return Truncation(*gradients, whole, chunks)


def _lists(arrays: Any) -> dict[str, Any]:
    return {name: value.tolist() for name, value in arrays.items()}


def numbers(seed: int, e: Example = HELLO) -> dict[str, Any]:
    """The whole lesson as one object of plain lists and numbers, none of them rounded."""
    h, y, _ = forward(e.weights, e, e.read)
    loss, steps, truncation = losses(y, e.ids(e.next)), trace(e.weights, e), truncated(e)
    *before, end = train(seed, e)
    chunks = {
        "border": e.border, "gradient": _lists(truncation.chunks), "lost": _lists(truncation.lost),
        "autograd": compare(e, e.border),
    }  # fmt: skip
    return {
        "word": e.word, "cell": e.hand.name, "vocabulary": list(e.vocabulary), "read": list(e.read), "next": list(e.next),
        "weights": _lists(e.weights), "hidden": h.tolist(),
        "steps": {name: [s[name].tolist() for s in steps] for name in e.hand.parts},
        "scores": y.tolist(), "softmax": softmax(y).tolist(), "losses": loss.tolist(), "loss": float(loss.sum()),
        "gradient": _lists(backward(e.weights, e)),
        "training": {
            "seed": seed, "units": e.units, "steps": end.step, "learned": end.learned,
            "losses": [progress.loss for progress in (*before, end)], "weights": _lists(end.network),
        },
        "writing": [{"fed": fed, "softmax": p.tolist(), "written": letter} for fed, p, letter in write(end.network, e)],
        "written": word(end.network, e), "autograd": compare(e), "chunks": chunks if e.border else None,
    }  # fmt: skip


def ambiguous(e: Example) -> Sequence[tuple[str, list[str]]]:
    """Letters after which different ones come, each with what comes, in order."""
    after: dict[str, list[str]] = {}
    for a, b in zip(e.read, e.next, strict=True):
        after.setdefault(a, []).append(b)
    return [(a, bs) for a, bs in after.items() if len(set(bs)) > 1]


def without_state(e: Example) -> float:
    """The least loss that a network without a state can have: it says each letter as often as it comes."""
    return sum(-float(np.log(bs.count(b) / len(bs))) for _, bs in ambiguous(e) for b in bs)


def twice(e: Example) -> tuple[int, int] | None:
    """The first two steps that read the same letter, of which different ones come next; None where there are none."""
    for t, later in combinations(range(len(e.read)), 2):
        if e.read[t] == e.read[later] and e.next[later] != e.next[t] and e.read[t] not in e.read[:t]:
            return t, later
    return None

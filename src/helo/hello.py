"""The lecture's example, number by number: a network of three hidden numbers learns to write "hello".

lesson(seed)      its four parts, line by line, as they are computed: forward, training, writing, autograd
numbers(seed)     the same as one object
written(seed)     what the trained network writes

The example is that of Stanford's CS231n and of Karpathy's "The unreasonable effectiveness of recurrent neural
networks". The cell is `helo.cells`' own; only its gradient, which torch takes elsewhere, is written out here by hand.
Letters are strings; one-hot they are the rows of (T, 4). A network is a dict: W_xh (3, 4), W_hh (3, 3), b (3),
W_hy (4, 3), b_y (4).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import cells, engines
from helo.cells.base import State, uniform
from helo.cells.functions import Array, log_softmax, namespace
from helo.errors import HeloError

Network = Mapping[str, Array]
Paint = Callable[[str, str], str]  # (text, role) -> text; roles: heading, faint, right

VOCABULARY = "helo"
READ, NEXT = "hell", "ello"  # what goes in, and what should come out
HIDDEN = 3
CELL = cells.find("rnn")
RATE, ENOUGH, MOST = 0.1, 0.1, 3000  # of a step, the loss at which it is learned, steps at most
REPORTED = frozenset(10 * 2**n for n in range(9))  # steps that get a line

# Chosen so that the scores, rounded to one digit, are those of the lecture's picture, and so that whoever works with
# the digits on the screen gets the very digits that follow: no rounding is carried along (the tests check both).
LECTURE: Network = {
    "W_xh": np.array([[0.1, 1.1, 0.1, 0.4], [0.1, 0.9, 1.2, -0.6], [1.3, 0.4, 0.9, -0.3]]),
    "W_hh": np.array([[-0.4, 0.5, 1.0], [-1.4, -0.8, -0.1], [-1.5, 0.1, -0.1]]),
    "b": np.array([0.2, -0.2, 0.2]),
    "W_hy": np.array([[0.5, -0.4, 0.8], [1.3, -2.7, 2.2], [-2.4, 0.8, -3.9], [1.2, -0.4, 4.2]]),
    "b_y": np.array([0.1, -0.4, 1.3, -0.1]),
}


# The mathematics


def ids(letters: str) -> list[int]:
    """Places in the vocabulary."""
    return [VOCABULARY.index(letter) for letter in letters]


def one_hot(letters: str) -> np.ndarray:
    """Letters as rows `(T, 4)`: 1 at the letter's place, 0 elsewhere."""
    return np.eye(len(VOCABULARY))[ids(letters)]


def forward(w: Network, letters: str, state: State | None = None) -> tuple[Array, Array, State]:
    """Letters through the network: states h `(T, 3)`, scores y `(T, 4)`, and the state to go on from.

    The same lines run on NumPy's arrays and on torch's tensors.
    """
    parameters = {"weight_ih": w["W_xh"], "weight_hh": w["W_hh"], "bias_ih": w["b"], "bias_hh": 0 * w["b"]}
    xs = engines.array(one_hot(letters), like=w["W_xh"])
    h, state = engines.scan(CELL, parameters, xs[None], state)
    return h[0], h[0] @ w["W_hy"].T + w["b_y"], state


def softmax(y: Array) -> Array:
    """Scores `(T, 4)` as probabilities."""
    return namespace(y).exp(log_softmax(y))


def losses(y: Array, right: str) -> Array:
    """-log p of the right letter at each step `(T,)`, from scores `(T, 4)`."""
    return -log_softmax(y)[list(range(len(right))), ids(right)]


def backward(w: Network, letters: str, right: str, h: np.ndarray, p: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient of the summed loss by every weight, by hand: backpropagation through time.

    h `(T, 3)` and p `(T, 4)` are the states and probabilities of the forward pass. Each d… has the shape of what it
    is the gradient by; the weights are the same at every step, so their gradients add up over the steps.
    """
    d = {name: np.zeros_like(value) for name, value in w.items()}
    x, target = one_hot(letters), one_hot(right)
    da = np.zeros(HIDDEN)  # nothing comes back from beyond the last step
    for t in reversed(range(len(letters))):
        before = h[t - 1] if t else np.zeros(HIDDEN)
        dy = p[t] - target[t]  # (4)  loss = -log softmax(y)[right]
        dh = w["W_hy"].T @ dy + w["W_hh"].T @ da  # (3)  h goes two ways: to y, and on to the step after, whose da it is
        da = (1 - h[t] ** 2) * dh  # (3)  h = tanh(a), and tanh' = 1 - tanh²
        d["W_hy"] += np.outer(dy, h[t])  # y = W_hy h + b_y
        d["b_y"] += dy
        d["W_xh"] += np.outer(da, x[t])  # a = W_xh x + W_hh h_before + b
        d["W_hh"] += np.outer(da, before)
        d["b"] += da
    return d


def autograd(w: Network, letters: str, right: str) -> dict[str, np.ndarray] | None:
    """The same gradient by torch, from the forward pass alone; None where torch is not installed."""
    try:
        import helo.engines.torch as engine
    except ImportError:
        return None
    tensors = {name: engine.array(value, like=engine.Tensor()).requires_grad_() for name, value in w.items()}
    _, y, _ = forward(tensors, letters)
    losses(y, right).sum().backward()
    return {name: tensor.grad.numpy() for name, tensor in tensors.items() if tensor.grad is not None}


def start(seed: int) -> Network:
    """A network that has learned nothing: the cell's own beginning, and small random weights for the scores."""
    if seed < 0:
        raise HeloError(str(seed), expected="a whole number from 0 up", where="--seed")
    rng = np.random.default_rng(seed)
    cell = {k: v.astype(np.float64) for k, v in CELL.init(rng, len(VOCABULARY), HIDDEN).items()}
    W_hy = uniform(rng, len(VOCABULARY), HIDDEN, HIDDEN**-0.5).astype(np.float64)
    return {
        "W_xh": cell["weight_ih"],
        "W_hh": cell["weight_hh"],
        "b": cell["bias_ih"] + cell["bias_hh"],
        "W_hy": W_hy,
        "b_y": np.zeros(len(VOCABULARY)),
    }


@dataclass(frozen=True)
class Moment:
    """Training after a number of steps: the network, its probabilities p `(4, 4)` and its loss."""

    step: int
    network: Network
    p: np.ndarray
    loss: float

    @property
    def learned(self) -> bool:
        # Each of the four is then more than 90 % sure and right, so that the most probable letters spell the word.
        return self.loss < ENOUGH

    @property
    def last(self) -> bool:
        return self.learned or self.step == MOST


def train(seed: int) -> Iterator[Moment]:
    """Adagrad, as in min-char-rnn: the larger a weight's gradients have been, the smaller its steps."""
    w = start(seed)
    memory = {name: np.zeros_like(value) for name, value in w.items()}
    for step in range(MOST + 1):
        h, y, _ = forward(w, READ)
        moment = Moment(step, w, softmax(y), float(losses(y, NEXT).sum()))
        yield moment
        if moment.last:
            return
        d = backward(w, READ, NEXT, h, moment.p)
        memory = {name: memory[name] + d[name] ** 2 for name in w}
        w = {name: w[name] - RATE * d[name] / np.sqrt(memory[name] + 1e-8) for name in w}


def write(w: Network, letter: str = READ[0], count: int = len(NEXT)) -> Iterator[tuple[str, np.ndarray, str]]:
    """Feed a letter, take the most probable one, feed that: (fed, p `(4,)`, written), with the state carried on."""
    state = None
    for _ in range(count):
        _, y, state = forward(w, letter, state)
        p = softmax(y)[0]
        fed, letter = letter, VOCABULARY[int(p.argmax())]
        yield fed, p, letter


def word(w: Network) -> str:
    """What a network writes when it is fed 'h', from the 'h' on."""
    return READ[0] + "".join(letter for _, _, letter in write(w))


def written(seed: int) -> str:
    """What the trained network writes."""
    *_, end = train(seed)
    return word(end.network)


# The lesson


def plain(text: str, role: str) -> str:
    """No colours."""
    return text


def lesson(seed: int, paint: Paint = plain) -> Iterator[str]:
    """The four parts, line by line, each line as soon as its numbers are there; none is wider than 80."""
    start(seed)  # so that a seed that cannot be is said before anything else
    yield from _idea(paint)
    yield from _forward(paint)
    end = yield from _training(seed, paint)
    yield from _writing(end.network, paint)
    yield from _autograd(paint)


def _idea(paint: Paint) -> Iterator[str]:
    yield paint("hello, number by number", "heading")
    yield ""
    yield "  A recurrent network reads one letter at a time and says which comes next."
    yield "  The state h, three numbers, is all that it remembers of the letters before."
    yield ""
    for formula, meaning in (
        ("h_t = tanh(W_xh·x_t + W_hh·h_{t-1} + b)", "the new state; h_0 is zeros"),
        ("y_t = W_hy·h_t + b_y", "a score for each letter"),
        ("p_t = softmax(y_t) = exp(y_t) / sum exp(y_t)", "the probability of each"),
        ("loss_t = -log p_t[the right letter]", "0 if it was sure, and right"),
    ):
        yield f"  {formula:44}   {paint(meaning, 'faint')}"


def _forward(paint: Paint) -> Iterator[str]:
    h, y, _ = forward(LECTURE, READ)
    p, loss = softmax(y), losses(y, NEXT)
    yield from _heading("1  Forward: what it says before it has learned anything", paint)
    yield f"  The vocabulary is [{', '.join(VOCABULARY)}]; an input is one-hot, 1 at its letter's place."
    yield "  With these weights the scores are the lecture's, rounded to one digit:"
    yield ""
    yield from _weights(paint)
    yield ""
    yield from _table(h, y, p, loss, paint)
    yield ""
    yield "  One number of each kind in full. Take the digits that are printed: they are"
    yield "  enough to get every digit that follows."
    for t in range(len(READ)):
        yield from _in_full(t, h, y, p, loss, paint)


def _weights(paint: Paint) -> Iterator[str]:
    w = LECTURE
    letters = "".join(f"{letter:>6}" for letter in VOCABULARY)
    yield paint(f"  W_xh {letters}     W_hh  h[0]  h[1]  h[2]        b", "faint")
    for i in range(HIDDEN):
        yield f"  {paint(f'h[{i}]', 'faint')} {_row(w['W_xh'][i])}         {_row(w['W_hh'][i])}   {w['b'][i]:6.1f}"
    yield paint("  W_hy   h[0]  h[1]  h[2]      b_y", "faint")
    for i, letter in enumerate(VOCABULARY):
        yield f"  {paint(f'y[{letter}]', 'faint')} {_row(w['W_hy'][i])}   {w['b_y'][i]:6.1f}"


def _row(values: np.ndarray, digits: int = 1, width: int = 6) -> str:
    """Numbers in columns; z, so that no zero has a sign."""
    return "".join(f"{value:z{width}.{digits}f}" for value in values)


def _table(h: np.ndarray, y: np.ndarray, p: np.ndarray, loss: np.ndarray, paint: Paint) -> Iterator[str]:
    """The lecture's picture: a column a step, from the letter that is read up to the loss."""

    def line(name: str, texts: list[str], letter: str = "") -> str:
        shown = [paint(text, "right") if NEXT[t] == letter else text for t, text in enumerate(texts)]
        return paint(f"  {name:10}", "faint") + "".join(shown)

    yield line("step t", [f"{t:>11}" for t in range(1, len(READ) + 1)])
    yield line("reads", [f"{letter:>11}" for letter in READ])
    yield line("x_t", [f"{_vector(x):>11}" for x in one_hot(READ)])
    for i in range(HIDDEN):
        yield line(f"h_t  [{i}]", [f"{value:z11.4f}" for value in h[:, i]])
    for i, letter in enumerate(VOCABULARY):
        yield line(f"y_t  [{letter}]", [f"{value:z11.3f}" for value in y[:, i]], letter)
    for i, letter in enumerate(VOCABULARY):
        yield line(f"p_t  [{letter}]", [f"{value:z11.4f}" for value in p[:, i]], letter)
    yield line("right", [paint(f"{letter:>11}", "right") for letter in NEXT])
    yield line("loss", [f"{value:z11.3f}" for value in loss]) + f"     sum {paint(f'{loss.sum():.3f}', 'heading')}"


def _vector(values: np.ndarray, digits: int = 0) -> str:
    return "[" + " ".join(f"{value:z.{digits}f}" for value in values) + "]"


def _in_full(t: int, h: np.ndarray, y: np.ndarray, p: np.ndarray, loss: np.ndarray, paint: Paint) -> Iterator[str]:
    """Step t, one number of each kind: of the state h[i], then score, probability and loss of the right letter."""
    w, letter, right = LECTURE, ids(READ[t])[0], ids(NEXT[t])[0]
    i = t % HIDDEN
    before = [(w["W_hh"][i, j], f"·{h[t - 1, j]:.4f}") for j in range(HIDDEN)] if t else []
    state = _sum([(w["W_xh"][i, letter], "·1"), *before, (w["b"][i], "")])
    score = _sum([*((w["W_hy"][right, j], f"·{h[t, j]:.4f}") for j in range(HIDDEN)), (w["b_y"][right], "")])
    share = "+".join(f"exp({value:.3f})" for value in y[t])
    yield ""
    yield paint(f"  step {t + 1} reads {READ[t]}, and {NEXT[t]} is right", "faint")
    for name, way, result in (
        (f"h[{i}]", f"tanh({state})", f"{h[t, i]:.4f}"),
        (f"y[{NEXT[t]}]", score, f"{y[t, right]:.3f}"),
        (f"p[{NEXT[t]}]", f"exp({y[t, right]:.3f})/({share})", f"{p[t, right]:.4f}"),
        ("loss", f"-log {p[t, right]:.4f}", f"{loss[t]:.3f}"),
    ):
        yield f"  {name} = {way:58} = {result:>7}"


def _sum(terms: list[tuple[float, str]]) -> str:
    """Terms weight·value as people write a sum: the sign of a weight joins it to the one before."""
    (weight, value), *others = terms
    joined = (f" {'-' if weight < 0 else '+'} {abs(weight):.1f}{value}" for weight, value in others)
    return f"{weight:.1f}{value}" + "".join(joined)


def _training(seed: int, paint: Paint) -> Generator[str, None, Moment]:
    """The lines of training; it returns the last moment."""
    yield from _heading("2  Training: the gradient, backwards through the four steps", paint)
    yield from _bptt(paint)
    yield ""
    yield "  'l' must give 'l' the first time and 'o' the second. The input is the same:"
    yield "  only the state tells them apart. With no state, half and half is the best"
    yield "  that these two allow, and the loss stays above 2·log 2 = 1.386."
    yield ""
    yield paint(f"  {f'random start, seed {seed}':26}p of the right letter", "faint")
    yield paint("  step     loss      h-e     e-l     l-l     l-o    fed 'h', it writes", "faint")
    moments = train(seed)
    end = next(moments)
    yield _report(end, paint)
    for end in moments:
        if end.last or end.step in REPORTED:
            yield _report(end, paint)
    h, _, _ = forward(end.network, READ)
    yield ""
    verdict = "Learned" if end.learned else "Not learned: try another --seed"
    yield f"  {verdict}. After the first 'l' and after the second:"
    for t in (2, 3):
        p = end.p[t, ids(NEXT[t])[0]]
        yield f"    x = {_vector(one_hot(READ)[t])}   h = [{_row(h[t], 2)[1:]}]   p({NEXT[t]}) = {p:.3f}"
    return end


def _bptt(paint: Paint) -> Iterator[str]:
    """The lines of `backward` and of `train`, as formulas, and one of them with its numbers."""
    yield "  for t = 4, 3, 2, 1:"
    for formula, meaning in (
        ("  dy = p_t - x_{t+1}", "what it said, minus what was right"),
        ("  dh = W_hy.T·dy + W_hh.T·da", "h_t feeds y_t, and step t+1, whose da it is"),
        ("  da = (1 - h_t²)·dh", "through tanh"),
        ("  dW_hy += dy·h_t.T", "and db_y += dy"),
        ("  dW_xh += da·x_t.T", "and dW_hh += da·h_{t-1}.T, db += da"),
        ("m += dW²,  W -= 0.1·dW / sqrt(m)", "then Adagrad, for every weight"),
    ):
        yield f"  {formula:33} {paint(meaning, 'faint')}"
    _, y, _ = forward(LECTURE, READ)
    dy = softmax(y)[0] - one_hot(NEXT)[0]
    yield ""
    yield f"  At step 1 above, dy = {_vector(dy, 2)}: more of e, and less of o"


def _report(moment: Moment, paint: Paint) -> str:
    right = "".join(f"{moment.p[t, i]:8.3f}" for t, i in enumerate(ids(NEXT)))
    text = word(moment.network)
    text = paint(text, "right") if text == READ[0] + NEXT else text
    return f"  {moment.step:4}  {moment.loss:7.3f} {right}    {text}"


def _writing(w: Network, paint: Paint) -> Iterator[str]:
    yield from _heading("3  Writing: the letter that it writes is the next that it reads", paint)
    yield paint("  fed" + "".join(f"{f'p({letter})':>8}" for letter in VOCABULARY) + "    written", "faint")
    text = READ[0]
    for fed, p, letter in write(w):
        text += letter
        numbers = [paint(f"{p[i]:8.3f}", "right") if VOCABULARY[i] == letter else f"{p[i]:8.3f}" for i in range(4)]
        yield f"  {fed:3}{''.join(numbers)}    {text}"
    yield ""
    yield f"  {paint(text, 'right')}"


def _autograd(paint: Paint) -> Iterator[str]:
    yield from _heading("4  The same gradient by autograd", paint)
    yield "  torch is given the forward pass alone and finds the gradient itself. At the"
    yield "  weights of part 1, beside the gradient by hand; what differs is rounding:"
    yield ""
    comparison = compare()
    if comparison is None:
        yield "  torch is not installed: pip install 'helo[train]' to see this part"
    else:
        yield paint("  parameter   shape   largest gradient   largest difference", "faint")
        for name, row in comparison.items():
            shape = " × ".join(map(str, row["shape"]))
            yield f"  {name:9} {shape:>7}   {row['gradient']:16.4f}   {row['difference']:18.1e}"
    yield ""
    yield paint("  The same cell on a text of your own: helo train lm TEXT --cell rnn", "faint")


def _heading(text: str, paint: Paint) -> Iterator[str]:
    yield ""
    yield paint(text, "heading")
    yield ""


# The numbers


def compare() -> dict[str, dict[str, Any]] | None:
    """By parameter, with the weights of part 1: its shape, the largest entry of its gradient, and the largest
    difference of the gradient by hand from torch's; None where torch is not installed.
    """
    theirs = autograd(LECTURE, READ, NEXT)
    if theirs is None:
        return None
    h, y, _ = forward(LECTURE, READ)
    ours = backward(LECTURE, READ, NEXT, h, softmax(y))
    return {
        name: {
            "shape": list(ours[name].shape),
            "gradient": float(abs(ours[name]).max()),
            "difference": float(abs(ours[name] - theirs[name]).max()),
        }
        for name in ours
    }


def numbers(seed: int) -> dict[str, Any]:
    """The whole lesson as one object of plain lists and numbers."""
    h, y, _ = forward(LECTURE, READ)
    loss = losses(y, NEXT)
    gradient = backward(LECTURE, READ, NEXT, h, softmax(y))
    *before, end = train(seed)
    return {
        "vocabulary": list(VOCABULARY),
        "read": list(READ),
        "next": list(NEXT),
        "weights": {name: value.tolist() for name, value in LECTURE.items()},
        "hidden": h.tolist(),
        "scores": y.tolist(),
        "softmax": softmax(y).tolist(),
        "losses": loss.tolist(),
        "loss": float(loss.sum()),
        "gradient": {name: value.tolist() for name, value in gradient.items()},
        "training": {
            "seed": seed,
            "steps": end.step,
            "learned": end.learned,
            "losses": [moment.loss for moment in (*before, end)],
            "weights": {name: value.tolist() for name, value in end.network.items()},
        },
        "writing": [{"fed": fed, "softmax": p.tolist(), "written": letter} for fed, p, letter in write(end.network)],
        "written": word(end.network),
        "autograd": compare(),
    }

"""What is printed: the five parts, line by line, none wider than a terminal of 80."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import numpy as np

from helo.hello import layout, network
from helo.hello.base import Example, inner, total
from helo.hello.layout import Paint, plain
from helo.hello.network import HELLO, MOST, BackwardStep, Paper, Progress

REPORTED = frozenset({0, *(10 * 2**n for n in range(9))})  # steps that get a line
STEPS = 5  # that stand side by side
LETTERS = 4  # of which a row each, or a vector, has room
FULL = 4  # steps of which one number of each kind is shown in full


def lesson(seed: int, paint: Paint = plain, e: Example = HELLO) -> Iterator[str]:
    """The five parts, line by line, each line as soon as its numbers are there."""
    network.start(e, seed)  # so that a seed that cannot be is said before anything else
    yield from _idea(e, paint)
    yield from _forward(e, paint)
    end = yield from _training(seed, e, paint)
    yield from _writing(end.network, e, paint)
    yield from _autograd(e, paint)
    yield from _chunks(e, paint)
    yield ""
    yield paint(f"  The same cell on a text of your own: helo train lm TEXT --cell {e.hand.name}", "faint")


# Part 1


def _idea(e: Example, paint: Paint) -> Iterator[str]:
    yield paint(f"{e.word}, number by number", "heading")
    yield ""
    yield "  A recurrent network reads one letter at a time and says which comes next."
    if e.hand.state == ("h",):
        yield f"  The state h, {NUMBERS[e.hand.hidden]} numbers, is all that it remembers of the earlier letters."
    else:
        yield f"  The state, h and c, {NUMBERS[e.hand.hidden]} numbers each, is all that it remembers."
    yield ""
    for formula, meaning in (
        *e.hand.formulas,
        ("y_t = W_hy·h_t + b_y", "a score for each letter"),
        ("p_t = softmax(y_t) = exp(y_t) / sum exp(y_t)", "the probability of each"),
        ("loss_t = -log p_t[the right letter]", "0 if it was sure and right"),
    ):
        yield f"  {formula:44}   {paint(meaning, 'faint')}"


NUMBERS = {2: "two", 3: "three"}


def _forward(e: Example, paint: Paint) -> Iterator[str]:
    paper = network.on_paper(e)
    yield from layout.heading("1  Forward: what it predicts before it has learned anything", paint)
    yield from layout.wrapped(
        f"The vocabulary is [{', '.join(e.vocabulary)}]; an input is one-hot, 1 at its letter's place."
    )
    if e.lecture:
        yield "  With these weights the scores are the lecture's, rounded to one digit:"
    else:
        yield "  These weights are random, each of one digit, so that you can follow on paper:"
    yield ""
    yield from _weights(e, paint)
    yield ""
    for first in range(0, len(e.read), STEPS):
        yield from _table(e, paper, slice(first, first + STEPS), paint)
        yield ""
    if e.lecture:
        yield "  One number of each kind in full. Take the digits that are printed: they are"
        yield "  enough to get every digit that follows."
    else:
        yield from layout.wrapped(
            "One number of each kind in full. Each is rounded to the digits that are printed, and these are carried on: "
            "so paper gives every digit that follows."
        )
    count = len(e.read)
    for t in range(count) if count <= FULL else (*range(FULL - 1), count - 1):
        yield from _in_full(e, t, paper, paint)


def _weights(e: Example, paint: Paint) -> Iterator[str]:
    """The weights, a row a letter where there are several maps, and a row a unit where there is one."""
    w, hidden = e.weights, e.hand.hidden
    units = [f"[{k}]" for k in range(hidden)]
    if e.hand.name == "rnn" and len(e.vocabulary) <= 6:
        letters = "".join(layout.right(letter, 6) for letter in e.vocabulary)
        yield paint(f"  W_xh {letters}     W_hh  h[0]  h[1]  h[2]        b", "faint")
        for i in range(hidden):
            row = f"{layout.row(w['W_xh'][i])}         {layout.row(w['W_hh'][i])}   {w['b'][i]:6.1f}"
            yield f"  {paint(f'h[{i}]', 'faint')} {row}"
    else:
        plain_rnn = e.hand.name == "rnn"
        names = [""] if plain_rnn else [n.removeprefix("W_") for n in w if n.startswith("W_") and n != "W_hy"]
        heads = "".join(f"{n + u if n else 'h' + u:>6}" for n in names for u in units)
        yield paint(f"  W     {heads}   by letter read", "faint")
        for i, letter in enumerate(e.vocabulary):
            row = "".join(layout.row(w[f"W_{n}" if n else "W_xh"][:, i]) for n in names)
            yield f"  {paint(layout.left(f'x[{letter}]', 6), 'faint')}{row}"
        for k in range(hidden):
            row = "".join(layout.row(w[f"R_{n}" if n else "W_hh"][:, k]) for n in names)
            yield f"  {paint(f'h[{k}]', 'faint')}  {row}   {'W_hh' if plain_rnn else 'R'}"
        yield f"  {paint('b', 'faint')}     {''.join(layout.row(w[f'b_{n}' if n else 'b']) for n in names)}"
        if "b_m" in w:
            yield f"  {paint('b_m', 'faint')}   {layout.row(w['b_m'])}"
    yield paint(f"  W_hy {''.join(layout.right(f'h{u}', 6) for u in units)}      b_y", "faint")
    for i, letter in enumerate(e.vocabulary):
        yield f"  {paint(f'y[{letter}]', 'faint')} {layout.row(w['W_hy'][i])}   {w['b_y'][i]:6.1f}"


def _table(e: Example, paper: Paper, some: slice, paint: Paint) -> Iterator[str]:
    """The lecture's picture: a column a step, from the letter that is read up to the loss."""
    steps, right = range(len(e.read))[some], e.next[some]

    def line(name: str, texts: Sequence[str], letter: str = "") -> str:
        columns = [paint(text, "right") if right[t] == letter else text for t, text in enumerate(texts)]
        return paint(f"  {layout.left(name, 10)}", "faint") + "".join(columns)

    yield line("step t", [f"{t + 1:>11}" for t in steps])
    yield line("reads", [layout.right(e.read[t], 11) for t in steps])
    if len(e.vocabulary) <= LETTERS:
        yield line("x_t", [f"{layout.vector(x):>11}" for x in e.one_hot(e.read)[some]])
    for name in e.hand.parts:
        for i in range(e.hand.hidden):
            yield line(f"{name}_t  [{i}]", [f"{paper.steps[t][name][i]:z11.4f}" for t in steps])
    for i, letter in enumerate(e.vocabulary):
        yield line(f"y_t  [{letter}]", [f"{value:z11.3f}" for value in paper.y[some, i]], letter)
    if not e.few:
        yield line("sum exp(y)", [f"{value:z11.4f}" for value in paper.sums[some]])
    for i, letter in enumerate(e.vocabulary):
        yield line(f"p_t  [{letter}]", [f"{value:z11.4f}" for value in paper.p[some, i]], letter)
    yield line("right", [paint(layout.right(letter, 11), "right") for letter in right])
    whole = paint(f"{paper.loss.sum():.3f}", "heading")
    last, room = steps[-1] == len(e.read) - 1, len(steps) < STEPS
    yield line("loss", [f"{value:z11.3f}" for value in paper.loss[some]]) + (
        f"     sum {whole}" if last and room else ""
    )
    if last and not room:
        yield f"  {paint('sum of loss', 'faint')}     {whole}"


def _in_full(e: Example, t: int, paper: Paper, paint: Paint) -> Iterator[str]:
    """Step t, one number of each kind: of the state's, then score, probability and loss of the right letter."""
    w, read, right = e.weights, e.ids(e.read)[t], e.ids(e.next)[t]
    now, y = paper.steps[t], paper.y[t]
    score = total([*inner(w["W_hy"], right, now["h"]), (w["b_y"][right], "")])
    share = f"({'+'.join(f'exp({value:.3f})' for value in y)})" if e.few else f"{paper.sums[t]:.4f}"
    yield ""
    yield paint(f"  step {t + 1} reads {e.read[t]}, and {e.next[t]} is right", "faint")
    working = e.hand.working(w, read, paper.steps[t - 1] if t else None, now, t % e.hand.hidden)
    rows = [(name, formula, f"{value:z.4f}") for name, formula, value in working]
    rows += [
        (f"y[{e.next[t]}]", score, f"{y[right]:z.3f}"),
        (f"p[{e.next[t]}]", f"exp({y[right]:.3f})/{share}", f"{paper.right[t]:.4f}"),
        ("loss", f"-log {paper.right[t]:.4f}", f"{paper.loss[t]:z.3f}"),
    ]
    width = max(layout.width(name) for name, _, _ in rows)
    for name, formula, result in rows:
        yield f"  {layout.left(name, width)} = {formula:{62 - width}} = {result:>7}"


# Part 2


def _training(seed: int, e: Example, paint: Paint) -> Generator[str, None, Progress]:
    """The lines of training; it returns how it ended."""
    steps = {1: "one step", 4: "four steps"}.get(len(e.read), f"{len(e.read)} steps")
    yield from layout.heading(f"2  Training: the gradient, backwards through the {steps}", paint)
    yield from _bptt(e, paint)
    yield ""
    yield from _need(e)
    yield ""
    if not e.lecture:
        yield f"  The network that is trained has {e.units} units; {NUMBERS[e.hand.hidden]} are enough on paper."
        yield ""
    side = len(e.read) <= STEPS
    yield paint(f"  {f'random start, seed {seed}':26}p of the right letter", "faint")
    pairs = "".join(layout.right(f"{a}-{b}", 8) for a, b in zip(e.read, e.next, strict=True)) if side else "   least"
    yield paint(f"  step     loss {pairs}    fed '{e.letters[0]}', it writes", "faint")
    end = None
    for end in network.train(seed, e):
        if end.last or end.step in REPORTED:
            yield _report(end, e, side, paint)
    assert end is not None
    h, _, _ = network.forward(end.network, e, e.read)
    yield ""
    verdict = "Learned" if end.learned else f"Not learned in {MOST:,} steps: try another --seed"
    twice = network.twice(e)
    if twice is None:
        yield f"  {verdict}."
        return end
    first, later = twice
    second = e.read[: later + 1].count(e.read[later]) == 2
    yield f"  {verdict}. After the first '{e.read[first]}' and after {'the second' if second else f'the one at step {later + 1}'}:"
    for t in twice:
        p = end.p[t, e.ids(e.next)[t]]
        x = f"x = {layout.vector(e.one_hot(e.read)[t])}   " if len(e.vocabulary) <= LETTERS else ""
        units = layout.row(h[t][:5], 2)[1:] + (" ..." if len(h[t]) > 5 else "")
        yield f"    {x}h = [{units}]   p({e.next[t]}) = {p:.3f}"
    return end


def _need(e: Example) -> Iterator[str]:
    """Why a state is needed for this word."""
    if e.lecture:
        yield "  'l' must give 'l' the first time and 'o' the second. The input is the same:"
        yield "  only the state tells them apart. With no state, half and half is the best"
        yield "  that these two allow, and the loss stays above 2·log 2 = 1.386."
        return
    several = network.ambiguous(e)
    if not several:
        yield "  No letter of it is followed by different ones: it could do without a state."
        return
    letter, after = several[0]
    letters = ", ".join(f"'{b}'" for b in after)
    yield from layout.wrapped(
        f"'{letter}' must give {letters}, in this order. The input is the same: only the state "
        f"tells them apart. With no state the loss stays above {network.without_state(e):.3f}: the best is then to say each "
        "as often as it comes."
    )


def _bptt(e: Example, paint: Paint) -> Iterator[str]:
    """The lines of the steps backwards and of training, as formulas, and one of them with its numbers."""
    steps = [str(t) for t in range(len(e.read), 0, -1)]
    yield f"  for t = {', '.join(steps if len(steps) <= 8 else [*steps[:3], '...', '1'])}:"
    formulas = ("dy = p_t - x_{t+1}", "what it predicted, minus what was right"), *e.hand.back_formulas
    width = max(31, *(len(formula) for formula, _ in formulas))
    for formula, meaning in formulas:
        yield f"    {formula:{width}} {paint(meaning, 'faint')}".rstrip()
    yield f"  {'m += dW²,  W -= 0.1·dW / sqrt(m)':{width + 2}} {paint('then Adagrad, for every weight', 'faint')}"
    steps_back: list[BackwardStep] = []
    network.backward(e.weights, e, steps_back=steps_back)
    yield ""
    yield "  At the weights of part 1:"
    yield ""
    yield from _back(e, [("", name, steps_back) for name in steps_back[0].numbers], paint)
    dy = steps_back[-1].numbers["dy"]
    yield ""
    most = e.vocabulary[int(dy.argmax())]
    if len(e.vocabulary) <= LETTERS:
        yield f"  At step 1, dy = {layout.vector(dy, 2)}: more of {e.next[0]}, and less of {most}"


def _report(progress: Progress, e: Example, side: bool, paint: Paint) -> str:
    right = progress.p[np.arange(len(e.next)), e.ids(e.next)]
    columns = "".join(f"{p:8.3f}" for p in (right if side else [right.min()]))
    text = network.word(progress.network, e)
    text = paint(text, "right") if text == e.word else text
    return f"  {progress.step:4}  {progress.loss:7.3f} {columns}    {text}"


# Parts 3 and 4


def _writing(w: network.Network, e: Example, paint: Paint) -> Iterator[str]:
    yield from layout.heading("3  Writing: each letter that it writes is the next one it reads", paint)
    few = len(e.vocabulary) <= LETTERS
    heads = [f"p({letter})" for letter in e.vocabulary] if few else ["p"]
    yield paint("  fed" + "".join(layout.right(head, 8) for head in heads) + "    written", "faint")
    text = e.letters[0]
    for fed, p, letter in network.write(w, e):
        text += letter
        at = e.vocabulary.index(letter)
        columns = range(len(p)) if few else [at]
        shares = [paint(f"{p[i]:8.3f}", "right") if i == at else f"{p[i]:8.3f}" for i in columns]
        yield f"  {layout.left(fed, 3)}{''.join(shares)}    {text}"
    yield ""
    yield f"  {paint(text, 'right')}"


def _autograd(e: Example, paint: Paint) -> Iterator[str]:
    yield from layout.heading("4  The same gradient by autograd", paint)
    yield "  torch is given the forward pass alone and finds the gradient itself. At the"
    yield "  weights of part 1, next to the gradient by hand; the difference is rounding:"
    yield ""
    comparison = network.compare(e)
    if comparison is None:
        yield "  torch is not installed: pip install 'helo[train]' to see this part"
        return
    yield paint("  parameter   shape   largest gradient   largest difference", "faint")
    for name, row in comparison.items():
        shape = " × ".join(map(str, row["shape"]))
        yield f"  {name:9} {shape:>7}   {row['gradient']:16.4f}   {row['difference']:18.1e}"


# Part 5


def _chunks(e: Example, paint: Paint) -> Iterator[str]:
    """The cut of truncated backpropagation, with the numbers that do not come across it."""
    yield from layout.heading("5  The cut at a chunk's border: truncated backpropagation", paint)
    if not e.border:
        yield "  A word of two letters is read in one step, so it has no border."
        return
    border, state = e.border, e.hand.state
    first, second = "".join(e.read[: e.border]), "".join(e.read[e.border :])
    yield from layout.wrapped(
        "A long text is read chunk by chunk. The state goes on across a border; the gradient does not. Here "
        f"'{first}' is one chunk and '{second}' the next: the losses are the same as above, but what comes after step "
        f"{border} has no effect on what came before."
    )
    yield ""
    cut = network.truncated(e)
    whole, chunks = cut.whole_steps, cut.chunks_steps
    at = len(e.read) - border  # the last step stands first
    title = f"gradient at step {border}"
    yield paint(f"  {title:23} {'the whole word':>25} {'two chunks':>25}", "faint")
    rows = [("dh from y_t: W_hy.T·dy", whole[at].y, chunks[at].y)]
    rows += [(f"d{name} from step {border + 1}", whole[at].later[name], chunks[at].later[name]) for name in state]
    rows += [("dh, the sum", whole[at].numbers["dh"], chunks[at].numbers["dh"])]
    for name, one, other in rows:
        yield f"  {name:23} {layout.vector(one, 4):>25} {layout.vector(other, 4):>25}"
    yield ""
    yield from _back(e, [("whole", "dh", whole), ("chunks", "dh", chunks)], paint)
    yield ""
    yield paint("  parameter   entry     whole word  =  two chunks  +  lost    lost of all", "faint")
    for name, value in cut.lost.items():
        place = np.unravel_index(abs(value).argmax(), value.shape)
        where = f"[{','.join(map(str, place))}]"
        numbers = f"{cut.whole[name][place]:z12.4f}  = {cut.chunks[name][place]:z12.4f}  + {value[place]:z8.4f}"
        yield f"  {name:9} {where:>7}   {numbers}   {cut.share(name):10.0%}"
    yield ""
    yield from layout.wrapped(
        "W_hy and b_y lose nothing: they have no part in the past. The rest learns from what lies at most "
        f"{max(border, len(e.read) - border) - 1} steps back; what the state carries further it only uses."
    )
    comparison = network.compare(e, border)
    if comparison is not None:
        most = max(row["difference"] for row in comparison.values())
        yield f"  autograd, with the state detached there, differs by {most:.1e} at most."


def _back(e: Example, rows: Sequence[tuple[str, str, Sequence[BackwardStep]]], paint: Paint) -> Iterator[str]:
    """Numbers of the steps backwards, a column a step: (what is added to the name, name, the steps, the last first)."""
    count = len(e.read)
    for first in range(0, count, STEPS):
        steps = range(first, min(count, first + STEPS))
        if first:
            yield ""
        yield paint(layout.left("  step t", 20) + "".join(f"{t + 1:>11}" for t in steps), "faint")
        for what, name, steps_back in rows:
            places = e.vocabulary if name == "dy" else range(e.hand.hidden)
            for k, place in enumerate(places):
                numbers = "".join(f"{steps_back[count - 1 - t].numbers[name][k]:z11.4f}" for t in steps)
                yield f"  {paint(layout.left(f'{name}_t [{place}] {what}'.rstrip(), 18), 'faint')}{numbers}"

"""Dynamic evaluation: the weights go on learning from text that has been scored already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helo.engines.device import Device
from helo.errors import HeloError
from helo.runs import Run
from helo.tasks.score import Score, protocol

RATE = 3e-4  # of a step, in units of each weight's usual gradient
DECAY = 0.01  # share of the way back to the trained weights that an average weight goes in a step
FLOOR = 0.1  # of the average usual gradient: weights that hardly ever have one do not jump when they do


def dynamic_evaluation(run: Run, files: Sequence[str | Path] = ()) -> dict[str, Any]:
    """Figures of a language model that, after each chunk is scored, takes one step on that chunk.

    Source: Krause, Kahembwe, Murray and Renals, Dynamic evaluation of neural sequence models, 2018: the step of each
    weight is divided by the root mean square of its gradients, and weights go back towards those that were trained,
    the faster the larger that root is. Here the mean squares are those of the text read so far, not of the training
    text, so that the run folder is enough. Every symbol is scored before anything is learned from it. The run itself
    is not changed.
    """
    task = run.task
    symbols, start = task.text(run.about["data"], files)
    if len(symbols) - start < 2:
        raise HeloError("a text of one symbol", expected="at least two: the second is predicted from the first")
    device = Device.here(precision="float32")  # steps are small beside the weights
    trained = {n: device.own(p) for n, p in run.parameters.items()}
    live = {n: p.clone().requires_grad_() for n, p in trained.items()}
    squares = {n: torch.zeros_like(p) for n, p in trained.items()}
    chunk, state, total = task.options.chunk, None, Score()
    for seen, at in enumerate(range(start, len(symbols) - 1, chunk), 1):
        window = symbols.take(np.array([at]), min(chunk, len(symbols) - 1 - at) + 1)
        loss, score, state = task.evaluate_batch(live, window, state)
        total += score
        state = tuple(tuple(s.detach() for s in layer) for layer in state)
        loss.backward()
        _learn(live, trained, squares, seen)
    return total.figures(protocol() + ", learning from each chunk once it is scored")


@torch.no_grad()
def _learn(live: dict[str, Tensor], trained: dict[str, Tensor], squares: dict[str, Tensor], seen: int) -> None:
    """One step of each weight from its gradient, and a little way back."""
    for name, p in live.items():
        if p.grad is None:  # no gradient ever comes there
            continue
        squares[name].addcmul_(p.grad, p.grad)
        usual = (squares[name] / seen).sqrt_()
        average = usual.mean() + 1e-12
        p.add_((trained[name] - p) * (DECAY * usual / average).clamp_(max=0.5))
        p.addcdiv_(p.grad, usual + FLOOR * average, value=-RATE)
        p.grad = None

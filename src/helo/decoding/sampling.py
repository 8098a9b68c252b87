"""Choosing the next symbol by chance, and going on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from helo.errors import wrap
from helo.options import Bounds, checked


@dataclass(frozen=True)
class Choice:
    """How the next symbol is chosen. The defaults write freely, without falling into loops or into noise."""

    temperature: Annotated[
        float,
        "0 takes the most likely symbol; 1 samples from the model's probabilities; above 1 is more random",
        Bounds(0, sys.float_info.max),
    ] = 0.8
    top_k: Annotated[int, "sample from the K most likely symbols (0: all)", Bounds(0, 2**63 - 1)] = 0
    top_p: Annotated[
        float, "sample from the most likely symbols that make up P of the probability", Bounds(0, 1, above=True)
    ] = 1.0
    min_p: Annotated[
        float, "leave out symbols less than P times as likely as the most likely one", Bounds(0, 1, below=True)
    ] = 0.02

    def __post_init__(self):
        checked(self)

    def pick(self, scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One symbol a row, `(rows,)`, from scores `(rows, symbols)` in nats up to a constant.

        top-k (Fan et al. 2018), top-p (Holtzman et al. 2020) and min-p (Nguyen et al. 2024) are taken of the
        probabilities after the temperature, each of what the one before left.
        """
        scores = scores.astype(np.float64)
        if self.temperature == 0:
            return scores.argmax(-1)
        with np.errstate(over="ignore"):  # by the least temperatures: minus infinity is what is meant
            p = np.exp((scores - scores.max(-1, keepdims=True)) / self.temperature)
        p /= p.sum(-1, keepdims=True)
        if self.top_k and self.top_k < p.shape[-1]:
            least = np.partition(p, -self.top_k, -1)[:, -self.top_k, None]
            p = np.where(p >= least, p, 0)
        if self.top_p < 1:
            order = np.argsort(-p, -1, kind="stable")
            ranked = np.take_along_axis(p, order, -1) / p.sum(-1, keepdims=True)
            kept = np.cumsum(ranked, -1) - ranked < self.top_p
            p = np.where(np.take_along_axis(kept, np.argsort(order, -1, kind="stable"), -1), p, 0)
        if self.min_p:
            p = np.where(p >= self.min_p * p.max(-1, keepdims=True), p, 0)
        reach = np.cumsum(p, -1)
        drawn = rng.random(len(p))[:, None] * reach[:, -1:]
        return np.minimum((reach <= drawn).sum(-1), p.shape[-1] - 1)


def generator(seed: int | None) -> np.random.Generator:
    """What draws; from chance itself without a seed. Raises HeloError for a seed below 0."""
    with wrap(ValueError, f"{seed}", expected="0 or more", where="--seed"):
        return np.random.default_rng(seed)


def write(
    step: Callable[[np.ndarray], np.ndarray], last: np.ndarray, length: int, choice: Choice, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Symbols, `(rows,)` at a time: each is chosen from the scores `(rows, symbols)` that `step` gives for the one
    before, beginning with `last`.
    """
    for _ in range(length):
        last = choice.pick(step(last), rng)
        yield last

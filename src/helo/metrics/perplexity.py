"""What a language model pays for a text."""

from __future__ import annotations

import math

import numpy as np

from helo.metrics.base import Metric


class Perplexity(Metric):
    """Statistics `(4,)`: nats, symbols, and the characters and bytes that they stand for. Score: nats and perplexity per symbol;
    bits per character and per byte, which can be compared between units.
    """

    kinds = ("surprise",)
    figures = ("nats", "bits_per_character", "bits_per_byte", "perplexity")
    higher_is_better = False

    def statistics(self, answers, references):
        return np.array([answers.sum(), len(answers), *references.sum(0)], np.float64)

    def score(self, sums):
        nats, symbols, characters, width = map(float, sums)
        bits = nats / math.log(2)
        return {
            "nats": nats / symbols,
            "bits_per_character": bits / max(1, characters),
            "bits_per_byte": bits / max(1, width),
            "perplexity": math.exp(min(700.0, nats / symbols)),
        }

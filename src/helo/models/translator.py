"""A translator: source → vectors → recurrent layers, both ways → memory, and a summary for the decoder to start from"""

from __future__ import annotations

from typing import Any

import numpy as np

from helo import engines
from helo.cells.functions import namespace
from helo.layers import part, stack, under, variational_dropout
from helo.models.base import Parameters
from helo.models.encoder_decoder import EncoderDecoder, Memory


class Translator(EncoderDecoder):
    """Both sides share the embedding. options: those of the decoder, and layers of the encoder."""

    def init(self, rng):
        o, size = self.options, self.symbols
        half = o.hidden // 2
        parameters = {"embedding": rng.standard_normal((size, o.embedding)).astype(np.float32)}
        body = stack.init(rng, self.cell, o.layers, o.embedding, half, bidirectional=True)
        return parameters | under("reader.recurrent", body) | self.decoder(rng, 2 * half)

    def memory(self, parameters: Parameters, batch: Any, noise: Any = None) -> Memory:
        """What the encoder leaves: outputs, keys, 1 or 0 a place `(batch, places, …)`, and the summary `(batch, hidden)`."""
        o, lengths = self.options, batch["lengths"]
        xs = variational_dropout(engines.embedding(parameters["embedding"], batch["ids"]), o.dropout / 2, noise)
        xs = stack.read(self.cell, o.layers, part(parameters, "reader.recurrent"), xs, lengths, True, noise, o.dropout)
        xp = namespace(xs)
        half = xs.shape[2] // 2
        ends = xp.broadcast_to((lengths - 1)[:, None, None], (xs.shape[0], 1, xs.shape[2]))
        summary = xp.concat([xp.take_along_axis(xs, ends, axis=1)[:, 0, :half], xs[:, 0, half:]], axis=-1)
        xs = variational_dropout(xs, o.dropout / 2, noise)
        return self.remembered(parameters, xs, stack.mask(xs, lengths)[..., 0], summary)

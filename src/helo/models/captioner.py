"""A captioner: picture → image network → regions → memory, and their mean for the decoder to start from and to see at
every word (Show and Tell, Vinyals et al. 2015; Show, Attend and Tell, Xu et al. 2015)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from helo import encoders
from helo.cells.functions import namespace
from helo.encoders import Encoder
from helo.layers import dropped, part, under
from helo.models.base import Parameters
from helo.models.encoder_decoder import EncoderDecoder, Memory, matrix


class Captioner(EncoderDecoder):
    """options: those of the decoder, and encoder, finetune."""

    attention_size = 128  # there are many regions to compare with, and few kinds of them

    @property
    def encoder(self) -> Encoder:
        """The image network."""
        return encoders.find(self.options.encoder)

    @property
    def learns_pictures(self) -> bool:
        """Whether the image network is a part of the model."""
        return self.options.finetune or not isinstance(self.encoder, encoders.Trained)

    @property
    def _learned(self) -> encoders.Learned:
        assert isinstance(self.encoder, encoders.Learned)
        return self.encoder

    def init(self, rng):
        o, encoder = self.options, self.encoder
        parameters = {"embedding": rng.standard_normal((self.symbols, o.embedding)).astype(np.float32)}
        if self.learns_pictures:
            parameters |= under("encoder", self._learned.init(rng))
        for name in ("regions", "whole") if o.attention == "soft" else ("whole",):
            parameters[f"{name}.dense"] = matrix(rng, o.hidden, encoder.width)
            parameters[f"{name}.bias"] = np.zeros(o.hidden, np.float32)
        if o.attention == "soft":  # what a network sees in a region need not say where the region is
            parameters["regions.places"] = matrix(rng, encoder.places, o.hidden)
        parameters["glance.dense"] = matrix(rng, o.embedding, o.hidden)
        return parameters | self.decoder(rng, o.hidden)

    def memory(self, parameters: Parameters, batch: Any, noise: Any = None) -> Memory:
        """What the decoder looks at: regions, and the whole, each `(pictures, places, hidden)`."""
        o = self.options
        if self.learns_pictures:
            xs = self._learned.forward(part(parameters, "encoder"), batch["pixels"])
        else:
            xs = batch["features"]
        xp = namespace(xs)
        whole = _level(xp.mean(xs, axis=1))
        summary = xp.tanh(dropped(whole, o.dropout / 2, noise) @ parameters["whole.dense"].T + parameters["whole.bias"])
        outputs = summary[:, None]
        if o.attention == "soft":
            seen = dropped(_level(xs), o.dropout / 2, noise)
            placed = parameters["regions.bias"] + parameters["regions.places"]
            outputs = xp.tanh(seen @ parameters["regions.dense"].T + placed)
        return self.remembered(parameters, outputs, xp.ones_like(outputs[..., 0]), summary)


def _level(xs: Any) -> Any:
    """Vectors over their root mean square: image networks differ in scale, and pictures in contrast."""
    xp = namespace(xs)
    return xs / xp.sqrt(xp.mean(xs * xs, axis=-1, keepdims=True) + 1e-6)

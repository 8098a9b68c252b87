"""Any image network in an ONNX file, run by onnxruntime, with what it wants to see in a small TOML beside it.

net.onnx with net.toml, every line of which may be left out:

    side = 224                       # pixels a side; else as the file says
    mean = [0.485, 0.456, 0.406]     # taken off each colour, which runs from 0 to 1
    std = [0.229, 0.224, 0.225]      # and what is left is divided by this
    layout = "nchw"                  # or "nhwc"; else as the file says
    output = "last_hidden_state"     # which output; else the first
    skip = 1                         # of a vision transformer: so many tokens before the regions
    fit = "crop"                     # the square in a picture's middle; else "squeeze", all of it

An output `(pictures, width)` is one vector a picture, `(pictures, width, rows, columns)` a map, `(pictures, places,
width)` a sequence of regions: so a person brings CLIP or DINO.
"""

from __future__ import annotations

import hashlib
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from helo.encoders.base import Trained
from helo.errors import HeloError, nearest, place, wrap


def _three(v: Any) -> bool:
    return isinstance(v, list) and len(v) == 3 and all(isinstance(x, int | float) for x in v)


TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
KINDS = {
    "side": (lambda v: isinstance(v, int) and v > 0, "a number of pixels"),
    "mean": (_three, "three numbers"),
    "std": (lambda v: _three(v) and all(v), "three numbers, none of them 0"),
    "layout": (lambda v: v in ("nchw", "nhwc"), "nchw or nhwc"),
    "output": (lambda v: isinstance(v, str), "the name of an output"),
    "skip": (lambda v: isinstance(v, int) and v >= 0, "a number of tokens"),
    "fit": (lambda v: v in ("squeeze", "crop"), "squeeze or crop"),
}


class Onnx(Trained):
    """A network that is only asked, never trained."""

    suffix = ".onnx"

    def __init__(self, name):
        super().__init__(name)
        self.file = Path(name)
        with place(self.file):
            if not self.file.is_file():
                raise HeloError("no such file", expected="an image network as ONNX")
        self.settings = self._settings()
        self.fit = self.settings.get("fit", "squeeze")
        shape = self._shape()
        self.at_once = (
            shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
        )  # some take so many, no other number
        self.layout = self.settings.get("layout") or ("nhwc" if shape[-1] == 3 else "nchw")
        inner = [s for s in (shape[2:] if self.layout == "nchw" else shape[1:3]) if isinstance(s, int) and s > 1]
        self.side = int(self.settings.get("side") or (inner[0] if inner else 224))
        self._maps = self.encode(np.zeros((1, self.side, self.side, 3), np.uint8)).shape
        self.width = self._maps[2]
        self.rows = round(self._maps[1] ** 0.5)
        if self.rows**2 != self._maps[1]:
            raise HeloError(
                f"{self._maps[1]} regions", expected="a square grid of them",
                mend="skip = 1 in the TOML leaves out a class token", where=name,
            )  # fmt: skip

    @property
    def identity(self):
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(self.file.read_bytes() + repr(sorted(self.settings.items())).encode())
        return f"onnx-{digest.hexdigest()[:16]}"

    def _settings(self) -> dict[str, Any]:
        beside = self.file.with_suffix(".toml")
        if not beside.exists():
            return {}
        with place(beside):
            with wrap((tomllib.TOMLDecodeError, UnicodeDecodeError), "not TOML:"):
                found = tomllib.loads(beside.read_text(encoding="utf-8"))
            for key in found:
                if key not in KINDS:
                    raise HeloError(f"no setting {key!r}", expected=f"some of {', '.join(KINDS)}")
            for key, (right, what) in KINDS.items():
                if key in found and not right(found[key]):
                    raise HeloError(f"{key} = {found[key]!r}", expected=what)
            return found

    @cached_property
    def _session(self) -> Any:
        with wrap(ImportError, "an ONNX file needs onnxruntime", mend="pip install 'helo[onnx]'"):
            import onnxruntime
        with place(self.file), wrap(Exception, "not a network that onnxruntime can read:"):  # the runtime's own kinds
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            return onnxruntime.InferenceSession(str(self.file), options, providers=["CPUExecutionProvider"])

    def _shape(self) -> list[Any]:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            shapes = ", ".join(f"{i.name} {i.shape}" for i in inputs)
            raise HeloError(f"inputs {shapes}", expected="one input, of pictures", where=self.file)
        if inputs[0].type not in TYPES:
            raise HeloError(f"an input {inputs[0].type}", expected=", ".join(TYPES), where=self.file)
        self.type = TYPES[inputs[0].type]
        output, known = self.settings.get("output"), [o.name for o in self._session.get_outputs()]
        if output is not None and output not in known:
            where = str(self.file.with_suffix(".toml"))
            raise HeloError(f"no output {output!r}", mend=nearest(output, known), where=where)
        return inputs[0].shape

    def encode(self, pixels):
        mean, std = (np.float32(self.settings.get(k, d)) for k, d in (("mean", MEAN), ("std", STD)))
        xs = (pixels.astype(np.float32) / 255 - mean) / std
        xs = xs.transpose(0, 3, 1, 2) if self.layout == "nchw" else xs
        if self.at_once is not None and len(xs) != self.at_once:
            padded = np.concatenate([pixels, np.zeros((-len(xs) % self.at_once, *pixels.shape[1:]), np.uint8)])
            cuts = range(0, len(padded), self.at_once)
            return np.concatenate([self.encode(padded[i : i + self.at_once]) for i in cuts])[: len(xs)]
        session, output = self._session, self.settings.get("output")
        with place(self.file), wrap(Exception, f"the network cannot read pictures {self.side} pixels wide:"):
            given = {session.get_inputs()[0].name: xs.astype(self.type)}
            found = session.run([output] if output else None, given)[0].astype(np.float32)
        if found.ndim == 2:
            return found[:, None]
        if found.ndim == 4:  # maps, channels first as the pictures came, or last
            found = found if self.layout == "nchw" else found.transpose(0, 3, 1, 2)
            return found.reshape(*found.shape[:2], -1).transpose(0, 2, 1)
        if found.ndim != 3:
            raise HeloError(f"an output of shape {list(found.shape)}", expected="one of two to four axes",
                            mend='choose another with output = "NAME" in the TOML', where=self.name)  # fmt: skip
        return found[:, int(self.settings.get("skip", 0)) :]


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's

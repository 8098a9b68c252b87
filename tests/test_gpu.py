"""On a CUDA device: the same laws and the same training. Where there is none, these say so and are skipped."""

from __future__ import annotations

import numpy as np
import pytest

import helo
from helo import cells, engines

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]


@pytest.mark.parametrize("name", cells.names())
def test_scan_on_the_device_is_the_reference(name):
    cell = cells.find(name)
    rng = np.random.default_rng(0)
    parameters = cell.init(rng, 5, 16)
    xs = rng.standard_normal((3, 33, 5)).astype(np.float32)
    outputs, state = engines.scan(cell, parameters, xs)
    there = {n: torch.from_numpy(p).cuda() for n, p in parameters.items()}
    ours, last = engines.scan(cell, there, torch.from_numpy(xs).cuda())
    np.testing.assert_allclose(ours.cpu().numpy(), outputs, atol=2e-3)  # TF32 in the products
    for a, b in zip(last, state, strict=True):
        np.testing.assert_allclose(a.cpu().numpy(), b, atol=2e-3)


def test_training_on_the_device_is_training(tmp_path, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog.\n" * 200)
    losses = {}
    for device in ("cpu", "cuda"):
        run = helo.train("lm", text, out=tmp_path / device, steps=60, hidden=32, device=device, precision="float32")
        losses[device] = run.figures["nats"]
    assert losses["cuda"] == pytest.approx(losses["cpu"], abs=0.1)


def test_bfloat16_is_chosen_where_the_device_has_it():
    from helo.training.machine import precision

    native = torch.cuda.get_device_capability()[0] >= 8
    assert (precision("auto", torch.device("cuda")) == torch.bfloat16) == native

"""On a CUDA device: the same laws and the same training. Where there is none, these say so and are skipped."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # products that come out alike each time

import helo
from fixtures import stopped
from helo import cells, engines
from helo.engines.device import Device
from test_device import made

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]

TASKS = ["lm", "classify", "tag", "translate", "caption"]
SMALL = {"hidden": 16, "embedding": 8}
PEEPHOLE = f"{Path(__file__).parents[1] / 'benchmarks' / 'peephole.py'}:Peephole"


@pytest.mark.parametrize("lengths", [None, [33, 1, 0]])
@pytest.mark.parametrize("name", cells.names())
def test_scan_on_the_device_is_the_reference_in_value_and_gradient(name, lengths):
    cell = cells.find(name)
    rng = np.random.default_rng(0)
    parameters = cell.init(rng, 5, 16)
    xs = rng.standard_normal((3, 33, 5)).astype(np.float32)
    found = []
    for device in ("cpu", "cuda"):
        own = {n: torch.from_numpy(p.copy()).to(device).requires_grad_() for n, p in parameters.items()}
        some = None if lengths is None else torch.tensor(lengths, device=device)
        for _ in range(2):  # the second time the weights lie as the kernel wants them
            outputs, state = engines.scan(cell, own, torch.from_numpy(xs).to(device), None, some)
        (outputs.square().sum() + sum(s.sum() for s in state)).backward()
        found.append([outputs, *state, *(p.grad for p in own.values())])
    for ours, theirs in zip(*found, strict=True):
        a, b = ours.detach().numpy(), theirs.detach().cpu().numpy()
        np.testing.assert_allclose(b, a, atol=2e-3 * max(1, np.abs(a).max()))  # TF32 in the products


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("task", TASKS)
def test_every_task_trains_goes_on_and_answers(task, precision, tmp_path, monkeypatch):
    """Stopped and gone on with it is as never stopped, with kernels that come out alike each time."""
    files, options = made(task, tmp_path)
    options = SMALL | options | {"steps": 24, "precision": precision}
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of kernels that have no such form
            whole = helo.train(task, files, out=tmp_path / "whole", **options)
            stopped(monkeypatch, 13, lambda: helo.train(task, files, out=tmp_path / "broken", **options))
            broken = helo.train(task, files, out=tmp_path / "broken", resume=True, **options)
            figures = broken.evaluate()
    finally:
        torch.use_deterministic_algorithms(False)
    for name, p in whole.parameters.items():
        np.testing.assert_allclose(broken.parameters[name], p, atol=1e-6, err_msg=name)
    for name, value in broken.figures.items():
        wanted = pytest.approx(value, abs=1e-4) if isinstance(value, float) else value
        assert figures[name] == wanted, name
    if task == "lm":
        assert len(broken.sample("the ", 10, seed=1)) == 10
    else:
        shown = (
            broken.task.source.recorded(broken.task, broken.about["data"])
            if task == "caption"
            else broken.examples(files)
        )
        assert len(broken.predict(shown)) == len(shown)


@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of what it imports itself
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "task, cell", [*((t, "lstm") for t in TASKS), *(("lm", c) for c in cells.names()), ("lm", PEEPHOLE)]
)
def test_a_captured_step_is_the_plain_one(task, cell, precision, tmp_path, monkeypatch):
    files, options = made(task, tmp_path)
    options = SMALL | options | {"steps": 30, "precision": precision, "cell": cell}
    captured = helo.train(task, files, out=tmp_path / "captured", **options)
    monkeypatch.setattr("helo.engines.device.SEEN", 1 << 30)  # none is captured
    plain = helo.train(task, files, out=tmp_path / "plain", **options)
    for name, p in plain.parameters.items():
        scale = max(1e-2, np.abs(p).max())
        off = np.abs(captured.parameters[name] - p).max() / scale
        # Sums in another order, of which Adam makes whole steps where a gradient is nearly nothing.
        assert off < (0.02 if precision == "float32" else 0.2), (name, off)
    nats = [[r["loss"] for r in reports(run)] for run in (captured, plain)]
    np.testing.assert_allclose(*nats, rtol=0.02 if precision == "float32" else 0.1)


def reports(run):
    from helo.runs.folder import metrics

    return metrics(run.path / "metrics.jsonl")


@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_a_step_of_a_language_model_waits_for_nothing(cell, tmp_path):
    from helo.training.loop import Training

    files, options = made("lm", tmp_path)
    before, count = Training.step, 0

    def step(self):
        nonlocal count
        count += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it may not see all
            torch.cuda.set_sync_debug_mode("error" if count > 8 else "default")
        try:
            before(self)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "step", step)
        helo.train("lm", files, out=tmp_path / "run", **SMALL | options | {"steps": 30, "cell": cell})
    assert count == 30


def test_from_the_processor_to_the_device_and_back(tmp_path, monkeypatch):
    files, options = made("lm", tmp_path)
    options = SMALL | options | {"steps": 40, "precision": "float32"}
    stopped(monkeypatch, 11, lambda: helo.train("lm", files, out=tmp_path / "run", device="cpu", **options))
    go_on = options | {"resume": True, "device": "cuda"}
    stopped(monkeypatch, 11, lambda: helo.train("lm", files, out=tmp_path / "run", **go_on))
    run = helo.train("lm", files, out=tmp_path / "run", **go_on | {"device": "cpu"})
    assert run.about["finished"]
    assert run.about["steps"] == 40
    alone = helo.train("lm", files, out=tmp_path / "alone", device="cpu", **options)
    assert run.figures["nats"] == pytest.approx(alone.figures["nats"], abs=0.1)


def test_training_on_the_device_is_training(tmp_path):
    files, options = made("lm", tmp_path)
    losses = {}
    for device in ("cpu", "cuda"):
        run = helo.train("lm", files, out=tmp_path / device, device=device,
                         **SMALL | options | {"steps": 60, "hidden": 32, "precision": "float32"})  # fmt: skip
        losses[device] = run.figures["nats"]
    assert losses["cuda"] == pytest.approx(losses["cpu"], abs=0.1)


def test_bfloat16_is_chosen_where_the_device_has_it():
    native = torch.cuda.get_device_capability()[0] >= 8
    assert (Device.here().precision == torch.bfloat16) == native


def test_recurrent_on_the_device(tmp_path):
    """Lengths may lie on either side, and nothing is packed anew in each call: a warning is an error here."""
    model = helo.nn.Recurrent("lstm", 5, 16, num_layers=2, bidirectional=True).cuda()
    xs = torch.randn(3, 7, 5, device="cuda")
    for lengths in (None, torch.tensor([7, 3, 1]), torch.tensor([7, 3, 1], device="cuda")):
        outputs, _ = model(xs, lengths=lengths)
        outputs.sum().backward()
        assert outputs.shape == (3, 7, 32)

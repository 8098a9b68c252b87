"""Training on a device apart, without one: on a stand-in whose tensors refuse to become NumPy arrays."""

from __future__ import annotations

import json

import numpy as np
import pytest

import helo
from fixtures import stopped
from helo import engines
from helo.engines.device import Device
from helo.training import schedule, step
from standin import TYPE, stand_in
from test_pictures import album
from test_shapes import CASES

torch = pytest.importorskip("torch")

SMALL = {"steps": 12, "precision": "float32", "hidden": 8, "embedding": 8}
READS = {"_local_scalar_dense", "_to_copy"}  # a number, numbers


@pytest.fixture
def apart(monkeypatch):
    """The stand-in is the device that training finds."""
    device = Device(torch.device(TYPE, 0), torch.float32)
    monkeypatch.setattr(Device, "here", classmethod(lambda cls, *asked, **more: device))
    monkeypatch.setattr(engines, "_accelerated", lambda: True)
    with stand_in() as counting:
        yield counting


def made(task, folder):
    """Files of a task and what else is said of them."""
    if task == "lm":
        (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 60)
        return folder / "text.txt", {"streams": 4, "chunk": 16}
    if task == "caption":
        return album(folder, 12), {"images": (str(folder / "pictures"),), "encoder": "thumbnail"}
    case = {"classify": "words", "tag": "spans", "translate": "pairs"}.get(task, task)
    _, make, options, _ = CASES[case]
    return make(folder), options


@pytest.mark.parametrize("task", ["lm", "classify", "tag", "translate", "caption"])
def test_every_task_trains_goes_on_and_answers(task, tmp_path, monkeypatch, apart):
    files, options = made(task, tmp_path)
    options = SMALL | options | {"steps": 12}
    whole = helo.train(task, files, out=tmp_path / "whole", **options)
    assert apart.calls > 1000
    stopped(monkeypatch, 7, lambda: helo.train(task, files, out=tmp_path / "broken", **options))
    broken = helo.train(task, files, out=tmp_path / "broken", **options | {"resume": True})
    for name, p in whole.parameters.items():
        assert (broken.parameters[name] == p).all()
    figures = broken.evaluate()
    for name, value in whole.figures.items():
        assert figures[name] == pytest.approx(value) if isinstance(value, float) else figures[name] == value
    there = broken.evaluate([files] if task not in ("caption",) else [])
    assert there.keys() >= {"nats"} if task == "lm" else there
    if task == "lm":
        assert helo.dynamic_evaluation(broken)["nats"] < figures["nats"]
        assert len(broken.sample("the ", 10, seed=1)) == 10
    else:
        shown = (
            broken.task.source.recorded(broken.task, broken.about["data"])
            if task == "caption"
            else broken.examples(files)
        )
        assert len(broken.predict(shown)) == len(shown)


@pytest.mark.parametrize("task", ["lm", "classify", "tag"])
def test_a_step_waits_for_nothing(task, tmp_path, monkeypatch, apart):
    """More steps, as many reports: nothing more is read. In validation everything is read in one wait."""
    monkeypatch.setattr(step, "READ_SECONDS", 1e6)  # between two looks for whoever watches
    files, options = made(task, tmp_path)
    waits = []
    for steps in (20, 60):
        apart.blocking.clear()
        helo.train(task, files, out=tmp_path / f"{steps}", **SMALL | options | {"steps": steps, "save_seconds": 1e6})
        assert set(apart.blocking) <= READS, apart.blocking
        waits.append(apart.blocking.total())
    assert waits[0] == waits[1]


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("words", "spans", "pairs")])
def test_every_form_of_input(case, tmp_path, apart):
    task, make, options, _ = CASES[case]
    helo.train(task, make(tmp_path), out=tmp_path / "run", **SMALL | options | {"steps": 6})
    assert set(apart.blocking) <= READS, apart.where


@pytest.mark.parametrize(
    "cell", ["lstm", "mingru"]
)  # of rnn and gru torch turns a tensor in place, which a tensor over another cannot follow
def test_every_cell_computes_as_on_the_processor(cell, tmp_path, apart):
    files, options = made("lm", tmp_path)
    there = helo.train("lm", files, out=tmp_path / "there", **SMALL | options | {"cell": cell, "dropout": 0.0})
    with pytest.MonkeyPatch.context() as patch:
        here = Device(torch.device("cpu"), torch.float32)
        patch.setattr(Device, "here", classmethod(lambda cls, *asked, **more: here))
        run = helo.train("lm", files, out=tmp_path / "here", **SMALL | options | {"cell": cell, "dropout": 0.0})
    for name, p in run.parameters.items():
        np.testing.assert_allclose(there.parameters[name], p, atol=2e-5, err_msg=name)


def test_begun_on_one_device_and_gone_on_with_on_another(tmp_path, monkeypatch, apart):
    files, options = made("lm", tmp_path)
    options = SMALL | options
    stopped(monkeypatch, 7, lambda: helo.train("lm", files, out=tmp_path / "run", **options))
    here = Device(torch.device("cpu"), torch.float32)
    monkeypatch.setattr(Device, "here", classmethod(lambda cls, *asked, **more: here))
    run = helo.train("lm", files, out=tmp_path / "run", **options | {"resume": True})
    assert run.about["finished"]
    assert len((run.path / "metrics.jsonl").read_text().splitlines()) <= schedule.VALIDATIONS


def test_a_loss_that_is_none_is_found_before_anything_is_kept(tmp_path, apart):
    files, options = made("lm", tmp_path)
    with pytest.raises(helo.HeloError, match="nan|inf"):
        helo.train(
            "lm",
            files,
            out=tmp_path / "run",
            **SMALL | options | {"steps": 200, "rate": 1e6, "adam_rate": 1e6, "clip": 1e30},
        )
    kept = tmp_path / "run" / "weights.safetensors"
    reports = (tmp_path / "run" / "metrics.jsonl").read_text() if (tmp_path / "run" / "metrics.jsonl").exists() else ""
    assert all(np.isfinite(json.loads(line)["loss"]) for line in reports.splitlines())
    assert not kept.exists() or all(np.isfinite(p).all() for p in helo.load(tmp_path / "run").parameters.values())


def test_minutes_there_are_worth_wide_layers_and_no_more_passes_than_teach(tmp_path, apart):
    files, _ = made("lm", tmp_path)
    run = helo.train("lm", files, out=tmp_path / "run", minutes=0.2, chunk=4, embedding=8, precision="float32")
    assert run.about["options"]["hidden"] == 512
    assert run.about["options"]["dropout"] <= 0.5
    assert run.about["finished"]
    from helo.tasks import find
    from helo.tasks.base import Budget

    task = find("lm").read([files], [], find("lm").Options(), tmp_path)
    task.infer_defaults(Budget(symbols=1e9))
    assert (task.options.hidden, task.options.dropout, task.recipe.max_epochs) == (512, 0.5, 40)
    task = find("lm").read([files], [], find("lm").Options(), tmp_path)
    task.infer_defaults(Budget(symbols=13 * task.split))
    assert task.options.dropout == 0.35


def test_features_of_pictures_are_computed_there(apart):
    from helo import encoders

    network = type(encoders.find("efficientnet-lite0"))("efficientnet-lite0")  # not the one that is kept for all tests
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    network.encode(pixels[:1])  # it goes there once
    apart.blocking.clear()
    there = network.encode(pixels)
    assert apart.blocking.total() == 1
    with torch.no_grad():
        xs = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127.0) / 128.0
        here = network.network.extract_features(xs).flatten(2).mT.numpy()
    np.testing.assert_allclose(there, here, atol=1e-4)

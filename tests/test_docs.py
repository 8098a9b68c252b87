"""The documentation is true: pages made from the code are current, examples run, and the steps of CONTRIBUTING work."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import helo
from helo import cells, encoders, inputs, metrics, tasks
from helo.data import readers, vocab
from helo.inspection import properties

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def typed(*words: str, cwd: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HELO_DATA": str(cwd / "store")} | (
        {"PYTHONPATH": str(path)} if path else {}
    )
    return subprocess.run(
        [sys.executable, "-m", "helo", *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=300
    )


def made_pages() -> dict[Path, str]:
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make.pages()


def test_pages_made_from_the_code_are_current():
    for page, text in made_pages().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name} is old: python docs/make.py"


def test_everything_registered_is_documented():
    cells_page, training = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("cells.md", "training.md"))
    for name in cells.names():
        assert f"## {name}\n" in cells_page
    for name in vocab.names():
        assert f"`{name}`" in training
    for name in tasks.names():
        assert f"helo train {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def public() -> Iterator[tuple[str, object]]:
    """What `__all__` of each module names, and the class of everything registered."""
    yield from ((f"helo.{name}", getattr(helo, name)) for name in helo.__all__)
    for module in pkgutil.walk_packages(helo.__path__, "helo."):
        if module.name.rpartition(".")[2].startswith("__"):
            continue
        try:
            room = importlib.import_module(module.name)
        except helo.HeloError:  # it needs a package that is not installed
            continue
        if not hasattr(room, "__all__"):
            continue
        for name in room.__all__:
            yield f"{module.name}.{name}", getattr(room, name)
    for room in (cells, encoders, inputs, metrics, properties, readers, tasks, vocab):
        for name in room.names():
            found = room.find(name)
            yield f"{room.__name__} {name}", found if inspect.isclass(found) else type(found)


def documented(name: str, thing: object) -> Iterator[str]:
    """What of a name has no docstring: itself, or, of a class, a public member that no base class describes either."""
    if not (inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)):
        return
    said = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    if not said or said.startswith(f"{getattr(thing, '__name__', '')}("):  # what dataclass writes by itself
        yield name
    for key in vars(thing) if inspect.isclass(thing) else ():
        member = getattr(thing, key)
        known = inspect.isroutine(member) or isinstance(member, property)
        if known and not key.startswith("_") and not inspect.getdoc(member):
            yield f"{name}.{key}"


def test_every_public_name_has_a_docstring():
    lacking = [found for name, thing in public() for found in documented(name, thing)]
    assert not lacking


def test_links_of_the_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_links_into_the_glossary_lead_to_a_word_of_it():
    words = re.findall(r"^## (.*)$", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.M)
    assert words == sorted(words)
    for page in PAGES:
        for word in re.findall(r"\]\([^)#]*glossary\.md#([^)]*)\)", page.read_text(encoding="utf-8")):
            assert word in [w.replace(" ", "-") for w in words], f"{page.name} links to {word}"


@pytest.mark.parametrize("page", ["python.md", "sklearn.md"])
def test_python_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(ROOT / "docs" / page, "python"):
        exec(compile(block, page, "exec"), names)


def test_the_install_of_the_readme_brings_what_every_shape_and_demo_needs():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    def packages(extra: str) -> set[str]:
        found = set()
        for line in extras[extra]:
            if own := re.match(r"helo\[(.*)\]", line):
                found |= {p for e in own[1].split(",") for p in packages(e)}
            else:
                found.add(re.split(r"[><=]", line)[0])
        return found

    assert ".[train]" in (ROOT / "README.md").read_text(encoding="utf-8")
    needed = {"torch", "matplotlib", "tokenizers", "sacrebleu", "scikit-learn", "babel", "pillow"}
    assert needed <= packages("train")
    named = {e for f in (ROOT / "src").rglob("*.py") for es in re.findall(r"helo\[([a-z,]+)\]", f.read_text("utf-8")) for e in es.split(",")}  # fmt: skip
    assert named <= set(extras)


def commands() -> list[tuple[str, list[str]]]:
    """Every line `helo …` of the pages, on a small budget; what needs several processes or a minute is left out."""
    found = []
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["helo"] and words[1] not in ("demo", "hello") and "FILES..." not in words:
                    found.append((page.name, words[1:]))
    return found


def test_commands_of_the_pages_run(tmp_path):
    (tmp_path / "novel.txt").write_text("It was the best of times, it was the worst of times.\n" * 100)
    (tmp_path / "reviews.tsv").write_text("text\tlabel\n" + "a good film\tpos\na bad one\tneg\n" * 20)
    rows = "".join(f"{30 + 7 * i},{i % 4},{90 + 20 * i},{400 + 9 * i}\n" for i in range(20))
    for name in ("flats.csv", "new.csv"):
        (tmp_path / name).write_text("size,floor,price,rent\n" + rows)
    (tmp_path / "usual.log").write_text(
        "".join(f"job {i} ended\n" for i in range(2000))
    )  # a tenth is enough for a threshold
    (tmp_path / "new.log").write_text("job 7 ended\njob 8 exploded\n")
    (tmp_path / "photos").mkdir()
    for i in range(4):
        Image.new("RGB", (20, 20), (60 * i, 90, 30)).save(tmp_path / "photos" / f"{i}.png")
    shutil.copy(tmp_path / "photos" / "0.png", tmp_path / "photo.jpg")
    (tmp_path / "captions.txt").write_text("".join(f"{i}.png#0\ta plain square\n" for i in range(4)))
    (tmp_path / "reviews.ft").write_text("__label__pos a good film\n__label__neg a bad one\n" * 20)
    for block in blocks(ROOT / "docs" / "extending.md", "python"):
        (tmp_path / block.split()[1]).write_text(block, encoding="utf-8")
    assert len(commands()) >= 5
    for page, words in commands():
        several = words[0] in ("compare", "sweep") and words[1] in tasks.names()
        if words[0] == "train" or several:
            for flag, few in (("--seeds", "2"), ("--trials", "2")) if several else ():
                if flag in words:
                    words = [*words, flag, few]
            if "--minutes" in words:
                at = words.index("--minutes")
                del words[at : at + 2]
            if "--resume" not in words:
                words = [*words, "--steps", "3"]
            if "--watch" in words and "--no-browser" not in words:
                words = [*words, "--no-browser"]
        if words[0] == "watch" and not {"--terminal", "--json"} & set(words):
            continue  # until Ctrl-C
        done = typed(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{page}: helo {' '.join(words)}: {done.stderr[-300:]}"


NEW_CELL = '''
"""A unit that leaks."""

from __future__ import annotations

from dataclasses import dataclass

from helo.cells.base import Cell, uniform, zeros
from helo.cells.functions import namespace


@dataclass(frozen=True)
class Leaky(Cell):
    """hₜ = a hₜ₋₁ + (1 - a) tanh(W xₜ)"""

    leak: float = 0.9

    def init(self, rng, inputs, hidden):
        return {"weight": uniform(rng, hidden, inputs, inputs**-0.5)}

    def state(self, parameters, batch):
        return (zeros(parameters, "weight", batch, parameters["weight"].shape[0]),)

    def step(self, parameters, state, x):
        h = self.leak * state[0] + (1 - self.leak) * namespace(x).tanh(x @ parameters["weight"].T)
        return (h,), h
'''


@pytest.mark.slow
def test_the_steps_of_contributing_add_a_cell(tmp_path):
    """One new file in the room, and nothing else: it is found, held to the laws, and trained."""
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "src/helo/cells/" in contributing
    assert "helo check NAME" in contributing
    shutil.copytree(ROOT / "src" / "helo", tmp_path / "src" / "helo", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "src" / "helo" / "cells" / "leaky.py").write_text(NEW_CELL, encoding="utf-8")
    (tmp_path / "text.txt").write_text("hello world, " * 200)
    checked = typed("check", "leaky", cwd=tmp_path, path=tmp_path / "src")
    assert checked.returncode == 0, checked.stdout[-500:] + checked.stderr[-500:]
    words = ("train", "lm", "text.txt", "--cell", "leaky", "--steps", "3", "--out", "run")
    trained = typed(*words, cwd=tmp_path, path=tmp_path / "src")
    assert trained.returncode == 0, trained.stderr[-500:]


def test_decisions_have_the_headings_of_their_template():
    headings = re.findall(r"\*\*(\w+)\.\*\*", (ROOT / "docs" / "decisions" / "0000-template.md").read_text())
    for page in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        if page.name != "0008-other-libraries.md":
            assert re.findall(r"\*\*(\w+)\.\*\*", page.read_text(encoding="utf-8")) == headings, page.name

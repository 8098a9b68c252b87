"""Build the site: `python docs/build.py`, then open build/site/html/index.html; it needs no network and no server.

A chapter (docs/lecture/*.md) is run as it is read, in a folder of its own:

    a fence `console`           every line that begins with `$ ` is run by bash; what it says is put below it
    a fence that begins `# NAME.EXT`   is written to that file
    code that begins with `$ `  is run, and stands for what it says: a number in a sentence
    a link to a file that the commands made   takes the file, a picture say, into the site

A command that fails ends the build. What a chapter said is kept in build/lecture under a name made of all that it
depends on, so that a chapter is run again only where it, or helo, has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

DOCS = Path(__file__).parent.resolve()
ROOT = DOCS.parent
LECTURE = DOCS / "lecture"
RUN = re.compile(r"^```(?P<language>\w*)\n(?P<block>.*?)^```$|`\$ (?P<inline>[^`\n]+)`", re.M | re.S)
NAMED = re.compile(r"# ([\w.-]+\.\w+)\n")
LINK = re.compile(r"(\]\()([^)#:\s]+)(?=\))")


def shell(command: str, folder: Path) -> str:
    """What a command says, on both of its streams, run in the folder as a person would type it there."""
    here = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    said = {"PATH": here, "PYTHONPATH": str(ROOT / "src"), "HELO_DATA": "data", "COLUMNS": "100"}
    quiet = {"NO_COLOR": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | said | quiet,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"$ {command}\n{done.stdout}\nended with {done.returncode}")
    return done.stdout.replace(f"{folder}/", "")


def executed(chapter: Path, folder: Path) -> str:
    """The text of a chapter with what its commands said, and beside the folder's files those that it links to."""

    def ran(match: re.Match[str]) -> str:
        if match["inline"]:
            return shell(match["inline"], folder).strip()
        if name := NAMED.match(match["block"]):
            (folder / name[1]).write_text(match["block"][name.end() :], encoding="utf-8")
        if match["language"] != "console":
            return match[0]
        lines = []
        for command in re.findall(r"^\$ (.*(?:\n> .*)*)", match["block"], re.M):
            typed = f"$ {command}\n"
            lines.append(typed + shell(command.replace("\n> ", "\n"), folder).rstrip("\n"))
        text = "\n".join(line.rstrip() for line in lines)
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        return f"{fence}console\n{text}\n{fence}"

    return RUN.sub(ran, chapter.read_text(encoding="utf-8"))


def key(chapter: Path) -> str:
    """A name of all that a chapter's output depends on."""
    parts = [chapter.read_bytes(), Path(__file__).read_bytes(), platform.python_version().encode()]
    parts += [importlib.metadata.version(name).encode() for name in ("numpy", "torch")]
    parts += [p.read_bytes() for p in sorted((ROOT / "src").rglob("*.py"))]
    parts += [p.read_bytes() for p in sorted(LECTURE.iterdir()) if p.suffix == ".txt"]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def run(chapter: Path, kept: Path) -> Path:
    """The folder that holds chapter.md, executed, and files/, what it made."""
    place = kept / f"{chapter.stem}-{key(chapter)}"
    if not place.exists():
        with tempfile.TemporaryDirectory() as made:
            files = Path(made).resolve() / chapter.stem
            files.mkdir()
            for given in LECTURE.glob("*.txt"):
                shutil.copy(given, files)
            text = executed(chapter, files)
            new = kept / f".{place.name}"
            shutil.rmtree(new, ignore_errors=True)
            (new / "files").mkdir(parents=True)
            for _, link in LINK.findall(text):
                if (files / link).is_file():
                    (new / "files" / link).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(files / link, new / "files" / link)
            (new / "chapter.md").write_text(text, encoding="utf-8")
            for old in kept.glob(f"{chapter.stem}-*"):
                shutil.rmtree(old)
            new.rename(place)
    return place


def build(out: Path, jobs: int) -> Path:
    """Run the chapters, build the site, and give its first page."""
    source, kept = out / "source", ROOT / "build" / "lecture"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copy(DOCS / "conf.py", source)
    chapters = sorted(LECTURE.glob("[0-9]*.md"), reverse=True)  # the later ones take longer
    with ThreadPoolExecutor(jobs) as pool:
        for chapter, place in zip(chapters, pool.map(lambda c: run(c, kept), chapters), strict=True):
            shutil.copytree(place / "files", source / "lecture" / chapter.stem)
            text = (place / "chapter.md").read_text(encoding="utf-8")
            made = {link for _, link in LINK.findall(text) if (place / "files" / link).is_file()}
            for link in made:
                text = text.replace(f"]({link})", f"]({chapter.stem}/{link})")
            (source / "lecture" / chapter.name).write_text(text, encoding="utf-8")
    index = source / "index.md"
    text = index.read_text(encoding="utf-8")
    new = [p.stem for p in sorted(source.glob("*.md")) if p != index and not re.search(rf"^{p.stem}$", text, re.M)]
    index.write_text(
        re.sub("^python$", "\n".join([*new, "python"]), text, flags=re.M), encoding="utf-8"
    )  # among the guides
    html = out / "html"
    shutil.rmtree(html, ignore_errors=True)
    words = ["-b", "html", "-W", "--keep-going", "-n", "-q", "-j", str(jobs), "-E", "-d", str(out / "doctrees")]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words, str(source), str(html)])
    if done.returncode:
        raise SystemExit(done.returncode)
    return html / "index.html"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the chapters and build the site.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", help="where [build/site]")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="chapters run at a time [the cores]")
    asked = parser.parse_args()
    print(build(asked.out.resolve(), asked.jobs))

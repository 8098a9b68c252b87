"""The site: built from the chapters with every command run, whole, and in need of nothing that lies elsewhere."""

from __future__ import annotations

import html.parser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

for name in ("sphinx", "furo", "myst_parser"):
    pytest.importorskip(name)

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "docs" / "lecture").glob("[0-9]*.md"))
LOADED = {"src", "srcset", "data", "poster"}  # attributes that a browser fetches by itself; href of <link> too

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built; a warning, or a command that fails, ends the build."""
    out = tmp_path_factory.mktemp("site")
    built = subprocess.run([sys.executable, ROOT / "docs" / "build.py", "--out", out], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    return out / "html"


class Page(html.parser.HTMLParser):
    def __init__(self, path: Path):
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.names.add(value or "")
            elif name in LOADED or (tag == "link" and name == "href"):
                self.loaded.append(value or "")
            elif name == "href":
                self.links.append(value or "")


def elsewhere(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https", "ftp") or address.startswith("//")


def test_every_link_and_anchor_of_the_site_leads_somewhere(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > len(CHAPTERS) + 10
    for path, page in pages.items():
        for address in [*page.links, *page.loaded]:
            parts = urlsplit(address)
            if parts.scheme or not address:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {address}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].names, f"{path.name}: {address}"


def test_nothing_of_the_site_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        assert not [a for a in Page(path).loaded if elsewhere(a)], path.name
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", text)
        assert not [a for a in found if elsewhere(a)], path.name


def typed(text: str) -> list[str]:
    """The commands of a chapter, in order."""
    blocks = re.findall(r"^(`{3,})console\n(.*?)^\1$", text, re.M | re.S)
    return [command for _, block in blocks for command in re.findall(r"^\$ (.*)", block, re.M)]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_command_of_a_chapter_was_run_and_exercises_have_solutions(site, chapter):
    source, ran = (p.read_text("utf-8") for p in (chapter, site.parent / "source" / "lecture" / chapter.name))
    assert len(typed(source)) >= 3
    assert typed(ran) == typed(source)
    assert "`$ " not in ran
    assert len(re.findall(r"^\*\*[123]\.\*\* ", source, re.M)) == 3
    assert source.count("<details><summary>Solution</summary>") == 3
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", ran):
        assert (site.parent / "source" / "lecture" / picture).is_file()


def test_the_lecture_is_whole_and_its_first_page_names_each_chapter(site):
    first = (site / "index.html").read_text(encoding="utf-8")
    for chapter in CHAPTERS:
        assert f"lecture/{chapter.stem}.html" in first


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium")
def test_the_search_finds_from_a_folder(site):
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    address = f"{(site / 'search.html').as_uri()}?q=softmax"
    ran = subprocess.run(
        [*words, "--virtual-time-budget=5000", "--dump-dom", address], capture_output=True, text=True, timeout=120
    )
    assert 'href="lecture/2-hello.html' in ran.stdout

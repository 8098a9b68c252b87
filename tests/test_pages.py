"""The pages in a real browser: nothing is asked of anyone, nothing fails, and they can be read and used by everybody.

They need Debian's `chromium` on the path; where there is none they are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import fixtures
from helo.pages import page as made

api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
BROWSER = shutil.which("chromium")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium")
PHONE, DESK = {"width": 390, "height": 800}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def browser():
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


def said(*words: Any) -> None:
    done = fixtures.helo_command(*words)
    assert done.code == 0, done.err


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each kind of page, of a small model."""
    folder = tmp_path_factory.mktemp("pages")
    run, text = fixtures.trained(), folder / "text.txt"
    text.write_text(fixtures.prose(3000), encoding="utf-8")
    reviews = folder / "reviews.tsv"
    rows = (f"{'good fine' if i % 2 else 'bad poor'} thing {i % 7}\t{'pos' if i % 2 else 'neg'}\n" for i in range(60))
    reviews.write_text("text\tlabel\n" + "".join(rows), encoding="utf-8")
    said("train", "classify", reviews, "--steps", 5, "--out", folder / "reviews", "--quiet")
    out = {name: folder / f"{name}.html" for name in KINDS}
    said("inspect", run, text, "--out", out["inspect"], "--quiet")
    said("inspect", folder / "reviews", reviews, "--out", out["classify"], "--quiet")
    said("explain", folder / "reviews", reviews, "--out", out["explain"], "--quiet")
    said("score", run, text, "--out", out["score"], "--quiet")
    said("gradients", run, text, "--out", out["gradients"], "--quiet")
    said("compare", run, run, "--out", out["compare"], "--quiet")
    sales = folder / "sales.csv"
    rows = "".join(f"{2015 + i // 12}-{1 + i % 12:02},{100 + i % 12},{7 * (i % 5)},{i},{-i}\n" for i in range(60))
    sales.write_text("month,north,south,east,west\n" + rows, encoding="utf-8")
    said("train", "forecast", sales, "--horizon", 6, "--steps", 5, "--hidden", 8, "--out", folder / "sales", "--quiet")
    said("predict", folder / "sales", sales, "--out", out["forecast"], "--quiet")
    return out


KINDS = ("inspect", "classify", "explain", "score", "gradients", "compare", "forecast")


@contextmanager
def opened(browser: Any, address: str, size: Any = DESK, **context: Any) -> Iterator[Any]:
    """A page whose every request but its own, and every word on the console, is an error."""
    around = browser.new_context(viewport=size, **context)
    page, trouble = around.new_page(), []
    page.on("console", lambda m: trouble.append(f"console: {m.text}"))
    page.on("pageerror", lambda e: trouble.append(f"error: {e}"))
    own = address.split("#")[0].rsplit("/", 1)[0]
    page.on("request", lambda r: None if r.url.startswith((own, "data:")) else trouble.append(f"asks for {r.url}"))
    page.goto(address, wait_until="load")
    yield page
    around.close()
    assert not trouble, trouble


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nothing_is_asked_for_and_it_fits(browser, pages, kind, size):
    with opened(browser, pages[kind].as_uri(), size) as page:
        assert page.title()
        assert page.locator("h1").inner_text()
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{wide} pixels wide"
        assert (
            page.evaluate("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length")
            == 0
        )


@pytest.mark.parametrize("kind", KINDS)
def test_on_paper_nothing_is_cut_off(browser, pages, kind):
    """Paper cannot be scrolled: 718 pixels are A4 between its margins, and a browser prints a little more by shrinking."""
    with opened(browser, pages[kind].as_uri(), {"width": 718, "height": 1000}) as page:
        page.emulate_media(media="print", color_scheme="light")
        cut = "[...document.querySelectorAll('.wide')].filter(e => getComputedStyle(e).overflowX !== 'visible').length"
        assert page.evaluate(cut) == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 718 * 1.25
        assert page.locator(".screen:visible").count() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read_without_its_script(browser, pages, kind):
    with opened(browser, pages[kind].as_uri(), java_script_enabled=False) as page:
        assert len(page.locator("main").inner_text()) > 200


NAMELESS = """
[...document.querySelectorAll('input, select, button, textarea, summary, a[href], [role=figure], svg[role=img]')]
  .filter(e => e.offsetParent !== null || e.tagName === 'svg')
  .filter(e => !(e.labels && e.labels.length && e.labels[0].textContent.trim()) && !e.getAttribute('aria-label')
             && !e.getAttribute('aria-labelledby') && !e.querySelector?.('title') && !e.textContent.trim())
  .map(e => e.outerHTML.slice(0, 80))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_screen_reader_names_what_can_be_used(browser, pages, kind):
    with opened(browser, pages[kind].as_uri()) as page:
        assert page.evaluate(NAMELESS) == []
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
        assert levels.count(1) == 1
        assert all(b - a <= 1 for a, b in pairwise(levels)), levels


CONTRAST = """
() => {
  const luminance = c => {
    const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  return [...document.querySelectorAll('h1, h2, p, td, th, .faint')].filter(e => e.innerText && e.innerText.trim()).map(e => {
    const a = luminance(getComputedStyle(e).color), b = luminance(paper);
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.innerText.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
}
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_legible_by_day_and_by_night(browser, pages, kind, scheme):
    with opened(browser, pages[kind].as_uri(), color_scheme=scheme) as page:
        assert page.evaluate(CONTRAST) == []  # 4.5 to 1: WCAG 2.2, level AA


def test_a_unit_is_chosen_by_the_keyboard(browser, pages):
    with opened(browser, pages["inspect"].as_uri()) as page:
        page.focus("#slide")
        before = page.locator("#said").inner_text()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert "unit 1" in page.locator("#said").inner_text() != before
        colours = "[...document.querySelectorAll('#text span')].map(s => s.className + s.style.cssText).join()"
        first = page.evaluate(colours)
        page.keyboard.press("ArrowRight")
        assert page.evaluate(colours) != first
        page.focus("#more")
        page.keyboard.press("Enter")
        assert page.locator("#like li").count() > 0
        page.focus("#find")
        page.keyboard.type("the")
        assert page.locator("#text .here").count() == 3


def test_a_run_is_watched(browser):
    process = subprocess.Popen(
        [sys.executable, "-m", "helo", "watch", str(fixtures.trained()), "--no-browser"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        address = next(w for w in process.stderr.readline().split() if w.startswith("http"))
        with opened(browser, address) as page:
            page.wait_for_selector("#saturation table", timeout=30_000)
            assert page.evaluate(NAMELESS) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= DESK["width"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_these_tests_see_what_is_wrong(browser, tmp_path):
    bad = tmp_path / "bad.html"
    body = '<input><div style="width:3000px;color:#ccc">x</div><p style="color:#eee">faint</p><img src="http://127.0.0.1:9/x">'
    bad.write_text(made("t", "a", body, script="throw new Error('planted')"), encoding="utf-8")
    found = []

    def read() -> None:
        with opened(browser, bad.as_uri()) as page:
            found.append(page.evaluate(NAMELESS))
            found.append(page.evaluate("document.documentElement.scrollWidth") > DESK["width"])
            found.append(bool(page.evaluate(CONTRAST)))

    with pytest.raises(AssertionError, match="planted") as trouble:
        read()
    assert found == [["<input>"], True, True]
    assert "asks for http://127.0.0.1:9/x" in str(trouble.value)

"""Data that a machine has without a network, for a first try of every shape: each writer makes files of a shape's own
format, so that what follows is what a person would type for their own.
"""

from __future__ import annotations

import io
import keyword
import sysconfig
import tokenize
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from helo.errors import HeloError, wrap

LARGEST = 1 << 20
#: Languages whose names of places are told apart, and in which dates are written; codes of Unicode's CLDR.
PLACES = (
    "cs", "de", "en", "es", "fi", "fr", "hu", "it", "nl", "pl", "pt", "sv", "tr", "vi", "ru", "el", "ja", "ko", "zh", "ar"
)  # fmt: skip
DATES = ("en", "de", "fr", "es", "it", "nl", "pt", "sv", "pl", "ru")


def write_topics(path: Path) -> Path:
    """Python's documentation topics (what `help("for")` shows) as one text file; where a distribution left them out,
    the standard library's own source, up to a megabyte.
    """
    try:
        from pydoc_data.topics import topics

        text = "\n\n".join(topics[name].strip() for name in sorted(topics))
    except ImportError:
        text = "".join(_sources())
    if not text:
        raise HeloError(
            "this Python has neither its documentation topics nor its source", mend="helo train lm YOUR.txt"
        )
    return _written(path, text + "\n")


def write_digits(path: Path) -> Path:
    """1,797 handwritten digits, 8 by 8 (Alpaydin and Kaynak 1998; they come with scikit-learn), as x and y of an .npz."""
    with wrap(ImportError, "the digits need scikit-learn", mend="pip install 'helo[demo]'"):
        from sklearn.datasets import load_digits
    digits = load_digits()
    with _writing(path):
        np.savez(path, x=digits.images.astype(np.uint8), y=digits.target.astype(np.uint8))  # pyright: ignore[reportAttributeAccessIssue]
    return path


NUMBERS = {
    "en": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "zh": list("零一二三四五六七八九"),
}


def write_numbers(path: Path, count: int = 4_000, seed: int = 0) -> Path:
    """Pictures of two or three of the handwritten digits in a row, in a tar, and what stands on them as a TSV: in English,
    and in a file beside it, NAME.zh.tsv, in Chinese.
    """
    import tarfile

    with wrap(ImportError, "the digits need scikit-learn", mend="pip install 'helo[demo,images]'"):
        from PIL import Image
        from sklearn.datasets import load_digits
    digits: Any = load_digits()
    rng = np.random.default_rng(seed)
    rows = {language: ["image\tcaption\n"] for language in NUMBERS}
    with _writing(path), tarfile.open(path.with_suffix(".tar"), "w") as tar:
        for i in range(count):
            chosen = rng.integers(len(digits.images), size=rng.integers(2, 4))
            canvas = np.full((64, 64), 255.0)
            left = int(rng.integers(0, 64 - 21 * len(chosen) + 1))
            for k in chosen:
                large = np.kron(digits.images[k], np.ones((2, 2)))  # 16 by 16
                top = 24 + int(rng.integers(-4, 5))
                canvas[top : top + 16, left : left + 16] -= large * 255 / 16
                left += 21
            out = io.BytesIO()
            Image.fromarray(canvas.clip(0, 255).astype(np.uint8)).save(out, "PNG")
            about = tarfile.TarInfo(f"{i:04}.png")
            about.size = len(out.getvalue())
            out.seek(0)
            tar.addfile(about, out)
            values = [int(v) for v in digits.target[chosen]]
            counted = {
                "en": f"{'two' if len(values) == 2 else 'three'} digits: ",
                "zh": f"{'两' if len(values) == 2 else '三'}个数字：",
            }
            for language, between in (("en", " "), ("zh", "")):
                said = counted[language] + between.join(NUMBERS[language][v] for v in values)
                rows[language].append(f"{about.name}\t{said}\n")
        path.write_text("".join(rows["en"]), encoding="utf-8")
        chinese(path).write_text("".join(rows["zh"]), encoding="utf-8")
    return path


def chinese(path: Path) -> Path:
    """Where the Chinese sentences stand beside the English ones."""
    return path.with_suffix(f".zh{path.suffix}")


def write_places(path: Path) -> Path:
    """Names of countries, languages and cities in twenty languages, and which language a name is in, as a TSV: the
    names of Unicode's CLDR, which come with Babel. A name that several of the languages share is left out.
    """
    babel = _babel()
    seen: dict[str, set[str]] = {}
    for code in PLACES:
        locale = babel.Locale.parse(code)
        zones = (zone.get("city") for zone in locale.time_zones.values())
        names = [*locale.territories.values(), *locale.languages.values(), *(z for z in zones if z)]
        for name in names:
            if not any(c.isdigit() for c in name):
                seen.setdefault(str(name).strip(), set()).add(code)
    rows = sorted((name, min(codes)) for name, codes in seen.items() if len(codes) == 1)
    return _written(path, "text\tlabel\n" + "".join(f"{name}\t{code}\n" for name, code in rows))


def write_dates(path: Path, count: int = 20_000, seed: int = 0) -> Path:
    """Dates as people write them in ten languages, long and short, and the same as ISO 8601 has them, as a TSV; the
    forms are those of Unicode's CLDR, which come with Babel. A form that could mean two dates is left out.
    """
    babel = _babel()
    from datetime import date

    rng = np.random.default_rng(seed)
    locales = [babel.Locale.parse(code) for code in DATES]
    meanings: dict[str, set[str]] = {}
    first, last = date(1900, 1, 1).toordinal(), date(2099, 12, 31).toordinal()
    while len(meanings) < count:
        day = date.fromordinal(int(rng.integers(first, last + 1)))
        locale, form = locales[rng.integers(len(locales))], ("full", "long", "medium")[rng.integers(3)]
        text = babel.dates.format_date(day, form, locale=locale)
        meanings.setdefault(text, set()).add(day.isoformat())
    rows = [(text, min(days)) for text, days in meanings.items() if len(days) == 1]
    return _written(path, "source\ttarget\n" + "".join(f"{text}\t{day}\n" for text, day in rows))


def write_python(path: Path) -> Path:
    """Every character of some of the standard library's source with the type of its token, in two columns, a line of
    code a sequence: what the module `tokenize` says. Strings over several lines are left out.
    """
    out: list[str] = []
    for source in _sources():
        out += _typed(source)
    if not out:
        raise HeloError("this Python has no source of its standard library", mend="helo train tag YOUR.conllu")
    return _written(path, "".join(out))


def _typed(source: str) -> list[str]:
    lines = source.splitlines()
    types = [["space"] * len(line) for line in lines]
    long: set[int] = set()  # lines of a string over several: alone they do not show what they are
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            name = tokenize.tok_name[token.type].lower()
            if name in ("newline", "nl", "indent", "dedent", "endmarker"):
                continue
            if name == "name" and keyword.iskeyword(token.string):
                name = "keyword"
            (top, left), (bottom, right) = token.start, token.end
            if bottom > top:
                long |= set(range(top, bottom + 1))
            for row in range(top, bottom + 1):
                stop = right if row == bottom else len(lines[row - 1])
                for column in range(left if row == top else 0, min(stop, len(types[row - 1]))):
                    types[row - 1][column] = name
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return []
    return [
        "".join(f"{'␣' if c.isspace() else c}\t{t}\n" for c, t in zip(line, kinds, strict=True)) + "\n"
        for row, (line, kinds) in enumerate(zip(lines, types, strict=True), 1)
        if line.strip() and row not in long
    ]


def _sources() -> Iterable[str]:
    """Source files of the standard library, up to about LARGEST characters."""
    taken = 0
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = file.read_text(encoding="utf-8", errors="ignore")
        taken += len(text)
        yield text
        if taken > LARGEST:
            return


def _babel():
    with wrap(ImportError, "names and dates need Babel", mend="pip install 'helo[demo]'"):
        import babel
        import babel.dates
    return babel


def _written(path: Path, text: str) -> Path:
    with _writing(path):
        path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Room for a file, and one kind of error where there is none."""
    with wrap(OSError, "cannot be written:", mend="give another --out", where=path):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield


def write_sales(path: Path, days: int = 1095, ahead: int = 28, seed: int = 0) -> Path:
    """Sales of three shops, a row a day, generated: a trend, a week, a year, holidays that are known in advance, chance. The last
    rows have the holidays of the days to come, and no sales.
    """
    rng, first = np.random.default_rng(seed), np.datetime64("2021-01-01")
    dates = first + np.arange(days + ahead)
    holidays = np.isin([str(d)[5:] for d in dates], ["01-01", "05-01", "10-03", "12-25", "12-26"])
    week = np.array([1.0, 0.95, 1.0, 1.1, 1.3, 1.6, 0.5])[(dates.astype(int) + 3) % 7]
    year = 1 + 0.2 * np.sin(2 * np.pi * (dates.astype(int) % 365.25) / 365.25)
    rows = ["date,shop,sales,holiday"]
    for shop, size in (("north", 120), ("river", 900), ("station", 40)):
        noise = np.exp(0.06 * rng.standard_normal(len(dates)))
        sales = size * (1 + np.arange(len(dates)) / 2000) * week * year * np.where(holidays, 0.2, 1) * noise
        rows += [f"{d},{shop},{v:.1f},{int(h)}" if i < days else f"{d},{shop},,{int(h)}"
                 for i, (d, v, h) in enumerate(zip(dates, sales, holidays, strict=True))]  # fmt: skip
    return _written(path, "\n".join(rows) + "\n")


def write_patients(path: Path) -> Path:
    """442 patients with diabetes, a row each: age, sex, body mass index, blood pressure and six blood values, and how far the
    disease went in a year, as a number (Efron et al. 2004; they come with scikit-learn).
    """
    with wrap(ImportError, "the patients need scikit-learn", mend="pip install 'helo[demo]'"):
        from sklearn.datasets import load_diabetes
    found: Any = load_diabetes(scaled=False)
    rows = [",".join([*found.feature_names, "progression"])]
    rows += [",".join(f"{v:g}" for v in (*x, y)) for x, y in zip(found.data, found.target, strict=True)]
    return _written(path, "\n".join(rows) + "\n")


#: What each demonstration learns from: the file's suffix and what writes it.
WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "lm": (".txt", write_topics),
    "classify": (".npz", write_digits),
    "tag": (".conll", write_python),
    "translate": (".tsv", write_dates),
    "caption": (".tsv", write_numbers),
    "forecast": (".csv", write_sales),
    "regress": (".csv", write_patients),
}

#: What `helo data get` makes, by the name that `corpora.json` gives it.
MADE: dict[str, Callable[[Path], Path]] = {
    "digits": write_digits,
    "places": write_places,
    "python": write_python,
    "dates": write_dates,
}

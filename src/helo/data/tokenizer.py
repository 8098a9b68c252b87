"""Running text to words: where each begins and ends in the text.

By default blanks part words. A language's rules are spaCy's: they need no download, exist for about 75 languages, keep the place
of every word, and part English as the treebanks do that taggers are trained on (does n't, U.S., 3.5).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from helo.errors import HeloError, wrap

Cut = Callable[[str], list[tuple[int, int]]]
ANY = "xx"  # spaCy's name of the rules that are of no language


def blanks(text: str) -> list[tuple[int, int]]:
    """(start, end) of what blanks part."""
    return [m.span() for m in re.finditer(r"\S+", text)]


def tokenizer(language: str | None) -> Cut:
    """What gives the (start, end) of the words of a text, in characters. language: a code such as en or de, or ANY; None: blanks
    part the words. Raises HeloError for a language without rules.
    """
    if language is None:
        return blanks
    with wrap(ImportError, "--tokenizer needs spaCy", mend="pip install 'helo[tokenizer]'"):
        import spacy
    try:
        rules = spacy.blank(language).tokenizer
    except Exception as error:  # of many kinds: a language that is none, or one that needs another package
        raise HeloError(
            f"no rules for the language {language!r}",
            expected=f"a code such as en, de, fr, or {ANY} for any language",
            where="--tokenizer",
        ) from error
    return lambda text: [(t.idx, t.idx + len(t)) for t in rules(text) if not t.is_space]

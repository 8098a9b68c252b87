"""Chinese words, split by jieba (chosen because published figures on Chinese captions use it, and because it is a single
package of pure Python with its dictionary): frequent words are one symbol each, the others are spelled.
"""

from __future__ import annotations

import logging
import warnings
from functools import cache

from helo.data.vocab.words import Words
from helo.errors import wrap


class Jieba(Words):
    """As `words`, but a word is what jieba says; blanks and other scripts are kept as they stand."""

    unit = "jieba"

    @staticmethod
    def cut(text):
        return _library().lcut(text)


@cache
def _library():
    with (
        wrap(ImportError, "splitting Chinese words needs jieba", mend="pip install 'helo[caption]'"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of the way in which it finds its own dictionary
        import jieba
    jieba.setLogLevel(logging.ERROR)
    return jieba

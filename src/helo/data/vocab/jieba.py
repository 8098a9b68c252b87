"""Chinese words, parted by jieba (chosen because it is what published figures on Chinese captions are counted by; it is
one package of pure Python with its dictionary inside): what occurs often is one symbol, the rest is spelled.
"""

from __future__ import annotations

import logging
import warnings
from functools import cache

from helo.data.vocab.words import Words
from helo.errors import HeloError


class Jieba(Words):
    """As `words`, but a word is what jieba says; blanks and other scripts are kept as they stand."""

    unit = "jieba"

    @staticmethod
    def cut(text):
        return _library().lcut(text)


@cache
def _library():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the way in which it finds its own dictionary
            import jieba
    except ImportError as error:
        raise HeloError("splitting Chinese words needs jieba", mend="pip install 'helo[caption]'") from error
    jieba.setLogLevel(logging.ERROR)
    return jieba

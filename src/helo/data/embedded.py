"""Text that every machine with Python has, for a first try without a network."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from helo.errors import HeloError

LARGEST = 1 << 20


def write_topics(path: Path) -> Path:
    """Python's documentation topics (what `help("for")` shows) as one text file; where a distribution left them out,
    the standard library's own source, up to a megabyte.
    """
    try:
        from pydoc_data.topics import topics

        text = "\n\n".join(topics[name].strip() for name in sorted(topics))
    except ImportError:
        text = ""
        for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
            text += file.read_text(encoding="utf-8", errors="ignore")
            if len(text) > LARGEST:
                break
    if not text:
        raise HeloError(
            "this Python has neither its documentation topics nor its source", mend="helo train lm YOUR.txt"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise HeloError(
            f"cannot be written: {error.strerror}", mend="--out names another place", where=str(path)
        ) from error
    return path

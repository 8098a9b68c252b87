"""Pictures with their sentences on one page: a single file of HTML that needs nothing else, on a screen or on paper."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from helo import pages
from helo.data.readers.photos import Photo, opened

SIDE = 480  # pixels of a picture's longer side on the page

STYLE = """
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 1.6rem 1.2rem }
figure { margin: 0; break-inside: avoid }
img { width: 100%; aspect-ratio: 4 / 3; object-fit: contain; background: var(--line); border-radius: 4px; display: block }
figcaption { padding-top: .5rem }
.name { color: var(--faint); font-size: .8rem; overflow-wrap: anywhere }
details { font-size: .88rem; color: var(--faint) }
summary { cursor: pointer }
ul { margin: .2rem 0 0; padding-left: 1.1rem }
@media print { main { grid-template-columns: repeat(3, 1fr); gap: .8rem } details > ul { display: block } }
"""


def page(
    title: str, about: str, photos: Sequence[Photo], answers: Sequence[dict[str, Any]], references: Sequence[Any] | None
) -> str:
    """The whole page. answers: of `predict`, in the order of the pictures; references: sentences of each, or None."""
    figures = []
    for i, (photo, answer) in enumerate(zip(photos, answers, strict=True)):
        truth = references[i] if references is not None else []
        listed = "".join(f"<li>{pages.text(t)}</li>" for t in truth)
        more = f"<details open><summary>written by people</summary><ul>{listed}</ul></details>" if truth else ""
        figures.append(
            f'<figure><img src="{_inline(photo)}" alt="{pages.text(answer["text"])}" loading="lazy">'
            f'<figcaption>{pages.text(answer["text"])}<div class="name">{pages.text(photo.name)}</div>{more}'
            "</figcaption></figure>"
        )
    return pages.page(title, about, "\n".join(figures), STYLE, language="")


def _inline(photo: Photo) -> str:
    picture = opened(photo.read(), photo.place, SIDE)
    picture.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()

"""Pictures with their sentences on one page: a single file of HTML that needs nothing else, on a screen or on paper."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

from helo.data.readers.photos import Photo, opened

SIDE = 480  # pixels of a picture's longer side on the page

PAGE = """<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1c1917; --faint: #6b6560; --paper: #faf9f7; --line: #e2dfda }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #f3f1ee; --faint: #a8a29e; --paper: #171514; --line: #34302d }} }}
body {{ margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem; font: 1rem/1.45 system-ui, sans-serif;
        color: var(--ink); background: var(--paper) }}
h1 {{ font-size: 1.15rem; margin: 0 0 .2rem }}
header p {{ color: var(--faint); margin: 0 0 1.4rem }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 1.6rem 1.2rem }}
figure {{ margin: 0; break-inside: avoid }}
img {{ width: 100%; aspect-ratio: 4 / 3; object-fit: contain; background: var(--line); border-radius: 4px; display: block }}
figcaption {{ padding-top: .5rem }}
.name {{ color: var(--faint); font-size: .8rem; overflow-wrap: anywhere }}
details {{ font-size: .88rem; color: var(--faint) }}
summary {{ cursor: pointer }}
ul {{ margin: .2rem 0 0; padding-left: 1.1rem }}
@media print {{
  body {{ background: none; color: #000; padding: 0 }}
  main {{ grid-template-columns: repeat(3, 1fr); gap: .8rem }}
  details > ul {{ display: block }}
}}
</style>
</head>
<body>
<header><h1>{title}</h1><p>{about}</p></header>
<main>
{figures}
</main>
</body>
</html>
"""


def page(
    title: str, about: str, photos: Sequence[Photo], answers: Sequence[dict[str, Any]], references: Sequence[Any] | None
) -> str:
    """The whole page. answers: of `predict`, in the order of the pictures; references: sentences of each, or None."""
    figures = []
    for i, (photo, answer) in enumerate(zip(photos, answers, strict=True)):
        truth = references[i] if references is not None else []
        listed = "".join(f"<li>{html.escape(t)}</li>" for t in truth)
        more = f"<details open><summary>what people wrote</summary><ul>{listed}</ul></details>" if truth else ""
        figures.append(
            f'<figure><img src="{_inline(photo)}" alt="{html.escape(answer["text"], quote=True)}" loading="lazy">'
            f'<figcaption>{html.escape(answer["text"])}<div class="name">{html.escape(photo.name)}</div>{more}'
            "</figcaption></figure>"
        )
    return PAGE.format(title=html.escape(title), about=html.escape(about), figures="\n".join(figures))


def _inline(photo: Photo) -> str:
    picture = opened(photo.read(), photo.place, SIDE)
    picture.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()

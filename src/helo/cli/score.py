"""helo score RUN FILES…"""

from __future__ import annotations

from contextlib import ExitStack

import click

from helo.cli import flags

SHOWN = 3_000  # symbols that a terminal shows in colours
DRAWN = 30_000  # symbols of a page
HEADS = [f"{name}_{k}" for k in (1, 2, 3) for name in ("other", "probability")]
COLUMNS = 5 + len(HEADS)  # of a table
BITS = 8  # that have the full colour


@flags.common
@flags.trusted
@flags.as_json
@click.command()
@click.argument("run")
@click.argument("files", nargs=-1, metavar="FILES...")
@click.option("--lines", is_flag=True, help="language model: score each line as a separate text")
@click.option(
    "--out", "-o", type=flags.FILE, help="language model: save FILE.tsv, a row per symbol, or a page, FILE.html"
)
def command(run, files, lines, out, cell, task, seed, quiet, as_json):
    """Show how likely each symbol of a text is.

    \b
    helo score runs/novel chapter.txt
    helo score runs/novel chapter.txt --out chapter.tsv --json
    """
    from pathlib import Path

    from helo.errors import HeloError, wrap
    from helo.inspection.score import score
    from helo.models.language_model import LanguageModel
    from helo.runs import load
    from helo.runs.folder import replacing, write_text

    suffix = Path(out).suffix.lower() if out else ""
    if out and suffix not in (".tsv", ".html", ".htm"):
        raise HeloError(f"--out {out}", expected="FILE.tsv or FILE.html")
    model = load(run, cell=cell, task=task)
    if not files:
        raise HeloError("no files were given", expected=f"helo score {run} FILES…, or - for standard input")
    if out and not isinstance(model.task.model, LanguageModel):
        raise HeloError(f"--out with a model of the task {model.about['task']}", expected="a language model")
    page = suffix.startswith(".htm")
    most = DRAWN if page else 0 if as_json or out else SHOWN
    with ExitStack() as stack:
        table = None
        if suffix == ".tsv":
            beside = stack.enter_context(replacing(Path(out), named=True))
            table = stack.enter_context(beside.open("w", encoding="utf-8", newline=""))
        kept = _Symbols(model.task, most, table)

        def take(text, stretch):  # a full disk here is the table's, and none of the files' that are read
            with wrap(OSError, "cannot be written:", mend="make room, or name another place", where=out):
                kept.take(text, stretch)

        texts = score(model, files, lines, take)
    if page:
        from helo.inspection.visualization import scores

        colours = [(t, kept.symbols.get(i, []), i in kept.more) for i, t in kept.pairs(texts)]
        write_text(out, scores(model.path.name, colours))
    if as_json:
        flags.show({"run": run, "texts": texts})
    elif not out:
        _tell(kept, texts, lines)
    if out and not quiet:
        flags.tell(f"{len(texts):,} text{'s' * (len(texts) != 1)} saved to {out}", err=True)


class _Symbols:
    """What comes of texts symbol by symbol: rows of a table, and the first symbols of all for people."""

    def __init__(self, task, most, table=None):
        self.task, self.left, self.table = task, most, table
        self.symbols, self.more, self.at = {}, set(), {}
        if table is not None:
            self.write("text", "at", "symbol", "nats", "rank", *HEADS)

    def write(self, *cells):
        assert self.table is not None
        self.table.write("\t".join([*cells, *[""] * (COLUMNS - len(cells))]) + "\n")

    def take(self, text, stretch):
        import math

        from helo.inspection.score import likely, spelled

        for i, symbol in enumerate(stretch.ids.tolist()):
            if self.table is None and self.left <= 0:
                self.more.add(text)
                return
            nats, written = float(stretch.nats[i]), spelled(self.task, symbol)
            others = likely(self.task, stretch, i)
            if self.table is not None:
                self.at[text] = self.at.get(text, 0) + 1
                scored = ["", ""] if math.isnan(nats) else [f"{nats:.6f}", str(int(stretch.rank[i]))]
                beside = [x for o in others for x in (_escaped(o["text"]), f"{o['probability']:.6f}")]
                self.write(str(text + 1), str(self.at[text]), _escaped(written), *scored, *beside)
            if self.left > 0:
                self.left -= 1
                bits = 0.0 if math.isnan(nats) else nats / math.log(2)
                self.symbols.setdefault(text, []).append((written, bits, _others(others)))

    def pairs(self, texts):
        """Each text with its number; of lines some may have had nothing to score."""
        return [(t["line"] - 1 if "line" in t else i, t) for i, t in enumerate(texts)]


def _others(likely):
    return ", ".join(f"{o['text']!r} {o['probability']:.2f}" for o in likely)


def _escaped(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _tell(kept, texts, lines):
    """Texts in the colours of their surprise, their figures, and what surprised most."""
    import math

    for i, text in kept.pairs(texts):
        symbols = kept.symbols.get(i, [])
        coloured = flags.colours() and bool(symbols)
        shaded = "".join(flags.shaded(s, min(1, b / BITS)) for s, b, _ in symbols)
        if lines:
            click.echo(f"{text['nats_per_symbol']:.3f}\t", nl=False)
            flags.tell(text["text"]) if not coloured else click.echo(shaded.removesuffix("\n"))
            continue
        if coloured:
            click.echo(shaded + ("" if shaded.endswith("\n") else "\n"))
            if i in kept.more:
                flags.tell(f"… the first {len(symbols):,} symbols; --out FILE.html or FILE.tsv has more\n")
        count = f"{text['symbols']:,} symbol{'s' * (text['symbols'] != 1)}"
        flags.tell(f"{text['text']}: {text['nats']:.2f} nats, {count}, {text['nats_per_symbol']:.4f} per symbol"
                   + (f", {text['bits_per_character']:.3f} bits per character" if "bits_per_character" in text else ""))  # fmt: skip
        for w in text.get("surprising", []):
            where = f"{w['before'][-20:]!r} then {w['text']!r}, rank {w['rank']:,}"
            flags.tell(f"  {w['nats'] / math.log(2):5.1f} bits  {where}; likelier {_others(w['likely'])}")

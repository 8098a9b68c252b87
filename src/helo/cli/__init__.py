"""One thin file a verb, over what Python can do too.

click reads the words (chosen over argparse, which names no nearest flag, and over typer and cyclopts, which start
slower); a verb's file is imported when it is called, so that `helo --help` starts at once.
"""

from __future__ import annotations

import sys
import warnings

import click

from helo import registry
from helo.cli import streams
from helo.errors import HeloError, as_helo_error, here, nearest, one_line

ORDER = (
    "hello",
    "demo",
    "train",
    "watch",
    "sample",
    "predict",
    "score",
    "eval",
    "compare",
    "info",
    "inspect",
    "explain",
    "gradients",
    "data",
    "check",
)


class Verbs(click.Group):
    """The files of this room, found by their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = registry.names("helo.cli", ("flags", "streams"))
        return sorted(found, key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "help":
            return _HELP
        if cmd_name not in self.list_commands(ctx):
            raise HeloError(f"no verb is called {cmd_name!r}", mend=nearest(cmd_name, self.list_commands(ctx)))
        import importlib

        return importlib.import_module(f"helo.cli.{cmd_name}").command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:  # click adds an empty line, which only a terminal needs, behind its ^C
            if sys.stderr.isatty():
                print(file=sys.stderr)
            raise click.Abort from error


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="helo", prog_name="helo")
def cli() -> None:
    """Recurrent networks over any sequence.

    \b
    helo hello                          the idea, number by number
    helo demo                           the main job in about a minute, on text that every Python has
    helo train lm novel.txt             a language model of your own text, in two minutes
    helo sample runs/novel --prompt "It was"
    """


def _help(words: tuple[str, ...]) -> None:
    cli.main([*words, "--help"], prog_name="helo", standalone_mode=False)


#: `helo help train`, as people type it; the flag is what is documented.
_HELP = click.Command("help", params=[click.Argument(["words"], nargs=-1)], callback=_help, add_help_option=False)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 a bug or a broken law, 2 bad input, 130 stopped."""
    debug = "--debug" in sys.argv
    with streams.standing():
        warnings.filterwarnings("ignore", append=True)  # they are for whoever writes code; -W still shows them
        try:
            code = _answered(debug)
            sys.stdout.flush()
        except HeloError as error:  # standard output cannot be written
            code = _say(f"helo: {error}", 2, debug)
        except SystemExit as end:  # with 0 where whoever read us has had enough: head, less
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.exit(code)


def _answered(debug: bool) -> int:
    try:
        here()
        code = cli.main(prog_name="helo", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except HeloError as error:
        return _say(f"helo: {error}", 2, debug)
    except click.exceptions.NoArgsIsHelpError as error:
        if sys.__stdout__ is None:  # closed: nobody reads the help
            return _say("helo: no verb is given (helo --help tells more)", 2, debug)
        click.echo(error.format_message())
        return 2
    except click.UsageError as error:
        return _say(f"helo: {_usage(error)}", 2, debug)
    except click.ClickException as error:
        return _say(f"helo: {error.format_message()}", 2, debug)
    except (KeyboardInterrupt, click.Abort) as error:
        said = str(error.__cause__ or "") if isinstance(error, click.Abort) else str(error)  # click wraps Ctrl-C
        return _say(f"helo: {said or 'stopped'}", 130, debug)
    except (Exception, SystemExit) as error:
        if (known := as_helo_error(error)) is not None:
            return _say(f"helo: {known}", 2, debug)
        if isinstance(error, SystemExit):
            raise
        return _say(
            f"helo: this is a bug in helo: {type(error).__name__}: {error}; please report it, with what --debug shows",
            1,
            debug,
        )


def _usage(error: click.UsageError) -> str:
    """What is wrong with the words, in one line, with what was probably meant."""
    if isinstance(error, click.NoSuchOption):
        flags = error.ctx.command.params if error.ctx else []
        known = [o for p in flags if not getattr(p, "hidden", False) for o in p.opts if o.startswith("--")]
        return f"{error.option_name}: no such flag; {nearest(error.option_name, known)}"
    line = " ".join(error.format_message().split())
    verb = error.ctx.command_path if error.ctx else "helo"
    return f"{line} ({verb} --help tells more)"


def _say(line: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(one_line(line), file=sys.stderr)
    return code

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
from helo.options import OTHERS

ORDER = (
    "hello",
    "demo",
    "train",
    "watch",
    "sample",
    "predict",
    "score",
    "surprise",
    "eval",
    "compare",
    "sweep",
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
            raise HeloError(f"there is no command {cmd_name!r}", mend=nearest(cmd_name, self.list_commands(ctx)))
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
    """Train and use recurrent networks on sequences.

    \b
    helo hello                          how a recurrent network works, number by number
    helo demo                           train a model in about a minute and write with it
    helo train lm novel.txt             train a language model on your own text, in two minutes
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
            code = _run(debug)
            sys.stdout.flush()
        except HeloError as error:  # standard output cannot be written
            code = _exit(f"helo: {error}", 2, debug)
        except SystemExit as end:  # with 0 where whoever read us has had enough: head, less
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.exit(code)


def _run(debug: bool) -> int:
    try:
        here()
        code = cli.main(prog_name="helo", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except HeloError as error:
        return _exit(f"helo: {error}", 2, debug)
    except click.exceptions.NoArgsIsHelpError as error:
        if sys.__stdout__ is None:  # closed: nobody reads the help
            return _exit("helo: no command given (see helo --help)", 2, debug)
        click.echo(error.format_message())
        return 2
    except click.UsageError as error:
        return _exit(f"helo: {_usage(error)}", 2, debug)
    except click.ClickException as error:
        return _exit(f"helo: {error.format_message()}", 2, debug)
    except (KeyboardInterrupt, click.Abort) as error:
        reason = str(error.__cause__ or "") if isinstance(error, click.Abort) else str(error)  # click wraps Ctrl-C
        return _exit(f"helo: {reason or 'stopped'}", 130, debug)
    except (Exception, SystemExit) as error:
        if (known := as_helo_error(error)) is not None:
            return _exit(f"helo: {known}", 2, debug)
        if isinstance(error, SystemExit):
            raise
        return _exit(
            f"helo: this is a bug in helo: {type(error).__name__}: {error}; please report it with the output of --debug",
            1,
            debug,
        )


def _usage(error: click.UsageError) -> str:
    """What is wrong with the words, in one line, with what was probably meant."""
    if isinstance(error, click.NoSuchOption):
        name, flags = error.option_name, error.ctx.command.get_params(error.ctx) if error.ctx else []
        known = [o for p in flags if not getattr(p, "hidden", False) for o in p.opts if o.startswith("--")]
        word = name.removeprefix("--").replace("_", "-")
        others = (f"--{word}", *OTHERS.get(word, ()))
        if "--prompt" not in known and "--n-best" not in known and "samples" in word:
            others = ()  # in training --streams are no samples
        if meant := [o for o in others if o in known]:
            mend = f"here it is {' and '.join(meant)}"
        elif {"--files", "--valid"} & {*others} and any(p.name == "files" for p in flags):
            mend = "name the files without a flag"
        elif error.ctx and isinstance(error.ctx.command, click.Group) and error.ctx.parent and name in _of_training():
            mend = f"name the task before it, {error.ctx.command_path} TASK {name}"
        elif any(p.name == "run" for p in flags) and (own := _of_training() & {*others}):
            mend = f"leave it out: the run keeps the {sorted(own)[0]} of its training"
        else:
            mend = nearest(name, known)
        return f"{name}: no such option; {mend}"
    line = " ".join(error.format_message().split())
    verb = error.ctx.command_path if error.ctx else "helo"
    return f"{line} (see {verb} --help)"


def _of_training() -> set[str]:
    """The flags of `helo train` of any task."""
    from helo import tasks
    from helo.cli import train

    group = train.Tasks("train")
    commands = [group.get_command(click.Context(group), task) for task in tasks.names()]
    return {o for c in commands if c is not None for p in c.params for o in p.opts}


def _exit(line: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(one_line(line), file=sys.stderr)
    return code

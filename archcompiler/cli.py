"""The command line: `archc COMMAND ...`.

Each command is a module of its own in `commands/`, imported when it is called, so that no command
pays for another's imports. Whatever a command raises ends here, as a message and an exit code.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click
from typing_extensions import override

from archcompiler import __version__
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Ended, did_you_mean
from archcompiler.escape import show_lines
from archcompiler.surroundings import GONE, is_gone

COMMANDS = {
    "check": "Check specs: shapes, references, expectations.",
    "lock": "Write the shapes and counts that check holds a spec to.",
    "build": "Write a spec's network as source for a framework.",
    "verify": "Run the emitted code and compare it with the spec.",
    "diff": "Show what differs between two specs.",
    "summary": "Show the layers: shapes, weights, multiply-adds.",
    "weights": "Show, import and export weights.",
    "bench": "Measure the emitted code, several backends side by side.",
    "resolve": "Write a spec with everything expanded.",
    "new": "Start a variant of a spec.",
    "explain": "Say what an error code means, or where a layer's values come from.",
    "schema": "Write the JSON Schema that editors read.",
    "env": "Show versions, and which backends can run here.",
}
"""The commands in the order of the help text. To add one: a module in `commands/`, a line here."""

INTERRUPTED = 130
"""And 143 where it is told to terminate: 128 and the number of the signal."""
NOBODY_READS = 141
"""What a shell reports of a program that a closed pipe ended."""


class Archc(click.Group):
    """The group of all commands: finds them by name, and turns what they raise into exit codes."""

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            with _ended_by_signals():
                return super().main(*args, **kwargs)
        except Ended as ended:
            _tell("archc: interrupted" if ended.code == INTERRUPTED else "archc: terminated")
            raise

    @override
    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:  # `archc --help` and `archc --version` print here
            return super().make_context(*args, **kwargs)
        except BrokenPipeError:
            _drop_output()
            raise click.exceptions.Exit(NOBODY_READS) from None
        except click.ClickException as error:
            raise _shown(error) from None
        except OSError as error:
            _unexpected(error, debug=False)
            raise click.exceptions.Exit(USAGE_OR_ENVIRONMENT) from None

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"archcompiler.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in COMMANDS and not word.startswith("-"):
            near = did_you_mean(word, COMMANDS)
            ctx.fail(f"there is no command '{word}'" + (f", {near}" if near else ""))
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    @override
    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # what a terminal cannot write is escaped
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except ArchcError as error:
            from archcompiler.diagnostics import report

            report(error.diagnostics)
            ctx.exit(error.exit_code)
        except click.ClickException as error:
            raise _shown(error) from None
        except (click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            _tell("archc: interrupted")
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # as `archc ... | head` does: nobody reads any more
            _drop_output()
            ctx.exit(NOBODY_READS)
        except Exception as error:
            _unexpected(error, debug=ctx.params["debug"])
            ctx.exit(USAGE_OR_ENVIRONMENT)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end archc in order wherever it is: children too, no folder is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    usual = (signal.default_int_handler, signal.SIG_DFL)
    for number in (n for n, handler in before.items() if handler in usual):  # others were chosen
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: object) -> NoReturn:
    raise Ended(128 + number)


def _shown(error: click.ClickException) -> click.ClickException:
    """Escape the message of an error of usage, which quotes words as they were given."""
    vars(error)["message"] = show_lines(error.message)
    return error


def _unexpected(error: Exception, *, debug: bool) -> None:
    if debug:
        import traceback

        _tell("".join(traceback.format_exception(error)).rstrip("\n"))
    if isinstance(error, OSError):
        _drop_output()
        reason = (error.strerror or str(error)).lower()
        if isinstance(error, FileNotFoundError) and is_gone():
            reason = GONE
        place = f"{error.filename}: " if error.filename else ""
        _tell(f"archc: {place}{reason}")
        return
    shown = " ".join(f"{type(error).__name__}: {error}".split())
    _tell(
        "archc: this is a bug in archc, not in your spec. Please report it, with the spec and\n"
        "what `archc --debug` prints before it. In one line:\n"
        f"{shown if len(shown) <= 500 else shown[:500] + '...'}"
    )


def _tell(text: str) -> None:
    click.echo(show_lines(text), err=True)


def _drop_output() -> None:
    """Forget what could not be written: Python would try again when it exits, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError), open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), stream.fileno())


@click.group(
    name="archc",
    cls=Archc,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="Exit codes: 0 good, 1 the spec is wrong or a check found a difference, 2 usage or "
    "environment, 130 interrupted.",
)
@click.version_option(__version__, message="archc %(version)s")
@click.option(
    "--debug", is_flag=True, envvar="ARCHC_DEBUG", help="Show the traceback of a bug in archc."
)
def main(debug: bool) -> None:
    """Compile one YAML description of a network to readable framework source.

    A SPEC is a YAML file, a folder of them, or the name of a shipped one such as inception_v3.
    Words with an equals sign change it for this run: num_classes=10, input=224x224,
    Mixed_5b/Branch_1/Conv2d_0b_5x5.kernel=3.

    \b
    archc check specs/
    archc build inception_v3 --backend torch num_classes=10
    archc COMMAND --help
    """

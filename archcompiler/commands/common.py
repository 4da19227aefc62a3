"""What several commands share: their arguments, and compiling what these mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from archcompiler.compiler import compile_file
from archcompiler.diagnostics import FORMATS, Format, report, show
from archcompiler.errors import ArchcError, Diagnostic, Row
from archcompiler.ir import Network
from archcompiler.locate import Located, locate
from archcompiler.overrides import COMMAND_LINE

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def spec_argument(metavar: str) -> Decorator:
    """Return the argument that takes specs and assignments."""
    return click.argument("words", metavar=metavar, nargs=-1, required=True)


def format_option() -> Decorator:
    """Return the option that says how findings are shown."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="full",
        show_default=True,
        help="full: with the line of the spec; concise: one line each; json: one document; "
        "github: annotations of a workflow.",
    )


@contextmanager
def reported_as(form: Format) -> Iterator[None]:
    """Show errors on stdout in a format of the user's choice, and end with their exit code."""
    try:
        yield
    except ArchcError as error:
        report(error.diagnostics, form, err=False)
        raise click.exceptions.Exit(error.exit_code) from None


def located(words: Iterable[str]) -> Located:
    """Return the specs and assignments that the words mean; at least one spec."""
    found = locate(words)
    if not found.specs:
        raise click.UsageError("say which spec: a .yaml file, a folder, or a shipped one's name")
    return found


def only_network(words: Iterable[str]) -> Network:
    """Compile the one spec that the words mean; notes go to stderr."""
    found = located(words)
    if len(found.specs) > 1:
        names = ", ".join(map(str, found.specs[:3])) + (", ..." if len(found.specs) > 3 else "")
        message = f"this command takes one spec, got {len(found.specs)}: {show(names)}"
        raise click.UsageError(message)
    compiled = compile_file(found.specs[0], found.assignments)
    report(compiled.notes)
    return compiled.network


def all_networks(words: Iterable[str]) -> list[tuple[Path, Network]]:
    """Compile every spec that the words mean; raises the errors of all of them together."""
    found = located(words)
    networks, errors = [], []
    for path in found.specs:
        try:
            compiled = compile_file(path, found.assignments)
        except ArchcError as error:
            told = told_apart(error.diagnostics, found, path)
            errors.append(ArchcError(*told, exit_code=error.exit_code))
        else:
            report(told_apart(compiled.notes, found, path))
            networks.append((path, compiled.network))
    if errors:
        every = [d for error in errors for d in error.diagnostics]
        raise ArchcError(*every, exit_code=max(e.exit_code for e in errors))
    return networks


def told_apart(
    diagnostics: Iterable[Diagnostic], found: Located, path: Path
) -> tuple[Diagnostic, ...]:
    """Say which spec a diagnostic is about, where it points into the command line."""
    if len(found.specs) == 1:
        return tuple(diagnostics)
    spec = Row(label="spec", value=str(path))
    return tuple(
        dataclasses.replace(d, rows=(spec, *d.rows))
        if d.position and d.position.source.name == COMMAND_LINE
        else d
        for d in diagnostics
    )

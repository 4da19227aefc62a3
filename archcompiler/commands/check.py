"""`archc check`: the rooms load to infer, without any framework."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from archcompiler.commands.common import (
    format_option,
    located,
    reported_as,
    spec_argument,
    told_apart,
)
from archcompiler.compiler import Compiled, Trace, compile_file, draft_file, trace_file
from archcompiler.diagnostics import WIDTH, Format, documented, put, report, room, say
from archcompiler.errors import ArchcError, Diagnostic, counted
from archcompiler.escape import json_document
from archcompiler.fields import Size, macs_text, shape_text
from archcompiler.ir import Network
from archcompiler.locate import Located
from archcompiler.lock import lock_path, read
from archcompiler.lock_drift import drift
from archcompiler.size_report import document, findings, lines, read_range
from archcompiler.sizes import survey

MOST_PADDED = 20
"""Names are padded to that of the longest file, up to here."""
_GAP = "   "


@dataclass(frozen=True, slots=True)
class _Checked:
    """What came of one spec: its network where all is well, what is to be told, the exit code."""

    network: Network | None
    diagnostics: tuple[Diagnostic, ...]
    exit_code: int = 0


@click.command()
@spec_argument("SPEC... [NAME=VALUE]...")
@click.option(
    "--input",
    "span",
    metavar="A..B",
    help="Say which sizes from A to B are legal, and what fails at the others.",
)
@format_option()
def command(words: tuple[str, ...], span: str | None, form: Format) -> None:
    """Check specs: every shape, reference and expectation, without a framework.

    A spec that has a lock (see `archc lock`) is held to it, too. Prints the figures of each good
    spec and the errors of the others; exits with 1 if there are any. With --input it exits with 1
    if any of the sizes is not legal.

    \b
    archc check specs/ my_net.yaml
    archc check inception_v3 input=224x224 width=0.5
    archc check inception_v3 --input 75..331
    """
    with reported_as(form):
        found = located(words)
    if span is not None:
        raise click.exceptions.Exit(_check_sizes(found, _sizes(span, found), form))
    exit_code, wrong = 0, 0
    everything: list[Diagnostic] = []
    width = max(len(path.stem) for path in found.specs) if len(found.specs) > 1 else 0
    width = min(width, MOST_PADDED)
    for path in found.specs:
        checked = _check(path, found)
        exit_code, wrong = max(exit_code, checked.exit_code), wrong + (checked.network is None)
        diagnostics = told_apart(checked.diagnostics, found, path)
        if form == "json":
            everything += diagnostics
            continue
        if checked.network:
            say(told(checked.network, room(WIDTH), width))
        report(diagnostics, form, err=False)
    if form == "json":
        report(everything, form, err=False)
    elif len(found.specs) > 1:
        good = len(found.specs) - wrong
        say(f"{len(found.specs)} specs: {good} good, {wrong} wrong")
    raise click.exceptions.Exit(exit_code)


def _check(path: Path, found: Located) -> _Checked:
    """Compile a spec, and hold it to its lock; that binds the spec as written, without changes."""
    try:
        compiled: Compiled | Trace
        if found.assignments or not os.path.lexists(lock_path(path)):
            compiled = compile_file(path, found.assignments)
        else:
            compiled = trace = trace_file(path)
            if drifted := drift(trace.network, read(path), path, trace):
                raise ArchcError(*trace.notes, *drifted)
    except ArchcError as error:
        return _Checked(None, error.diagnostics, error.exit_code)
    return _Checked(compiled.network, compiled.notes)


def _sizes(span: str, found: Located) -> tuple[Size, ...]:
    if any(a.target == "input" for a in found.assignments):
        raise click.UsageError("give `--input` or `input=`, not both")
    try:
        return read_range(span)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--input'") from None


def _check_sizes(found: Located, sizes: tuple[Size, ...], form: Format) -> int:
    """Show which sizes each spec takes; return the exit code."""
    exit_code = 0
    documents = []
    for path in found.specs:
        try:
            draft = draft_file(path, found.assignments)
            surveyed = survey(draft, sizes)
        except ArchcError as error:
            exit_code = max(exit_code, error.exit_code)
            diagnostics = told_apart(error.diagnostics, found, path)
            legal = None
        else:
            exit_code = max(exit_code, int(len(surveyed.training) < len(sizes)))
            diagnostics = told_apart(findings(surveyed), found, path)
            legal = document(draft, surveyed) if form == "json" else None
            if form != "json":
                say("\n".join(lines(draft, sizes, surveyed)))
        if form == "json":
            documents.append({"spec": str(path), "sizes": legal, "errors": documented(diagnostics)})
        else:
            report(diagnostics, form, err=False)
    if form == "json":
        put(json_document(documents))
    return exit_code


def told(network: Network, columns: int, width: int = 0) -> str:
    """Say what a network is in one line, its name padded to `width`.

    Where that is longer than the columns that there are, the weights have a line to themselves.
    """
    whole, used = network.totals(), network.totals(inference=True)
    output = network.output_head
    weights = f"{whole.params:,} weights"
    if network.training_heads:
        weights += f" ({used.params:,} without training heads)"
    head = (
        f"{network.name:<{width}}  {shape_text(network.input.shape)} -> "
        f"{output.name} {shape_text(output.node.output.shape)}"
    )
    rest = (macs_text(used.macs), counted(len(network.end_points), "end point"))
    line = _GAP.join((head, weights, *rest))
    if len(line) <= columns:
        return line
    lines = [head]
    for part in rest:
        if len(lines[-1]) + len(_GAP) + len(part) <= columns:
            lines[-1] += f"{_GAP}{part}"
        else:
            lines.append(" " * (width + 2) + part)
    return "\n".join([*lines, " " * (width + 2) + weights])

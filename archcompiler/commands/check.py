"""`archc check`: the rooms load to infer, without any framework."""

from __future__ import annotations

import click

from archcompiler.commands.common import (
    format_option,
    located,
    reported_as,
    spec_argument,
    told_apart,
)
from archcompiler.compiler import compile_file
from archcompiler.diagnostics import Format, report, show
from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.fields import macs_text, shape_text
from archcompiler.ir import Network


@click.command()
@spec_argument("SPEC... [NAME=VALUE]...")
@format_option()
def command(words: tuple[str, ...], form: Format) -> None:
    """Check specs: every shape, reference and expectation, without a framework.

    Prints a line for each good spec and the errors of the others; exits with 1 if there are any.

    \b
    archc check specs/ my_net.yaml
    archc check inception_v3 input=224x224 width=0.5
    """
    with reported_as(form):
        found = located(words)
    exit_code, wrong = 0, 0
    everything: list[Diagnostic] = []
    width = max(len(path.stem) for path in found.specs)
    for path in found.specs:
        try:
            compiled = compile_file(path, found.assignments)
        except ArchcError as error:
            diagnostics = told_apart(error.diagnostics, found, path)
            exit_code, wrong = max(exit_code, error.exit_code), wrong + 1
        else:
            diagnostics = told_apart(compiled.notes, found, path)
            if form != "json":
                click.echo(one_line(compiled.network, width))
        if form == "json":
            everything += diagnostics
        else:
            report(diagnostics, form, err=False)
    if form == "json":
        report(everything, form, err=False)
    elif len(found.specs) > 1:
        good = len(found.specs) - wrong
        click.echo(f"{len(found.specs)} specs: {good} good, {wrong} wrong")
    raise click.exceptions.Exit(exit_code)


def one_line(network: Network, width: int = 0) -> str:
    """Say what a network is in one line, its name padded to `width`."""
    whole, used = network.totals(), network.totals(inference=True)
    output = network.output_head
    weights = f"{whole.params:,} weights"
    if network.training_heads:
        weights += f" ({used.params:,} without training heads)"
    parts = (
        f"{show(network.name):<{width}}  {shape_text(network.input.shape)} -> "
        f"{output.name} {shape_text(output.node.output.shape)}",
        weights,
        macs_text(used.macs),
        f"{len(network.end_points)} end points",
    )
    return "   ".join(parts)

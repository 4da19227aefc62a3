"""`archc verify`: run the emitted code and hold it against the spec."""

from __future__ import annotations

import click

from archcompiler.commands.backends import backend_option, runnable
from archcompiler.commands.common import all_networks, format_option, reported_as, spec_argument
from archcompiler.diagnostics import Format, report
from archcompiler.errors import Diagnostic
from archcompiler.verify import verify


@click.command()
@spec_argument("SPEC... [NAME=VALUE]...")
@backend_option("Which code to run; may be given several times.  [default: what can run here]")
@format_option()
def command(words: tuple[str, ...], names: tuple[str, ...], form: Format) -> None:
    """Run the emitted code and compare it with the spec.

    Each model is built in a temporary folder and imported in a process of its own; the shape of
    every end point and the name, shape and kind of every weight must be those of the spec.

    \b
    archc verify inception_v3
    archc verify specs/ --backend torch
    """
    with reported_as(form):
        networks = all_networks(words)
        chosen = runnable(names)
    found: list[Diagnostic] = []
    for _, network in networks:
        for backend in chosen:
            differences = verify(network, backend)
            found += differences
            if form == "json":
                continue
            report(differences, form, err=False)
            if not differences:
                weights = sum(len(node.weights) for node in network.walk())
                click.echo(
                    f"{network.name}  {backend.title}: {len(network.end_points)} end points and "
                    f"{weights} tensors are those of the spec"
                )
    if form == "json":
        report(found, form, err=False)
    raise click.exceptions.Exit(int(bool(found)))

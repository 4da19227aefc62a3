"""`archc summary`: the layers as a table."""

from __future__ import annotations

import click

from archcompiler.commands.common import only_network, spec_argument
from archcompiler.diagnostics import room, say
from archcompiler.summary import table


@click.command()
@spec_argument("SPEC [NAME=VALUE]...")
def command(words: tuple[str, ...]) -> None:
    """Show every layer with its op, output shape, weights and multiply-adds.

    Shapes are height x width x channels; a star marks an end point.

    \b
    archc summary inception_v3 input=224x224
    """
    say(table(only_network(words), room(100)))

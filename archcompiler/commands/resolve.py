"""`archc resolve`: the canonical form of a spec."""

from __future__ import annotations

import click

from archcompiler.commands.common import only_network, spec_argument
from archcompiler.diagnostics import put
from archcompiler.escape import json_document
from archcompiler.resolve import document, to_yaml


@click.command()
@spec_argument("SPEC [NAME=VALUE]...")
@click.option(
    "--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True
)
def command(words: tuple[str, ...], form: str) -> None:
    """Write a spec with everything expanded: a spec again, which gives the same network.

    No parameter, expression, default or repeat is left; each layer says all of its attributes.

    \b
    archc resolve inception_v3 num_classes=10 > ten_classes.yaml
    """
    resolved = document(only_network(words))
    if form == "yaml":
        put(to_yaml(resolved))
    else:
        put(json_document(resolved))

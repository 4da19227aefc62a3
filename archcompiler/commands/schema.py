"""`archc schema`: the language for editors."""

from __future__ import annotations

import click

from archcompiler.diagnostics import put
from archcompiler.schema import text


@click.command()
def command() -> None:
    """Write the JSON Schema (draft-07) of a spec, which editors read to complete and to warn.

    \b
    archc schema > archc.schema.json

    In an editor with the YAML language server, the first line of a spec can then be

    \b
    # yaml-language-server: $schema=archc.schema.json
    """
    put(text())

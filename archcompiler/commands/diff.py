"""`archc diff`: what differs between two specs, as a person would say it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from archcompiler import shipped
from archcompiler.commands.common import located, spec_argument
from archcompiler.compiler import compile_file
from archcompiler.diagnostics import WIDTH, put, room, say
from archcompiler.diff import diff
from archcompiler.diff_json import document
from archcompiler.diff_text import to_text
from archcompiler.escape import json_document
from archcompiler.overrides import Assignment


@click.command()
@spec_argument("A [B] [NAME=VALUE]...")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(words: tuple[str, ...], form: str) -> None:
    """Show how B differs from A: layers, attributes, shapes, params, MACs.

    Changes of the command line apply to B; without B, it is A with these changes. Exits with 0 if
    both compute the same function of the same weights, and with 1 if not.

    \b
    archc diff inception_v3 my_variant.yaml
    archc diff inception_v3 width=0.5
    """
    found = located(words)
    if len(found.specs) > 2:
        raise click.UsageError(f"this command takes two specs, got {len(found.specs)}")
    old, new = found.specs[0], found.specs[-1]
    if old == new and not found.assignments and len(words) == 1:
        raise click.UsageError("say what to compare it with: another spec, or NAME=VALUE")
    before, after = compile_file(old).network, compile_file(new, found.assignments).network
    result = diff(before, after)
    if form == "json":
        a, b = document_side(old, ()), document_side(new, found.assignments)
        put(json_document({"a": a, "b": b} | document(result)))
    else:
        changes = " ".join(after.changes)
        files = shipped.shown(str(old)), shipped.shown(str(new))
        sides = (f"{before.name}  {files[0]}", f"{after.name}  {files[1]} {changes}".rstrip())
        say(to_text(result, *sides, room(WIDTH)))
    raise click.exceptions.Exit(int(not result.equal))


def document_side(path: Path, assignments: Sequence[Assignment]) -> dict[str, object]:
    """Return what a side is, for JSON."""
    return {"spec": str(path), "changes": [a.position.source.text for a in assignments]}

"""`archc explain`: what an error code means."""

from __future__ import annotations

import click

from archcompiler.codes import CODES
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, did_you_mean


@click.command()
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Say what an error code means and why archc insists, with a wrong and a right example.

    Without a code, lists all of them.

    \b
    archc explain E402
    """
    if code is None:
        click.echo("\n".join(f"{known}  {found.title}" for known, found in CODES.items()))
        return
    wanted = f"E{code}" if code.isdigit() else code.upper()
    if wanted not in CODES:
        near = did_you_mean(wanted, CODES) if wanted.startswith("E") else None
        diagnostic = Diagnostic(
            code="E706",
            message=f"there is no error code `{code}`",
            hint=near or "`archc explain` lists them all",
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    click.echo(f"{wanted}: {CODES[wanted].title}\n\n{CODES[wanted].text}")

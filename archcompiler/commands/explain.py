"""`archc explain`: what an error code means, or where the values of a layer come from."""

from __future__ import annotations

import re

import click

from archcompiler.codes import CODES
from archcompiler.diagnostics import WIDTH, room, say
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, did_you_mean


@click.command()
@click.argument("words", metavar="[CODE | SPEC PATH [NAME=VALUE]...]", nargs=-1)
def command(words: tuple[str, ...]) -> None:
    """Say what an error code means, or where each value of a layer comes from.

    With a code: why archc insists, with a wrong and a right example. With a spec and a layer's
    path, or a parameter: each value with the line that said it, be it the layer, its block, a
    default, a patch or the command line. A path of a template, as blocks/inception_a, says what it
    stands for; so do stem, body, blocks, heads, params and defaults. Without any, lists all codes.

    \b
    archc explain E402
    archc explain inception_v3 Mixed_5b/Branch_1/Conv2d_0b_5x5
    """
    if not words:
        say("\n".join(f"{known}  {found.title}" for known, found in CODES.items()))
    elif len(words) == 1:
        _code(words[0])
    else:
        _layer(words)


def _code(code: str) -> None:
    wanted = f"E{code}" if code.isdigit() else code.upper()
    if wanted not in CODES:
        family = [known for known in CODES if known.startswith(wanted[:2])]
        family = family if re.fullmatch("E[0-9]+", wanted) else []
        near = f"E{wanted[1]}xx: {', '.join(family)}" if family else None
        if len(wanted) > len("E402"):  # a digit too many
            near = did_you_mean(wanted, family) or near
        hint = near or "`archc explain` lists them all; a layer is explained by its spec and path"
        diagnostic = Diagnostic(code="E706", message=f"there is no error code `{code}`", hint=hint)
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    say(f"{wanted}: {CODES[wanted].title}\n\n{CODES[wanted].text}")


def _layer(words: tuple[str, ...]) -> None:
    from archcompiler.commands.common import located
    from archcompiler.compiler import trace_file
    from archcompiler.locate import typed
    from archcompiler.provenance import Provenance

    changes = [word for word in words[1:] if "=" in word]
    paths = [word for word in words[1:] if "=" not in word]
    if len(paths) != 1:
        raise click.UsageError(f"say one layer or parameter, got {len(paths)}")
    found = located([words[0], *changes])
    if len(found.specs) != 1:
        raise click.UsageError(f"say one spec, got {len(found.specs)}")
    trace = trace_file(found.specs[0], found.assignments)
    word = typed(found.specs[0])
    say(Provenance(trace.draft, trace.network, trace.spec, word, room(WIDTH)).explain(paths[0]))

"""`archc new`: start a variant of a spec."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import click

from archcompiler import names
from archcompiler.commands.common import located
from archcompiler.compiler import compile_node, trace_file
from archcompiler.diagnostics import say
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic
from archcompiler.escape import shell_word
from archcompiler.locate import shipped, typed
from archcompiler.source import parse
from archcompiler.variant import SCHEMA_FILE, places, start


@click.command()
@click.argument("name")
@click.option("--from", "base", required=True, metavar="SPEC", help="What the variant extends.")
def command(name: str, base: str) -> None:
    """Write NAME.yaml, a variant of a spec, with commented places to start.

    NAME may have a folder before it, in which the file is written. The spec is a shipped one, or a
    file in that folder or below.

    \b
    archc new my_net --from inception_v3
    """
    path = Path(f"{name.removesuffix('.yaml')}.yaml")
    if problem := names.problem(path.stem):
        free = names.free_name(path.stem)
        raise click.UsageError(problem + (f", try `{free}`" if free else ""))
    found = located([base])
    if len(found.specs) != 1 or found.assignments:
        raise click.UsageError("say one spec after --from")
    if os.path.lexists(path):
        raise _there_already(path)
    trace = trace_file(found.specs[0])
    extends = _extends(base, found.specs[0], path)
    first = start(path.stem, extends, trace.network)
    if wrong := _problem(first, path):
        if wrong.code in ("E104", "E114"):  # no escape of YAML can say it, or no path may
            hint = "rename it: letters, digits, `_` and `-` are always right"
            raise _refused("E114", f"no `extends` can say `{extends}`", hint)
        raise ArchcError(dataclasses.replace(wrong, position=None))
    base_word = typed(found.specs[0])
    content = first + places(
        first, trace.spec, trace.network, base_word, lambda text: _problem(text, path) is None
    )
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(content)
    except FileExistsError:
        raise _there_already(path) from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise _refused("E603", f"cannot write {path}: {reason}", None) from None
    say(f"{path}  extends {trace.network.name}")
    if not (path.parent / SCHEMA_FILE).exists():
        schema = shell_word(str(path.parent / SCHEMA_FILE))
        say(f"for an editor's completion: archc schema > {schema}")


def _problem(text: str, path: Path) -> Diagnostic | None:
    """Return the first error of a spec of this text, were it at `path`."""
    try:
        compile_node(parse(text, str(path)), source=path.name, path=path)
    except ArchcError as error:
        return error.diagnostics[0]
    return None


def _there_already(path: Path) -> ArchcError:
    return _refused("E601", f"{path} is there already", "choose another name")


def _extends(word: str, base: Path, path: Path) -> str:
    """Return how the new file names its base: a shipped one's name, or the way to the file."""
    if word in shipped() and shipped()[word].resolve() == base.resolve():
        return word
    folder, target = path.parent.resolve(), base.resolve()
    if not target.is_relative_to(folder):
        message = f"{base} is outside the folder of {path}, where a variant finds its base"
        raise _refused("E114", message, f"write the variant to {base.parent / path.name}")
    return os.path.relpath(target, folder).replace(os.sep, "/")


def _refused(code: str, message: str, hint: str | None) -> ArchcError:
    diagnostic = Diagnostic(code=code, message=message, hint=hint)
    return ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)

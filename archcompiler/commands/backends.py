"""What the commands that take a `--backend` share."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

import click

from archcompiler.backend import Backend, backend, backend_names
from archcompiler.commands.common import Decorator
from archcompiler.diagnostics import say
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic


def backend_option(text: str) -> Decorator:
    """Return the option that names backends; it may be given several times."""
    return click.option("-b", "--backend", "names", metavar="BACKEND", multiple=True, help=text)


def runnable(names: Iterable[str]) -> list[Backend]:
    """Return the backends of these names, or those whose framework is here; imports no framework.

    Raises E701 for one that was asked for and cannot run, or where none can.
    """
    asked = [backend(name) for name in dict.fromkeys(names)]
    known = asked or [backend(name) for name in backend_names()]
    missing = [b for b in known if find_spec(b.framework) is None]
    problems = [
        Diagnostic(
            code="E701",
            message=f"{b.title} is not installed, and `{b.name}` runs on it",
            hint=f"pip install '{b.requirement}', or in a clone pip install '.[{b.name}]'",
        )
        for b in missing
    ]
    if missing and (asked or missing == known):
        raise ArchcError(*problems, exit_code=USAGE_OR_ENVIRONMENT)
    for one in missing:
        say(
            f"skipped {one.name}: {one.title} is not installed (pip install '{one.requirement}')",
            err=True,
        )
    return [b for b in known if b not in missing]


def with_arrays(backends: list[Backend]) -> list[Backend]:
    """Return the backends if what carries arrays to them is here, too. Raises E701."""
    missing = [name for name in ("numpy", "safetensors") if find_spec(name) is None]
    if missing:
        diagnostic = Diagnostic(
            code="E701",
            message=f"{' and '.join(missing)} must be installed to run emitted code",
            hint=f"pip install '{backends[0].requirement}' brings them",
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    return backends

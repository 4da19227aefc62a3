"""`archc env`: versions, and what can run here."""

from __future__ import annotations

import platform
from importlib import metadata
from importlib.util import find_spec

import click

from archcompiler import __version__
from archcompiler.backend import backend, backend_names
from archcompiler.diagnostics import say
from archcompiler.errors import ArchcError

LIBRARIES = ("click", "jinja2", "pydantic", "pyyaml")


@click.command()
def command() -> None:
    """Show versions, and which backends can run here. For reports of bugs."""
    rows = [
        ("archc", __version__),
        ("python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("platform", platform.platform()),
        *((name, version(name)) for name in LIBRARIES),
        *((f"backend {name}", _state(name)) for name in backend_names()),
    ]
    width = max(len(label) for label, _ in rows)
    say("\n".join(f"{label:<{width}}  {value}" for label, value in rows))


def version(distribution: str) -> str:
    """Return the version of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _state(name: str) -> str:
    """Say whether a backend's framework is there; nothing of it is imported."""
    try:
        found = backend(name)
    except ArchcError as error:
        return f"broken: {error}"
    if find_spec(found.framework) is None:
        return f"builds; to run it: pip install '{found.requirement}'"
    return f"builds and runs: {found.framework} {version(found.framework)}"

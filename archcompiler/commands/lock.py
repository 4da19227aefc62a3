"""`archc lock`: write every end point's figures beside the spec, for `archc check` to hold."""

from __future__ import annotations

import os
from pathlib import Path

import click

from archcompiler import lock
from archcompiler.commands.common import all_networks, located, spec_argument
from archcompiler.diagnostics import report, say
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, Row, counted
from archcompiler.ir import Network
from archcompiler.lock import is_ours, lock_path, read, to_text
from archcompiler.lock_drift import drift
from archcompiler.manifest import NOT_A_FILE, fingerprint, sha256
from archcompiler.weights.files import unwritable, write_whole


@click.command()
@spec_argument("SPEC...")
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; exit with 1 if a lock is not so."
)
def command(words: tuple[str, ...], only_check: bool) -> None:
    """Write the shape, params and MACs of every end point to NAME.lock beside the spec.

    From then on `archc check` fails where the spec and its lock differ, until this command is run
    again; a review shows what changed. If one spec is wrong, nothing is written.

    \b
    archc lock my_net.yaml
    archc lock specs/ --check
    """
    if located(words).assignments:
        raise click.UsageError("a lock is that of the spec as written: it takes no NAME=VALUE")
    specs: dict[Path, tuple[Path, Network]] = {}
    for spec, network in all_networks(words):
        other, _ = specs.setdefault(lock_path(spec), (spec, network))
        if other != spec:
            raise _refused(
                "E705",
                f"two specs would be locked in {lock_path(spec)}",
                "give them different names",
                rows=(Row(label=str(other)), Row(label=str(spec))),
            )
    check = _check if only_check else _write
    errors = []
    for path, (spec, network) in specs.items():
        try:
            check(path, spec, network)
        except ArchcError as error:
            errors.append(error)
    if errors:
        found = [d for error in errors for d in error.diagnostics]
        exit_code = max(error.exit_code for error in errors)
        if not only_check:
            raise ArchcError(*found, exit_code=exit_code)
        report(found, err=False)
        raise click.exceptions.Exit(exit_code)


def _check(path: Path, spec: Path, network: Network) -> None:
    """Raise E605 where the lock is not what this command would write."""
    owner = lock.owner(spec)
    if not os.path.lexists(lock_path(owner)):
        raise ArchcError(_stale(f"{spec} has no lock", spec))
    if found := drift(network, read(spec), spec):
        raise ArchcError(*found)
    if fingerprint(lock_path(owner)) != sha256(to_text(network, owner.name).encode()):
        raise ArchcError(
            _stale(f"{path} has the right figures, but is not as archc writes it", spec)
        )
    say(f"{path} is up to date")


def _write(path: Path, spec: Path, network: Network) -> None:
    owner = lock.owner(spec)
    text = to_text(network, owner.name)
    what = counted(len(network.end_points), "end point")
    try:
        found = fingerprint(lock_path(owner))
        if owner != spec and found != sha256(text.encode()):
            hint = f"{lock.command(spec)} writes what it leads to"
            raise _refused("E603", f"cannot write {path}: it is a link", hint)
        if found == NOT_A_FILE:
            raise _refused(
                "E603", f"cannot write {path}: it is not a regular file", "move it away, then lock"
            )
        if found == sha256(text.encode()):
            say(f"{path}  {what}, unchanged")
            return
        if found and not is_ours(path.read_text("utf-8", "replace")):
            raise _refused(
                "E601",
                f"{path} exists and archc did not write it",
                "move it away, or name the spec otherwise",
            )
    except OSError as error:
        raise unwritable(path, error) from None
    write_whole(path, text.encode())
    say(f"{path}  {what}")


def _stale(message: str, spec: Path) -> Diagnostic:
    return Diagnostic(code="E605", message=message, hint=f"{lock.command(spec)} writes it")


def _refused(code: str, message: str, hint: str, rows: tuple[Row, ...] = ()) -> ArchcError:
    diagnostic = Diagnostic(code=code, message=message, rows=rows, hint=hint)
    return ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)

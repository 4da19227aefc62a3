"""`archc build`: write the source, the resolved architecture and the card of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from archcompiler.backend import Backend, backend, backend_names
from archcompiler.build import emit
from archcompiler.commands.backends import backend_option
from archcompiler.commands.common import all_networks, spec_argument
from archcompiler.diagnostics import report, say
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, Row, listed
from archcompiler.ir import Network
from archcompiler.manifest import drift
from archcompiler.writer import Written, write


@dataclass(frozen=True, slots=True)
class _Build:
    """One folder to write, and the spec it comes from."""

    folder: Path
    spec: Path
    network: Network
    files: dict[str, str]


@click.command()
@spec_argument("SPEC... [NAME=VALUE]...")
@backend_option("What to write source for; may be given several times.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder. With several specs or backends, each goes to DIR/NAME/BACKEND.  "
    "[default: out/NAME-BACKEND]",
)
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; exit with 1 if a file differs."
)
@click.option("--force", is_flag=True, help="Replace edited and foreign files, keeping NAME.bak.")
def command(
    words: tuple[str, ...],
    names: tuple[str, ...],
    output: Path | None,
    only_check: bool,
    force: bool,
) -> None:
    """Write a network as source that needs its framework and nothing of archc.

    The folder gets model.py, weights.py, benchmark.py, architecture.json and a README.md;
    archc.lock says what archc wrote, so that nothing else is ever replaced. If one spec is wrong,
    nothing is written. No framework has to be installed.

    \b
    archc build inception_v3 --backend torch num_classes=10
    archc build specs/ -b torch -b tensorflow -o models
    archc build inception_v3 -b torch --check
    """
    if not names:
        options = listed([f"--backend {name}" for name in backend_names()], "or")
        raise click.UsageError(f"say which backend: {options}")
    chosen = [backend(name) for name in dict.fromkeys(names)]
    builds = _plan(all_networks(words), chosen, output)
    problems = [p for build in builds for p in (_check(build) if only_check else ())]
    if only_check:
        report(problems, err=False)
        raise click.exceptions.Exit(int(bool(problems)))
    errors = [error for build in builds if (error := _write(build, force))]
    if errors:
        every = [d for error in errors for d in error.diagnostics]
        raise ArchcError(*every, exit_code=max(e.exit_code for e in errors))


def _plan(
    networks: list[tuple[Path, Network]], chosen: list[Backend], output: Path | None
) -> list[_Build]:
    """Say what goes where. Raises E705 where two specs would share a folder, E603 for a link there.

    `output` itself may be a link: who named it has said so.
    """
    single = len(networks) == len(chosen) == 1
    builds: dict[str, _Build] = {}
    for spec, network in networks:
        for one in chosen:
            folder = Path("out", f"{network.name}-{one.name}")
            if output:
                folder = output if single else output / network.name / one.name
            _refuse_links(folder, output)
            build = _Build(folder, spec, network, emit(network, one))
            other = builds.setdefault(str(folder).lower(), build)
            if other is not build:
                diagnostic = Diagnostic(
                    code="E705",
                    message=f"two specs would be built into {folder}",
                    rows=(Row(label=str(other.spec)), Row(label=str(spec))),
                    hint="give them different names, or build one at a time with --output",
                )
                raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    return list(builds.values())


def _refuse_links(folder: Path, output: Path | None) -> None:
    """Refuse a link on the way that nobody named, since it came with a stranger's folder."""
    while folder not in (output, Path()):
        if folder.is_symlink():
            message = f"{folder} is a link, and may lead anywhere"
            hint = "move it away, or name the folder to build into: `--output DIR`"
            raise ArchcError(
                Diagnostic(code="E603", message=message, hint=hint), exit_code=USAGE_OR_ENVIRONMENT
            )
        folder = folder.parent


def _check(build: _Build) -> list[Diagnostic]:
    found = drift(build.folder, build.files)
    if not found:
        say(f"{build.folder} is up to date")
    return found


def _write(build: _Build, force: bool) -> ArchcError | None:
    try:
        done = write(build.folder, build.files, source=build.network.source, force=force)
    except ArchcError as error:
        return error
    say("\n".join(_lines(build, done)))
    return None


def _lines(build: _Build, done: Written) -> list[str]:
    rows = [
        (name, f"{text.count(chr(10)):>6,} lines", "" if name in done.written else "unchanged")
        for name, text in build.files.items()
    ]
    rows += [(name, "removed", "the spec no longer gives it") for name in done.removed]
    rows += [(name, "kept", "what archc had not written") for name in done.backups]
    width = max(len(name) for name, *_ in rows)
    shown = [f"  {name:<{width}}  {what:<12}  {remark}".rstrip() for name, what, remark in rows]
    return [str(build.folder), *shown]

"""`archc weights`: show, import and export the weights of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archcompiler.commands.common import only_network
from archcompiler.diagnostics import put, say
from archcompiler.errors import listed
from archcompiler.escape import json_document
from archcompiler.ir import Network

_file = click.argument("file", type=click.Path(path_type=Path))
_spec = click.argument("words", metavar="SPEC [NAME=VALUE]...", nargs=-1, required=True)
_map = click.option(
    "--map", "map_file", type=click.Path(path_type=Path), metavar="FILE",
    help="A name map of your own.",
)  # fmt: skip
_form = click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True,
    help="json lists every tensor.",
)  # fmt: skip
_force = click.option("--force", is_flag=True, help="Replace the file that is there.")
_different = click.option(
    "--allow-different", is_flag=True,
    help="Also where the spec computes something else than the other library.",
)  # fmt: skip


@click.group(no_args_is_help=True)
def command() -> None:
    """Show weights files, and convert them to and from other libraries.

    A neutral file is safetensors with the paths of the spec as names. The emitted code of every
    framework takes the same one.

    \b
    archc weights import v3.pth inception_v3 --from torch -o v3.safetensors
    archc weights show v3.safetensors inception_v3
    archc weights export v3.safetensors inception_v3 --to keras -o v3.weights.h5
    """


@command.command("show")
@_file
@click.argument("words", metavar="[SPEC [NAME=VALUE]...]", nargs=-1)
@_form
def show_command(file: Path, words: tuple[str, ...], form: str) -> None:
    """List the tensors of a weights file: names, shapes, dtypes.

    FILE is of any kind that can be imported. With a SPEC it has to be a neutral file that fits;
    every mismatch is an error.

    \b
    archc weights show model.pth
    archc weights show inception_v3.safetensors inception_v3 num_classes=10
    """
    from archcompiler.weights import showing

    if words:
        shown = showing.checked(file, only_network(words))
    else:
        shown = showing.contents(file)
    if form == "json":
        put(json_document(shown.document()))
    else:
        say(shown.text())


@command.command("import")
@_file
@_spec
@click.option(
    "--from",
    "source",
    metavar="SOURCE",
    help="Whose names the file has: a backend, torch or tensorflow, or a name map, such as "
    "torchvision, timm, keras or slim.",
)
@_map
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
    help="The neutral file.  [default: NAME.safetensors]",
)  # fmt: skip
@click.option("--drop-background", is_flag=True, help="Leave class 0 of 1001 classes out.")
@click.option("--allow-missing", is_flag=True, help="Write what there is.")
@click.option("--allow-unused", is_flag=True, help="Leave tensors out that have no place.")
@_different
@_force
@_form
def import_command(
    file: Path,
    words: tuple[str, ...],
    source: str | None,
    map_file: Path | None,
    output: Path | None,
    form: str,
    force: bool,
    **allowed: bool,
) -> None:
    """Make a neutral file of another library's weights.

    Nothing in the file is executed. Every weight must be found, every tensor used, and the spec
    must compute the same function; else nothing is written, and all problems are told.

    \b
    archc weights import inception_v3.pth inception_v3 --from torchvision
    archc weights import inception_v3.ckpt inception_v3 --from slim \\
        --drop-background -o v3.safetensors
    """
    from archcompiler import weights
    from archcompiler.weights.neutral import refuse_name

    network = only_network(words)
    _one_map("--from", source, map_file, network)
    target = output or Path(f"{network.name}.safetensors")
    refuse_name(target, force=force)
    _two_files(file, target)
    imported = weights.import_weights(file, network, source, map_file=map_file, **allowed)
    weights.write(target, network, imported.tensors, partial=allowed["allow_missing"], force=force)
    _tell(imported.report, f"{network.name} from {imported.report.source}", target, form)


@command.command("export")
@_file
@_spec
@click.option("--to", "target", metavar="TARGET", help="Whose names the file gets.")
@_map
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", required=True,
    help="The file to write; its ending says which kind.",
)  # fmt: skip
@click.option("--allow-missing", is_flag=True, help="Write what there is.")
@_different
@_force
@_form
def export_command(
    file: Path,
    words: tuple[str, ...],
    target: str | None,
    map_file: Path | None,
    output: Path,
    form: str,
    force: bool,
    allow_missing: bool,
    allow_different: bool,
) -> None:
    """Write a neutral file as another library has it.

    \b
    archc weights export v3.safetensors inception_v3 --to torch -o model.pth
    archc weights export v3.safetensors inception_v3 --to keras -o v3.weights.h5
    """
    from archcompiler import weights
    from archcompiler.weights.formats import format_of

    network = only_network(words)
    _one_map("--to", target, map_file, network)
    _two_files(file, output)
    tensors = weights.read(file, network, partial=allow_missing)
    report = weights.export_weights(
        output,
        network,
        tensors,
        target,
        map_file=map_file,
        allow_missing=allow_missing,
        allow_different=allow_different,
        force=force,
    )
    written = format_of(output, to_write=True).targets(output)
    _tell(report, f"{network.name} to {report.source}", output, form, *written)


def _two_files(source: Path, target: Path) -> None:
    """Refuse to write what is read: `--force` is for other files."""
    if source.resolve() == target.resolve():
        raise click.UsageError(f"{source} would be read and replaced: write another file")


def _one_map(option: str, name: str | None, map_file: Path | None, network: Network) -> None:
    """Refuse a call that says no map, or two."""
    from archcompiler.weights.sources import sources

    if (name is None) == (map_file is None):
        known = listed(sources(network), "or")
        said = "say one of" if name is None else "say only one of"
        raise click.UsageError(f"{said} `{option} NAME` and `--map FILE`; NAME is {known}")


def _tell(report: Any, title: str, path: Path, form: str, *written: Path) -> None:
    """Print the report; `written` are the files on the disk, where `path` is only their name."""
    from archcompiler.weights.report import wrapped

    if form == "json":
        put(json_document({**report.document(), "file": str(path)}))
        return
    say(f"{title}\n{report.text()}")
    for file in written or (path,):
        say(f"  written   {file}")
    for note in report.notes:
        say(wrapped(note))

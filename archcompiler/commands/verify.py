"""`archc verify`: run the emitted code and hold it against the spec, and against itself."""

from __future__ import annotations

from pathlib import Path

import click

from archcompiler.commands.backends import backend_option, runnable, with_arrays
from archcompiler.commands.common import all_networks, format_option, reported_as, spec_argument
from archcompiler.diagnostics import Format, report, say
from archcompiler.emitted import DType
from archcompiler.errors import Diagnostic


@click.command()
@spec_argument("SPEC... [NAME=VALUE]...")
@backend_option(
    "Which code to run; the first is what the others are compared with.  "
    "[default: what can run here]"
)
@click.option(
    "--dtype",
    "dtypes",
    type=click.Choice(["float32", "float64"]),
    multiple=True,
    default=["float32"],
    show_default=True,
    help="In which precision to compare; may be given several times.",
)
@click.option(
    "--train",
    is_flag=True,
    help="Compare steps of training, too, in float64. Takes minutes for a large network.",
)
@click.option(
    "--weights",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Compare on the weights of a neutral file, not on drawn ones; takes one SPEC.",
)
@format_option()
def command(
    words: tuple[str, ...],
    names: tuple[str, ...],
    dtypes: tuple[DType, ...],
    train: bool,
    path: Path | None,
    form: Format,
) -> None:
    """Run the emitted code and compare it with the spec, and the frameworks with each other.

    Each model is built in a temporary folder and imported in a process of its own. The shape of
    every end point and the name, shape and kind of every weight must be those of the spec. Given
    the same weights and images, every end point must have the same values in every backend (in an
    only one, those of the ops' definitions), within 1e-5 of its largest one, in float64 1e-12.
    Where they part, the first layer that differs is named.

    \b
    archc verify inception_v3
    archc verify specs/ --backend torch
    archc verify googlenet --dtype float32 --dtype float64 --train
    archc verify inception_v3 --weights inception_v3.safetensors
    """
    with reported_as(form):
        networks = all_networks(words)
        if path and len(networks) > 1:
            raise click.UsageError(f"--weights is for one spec, got {len(networks)}")
        chosen = with_arrays(runnable(names))
        if train and len(chosen) == 1:
            raise click.UsageError(f"--train compares backends, and only {chosen[0].name} is run")
        from archcompiler import verdict, weights
        from archcompiler.verify import verify

        found: list[Diagnostic] = []
        for _, network in networks:
            given = weights.read(path, network) if path else None
            verified = verify(
                network, chosen, list(dict.fromkeys(dtypes)), train=train, given=given
            )
            found += verified.differences
            if form == "json":
                continue
            for line in verdict.lines(network, chosen, verified):
                say(line)
            report(verified.differences, form, err=False)
    if form == "json":
        report(found, form, err=False)
    raise click.exceptions.Exit(int(bool(found)))

"""`archc bench`: measure the emitted code of several backends side by side."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from typing_extensions import override

from archcompiler.bench import run_benchmarks, table
from archcompiler.build import emit
from archcompiler.commands.backends import backend_option, runnable
from archcompiler.commands.common import only_network, spec_argument
from archcompiler.diagnostics import say
from archcompiler.writer import write


class _Bench(click.Command):
    """Keeps what follows `--` for benchmark.py."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.obj = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@click.command(cls=_Bench)
@spec_argument("SPEC [NAME=VALUE]... [-- OPTIONS]")
@backend_option("What to measure; may be given several times.  [default: what can run here]")
@click.pass_obj
def command(extra: tuple[str, ...], words: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Measure a network, each backend in turn in a process of its own.

    Builds into a temporary folder, runs benchmark.py and prints one table. What follows `--` goes
    to benchmark.py; its own --help tells more.

    \b
    archc bench inception_v3
    archc bench inception_v3 -b torch -- --mode train --batch-size 16 --steps 20
    """
    network, chosen = only_network(words), runnable(names)
    with tempfile.TemporaryDirectory(prefix="archc-") as folder:
        folders = {one.name: Path(folder, one.name) for one in chosen}
        for one in chosen:
            write(folders[one.name], emit(network, one), source=network.source)
        results = run_benchmarks(folders, extra, say)
    say(f"\n{table(results)}")
    raise click.exceptions.Exit(int(any(result.error for result in results)))

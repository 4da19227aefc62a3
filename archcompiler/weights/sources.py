"""Finding a map: those that come with archc by network and source, archc's own, or a file."""

from __future__ import annotations

import glob
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from archcompiler.backend import Backend, backend, backend_names
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, did_you_mean, one_of
from archcompiler.ir import Network
from archcompiler.locate import shipped_folder
from archcompiler.weights.mapfile import read_map
from archcompiler.weights.plan import Match, Plan, plan


def shipped_maps(network: Network) -> dict[str, Path]:
    """Return the maps that come with archc for a network, or for what it extends, by source."""
    found: dict[str, Path] = {}
    for name in reversed((network.name, *network.lineage)):
        paths = sorted((shipped_folder() / "weights").glob(f"{glob.escape(name)}.*.yaml"))
        found |= {path.stem.removeprefix(f"{name}."): path for path in paths}
    return found


def sources(network: Network) -> list[str]:
    """Return every source that a network can be imported from: maps, and what archc emits."""
    return [*shipped_maps(network), *backend_names()]


def find_plan(network: Network, source: str | None, map_file: str | Path | None = None) -> Plan:
    """Return the plan for a source by name, or for a map file. Raises E911, E914."""
    if map_file is not None:
        return plan(read_map(Path(map_file)), network)
    maps = shipped_maps(network)
    if source in maps:
        return plan(read_map(maps[source]), network)
    if source in backend_names():
        return _own(network, backend(source))
    known = sources(network)
    raise ArchcError(
        Diagnostic(
            code="E914",
            message=f"archc has no map from `{network.name}` to `{source}`",
            hint=did_you_mean(source or "", known)
            or f"there is {one_of(known)}; `--map FILE` takes one of your own",
        ),
        exit_code=USAGE_OR_ENVIRONMENT,
    )


def fitting(network: Network, tensors: Collection[str]) -> tuple[list[str], int]:
    """Return the sources whose names most of these tensors have, and how many have."""
    counts = {}
    for source in sources(network):
        with suppress(ArchcError):
            counts[source] = len(find_plan(network, source).names & set(tensors))
    most = max(counts.values())
    return [source for source, count in counts.items() if count == most], most


def _own(network: Network, emitter: Backend) -> Plan:
    """Return the plan for the emitted code of a backend, which computes its names."""
    matches = tuple(
        Match(node=node, weight=w, theirs=emitter.weight_key(node, w), dense=node.op.key == "dense")
        for node in network.walk()
        for w in node.weights
    )
    return Plan(
        source=emitter.name,
        title=f"the emitted {emitter.title} code",
        layout=emitter.layout,
        matches=matches,
        ignore=("*.num_batches_tracked", "num_batches_tracked"),
    )

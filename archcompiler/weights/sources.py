"""Finding a map: those that come with archc by network and source, archc's own, or a file."""

from __future__ import annotations

import importlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, did_you_mean, one_of
from archcompiler.ir import Network
from archcompiler.locate import shipped_folder
from archcompiler.weights.mapfile import read_map
from archcompiler.weights.namemap import Layout
from archcompiler.weights.plan import Match, Plan, plan

OWN: dict[str, tuple[str, str, str, Layout]] = {
    "torch": ("the emitted PyTorch code", "archc_torch.weights", "key", "torch"),
    "tensorflow": ("the emitted Keras code", "archc_tensorflow.weights", "path", "tensorflow"),
}
"""archc's own models: their names are computed by a function of the backend."""


def shipped_maps(network: str) -> dict[str, Path]:
    """Return the maps that come with archc for a network, by source."""
    found = sorted((shipped_folder() / "weights").glob(f"{network}.*.yaml"))
    return {path.stem.removeprefix(f"{network}."): path for path in found}


def sources(network: str) -> list[str]:
    """Return every source that a network can be imported from."""
    return [*shipped_maps(network), *OWN]


def find_plan(network: Network, source: str | None, map_file: Path | None = None) -> Plan:
    """Return the plan for a source by name, or for a map file. Raises E911, E914."""
    if map_file is not None:
        return plan(read_map(map_file), network)
    if source in OWN:
        return _own(network, source)
    maps = shipped_maps(network.name)
    if source in maps:
        return plan(read_map(maps[source]), network)
    known = sources(network.name)
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
    for source in sources(network.name):
        with suppress(ArchcError):
            counts[source] = len(find_plan(network, source).names & set(tensors))
    most = max(counts.values())
    return [source for source, count in counts.items() if count == most], most


def _own(network: Network, source: str) -> Plan:
    title, module, function, layout = OWN[source]
    name = getattr(importlib.import_module(module), function)
    matches = tuple(
        Match(node=node, weight=w, theirs=name(node, w), dense=node.op.key == "dense")
        for node in network.walk()
        for w in node.weights
    )
    ignore = ("*.num_batches_tracked", "num_batches_tracked")
    return Plan(source=source, title=title, layout=layout, matches=matches, ignore=ignore)

"""The rooms in order: read this file first.

load      source.py     bytes -> nodes with positions; extends.py and merge.py: one document
validate  validate.py   nodes -> Spec
expand    expand.py     Spec -> graph without shapes
infer     infer.py      graph -> Network: shapes, parameters, MACs
lower     backend       Network -> Module, all decisions taken
emit      backend       Module -> files
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archcompiler.draft import DraftNetwork
from archcompiler.errors import Diagnostic
from archcompiler.expand import expand
from archcompiler.extends import chain
from archcompiler.infer import infer
from archcompiler.ir import Network
from archcompiler.locate import shipped_folder
from archcompiler.merge import merge
from archcompiler.overrides import Assignment
from archcompiler.source import Node, load
from archcompiler.spec import Spec
from archcompiler.validate import validate


@dataclass(frozen=True, slots=True)
class Compiled:
    """A network, and what the rooms noted on the way."""

    network: Network
    notes: tuple[Diagnostic, ...]


def compile_file(
    path: Path, assignments: Sequence[Assignment] = (), *, name: str | None = None
) -> Compiled:
    """Run the rooms load to infer over one spec file.

    `name` is what messages call the file. Raises `ArchcError` with the errors of the first room
    that found any.
    """
    with _collector_paused():
        return compile_node(load(path, name), assignments, source=path.name, path=path)


def compile_node(
    node: Node,
    assignments: Sequence[Assignment] = (),
    *,
    source: str,
    path: Path | None = None,
) -> Compiled:
    """Run the rooms validate to infer over one loaded document and what it extends.

    Without the `path` that it was read from, it can extend shipped specs only.
    """
    with _collector_paused():
        documents = merge(chain(node, path))
        draft = expand(validate(documents), assignments)
        network, report = infer(draft, source)
    return Compiled(_known(network, path), report.notes)


def _known(network: Network, path: Path | None) -> Network:
    """Return a network that knows whether the file it is from comes with archc."""
    shipped = path is not None and _is_shipped(path)
    return dataclasses.replace(network, shipped=True) if shipped else network


def _is_shipped(path: Path) -> bool:
    """Tell whether a file is a spec that comes with archc, or a copy of it, wherever it lies."""
    own = shipped_folder() / path.name
    both = own.is_file() and path.is_file()
    return both and own.read_bytes() == path.read_bytes()


@dataclass(frozen=True, slots=True)
class Trace:
    """A network with what it came from, for what explains it."""

    spec: Spec
    draft: DraftNetwork
    network: Network
    notes: tuple[Diagnostic, ...]


def trace_file(path: Path, assignments: Sequence[Assignment] = ()) -> Trace:
    """Run the rooms load to infer over one spec file, and keep what passes between them."""
    with _collector_paused():
        spec = validate(merge(chain(load(path), path)))
        draft = expand(spec, assignments)
        network, report = infer(draft, path.name)
    return Trace(spec, draft, _known(network, path), report.notes)


def draft_file(path: Path, assignments: Sequence[Assignment] = ()) -> DraftNetwork:
    """Run the rooms load to expand over one spec file: what infer may ask at several sizes."""
    with _collector_paused():
        return expand(validate(merge(chain(load(path), path))), assignments)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause Python's cyclic collector: its full passes make large graphs cost quadratic time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if gc.get_freeze_count() == 0:  # else somebody keeps objects frozen for a reason
                # What was made is alive: call it old, and spare the collector a look at all of it.
                gc.freeze()
                gc.unfreeze()
            gc.enable()

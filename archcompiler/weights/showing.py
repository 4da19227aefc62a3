"""What is in a weights file, as a table or as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcompiler.diagnostics import show
from archcompiler.ir import Network
from archcompiler.weights import neutral
from archcompiler.weights.formats import format_of
from archcompiler.weights.header import read_header
from archcompiler.weights.problems import places, shown

if TYPE_CHECKING:
    from archcompiler.emitted import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The tensors of a file (name, shape, dtype), what kind of file it is, and what is absent."""

    path: Path
    kind: str
    network: str | None
    tensors: tuple[tuple[str, tuple[int, ...], str], ...]
    absent: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {
            "file": str(self.path),
            "kind": self.kind,
            "network": self.network,
            "tensors": [{"name": n, "shape": list(s), "dtype": d} for n, s, d in self.tensors],
            "absent": list(self.absent),
        }

    def text(self) -> str:
        """Return a table, and what it adds up to."""
        rows = [(show(name), shown(shape), dtype) for name, shape, dtype in self.tensors]
        names = max((len(name) for name, _, _ in rows), default=0)
        sizes = max((len(size) for _, size, _ in rows), default=0)
        lines = [f"{n:<{names}}  {s:<{sizes}}  {d}" for n, s, d in rows]
        values = sum(math.prod(shape) for _, shape, _ in self.tensors)
        of = f" of {self.network}" if self.network else ""
        lines.append(f"{self.kind}{of}: {len(rows):,} tensors, {values:,} values")
        if self.absent:
            lines.append(f"absent: {len(self.absent):,} weights of training-only heads")
        return "\n".join(lines)


def contents(path: Path) -> Shown:
    """Return what a file of any kind holds. Raises what its reader raises, and E915."""
    form = format_of(path)
    found = form.read(path, frozenset())
    kind, network = form.title, None
    if path.name.endswith(".safetensors"):
        metadata = read_header(path).metadata
        if metadata.get("format") == neutral.FORMAT:
            kind, network = "neutral file", metadata.get("network")
    return Shown(path=path, kind=kind, network=network, tensors=_rows(found))


def checked(path: Path, network: Network) -> Shown:
    """Return what a neutral file holds that fits the network. Raises as `neutral.read`."""
    found = neutral.read(path, network)
    absent = tuple(name for name in places(network) if name not in found)
    return Shown(
        path=path, kind="neutral file", network=network.name, tensors=_rows(found), absent=absent
    )


def _rows(tensors: dict[str, Array]) -> tuple[tuple[str, tuple[int, ...], str], ...]:
    return tuple((name, tuple(v.shape), v.dtype.name) for name, v in tensors.items())

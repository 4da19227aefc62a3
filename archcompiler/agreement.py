"""Whether two frameworks compute the same numbers, end point by end point, and where they part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archcompiler import draw
from archcompiler.backend import Backend
from archcompiler.emitted import DType
from archcompiler.errors import Diagnostic, Row
from archcompiler.ir import Network, Node
from archcompiler.jobs import Job, run

if TYPE_CHECKING:
    from archcompiler.emitted import Array, Arrays

BOUNDS: Mapping[DType, float] = {"float32": 1e-5, "float64": 1e-12}
"""What may differ, as a share of the largest value: sums in another order, and no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far one backend's end points are from another's, by name: see `difference`."""

    reference: Backend
    other: Backend
    dtype: DType
    images: int
    differences: Mapping[str, float]

    @property
    def bound(self) -> float:
        """Return what may differ."""
        return BOUNDS[self.dtype]

    @property
    def worst(self) -> str:
        """Return the end point with the largest difference."""
        return max(self.differences, key=self.differences.__getitem__)

    @property
    def beyond(self) -> tuple[str, ...]:
        """Return the end points that differ by more than the bound, in the order of the spec."""
        return tuple(k for k, v in self.differences.items() if v > self.bound)


def difference(found: Array, wanted: Array) -> float:
    """Return max |found - wanted| / max |wanted|; infinity where they cannot be compared."""
    if found.shape != wanted.shape or not (np.isfinite(found).all() and np.isfinite(wanted).all()):
        return float("inf")
    apart = float(np.abs(found - wanted).max(initial=0.0))
    largest = float(np.abs(wanted).max(initial=0.0))
    return apart / largest if largest else (0.0 if not apart else float("inf"))


def job(network: Network, dtype: DType, task: str, count: int, weights: Arrays) -> Job:
    """Return what a backend is asked for numbers of a network."""
    return Job(
        network=network,
        tasks=(task,),
        dtype=dtype,
        weights=weights,
        arrays={"images": draw.images(network, count)},
    )


def compare(
    network: Network,
    points: Mapping[Backend, Arrays],
    dtype: DType,
    images: int,
) -> list[Agreement]:
    """Compare each backend's end points with those of the first."""
    reference, *others = points
    names = [point.name for point in network.end_points]
    return [
        Agreement(
            reference=reference,
            other=other,
            dtype=dtype,
            images=images,
            differences={n: difference(points[other][n], points[reference][n]) for n in names},
        )
        for other in others
    ]


def explain(
    network: Network, agreement: Agreement, weights: Arrays, folder: Path
) -> Iterator[Diagnostic]:
    """Say where two backends part (E804): at the first layer whose input still agrees."""
    if not agreement.beyond:
        return
    found: list[Arrays] = []
    for one in (agreement.reference, agreement.other):
        asked = job(network, agreement.dtype, "nodes", agreement.images, weights)
        (outcome,) = run([asked], one, folder / f"nodes_{one.name}")
        found.append({} if outcome.error else outcome.arrays("nodes"))
    node, apart = _first(network, found, agreement)
    titles = f"{agreement.other.title} and {agreement.reference.title}"
    point = agreement.beyond[0]
    count = len(agreement.beyond)
    yield Diagnostic(
        code="E804",
        message=f"{titles} compute different numbers at `{node.path}`",
        position=node.position,
        rows=(
            Row(label="this layer", value=f"{apart:.1e} of the largest value"),
            Row(label=point, value=f"{agreement.differences[point]:.1e}, the first end point"),
            Row(label="bound", value=f"{agreement.bound:.0e} in {agreement.dtype}"),
            Row(label="end points", value=f"{count} of {len(agreement.differences)} beyond it"),
        ),
        hint="what enters this layer agrees; if no framework is at fault, this is a bug in archc: "
        "please report it with the spec",
    )


def _first(network: Network, found: Sequence[Arrays], agreement: Agreement) -> tuple[Node, float]:
    """Return the first node that differs, and by how much."""
    wanted, given = found
    for node in in_order(network):
        if node.path in wanted and node.path in given:
            apart = difference(given[node.path], wanted[node.path])
            if apart > agreement.bound:
                return node, apart
    point = agreement.beyond[0]
    node = next(p.node for p in network.end_points if p.name == point)
    return node, agreement.differences[point]


def in_order(network: Network) -> Iterator[Node]:
    """Yield every node after all that it is computed from: what is inside before the outside."""
    for node in (*network.trunk, *(head.node for head in network.heads)):
        yield from _inner_first(node)


def _inner_first(node: Node) -> Iterator[Node]:
    for graph in node.graphs:
        for inner in graph.nodes:
            yield from _inner_first(inner)
    yield node

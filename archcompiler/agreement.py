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
from archcompiler.reference import evaluate

if TYPE_CHECKING:
    from archcompiler.emitted import Array, Arrays

BOUNDS: Mapping[DType, float] = {"float32": 1e-5, "float64": 1e-12}
"""What may differ, as a share of the largest value: sums in another order, and no more."""


DEFINITIONS = "the definitions"
"""What a table calls the NumPy reference: the ops' mathematics, without a framework."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far one backend's end points are from another's, by name: see `difference`.

    `reference` is None where there was no other, and the definitions in NumPy took its place.
    """

    reference: Backend | None
    other: Backend
    dtype: DType
    images: int
    differences: Mapping[str, float]

    @property
    def titles(self) -> tuple[str, str]:
        """Return who is compared, and with whom."""
        return self.other.title, self.reference.title if self.reference else DEFINITIONS

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


def defined(network: Network, dtype: DType, count: int, weights: Arrays) -> Arrays:
    """Return what every layer gives by the ops' definitions, by path, in evaluation."""
    cast = {name: values.astype(dtype) for name, values in weights.items()}
    return evaluate(network, cast, draw.images(network, count).astype(dtype)).values


def compare(
    network: Network, points: Mapping[Backend, Arrays], dtype: DType, weights: Arrays, count: int
) -> list[Agreement]:
    """Compare each backend's end points with those of the first, or an only one's with NumPy."""
    reference, *others = points
    wanted, first = points[reference], reference if others else None
    if not others:
        values = defined(network, dtype, count, weights)
        wanted = {p.name: values[p.node.path] for p in network.end_points}
    return [
        Agreement(
            reference=first,
            other=other,
            dtype=dtype,
            images=count,
            differences={
                p.name: difference(points[other][p.name], wanted[p.name])
                for p in network.end_points
            },
        )
        for other in (others or [reference])
    ]


def explain(
    network: Network, agreement: Agreement, weights: Arrays, folder: Path
) -> Iterator[Diagnostic]:
    """Say where two backends part (E804): at the first layer whose input still agrees."""
    if not agreement.beyond:
        return
    found: list[Arrays] = []
    for one in (agreement.reference, agreement.other):
        if one is None:
            found.append(defined(network, agreement.dtype, agreement.images, weights))
            continue
        asked = job(network, agreement.dtype, "nodes", agreement.images, weights)
        (outcome,) = run([asked], one, folder / f"nodes_{one.name}")
        found.append({} if outcome.error else outcome.arrays("nodes"))
    node = _first(network, found, agreement)
    exact = defined(network, "float64", agreement.images, weights)[node.path]
    other, reference = agreement.titles
    point = agreement.beyond[0]
    rows = [
        Row(label=title, value=f"{difference(values[node.path], exact):.1e} from the definition")
        for title, values in zip((other, reference), reversed(found), strict=True)
        if title != DEFINITIONS and node.path in values
    ]
    yield Diagnostic(
        code="E804",
        message=f"{other} and {reference} give different numbers at `{node.path}`",
        position=node.position,
        rows=(
            *rows,
            Row(label=point, value=f"{agreement.differences[point]:.1e}, the first end point"),
            Row(
                label="in all",
                value=f"{len(agreement.beyond)} of {len(agreement.differences)} end points are "
                f"beyond {agreement.bound:.0e}",
            ),
        ),
        hint="what enters this layer agrees; if no framework is at fault, this is a bug in archc: "
        "please report it with the spec",
    )


def _first(network: Network, found: Sequence[Arrays], agreement: Agreement) -> Node:
    """Return the first node that differs."""
    wanted, given = found
    for node in in_order(network):
        if node.path in wanted and node.path in given:
            if difference(given[node.path], wanted[node.path]) > agreement.bound:
                return node
    return next(p.node for p in network.end_points if p.name == agreement.beyond[0])


def in_order(network: Network) -> Iterator[Node]:
    """Yield every node after all that it is computed from: what is inside before the outside."""
    for node in (*network.trunk, *(head.node for head in network.heads)):
        yield from _inner_first(node)


def _inner_first(node: Node) -> Iterator[Node]:
    for graph in node.graphs:
        for inner in graph.nodes:
            yield from _inner_first(inner)
    yield node

"""The problems of one weights file, collected so that one run shows all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, Row, did_you_mean
from archcompiler.fields import shape_text
from archcompiler.ir import Network, Node
from archcompiler.op import Weight
from archcompiler.position import Position

MOST_COLLECTED = 10_000
"""A file may hold a million wrong names; what is told is bounded."""


MOST_HINTS = 20
"""Looking for near names costs time, and nobody reads more."""


@dataclass(slots=True)
class Problems:
    """Errors in the order they were found; `count` goes on when no more are kept."""

    found: list[Diagnostic] = field(default_factory=list)
    count: int = 0

    def error(
        self,
        code: str,
        message: str,
        position: Position | None = None,
        *,
        rows: Iterable[Row] = (),
        hint: str | None = None,
    ) -> None:
        """Record one error."""
        self.count += 1
        if self.count <= MOST_COLLECTED:
            self.found.append(
                Diagnostic(
                    code=code, message=message, position=position, rows=tuple(rows), hint=hint
                )
            )

    def unknown(
        self, name: str, message: str, known: Iterable[str], otherwise: str | None = None
    ) -> None:
        """Record E909 for a tensor of that name, with the nearest of the names that are missing."""
        near = did_you_mean(name, known) if self.count < MOST_HINTS else None
        self.error("E909", message, hint=near or otherwise)

    def lacks(
        self,
        missing: Sequence[tuple[Node, Weight, str | None]],
        holder: str,
    ) -> None:
        """Record E908 for each layer that lacks weights, by the source's names if given."""
        layers: dict[str, list[tuple[Node, Weight, str | None]]] = {}
        for one in missing:
            layers.setdefault(one[0].path, []).append(one)
        for weights in layers.values():
            node, first, _ = weights[0]
            more = f" and {len(weights) - 1} more of this layer" if len(weights) > 1 else ""
            rows = [
                Row(label=theirs) if theirs else Row(label=n.weight_name(w), value=shown(w.shape))
                for n, w, theirs in weights
            ]
            self.error(
                "E908",
                f"{holder} lacks `{node.weight_name(first)}`{more}",
                node.position,
                rows=rows if more or weights[0][2] else (),
            )

    def raise_errors(self) -> None:
        """Raise `ArchcError` with everything recorded, if anything was."""
        rest = self.count - len(self.found)
        if rest:
            code = self.found[-1].code
            self.found.append(Diagnostic(code=code, message=f"and {rest:,} more problems"))
        if self.found:
            raise ArchcError(*self.found)


def places(network: Network) -> dict[str, tuple[Node, Weight]]:
    """Return every weight of a network by its name: the layer and the weight, in IR order."""
    return {n.weight_name(w): (n, w) for n in network.walk() for w in n.weights}


def shown(shape: tuple[int, ...]) -> str:
    """Write a shape as people do."""
    return shape_text(shape) if shape else "one number"


def broken(path: Path, message: str, hint: str | None = None) -> ArchcError:
    """Return E901: the file is damaged, or not of the kind that its name says."""
    return ArchcError(Diagnostic(code="E901", message=f"{path}: {message}", hint=hint))


def unreadable(path: Path, reason: str) -> ArchcError:
    """Return E101: the file cannot be read at all."""
    diagnostic = Diagnostic(code="E101", message=f"cannot read {path}: {reason}")
    return ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)

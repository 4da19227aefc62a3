"""Where a network is no longer what its lock says: first causes, with both places."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from archcompiler.addresses import Addresses
from archcompiler.compiler import Trace, trace_file
from archcompiler.errors import ArchcError, Diagnostic, Row, nearest
from archcompiler.expand import expand
from archcompiler.fields import shape_text
from archcompiler.infer import infer
from archcompiler.ir import Network, Totals, Value
from archcompiler.ir import Node as Layer
from archcompiler.lock import EVALUATION, TOTALS, Figures, Lock, Placed, command, figures, sums
from archcompiler.position import Position
from archcompiler.source import Mapping, Node, load

MOST_SHOWN = 5
"""So many end points that drifted are shown; more are only counted."""
MOST_TRIED = 6
"""So many patches of a layer are left out in turn, to see which of them matter."""
MOST_CAUSES = 5
"""So many of those that matter are shown; more are only counted."""
MOST_EXPANDED = 20_000
"""So many layers are expanded for that in all: a network of as many is tried but once."""


def drift(network: Network, lock: Lock, spec: Path, trace: Trace | None = None) -> list[Diagnostic]:
    """Return one E605 for each end point that left its lock, first causes only.

    What differs because something before it does is counted in the hint. `spec` is the file that
    the network was compiled from; without its `trace`, it may be compiled again.
    """
    found = _Drift(network=network, lock=lock, spec=spec, trace=trace)
    problems = [*found.input(), *found.names(), *found.figures()]
    if not problems and not found.behind:
        problems += found.totals()
    if not problems:
        return []
    hint = f"if this is meant, {command(spec)} writes it into the lock"
    if found.behind:
        points = "end point differs" if found.behind == 1 else "end points differ"
        hint = f"{found.behind} more {points} with it; {hint}"
    hints = [*(None for _ in problems[1:]), hint]
    return [
        Diagnostic(code="E605", message=text, position=position, rows=tuple(rows), hint=hint)
        for (text, position, rows), hint in zip(problems, hints, strict=False)
    ]


Problem = tuple[str, Position, list[Row]]


@dataclass(slots=True, kw_only=True)
class _Drift:
    network: Network
    lock: Lock
    spec: Path
    trace: Trace | None
    behind: int = 0
    off: set[Value] = field(default_factory=set)
    """Values whose shapes are not as locked, or come from such."""

    _root: Node | None = None
    _places: Addresses | None = None
    _without: dict[frozenset[int], dict[str, Figures]] = field(default_factory=dict)
    """By the orders of patches that are left out, the figures of the network without them."""
    _trials: int | None = None
    """How many more networks may be made with patches left out; None before it is known."""

    def place(self, key: str) -> Position:
        """Return where the spec says `key`; the beginning where it leaves that to another spec."""
        self._root = root = self._root or load(self.spec)
        entry = root.entries.get(key) if isinstance(root, Mapping) else None
        return entry.position if entry else root.position

    def patches(self, layer: Layer, name: str, locked: Figures) -> list[Row]:
        """Return the patches of a layer, or of what is inside it, without which it is as locked.

        Where leaving out one of them, or all from one on, does not give that, return the last; so,
        too, where the network is too large to try.
        """
        places = self._places = self._places or self._addresses()
        found = {p.order: p for node in layer.walk() for p in places.changes(node.path)}
        orders = sorted(found)[-MOST_TRIED:]
        alone = ([order] for order in reversed(orders))
        from_one_on = (orders[start:] for start in range(len(orders) - 2, -1, -1))
        tried = (some for some in (*alone, *from_one_on) if self.without(some, name) == locked)
        causes = next(tried, orders[-1:])
        shown = [found[order] for order in causes[-MOST_CAUSES:]]
        rows = [_row("patched", patch.path, patch.position) for patch in shown]
        more = len(causes) - len(shown)
        return [Row(label="patched", value=f"by {more} more, before"), *rows] if more else rows

    def without(self, orders: Iterable[int], name: str) -> Figures | None:
        """Return the figures of an end point without some of the patches, if it has any then.

        That is not known where too much was tried already.
        """
        left_out = frozenset(orders)
        if left_out not in self._without:
            assert self._places is not None
            if self._trials is None:
                self._trials = MOST_EXPANDED // sum(1 for _ in self.network.walk())
            if not self._trials:
                return None
            self._trials -= 1
            spec = self._places.spec
            kept = tuple(p for p in spec.patches if p.order not in left_out)
            made: dict[str, Figures] = {}
            with suppress(ArchcError):  # others may need them
                network, _ = infer(expand(dataclasses.replace(spec, patches=kept)), "")
                made = figures(network)
            self._without[left_out] = made
        return self._without[left_out].get(name)

    def _addresses(self) -> Addresses:
        trace = self.trace or trace_file(self.spec)
        return Addresses(trace.spec, trace.draft)

    def input(self) -> Iterator[Problem]:
        locked, shape = self.lock.input, self.network.input.shape
        if shape != locked.value:
            self.off.add(self.network.input)
            message = f"the input is {shape_text(shape)}, its lock says {shape_text(locked.value)}"
            yield message, self.place("input"), [_row("the lock", "", locked.position)]

    def names(self) -> Iterator[Problem]:
        """Yield the end points that only one of the two has."""
        known = {point.name: point.node for point in self.network.end_points}
        layers = {node.path: node for node in self.network.walk()}
        new = [name for name in known if name not in self.lock.end_points]
        gone = [name for name in self.lock.end_points if name not in known]
        self.behind += max(0, len(gone) - MOST_SHOWN) + max(0, len(new) - MOST_SHOWN)
        for name in gone[:MOST_SHOWN]:
            locked = self.lock.end_points[name]
            message = f"`{name}` is in the lock, but is no end point of the spec"
            near = nearest(name, new)
            if name in layers:
                row = _row("the spec", "has it as a layer", layers[name].position)
            elif near:
                row = _row("the spec", f"has `{near}`", known[near].position)
            else:
                row = _row("the spec", "", self.place("name"))
            yield message, locked.position, [row]
        for name in new[:MOST_SHOWN]:
            message = f"the end point `{name}` is not in the lock"
            rows = [_row("the lock", "", self.lock.position)]
            yield message, known[name].position, rows

    def figures(self) -> Iterator[Problem]:
        now, nodes = figures(self.network), {p.node: p.name for p in self.network.end_points}
        roots = (*self.network.trunk, *(h.node for h in self.network.heads))
        shown = 0
        for node, is_behind in self.drifted(roots, nodes, now):
            if is_behind or shown == MOST_SHOWN:
                self.behind += 1
                continue
            shown += 1
            name = nodes[node]
            found, locked = now[name], self.lock.end_points[name]
            rows = [
                _row("now", _text(found), node.position),
                _row("the lock", _text(locked.value), locked.position),
                *self.patches(node, name, locked.value),
            ]
            yield f"`{name}` {_says(found, locked.value)}", node.position, rows

    def drifted(
        self, roots: tuple[Layer, ...], names: dict[Layer, str], now: dict[str, Figures]
    ) -> Iterator[tuple[Layer, bool]]:
        """Yield the end points that are not as locked, inner before outer.

        The flag tells that something before or inside one is off already.
        """
        for node in roots:
            before = any(v in self.off for v in node.inputs)
            if before:
                self.off |= {graph.input for graph in node.graphs}
            inside = [found for g in node.graphs for found in self.drifted(g.nodes, names, now)]
            yield from inside
            locked = self.lock.end_points.get(names.get(node, ""))
            if locked is None:
                if any(g.output in self.off for g in node.graphs) or (before and not node.graphs):
                    self.off.add(node.output)
                continue
            found = now[names[node]]
            if found.shape != locked.value.shape:
                self.off.add(node.output)
            if found != locked.value:
                yield node, before or bool(inside)

    def totals(self) -> Iterator[Problem]:
        """Yield totals that differ although every end point is as it was."""
        now, locked = sums(self.network), self.lock.totals
        for key in (k for k in TOTALS if k in now or k in locked):
            if key not in now or key not in locked:
                only = "lock" if key in locked else "spec"
                position = locked[key].position if key in locked else self.lock.position
                message = f"only the {only} has training heads, which evaluation leaves out"
                yield message, self.place("heads"), [_row("the lock", "", position)]
            elif now[key] != locked[key].value:
                yield self.total(key, now[key], locked[key])
                return

    def total(self, key: str, now: Totals, locked: Placed[Totals]) -> Problem:
        mode = " in evaluation" if key == EVALUATION else ""
        place = self.place("name")
        rows = [
            _row("now", _counts(now), place),
            _row("the lock", _counts(locked.value), locked.position),
        ]
        return f"the totals{mode} are not those of the lock", place, rows


def _says(now: Figures, locked: Figures) -> str:
    if now.shape != locked.shape:
        return f"gives {shape_text(now.shape)}, its lock says {shape_text(locked.shape)}"
    if now.params != locked.params:
        return f"has {now.params:,} params, its lock says {locked.params:,}"
    return f"takes {now.macs:,} MACs, its lock says {locked.macs:,}"


def _text(found: Figures) -> str:
    return f"{shape_text(found.shape)}, {found.params:,} params, {found.macs:,} MACs"


def _counts(totals: Totals) -> str:
    return f"{totals.params:,} params ({totals.trainable:,} trainable), {totals.macs:,} MACs"


def _row(label: str, value: str, position: Position) -> Row:
    return Row(label=label, value=value, position=position)

"""What a patch wrote and later ones of the same file wrote over: no layer of the network has it.

A value is known by its place in the file. It is over where a later patch took it out of a layer,
and lives where any layer has it in the end: what a patch says of a template may be over in one
instance and live in another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from archcompiler.blame import edit_row
from archcompiler.errors import Report, listed
from archcompiler.position import Position
from archcompiler.source import Entry, Mapping, Node, Scalar, Sequence
from archcompiler.spec import Layer, Patch

LISTS = ("layers", "branches")
"""Keys under which other layers stand, which are patched, and live, on their own."""
MOST_ROWS = 3
"""So many of the later patches are named."""


@dataclass(slots=True)
class Overwritten:
    """The values that patches took out of layers, and those that layers have in the end."""

    over: dict[Position, dict[int, Patch]] = field(default_factory=dict)
    """By place of a value, the patches that took it out of a layer, by their order."""
    gone: dict[int, tuple[Node, dict[int, Patch]]] = field(default_factory=dict)
    """By identity of a node, which must stay, the patches that took all of it away."""
    live: set[Position] = field(default_factory=set)
    _taken: dict[Position, list[dict[int, Patch]]] = field(default_factory=dict)
    """By place of a value, the patches that took what is around it."""
    _seen: dict[tuple[int, int], Node] = field(default_factory=dict)
    """By identity, which must stay, and by order of the patch: instances share their templates."""

    def take(self, node: Node, patch: Patch) -> None:
        """Note that a patch takes all of a node away."""
        self.gone.setdefault(id(node), (node, {}))[1][patch.order] = patch

    def note(self, before: Node, patch: Patch, after: Node) -> None:
        """Note what is not there any more once a patch made this of a node."""
        if self._is_new(before, patch.order):
            kept = {*_values(after)}
            for at in _values(before):
                if at.source == patch.position.source and at not in kept:
                    self.over.setdefault(at, {})[patch.order] = patch

    def keep(self, node: Node) -> None:
        """Note that the network has what a node says itself, the layers in it aside."""
        if isinstance(node, Mapping) and self._is_new(node, 0):
            for key, entry in node.entries.items():
                self.live.update(() if key in LISTS else _values(entry.node))

    def keep_layers(self, layers: Iterable[Layer]) -> None:
        """Note that the network has these layers; the instances of a repeated one come alone."""
        for layer in layers:
            if layer.repeat is None:
                self.keep(layer.node)

    def report(self, patch: Patch, renamed: Collection[str], report: Report) -> None:
        """Say what of a patch is nowhere any more.

        A name may stand in between, so that something else can have the one of what is `renamed`.
        """
        for node, patches in self.gone.values():
            for at in _values(node):
                self._taken.setdefault(at, []).append(patches)
        self.gone.clear()
        found: dict[tuple[int, ...], list[Entry]] = {}
        takers: dict[int, Patch] = {}
        waiting = [*reversed(patch.entries.values())]
        waiting += [Entry("", patch.position, patch.content)] if patch.content else []
        while waiting:
            entry = waiting.pop()
            by = self._takers(entry.node)
            if by and not (entry.key == "name" and _gives(by.values(), renamed)):
                takers |= by
                found.setdefault(tuple(sorted(by)), []).append(entry)
            elif isinstance(entry.node, Mapping):
                waiting += reversed(entry.node.entries.values())
            elif isinstance(entry.node, Sequence):
                items = reversed(entry.node.items)
                waiting += [Entry(entry.key, item.position, item) for item in items]
        for orders, entries in found.items():
            _report(entries, [takers[order] for order in orders], report)

    def _takers(self, node: Node) -> dict[int, Patch]:
        """Return the patches that took all that a node says, by order, if none of it lives."""
        groups: dict[int, dict[int, Patch]] = {}
        for at in _values(node):
            by = [*self._taken.get(at, ()), *([self.over[at]] if at in self.over else ())]
            if at in self.live or not by:
                return {}
            groups |= {id(group): group for group in by}
        found = {order: patch for group in groups.values() for order, patch in group.items()}
        return {o: p for o, p in found.items() if p.position.source == node.position.source}

    def _is_new(self, node: Node, order: int) -> bool:
        """Tell whether this is asked for the first time."""
        known = (id(node), order) in self._seen
        self._seen[id(node), order] = node
        return not known


def _gives(patches: Iterable[Patch], names: Collection[str]) -> bool:
    """Tell whether patches give one of the names."""
    given = (patch.entries["name"].node for patch in patches if "name" in patch.entries)
    return any(isinstance(node, Scalar) and node.text in names for node in given)


def _report(entries: list[Entry], takers: list[Patch], report: Report) -> None:
    names = listed([f"`{entry.key}`" for entry in entries if entry.key]) or "what this brings in"
    later = "a later patch" if len(takers) == 1 else "later patches"
    verb = "is" if len(entries) == 1 else "are"
    how = "written over" if any(p.verb == "set" for p in takers) else "taken away again"
    message = f"{names} {verb} {how} by {later} of this file"
    rows = [edit_row(patch) for patch in takers[:MOST_ROWS]]
    report.error("E318", message, entries[0].position, rows=rows, hint="say it in one place")


def _values(node: Node) -> Iterator[Position]:
    """Yield the places of the values in a node: scalars, and lists of nothing else."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            waiting += [entry.node for entry in node.entries.values()]
        elif isinstance(node, Sequence) and any(isinstance(i, Mapping) for i in node.items):
            waiting += node.items
        else:
            yield node.position

"""Networks as lists of layers that can be laid side by side: what has a name, without wrappers.

Blocks, groups and forks that only hold another container are one item with it, and unnamed groups
are no item at all, so that a network and its canonical form have the same items.
"""

from __future__ import annotations

import bisect
import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archcompiler.fields import Shape
from archcompiler.ir import Fork, Graph, Group, Head, Instance, Network, Node, Value
from archcompiler.op import Op, write_attributes
from archcompiler.ops.unit import ZEROS, Unit
from archcompiler.yaml_writer import flow

_MOST_COMPARED = 10_000
"""So many pairs of unnamed layers between two named ones are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """One list of an item: a fork's branch with its path, or all of a group."""

    name: str
    path: str
    items: tuple[Item, ...]
    output: Shape
    gives: Value
    """What leaves it."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One layer: the outermost `node` has its name and path, the `core` what it computes."""

    node: Node
    core: Node
    branches: tuple[Branch, ...] = ()
    head: Head | None = None

    @property
    def op_key(self) -> str:
        """Return the key of its op or container."""
        return self.core.op.key

    def walk(self) -> Iterator[Item]:
        """Yield the item and every item inside it."""
        yield self
        for branch in self.branches:
            for item in branch.items:
                yield from item.walk()


Source = tuple[Item | None, str | None]
"""What gives a value: an item, or what enters a branch (by name) of one; no item is the image."""


@dataclass(slots=True)
class Items:
    """The items of a network, and which of them gives each value."""

    network: Network
    trunk: tuple[Item, ...] = ()
    heads: tuple[Item, ...] = ()
    uses: Counter[str] = field(default_factory=Counter)
    """How often each block is used."""
    end_points: frozenset[Node] = frozenset()
    _given: dict[Value, Item] = field(default_factory=dict)
    _entered: dict[Value, tuple[Item, str]] = field(default_factory=dict)
    _same: dict[Value, Value] = field(default_factory=dict)
    """What enters a wrapper, by the value that stands for it inside."""

    def __post_init__(self) -> None:
        self.trunk = (*self._list(self.network.stem), *self._list(self.network.body))
        self.heads = tuple(self._item(head.node, head) for head in self.network.heads)
        self.end_points = frozenset(point.node for point in self.network.end_points)
        self.uses.update(
            node.op.template for node in self.network.walk() if isinstance(node.op, Instance)
        )

    def source(self, value: Value) -> Source:
        """Return what gives a value."""
        while value in self._same:
            value = self._same[value]
        if value in self._entered:
            return self._entered[value]
        return self._given.get(value), None

    def walk(self) -> Iterator[Item]:
        """Yield every item."""
        for item in (*self.trunk, *self.heads):
            yield from item.walk()

    def _list(self, graph: Graph) -> tuple[Item, ...]:
        found: list[Item] = []
        for node in graph.nodes:
            if isinstance(node.op, Group | Instance) and not node.named:
                self._same[node.graphs[0].input] = node.inputs[0]
                found += self._list(node.graphs[0])
                self._same[node.output] = node.graphs[0].output
            else:
                found.append(self._item(node))
        return tuple(found)

    def _item(self, node: Node, head: Head | None = None) -> Item:
        core, wrappers = node, [node]
        while isinstance(core.op, Group | Instance):
            (graph,) = core.graphs
            inner = graph.nodes[0] if len(graph.nodes) == 1 else None
            if inner is None or isinstance(inner.op, Op) or inner.named:
                break
            self._same[graph.input] = core.inputs[0]
            core = inner
            wrappers.append(core)
        branches = tuple(
            Branch(g.name, core.branch_path(g), self._list(g), g.output.shape, g.output)
            for g in core.graphs
        )
        found = Item(node, core, branches, head)
        self._entered |= {g.input: (found, g.name) for g in core.graphs}
        self._given |= {wrapper.output: found for wrapper in wrappers}
        return found


def written(op: Op) -> dict[str, object]:
    """Return an op's attributes as plain values; what fills a bias that is not there is none."""
    found = write_attributes(op)
    if isinstance(op, Unit) and not op.bias:
        for name, built_in in (("bias_init", ZEROS), ("bias_decay", 0.0)):
            if getattr(op, name) == built_in:
                del found[name]
    return found


def content(item: Item, *, shapes: bool = True) -> str:
    """Return what an item is but for its own name, as text that equal ones share."""
    entering = [v.shape for v in item.node.inputs] if shapes else ""
    if isinstance(item.core.op, Op):
        return f"{item.op_key} {flow(written(item.core.op))} {entering}"
    fork = item.core.op if isinstance(item.core.op, Fork) else ""
    inside = [
        (b.name, [(i.node.name if i.node.named else "", content(i)) for i in b.items])
        for b in item.branches
    ]
    return f"{fork} {entering} {inside}"


@dataclass(frozen=True, slots=True)
class Matched:
    """Two lists side by side: pairs in the order of the second, and what only one has."""

    pairs: tuple[tuple[Item, Item], ...]
    renamed: tuple[tuple[Item, Item], ...]
    removed: tuple[Item, ...]
    added: tuple[Item, ...]


def match(old: Sequence[Item], new: Sequence[Item]) -> Matched:
    """Lay two lists side by side, by names, and unnamed layers by their order between these.

    A layer is renamed only if that is certain: it has the place and the content of what is missing
    between the same neighbours.
    """
    places = {item.node.name: n for n, item in enumerate(new) if item.node.named}
    shared = [
        (n, places[item.node.name])
        for n, item in enumerate(old)
        if item.node.named and item.node.name in places
    ]
    pairs = [(old[a], new[b]) for a, b in shared]
    settled = {id(item) for pair in pairs for item in pair}
    renamed: list[tuple[Item, Item]] = []
    start, other = 0, 0
    for a, b in (*_in_order(shared), (len(old), len(new))):
        one, two = (
            [item for item in gap if id(item) not in settled]
            for gap in (old[start:a], new[other:b])
        )
        unnamed = list(_unnamed(one, two))
        paired = {id(item) for pair in unnamed for item in pair}
        pairs += unnamed
        renamed += _renamed(
            [item for item in one if id(item) not in paired],
            [item for item in two if id(item) not in paired],
        )
        start, other = a + 1, b + 1
    settled = {id(item) for pair in (*pairs, *renamed) for item in pair}
    order = {id(item): n for n, item in enumerate(new)}
    return Matched(
        pairs=tuple(sorted(pairs, key=lambda pair: order[id(pair[1])])),
        renamed=tuple(renamed),
        removed=tuple(item for item in old if id(item) not in settled),
        added=tuple(item for item in new if id(item) not in settled),
    )


def _in_order(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the most pairs of places that grow on both sides: what was not moved."""
    ends: list[int] = []  # the smallest place that ends a run of each length
    last: list[int] = []  # and which pair that is
    before: list[int | None] = []
    for n, (_, place) in enumerate(places):
        length = bisect.bisect_left(ends, place)
        before.append(last[length - 1] if length else None)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [n]
    found = []
    at = last[-1] if last else None
    while at is not None:
        found.append(places[at])
        at = before[at]
    return found[::-1]


def _unnamed(old: Sequence[Item], new: Sequence[Item]) -> Iterator[tuple[Item, Item]]:
    """Yield layers without a name that are alike, and between these, those of one op in order."""
    old, new = ([i for i in side if not i.node.named] for side in (old, new))
    if len(old) * len(new) > _MOST_COMPARED:  # then by their numbers alone
        yield from ((a, b) for a, b in zip(old, new, strict=False) if a.op_key == b.op_key)
        return
    texts = [[content(i, shapes=False) for i in side] for side in (old, new)]
    for tag, a, b, c, d in difflib.SequenceMatcher(None, texts[0], texts[1], False).get_opcodes():
        left = list(new[c:d])
        for item in old[a:b]:
            same = next((i for i in left if tag == "equal" or i.op_key == item.op_key), None)
            if same:
                yield item, same
                del left[: left.index(same) + 1]


def _renamed(old: Sequence[Item], new: Sequence[Item]) -> Iterator[tuple[Item, Item]]:
    """Yield the items with a name that stand at the same place of equally long gaps."""
    if len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            if one.node.named and other.node.named and content(one) == content(other):
                yield one, other

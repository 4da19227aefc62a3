"""What differs between two networks: layers, their attributes, what they cost; not how it is said.

Two networks are equal when they have the same layers under the same names, wired alike, with the
same attributes, heads and end points: then they compute the same function of the same weights.
Parameters, expressions, the names of blocks, and groups without a name may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from archcompiler.diff_items import Branch, Item, Items, Matched, Source, match, written
from archcompiler.fields import Shape, shape_text
from archcompiler.ir import Fork, Instance, Network, Node, Totals, Value, totals
from archcompiler.lock import Figures, figures, sums
from archcompiler.op import Op
from archcompiler.position import Position
from archcompiler.yaml_writer import flow

UNSET = "unset"
"""What stands for a value that one side does not have; `none` is a value of the language."""

_BUILT_IN = {"bias_init": "zeros", "bias_decay": "0.0"}
"""What comes and goes with a bias, and need not be said."""

_OF_BLOCK = ("join", "split", "order of branches", "output")
"""What a block's own text says of the fork that it is."""

Kind = Literal["removed", "added", "renamed", "changed"]


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One attribute with its values before and after, as text."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a block that a layer is inside of: the instance, and the block's name in A."""

    instance: str
    block: str
    new_block: str
    """Its name in B: of one that is of another block there, that one's."""
    inside: str
    """The layer's path inside the block, empty for the block itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One layer that differs, with its figures on both sides."""

    kind: Kind
    path: str
    old_path: str = ""
    what: str
    """Its op, or what kind of container it is."""
    changes: tuple[Change, ...] = ()
    before: Figures | None = None
    after: Figures | None = None
    use: Use | None = None
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """All that differs between A and B, in the order of the networks."""

    network: tuple[Change, ...]
    """The input and which head is the output."""
    params: tuple[Change, ...]
    layers: tuple[Difference, ...]
    end_points: dict[str, tuple[Figures | None, Figures | None]]
    """Those with other figures, or on one side only."""
    totals: dict[str, tuple[Totals, Totals]]
    uses: dict[str, int]
    """How often A uses each block."""
    uses_after: dict[str, int]
    """How often B does."""
    shared_uses: dict[str, int]
    """How many uses of each block are uses of it on both sides."""
    ops: dict[str, tuple[str, ...]]
    """The paths of A's layers that B has, too, by their op or block."""
    input: Shape
    """The image at which B was laid beside A."""

    @property
    def equal(self) -> bool:
        """Tell whether the networks compute the same function of the same weights."""
        return not self.network and not self.layers


def diff(old: Network, new: Network) -> Diff:
    """Return what differs between two networks."""
    found = _Diff(Items(old), Items(new))
    found.compare()
    before, after = figures(old), figures(new)
    first, second = sums(old), sums(new)
    if first.keys() != second.keys():  # one has no training heads: all of it is evaluation's
        first, second = (dict.fromkeys(first | second, t["total"]) | t for t in (first, second))
    names = [*before, *(name for name in after if name not in before)]
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    ops: dict[str, list[str]] = {}
    shared = {*found.twins.values()}
    for item in found.old.walk():
        if item in shared:
            ops.setdefault(_what(item), []).append(item.node.path)
    uses = (use for b, a in found.twins.items() if (use := _use(a, b)))
    return Diff(
        network=tuple(_changes(_network(old), _network(new))),
        params=tuple(_changes(_words(old.params), _words(new.params))),
        layers=tuple(found.layers),
        end_points={name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
        totals={key: (first[key], second[key]) for key in first},
        uses=dict(found.old.uses),
        uses_after=dict(found.new.uses),
        shared_uses=dict(Counter(use.block for use in uses if use.block == use.new_block)),
        ops={key: tuple(paths) for key, paths in ops.items()},
        input=new.input.shape,
    )


@dataclass(slots=True)
class _Diff:
    old: Items
    new: Items
    twins: dict[Item, Item] = field(default_factory=dict)
    """The items of A by those of B."""
    only: set[Item] = field(default_factory=set)
    """Items that only one side has; what is inside them, nothing outside can read."""
    layers: list[Difference] = field(default_factory=list)
    beyond: dict[Item, Source] = field(default_factory=dict)
    """What is read through items that only one side has."""

    def compare(self) -> None:
        trunk = self.settle(match(self.old.trunk, self.new.trunk))
        heads = self.settle(match(self.old.heads, self.new.heads))
        for root in (trunk, heads):
            self.compare_lists(root, None)

    def settle(self, found: Matched) -> Matched:
        """Note which items are twins, all the way down, before any wiring is compared."""
        self.only |= {*found.removed, *found.added}
        for a, b in (*found.pairs, *found.renamed):
            self.twins[b] = a
            for one, other in _branch_pairs(a, b):
                self.settle(match(one.items, other.items))
        return found

    # Lists

    def compare_lists(self, found: Matched, use: Use | None) -> None:
        for item in found.removed:
            self.add_one_sided("removed", item, use)
        for item in found.added:
            self.add_one_sided("added", item, use)
        for a, b in found.renamed:
            self.layers.append(Difference(
                kind="renamed", path=b.node.path, old_path=a.node.path, what=_what(b),
                changes=(*self.compare_own(a, b), *self.compare_wiring(a, b)),
                before=_figures(a.node), after=_figures(b.node),
                use=_inside(use, b.node.path), position=b.node.position,
            ))  # fmt: skip
        for a, b in found.pairs:
            self.compare_pair(a, b, use)

    def add_one_sided(self, kind: Kind, item: Item, use: Use | None) -> None:
        found = _figures(item.node)
        self.layers.append(Difference(
            kind=kind, path=item.node.path, what=_what(item),
            before=found if kind == "removed" else None,
            after=found if kind == "added" else None,
            use=_inside(use, item.node.path), position=item.node.position,
        ))  # fmt: skip

    def compare_pair(self, a: Item, b: Item, use: Use | None) -> None:
        changes = [*self.compare_own(a, b), *self.compare_wiring(a, b)]
        before, at = len(self.layers), _inside(use, b.node.path)
        inner = _use(a, b) or use
        if inner is not use and changes and all(c.name.startswith(_OF_BLOCK) for c in changes):
            at = inner
        for one, other in _branch_pairs(a, b):
            self.compare_lists(match(one.items, other.items), inner)
        self.add_lost_branches(a, b, inner)
        if len(self.layers) > before:
            changes += _arguments(a, b, self.layers[before:])
        if (changes or len(self.layers) > before) and not any(c.name == "" for c in changes):
            changes[:0] = _block(a, b)
        if changes:
            found = Difference(
                kind="changed", path=b.node.path, what=_what(b), changes=tuple(changes),
                before=_figures(a.node), after=_figures(b.node), use=at, position=b.node.position,
            )  # fmt: skip
            self.layers.insert(before, found)

    def add_lost_branches(self, a: Item, b: Item, use: Use | None) -> None:
        if not (isinstance(a.core.op, Fork) and isinstance(b.core.op, Fork)):
            return
        shared = {x.name for x in a.branches} & {x.name for x in b.branches}
        kinds: tuple[tuple[Kind, Item], ...] = (("removed", a), ("added", b))
        for kind, item in kinds:
            for branch in item.branches:
                if branch.name not in shared:
                    nodes = [n for i in branch.items for n in i.node.walk()]
                    sum_ = totals(iter(nodes))
                    found = Figures(shape=branch.output, params=sum_.params, macs=sum_.macs)
                    self.layers.append(Difference(
                        kind=kind, path=branch.path, what="branch",
                        before=found if kind == "removed" else None,
                        after=found if kind == "added" else None,
                        use=_inside(use, branch.path), position=item.node.position,
                    ))  # fmt: skip

    # One layer

    def compare_own(self, a: Item, b: Item) -> Iterator[Change]:
        """Yield the attributes that differ, but for the wiring."""
        one, other = a.core.op, b.core.op
        if isinstance(one, Op) and isinstance(other, Op) and one.key == other.key:
            yield from _attributes(one, other)
        elif _shape_of(a) != _shape_of(b):
            yield Change("", _what(a), _in_full(b))
        elif isinstance(one, Fork) and isinstance(other, Fork):
            shared = {x.name for x in a.branches} & {x.name for x in b.branches}
            yield from _changes(_fork(a, one, shared), _fork(b, other, shared))
        yield from _changes(_role(a, self.old), _role(b, self.new))

    def compare_wiring(self, a: Item, b: Item) -> Iterator[Change]:
        """Yield what the layer reads, where that is not the same layer on both sides."""
        one = [self.find_read(v, self.old) for v in a.node.inputs]
        other = [self.find_read(v, self.new) for v in b.node.inputs]
        if one != [self.find_twin(source) for source in other]:
            yield Change("from", _sources(a, self.old), _sources(b, self.new))
        for left, right in _branch_pairs(a, b):
            after = self.find_twin(self.find_read(right.gives, self.new))
            if after != self.find_read(left.gives, self.old):
                name = f"output of {right.name}" if isinstance(b.core.op, Fork) else "output"
                gives = (self.old.source(left.gives), self.new.source(right.gives))
                inside = (f"{a.node.path}/", f"{b.node.path}/")
                yield Change(name, *map(str.removeprefix, map(_path, gives), inside))

    def find_twin(self, source: Source) -> Source:
        """Return what stands in A for a source of B; no item is the image, on both sides."""
        item, inside = source
        return (self.twins.get(item) if item else None), inside

    def find_read(self, value: Value, side: Items) -> Source:
        """Return what gives a value, seen through what only one side has."""
        source, passed = side.source(value), list[Item]()
        while (item := source[0]) in self.only:
            passed.append(item)
            source = self.beyond.get(item) or side.source(item.node.inputs[0])
        self.beyond |= dict.fromkeys(passed, source)
        return source


def _branch_pairs(a: Item, b: Item) -> list[tuple[Branch, Branch]]:
    """Return the branches that correspond: of groups the one list, of forks those of one name."""
    if _shape_of(a) != _shape_of(b) or isinstance(a.core.op, Op):
        return []
    if not isinstance(a.core.op, Fork):
        return [(a.branches[0], b.branches[0])]
    by_name = {branch.name: branch for branch in a.branches}
    return [(by_name[branch.name], branch) for branch in b.branches if branch.name in by_name]


def _shape_of(item: Item) -> str:
    """Return what kind of thing an item is: a list, a fork, or an op by its key."""
    op = item.core.op
    return op.key if isinstance(op, Op) else "fork" if isinstance(op, Fork) else "list"


def _what(item: Item) -> str:
    if isinstance(item.node.op, Instance):
        return item.node.op.template
    kind = _shape_of(item)
    return {"fork": "branches", "list": "group"}.get(kind, kind)


def _in_full(item: Item) -> str:
    op = item.core.op
    if not isinstance(op, Op):
        return _what(item)
    values = {k: v for k, v in written(op).items() if k != op.main}
    main = written(op)[op.main] if op.main else None
    return flow({op.key: main} | values)


def _attributes(one: Op, other: Op) -> Iterator[Change]:
    """Yield attributes that differ; of two norms of one kind, the options that do."""
    old, new = written(one), written(other)
    (before, options), (after, wanted) = _norm(old), _norm(new)
    for change in _changes(_words(old), _words(new)):
        if change.name == "norm" and before == after:
            for option in _changes(options, wanted):
                yield Change(f"norm.{option.name}", option.old, option.new)
        elif change.name == "norm":
            yield Change("norm", before, change.new)
        elif {change.old, change.new} != {UNSET, _BUILT_IN.get(change.name)}:
            yield change


def _norm(attributes: dict[str, object]) -> tuple[str, dict[str, str]]:
    """Return the kind of a norm and its options."""
    norm = attributes.get("norm")
    if not isinstance(norm, dict):
        return "none", {}
    ((kind, options),) = norm.items()
    return kind, _words(options)


def _fork(item: Item, op: Fork, shared: set[str]) -> dict[str, str]:
    shares = {b.name: n for b, n in zip(item.branches, op.split or (), strict=False)}
    found = {"join": op.join, "split": flow(dict(sorted(shares.items()))) if shares else UNSET}
    order = ", ".join(branch.name for branch in item.branches if branch.name in shared)
    return found | {"order of branches": order}


def _role(item: Item, side: Items) -> dict[str, str]:
    """Return what a layer is in the network: an end point, a head."""
    found = {"end_point": flow(item.node in side.end_points)}
    if head := item.head:
        weight = UNSET if head.loss_weight is None else flow(head.loss_weight)
        found |= {"training_only": flow(head.training_only), "loss_weight": weight}
    return found


def _sources(item: Item, side: Items) -> str:
    return ", ".join(_path(side.source(value)) for value in item.node.inputs)


def _path(source: Source) -> str:
    item, inside = source
    return item.node.path if item and inside is None else "input"


def _use(a: Item, b: Item) -> Use | None:
    if isinstance(a.node.op, Instance) and b.node.named:
        old = a.node.op.template
        new = b.node.op.template if isinstance(b.node.op, Instance) else old
        return Use(b.node.path, old, new, "")
    return None


def _inside(use: Use | None, path: str) -> Use | None:
    if use is None:
        return None
    return replace(use, inside=path.removeprefix(f"{use.instance}/"))


def _block(a: Item, b: Item) -> Iterator[Change]:
    """Yield of what blocks two uses are, where these are two: what explains changes inside."""
    one, other = a.node.op, b.node.op
    if isinstance(one, Instance) and isinstance(other, Instance) and one.template != other.template:
        yield Change("block", one.template, other.template)


def _arguments(a: Item, b: Item, inside: Sequence[Difference]) -> Iterator[Change]:
    """Yield what two uses of one block are given otherwise: what explains changes inside.

    What a block has only on one side explains nothing where no expression gave what changed.
    """
    one, other = a.node.op, b.node.op
    if isinstance(one, Instance) and isinstance(other, Instance) and one.template == other.template:
        nodes = {node.path: node for node in b.node.walk()}
        given = any(
            d.kind != "changed" or {c.name for c in d.changes} & nodes[d.path].expressions.keys()
            for d in inside
        )
        for change in _changes(_words(one.arguments), _words(other.arguments)):
            if given or UNSET not in (change.old, change.new):
                yield Change(f"with {change.name}", change.old, change.new)


def _figures(node: Node) -> Figures:
    sum_ = totals(node.walk())
    shape: Shape = node.output.shape
    return Figures(shape=shape, params=sum_.params, macs=sum_.macs)


def _network(network: Network) -> dict[str, str]:
    return {"input": shape_text(network.input.shape), "output": network.output}


def _words(values: object) -> dict[str, str]:
    assert hasattr(values, "items")
    return {name: flow(value) for name, value in values.items()}


def _changes(old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield Change(name, old.get(name, UNSET), new.get(name, UNSET))

"""Which tensor of a source is which weight of a network: a map made definite, checked both ways."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from archcompiler.errors import Row
from archcompiler.fields import shape_text
from archcompiler.ir import Network, Node
from archcompiler.op import Weight
from archcompiler.ops.batch_norm import BatchNorm
from archcompiler.ops.unit import Norm, Unit
from archcompiler.weights.flattened import flattened
from archcompiler.weights.namemap import Layout, NameMap, Place, Requirement
from archcompiler.weights.problems import Problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One weight and the tensor of the source that holds it.

    `weight` is None for a gamma that the source has and the network has not, `theirs` for one that
    is the other way round. `dense` tells that the source's layer is dense; `flatten` is the map
    that it flattens, height x width x channels.
    """

    node: Node
    weight: Weight | None
    theirs: str | None
    dense: bool = False
    flatten: tuple[int, ...] | None = None

    @property
    def ours(self) -> str:
        """Return the weight's name in the IR, also where the network has none."""
        if self.weight:
            return self.node.weight_name(self.weight)
        part = "norm" if isinstance(self.node.op, Unit) else ""
        return "/".join(p for p in (self.node.path, part, "gamma") if p)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All matches of a network and a source, and what else the source's map says.

    `without` are weights that the source never has, `nameless` those that the map gives no name.
    `depth_order` are the source's layers in the order in which Keras writes them.
    """

    source: str
    title: str
    layout: Layout
    matches: tuple[Match, ...]
    without: tuple[tuple[Node, Weight], ...] = ()
    nameless: tuple[tuple[Node, Weight], ...] = ()
    ignore: tuple[str, ...] = ()
    requires: tuple[Requirement, ...] = ()
    notes: tuple[str, ...] = ()
    renumber: tuple[str, ...] = ()
    depth_order: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Return the source's name of every weight that it has a name for."""
        return frozenset(match.theirs for match in self.matches if match.theirs)

    def ignores(self, name: str) -> bool:
        """Tell whether the map leaves a tensor of the source out on purpose."""
        return any(fnmatchcase(name, p) for p in self.ignore)


def plan(names: NameMap, network: Network) -> Plan:
    """Settle a map for a network.

    Raises E911 where two entries name one layer, two weights one tensor, or the map is of another
    network.
    """
    problems = Problems()
    if names.network not in (network.name, *network.lineage):
        rows = (
            Row(label="the map", value=names.network),
            Row(label="the spec", value=network.name),
        )
        problems.error("E911", "the map is of another network", names.position, rows=rows)
        problems.raise_errors()
    layers = {n.path: n for n in network.walk() if n.weights}
    placed = _placed(names, layers, problems)
    matches: list[Match] = []
    without: list[tuple[Node, Weight]] = []
    nameless: list[tuple[Node, Weight]] = []
    for path, node in layers.items():
        if any(fnmatchcase(node.weight_name(w), p) for w in node.weights for p in names.without):
            without += [(node, w) for w in node.weights]
            continue
        place = placed.get(path) or _other(names, path)
        own = list(_matches(node, place, _names(names, place))) if place else []
        named = {match.weight for match in own}
        matches += own
        nameless += [(node, w) for w in node.weights if w not in named]
    _once(matches, placed, problems)
    _rows(names, network, placed, problems)
    problems.raise_errors()
    return Plan(
        source=names.source,
        title=names.title,
        layout=names.layout,
        matches=tuple(matches),
        without=tuple(without),
        nameless=tuple(nameless),
        ignore=names.ignore,
        requires=names.requires,
        notes=names.notes,
        renumber=names.renumber,
        depth_order=_depth_order(names),
    )


def _rows(
    names: NameMap, network: Network, placed: Mapping[str, Place], problems: Problems
) -> None:
    """Record dense layers behind a flattened map whose rows would be scrambled (E911)."""
    for path, shape in flattened(network).items():
        place = placed.get(path)
        if place is None or place.kind != "dense" or names.layout != "torch":
            continue
        if place.flatten is None:
            problems.error(
                "E911",
                f"the map does not say in which order `{path}` reads what is flattened",
                place.position,
                hint=f"PyTorch puts channels first: `flatten: {shape_text(shape)}` turns the rows; "
                "`flatten: none` where the source has them last",
            )
        elif place.flatten and place.flatten != shape:
            problems.error(
                "E911",
                f"the map flattens {shape_text(place.flatten)} for `{path}`, "
                f"the spec {shape_text(shape)}",
                place.position,
            )


def _depth_order(names: NameMap) -> tuple[str, ...]:
    """Return the source's layers, where the map has their words: `5` may be two layers."""
    own = [place.tensors for place in names.layers.values() if place.tensors is not None]
    tables = [*names.tensors.values(), *own]
    templates = dict.fromkeys(t for table in tables for t in table.values())
    layers = (t.replace("{}", w).rpartition("/")[0] for w in names.depth_order for t in templates)
    return tuple(dict.fromkeys(layers))


def _placed(names: NameMap, layers: Iterable[str], problems: Problems) -> dict[str, Place]:
    """Give each path of the network the one entry that names it."""
    known = set(layers)
    placed: dict[str, Place] = {}
    for paths, place in names.layers.items():
        for path in [p for p in paths if p in known]:
            if path in placed:
                rows = (Row(label="first", position=placed[path].position),)
                message = f"the map names `{path}` twice"
                problems.error("E911", message, place.position, rows=rows)
            placed[path] = place
    return placed


def _other(names: NameMap, path: str) -> Place | None:
    if names.others is None:
        return None
    return dataclasses.replace(names.others, word=names.others.word.replace("*", path))


def _names(names: NameMap, place: Place) -> Mapping[str, str]:
    """Return what the tensors of a layer are called."""
    return place.tensors if place.tensors is not None else names.tensors.get(place.kind, {})


def _matches(node: Node, place: Place, table: Mapping[str, str]) -> Iterator[Match]:
    """Yield the matches of one layer; a gamma that only one side has, too."""
    norm = node.op.norm if isinstance(node.op, Unit) else node.op
    for weight in node.weights:
        template = table.get(f"{weight.part}_{weight.name}") or table.get(weight.name)
        if template is not None:
            yield Match(
                node=node,
                weight=weight,
                theirs=template.replace("{}", place.word),
                dense=place.kind == "dense",
                flatten=place.flatten,
            )
        elif weight.name == "gamma" and isinstance(norm, Norm):
            yield Match(node=node, weight=weight, theirs=None)
    if isinstance(norm, BatchNorm) and not norm.gamma and "gamma" in table:
        yield Match(node=node, weight=None, theirs=table["gamma"].replace("{}", place.word))


def _once(matches: Iterable[Match], placed: dict[str, Place], problems: Problems) -> None:
    """Record tensors of the source that the map gives to two weights (E911)."""
    seen: dict[str, Match] = {}
    for match in matches:
        if match.theirs is None:
            continue
        first = seen.setdefault(match.theirs, match)
        if first is not match:
            place = placed.get(match.node.path)
            rows = (Row(label=first.ours), Row(label=match.ours))
            problems.error(
                "E911",
                f"the map gives `{match.theirs}` to two weights",
                place.position if place else match.node.position,
                rows=rows,
            )

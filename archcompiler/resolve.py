"""The canonical form: a spec in which nothing is left to expand, evaluate or look up.

No parameters, expressions, defaults or repeats; every attribute is said at its layer. It compiles
to the same layers: paths, shapes, weights, MACs, heads and end points. Its own canonical form is
itself.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from archcompiler import names
from archcompiler.fields import shape_text
from archcompiler.ir import Fork, Graph, Group, Head, Instance, Network, Node, Value
from archcompiler.op import Op, write_attributes
from archcompiler.ops.unit import ZEROS, Unit
from archcompiler.yaml_writer import to_yaml as to_yaml

Entry = dict[str, Any]


def document(network: Network) -> Entry:
    """Return the canonical spec as plain dicts and lists; None is a key that stands alone.

    Raises `ValueError` for a network that no spec gives (a pass may have made it).
    """
    return _Resolver(network).document()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a layer is written: what it may refer to, and what `input` means there."""

    frames: tuple[dict[str, Value], ...]
    input: Value
    top: bool = False
    """Named layers are end points here unless they say otherwise."""


@dataclass(slots=True)
class _Resolver:
    network: Network
    blocks: dict[str, Entry] = field(default_factory=dict)
    block_names: set[str] = field(default_factory=set)
    end_points: set[Node] = field(default_factory=set)
    names: dict[Value, str] = field(default_factory=dict)
    referred: set[Value] = field(default_factory=set)
    outer: dict[Value, Value] = field(default_factory=dict)
    """What enters a group or branch, by the value that stands for it inside."""

    def document(self) -> Entry:
        network = self.network
        self.end_points = {e.node for e in network.end_points}
        for graph in (network.stem, network.body):
            self.find_references(graph, graph.input)
        for head in network.heads:
            node = head.node
            self.find_references_of(node, network.body.output, None, node.inputs[0])
        known: dict[str, Value] = {}
        place = _Place(frames=(), input=network.input, top=True)
        stem = self.layers(network.stem, place, known)
        place = dataclasses.replace(place, frames=(dict(known),), input=network.body.input)
        body = self.layers(network.body, place, known)
        heads = {}
        for head in network.heads:
            heads[head.name] = self.head(head, known)
            self.names[head.node.output] = head.name
            known[head.name] = head.node.output
        return {
            "archc": 1,
            "name": network.name,
            **({"summary": network.summary} if network.summary else {}),
            "input": shape_text(network.input.shape),
            "output": network.output,
            **({"blocks": self.blocks} if self.blocks else {}),
            "stem": stem,
            "body": body,
            "heads": heads,
        }

    # What is read otherwise than by standing next in line

    def find_references(self, graph: Graph, entered: Value | None) -> None:
        """Collect what must be named in a graph; the word `input` serves for what `entered`."""
        running = graph.input
        for node in graph.nodes:
            self.find_references_of(node, running, entered, entered)
            running = node.output
        if graph.output is not running:
            self.refer(graph.output)

    def find_references_of(
        self, node: Node, running: Value, entered: Value | None, inside: Value | None
    ) -> None:
        for value in self.told_inputs(node, running):
            if value is not entered:
                self.refer(value)
        for graph in node.graphs:
            if isinstance(node.op, Instance):
                self.find_references(graph, None)
                continue
            if not (isinstance(node.op, Fork) and node.op.split is not None):
                self.outer[graph.input] = node.inputs[0]
            self.find_references(graph, inside)

    def refer(self, value: Value) -> None:
        self.referred.add(value)
        if value in self.outer:
            self.refer(self.outer[value])

    def source(self, value: Value, place: _Place) -> str:
        """Return the word by which a layer at `place` can refer to a value."""
        if value is place.input:
            return "input"
        name = self.names.get(value)
        nearest = next((frame[name] for frame in place.frames if name in frame), None)
        if name and nearest is value:
            return name
        if value in self.outer:
            return self.source(self.outer[value], place)
        raise ValueError(f"no reference can reach `{value.name}`")

    # Lists and layers

    def layers(
        self, graph: Graph, place: _Place, frame: dict[str, Value] | None = None
    ) -> list[Any]:
        """Write a list of layers; `frame` collects what it names."""
        frame = {} if frame is None else frame
        place = dataclasses.replace(place, frames=(frame, *place.frames))
        running, found = graph.input, []
        for node in graph.nodes:
            found.append(_shortest(self.layer(node, running, place)))
            running = node.output
            if self.is_named(node):
                self.names[node.output] = node.name
                frame[node.name] = node.output
        if graph.output is not running:
            found.append({"identity": None, "from": self.source(graph.output, place)})
        return found

    def is_named(self, node: Node) -> bool:
        if not node.named and node.graphs and node.output in self.referred:
            raise ValueError(f"`{node.path}` is read by name but has none")
        return node.named or node.output in self.referred

    def layer(
        self,
        node: Node,
        running: Value,
        place: _Place,
        *,
        keyed: bool = False,
        outside: _Place | None = None,
    ) -> Entry:
        """Write one layer.

        A `keyed` one has its name from its branch or head; `outside` is where its own `from`
        stands, if that is not `place`.
        """
        common: Entry = {}
        sources = [self.source(v, outside or place) for v in self.told_inputs(node, running)]
        if sources:
            common["from"] = sources if len(sources) > 1 else sources[0]
        if self.is_named(node):
            if not keyed:
                common["name"] = node.name
            if (node in self.end_points) != place.top:
                common["end_point"] = node in self.end_points
        if isinstance(node.op, Op):
            return _op(node.op) | common
        found = self.container(node, place)
        if "block" in found:
            return found | common
        return {k: common[k] for k in ("name", "from", "end_point") if k in common} | found

    def told_inputs(self, node: Node, running: Value) -> tuple[Value, ...]:
        """Return the inputs that a layer must name: all of several, one that is not the last."""
        return node.inputs if len(node.inputs) > 1 or node.inputs[0] is not running else ()

    def container(self, node: Node, place: _Place) -> Entry:
        inside = dataclasses.replace(place, top=place.top and not node.named)
        if isinstance(node.op, Fork):
            return self.fork(node, node.op, dataclasses.replace(inside, top=False))
        if isinstance(node.op, Group) or node.graphs[0].input not in self.referred:
            return {"layers": self.layers(node.graphs[0], inside)}
        return {"block": self.block(node, inside)}

    def block(self, node: Node, place: _Place) -> str:
        """Write an instance whose layers read `input` as a block of its own."""
        name = self.block_name(node.path.replace("/", "_"))
        self.blocks[name] = {}  # its place in the order
        graph = node.graphs[0]
        inside = dataclasses.replace(place, frames=(), input=graph.input, top=False)
        self.blocks[name] = {"layers": self.layers(graph, inside)}
        return name

    def block_name(self, wanted: str) -> str:
        """Return a free name that depends on the path alone, so that it stays what it is."""
        name, number = wanted[:64], 1
        while name.lower() in self.block_names or names.problem(name):
            number += 1
            name = f"{wanted[: 63 - len(str(number))]}_{number}"
        self.block_names.add(name.lower())
        return name

    def fork(self, node: Node, op: Fork, place: _Place) -> Entry:
        entry: Entry = {"join": op.join}
        if op.split is not None:
            entry["split"] = {g.name: n for g, n in zip(node.graphs, op.split, strict=True)}
        branches: Entry = {}
        for graph in node.graphs:
            if node.has_single(graph) and graph.output is graph.nodes[0].output:
                branch = self.layer(graph.nodes[0], graph.input, place, keyed=True)
                branches[graph.name] = _shortest(branch)
            else:
                branches[graph.name] = self.layers(graph, place)
        return entry | {"branches": branches}

    def head(self, head: Head, known: dict[str, Value]) -> Any:
        place = _Place(frames=(known,), input=head.node.inputs[0], top=True)
        # A head's own `from` cannot be `input`: that is what it says.
        outside = dataclasses.replace(place, input=Value("", ()))
        running = self.network.body.output
        entry = self.layer(head.node, running, place, keyed=True, outside=outside)
        if head.training_only:
            last = {k: entry.pop(k) for k in ("layers", "join", "split", "branches") if k in entry}
            entry |= {"training_only": True, "loss_weight": head.loss_weight} | last
        return entry["layers"] if entry.keys() == {"layers"} else _shortest(entry)


def _op(op: Op) -> Entry:
    values = write_attributes(op)
    if isinstance(op, Unit) and not op.bias and (op.bias_init, op.bias_decay) == (ZEROS, 0.0):
        del values["bias_init"], values["bias_decay"]
    return {op.key: values.pop(op.main) if op.main else None} | values


def _shortest(entry: Entry) -> Entry | str:
    """Write an op that says nothing else as its bare word."""
    (key, value), *rest = entry.items()
    return key if value is None and not rest else entry

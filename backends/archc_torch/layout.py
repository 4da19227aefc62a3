"""Which parts of a network become classes of their own.

A straight list of layers is one `nn.Sequential`; a block template is a class. What is neither (a
named fork, a branch that itself splits or reads an outer layer) becomes an instance of a template
of its own here, so that module attributes nest exactly as the spec's paths do.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archcompiler.ir import Argument, Fork, Graph, Group, Instance, Network, Node, Value


def lay_out(network: Network) -> Network:
    """Return the network with unnamed groups in line and every irregular container a template."""
    layout = _Layout()
    home = _Home(network.name, network.params)
    stem = layout.graph(network.stem, home)
    body = layout.graph(network.body, home)
    heads = tuple(
        dataclasses.replace(h, node=layout.nodes_of(h.node, home)[0]) for h in network.heads
    )
    end_points = tuple(
        dataclasses.replace(e, node=layout.replaced[e.node]) for e in network.end_points
    )
    return dataclasses.replace(network, stem=stem, body=body, heads=heads, end_points=end_points)


def is_straight(graph: Graph) -> bool:
    """Tell whether each layer reads the one before it and nothing else."""
    previous = graph.input
    for node in graph.nodes:
        if node.inputs != (previous,) or isinstance(node.op, Fork):
            return False
        previous = node.output
    return bool(graph.nodes) and previous is graph.output


def captures(graph: Graph) -> tuple[Value, ...]:
    """Return the values that a graph reads from outside, beside its input."""
    inside: set[Value] = {graph.input}
    found: dict[Value, None] = {}

    def visit(part: Graph) -> None:
        inside.add(part.input)
        for node in part.nodes:
            for value in node.inputs:
                if value not in inside:
                    found[value] = None
            if not isinstance(node.op, Instance):
                for inner in node.graphs:
                    visit(inner)
            inside.add(node.output)

    visit(graph)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Home:
    """The definition that layers belong to: its template, its arguments, what patches change."""

    template: str
    arguments: Mapping[str, Argument]
    patched: tuple[str, ...] = ()

    def inner(self, name: str) -> _Home:
        below = [f"{p}/".removeprefix(f"{name}/") for p in self.patched if _is_in(p, name)]
        patched = tuple(p.rstrip("/") or "." for p in below)
        return _Home(f"{self.template}/{name}", self.arguments, patched)


def _is_in(path: str, name: str) -> bool:
    return path == "." or f"{path}/".startswith(f"{name}/")


@dataclass(slots=True)
class _Layout:
    substitutes: dict[Value, Value] = field(default_factory=dict)
    replaced: dict[Node, Node] = field(default_factory=dict)

    def value(self, value: Value) -> Value:
        while value in self.substitutes:
            value = self.substitutes[value]
        return value

    def graph(self, graph: Graph, home: _Home) -> Graph:
        nodes = tuple(n for node in graph.nodes for n in self.nodes_of(node, home))
        return dataclasses.replace(
            graph, input=self.value(graph.input), nodes=nodes, output=self.value(graph.output)
        )

    def nodes_of(self, node: Node, home: _Home) -> tuple[Node, ...]:
        made = tuple(self._nodes_of(node, home))
        if made:
            self.replaced[node] = made[-1]
        return made

    def _nodes_of(self, node: Node, home: _Home) -> Iterator[Node]:
        inputs = tuple(self.value(v) for v in node.inputs)
        if isinstance(node.op, Instance):
            home = _Home(node.op.template, node.op.arguments, node.op.patched)
            inner = self.graph(node.graphs[0], home)
            yield dataclasses.replace(node, inputs=inputs, graphs=(inner,))
        elif isinstance(node.op, Group):
            yield from self.group(dataclasses.replace(node, inputs=inputs), home)
        elif isinstance(node.op, Fork):
            yield self.fork(dataclasses.replace(node, inputs=inputs), home)
        else:
            yield dataclasses.replace(node, inputs=inputs)

    def group(self, node: Node, home: _Home) -> Iterator[Node]:
        if not node.named:
            self.substitutes[node.graphs[0].input] = node.inputs[0]
            inner = self.graph(node.graphs[0], home)
            self.substitutes[node.output] = inner.output
            yield from inner.nodes
            return
        # Its layers read the outer value itself: a class of the group's own would name it.
        own = home.inner(node.name)
        self.substitutes[node.graphs[0].input] = node.inputs[0]
        inner = self.graph(node.graphs[0], own)
        if is_straight(inner):
            yield dataclasses.replace(node, graphs=(inner,))
        else:
            yield self.instance(node, own, inner)

    def fork(self, node: Node, home: _Home) -> Node:
        own = home.inner(node.name) if node.named else home
        branches = tuple(self.branch(g, own) for g in node.graphs)
        fork = dataclasses.replace(node, graphs=branches)
        if not node.named:
            return fork
        inner = dataclasses.replace(fork, named=False)
        graph = Graph(name="", input=node.inputs[0], nodes=(inner,), output=node.output)
        return self.instance(node, own, graph)

    def branch(self, graph: Graph, home: _Home) -> Graph:
        own = home.inner(graph.name)
        inner = self.graph(graph, home if graph.single else own)
        if graph.single or not inner.nodes or is_straight(inner):
            return inner
        first = graph.nodes[0]
        prefix = first.path.rpartition("/")[0]
        node = dataclasses.replace(
            first,
            name=graph.name,
            path=prefix,
            inputs=(inner.input,),
            output=inner.output,
            named=True,
            follows_size=False,
        )
        return dataclasses.replace(inner, nodes=(self.instance(node, own, inner),), single=True)

    def instance(self, node: Node, home: _Home, graph: Graph) -> Node:
        """Make a node an instance of a template of its own; outer values become inputs.

        The parameters of the definition around it that its layers read are passed on.
        """
        read = {*_names(graph)}
        arguments = {k: v for k, v in home.arguments.items() if k in read}
        return dataclasses.replace(
            node,
            op=Instance(home.template, arguments, home.patched),
            inputs=(graph.input, *captures(graph)),
            graphs=(graph,),
            expressions={k: k for k in arguments},
            weights=(),
            macs=0,
        )


def _names(graph: Graph) -> Iterator[str]:
    """Yield the words of every expression that the definition around a graph wrote in it."""
    for node in graph.nodes:
        for text in node.expressions.values():
            yield from re.findall(r"\w+", text)
        if not isinstance(node.op, Instance):
            for inner in node.graphs:
                yield from _names(inner)

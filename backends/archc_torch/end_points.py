"""The statements of `end_points`: every named result goes into `points` as it is computed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from archc_torch.forward import Statements, is_name, read_by
from archcompiler.ir import Fork, Graph, Group, Node, Value
from archcompiler.pretty import Expression, array, assign_item, call, literal

LONGEST_KEY = 30
"""A result with a longer name is read through a variable of its own."""


def is_loop(
    nodes: Sequence[Node], wanted: Mapping[Node, str], enters: Value, later: Collection[Value]
) -> bool:
    """Tell whether one loop over names computes these nodes and keeps most of them.

    `later` are the values that are read behind it.
    """
    previous, kept = enters, 0
    for node in nodes:
        nested = any(n is not node and n in wanted for n in node.walk())
        typed = node.op.key in ("concat", "add") or isinstance(node.op, Fork)
        if node.inputs != (previous,) or nested or typed:
            return False
        if wanted.get(node, node.path) != node.path:
            return False
        if node not in wanted and node.output in later and node is not nodes[-1]:
            return False
        previous = node.output
        kept += node in wanted
    return kept > 2 and kept >= len(nodes) - kept


@dataclass(slots=True)
class EndPoints(Statements):
    """Writes the body; `wanted` names the nodes whose results are kept."""

    wanted: dict[Node, str] = field(default_factory=dict)
    depth: int = 0
    """How many definitions deep the statement being written is."""

    def walk(self, nodes: Sequence[Node], results: Iterable[Value] = ()) -> None:
        """Write the nodes that end points or `results` depend on."""
        kept, _ = self.plan(nodes, results)
        for node, is_read in kept:
            self.step(node, is_read=is_read)

    def plan(
        self, nodes: Sequence[Node], results: Iterable[Value]
    ) -> tuple[list[tuple[Node, bool]], set[Value]]:
        """Return the nodes to write, whether each one's own result is read, and all that is read.

        A container may be there only for an end point inside.
        """
        read = {*results, *(n.output for n in nodes if n in self.wanted)}
        kept = []
        for node in reversed(nodes):
            is_read = node.output in read
            if is_read or self.holds(node.graphs):
                kept.append((node, is_read))
                read |= self.outer_reads(node, is_read=is_read)
        return kept[::-1], read

    def outer_reads(self, node: Node, *, is_read: bool) -> set[Value]:
        """Return the values that a node's statements read from outside."""
        if not self.holds(node.graphs):
            return {*read_by(node)}
        found: set[Value] = set()
        for graph in node.graphs:
            if is_read or self.holds([graph]):
                _, read = self.plan(graph.nodes, [graph.output] if is_read else [])
                found |= {node.inputs[0] if v is graph.input else v for v in read}
                found -= {n.output for n in graph.nodes}
        return found

    def step(self, node: Node, *, is_read: bool) -> None:
        """Write one node; a container that holds an end point is written in line."""
        if not self.holds(node.graphs):
            self.store(node, self.expression(node))
        elif isinstance(node.op, Fork):
            self.fork(node, is_read=is_read)
        elif isinstance(node.op, Group) and self.depth == 0 and not self.holds_deep(node):
            self.slices(node, is_read=is_read)
        else:
            self.inline(node, is_read=is_read)

    def holds(self, graphs: Sequence[Graph]) -> bool:
        """Tell whether an end point is inside."""
        return any(n in self.wanted for g in graphs for i in g.nodes for n in i.walk())

    def holds_deep(self, node: Node) -> bool:
        """Tell whether an end point is inside a layer of a group."""
        return any(self.holds(n.graphs) for n in node.graphs[0].nodes)

    @override
    def module(self, name: str, path: str) -> Expression:
        """Return the source of a module: an attribute of the network, or found by its path."""
        if self.depth == 0:
            return Expression(f"self.{name}", (), close="")
        return call("self.get_submodule", literal(path.replace("/", ".")))

    @override
    def split_sizes(self, node: Node) -> Expression:
        """Return the sizes of this very fork."""
        return array(str(g.input.channels) for g in node.graphs)

    def store(self, node: Node, expression: str | Expression) -> None:
        """Keep a node's result under its name, or in a variable where it has none."""
        name = self.wanted.get(node)
        if name is None or len(name) > LONGEST_KEY:
            expression = self.variables[node.output] = self.local(expression, node.name)
        else:
            self.variables[node.output] = f"points[{literal(name)}]"
        if name is not None:
            self.lines += assign_item("points", name, expression, self.indent)

    def slices(self, node: Node, *, is_read: bool) -> None:
        """Run a Sequential piece by piece, up to each of its end points."""
        self.hand_on(node, node.graphs[0])
        nodes = node.graphs[0].nodes
        last = len(nodes) - 1
        ends = [i for i, n in enumerate(nodes) if n in self.wanted or (is_read and i == last)]
        current = self.variables[node.inputs[0]]
        for start, end in zip([0, *(e + 1 for e in ends)], ends, strict=False):
            begin, stop = str(start or ""), "" if end == last else str(end + 1)
            piece = f"self.{node.name}[{begin}:{stop}]" if begin or stop else f"self.{node.name}"
            self.store(nodes[end], call(piece, current))
            current = self.variables[nodes[end].output]
        if is_read:
            self.finish(node, current)

    def inline(self, node: Node, *, is_read: bool) -> None:
        """Write what is inside a container, layer by layer."""
        graph = node.graphs[0]
        self.hand_on(node, graph)
        if node.inputs[0] in self.variables:  # else nothing inside reads what enters
            self.variables[graph.input] = self.variables[node.inputs[0]]
        self.depth += 1
        self.walk(graph.nodes, [graph.output] if is_read else [])
        self.depth -= 1
        if is_read:
            self.finish(node, self.variables[graph.output])

    def fork(self, node: Node, *, is_read: bool) -> None:
        """Write the branches that hold end points in line, the others as calls."""
        assert isinstance(node.op, Fork)
        parts: list[str | Expression] = []
        read = self.outer_reads(node, is_read=is_read)
        enters_all = self.inputs(node) if node.inputs[0] in read else [""] * len(node.graphs)
        for graph, enters in zip(node.graphs, enters_all, strict=True):
            if self.holds([graph]):
                self.variables[graph.input] = enters
                self.depth += not graph.single
                self.walk(graph.nodes, [graph.output] if is_read else [])
                self.depth -= not graph.single
                parts.append(self.variables[graph.output] if is_read else "")
            elif is_read:
                parts.append(self.branch(node, graph, enters))
        if is_read:
            self.finish(node, self.join(node.op.join, parts, [g.name for g in node.graphs]))

    def hand_on(self, node: Node, graph: Graph) -> None:
        """Let what gives a container's result keep it under the container's name."""
        last = next((n for n in graph.nodes if n.output is graph.output), None)
        if last is not None and node in self.wanted and last not in self.wanted:
            self.wanted[last] = self.wanted.pop(node)

    def finish(self, node: Node, result: str | Expression) -> None:
        """Keep a container's result, or let its name stand for what gives it."""
        if node in self.wanted or not isinstance(result, str) or not is_name(result):
            self.store(node, result)
        else:
            self.variables[node.output] = result

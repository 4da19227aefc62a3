"""The statements that build a graph of Keras layers, one after the other.

Every layer is named by its path, dots for slashes; inside a block's function the path starts with
the argument `name`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archc_tensorflow.lines import Lines
from archcompiler.ir import Fork, Graph, Group, Instance, Node, Value
from archcompiler.names import snake_case
from archcompiler.pretty import Expression, array, assign, call, literal
from archcompiler.unify import Definition

_RESERVED = frozenset({"keras", "layers", "initializers", "regularizers", "name", "inputs", "tf"})


def output_layer(node: Node) -> str:
    """Return the path of the layer that gives a node's output."""
    if isinstance(node.op, Fork) or not node.graphs:
        return node.path
    graph = node.graphs[0]
    last = producer(graph)
    if last is None or carries_name(last):
        return node.path
    return output_layer(last)


def producer(graph: Graph) -> Node | None:
    """Return the node that gives a graph's output; None where that is the graph's input."""
    return next((n for n in graph.nodes if n.output is graph.output), None)


def carries_name(node: Node) -> bool:
    """Tell whether a join at the end of a container takes the container's name."""
    return not node.named and (isinstance(node.op, Fork) or node.op.key in ("concat", "add"))


@dataclass(slots=True)
class Statements:
    """Writes the body of one function; `calls` are the definitions that instances use."""

    lines: Lines
    definition: Definition
    calls: Mapping[Node, Definition]
    prefix: str
    """The path that the argument `name` stands for; empty in the network's own function."""
    comments: bool = False
    final: Node | None = None
    """The node that the function returns."""
    body: list[str] = field(default_factory=list)
    variables: dict[Value, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=lambda: set(_RESERVED))
    last_read: dict[Value, int] = field(default_factory=dict)
    ends: dict[Node, int] = field(default_factory=dict)

    def plan(self, nodes: Iterable[Node], later: Iterable[Value] = ()) -> None:
        """Number the statements, to know how long each value is read."""
        clock = self._plan(nodes, 0)
        self.last_read |= dict.fromkeys(later, clock + 1)

    def _plan(self, nodes: Iterable[Node], clock: int) -> int:
        for node in nodes:
            for value in node.inputs:
                self.last_read[value] = clock
            if not isinstance(node.op, Instance):
                for graph in node.graphs:
                    self.last_read[graph.input] = clock
                    clock = self._plan(graph.nodes, clock)
                    self.last_read[node.inputs[0]] = max(
                        self.last_read[node.inputs[0]], self.last_read.get(graph.input, clock)
                    )
                    if isinstance(node.op, Fork):
                        self.last_read[graph.output] = clock + len(node.graphs) + 1
            clock += 1
            self.ends[node] = clock
        return clock

    def label(self, path: str) -> str:
        """Return the source of a layer's name."""
        if not self.prefix:
            return literal(path.replace("/", "."))
        if path == self.prefix:
            return "name"
        return f'f"{{name}}.{path.removeprefix(self.prefix + "/").replace("/", ".")}"'

    def run(self, nodes: Sequence[Node], variable: str, carried: Mapping[Node, str]) -> None:
        """Write the nodes of one list; `variable` is what its running value is called.

        `carried` maps joins to the path of the container they end.
        """
        for index, node in enumerate(nodes):
            following = nodes[index + 1] if index + 1 < len(nodes) else None
            self.node(node, variable, following, carried)

    def node(
        self, node: Node, variable: str, following: Node | None, carried: Mapping[Node, str]
    ) -> None:
        if isinstance(node.op, Group):
            self.group(node, variable, carried)
            return
        if isinstance(node.op, Fork):
            inputs: list[str] = self.branches(node, variable)
            head, tail = self.join(node.op.join), f"([{', '.join(inputs)}])"
        else:
            inputs = [self.variables[v] for v in node.inputs]
            head = {"concat": "layers.Concatenate", "add": "layers.Add"}.get(node.op.key, "")
            tail = f"([{', '.join(inputs)}])" if head else f"({inputs[0]})"
        target = self.target(node, variable, following)
        path = carried.get(node, node.path)
        self.write(target, node, head, tail, inputs, path)
        self.variables[node.output] = target

    def target(self, node: Node, variable: str, following: Node | None) -> str:
        """Choose the variable of a node's output: the list's own unless a value in it is needed."""
        end = self.ends[node]
        holders = [v for v, name in self.variables.items() if name == variable]
        free = all(self.last_read.get(v, -1) < end for v in holders)
        until = self.ends[following] if following else self.last_read.get(node.output, -1) + 1
        if free and self.last_read.get(node.output, -1) < until:
            for value in holders:
                del self.variables[value]
            self.taken.add(variable)
            return variable
        return self.unused(snake_case(node.name))

    def unused(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken.add(name)
        return name

    def join(self, kind: str) -> str:
        return "layers.Concatenate" if kind == "concat" else "layers.Add"

    def write(
        self, target: str, node: Node, head: str, tail: str, inputs: Sequence[str], path: str
    ) -> None:
        label = self.label(path)
        texts = [str(t) for t in self.definition.texts.get(node, ())]
        comment = "x".join(map(str, node.output.shape)) if self.comments else ""
        if isinstance(node.op, Instance):
            made = call(self.calls[node].name, inputs[0], label, *texts)
        elif head:
            made = call(head, f"name={label}", tail=tail)
            prefix = "return " if node is self.final else f"{target} = "
            made = self.joined(made, prefix, inputs)
        else:
            described = self.lines.describe(node)
            assert described is not None
            function = described.function
            if function in self.lines.styles.values():
                made = call(function, inputs[0], label, *texts)
            else:
                made = call(function, *texts, f"name={label}", tail=tail)
        if node is self.final:
            self.body += made.lines(4, "return ")
        else:
            self.body += assign(target, made, 4, comment)

    def joined(self, made: Expression, prefix: str, inputs: Sequence[str]) -> Expression:
        """List the branches in a statement of their own where the join would not fit its line."""
        if len(made.lines(4, prefix)) == 1:
            return made
        branches = self.unused("branches")
        self.taken.discard(branches)
        self.body += assign(branches, array(inputs), 4)
        return Expression(made.open, made.arguments, made.close, tail=f"({branches})")

    def group(self, node: Node, variable: str, carried: Mapping[Node, str]) -> None:
        graph = node.graphs[0]
        self.variables[graph.input] = self.variables[node.inputs[0]]
        last = producer(graph)
        inner = dict(carried)
        if node.named and last is not None and carries_name(last):
            inner[last] = node.path
        if last is not None and node in carried:
            inner[last] = carried[node]
        self.ends.update({n: self.ends.get(n, self.ends[node]) for n in graph.nodes})
        self.run(graph.nodes, variable, inner)
        self.variables[node.output] = self.variables[graph.output]
        self.last_read[graph.output] = max(
            self.last_read.get(graph.output, -1), self.last_read.get(node.output, -1)
        )

    def branches(self, node: Node, outer: str) -> list[str]:
        found = []
        start = 0
        for index, graph in enumerate(node.graphs):
            wanted = snake_case(graph.name) if outer == "x" else f"{outer}_{index}"
            variable = self.unused(wanted)
            enters = self.variables[node.inputs[0]]
            if node in self.definition.shares:
                self.lines.need("Channels")
                size = self.definition.shares[node][index]
                label = self.label(f"{node.path}/{graph.name}/split")
                sliced = call("Channels", str(start), size, f"name={label}", tail=f"({enters})")
                self.body += assign(variable, sliced, 4)
                enters = variable
                start += graph.input.channels
            self.variables[graph.input] = enters
            self.run(graph.nodes, variable, {})
            found.append(self.variables[graph.output])
        return found

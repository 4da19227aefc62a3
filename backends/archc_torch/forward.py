"""The statements that compute a graph: what `forward` and `end_points` are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from archcompiler.ir import Fork, Graph, Group, Node, Value
from archcompiler.names import snake_case
from archcompiler.pretty import Expression, array, assign, call, literal
from archcompiler.unify import Definition


@dataclass(slots=True)
class Names:
    """Local variables of one function."""

    taken: set[str] = field(default_factory=set)

    def new(self, wanted: str) -> str:
        """Return the name, numbered if it is taken."""
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken.add(name)
        return name


@dataclass(slots=True)
class Statements:
    """Writes the statements of one function body.

    `variables` maps values to the source that reads them. A value that only the next statement
    reads goes to `x`; any other gets a name of its own.
    """

    definition: Definition
    indent: int
    lines: list[str] = field(default_factory=list)
    variables: dict[Value, str] = field(default_factory=dict)
    names: Names = field(default_factory=lambda: Names({"x", "self", "torch", "nn", "F", "points"}))

    def graph(self, nodes: Sequence[Node], read_later: Iterable[Value], last: Value) -> None:
        """Write nodes one after the other, up to the value `last`, which is returned.

        `read_later` are values that statements after these still read.
        """
        reads = self.reads(nodes, {*read_later})
        for index, node in enumerate(nodes):
            expression = self.expression(node, lambda n: f"self.{n.name}")
            if node.output is last and index == len(nodes) - 1 and last not in read_later:
                self.give_back(expression, node)
                return
            target = self.target(node, index, reads, nodes)
            self.lines += assign(target, expression, self.indent)
        self.lines.append(f"{' ' * self.indent}return {self.variables[last]}")

    def reads(self, nodes: Sequence[Node], later: set[Value]) -> dict[Value, int]:
        """Return the index of the last statement that reads each value."""
        last: dict[Value, int] = {}
        for index, node in enumerate(nodes):
            for value in _read_by(node):
                last[value] = index
        return last | dict.fromkeys(later, len(nodes))

    def target(
        self, node: Node, index: int, reads: Mapping[Value, int], nodes: Sequence[Node]
    ) -> str:
        """Choose the variable of a node's output."""
        holder = [v for v, name in self.variables.items() if name == "x"]
        x_is_free = all(reads.get(v, -1) <= index for v in holder)
        is_last = index == len(nodes) - 1
        if x_is_free and not is_last and reads.get(node.output, -1) <= index + 1:
            for value in holder:
                del self.variables[value]
            self.variables[node.output] = "x"
            return "x"
        name = self.names.new(snake_case(node.name))
        self.variables[node.output] = name
        return f"{name}: Tensor" if not _typed(node) else name

    def give_back(self, expression: str | Expression, node: Node) -> None:
        pad = " " * self.indent
        if _typed(node):
            self.lines += _prefixed("return ", expression, self.indent)
        else:
            self.lines += assign("x", expression, self.indent)
            self.lines.append(f"{pad}return x")

    def expression(
        self, node: Node, callee: Callable[[Node], str], *, module: bool = False
    ) -> str | Expression:
        """Return the source that computes a node; long lists of branches get a statement first."""
        if isinstance(node.op, Fork):
            return self.join(node.op.join, self.branches(node, callee), node)
        inputs = [self.variables[v] for v in node.inputs]
        if node.op.key in ("concat", "add") and not module:
            return self.join(node.op.key, inputs, node)
        return call(callee(node), *inputs)

    def join(self, kind: str, parts: Sequence[str | Expression], node: Node) -> str | Expression:
        flat = [p if isinstance(p, str) else p.flat() for p in parts]
        dimension = "1"
        if kind == "add":
            text = " + ".join(flat)
            if len(text) + self.indent + 8 <= 80:
                return text
            name = self.names.new("total")
            self.lines += assign(f"{name}: Tensor", flat[0], self.indent)
            for part in flat[1:-1]:
                self.lines += assign(name, f"{name} + {part}", self.indent)
            return f"{name} + {flat[-1]}"
        short = f"torch.cat([{', '.join(flat)}], {dimension})"
        if len(short) + self.indent + 7 <= 88:
            return short
        name = self.names.new("branches")
        self.lines += assign(name, array(flat), self.indent)
        return f"torch.cat({name}, {dimension})"

    def branches(self, node: Node, callee: Callable[[Node], str]) -> list[str | Expression]:
        inputs = [self.variables[node.inputs[0]]] * len(node.graphs)
        if node in self.definition.shares:
            sizes = ", ".join(self.definition.shares[node])
            inputs = [self.names.new(snake_case(g.name)) for g in node.graphs]
            self.lines += assign(
                ", ".join(inputs),
                call("torch.split", self.variables[node.inputs[0]], f"[{sizes}]", "1"),
                self.indent,
            )
        return [self.branch(g, x, callee) for g, x in zip(node.graphs, inputs, strict=True)]

    def branch(self, graph: Graph, enters: str, callee: Callable[[Node], str]) -> str | Expression:
        self.variables[graph.input] = enters
        if not graph.nodes:
            return enters
        if not graph.single:
            return call(_sibling(callee(graph.nodes[0]), graph.name), enters)
        node = graph.nodes[0]
        expression = self.expression(node, callee)
        is_sum = isinstance(expression, str) and " + " in expression
        return f"({expression})" if is_sum else expression


def _sibling(callee: str, name: str) -> str:
    """Return the callee of a branch that is a chain, from that of its first layer."""
    if callee.startswith("self.get_submodule("):
        path = callee.removeprefix('self.get_submodule("').removesuffix('")')
        return f"self.get_submodule({literal(path.rpartition('.')[0])})"
    return f"self.{name}"


def _typed(node: Node) -> bool:
    """Tell whether type checkers know that the node's expression is a tensor."""
    return isinstance(node.op, Fork) or node.op.key in ("concat", "add")


def _prefixed(prefix: str, expression: str | Expression, indent: int) -> list[str]:
    if isinstance(expression, str):
        return [f"{' ' * indent}{prefix}{expression}"]
    return expression.lines(indent, prefix)


def _read_by(node: Node) -> Iterable[Value]:
    yield from node.inputs
    if isinstance(node.op, Fork):
        for graph in node.graphs:
            inside = {graph.input, *(n.output for n in graph.nodes)}
            for inner in graph.nodes:
                yield from (v for v in _read_by(inner) if v not in inside)


@dataclass(slots=True)
class EndPoints(Statements):
    """Writes `end_points`: every named result goes into `points` as it is computed."""

    wanted: dict[Node, str] = field(default_factory=dict)

    def walk(self, nodes: Sequence[Node], depth: int = 0) -> None:
        """Write the nodes; containers that hold an end point are written in line."""
        for node in nodes:
            self.step(node, depth)

    def step(self, node: Node, depth: int) -> None:
        inside = [n for n in node.walk() if n is not node and n in self.wanted]
        if not inside:
            self.store(node, self.expression(node, self.callee(depth)))
        elif (
            isinstance(node.op, Group)
            and depth == 0
            and all(n in node.graphs[0].nodes for n in inside)
        ):
            self.slices(node)
        elif isinstance(node.op, Fork):
            self.inline_fork(node, depth)
        else:
            self.inline(node, depth)

    def callee(self, depth: int) -> Callable[[Node], str]:
        if depth == 0:
            return lambda n: f"self.{n.name}"
        return lambda n: f"self.get_submodule({literal(n.path.replace('/', '.'))})"

    def store(self, node: Node, expression: str | Expression) -> None:
        name = self.wanted.get(node)
        if name is None:
            variable = self.names.new(snake_case(node.name))
            self.lines += assign(f"{variable}: Tensor", expression, self.indent)
            self.variables[node.output] = variable
            return
        key = f"points[{literal(name)}]"
        self.lines += assign(key, expression, self.indent)
        self.variables[node.output] = key

    def slices(self, node: Node) -> None:
        """Run a Sequential piece by piece, up to each of its end points."""
        graph = node.graphs[0]
        start, current = 0, self.variables[node.inputs[0]]
        for index, inner in enumerate(graph.nodes):
            last = index == len(graph.nodes) - 1
            if inner not in self.wanted and not last:
                continue
            stop = "" if last else str(index + 1)
            begin = str(start) if start else ""
            piece = f"self.{node.name}[{begin}:{stop}]" if begin or stop else f"self.{node.name}"
            if last:
                for alias in (inner, node):
                    if alias in self.wanted:
                        self.store(alias, call(piece, current))
                        piece, current = "", self.variables[alias.output]
                if piece:
                    self.store(node, call(piece, current))
                self.variables[node.output] = self.variables.get(node.output, current)
            else:
                self.store(inner, call(piece, current))
                current = self.variables[inner.output]
                start = index + 1

    def inline(self, node: Node, depth: int) -> None:
        graph = node.graphs[0]
        for outer, inner in zip(node.inputs[:1], [graph.input], strict=True):
            self.variables[inner] = self.variables[outer]
        self.walk(graph.nodes, depth + 1)
        self.finish(node, self.variables[graph.output])

    def inline_fork(self, node: Node, depth: int) -> None:
        parts: list[str | Expression] = []
        enters = self.variables[node.inputs[0]]
        for graph in node.graphs:
            holds = [n for inner in graph.nodes for n in inner.walk() if n in self.wanted]
            if holds:
                self.variables[graph.input] = enters
                self.walk(graph.nodes, depth + 1)
                parts.append(self.variables[graph.output])
            else:
                parts.append(self.branch(graph, enters, self.callee(depth + 1)))
        assert isinstance(node.op, Fork)
        self.finish(node, self.join(node.op.join, parts, node))

    def finish(self, node: Node, expression: str | Expression) -> None:
        if node in self.wanted or isinstance(expression, Expression) or "(" in expression:
            self.store(node, expression)
        else:
            self.variables[node.output] = expression


def is_loop(nodes: Sequence[Node], wanted: Mapping[Node, str], enters: Value) -> bool:
    """Tell whether one loop over names computes these nodes and keeps all of them."""
    previous = enters
    for node in nodes:
        nested = any(n is not node and n in wanted for n in node.walk())
        typed = node.op.key in ("concat", "add") or isinstance(node.op, Fork)
        if node.inputs != (previous,) or wanted.get(node) != node.path or nested or typed:
            return False
        previous = node.output
    return len(nodes) > 2

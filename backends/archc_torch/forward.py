"""The statements that compute a graph: what `forward` is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archcompiler.definition import Definition
from archcompiler.ir import Fork, Graph, Node, Value
from archcompiler.pretty import (
    WIDTH,
    Expression,
    array,
    assign,
    call,
    one_line,
    statement,
    variable,
)

_TAKEN: frozenset[str] = frozenset(
    {"F", "check_size", "labels", "name", "nn", "points", "self", "torch", "x"}
)
"""What a function has beside its layers' values."""


@dataclass(slots=True)
class Names:
    """Local variables of one function."""

    taken: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)
    """The last number that was tried for a name."""

    def new(self, wanted: str) -> str:
        """Return a variable for what has this name, numbered if it is taken."""
        name = wanted = variable(wanted)
        while name in self.taken:
            self.numbers[wanted] = self.numbers.get(wanted, 1) + 1
            name = f"{wanted}_{self.numbers[wanted]}"
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
    sizes: Mapping[Node, str] = field(default_factory=dict)
    """The attributes that hold the split sizes of forks, where these are no constants."""
    lines: list[str] = field(default_factory=list)
    variables: dict[Value, str] = field(default_factory=dict)
    in_x: list[Value] = field(default_factory=list)
    """The values that `x` holds."""
    names: Names = field(default_factory=lambda: Names({*_TAKEN}))

    def run(
        self, nodes: Sequence[Node], then: Iterable[Value] = (), later: Iterable[Value] = ()
    ) -> None:
        """Write nodes one after the other.

        `then` are the values that the very next statement reads, `later` those that others read.
        """
        reads = self.reads(nodes)
        reads |= dict.fromkeys(then, len(nodes)) | dict.fromkeys(later, len(nodes) + 1)
        for index, node in enumerate(nodes):
            expression = self.expression(node)
            typed = is_tensor(expression)
            target = self.target(node, index, reads)
            annotated = target if typed or target == "x" else f"{target}: Tensor"
            self.lines += assign(annotated, expression, self.indent)

    def give_back(self, nodes: Sequence[Node], last: Value) -> None:
        """Write nodes one after the other and return the value `last`."""
        if not nodes or nodes[-1].output is not last:
            self.run(nodes, then=[last])
            self.lines.append(f"{' ' * self.indent}return {self.variables[last]}")
            return
        self.run(nodes[:-1], then=read_by(nodes[-1]))
        expression = self.expression(nodes[-1])
        if is_tensor(expression):
            self.lines += statement("return ", expression, self.indent)
        else:
            self.lines += assign("x", expression, self.indent)
            self.lines.append(f"{' ' * self.indent}return x")

    def reads(self, nodes: Sequence[Node]) -> dict[Value, int]:
        """Return the index of the last statement that reads each value."""
        last: dict[Value, int] = {}
        for index, node in enumerate(nodes):
            last |= dict.fromkeys(read_by(node), index)
        return last

    def target(self, node: Node, index: int, reads: Mapping[Value, int]) -> str:
        """Choose the variable of a node's output."""
        x_is_free = all(reads.get(v, -1) <= index for v in self.in_x)
        if x_is_free and reads.get(node.output, -1) <= index + 1:
            self.in_x = [node.output]
            self.variables[node.output] = "x"
            return "x"
        name = self.names.new(node.name)
        self.variables[node.output] = name
        return name

    def module(self, name: str, path: str) -> Expression:
        """Return the source of a layer's or chain's module, ready to be called."""
        return Expression(f"self.{name}", (), close="")

    def expression(self, node: Node) -> str | Expression:
        """Return the source that computes a node; long lists of branches get a statement first."""
        if isinstance(node.op, Fork):
            parts = self.branches(node)
            return self.join(node.op.join, parts, [g.name for g in node.graphs])
        inputs = [self.variables[v] for v in node.inputs]
        if node.op.key in ("concat", "add"):
            return self.join(node.op.key, inputs, inputs)
        return _applied(self.module(node.name, node.path), inputs)

    def join(
        self, kind: str, parts: Sequence[str | Expression], names: Sequence[str]
    ) -> str | Expression:
        """Return the concatenation or sum of branches; `names` are what these are called."""
        flat = [one_line(p) for p in parts]
        if kind == "concat":
            made = call("torch.cat", array(parts), "1")
            if len(made.flat()) + self.indent + len("return ") <= WIDTH:
                return made
            name = self.names.new("branches")
            self.lines += assign(name, array(parts), self.indent)
            return f"torch.cat({name}, 1)"
        text = " + ".join(flat)
        if len(text) + self.indent + len("return ") <= WIDTH:
            return text
        terms = [self.local(p, n) for p, n in zip(parts, names, strict=True)]
        total = self.names.new("total")
        self.lines += assign(total, terms[0], self.indent)
        for term in terms[1:-1]:
            self.lines += assign(total, f"{total} + {term}", self.indent)
        return f"{total} + {terms[-1]}"

    def local(self, expression: str | Expression, name: str) -> str:
        """Return a variable for an expression that is more than one."""
        flat = one_line(expression)
        if is_name(flat):
            return flat
        found = self.names.new(name)
        annotated = found if is_tensor(expression) else f"{found}: Tensor"
        self.lines += assign(annotated, expression, self.indent)
        return found

    def branches(self, node: Node) -> list[str | Expression]:
        """Return the source of each branch of a fork."""
        inputs = self.inputs(node)
        return [self.branch(node, g, x) for g, x in zip(node.graphs, inputs, strict=True)]

    def inputs(self, node: Node) -> list[str]:
        """Return the variables that enter a fork's branches."""
        assert isinstance(node.op, Fork)
        enters = self.variables[node.inputs[0]]
        if node.op.split is None:
            return [enters] * len(node.graphs)
        found = [self.names.new(g.name) for g in node.graphs]
        made = call("torch.split", enters, self.split_sizes(node), "1")
        self.lines += assign(", ".join(found), made, self.indent)
        return found

    def split_sizes(self, node: Node) -> str | Expression:
        """Return the source of the channels that enter each branch."""
        held = self.sizes.get(node)
        return f"self.{held}" if held else array(self.definition.shares[node])

    def branch(self, node: Node, graph: Graph, enters: str) -> str | Expression:
        """Return the source of one branch of a fork, `enters` being what enters it."""
        self.variables[graph.input] = enters
        if not graph.nodes:
            return enters
        if not graph.single:
            path = graph.nodes[0].path.rpartition("/")[0]
            return _applied(self.module(graph.name, path), [enters])
        expression = self.expression(graph.nodes[0])
        if isinstance(expression, str) and " + " in expression:
            return f"({expression})"
        return expression


def live(nodes: Sequence[Node], wanted: Iterable[Value]) -> list[Node]:
    """Return, of nodes in order, those that the wanted values depend on."""
    needed = {*wanted}
    found: list[Node] = []
    for node in reversed(nodes):
        if node.output in needed:
            needed.update(read_by(node))
            found.append(node)
    return found[::-1]


def is_name(source: str) -> bool:
    """Tell whether an expression is a variable, or an item of the results."""
    return source.isidentifier() or re.fullmatch(r'points\["[^"]*"\]', source) is not None


def is_tensor(expression: str | Expression) -> bool:
    """Tell whether type checkers know that an expression is a tensor; a module's call is not."""
    terms = _terms(one_line(expression))
    if len(terms) > 1:
        return all(map(is_tensor, terms))
    inner = terms[0].removeprefix("(").removesuffix(")")
    if terms[0].startswith("("):
        return is_tensor(inner)
    return is_name(terms[0]) or terms[0].startswith("torch.cat(")


def _terms(source: str) -> list[str]:
    """Split a sum at the plus signs that stand in no brackets."""
    terms, depth = [""], 0
    for part in re.split(r"([()\[\]]| \+ )", source):
        depth += (part in ("(", "[")) - (part in (")", "]"))
        if part == " + " and depth == 0:
            terms.append("")
        else:
            terms[-1] += part
    return terms


def _applied(module: Expression, inputs: Sequence[str]) -> Expression:
    """Return the call of a module."""
    if not module.arguments:
        return call(module.flat(), *inputs)
    tail = f"{module.tail}({', '.join(inputs)})"
    return Expression(module.open, module.arguments, module.close, tail)


def read_by(node: Node) -> Iterator[Value]:
    """Yield the values that a node's statement reads."""
    yield from node.inputs
    if isinstance(node.op, Fork):
        for graph in node.graphs:
            inside = {graph.input, *(n.output for n in graph.nodes)}
            for inner in graph.nodes:
                yield from (v for v in read_by(inner) if v not in inside)

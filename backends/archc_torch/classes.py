"""The classes of the emitted file: constructor lines and forward lines of each definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archc_torch.forward import Names, Statements, live
from archc_torch.lines import Lines
from archc_torch.naming import class_name
from archcompiler.arguments import IN_CHANNELS
from archcompiler.definition import Definition, Parameter
from archcompiler.fields import shape_text
from archcompiler.ir import Fork, Graph, Group, Node, Value
from archcompiler.pretty import (
    WIDTH,
    Comprehension,
    Expression,
    array,
    assign,
    call,
    doc_lines,
    keyword,
    literal,
)
from archcompiler.runs import runs

_IN_LOOP = WIDTH - 20
"""The longest layer that a loop in a chain of a chain has room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSource:
    """One class of the emitted file, in lines."""

    name: str
    doc: tuple[str, ...]
    init: tuple[str, ...]
    members: tuple[str, ...]
    forward: tuple[str, ...]
    body: tuple[str, ...]

    @property
    def text(self) -> tuple[str, ...]:
        """Return the lines below the name and the docstring."""
        return (*self.init, *self.members, *self.forward, *self.body)


@dataclass(slots=True)
class Classes:
    """Writes one class for each definition of a laid-out network; `of` are those of instances."""

    lines: Lines
    of: Mapping[Node, Definition]

    def block(self, definition: Definition) -> ClassSource:
        """Return the class of a block template."""
        graph = definition.graph
        sizes = self.sizes(definition)
        outer = self.outer_values(definition)
        statements = Statements(definition=definition, indent=8, sizes=sizes, in_x=[graph.input])
        statements.variables |= {graph.input: "x", **outer}
        statements.names.taken |= {*outer.values()}
        statements.give_back(live(graph.nodes, [graph.output]), graph.output)
        inputs = ["self", "x: Tensor", *(f"{name}: Tensor" for name in outer.values())]
        return ClassSource(
            name=definition.name,
            doc=self.doc(definition),
            init=self.init(definition.params, [f"{IN_CHANNELS}: int"]),
            members=tuple(self.members(definition, sizes, comments=False)),
            forward=tuple(Expression("def forward(", inputs, ") -> Tensor:").lines(4)),
            body=tuple(statements.lines),
        )

    def outer_values(self, definition: Definition) -> dict[Value, str]:
        """Return what a class reads beside its input, with the names of the arguments."""
        graph = definition.graph
        node = next(n for n in self.of if n.graphs[0] is graph)
        names = Names({"x"})
        # A value is called by its layer; what enters a container ends in `:input` or `:BRANCH`.
        return {
            v: names.new(f"{v.name.replace(':', '/').rpartition('/')[2]}_in")
            for v in node.inputs[1:]
        }

    def doc(self, definition: Definition) -> tuple[str, ...]:
        """Return the docstring: from which shape to which, in each use."""
        uses = definition.uses
        if len(uses) > 3:
            uses = (*uses[:2], f"and {len(uses) - 2} more")
        title = f"{class_name(definition.template)} {definition.said}" if definition.said else ""
        return doc_lines(f"{'; '.join(uses)}.", 4, title=title)

    def init(
        self, params: Sequence[Parameter], first: Sequence[str] = (), *, defaults: bool = False
    ) -> tuple[str, ...]:
        """Return the line or lines that open the constructor."""
        arguments = ["self", *first]
        for parameter in params:
            default = f" = {literal(parameter.values[0])}" if defaults else ""
            arguments.append(f"{parameter.name}: {type_of(parameter.values)}{default}")
        return tuple(Expression("def __init__(", arguments, ") -> None:").lines(4))

    def sizes(self, definition: Definition) -> dict[Node, str]:
        """Name the attributes for split sizes that differ between the uses of a definition."""
        taken = {n for node in definition.graph.nodes for n in _attributes(node)}
        names = Names(taken)
        return {
            node: names.new("sizes")
            for node, shares in definition.shares.items()
            if not all(s.isdigit() for s in shares)
        }

    def members(
        self, definition: Definition, sizes: Mapping[Node, str], *, comments: bool
    ) -> list[str]:
        """Return the constructor's lines: one layer each."""
        found: list[str] = []
        for node in definition.graph.nodes:
            found += self.member(definition, node, sizes, comments)
        return found

    def member(
        self, definition: Definition, node: Node, sizes: Mapping[Node, str], comments: bool
    ) -> list[str]:
        """Return the constructor's lines for one layer."""
        if not isinstance(node.op, Fork):
            made = self.construct(definition, node)
            comment = shape_text(node.output.shape) if comments else ""
            return assign(f"self.{node.name}", made, 8, comment) if made else []
        found: list[str] = []
        if node in sizes:
            found += assign(f"self.{sizes[node]}", array(definition.shares[node]), 8)
        for graph in node.graphs:
            if graph.nodes and not graph.single:
                found += assign(f"self.{graph.name}", self.chain(definition, graph), 8)
            for inner in graph.nodes if graph.single else ():
                found += self.member(definition, inner, sizes, False)
        return found

    def construct(self, definition: Definition, node: Node) -> Expression | None:
        """Return the source that builds a node's module; None where it has none."""
        if isinstance(node.op, Group):
            return self.chain(definition, node.graphs[0])
        if node in self.of:
            return call(self.of[node].name, *definition.arguments(node))
        made = self.lines.describe(node)
        return call(made.function, *definition.arguments(node)) if made else None

    def chain(self, definition: Definition, graph: Graph) -> Expression:
        """Return a straight list of layers as one module."""
        layers: list[tuple[str, Expression]] = []
        for node in graph.nodes:
            made = self.construct(definition, node)
            assert made is not None, "a straight list has modules only"
            layers.append((node.name, made))
        parts: list[str | Expression] = []
        number = "i"
        while any(p.name == number for p in definition.params):
            number += "_"
        for run in runs([(name, made.flat()) for name, made in layers]):
            item = f'f"{run.base}{{{number}}}": {layers[run.start][1].flat()}'
            if run.base and len(item) <= _IN_LOOP:
                loop = f"for {number} in {run.numbers}"
                parts.append(Comprehension("**{", (item, loop), close="}"))
            else:
                parts += [keyword(n, made) for n, made in layers[run.start : run.stop]]
        return call(self.lines.need("chain"), *parts)


def _attributes(node: Node) -> list[str]:
    """Return the attributes that a class has for a layer."""
    if not isinstance(node.op, Fork):
        return [node.name]
    inner = [n for g in node.graphs if g.single for i in g.nodes for n in _attributes(i)]
    return [*(g.name for g in node.graphs), *inner]


def type_of(values: Sequence[object]) -> str:
    """Return the annotation of a parameter."""
    names = {int: "int", float: "float", bool: "bool", str: "str"}
    found = dict.fromkeys(
        f"tuple[{', '.join(names[type(n)] for n in v)}]" if isinstance(v, tuple) else names[type(v)]
        for v in values
    )
    if found.keys() <= {"int", "tuple[int, int]"} and "tuple[int, int]" in found:
        return "Size"
    return "float" if found.keys() == {"int", "float"} else " | ".join(sorted(found))

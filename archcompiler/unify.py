"""From block instances to definitions with parameters: what both backends lower with.

All uses of a template are laid side by side. What is equal everywhere is written into the
definition; a declared parameter keeps its name; what differs otherwise becomes a parameter; uses
whose structure differs get a definition of their own. Equal values are never merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archcompiler import expression
from archcompiler.expression import ExpressionError
from archcompiler.fields import shape_text
from archcompiler.ir import Argument, Fork, Graph, Instance, Network, Node, Value
from archcompiler.names import snake_case
from archcompiler.position import Position, Source
from archcompiler.pretty import literal

IN_CHANNELS = "in_channels"
_NOWHERE = Position(Source("emitted code"), 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """One argument of a call that builds a layer.

    `field` is the op's attribute that it came from; `channels` the value whose channels it is;
    an argument equal to its `default` is not written; `wrap` is the source around it.
    """

    keyword: str
    value: object
    field: str = ""
    channels: Value | None = None
    default: object = ...
    positional: bool = False
    wrap: str = "{}"


@dataclass(frozen=True, slots=True)
class Call:
    """What builds one layer: a function or class of the emitted file, and its arguments."""

    function: str
    args: tuple[Arg, ...] = ()


Describe = Callable[[Node], "Call | None"]
"""Tells how a backend builds an op's layer; None for what is written as a plain expression."""


@dataclass(frozen=True, slots=True)
class Text:
    """One resolved argument: `keyword=source`, or `source` alone."""

    keyword: str
    source: str
    positional: bool

    def __str__(self) -> str:
        return self.source if self.positional else f"{self.keyword}={self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A constructor parameter: its value in each use; `origin` is the block's own parameter."""

    name: str
    values: tuple[Argument | tuple[int, ...], ...]
    origin: str | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Definition:
    """One class or function of the emitted code. `graphs` are its uses, in parallel."""

    template: str
    name: str
    graphs: tuple[Graph, ...]
    params: tuple[Parameter, ...] = ()
    texts: dict[Node, tuple[Text, ...]] = field(default_factory=dict)
    shares: dict[Node, tuple[str, ...]] = field(default_factory=dict)
    """The source of a fork's split sizes."""

    @property
    def graph(self) -> Graph:
        """Return the use that the definition is written from."""
        return self.graphs[0]

    def values(self, graph: Graph) -> dict[str, object]:
        """Return the arguments of one use."""
        index = self.graphs.index(graph)
        return {p.name: p.values[index] for p in self.params}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """All definitions of a network, inner before outer; the network's own comes last."""

    blocks: tuple[Definition, ...]
    network: Definition
    of: Mapping[Node, Definition]
    """The definition that an instance node uses."""


def unify(
    network: Network,
    describe: Describe,
    name: Callable[[str], str],
    *,
    with_channels: bool,
) -> Definitions:
    """Define every template of a network, and the network itself.

    `name` turns a template's name into that of its class or function, the network's (given as
    itself) included. `with_channels` adds the input channels as a first parameter.
    """
    unifier = _Unifier(describe, name, with_channels)
    whole = Graph(
        name=network.name,
        input=network.input,
        nodes=(*network.trunk, *(h.node for h in network.heads)),
        output=network.output_head.node.output,
    )
    for template, nodes in _instances(whole).items():
        unifier.define(template, nodes)
    allowed = {k: network.params[k] for k in _open_params(network)}
    own = unifier.build(network.name, name(network.name), [whole], [allowed], named_only=True)
    return Definitions(blocks=tuple(unifier.definitions), network=own, of=unifier.of)


def _instances(graph: Graph) -> dict[str, list[Node]]:
    """Return instance nodes by template, inner templates first."""
    found: dict[str, list[Node]] = {}

    def visit(node: Node) -> None:
        for inner in node.graphs:
            for child in inner.nodes:
                visit(child)
        if isinstance(node.op, Instance):
            found.setdefault(node.op.template, []).append(node)

    for node in graph.nodes:
        visit(node)
    return found


def _open_params(network: Network) -> Iterator[str]:
    """Yield the parameters whose change alters no shape that another layer's weights depend on."""
    readers: dict[Value, list[Node]] = {}
    for node in network.walk():
        for value in node.inputs:
            readers.setdefault(value, []).append(node)

    def feeds_weights(value: Value) -> bool:
        return any(n.weights or n.graphs or feeds_weights(n.output) for n in readers.get(value, ()))

    for name in network.free_params:
        leaves = [
            (node, attribute)
            for node in network.walk()
            for attribute, text in node.expressions.items()
            if text == name
        ]
        effective = all(getattr(n.op, a, None) == network.params[name] for n, a in leaves)
        shapes = [n for n, a in leaves if a in ("filters", "units")]
        if leaves and effective and not any(feeds_weights(n.output) for n in shapes):
            yield name


@dataclass(slots=True)
class _Unifier:
    describe: Describe
    name: Callable[[str], str]
    with_channels: bool
    definitions: list[Definition] = field(default_factory=list)
    of: dict[Node, Definition] = field(default_factory=dict)

    def define(self, template: str, nodes: Sequence[Node]) -> None:
        groups: dict[object, list[Node]] = {}
        for node in nodes:
            groups.setdefault(self.signature(node.graphs[0], node), []).append(node)
        for number, group in enumerate(groups.values(), 1):
            label = template if number == 1 else f"{template}_{number}"
            arguments = [n.op.arguments for n in group if isinstance(n.op, Instance)]
            graphs = [n.graphs[0] for n in group]
            definition = self.build(template, self.name(label), graphs, arguments)
            self.definitions.append(definition)
            self.of |= dict.fromkeys(group, definition)

    def signature(self, graph: Graph, node: Node | None = None) -> object:
        """Return what two uses must share to be one definition."""
        ids: dict[Value, object] = {}
        for index, value in enumerate(node.inputs if node else ()):
            ids[value] = f"input {index}"
        return self._signature(graph, ids)

    def _signature(self, graph: Graph, ids: dict[Value, object]) -> object:
        ids[graph.input] = "input 0"
        parts = []
        for index, node in enumerate(graph.nodes):
            inputs = tuple(ids.get(v) for v in node.inputs)
            if isinstance(node.op, Instance):
                definition = self.of[node]
                inner: object = (id(definition), tuple(p.name for p in definition.params))
            elif node.graphs:
                kind = (node.op.join, node.op.split is None) if isinstance(node.op, Fork) else ()
                inner = (kind, tuple((g.name, self._signature(g, dict(ids))) for g in node.graphs))
            else:
                made = self.describe(node)
                inner = (made.function, tuple((a.keyword, a.wrap) for a in made.args)) if made else ()
            parts.append((node.name, node.op.key, inputs, inner))
            ids[node.output] = index
        return (tuple(parts), ids.get(graph.output))

    def build(
        self,
        template: str,
        name: str,
        graphs: Sequence[Graph],
        arguments: Sequence[Mapping[str, Argument]],
        *,
        named_only: bool = False,
    ) -> Definition:
        builder = _Builder(self, graphs, arguments, named_only)
        builder.graph(graphs)
        return Definition(
            template=template,
            name=name,
            graphs=tuple(graphs),
            params=builder.ordered(),
            texts=builder.texts,
            shares=builder.shares,
        )

    def call(self, node: Node) -> Call | None:
        """Describe any node: an op's layer, or the use of a definition."""
        if not isinstance(node.op, Instance):
            return None if node.graphs else self.describe(node)
        definition = self.of[node]
        given = definition.values(node.graphs[0])
        args = [
            Arg(keyword=k, value=v, field=_argument_field(definition, k)) for k, v in given.items()
        ]
        if self.with_channels:
            first = Arg(
                keyword=IN_CHANNELS,
                value=node.inputs[0].channels,
                channels=node.inputs[0],
                positional=True,
            )
            args.insert(0, first)
        return Call(definition.name, tuple(args))


def _argument_field(definition: Definition, name: str) -> str:
    return next((p.origin or p.name for p in definition.params if p.name == name), name)


class _Builder:
    """Resolves the arguments of one definition, layer by layer in parallel over its uses."""

    def __init__(
        self,
        unifier: _Unifier,
        graphs: Sequence[Graph],
        arguments: Sequence[Mapping[str, Argument]],
        named_only: bool,
    ) -> None:
        self.unifier = unifier
        self.arguments = arguments
        self.named_only = named_only
        self.params: dict[str, Parameter] = {}
        self.texts: dict[Node, tuple[Text, ...]] = {}
        self.shares: dict[Node, tuple[str, ...]] = {}
        self.terms: dict[Value, tuple[int | str, ...] | None] = {}
        inputs = tuple(g.input.channels for g in graphs)
        self.in_channels = inputs
        if unifier.with_channels and not named_only:
            self.terms[graphs[0].input] = (IN_CHANNELS,)
        elif len(set(inputs)) == 1:
            self.terms[graphs[0].input] = (inputs[0],)

    def ordered(self) -> tuple[Parameter, ...]:
        """Return the parameters: declared ones in declared order, then the others."""
        declared = [k for k in (self.arguments[0] if self.arguments else ()) if k in self.params]
        rest = [k for k in self.params if k not in declared]
        return tuple(self.params[k] for k in (*declared, *rest))

    def graph(self, graphs: Sequence[Graph]) -> None:
        for nodes in zip(*(g.nodes for g in graphs), strict=True):
            self.node(nodes)

    def node(self, nodes: Sequence[Node]) -> None:
        node = nodes[0]
        calls = [self.unifier.call(n) for n in nodes]
        if calls[0] is not None:
            parallel = zip(*(c.args for c in calls if c), strict=True)
            texts = [self.argument(nodes, args) for args in parallel]
            self.texts[node] = tuple(t for t in texts if t)
        elif node.graphs:
            self.container(nodes)
        self.terms[node.output] = self.term(node)

    def container(self, nodes: Sequence[Node]) -> None:
        node = nodes[0]
        if isinstance(node.op, Fork) and node.op.split is not None:
            self.shares[node] = tuple(
                self.source(
                    nodes, f"{g.name}_channels", "", [n.graphs[i].input.channels for n in nodes]
                )
                for i, g in enumerate(node.graphs)
            )
        for index, graph in enumerate(node.graphs):
            if node in self.shares:
                self.terms[graph.input] = (_atom(self.shares[node][index]),)
            else:
                self.terms[graph.input] = self.terms.get(node.inputs[0])
            self.graph([n.graphs[index] for n in nodes])

    def argument(self, nodes: Sequence[Node], args: Sequence[Arg]) -> Text | None:
        arg = args[0]
        values = [a.value for a in args]
        if arg.default is not ... and all(v == arg.default for v in values):
            return None
        if arg.channels is not None:
            source = self.channels_source(nodes, arg, values)
        else:
            source = self.source(nodes, arg.keyword, arg.field, values)
        return Text(arg.keyword, arg.wrap.format(source), arg.positional)

    def channels_source(self, nodes: Sequence[Node], arg: Arg, values: Sequence[object]) -> str:
        assert arg.channels is not None
        term = self.terms.get(arg.channels)
        if term is not None:
            text = " + ".join(map(str, term))
            if self.gives(text, values):
                return text
        return self.source(nodes, arg.keyword, "", values)

    def source(
        self, nodes: Sequence[Node], keyword: str, field: str, values: Sequence[object]
    ) -> str:
        """Return the source of one argument, adding a parameter where the uses differ."""
        text = nodes[0].expressions.get(field)
        if text is not None and all(n.expressions.get(field) == text for n in nodes):
            if text.isidentifier() and self.bare(text, values):
                return text
            if not text.isidentifier() and self.expression(text, values):
                return text
        if all(v == values[0] for v in values):
            return literal(values[0])
        return self.hole(nodes[0], keyword, values)

    def bare(self, name: str, values: Sequence[object]) -> bool:
        """Let a leaf that is a bare parameter keep its name, if its values are that name's."""
        if name == IN_CHANNELS:
            return self.unifier.with_channels and self.gives(name, values)
        if self.named_only and name not in self.arguments[0]:
            return False
        known = self.params.get(name)
        if known is None:
            known = Parameter(name=name, values=_constants(values), origin=name)
            self.params[name] = known
        return list(known.values) == list(values)

    def expression(self, text: str, values: Sequence[object]) -> bool:
        """Let an expression stay one, if it gives the effective value in every use."""
        try:
            parsed = expression.parse(text, _NOWHERE)
        except ExpressionError:
            return False
        if "ceil" in text or "floor(" in text or self.named_only:
            return False
        for name in parsed.names:
            declared = [a.get(name) for a in self.arguments]
            if name != IN_CHANNELS and (None in declared or not self.bare(name, declared)):
                return False
        return self.gives(text, values)

    def gives(self, text: str, values: Sequence[object]) -> bool:
        parsed = expression.parse(text, _NOWHERE)
        for use, value in enumerate(values):
            known: dict[str, object] = {p.name: p.values[use] for p in self.params.values()}
            if self.unifier.with_channels and not self.named_only:
                known[IN_CHANNELS] = self.in_channels[use]
            try:
                found = expression.evaluate(parsed, known.__getitem__)  # type: ignore[arg-type]
            except (KeyError, ExpressionError):
                return False
            if found != value or type(found) is not type(value):
                return False
        return True

    def hole(self, node: Node, keyword: str, values: Sequence[object]) -> str:
        base = f"{snake_case(node.name)}_{keyword}"
        name, number = base, 2
        while name in self.params and list(self.params[name].values) != list(values):
            name, number = f"{base}_{number}", number + 1
        self.params.setdefault(name, Parameter(name=name, values=_constants(values)))
        return name

    def term(self, node: Node) -> tuple[int | str, ...] | None:
        """Return the channels of a node's output as a sum of numbers and parameters."""
        if isinstance(node.op, Fork):
            outputs = [g.output for g in node.graphs]
            return self.sum(outputs) if node.op.join == "concat" else self.terms.get(outputs[0])
        if isinstance(node.op, Instance):
            return None
        if node.graphs:
            return self.terms.get(node.graphs[0].output)
        if node.op.key == "concat":
            return self.sum(node.inputs)
        if node.op.key in ("conv", "dense"):
            made = [t for t in self.texts[node] if t.keyword in _OUTPUTS]
            return (_atom(made[0].source),) if made else None
        same = node.output.channels == node.inputs[0].channels
        return self.terms.get(node.inputs[0]) if same else None

    def sum(self, values: Sequence[Value]) -> tuple[int | str, ...] | None:
        atoms: list[int | str] = []
        for value in values:
            term = self.terms.get(value)
            if term is None:
                return None
            atoms += term
        number = sum(a for a in atoms if isinstance(a, int))
        words = [a for a in atoms if isinstance(a, str)]
        return (*((number,) if number else ()), *words)


_OUTPUTS = ("out_channels", "out_features", "filters", "units")


def _atom(source: str) -> int | str:
    return int(source) if source.isdigit() else source


def _constants(values: Sequence[object]) -> tuple[Argument | tuple[int, ...], ...]:
    return tuple(values)  # type: ignore[arg-type]


def shapes_agree(values: Sequence[Value]) -> str | None:
    """Return the shape that all values share, as text; None where they differ."""
    shapes = {v.shape for v in values}
    return shape_text(values[0].shape) if len(shapes) == 1 else None

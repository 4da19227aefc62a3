"""The arguments of every layer in one definition: constants, parameters, or short expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence

from archcompiler import expression
from archcompiler.definition import Arg, Call, Constant, Parameter, Text
from archcompiler.expression import ExpressionError
from archcompiler.ir import Argument, Fork, Graph, Instance, Node, Value
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.unit import Unit
from archcompiler.position import Position, Source
from archcompiler.pretty import literal, variable

IN_CHANNELS = "in_channels"
LONGEST = 60
"""An expression longer than this becomes a parameter: it would have to be broken over lines."""

_NOWHERE = Position(Source("emitted code"), 1, 1)
_OUTPUTS = ("out_channels", "out_features", "filters", "units")
_LOCALS = frozenset({IN_CHANNELS, "name", "self", "x"})


class Arguments:
    """Resolves the arguments of one definition, layer by layer in parallel over its uses.

    `call` describes any layer; `graphs` are the uses and `arguments` what each passes.
    """

    def __init__(
        self,
        call: Callable[[Node], Call | None],
        graphs: Sequence[Graph],
        arguments: Sequence[Mapping[str, Argument]],
        *,
        reserved: Collection[str],
        with_channels: bool,
        named_only: bool,
    ) -> None:
        self.call = call
        self.reserved = {*reserved}
        self.with_channels = with_channels
        self.named_only = named_only
        self.spelled = _spelled(arguments[0] if arguments else (), self.reserved)
        self.declared = {
            own: [a.get(name) for a in arguments] for name, own in self.spelled.items()
        }
        self.params: dict[str, Parameter] = {}
        self.texts: dict[Node, tuple[Text, ...]] = {}
        self.shares: dict[Node, tuple[str, ...]] = {}
        self.terms: dict[Value, tuple[int | str, ...] | None] = {}
        self.in_channels = tuple(g.input.channels for g in graphs)
        if with_channels and not named_only:
            self.terms[graphs[0].input] = (IN_CHANNELS,)
        elif len(set(self.in_channels)) == 1:
            self.terms[graphs[0].input] = (self.in_channels[0],)
        self.graph(graphs, "")

    def ordered(self) -> tuple[Parameter, ...]:
        """Return the parameters: declared ones in declared order, then the others."""
        declared = [k for k in self.spelled.values() if k in self.params]
        rest = [k for k in self.params if k not in declared]
        return tuple(self.params[k] for k in (*declared, *rest))

    def graph(self, graphs: Sequence[Graph], place: str) -> None:
        """Resolve the layers of one list; `place` names the branch that it is."""
        for nodes in zip(*(g.nodes for g in graphs), strict=True):
            self.node(nodes, place)

    def node(self, nodes: Sequence[Node], place: str) -> None:
        """Resolve one layer of all uses."""
        node = nodes[0]
        calls = [self.call(n) for n in nodes]
        if calls[0] is not None:
            parallel = zip(*(c.args for c in calls if c), strict=True)
            texts = [self.argument(nodes, args, place) for args in parallel]
            self.texts[node] = tuple(t for t in texts if t)
        elif node.graphs:
            self.container(nodes, place)
        self.terms[node.output] = self.term(node)

    def container(self, nodes: Sequence[Node], place: str) -> None:
        """Resolve what is inside a fork or a group."""
        node = nodes[0]
        inner = f"{place}_{node.name}" if node.named else place
        if isinstance(node.op, Fork) and node.op.split is not None:
            self.shares[node] = tuple(
                self.constant(
                    [n.graphs[i].input.channels for n in nodes], f"{g.name}_channels", inner
                )
                for i, g in enumerate(node.graphs)
            )
        for index, graph in enumerate(node.graphs):
            if node in self.shares:
                self.terms[graph.input] = (_atom(self.shares[node][index]),)
            else:
                self.terms[graph.input] = self.terms.get(node.inputs[0])
            self.graph([n.graphs[index] for n in nodes], f"{inner}_{graph.name}")

    def argument(self, nodes: Sequence[Node], args: Sequence[Arg], place: str) -> Text | None:
        """Resolve one argument of a call; None where it is not written."""
        arg = args[0]
        values = [a.value for a in args]
        if arg.default is not ... and all(v == arg.default for v in values):
            return None
        name = f"{nodes[0].name}_{arg.keyword}"
        source = None
        if arg.channels is not None:
            source = self.channels(arg.channels, values)
        elif arg.field:
            source = self.written([n.expressions.get(arg.field) for n in nodes], values)
        if source is None:
            source = self.constant(values, name, place)
        return Text(keyword=arg.keyword, source=source, positional=arg.positional, wrap=arg.wrap)

    def constant(self, values: Sequence[object], name: str, place: str) -> str:
        """Return the literal that all uses share, else a parameter of its own."""
        if _same(values, [values[0]] * len(values)):
            return literal(values[0])
        taken = self.reserved | {*self.params} | {*self.spelled.values()} | _LOCALS
        number, found = 2, variable(name)
        if found in taken:
            name = f"{place}_{name}".strip("_")
            found = variable(name)
        while found in taken:
            found, number = f"{variable(name)}_{number}", number + 1
        self.params[found] = Parameter(name=found, values=_constants(values))
        return found

    # Sources that say where a value comes from

    def channels(self, value: Value, numbers: Sequence[object]) -> str | None:
        """Return a value's channels as a sum, where that is right in every use."""
        term = self.terms.get(value)
        text = " + ".join(map(str, term)) if term else ""
        return text if text and len(text) <= LONGEST and self.gives(text, numbers, {}) else None

    def written(self, texts: Sequence[str | None], values: Sequence[object]) -> str | None:
        """Return what the block's text says for an attribute, where that is right in every use."""
        text = texts[0]
        if text is None or any(t != text for t in texts):
            return None
        if text == IN_CHANNELS:
            known = self.with_channels and self.gives(text, values, {})
            return text if known else None
        if text.isidentifier():
            return self.bare(self.spelled.get(text), text, values)
        return None if self.named_only else self.expression(text, values)

    def bare(self, own: str | None, origin: str, values: Sequence[object]) -> str | None:
        """Let a leaf that is a bare parameter keep its name, if its values are that name's."""
        if own is None:
            return None
        made = Parameter(name=own, values=_constants(values), origin=origin)
        known = self.params.setdefault(own, made)
        return own if _same(known.values, values) else None

    def expression(self, text: str, values: Sequence[object]) -> str | None:
        """Let an expression stay one, if it gives the effective value in every use."""
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError:
            return None
        needed: dict[str, Parameter] = {}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name) or node.id in _SAME_IN_PYTHON | {IN_CHANNELS}:
                continue
            own = self.spelled.get(node.id)
            if own is None or None in self.declared[own]:
                return None
            made = Parameter(name=own, values=_constants(self.declared[own]), origin=node.id)
            needed[own] = made
            node.id = own
        source = ast.unparse(tree)
        unchanged = all(_same(self.params.get(k, p).values, p.values) for k, p in needed.items())
        if not unchanged or len(source) > LONGEST or not self.gives(source, values, needed):
            return None
        self.params |= {k: p for k, p in needed.items() if k not in self.params}
        return source

    def gives(self, text: str, values: Sequence[object], more: Mapping[str, Parameter]) -> bool:
        """Tell whether the text has these very values in every use."""
        try:
            parsed = expression.parse(text, _NOWHERE)
        except ExpressionError:
            return False
        for use, value in enumerate(values):
            known: dict[str, object] = {
                p.name: p.values[use] for p in (*more.values(), *self.params.values())
            }
            if self.with_channels and not self.named_only:
                known[IN_CHANNELS] = self.in_channels[use]
            try:
                found = expression.evaluate(parsed, known.__getitem__)  # type: ignore[arg-type]
            except (KeyError, ExpressionError):
                return False
            if not _same([found], [value]):
                return False
        return True

    # Channels as sums

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
        if isinstance(node.op, Unit) and not isinstance(node.op, DepthwiseConv):
            made = [t for t in self.texts[node] if t.keyword in _OUTPUTS]
            return (_atom(made[0].source),) if made else None
        same = node.output.channels == node.inputs[0].channels
        return self.terms.get(node.inputs[0]) if same else None

    def sum(self, values: Sequence[Value]) -> tuple[int | str, ...] | None:
        """Add up the channels of values, the numbers first."""
        atoms: list[int | str] = []
        for value in values:
            term = self.terms.get(value)
            if term is None:
                return None
            atoms += term
        number = sum(a for a in atoms if isinstance(a, int))
        words = [a for a in atoms if isinstance(a, str)]
        return (*((number,) if number else ()), *words)


_SAME_IN_PYTHON = frozenset({"int", "max", "min", "round"})
"""The functions of expressions that emitted code may call without an import."""


def _spelled(names: Collection[str], reserved: Collection[str]) -> dict[str, str]:
    """Give each declared parameter a name that hides nothing which the definition needs."""
    found: dict[str, str] = {}
    for name in names:
        own = name
        while own in reserved or (own != name and own in names) or own in found.values():
            own += "_"
        found[name] = own
    return found


def _same(left: Sequence[object], right: Sequence[object]) -> bool:
    """Tell whether two lists of values are equal in type, too: 1 is not 1.0 or true."""
    return [(type(v), v) for v in left] == [(type(v), v) for v in right]


def _atom(source: str) -> int | str:
    return int(source) if source.isdigit() else source


def _constants(values: Sequence[object]) -> tuple[Constant, ...]:
    return tuple(values)  # type: ignore[arg-type]

"""The arguments of every layer in one definition: constants, parameters, or short expressions."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import cast

from archcompiler import expression, formulas
from archcompiler.definition import Arg, Call, Constant, Parameter, Text
from archcompiler.expression import ExpressionError
from archcompiler.formulas import Term
from archcompiler.ir import Argument, Fork, Graph, Group, Instance, Node, Value
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
        leaves: Callable[[Node], Term | None],
        graphs: Sequence[Graph],
        arguments: Sequence[Mapping[str, Argument]],
        *,
        constants: Mapping[str, Argument],
        reserved: Collection[str],
        with_channels: bool,
        named_only: bool,
    ) -> None:
        self.call, self.leaves = call, leaves
        self.constants = constants
        self.reserved = {*reserved}
        self.with_channels = with_channels
        self.named_only = named_only
        self.spelled = _spelled(arguments[0] if arguments else (), self.reserved)
        self.declared = {
            own: [a.get(name) for a in arguments] for name, own in self.spelled.items()
        }
        self.in_channels = tuple(g.input.channels for g in graphs)
        self.repeated = {n for n, count in Counter(_layer_names(graphs[0])).items() if count > 1}
        self.barred: set[str] = set()
        self.loose: set[tuple[Node, str]] = set()
        self.resolve(graphs)
        while self.mend():
            self.resolve(graphs)

    def resolve(self, graphs: Sequence[Graph]) -> None:
        """Resolve all layers."""
        self.params: dict[str, Parameter] = {}
        self.texts: dict[Node, tuple[Text, ...]] = {}
        self.shares: dict[Node, tuple[str, ...]] = {}
        self.terms: dict[Value, Term | None] = {}
        self.reach: dict[Value, frozenset[str]] = {}
        self.baked: list[tuple[Node, str, frozenset[str]]] = []
        if self.with_channels and not self.named_only:
            self.terms[graphs[0].input] = (IN_CHANNELS,)
        elif len(set(self.in_channels)) == 1:
            self.terms[graphs[0].input] = (self.in_channels[0],)
        self.graph(graphs, "")

    def mend(self) -> bool:
        """Tell whether a parameter promised what the code does not keep, and see to it.

        What was written as a number may depend on a parameter. If that has one value in all uses it
        is none then; else the number is a parameter, too.
        """
        shown = {p.origin: p for p in self.params.values() if p.origin}
        before = len(self.barred) + len(self.loose)
        for node, keyword, names in self.baked:
            for name in sorted(names & shown.keys()):
                if keyword and not formulas.constant(shown[name].values):
                    self.loose.add((node, keyword))
                else:
                    self.barred.add(name)
        return len(self.barred) + len(self.loose) > before

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
        handled: set[str] = set()
        if calls[0] is not None:
            handled = self.arguments(nodes, [c for c in calls if c], place)
        elif node.graphs:
            handled = {g.name for g in node.graphs}
            self.container(nodes, place)
        silent = {k for k in node.expressions if k not in handled}
        self.baked.append((node, "", self.words(nodes, silent)))
        self.terms[node.output] = self.term(node)
        self.reach[node.output] = self.reached(nodes)

    def arguments(self, nodes: Sequence[Node], calls: Sequence[Call], place: str) -> set[str]:
        """Resolve the arguments of a call, and return the attributes that they stand for."""
        parallel = list(zip(*(c.args for c in calls), strict=True))
        found: dict[str, Text] = {}
        # A padding may be said by the kernel and the dilation.
        for args in sorted(parallel, key=lambda args: args[0].half is not None):
            half = self.half(args, parallel, found) if args[0].half is not None else None
            if text := self.argument(nodes, args, place, half):
                found[text.keyword] = text
        written = [found.get(args[0].keyword) for args in parallel]
        self.texts[nodes[0]] = tuple(t for t in written if t)
        return {name for args in parallel for a in args for name in (a.field, *a.depends)}

    def container(self, nodes: Sequence[Node], place: str) -> None:
        """Resolve what is inside a fork or a group."""
        node = nodes[0]
        inner = f"{place}_{node.name}" if node.named else place
        if isinstance(node.op, Fork) and node.op.split is not None:
            self.shares[node] = tuple(
                self.share(nodes, index, f"{g.name}_channels", inner)
                for index, g in enumerate(node.graphs)
            )
        for index, graph in enumerate(node.graphs):
            if node in self.shares:
                self.terms[graph.input] = (formulas.atom(self.shares[node][index]),)
                self.reach[graph.input] = self.words(nodes, [graph.name])
            else:
                self.terms[graph.input] = self.terms.get(node.inputs[0])
                self.reach[graph.input] = self.reach.get(node.inputs[0], frozenset())
            self.graph([n.graphs[index] for n in nodes], f"{inner}_{graph.name}")

    def share(self, nodes: Sequence[Node], index: int, name: str, place: str) -> str:
        """Resolve the channels of one branch of a split."""
        branch = nodes[0].graphs[index].name
        values = [n.graphs[index].input.channels for n in nodes]
        texts = [n.expressions.get(branch) for n in nodes]
        source = None if self.named_only else self.written(texts, values)
        return source or self.constant(nodes[0], name, values, place, self.words(nodes, [branch]))

    def argument(
        self, nodes: Sequence[Node], args: Sequence[Arg], place: str, half: str | None
    ) -> Text | None:
        """Resolve one argument of a call; None where it is not written."""
        arg, node = args[0], nodes[0]
        values = [a.value for a in args]
        names = self.words(nodes, {f for a in args for f in (a.field, *a.depends)})
        if arg.channels is not None:
            names |= self.reach.get(arg.channels, frozenset())
        usual = arg.default is not ... and all(v == arg.default for v in values)
        if usual and (arg.settled or (node, arg.keyword) not in self.loose):
            self.baked.append((node, "" if arg.settled else arg.keyword, names))
            return None
        source = half
        if arg.channels is not None:
            source = self.channels(arg.channels, values)
        elif arg.field:
            source = self.written([n.expressions.get(arg.field) for n in nodes], values)
        if source is None:
            source = self.constant(node, arg.keyword, values, place, names)
        return Text(keyword=arg.keyword, source=source, positional=arg.positional, wrap=arg.wrap)

    def constant(
        self, node: Node, keyword: str, values: Sequence[object], place: str, names: frozenset[str]
    ) -> str:
        """Return the literal that all uses share, else a parameter of its own.

        `names` are the block's parameters that the values depend on.
        """
        if formulas.constant(values) and (node, keyword) not in self.loose:
            self.baked.append((node, keyword, names))
            return literal(values[0])
        taken = self.reserved | {*self.params} | {*self.spelled.values()} | _LOCALS
        name = keyword if isinstance(node.op, Fork) else f"{node.name}_{keyword}"
        number, found = 2, variable(name)
        if found in taken or node.name in self.repeated:
            name = f"{place}_{name}".strip("_")
            found = variable(name)
        while found in taken:
            found, number = f"{variable(name)}_{number}", number + 1
        self.params[found] = Parameter(name=found, values=_constants(values), needs=names)
        return found

    def words(self, nodes: Sequence[Node], attributes: Collection[str]) -> frozenset[str]:
        """Return the parameters of the block that the expressions of attributes read."""
        texts = [n.expressions[a] for n in nodes for a in attributes if a in n.expressions]
        return frozenset(w for t in texts for w in re.findall(r"\w+", t) if w in self.spelled)

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
        if own is None or origin in self.barred:
            return None
        made = Parameter(name=own, values=_constants(values), origin=origin)
        known = self.params.setdefault(own, made)
        return own if formulas.same(known.values, values) else None

    def expression(self, text: str, values: Sequence[object]) -> str | None:
        """Let an expression stay one, if it gives the effective value in every use."""
        try:
            tree = ast.parse(text, mode="eval")
        except SyntaxError:
            return None
        needed: dict[str, Parameter] = {}
        known: dict[str, Argument] = {}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name) or node.id in formulas.SAME_IN_PYTHON | {IN_CHANNELS}:
                continue
            own = self.spelled.get(node.id)
            declared = self.declared[own] if own else [self.constants.get(node.id)]
            if own is None or node.id in self.barred:
                value = declared[0]
                if type(value) not in (int, float) or not formulas.constant(declared):
                    return None
                known[node.id] = cast(Argument, value)
            elif None in declared:
                return None
            else:
                made = Parameter(name=own, values=_constants(declared), origin=node.id)
                needed[own] = made
                node.id = own
        tree = formulas.Sources({k: ast.Constant(v) for k, v in known.items()}).visit(tree)
        if not formulas.names(tree):
            return None
        source = ast.unparse(tree)
        shown = {k: self.params.get(k, p) for k, p in needed.items()}
        unchanged = all(formulas.same(shown[k].values, p.values) for k, p in needed.items())
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
            if not formulas.same([found], [value]):
                return False
        return True

    def half(
        self,
        args: Sequence[Arg],
        parallel: Sequence[Sequence[Arg]],
        found: Mapping[str, Text],
    ) -> str | None:
        """Return a padding as half of what a kernel reaches, where that is right in every use."""
        if formulas.constant([a.value for a in args]) and not all(a.half for a in args):
            return None
        told = {same[0].keyword: same for same in parallel}
        kernels, dilations = told["kernel_size"], told.get("dilation", ())
        kernel = found["kernel_size"].source
        dilation = found["dilation"].source if "dilation" in found else "1"
        return formulas.half(
            [a.value for a in args],
            ([k.value for k in kernels], kernel),
            ([d.value for d in dilations] or [1] * len(args), dilation),
        )

    # Channels as sums

    def term(self, node: Node) -> Term | None:
        """Return the channels of a node's output as a sum of numbers and parameters."""
        if isinstance(node.op, Fork):
            outputs = [g.output for g in node.graphs]
            return self.sum(outputs) if node.op.join == "concat" else self.terms.get(outputs[0])
        if isinstance(node.op, Instance):
            leaves = self.leaves(node)
            sources = {t.keyword: t.source for t in self.texts.get(node, ())}
            return leaves and formulas.substituted(leaves, sources)
        if node.graphs:
            return self.terms.get(node.graphs[0].output)
        if node.op.key == "concat":
            return self.sum(node.inputs)
        if isinstance(node.op, Unit) and not isinstance(node.op, DepthwiseConv):
            made = [t for t in self.texts[node] if t.keyword in _OUTPUTS]
            return (formulas.atom(made[0].source),) if made else None
        same = node.output.channels == node.inputs[0].channels
        return self.terms.get(node.inputs[0]) if same else None

    def reached(self, nodes: Sequence[Node]) -> frozenset[str]:
        """Return the parameters that the channels of a layer's output depend on."""
        node = nodes[0]
        values: Sequence[Value] = node.inputs
        if isinstance(node.op, Fork | Group):
            values = [g.output for g in node.graphs]
        elif isinstance(node.op, Unit) and not isinstance(node.op, DepthwiseConv):
            values = ()
        attributes = ("filters", "units", "multiplier")
        given = node.expressions if isinstance(node.op, Instance) else attributes
        found = (self.reach.get(v, frozenset()) for v in values)
        return frozenset().union(self.words(nodes, given), *found)

    def sum(self, values: Sequence[Value]) -> Term | None:
        """Add up the channels of values."""
        terms = [self.terms.get(value) for value in values]
        known = [t for t in terms if t is not None]
        return formulas.added(a for t in known for a in t) if len(known) == len(terms) else None


def _spelled(names: Collection[str], reserved: Collection[str]) -> dict[str, str]:
    """Give each declared parameter a name that hides nothing which the definition needs."""
    found: dict[str, str] = {}
    for name in names:
        own = name
        while own in reserved or (own != name and own in names) or own in found.values():
            own += "_"
        found[name] = own
    return found


def _layer_names(graph: Graph) -> Iterator[str]:
    """Yield the names of the layers of a definition."""
    for node in graph.nodes:
        yield node.name
        if not isinstance(node.op, Instance):
            for inner in node.graphs:
                yield from _layer_names(inner)


def _constants(values: Sequence[object]) -> tuple[Constant, ...]:
    return tuple(values)  # type: ignore[arg-type]

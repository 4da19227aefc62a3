"""Room 6 for torch: a `Network` to a `Module`, all decisions taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archc_torch.forward import EndPoints, Statements, is_loop
from archc_torch.layout import lay_out
from archc_torch.lines import Lines
from archc_torch.units import norm_functions, unit_classes
from archc_torch.weights import InitLines, init_lines, weight_decay
from archcompiler.fields import shape_text
from archcompiler.ir import Fork, Graph, Group, Head, Network, Node, Value
from archcompiler.names import camel_case, snake_case
from archcompiler.op import Op
from archcompiler.ops.activate import Activate
from archcompiler.pretty import Expression, assign, call, docstring, keyword, literal, paragraph
from archcompiler.unify import Definition, Definitions, unify
from archcompiler.unit import Unit

RESERVED = frozenset(
    {"Any", "F", "INPUT_SHAPE", "END_POINTS", "NamedTuple", "OrderedDict", "Output", "Tensor"}
    | {"TRUNK", "WEIGHT_DECAY", "chain", "check_size", "loss", "nn", "torch"}
    | {"Flatten", "GlobalAvgPool", "PaddedAvgPool2d", "PaddedConv2d", "PaddedMaxPool2d", "Scale"}
    | {"Size", "batch_norm_1d", "variance_scaling_"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSource:
    """One class of the emitted file, in lines."""

    name: str
    doc: tuple[str, ...]
    init: tuple[str, ...]
    members: tuple[str, ...]
    forward: tuple[str, ...]
    body: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """Everything that `model.py` says; the template only frames it."""

    name: str
    doc: tuple[str, ...]
    imports: tuple[str, ...]
    constants: tuple[str, ...]
    helpers: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]
    """Norm functions, unit classes, the size check."""
    uses_size: bool
    classes: tuple[ClassSource, ...]
    network: ClassSource
    outputs: tuple[str, ...]
    end_points: tuple[str, ...]
    init_weights: InitLines
    param_groups: tuple[str, ...]
    loss: tuple[str, ...]


def lower(network: Network) -> Module:
    """Decide everything about the emitted file."""
    laid_out = lay_out(network)
    lines = Lines(taken=set(RESERVED))
    lines.taken.add(camel_case(network.name))
    lines.prepare(laid_out)
    definitions = unify(
        laid_out,
        lines.describe,
        lambda t: camel_case(t) if t == network.name else lines.unused(camel_case(t)),
        with_channels=True,
    )
    writer = _Writer(network, laid_out, lines, definitions)
    return writer.module()


@dataclass(slots=True)
class _Writer:
    original: Network
    network: Network
    lines: Lines
    definitions: Definitions

    def module(self) -> Module:
        network = self.network
        classes = tuple(self.block_class(d) for d in self.definitions.blocks)
        own = self.network_class()
        end_points = self.end_points()
        decay = weight_decay(network)
        inits = init_lines(network)
        check = [self.check_size()] if network.follows_size else []
        loss = self.loss()
        parts = (*norm_functions(self.lines), *unit_classes(self.lines), *check)
        helpers = [*self.lines.helpers, *inits.helpers]
        if any("chain(" in m for c in (*classes, own) for m in c.members):
            helpers.insert(0, "chain")
        lines = (line for part in (*parts, loss, end_points) for line in part)
        heads = (line for c in (*classes, own) for line in (*c.init, *c.body))
        text = "\n".join((*lines, *heads))
        sized = any(h in helpers for h in ("PaddedMaxPool2d", "PaddedAvgPool2d"))
        return Module(
            name=own.name,
            doc=self.doc(),
            imports=self.imports(text, helpers),
            constants=(*self.constants(), *decay.constants, *inits.constants),
            helpers=tuple(helpers),
            parts=parts,
            uses_size=sized or ": Size" in text,
            classes=classes,
            network=own,
            outputs=self.outputs(),
            end_points=end_points,
            init_weights=inits,
            param_groups=decay.lines,
            loss=loss,
        )

    # The file's top

    def doc(self) -> tuple[str, ...]:
        network = self.original
        summary = docstring(network.summary) or f"{network.name}, built by archc"
        total, inference = network.totals(), network.totals(inference=True)
        title = summary if summary.endswith(".") else f"{summary}."
        counts = f"{total.params:,} parameters and norm statistics"
        if network.training_heads:
            counts += f", {inference.params:,} without the training heads"
        counts += f"; {inference.macs / 1e9:.4g} billion multiply-adds an image."
        shape = shape_text(network.input.shape)
        text = (
            f"Images enter as batch x channels x height x width, built for {shape} "
            "(height x width x channels, as every shape in this file). "
            f"{counts}"
        )
        lines = paragraph(title)
        return (*lines, "", *paragraph(text))

    def imports(self, text: str, helpers: Sequence[str]) -> tuple[str, ...]:
        typing = ["Any", "NamedTuple"] if self.network.training_heads else ["Any"]
        functional = "F." in text or any(h.startswith("Padded") for h in helpers)
        return (
            *(["from collections import OrderedDict"] if "chain" in helpers else []),
            f"from typing import {', '.join(typing)}",
            "",
            "import torch",
            *(["import torch.nn.functional as F"] if functional else []),
            "from torch import Tensor, nn",
        )

    def constants(self) -> tuple[str, ...]:
        network = self.network
        shape = literal(network.input.shape)
        lines = [f"INPUT_SHAPE = {shape}  # height, width, channels"]
        names = [e.name for e in network.end_points]
        if self.loops():
            trunk = names[: len(network.trunk)]
            lines += Expression("TRUNK = (", [literal(n) for n in trunk]).lines(0)
            rest = [literal(n) for n in names[len(trunk) :]]
            lines += Expression("END_POINTS = (", ["*TRUNK", *rest]).lines(0)
        else:
            flat = literal(tuple(names))
            one = f"END_POINTS = {flat}"
            many = Expression("END_POINTS = (", [literal(n) for n in names]).lines(0)
            lines += [one] if len(one) <= 88 else many
        return tuple(lines)

    def outputs(self) -> tuple[str, ...]:
        heads = self.network.training_heads
        if not heads:
            return ()
        return tuple(f"{_field(h)}: Tensor" for h in (self.network.output_head, *heads))

    # Classes

    def block_class(self, definition: Definition) -> ClassSource:
        arguments = ["self", "in_channels: int"]
        arguments += [f"{p.name}: {_type(p.values)}" for p in definition.params]
        outer = self.extra_inputs(definition)
        statements = Statements(definition=definition, indent=8)
        graph = definition.graph
        statements.variables[graph.input] = "x"
        for value, name in outer.items():
            statements.variables[value] = name
            statements.names.taken.add(name)
        statements.graph(graph.nodes, (), graph.output)
        signature = ", ".join(["self", "x: Tensor", *(f"{n}: Tensor" for n in outer.values())])
        return ClassSource(
            name=definition.name,
            doc=self.block_doc(definition),
            init=_definition("__init__", arguments, "None"),
            members=tuple(self.members(definition, graph, comments=False)),
            forward=(f"    def forward({signature}) -> Tensor:",),
            body=tuple(statements.lines),
        )

    def extra_inputs(self, definition: Definition) -> dict[Value, str]:
        """Return what a class reads beside its input, with the names of the arguments."""
        nodes = [n for n, d in self.definitions.of.items() if d is definition]
        node = next(n for n in nodes if n.graphs[0] is definition.graph)
        return {v: snake_case(v.name.rpartition("/")[2]) + "_in" for v in node.inputs[1:]}

    def block_doc(self, definition: Definition) -> tuple[str, ...]:
        graphs = definition.graphs
        shapes = dict.fromkeys(
            f"{shape_text(g.input.shape)} to {shape_text(g.output.shape)}" for g in graphs
        )
        uses = list(shapes)
        if len(uses) <= 3:
            text = f"{'; '.join(uses)}."
        else:
            text = f"{uses[0]}; {uses[1]}; and {len(uses) - 2} more."
        return _doc_lines(text, 4)

    def members(self, definition: Definition, graph: Graph, *, comments: bool) -> list[str]:
        lines: list[str] = []
        for node in graph.nodes:
            lines += self.member(definition, node, comments)
        return lines

    def member(self, definition: Definition, node: Node, comments: bool) -> list[str]:
        if isinstance(node.op, Fork):
            found: list[str] = []
            for graph in node.graphs:
                if graph.nodes and not graph.single:
                    chained = self.chain(definition, graph)
                    found += assign(f"self.{graph.name}", chained, 8)
                else:
                    found += self.members(definition, graph, comments=False)
            return found
        made = self.construct(definition, node)
        if made is None:
            return []
        comment = shape_text(node.output.shape) if comments else ""
        return assign(f"self.{node.name}", made, 8, comment)

    def construct(self, definition: Definition, node: Node) -> Expression | None:
        """Return the source that builds a node's module; None where it has none."""
        if isinstance(node.op, Group):
            return self.chain(definition, node.graphs[0])
        if node not in definition.texts:
            return None
        function = (
            self.definitions.of[node].name
            if node in self.definitions.of
            else _function(self.lines, node)
        )
        return call(function, *(str(t) for t in definition.texts[node]))

    def chain(self, definition: Definition, graph: Graph) -> Expression:
        parts = []
        for node in graph.nodes:
            made = self.construct(definition, node)
            assert made is not None, "a straight list has modules only"
            parts.append(keyword(node.name, made))
        return call("chain", *parts)

    # The network

    def network_class(self) -> ClassSource:
        definition = self.definitions.network
        arguments = ["self"]
        for parameter in definition.params:
            value = parameter.values[0]
            kind = _type(parameter.values)
            arguments.append(f"{parameter.name}: {kind} = {literal(value)}")
        returns = "Tensor | Output" if self.network.training_heads else "Tensor"
        title = "The network: logits in evaluation, an `Output` in training."
        if not self.network.training_heads:
            title = "The network."
        return ClassSource(
            name=definition.name,
            doc=_doc_lines(title, 4),
            init=_definition("__init__", arguments, "None"),
            members=tuple(self.members(definition, definition.graph, comments=True)),
            forward=(f"    def forward(self, x: Tensor) -> {returns}:",),
            body=tuple(self.network_forward()),
        )

    def needed(self) -> tuple[list[Head], list[Head]]:
        """Return the heads that evaluation computes, and those that training adds."""
        by_value = {h.node.output: h for h in self.network.heads}

        def close(heads: Sequence[Head]) -> dict[str, Head]:
            found: dict[str, Head] = {}
            for head in heads:
                inner = [by_value[v] for v in head.node.inputs if v in by_value]
                found |= close(inner)
                found[head.name] = head
            return found

        evaluated = close([self.network.output_head])
        trained = close(self.network.training_heads)
        return list(evaluated.values()), [h for n, h in trained.items() if n not in evaluated]

    def network_forward(self) -> list[str]:
        network = self.network
        evaluated, trained = self.needed()
        statements = Statements(definition=self.definitions.network, indent=8)
        statements.variables[network.input] = "x"
        nodes = [*network.trunk, *(h.node for h in evaluated)]
        nodes.sort(key=lambda n: n in [h.node for h in evaluated])
        output = network.output_head.node.output
        check = ["        check_size(x)"] if network.follows_size else []
        if not trained:
            statements.graph(nodes, (), output)
            return check + statements.lines
        later = {v for h in trained for v in h.node.inputs}
        statements.graph(nodes, {*later, output}, output)
        returned = statements.lines.pop()
        training = Statements(
            definition=self.definitions.network,
            indent=12,
            variables=statements.variables,
            names=statements.names,
        )
        fields = [statements.variables[output]]
        for head in trained:
            name = training.names.new(_field(head))
            expression = training.expression(head.node, lambda n: f"self.{n.name}")
            training.lines += assign(name, expression, 12)
            training.variables[head.node.output] = name
            if head.training_only:
                fields.append(name)
        given = call("Output", *fields).lines(12, "return ")
        return [
            *check,
            *statements.lines,
            "        if self.training:",
            *training.lines,
            *given,
            returned,
        ]

    def loops(self) -> bool:
        wanted = {e.node: e.name for e in self.network.end_points}
        return is_loop(self.network.trunk, wanted, self.network.input)

    def end_points(self) -> tuple[str, ...]:
        network = self.network
        wanted = {e.node: e.name for e in network.end_points}
        statements = EndPoints(definition=self.definitions.network, indent=8, wanted=wanted)
        statements.variables[network.input] = "x"
        lines = ["        check_size(x)"] if network.follows_size else []
        lines.append("        points: dict[str, Tensor] = {}")
        if self.loops():
            lines += [
                "        for name in TRUNK:",
                "            x = points[name] = self.get_submodule(name)(x)",
            ]
            for node in network.trunk:
                statements.variables[node.output] = f"points[{literal(wanted[node])}]"
            statements.variables[network.trunk[-1].output] = "x"
        else:
            statements.walk(network.trunk)
        for head in network.heads:
            statements.step(head.node, 0)
        return (*lines, *statements.lines, "        return points")

    # Loss and size

    def loss(self) -> tuple[str, ...]:
        heads = (self.network.output_head, *self.network.training_heads)
        if any(len(h.node.output.shape) != 1 for h in heads):
            return ()
        output = _cross_entropy(heads[0], "output")
        if len(heads) == 1:
            return (
                "def loss(output: Tensor, labels: Tensor) -> Tensor:",
                '    """Cross entropy; weight decay is the optimizer\'s, see `param_groups`."""',
                f"    return {output}",
            )
        lines = [
            "def loss(output: Tensor | Output, labels: Tensor) -> Tensor:",
            '    """Weighted cross entropy; weight decay is the optimizer\'s: `param_groups`."""',
            "    if isinstance(output, Tensor):",
            f"        return {output}",
            f"    total = {_cross_entropy(heads[0], f'output.{_field(heads[0])}')}",
        ]
        for head in heads[1:]:
            entropy = _cross_entropy(head, f"output.{_field(head)}")
            lines += assign("entropy", entropy, 4)
            lines.append(f"    total = total + {head.loss_weight!r} * entropy")
        return (*lines, "    return total")

    def check_size(self) -> tuple[str, ...]:
        height, width, _ = self.network.input.shape
        message = (
            f"built for {height}x{width} images; "
            f"`archc build {self.network.source} input=HxW` builds for others"
        )
        parts = paragraph(message, width=68)
        text = [literal(p + " ") for p in parts[:-1]] + [literal(parts[-1])]
        return (
            "def check_size(x: Tensor) -> None:",
            '    """Refuse other sizes: some padding or kernel here was settled by this one."""',
            "    # torch.fx traces with proxies, which have no size yet.",
            f"    if isinstance(x, Tensor) and (x.size(2) != {height} or x.size(3) != {width}):",
            "        raise ValueError(",
            *(f"            {line}" for line in text),
            "        )",
        )


def _function(lines: Lines, node: Node) -> str:
    made = lines.describe(node)
    assert made is not None
    return made.function


def _field(head: Head) -> str:
    return snake_case(head.name)


def _is_softmax(head: Head) -> bool:
    node = head.node
    while node.graphs:
        node = node.graphs[-1].nodes[-1]
    op = node.op
    if isinstance(op, Activate):
        return op.function == "softmax"
    return isinstance(op, Op) and isinstance(op, Unit) and op.activation == "softmax"


def _cross_entropy(head: Head, source: str) -> str:
    if _is_softmax(head):
        return f"F.nll_loss(torch.log({source}), labels)"
    return f"F.cross_entropy({source}, labels)"


def _type(values: Sequence[object]) -> str:
    kinds = {type(v) for v in values}
    if kinds <= {int, tuple}:
        return "int" if kinds == {int} else "Size"
    names = {int: "int", float: "float", bool: "bool", str: "str"}
    if kinds <= {int, float}:
        return "float"
    return names[kinds.pop()]


def _definition(name: str, arguments: Sequence[str], returns: str) -> tuple[str, ...]:
    return tuple(Expression(f"def {name}(", arguments, close=f") -> {returns}:").lines(4))


def _doc_lines(text: str, indent: int) -> tuple[str, ...]:
    one = f'{" " * indent}"""{text}"""'
    if len(one) <= 88:
        return (one,)
    first, *rest = paragraph(f'"""{text}', indent)
    return (first, *rest, f'{" " * indent}"""')

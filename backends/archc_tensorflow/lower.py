"""Room 6 for TensorFlow: a `Network` to a `Module`, all decisions taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archc_tensorflow.lines import Lines
from archc_tensorflow.statements import Statements, carries_name, output_layer, producer
from archc_tensorflow.units import unit_functions
from archcompiler.fields import shape_text
from archcompiler.ir import Graph, Group, Head, Network, Node
from archcompiler.names import snake_case
from archcompiler.op import Op
from archcompiler.ops.activate import Activate
from archcompiler.pretty import Expression, call, docstring, literal, paragraph
from archcompiler.unify import Definition, Definitions, unify
from archcompiler.unit import Unit

RESERVED = frozenset(
    {"Any", "Channels", "END_POINTS", "INPUT_SHAPE", "KerasTensor", "Literal"}
    | {"LocalResponseNorm", "PaddedAvgPool2D", "PaddedMaxPool2D", "Size", "build", "end_points"}
    | {"inference", "initializers", "keras", "layers", "load", "loss", "regularizers", "tf", "x"}
    | {"name", "check_keras"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """Everything that `model.py` says; the template only frames it."""

    name: str
    doc: tuple[str, ...]
    imports: tuple[str, ...]
    constants: tuple[str, ...]
    uses_size: bool
    helpers: tuple[str, ...]
    functions: tuple[tuple[str, ...], ...]
    build: tuple[str, ...]
    outputs: tuple[str, ...]
    output: str
    loss: tuple[str, ...]


def lower(network: Network) -> Module:
    """Decide everything about the emitted file. Raises E501 for what TensorFlow lacks."""
    lines = Lines(taken=set(RESERVED))
    lines.prepare(network)
    definitions = unify(
        network,
        lines.describe,
        lambda t: "build" if t == network.name else lines.unused(snake_case(t)),
        with_channels=False,
    )
    return _Writer(network, lines, definitions).module()


@dataclass(slots=True)
class _Writer:
    network: Network
    lines: Lines
    definitions: Definitions

    def module(self) -> Module:
        network = self.network
        blocks = [self.block(d) for d in self.definitions.blocks]
        build = self.build()
        functions = (*unit_functions(self.lines), *blocks)
        loss = self.loss()
        helpers = tuple(self.lines.helpers)
        text = "\n".join(line for f in (*functions, build, loss) for line in f)
        sized = any(h.startswith("Padded") for h in helpers)
        return Module(
            name=network.name,
            doc=self.doc(),
            imports=_imports(text, helpers),
            constants=self.constants(),
            uses_size=sized or "Size" in text,
            helpers=helpers,
            functions=functions,
            build=build,
            outputs=self.outputs(),
            output=literal(network.output),
            loss=loss,
        )

    def doc(self) -> tuple[str, ...]:
        network = self.network
        summary = docstring(network.summary) or f"{network.name}, built by archc"
        total, inference = network.totals(), network.totals(inference=True)
        counts = f"{total.params:,} parameters and norm statistics"
        if network.training_heads:
            counts += f", {inference.params:,} without the training heads"
        text = (
            f"Images enter as batch x height x width x channels, built for "
            f"{shape_text(network.input.shape)}. {counts}; "
            f"{inference.macs / 1e9:.4g} billion multiply-adds an image."
        )
        title = summary if summary.endswith(".") else f"{summary}."
        return (*paragraph(title), "", *paragraph(text))

    def constants(self) -> tuple[str, ...]:
        shape = literal(self.network.input.shape)
        points = [
            f"{literal(e.name)}: {literal(output_layer(e.node).replace('/', '.'))}"
            for e in self.network.end_points
        ]
        return (
            f"INPUT_SHAPE = {shape}  # height, width, channels",
            "# Every named result, and the layer that gives it.",
            *Expression("END_POINTS = {", points, close="}").lines(0),
        )

    def block(self, definition: Definition) -> tuple[str, ...]:
        graph = definition.graph
        node = next(n for n, d in self.definitions.of.items() if n.graphs[0] is graph)
        statements = Statements(
            lines=self.lines,
            definition=definition,
            calls=self.definitions.of,
            prefix=node.path,
        )
        statements.variables[graph.input] = "x"
        statements.taken |= {"x", *(p.name for p in definition.params)}
        statements.plan(graph.nodes, [graph.output])
        last = producer(graph)
        if last is not None and last is graph.nodes[-1] and not isinstance(last.op, Group):
            statements.final = last
        carried = {last: node.path} if last is not None and carries_name(last) else {}
        statements.run(graph.nodes, "x", carried)
        signature = ["x: KerasTensor", "name: str"]
        signature += [f"{p.name}: {_type(p.values)}" for p in definition.params]
        return (
            *Expression(f"def {definition.name}(", signature, close=") -> KerasTensor:").lines(0),
            *self.block_doc(definition.graphs),
            *statements.body,
            *([] if statements.final else [f"    return {statements.variables[graph.output]}"]),
        )

    def block_doc(self, graphs: Sequence[Graph]) -> tuple[str, ...]:
        uses = list(
            dict.fromkeys(
                f"{shape_text(g.input.shape)} to {shape_text(g.output.shape)}" for g in graphs
            )
        )
        text = "; ".join(uses) if len(uses) <= 3 else f"{uses[0]}; {uses[1]}; and more"
        return (f'    """{text}."""',)

    def build(self) -> tuple[str, ...]:
        network, definition = self.network, self.definitions.network
        statements = Statements(
            lines=self.lines,
            definition=definition,
            calls=self.definitions.of,
            prefix="",
            comments=True,
        )
        statements.variables[network.input] = "inputs"
        statements.taken |= {"inputs", "x", *(p.name for p in definition.params)}
        heads = [h.node for h in network.heads]
        statements.plan((*network.trunk, *heads), [h.node.output for h in network.heads])
        carried: dict[Node, str] = {}
        statements.run(network.trunk, "x", carried)
        for head in network.heads:
            variable = statements.unused(snake_case(head.name))
            statements.taken.discard(variable)
            statements.run([head.node], variable, carried)
        outputs = [
            f"{literal(h.name)}: {statements.variables[h.node.output]}" for h in network.heads
        ]
        arguments = [
            f"{p.name}: {_type(p.values)} = {literal(p.values[0])}" for p in definition.params
        ]
        return (
            *Expression("def build(", arguments, close=") -> keras.Model:").lines(0),
            '    """Return the model with every head, as a dictionary by name."""',
            "    check_keras()",
            '    inputs = keras.Input(INPUT_SHAPE, name="image")',
            *statements.body,
            *Expression("outputs = {", outputs, close="}").lines(4),
            f"    return keras.Model(inputs, outputs, name={literal(network.name)})",
        )

    def outputs(self) -> tuple[str, ...]:
        return tuple(h.name for h in self.network.heads)

    def loss(self) -> tuple[str, ...]:
        heads = (self.network.output_head, *self.network.training_heads)
        if any(len(h.node.output.shape) != 1 for h in heads):
            return ()
        lines = [
            "def loss(outputs: dict[str, Any], labels: Any) -> Any:",
            '    """Weighted cross entropy; weight decay is in `model.losses`: add it."""',
            "    cross_entropy = keras.losses.sparse_categorical_crossentropy",
        ]
        for index, head in enumerate(heads):
            output = f"outputs[{literal(head.name)}]"
            arguments = ["labels", output]
            if not _is_softmax(head):
                arguments.append("from_logits=True")
            lines += call("cross_entropy", *arguments).lines(4, "entropy = ")
            if index == 0:
                lines.append("    total = keras.ops.mean(entropy)")
            else:
                weight = f"{head.loss_weight!r} * " if head.loss_weight != 1.0 else ""
                lines.append(f"    total = total + {weight}keras.ops.mean(entropy)")
        return (*lines, "    return total")


def _imports(text: str, helpers: Sequence[str]) -> tuple[str, ...]:
    typing = [w for w in ("Any", "Literal") if f"{w}[" in text or f": {w}" in text or w == "Any"]
    parts = [w for w in ("initializers", "layers", "regularizers") if f"{w}." in text]
    if helpers and "layers" not in parts:
        parts = sorted([*parts, "layers"])
    return (
        f"from typing import {', '.join(typing)}",
        "",
        "import keras",
        *(["import tensorflow as tf"] if {"LocalResponseNorm"} & set(helpers) else []),
        f"from keras import {', '.join(['KerasTensor', *parts])}",
    )


def _is_softmax(head: Head) -> bool:
    node = head.node
    while node.graphs:
        node = node.graphs[-1].nodes[-1]
    op = node.op
    if isinstance(op, Activate):
        return op.function == "softmax"
    return isinstance(op, Op) and isinstance(op, Unit) and op.activation == "softmax"


def _type(values: Sequence[object]) -> str:
    kinds = {type(v) for v in values}
    names = {int: "int", float: "float", bool: "bool", str: "str"}
    if tuple in kinds:
        return "Size"
    if kinds <= {int, float} and len(kinds) == 2:
        return "float"
    return names[kinds.pop()]

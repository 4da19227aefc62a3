"""Room 5 for TensorFlow: a `Network` to a `Module`, all decisions taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from archc_tensorflow.lines import Lines
from archc_tensorflow.naming import LOCALS, RESERVED, Layers, function_name
from archc_tensorflow.statements import Statements
from archc_tensorflow.units import unit_functions
from archc_tensorflow.weights import DRAWING
from archcompiler.definition import Definition, Definitions
from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.fields import shape_text
from archcompiler.ir import Network, Node, Value
from archcompiler.lowering import file_doc
from archcompiler.pretty import Expression, assign, call, doc_lines, literal
from archcompiler.softmax import gives_probabilities
from archcompiler.unify import unify


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
    loss: tuple[str, ...]


def lower(network: Network) -> Module:
    """Decide everything about the emitted file. Raises E501 for what TensorFlow lacks."""
    lines = Lines(taken={*RESERVED, *LOCALS})
    lines.prepare(network)
    layers = Layers(network)
    definitions = unify(
        network,
        lines.describe,
        lambda template, instance: lines.unused(function_name(template, instance)),
        lambda definition, of: _Blocks(network, lines, layers, of).text(definition),
        own_name="build",
        reserved=lines.taken,
        with_channels=False,
    )
    blocks = _Blocks(network, lines, layers, definitions.of)
    return _Writer(blocks, definitions).module()


@dataclass(slots=True)
class _Blocks:
    """Writes the functions of blocks; `of` are the definitions of instances."""

    network: Network
    lines: Lines
    layers: Layers
    of: Mapping[Node, Definition]

    @property
    def points(self) -> frozenset[Value]:
        """Return the values of end points, as layers give them."""
        return frozenset(self.layers.source(e.node.output) for e in self.network.end_points)

    def function(self, definition: Definition) -> tuple[str, ...]:
        """Return the function of a block template."""
        head = f"def {definition.name}("
        return (
            *Expression(head, self.signature(definition), close=") -> KerasTensor:").lines(0),
            *self.doc(definition),
            *self.body(definition),
        )

    def text(self, definition: Definition) -> tuple[str, ...]:
        """Return what there is of a function beside its name and docstring."""
        return (*self.signature(definition), *self.body(definition))

    def signature(self, definition: Definition) -> list[str]:
        given = [f"{p.name}: {_type(p.values)}" for p in definition.params]
        return ["x: KerasTensor", "name: str", *given]

    def doc(self, definition: Definition) -> tuple[str, ...]:
        uses = definition.uses
        text = "; ".join(uses) if len(uses) <= 3 else f"{uses[0]}; {uses[1]}; and more"
        name = function_name(definition.template)
        title = f"{name} {definition.said}" if definition.said else ""
        return doc_lines(f"{text}.", 4, title=title)

    def body(self, definition: Definition) -> list[str]:
        graph = definition.graph
        node = next(n for n in self.of if n.graphs[0] is graph)
        statements = Statements(
            lines=self.lines,
            layers=self.layers,
            definition=definition,
            calls=self.of,
            prefix=self.layers.paths[node],
        )
        statements.hold(graph.input, "x")
        statements.add(graph.nodes, "x")
        self.check_kept(statements, [graph.output])
        (result,) = statements.write([graph.output], returns=True)
        returned = [] if statements.has_returned else [f"    return {result}"]
        return [*statements.body, *returned]

    def check_kept(self, statements: Statements, results: Iterable[Value]) -> None:
        """Refuse layers that Keras would leave out, if they have weights or are end points."""
        for step in statements.dead(results):
            if any(n.weights or n.output in self.points for n in step.node.walk()):
                raise _not_kept(step.node)


@dataclass(slots=True)
class _Writer:
    blocks: _Blocks
    definitions: Definitions

    @property
    def network(self) -> Network:
        return self.blocks.network

    @property
    def lines(self) -> Lines:
        return self.blocks.lines

    def module(self) -> Module:
        network = self.network
        blocks = [self.blocks.function(d) for d in self.definitions.blocks]
        build = self.build()
        units = unit_functions(self.lines)
        loss = self.loss()
        helpers = tuple(self.lines.helpers)
        signatures = [line for f in (*units, *blocks, build) for line in f]
        return Module(
            name=network.name,
            doc=file_doc(
                network,
                f"Images enter as batch x height x width x channels, built for "
                f"{shape_text(network.input.shape)}.",
            ),
            imports=_imports([*signatures, *loss], helpers),
            constants=self.constants(),
            uses_size=any(": Size" in line for line in signatures)
            or any(h.startswith("Padded") for h in helpers),
            helpers=helpers,
            functions=(*units, *blocks),
            build=build,
            loss=loss,
        )

    def constants(self) -> tuple[str, ...]:
        network = self.network
        points = [
            f"{literal(e.name)}: {literal(self.blocks.layers.layer(e.node.output))}"
            for e in network.end_points
        ]
        return (
            f"INPUT_SHAPE = {literal(network.input.shape)}  # height, width, channels",
            f"OUTPUT = {literal(network.output)}",
            "# Every named result, and the layer that gives it.",
            *Expression("END_POINTS = {", points, close="}").lines(0),
        )

    def build(self) -> tuple[str, ...]:
        network, definition = self.network, self.definitions.network
        statements = Statements(
            lines=self.lines,
            layers=self.blocks.layers,
            definition=definition,
            calls=self.definitions.of,
            comments=True,
        )
        statements.hold(network.input, "inputs")
        statements.add(network.trunk, "x")
        for head in network.heads:
            statements.add([head.node], statements.list_variable(head.name))
        results = {h.name: h.node.output for h in network.heads}
        # Keras leaves out what no output depends on: such an end point is an output, too.
        dead = {v for s in statements.dead(results.values()) for v in s.outputs}
        for point in reversed(network.end_points) if dead else ():
            value = statements.source(point.node.output)
            if value in dead:
                results[point.name] = value
                dead -= {v for s in statements.live([value]) for v in s.outputs}
        self.blocks.check_kept(statements, results.values())
        names = statements.write(results.values())
        outputs = [f"{literal(name)}: {held}" for name, held in zip(results, names, strict=True)]
        arguments = [
            f"{p.name}: {_type(p.values)} = {literal(p.values[0])}" for p in definition.params
        ]
        made = call("keras.Model", "inputs", "outputs", f"name={literal(network.name)}")
        return (
            *Expression("def build(", arguments, close=") -> keras.Model:").lines(0),
            '    """Return the model with every head, as a dictionary by name."""',
            "    check_keras()",
            '    inputs = keras.Input(INPUT_SHAPE, name="input")',
            *statements.body,
            *Expression("outputs = {", outputs, close="}").lines(4),
            *made.lines(4, "return "),
        )

    def loss(self) -> tuple[str, ...]:
        heads = (self.network.output_head, *self.network.training_heads)
        if any(len(h.node.output.shape) != 1 for h in heads):
            return ()
        kind = "Weighted cross entropy" if len(heads) > 1 else "Cross entropy"
        lines = [
            "def loss(outputs: dict[str, Any], labels: Any) -> Any:",
            f'    """{kind}; weight decay is in `model.losses`: add it."""',
            "    cross_entropy = keras.losses.sparse_categorical_crossentropy",
        ]
        for index, head in enumerate(heads):
            arguments = ["labels", f"outputs[{literal(head.name)}]"]
            if not gives_probabilities(self.network, head):
                arguments.append("from_logits=True")
            lines += assign("entropy", call("cross_entropy", *arguments), 4)
            if index == 0:
                lines.append("    total = keras.ops.mean(entropy)")
            else:
                weight = f"{head.loss_weight!r} * " if head.loss_weight != 1.0 else ""
                lines.append(f"    total = total + {weight}keras.ops.mean(entropy)")
        return (*lines, "    return total")


def _not_kept(node: Node) -> ArchcError:
    return ArchcError(
        Diagnostic(
            code="E501",
            message=f"Keras leaves out `{node.path}`: no result depends on it",
            position=node.position,
            hint="let a layer read it, or remove it",
        )
    )


def _imports(lines: Sequence[str], helpers: Sequence[str]) -> tuple[str, ...]:
    code = [re.sub(r'"[^"]*"', "", line) for line in lines]

    def used(word: str) -> bool:
        return any(re.search(rf"\b{word}\b", line) for line in code)

    typing = [w for w in ("Any", "Literal") if used(w) or (w == "Any" and helpers)]
    parts = [w for w in ("initializers", "layers", "regularizers") if used(rf"{w}\.")]
    if {*DRAWING} & {*helpers} and "initializers" not in parts:
        parts = ["initializers", *parts]
    if helpers and "layers" not in parts:
        parts = sorted([*parts, "layers"])
    names = [*(["KerasTensor"] if used("KerasTensor") else []), *parts]
    return (
        *([f"from typing import {', '.join(typing)}", ""] if typing else []),
        "import keras",
        *(["import tensorflow as tf"] if "LocalResponseNorm" in helpers else []),
        *([f"from keras import {', '.join(names)}"] if names else []),
    )


def _type(values: Sequence[object]) -> str:
    """Return the annotation of a parameter."""
    found = dict.fromkeys(map(_annotation, values))
    if found.keys() <= {"int", "tuple[int, int]"} and "tuple[int, int]" in found:
        return "Size"
    if found.keys() == {"str"} and {*values} <= {"same", "valid"}:
        return 'Literal["same", "valid"]'
    return "float" if found.keys() == {"int", "float"} else " | ".join(sorted(found))


def _annotation(value: object) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(_annotation, value))}]"
    return {int: "int", float: "float", bool: "bool", str: "str"}[type(value)]

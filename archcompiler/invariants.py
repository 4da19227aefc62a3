"""What every network is before a backend sees it, whoever made it: a spec, a file or a pass.

Backends write names without a second look, and expressions as they are. So both are checked here
again, with numbers, shapes and the order of values. What fails is a bug, never the spec's mistake.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archcompiler import names
from archcompiler.expression import ExpressionError, parse
from archcompiler.infer import JOINS
from archcompiler.ir import Fork, Graph, Instance, Network, Node, Value
from archcompiler.op import Op, write_attributes
from archcompiler.position import Position, Source


class BrokenNetwork(RuntimeError):
    """A network that no spec gives reached a backend."""


def hold(network: Network) -> None:
    """Check a network. Raises `BrokenNetwork` with the first thing that is wrong."""
    _Check().network(network)


@dataclass(slots=True)
class _Check:
    paths: set[tuple[str, str]] = field(default_factory=set)
    """What is around a layer and its name, in lower case: few long texts for many layers."""
    around: str = ""
    """What is around the layer before."""
    values: set[Value] = field(default_factory=set)
    nodes: set[Node] = field(default_factory=set)
    ops: set[Op] = field(default_factory=set)

    def network(self, network: Network) -> None:
        _require(names.problem(network.name) is None, "its name")
        for name, value in network.params.items():
            _require(names.parameter_problem(name) is None, f"the name of parameter {name!r}")
            _require(_is_plain(value), f"the value of `{name}`")
        self.shape(network.input, "input")
        self.values.add(network.stem.input)
        self.graph(network.stem, "stem")
        _require(network.body.input is network.stem.output, "the input of body")
        self.graph(network.body, "body")
        for head in network.heads:
            _require(names.problem(head.name) is None, f"the name of head {head.name!r}")
            weight = head.loss_weight
            _require((weight is not None) == head.training_only, f"loss_weight of {head.name}")
            _require(
                weight is None or (_is_plain(weight) and weight >= 0), f"weight of {head.name}"
            )
            self.node(head.node)
        _require(network.output in {h.name for h in network.heads if not h.training_only}, "output")
        points = {point.name for point in network.end_points}
        _require(len(points) == len(network.end_points), "the names of end points")
        for point in network.end_points:
            _require(point.node in self.nodes, f"end point {point.name}")
            _require(point.name in (point.node.name, point.node.path), f"end point {point.name}")

    def graph(self, graph: Graph, at: str) -> None:
        for node in graph.nodes:
            self.node(node)
        _require(graph.output in self.values, f"the output of {at}")

    def node(self, node: Node) -> None:
        at = node.path
        _require(all(map(names.IDENTIFIER.fullmatch, at.split("/"))), f"the path {at!r}")
        _require(not node.named or names.problem(node.name) is None, f"the name of {at}")
        around, _, name = at.lower().rpartition("/")
        if around != self.around:
            self.around = around
        _require((self.around, name) not in self.paths, f"the path {at}, which is taken")
        self.paths.add((self.around, name))
        self.nodes.add(node)
        _require(bool(node.inputs) and set(node.inputs) <= self.values, f"the inputs of {at}")
        for text in node.expressions.values():
            _require(_is_expression(text), f"the expression {text!r} of {at}")
        self.shape(node.output, at)
        if isinstance(node.op, Op):
            self.op(node, node.op)
        else:
            self.container(node)
        self.values.add(node.output)

    def op(self, node: Node, op: Op) -> None:
        if op not in self.ops:  # many layers say the same
            _require(all(map(_is_plain, _leaves(write_attributes(op)))), f"numbers of {node.path}")
            self.ops.add(op)
        _require(type(node.macs) is int and node.macs >= 0, f"the MACs of {node.path}")
        inferred = op.infer(tuple(value.shape for value in node.inputs))
        _require(inferred == node.output.shape, f"the shape of {node.path}")
        for weight in node.weights:
            _require(_is_shape(weight.shape), f"the shape of {node.weight_name(weight)}")
            _require(_is_plain(weight.decay) and weight.decay >= 0, f"the decay of {node.path}")

    def container(self, node: Node) -> None:
        if isinstance(node.op, Instance):
            _require(names.problem(node.op.template) is None, f"the block of {node.path}")
            for path in node.op.patched:
                parts = path.split("/") if path != "." else []
                _require(not any(map(names.problem, parts)), f"a patch of {node.path}")
            for name, value in node.op.arguments.items():
                _require(names.parameter_problem(name) is None, f"argument {name!r} of {node.path}")
                _require(_is_plain(value), f"the value of `{name}` of {node.path}")
        for graph in node.graphs:
            self.values.add(graph.input)
            self.graph(graph, node.path)
        outputs = tuple(graph.output.shape for graph in node.graphs)
        if isinstance(node.op, Fork):
            for graph in node.graphs:
                _require(names.problem(graph.name) is None, f"branch {graph.name!r} of {node.path}")
            shape = JOINS[node.op.join].infer(outputs)
        else:
            (shape,) = outputs
        _require(shape == node.output.shape, f"the shape of {node.path}")

    def shape(self, value: Value, at: str) -> None:
        _require(_is_shape(value.shape), f"the shape of {at}")


def _require(right: bool, what: str) -> None:
    if not right:
        raise BrokenNetwork(f"a network reached a backend although {what} cannot be")


def _is_shape(shape: object) -> bool:
    return isinstance(shape, tuple) and all(type(n) is int and n > 0 for n in shape) and shape != ()


def _is_plain(value: object) -> bool:
    """Tell whether a value is a word, a flag, or a finite number."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _is_expression(text: str) -> bool:
    try:
        parse(text, Position(Source("expression"), 1, 1))
    except ExpressionError:
        return False
    return True


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value

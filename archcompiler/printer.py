"""The IR as text, one line a layer: what tests of rooms and passes compare.

    %conv1: 4x4x8 = conv(%in) {filters: 8, kernel: 3, padding: same, stride: 2}

`%in` is what enters the list that the layer stands in, `%name` an earlier layer of that list, and
`%/a/name` a value of another list by its full name. Attributes at their built-in value are left
out; what follows a `#` is no decision of the layer itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from archcompiler.fields import shape_text
from archcompiler.ir import Fork, Graph, Group, Head, Instance, Network, Node, Totals, Value
from archcompiler.op import Op, attributes, write_attributes
from archcompiler.ops.unit import NormField, Unit
from archcompiler.yaml_writer import flow


def to_text(network: Network) -> str:
    """Return the network as text that ends with a line end."""
    return "\n".join(_network(network)) + "\n"


def _network(network: Network) -> Iterator[str]:
    yield f"network {network.name}: {shape_text(network.input.shape)} -> {network.output}"
    if network.summary:
        yield f"summary {flow(network.summary)}"
    if network.params:
        yield f"params {flow(network.params)}"
    names = [e.name for e in network.end_points]
    paths = ["" if e.node.path == e.name else f" = %/{e.node.path}" for e in network.end_points]
    yield f"end points {', '.join(n + p for n, p in zip(names, paths, strict=True))}"
    yield f"totals {_totals(network.totals())}"
    if network.training_heads:
        yield f"inference {_totals(network.totals(inference=True))}"
    yield from _section(network.stem)
    yield from _section(network.body)
    for head in network.heads:
        yield from _head(head)


def _totals(totals: Totals) -> str:
    return f"{totals.params:,} params, {totals.trainable:,} trainable, {totals.macs:,} MACs"


def _section(graph: Graph) -> Iterator[str]:
    yield f"{graph.name}(%/{graph.input.name}):"
    yield from _layers(graph, 1)


def _head(head: Head) -> Iterator[str]:
    training = f" training_only, loss_weight {head.loss_weight}" if head.training_only else ""
    yield f"head{training}:"
    yield from _node(head.node, {}, 1)


def _layers(graph: Graph, depth: int) -> Iterator[str]:
    """Print a list of layers; where its last is not what leaves it, say what does."""
    local = {graph.input: "%in"} | {n.output: _name(n) for n in graph.nodes}
    for node in graph.nodes:
        yield from _node(node, local, depth)
    leaves = graph.nodes[-1].output if graph.nodes else None
    if graph.output is not leaves:
        yield f"{_pad(depth)}-> {_value(graph.output, local)}"


def _node(node: Node, local: Mapping[Value, str], depth: int) -> Iterator[str]:
    inputs = ", ".join(_value(v, local) for v in node.inputs)
    notes = [
        f"{k} = ${v}{', scaled' if k in node.unscaled else ''}" for k, v in node.expressions.items()
    ]
    if node.follows_size:
        notes.append("follows the size")
    colon, comment = ":" if node.graphs else "", f"  # {', '.join(notes)}" if notes else ""
    shape = shape_text(node.output.shape)
    yield f"{_pad(depth)}{_name(node)}: {shape} = {_call(node, inputs)}{colon}{comment}"
    for graph in node.graphs:
        if not isinstance(node.op, Fork) or node.has_single(graph):
            yield from _layers(graph, depth + 1)
        else:
            yield f"{_pad(depth + 1)}{graph.name}:"
            yield from _layers(graph, depth + 2)


def _name(node: Node) -> str:
    return f"%{node.name}" if node.named else f"%({node.name})"


def _call(node: Node, inputs: str) -> str:
    if isinstance(node.op, Op):
        written = _told(node.op)
        return f"{node.op.key}({inputs})" + (f" {flow(written)}" if written else "")
    if isinstance(node.op, Group):
        return f"layers({inputs})"
    if isinstance(node.op, Fork):
        split = f" split {list(node.op.split)}" if node.op.split else ""
        return f"branches({inputs}) join {node.op.join}{split}"
    assert isinstance(node.op, Instance)
    arguments = f" {flow(node.op.arguments)}" if node.op.arguments else ""
    return f"block {node.op.template}({inputs}){arguments}"


def _told(op: Op) -> dict[str, object]:
    """Return the attributes that differ from their built-in values, in the notation of specs."""
    builtin = {f.name: f.default for f in dataclasses.fields(op)}
    values = write_attributes(op)
    for name in list(values):
        value = getattr(op, name)
        if name == "bias" and isinstance(op, Unit):
            builtin[name] = op.norm is None
        if name in builtin and value == builtin[name] and type(value) is type(builtin[name]):
            del values[name]
        elif attributes(type(op))[name] is NormField and value is not None:
            values[name] = {value.key: _told(value)}
    return values


def _value(value: Value, local: Mapping[Value, str]) -> str:
    return local.get(value, f"%/{value.name}")


def _pad(depth: int) -> str:
    return "  " * depth

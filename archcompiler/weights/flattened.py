"""Which map a dense layer's rows come from: the order of its rows is then a matter of layout."""

from __future__ import annotations

from archcompiler.fields import Shape
from archcompiler.ir import Network, Node, Value

KEEPING = ("activate", "batch_norm", "dropout", "identity", "layer_norm", "scale")
"""Ops that leave the order of a vector alone."""


def flattened(network: Network) -> dict[str, Shape]:
    """Return, by the paths of dense layers, the map of more than one pixel that each reads flat."""
    givers: dict[Value, Node] = {}
    same: dict[Value, Value] = {}
    for node in network.walk():
        if len(node.graphs) == 1:
            same[node.output] = node.graphs[0].output
        else:
            givers[node.output] = node
        for graph in node.graphs:
            same[graph.input] = node.inputs[0]
    found: dict[str, Shape] = {}
    for node in network.walk():
        if node.op.key != "dense":
            continue
        value = node.inputs[0]
        while value in same or (value in givers and givers[value].op.key in KEEPING):
            value = same[value] if value in same else givers[value].inputs[0]
        giver = givers.get(value)
        if giver is not None and giver.op.key == "flatten":
            shape = giver.inputs[0].shape
            if shape[0] * shape[1] > 1:
                found[node.path] = shape
    return found

"""Which heads give probabilities: their loss takes a logarithm instead of another softmax."""

from __future__ import annotations

from archcompiler.ir import Fork, Head, Network, Node, Value
from archcompiler.ops.activate import Activate
from archcompiler.ops.unit import Unit

_KEEP = frozenset({"activate", "dropout", "flatten", "identity", "squeeze"})
"""The ops that give, in evaluation and of one pixel, the very values they get."""


def gives_probabilities(network: Network, head: Head) -> bool:
    """Tell whether a head ends in a softmax, whatever containers it stands in."""
    producers: dict[Value, Node] = {}
    same: dict[Value, Value] = {}
    for node in network.walk():
        if not node.graphs:
            producers[node.output] = node
            continue
        # What leaves and enters a container is what its graph gives and takes.
        inner = [] if isinstance(node.op, Fork) else [(node.output, node.graphs[0].output)]
        outer = [(g.input, node.inputs[0]) for g in node.graphs]
        same |= {own: other for own, other in (*inner, *outer) if own is not other}
    value = head.node.output
    while True:
        while value in same:
            value = same[value]
        made = producers.get(value)
        if made is None:
            return False
        if isinstance(made.op, Unit):
            return made.op.activation == "softmax"
        if isinstance(made.op, Activate) and made.op.function:
            return made.op.function == "softmax"
        one_pixel = made.inputs[0].shape[:-1] in ((), (1, 1))
        if made.op.key not in _KEEP or not one_pixel:
            return False
        value = made.inputs[0]

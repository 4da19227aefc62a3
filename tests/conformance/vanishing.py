"""How large a value would be that has vanished, so that what is left of it is only rounding.

A gelu far below zero is 0 but for the last digit of what it reads: one framework gives 0, another
1e-25. So a gelu is measured by the largest value that it reads, and so is what follows it, as long
as nothing but such values is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from archc_tensorflow.naming import Layers
from archcompiler.ir import Fork, Node, Value
from archcompiler.ops.activate import Activate
from archcompiler.ops.unit import Unit

VANISHED = 1e-2
"""Below this share of what a gelu read, what follows it has vanished.

Above it, what the gelu's rounding is of its value (100 times 6e-8) stays within the bounds.
"""


@dataclass(frozen=True, kw_only=True)
class Vanishing:
    """The values of one network's layers, as Keras gives them by the layers' names."""

    layers: Layers
    values: Mapping[str, np.ndarray]
    found: dict[Node, float] = field(default_factory=dict)

    def least(self, node: Node) -> float:
        """Return the least that a node's largest value counts as, else 0."""
        if node not in self.found:
            self.found[node] = self._read_by_gelu(node) or self._entering(node)
        return self.found[node]

    def _read_by_gelu(self, node: Node) -> float:
        name = self.layers.layer(node.output)
        if isinstance(node.op, Unit) and node.op.activation == "gelu":
            return self._largest(f"{name}.{'norm' if node.op.norm else node.op.part}")
        if isinstance(node.op, Activate) and node.op.function == "gelu":
            return self._largest(self.layers.layer(node.inputs[0]))
        return 0.0

    def _entering(self, node: Node) -> float:
        """Return what has vanished before this node, if it has vanished here, too."""
        if isinstance(node.op, Fork):
            inputs = [graph.output for graph in node.graphs]
        else:
            inputs = [node.graphs[0].output] if node.graphs else [*node.inputs]
        least = max(map(self._given, inputs), default=0.0)
        return least if self._largest(self.layers.layer(node.output)) < VANISHED * least else 0.0

    def _given(self, value: Value) -> float:
        giver = self.layers.producers.get(self.layers.source(value))
        if giver is None:
            return 0.0
        least = self.least(giver)
        return least if self._largest(self.layers.layer(giver.output)) < VANISHED * least else 0.0

    def _largest(self, name: str) -> float:
        return float(np.abs(self.values[name]).max(initial=0.0)) if name in self.values else 0.0

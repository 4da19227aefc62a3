"""The names that the emitted file chooses: functions, and the layer that gives each value."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field

from archcompiler.ir import Fork, Graph, Instance, Network, Node, Value
from archcompiler.names import snake_case
from archcompiler.ops.unit import Unit

RESERVED = frozenset(
    {"Any", "END_POINTS", "INPUT_SHAPE", "KerasTensor", "Literal", "OUTPUT", "Size"}
    | {"ChannelAffine", "CutNormal", "DepthwiseScaling", "GELU", "LayerScale", "LocalResponseNorm"}
    | {"PaddedAvgPool2D", "PaddedMaxPool2D", "Scale", "Split"}
    | {"build", "check_keras", "end_points", "inference", "loss"}
    | {"initializers", "keras", "layers", "regularizers", "tf"}
    | {"RuntimeError", "bool", "dict", "float", "int", "list", "map", "range", "str", "super"}
    | {"tuple"}
    | {*keyword.kwlist}
)
"""What a function, a parameter or a variable of the emitted file must not hide."""

LOCALS = frozenset({"inputs", "name", "outputs", "x"})
"""The variables that functions always have."""

LONGEST = 64


def function_name(name: str, instance: str = "") -> str:
    """Return the function name that a template wishes for, or one form of it: `cell_mixed_5b`."""
    return snake_case(f"{name}_{instance}" if instance else name)[:LONGEST]


def producer(graph: Graph) -> Node | None:
    """Return the node that gives a graph's output; None where that is the graph's input."""
    return next((n for n in graph.nodes if n.output is graph.output), None)


def carries_name(node: Node) -> bool:
    """Tell whether a join at the end of a container takes the container's name."""
    return not node.named and (isinstance(node.op, Fork) or node.op.key in ("concat", "add"))


@dataclass(slots=True)
class Layers:
    """The path of every layer, and which layer gives a value, through all containers."""

    network: Network
    paths: dict[Node, str] = field(default_factory=dict)
    """By ops and forks; every instance's path, too."""
    producers: dict[Value, Node] = field(default_factory=dict)
    same: dict[Value, Value] = field(default_factory=dict)
    """What leaves and enters a container is what its graph gives and takes."""

    def __post_init__(self) -> None:
        """Visit the whole network."""
        for node in (*self.network.trunk, *(h.node for h in self.network.heads)):
            self.visit(node, node.path)

    def visit(self, node: Node, path: str) -> None:
        """Note a node, whose layer is called `path`, and what is inside."""
        self.paths[node] = path
        container = node.graphs and not isinstance(node.op, Fork)
        if not container:
            self.producers[node.output] = node
        hands_on = isinstance(node.op, Instance) or node.named
        for graph in node.graphs:
            if graph.input is not node.inputs[0] and not splits(node):
                self.same[graph.input] = node.inputs[0]
            last = producer(graph) if container and hands_on else None
            for inner in graph.nodes:
                self.visit(inner, path if inner is last and carries_name(inner) else inner.path)
            if container and graph.output is not node.output:
                self.same[node.output] = graph.output

    def source(self, value: Value) -> Value:
        """Return the value of the layer that gives a value."""
        while value in self.same:
            value = self.same[value]
        return value

    def layer(self, value: Value) -> str:
        """Return the name of the Keras layer that gives a value."""
        made = self.producers.get(self.source(value))
        if made is None:
            return "input"
        path = self.paths[made].replace("/", ".")
        part = made.op.last_part if isinstance(made.op, Unit) else ""
        return f"{path}.{part}" if part else path

    def split_path(self, node: Node) -> str:
        """Return the path of the layer that splits what enters a fork."""
        taken = {g.name.lower() for g in node.graphs}
        name, number = "split", 2
        while name in taken:
            name, number = f"split_{number}", number + 1
        return f"{node.path}/{name}"


def splits(node: Node) -> bool:
    """Tell whether a node is a fork whose branches share the channels out."""
    return isinstance(node.op, Fork) and node.op.split is not None

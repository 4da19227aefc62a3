"""The IR: a typed, frozen, hierarchical graph.

Values are objects; a node's inputs are the very values other nodes give. Blocks, forks and groups
are nodes that hold graphs, so that structure survives to the emitted code. A pass returns a new
network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from archcompiler.escape import shell_word
from archcompiler.fields import Shape
from archcompiler.op import Op, Weight
from archcompiler.position import Position

Argument = bool | int | float | str


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor of one image.

    `name` is unique: the path of what gives it, `input` for the image, and inside a container
    `PATH:input`, or `PATH:BRANCH`, for what enters it.
    """

    name: str
    shape: Shape

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return self.shape[-1]


@dataclass(frozen=True, slots=True)
class Group:
    """Layers one after the other under one name."""

    key = "layers"


@dataclass(frozen=True, slots=True)
class Fork:
    """Branches side by side, joined; `split` gives each its share of the channels."""

    join: Literal["concat", "add"]
    split: tuple[int, ...] | None = None
    key = "branches"


@dataclass(frozen=True, slots=True)
class Instance:
    """One use of a block template, with the values of its parameters.

    `patched` are the paths, from here, of what patches of this use alone address; `.` is the use.
    """

    template: str
    arguments: Mapping[str, Argument]
    patched: tuple[str, ...] = ()
    key = "block"


Container = Group | Fork | Instance


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Graph:
    """Nodes in topological order, between one input and one output.

    `single` is a branch whose one layer carries the branch's name.
    """

    name: str
    input: Value
    nodes: tuple[Node, ...]
    output: Value
    single: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Node:
    """One layer.

    `expressions` maps attributes (block arguments, shares of a split) to the expression of the
    enclosing block that gave them; `unscaled` has the values of those that `width` or `shrink` then
    changed. `follows_size`
    tells that the layer is right only at this input size.
    """

    name: str
    path: str
    op: Op | Container
    inputs: tuple[Value, ...]
    output: Value
    position: Position
    named: bool = True
    graphs: tuple[Graph, ...] = ()
    expressions: Mapping[str, str] = field(default_factory=dict)
    unscaled: Mapping[str, int | tuple[int, ...]] = field(default_factory=dict)
    weights: tuple[Weight, ...] = ()
    macs: int = 0
    follows_size: bool = False

    def branch_path(self, branch: Graph) -> str:
        """Return the path of a fork's branch: that of its only layer, or the prefix of a list's."""
        prefix = self.path if self.named else self.path.rpartition("/")[0]
        return f"{prefix}/{branch.name}" if prefix else branch.name

    def has_single(self, branch: Graph) -> bool:
        """Tell whether a fork's branch is one layer that has the branch's name as its own."""
        return len(branch.nodes) == 1 and branch.nodes[0].path == self.branch_path(branch)

    def weight_name(self, weight: Weight) -> str:
        """Return the name of one of the node's tensors: its path, the unit's part, its name."""
        return "/".join(p for p in (self.path, weight.part, weight.name) if p)

    def walk(self) -> Iterator[Node]:
        """Yield the node and every node inside it, outer before inner."""
        yield self
        for graph in self.graphs:
            for node in graph.nodes:
                yield from node.walk()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Head:
    """One head: its node, and what training does with it."""

    name: str
    node: Node
    training_only: bool
    loss_weight: float | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EndPoint:
    """A named intermediate result."""

    name: str
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts over a set of layers: parameters, trainable ones, multiply-adds of one image."""

    params: int
    trainable: int
    macs: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Network:
    """A whole network with shapes.

    `source` is the name of the file it was written in, `shipped` tells that archc brings the like;
    `free_params` are the parameters that only
    stand, bare, as attributes of single layers outside blocks: emitted code may keep them open.
    """

    name: str
    summary: str
    source: str
    shipped: bool = False
    params: Mapping[str, Argument]
    free_params: tuple[str, ...]
    changes: tuple[str, ...] = ()
    """What the command line changed for this build, such as `num_classes=10`."""
    lineage: tuple[str, ...] = ()
    """The names of the specs that this one extends, the nearest first."""
    stem: Graph
    body: Graph
    heads: tuple[Head, ...]
    output: str
    end_points: tuple[EndPoint, ...]

    @property
    def origin(self) -> str:
        """Return what the network was compiled from: the file and the changes."""
        return " ".join((self.source, *self.changes))

    @property
    def title(self) -> str:
        """Return the summary, or what else there is to say."""
        if self.summary or not self.lineage:
            return self.summary or f"{self.name}, built by archc"
        return f"{self.name}, a variant of {self.lineage[0]}"

    def command_for_size(self, backend: str) -> str:
        """Return the command that builds this very network for another image size."""
        spec = self.source.rpartition(".")[0] if self.shipped else self.source
        kept = (c for c in self.changes if not c.startswith("input="))
        changes = map(shell_word, kept)
        return " ".join(("archc build", shell_word(spec), "-b", backend, *changes, "input=HxW"))

    @property
    def input(self) -> Value:
        """Return the image that enters."""
        return self.stem.input

    @property
    def trunk(self) -> tuple[Node, ...]:
        """Return the layers of stem and body."""
        return (*self.stem.nodes, *self.body.nodes)

    @property
    def output_head(self) -> Head:
        """Return the head that evaluation returns."""
        return next(h for h in self.heads if h.name == self.output)

    @property
    def training_heads(self) -> tuple[Head, ...]:
        """Return the heads that only training computes."""
        return tuple(h for h in self.heads if h.training_only)

    @property
    def follows_size(self) -> bool:
        """Tell whether any layer is right only at this input size."""
        return any(node.follows_size for node in self.walk())

    def walk(self, *, inference: bool = False) -> Iterator[Node]:
        """Yield every node, outer before inner; `inference` leaves training-only heads out."""
        heads = (h.node for h in self.heads if not (inference and h.training_only))
        for node in (*self.trunk, *heads):
            yield from node.walk()

    def totals(self, *, inference: bool = False) -> Totals:
        """Return counts of the whole network, or of what evaluation computes."""
        return totals(self.walk(inference=inference))


def totals(nodes: Iterator[Node]) -> Totals:
    """Add up parameters and multiply-adds of nodes, none of which may hold another."""
    params = trainable = macs = 0
    for node in nodes:
        macs += node.macs
        for weight in node.weights:
            params += weight.count
            trainable += weight.count if weight.trainable else 0
    return Totals(params=params, trainable=trainable, macs=macs)

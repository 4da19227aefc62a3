"""A name map: what another library calls the weights of a network, as read from its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from archcompiler.position import Position

Layout = Literal["torch", "tensorflow"]
"""How kernels lie: out x in x height x width, or height x width x in x out as in the IR."""

KINDS = ("conv", "separable", "dense", "norm", "scale")
"""The tables that a map may have: what the tensors of such a layer of the source are called."""

WEIGHTS = (
    "kernel", "depthwise_kernel", "pointwise_kernel", "bias", "gamma", "beta", "moving_mean",
    "moving_variance",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One layer of the source: its word, its kind, and the map that it flattens, if any.

    An empty `flatten` says that the source has the rows as the IR has them. `tensors` are what its
    tensors are called where that is not what the table of its kind says.
    """

    word: str
    kind: str
    flatten: tuple[int, ...] | None
    position: Position
    tensors: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What must hold of every op of a kind, so that the weights mean the same function.

    `value` is of the attribute's type, `text` as a spec writes it.
    """

    op: str
    attribute: str
    value: object
    text: str
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMap:
    """A whole map. Patterns in `ignore` and `without` have `*` for anything.

    `layers` maps a path of the network, or several with `|` between them of which it has one, to
    the layer of the source; `others` is the word for layers that are not named, `*` being their
    path. `renumber` are automatic names of Keras that count on within a session, `depth_order` the
    words of the layers in the order in which Keras writes them.
    """

    network: str
    source: str
    title: str
    layout: Layout
    tensors: Mapping[str, Mapping[str, str]]
    layers: Mapping[tuple[str, ...], Place]
    others: Place | None
    ignore: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    requires: tuple[Requirement, ...] = ()
    notes: tuple[str, ...] = ()
    renumber: tuple[str, ...] = ()
    depth_order: tuple[str, ...] = ()
    position: Position | None = field(default=None, repr=False)

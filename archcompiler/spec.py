"""A spec as written: validated, with a position on everything, nothing resolved.

Room 2 (`validate.py`) builds these; room 3 (`expand.py`) reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from archcompiler.errors import Row
from archcompiler.expression import Expression, Value
from archcompiler.fields import Shape
from archcompiler.position import Position, Source
from archcompiler.source import Entry, Mapping, Node

CONTAINERS = ("layers", "branches", "block")
CONTENT = ("layers", "branches", "join", "split")
"""Keys for what a container is made of; an instance's mean those of its block."""
COMMON = ("name", "from", "expect", "end_point", "repeat", "defaults")
"""Keys that any layer may have."""


@dataclass(frozen=True, slots=True)
class Name:
    """A word that names or refers to something."""

    text: str
    position: Position

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Attribute:
    """A written value.

    Validated; an `Expression`; a dict or list that holds expressions, validated once they have
    values; a `WrittenNorm`; or None, which unsets.
    """

    value: object
    position: Position

    @property
    def open(self) -> bool:
        """Tell whether the value must still be evaluated."""
        return _has_expression(self.value)


def _has_expression(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_expression, value.values()))
    if isinstance(value, list):
        return any(map(_has_expression, value))
    return isinstance(value, Expression | WrittenNorm)


Attributes = dict[str, Attribute]
Defaults = dict[str, Attributes]


@dataclass(frozen=True, slots=True)
class WrittenNorm:
    """`norm: batch_norm`, or `norm: {batch_norm: {...}}` with attributes of its own."""

    key: str
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer; `key` is its op, or `layers`, `branches`, `block`."""

    key: str
    position: Position
    node: Mapping
    """What was written, for patches to change."""
    name: Name | None = None
    sources: tuple[Name, ...] = ()
    expect: Attribute | None = None
    end_point: bool | None = None
    """None: named layers at the top of stem and body are, others are not."""
    repeat: Attribute | None = None
    defaults: Defaults = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
    """The op's own, its main number included."""
    layers: tuple[Layer, ...] = ()
    branches: tuple[Branch, ...] = ()
    join: Literal["concat", "add"] = "concat"
    split: Attributes | None = None
    block: Name | None = None
    arguments: Attributes = field(default_factory=dict)
    fresh: dict[str, tuple[int, bool]] = field(default_factory=dict)
    """By branch, or `` for its layers: which patch wrote them anew, if a template's."""
    past: tuple[Past, ...] = ()
    """The names that patches took from it, oldest first, those of its template in front."""
    copy: int = 0
    """Of a repeated layer, which copy this is, from 1."""
    of_block: tuple[Patch, ...] = ()
    """What patches set in this instance of what its block is made of."""
    before: tuple[Layer, Patch] | None = field(default=None, repr=False, compare=False)
    """What stood here before the last patch that changed it or took its place, and that patch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A name that a layer had until the patch of an order gave it another, or made copies."""

    text: str
    to: str
    until: int
    by_template: bool
    repeated: bool
    """Whether its copies were called by it and a number."""
    of_copy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One branch of a fork; a `single` layer takes the branch's name as its own.

    `defaults` are those of a list of layers that has nothing else of its own.
    """

    name: Name
    node: Node
    layers: tuple[Layer, ...]
    single: bool
    defaults: Defaults = field(default_factory=dict)
    before: tuple[Branch, Patch] | None = field(default=None, repr=False, compare=False)
    """As a layer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A template: parameters and a container."""

    name: Name
    node: Mapping
    params: Attributes
    layer: Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """An output: a layer, and what training does with it."""

    name: Name
    node: Node
    layer: Layer
    training_only: bool = False
    loss_weight: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One change to what is addressed by a path; it is checked where it is applied.

    `order` counts the patches and the files of a chain of specs in the order in which they apply.
    """

    verb: Verb
    path: str
    position: Position
    order: int
    entries: dict[str, Entry] = field(default_factory=dict)
    """What `set` sets, by key."""
    content: Node | None = None
    """What the others bring in."""
    by_command_line: bool = False


Verb = Literal["set", "replace", "remove", "before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One network as written, with all that it extends."""

    name: Name
    summary: str
    input: Shape
    input_position: Position
    output: Name | None
    params: dict[str, tuple[Value, Position]]
    defaults: Defaults
    blocks: dict[str, Block]
    stem: Layer
    body: Layer
    heads: tuple[Head, ...]
    position: Position
    patches: tuple[Patch, ...] = ()
    born: dict[str, int] = field(default_factory=dict)
    """Sections, `heads/NAME` and `blocks/NAME`: the order of the file that wrote them last."""
    bases: frozenset[Source] = frozenset()
    """The files that it extends: what they expect of themselves does not bind here."""
    lineage: tuple[str, ...] = ()
    """The names of what it extends, the nearest first."""
    extends: Position | None = None
    """Where it says what it extends."""
    inherited: frozenset[str] = frozenset()
    """The parameters that its bases have, or had."""
    dropped: dict[str, Position] = field(default_factory=dict)
    """By path, as `heads/AuxLogits`, where it drops a parameter, a head or a block of its base."""


def removed(spec: Spec, path: str) -> tuple[Row, ...]:
    """Return where a spec drops what its base has, such as `blocks/cell`."""
    found = spec.dropped.get(path)
    return (Row(label="removed", position=found),) if found else ()

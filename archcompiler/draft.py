"""The graph before shapes: structure settled, attributes still as written (rooms 3 to 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Literal

from archcompiler.blame import Blame
from archcompiler.errors import Diagnostic
from archcompiler.expression import Expression, Value
from archcompiler.fields import Shape
from archcompiler.missing import Gone
from archcompiler.position import Position
from archcompiler.spec import Branch, Layer, Spec


@dataclass(frozen=True, slots=True, eq=False)
class Port:
    """What enters a block, head, section, branch or group; its value is known in infer."""

    owner: str


@dataclass(frozen=True, slots=True)
class Known:
    """The value of a parameter, and how many parameters in turn it took."""

    value: Value
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """The names an expression may read, and the port that `in_channels` means.

    `enters` is None at the top of a spec: there `in_channels` is that of the layer that asks.
    """

    params: MutableMapping[str, Bound]
    enters: Port | None
    known: dict[str, Known] = field(default_factory=dict, repr=False)
    """Values that depend on no shape, by parameter; `evaluate` fills it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A written value together with the scope of the place that wrote it."""

    value: object
    position: Position
    scope: Scope = field(repr=False)

    @property
    def parameter(self) -> str | None:
        """Return the parameter's name where the value is a bare `$name`."""
        value = self.value
        return value.text if isinstance(value, Expression) and value.is_name else None


BoundAttributes = dict[str, Bound]
BoundDefaults = dict[str, BoundAttributes]


@dataclass(frozen=True, slots=True)
class DraftNorm:
    """A unit's norm: which op, and the attributes the unit itself wrote for it."""

    key: str
    attributes: BoundAttributes


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DraftGraph:
    """A list of layers with one way in and one way out.

    `single` is a branch whose one layer carries the branch's name.
    """

    name: str
    port: Port
    layers: tuple[Draft, ...]
    output: Source
    single: bool = False
    branch: Branch | None = None
    """What was written, where it is a branch's."""
    around: str = ""
    """Of a branch, the path of its fork in the template, as long as it is the template's."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Draft:
    """One layer, expanded: its inputs are the very objects that make them.

    The path of an unnamed layer ends in its op and is not unique: see `shown_paths`.
    """

    key: str
    name: str
    path: str
    position: Position
    sources: tuple[Source, ...]
    source_positions: tuple[Position, ...]
    scope: Scope
    end_point: bool = False
    named: bool = True
    expect: Bound | None = None
    attributes: BoundAttributes = field(default_factory=dict)
    defaults: BoundDefaults = field(default_factory=dict)
    graphs: tuple[DraftGraph, ...] = ()
    join: Literal["concat", "add"] = "concat"
    split: BoundAttributes | None = None
    template: str = ""
    arguments: BoundAttributes = field(default_factory=dict)
    patched: tuple[str, ...] = ()
    """Of a block's instance: what of it its own patches address."""
    layer: Layer
    """What was written, as patches left it."""
    around: str = ""
    """The path of its list in the template, as long as it is the template's."""
    inside: Layer | None = None
    """Of a block's instance: what its block is made of."""


Source = Draft | Port


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DraftHead:
    """One head of the network."""

    layer: Draft
    port: Port
    training_only: bool
    loss_weight: float | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DraftNetwork:
    """A whole network without shapes."""

    name: str
    summary: str
    input: Shape
    port: Port
    params: BoundAttributes
    free_params: tuple[str, ...]
    stem: DraftGraph
    body: DraftGraph
    heads: tuple[DraftHead, ...]
    output: str
    changes: tuple[str, ...]
    """What the command line assigned; under any, the file's expectations do not bind."""
    position: Position
    lineage: tuple[str, ...] = ()
    """The names of the specs that this one extends, the nearest first."""
    notes: tuple[Diagnostic, ...] = ()
    blame: Blame = field(default_factory=Blame)
    written: Spec
    """The spec, as patches left its sections, heads and templates."""
    gone: Gone = field(default_factory=dict)


def shown_paths(network: DraftNetwork) -> dict[Draft, str]:
    """Give each layer its unique path; unnamed ones are numbered past every name there is.

    None is called as a parameter of the spec, which emitted code may have beside it.
    """
    roots = (*network.stem.layers, *network.body.layers, *(h.layer for h in network.heads))
    drafts = list(_walk(roots))
    taken = {*_parted(path for draft in drafts for path in _named_paths(draft))}
    paths: dict[Draft, str] = {}
    numbers: dict[str, int] = {}
    for draft in drafts:
        path = draft.path
        while not draft.named:
            number = numbers[draft.path] = numbers.get(draft.path, 0) + 1
            plain = number == 1 and draft.path not in network.params
            path = draft.path if plain else f"{draft.path}_{number}"
            if path.lower().rpartition("/")[::2] not in taken:
                break
        paths[draft] = path
    return paths


def _parted(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield, in lower case, what is around a layer, one text for neighbours, and its name."""
    last = ""
    for path in paths:
        around, _, name = path.lower().rpartition("/")
        last = last if around == last else around
        yield last, name


def _walk(drafts: Iterable[Draft]) -> Iterator[Draft]:
    for draft in drafts:
        yield draft
        for graph in draft.graphs:
            yield from _walk(graph.layers)


def _named_paths(draft: Draft) -> Iterator[str]:
    if draft.named:
        yield draft.path
    if draft.key == "branches":
        prefix = draft.path if draft.named else draft.path.rpartition("/")[0]
        yield from (f"{prefix}/{graph.name}".removeprefix("/") for graph in draft.graphs)

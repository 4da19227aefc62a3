"""What the emitted code defines: layers as calls, and definitions with parameters.

A backend describes each layer as a `Call`; `unify` turns the calls of all uses of a block template
into one `Definition`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from archcompiler.fields import shape_text
from archcompiler.ir import Argument, Graph, Node, Value
from archcompiler.pretty import Expression, call, keyword


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """One argument of a call that builds a layer.

    `field` is the op's attribute that it came from, `depends` are attributes that it was computed
    from; `channels` is the value whose channels it is; `half` is told of a padding: whether by its
    rule it is half of what the kernel reaches; an argument equal to its `default` is not written,
    one that is `settled` in the function itself never;
    `wrap` is a call around it: the function, then its arguments, in which `{}` stands for the
    value.
    """

    keyword: str
    value: object
    field: str = ""
    depends: tuple[str, ...] = ()
    channels: Value | None = None
    half: bool | None = None
    default: object = ...
    positional: bool = False
    wrap: tuple[str, ...] = ()
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """What builds one layer: a function or class of the emitted file, and its arguments."""

    function: str
    args: tuple[Arg, ...] = ()


Describe = Callable[[Node], "Call | None"]
"""Tells how a backend builds an op's layer; None for what is written as a plain expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One resolved argument: `keyword=source`, or `source` alone."""

    keyword: str
    source: str
    positional: bool = False
    wrap: tuple[str, ...] = ()

    def written(self) -> str | Expression:
        """Return the argument as it stands in a call."""
        value: str | Expression = self.source
        if self.wrap:
            function, *inner = self.wrap
            value = call(function, *(part.format(self.source) for part in inner))
        return value if self.positional else keyword(self.keyword, value)


Constant = Argument | tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A constructor parameter: its value in each use.

    `origin` is the block's own parameter that it is; `needs` are those that it was computed from.
    """

    name: str
    values: tuple[Constant, ...]
    origin: str | None = None
    needs: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False, kw_only=True)
class Definition:
    """One class or function of the emitted code. `graphs` are its uses, in parallel.

    `said` tells in what it differs from its template; empty for the template itself.
    """

    template: str
    name: str
    said: str = ""
    graphs: tuple[Graph, ...]
    params: tuple[Parameter, ...] = ()
    texts: dict[Node, tuple[Text, ...]] = field(default_factory=dict)
    shares: dict[Node, tuple[str, ...]] = field(default_factory=dict)
    """The source of a fork's split sizes."""
    leaves: tuple[int | str, ...] | None = None
    """The channels of what leaves it, as a sum of numbers and of expressions of its parameters."""
    places: dict[Graph, int] = field(init=False)

    def __post_init__(self) -> None:
        """Number the uses."""
        self.places = {graph: number for number, graph in enumerate(self.graphs)}

    def join(self, other: Definition) -> None:
        """Take on the uses of a definition that reads the same."""
        pairs = zip(self.params, other.params, strict=True)
        self.params = tuple(replace(p, values=(*p.values, *q.values)) for p, q in pairs)
        self.graphs += other.graphs
        self.places = {graph: number for number, graph in enumerate(self.graphs)}

    @property
    def uses(self) -> tuple[str, ...]:
        """Return from which shape to which it goes, each once."""
        shapes = [(shape_text(g.input.shape), shape_text(g.output.shape)) for g in self.graphs]
        return tuple(dict.fromkeys(f"{enters} to {leaves}" for enters, leaves in shapes))

    @property
    def graph(self) -> Graph:
        """Return the use that the definition is written from."""
        return self.graphs[0]

    def arguments(self, node: Node) -> tuple[str | Expression, ...]:
        """Return the arguments of the call that builds a layer."""
        return tuple(text.written() for text in self.texts.get(node, ()))

    def values(self, graph: Graph) -> dict[str, Constant]:
        """Return the arguments of one use."""
        return {p.name: p.values[self.places[graph]] for p in self.params}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """All definitions of a network, inner before outer; the network's own comes last."""

    blocks: tuple[Definition, ...]
    network: Definition
    of: Mapping[Node, Definition]
    """The definition that an instance node uses."""

"""Room 4, infer: attributes get values, values get shapes, layers get parameters and MACs.

A layer whose input failed is skipped in silence, so that an error is the first cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from archcompiler import fields
from archcompiler.draft import (
    Bound,
    Draft,
    DraftGraph,
    DraftNetwork,
    Source,
    shown_paths,
)
from archcompiler.errors import ArchcError, Diagnostic, Report, Row
from archcompiler.evaluate import evaluate
from archcompiler.expectations import Expectations
from archcompiler.expression import Expression
from archcompiler.fields import Shape, shape_text
from archcompiler.ir import (
    Argument,
    Container,
    EndPoint,
    Fork,
    Graph,
    Group,
    Head,
    Instance,
    Network,
    Node,
    Value,
)
from archcompiler.mismatch import first_odd, join_hint
from archcompiler.op import Op, ShapeError
from archcompiler.ops import BY_KEY
from archcompiler.ops.add import Add
from archcompiler.ops.concat import Concat
from archcompiler.position import Position
from archcompiler.settle import FAILED, Settler

MAX_PARAMS = 2**40
MAX_ELEMENTS = 2**53

JOINS: dict[str, Op] = {"concat": Concat(), "add": Add()}


@dataclass(frozen=True, slots=True)
class Failure:
    """A layer without a shape, though what enters it has one; why, and if only training asks."""

    path: str
    why: Diagnostic
    training_only: bool


def infer(draft: DraftNetwork, source: str) -> tuple[Network, Report]:
    """Infer a network; the report holds notes. Raises `ArchcError` with errors E401 to E412."""
    inference = _Inference(report=Report(), binding=not draft.changes, paths=shown_paths(draft))
    try:
        network = inference.network(draft, source)
        report = Report([*draft.notes, *map(draft.blame.told, inference.report.diagnostics)])
        report.raise_errors()
    except ArchcError as error:
        from archcompiler.sizes import with_sizes  # which calls `failures`

        raise with_sizes(error, draft) from None
    assert network is not None, "no errors, so there is a network"
    return network, report


def failures(draft: DraftNetwork) -> tuple[Failure, ...]:
    """Return the layers that fail first, in the order of the data; expectations do not bind."""
    inference = _Inference(report=Report(), binding=False, paths=shown_paths(draft))
    with suppress(ArchcError):  # there are very many
        inference.network(draft, "")
    errors = [d for d in inference.report.diagnostics if d.severity == "error"]
    return tuple(inference.failed) or tuple(Failure("", e, False) for e in errors[:1])


@dataclass(slots=True, kw_only=True)
class _Inference:
    report: Report
    binding: bool
    values: dict[Source, Value | None] = field(default_factory=dict)
    nodes: dict[Draft, Node] = field(default_factory=dict)
    origins: dict[Value, Position] = field(default_factory=dict)
    paths: dict[Draft, str]
    settler: Settler = field(init=False)
    expectations: Expectations = field(init=False)
    owners: dict[Value, str] = field(default_factory=dict)
    givers: dict[Value, Value] = field(default_factory=dict)  # of what enters a list, from outside
    failed: list[Failure] = field(default_factory=list)
    training_only: bool = False

    def __post_init__(self) -> None:
        self.settler = Settler(self.report, self.values, self.paths)
        self.expectations = Expectations(self.report, self.binding, self.settler)

    def network(self, draft: DraftNetwork, source: str) -> Network | None:
        image = Value("input", draft.input)
        self.values[draft.port] = image
        stem = self.graph(draft.stem, image)
        body_input = self.values.get(draft.stem.output)
        self.values.setdefault(draft.body.port, body_input)
        body = self.graph(draft.body, body_input)
        heads = []
        for head in draft.heads:
            self.values[head.port] = self.values.get(head.layer.sources[0])
            self.training_only = head.training_only
            if node := self.node(head.layer):
                heads.append(
                    Head(
                        name=head.layer.name,
                        node=node,
                        training_only=head.training_only,
                        loss_weight=head.loss_weight,
                    )
                )
        self.expectations.report_all()
        if stem is None or body is None or len(heads) != len(draft.heads):
            return None
        params = {
            k: cast(Argument, evaluate(b.value, b.scope, None)) for k, b in draft.params.items()
        }
        self.check_size(heads, (*stem.nodes, *body.nodes))
        return Network(
            name=draft.name,
            summary=draft.summary,
            source=source,
            params=params,
            free_params=draft.free_params,
            changes=draft.changes,
            lineage=draft.lineage,
            stem=stem,
            body=body,
            heads=tuple(heads),
            output=draft.output,
            end_points=self.end_points(draft),
        )

    def check_size(self, heads: Sequence[Head], trunk: Sequence[Node]) -> None:
        nodes = [n for root in (*trunk, *(h.node for h in heads)) for n in root.walk()]
        counts = [sum(w.count for w in n.weights) for n in nodes]
        total = sum(counts)
        if total > MAX_PARAMS:
            largest = nodes[counts.index(max(counts))]
            self.report.error(
                "E410",
                f"{total:,} weights are more than 2^40",
                largest.position,
                rows=[Row(label=f"most in {largest.path}", value=f"{max(counts):,}")],
            )

    def end_points(self, draft: DraftNetwork) -> tuple[EndPoint, ...]:
        roots = (*draft.stem.layers, *draft.body.layers, *(h.layer for h in draft.heads))
        found = [self.nodes[d] for d in _end_points(roots)]
        own = Counter(n.name for n in found)
        return tuple(EndPoint(name=n.name if own[n.name] == 1 else n.path, node=n) for n in found)

    def graph(self, draft: DraftGraph, enters: Value | None) -> Graph | None:
        nodes = [self.node(layer) for layer in draft.layers]
        output = self.values.get(draft.output)
        if enters is None or output is None or not all(nodes):
            return None
        return Graph(
            name=draft.name,
            input=enters,
            nodes=tuple(n for n in nodes if n),
            output=output,
            single=draft.single,
        )

    def node(self, draft: Draft) -> Node | None:
        inputs = [self.values.get(s) for s in draft.sources]
        known = [v for v in inputs if v is not None]
        if len(known) < len(inputs):
            self.values[draft] = None
            self.check_without_input(draft)
            return None
        told, inside = len(self.report.diagnostics), len(self.failed)
        node = (
            self.op(draft, tuple(known)) if draft.key in BY_KEY else self.container(draft, known[0])
        )
        if node is None and len(self.failed) == inside and len(self.report.diagnostics) > told:
            why = self.report.diagnostics[told]
            self.failed.append(Failure(self.paths[draft], why, self.training_only))
        self.values[draft] = node.output if node else None
        if node:
            self.nodes[draft] = node
            self.origins[node.output] = draft.position
            self.expectations.follow(node.output, known)
            self.expectations.check(draft, node, lambda: self.contributions(node))
        return node

    def check_without_input(self, draft: Draft) -> None:
        """Check what does not depend on the input, which an earlier error left unknown."""
        for name, bound in draft.attributes.items():
            self.settler.attribute(draft, name, bound)
        for bound in draft.arguments.values():
            self.settler.evaluated(draft, bound)
        for graph in draft.graphs:
            self.values[graph.port] = None
            self.graph(graph, None)

    # Ops

    def op(self, draft: Draft, inputs: tuple[Value, ...]) -> Node | None:
        op_class = BY_KEY[draft.key]
        written: dict[str, Any] | None = {}
        for name, bound in draft.attributes.items():
            found = self.settler.attribute(draft, name, bound)
            if found is FAILED:
                written = None
            elif written is not None:
                written[name] = found
        if written is None:
            return None
        shapes = tuple(v.shape for v in inputs)
        try:
            op = op_class.resolve(written, shapes)
            output = op.infer(shapes)
        except ShapeError as error:
            self.shape_error(draft, inputs, error)
            return None
        size = 1
        for n in output:
            size *= n
        if size > MAX_ELEMENTS:
            self.report.error("E410", f"{shape_text(output)} is too large", draft.position)
            return None
        path = self.paths[draft]
        expressions = {
            # What `shrink` changed is no longer what the expression gives; what `width` scaled
            # still goes by its parameter's name.
            k: text
            for k, text in _expressions(draft, draft.attributes).items()
            if getattr(op, k, None) == written[k] or (k == op.main and text.isidentifier())
        }
        return Node(
            name=path.rpartition("/")[2],
            path=path,
            op=op,
            inputs=inputs,
            output=Value(path, output),
            position=draft.position,
            named=draft.named,
            expressions=expressions,
            unscaled={k: written[k] for k in expressions if getattr(op, k, None) != written[k]},
            weights=op.weights(shapes),
            macs=op.macs(shapes, output),
            follows_size=op.follows_size(shapes, written),
        )

    def shape_error(self, draft: Draft, inputs: Sequence[Value], error: ShapeError) -> None:
        bound = draft.attributes.get(error.field or "")
        position = bound.position if bound else draft.position
        if len(inputs) > 1:
            position = first_odd(inputs, draft.source_positions) or position
            rows = self.rows(inputs, [self.label(v) for v in inputs])
        else:
            giver = [self.givers.get(v, v) for v in inputs]
            rows = self.rows(giver, [f"{self.paths[draft]} reads {self.label(giver[0])}"])
        hint = error.hint or (join_hint(inputs) if len(inputs) > 1 else None)
        self.report.error(error.code, error.message, position, rows=rows, hint=hint)

    def label(self, value: Value) -> str:
        """Return what errors call a value: who gives it, or whose input it is."""
        return self.owners.get(value, value.name)

    def rows(self, values: Sequence[Value], labels: Sequence[str]) -> list[Row]:
        return [
            Row(label=label, value=shape_text(v.shape), position=self.origins.get(v))
            for v, label in zip(values, labels, strict=True)
        ]

    def contributions(self, node: Node) -> list[Row]:
        """Return what a node's shape comes from: its inputs, and the branches of its last fork."""
        rows = self.rows(node.inputs, [f"input {self.label(v)}" for v in node.inputs])
        parts = node.graphs
        while len(parts) == 1 and parts[0].nodes:
            parts = parts[0].nodes[-1].graphs
        return rows + self.rows([g.output for g in parts], [g.name for g in parts])

    # Containers

    def container(self, draft: Draft, enters: Value) -> Node | None:
        made: tuple[Container, tuple[Graph, ...], Shape] | None
        if draft.key == "branches":
            made = self.fork(draft, enters)
        else:
            graph = self.inner(draft, draft.graphs[0], enters.shape)
            op = self.instance(draft) if draft.key == "block" else Group()
            made = (op, (graph,), graph.output.shape) if graph and op else None
        if made is None:
            return None
        container, graphs, shape = made
        path = self.paths[draft]
        return Node(
            name=path.rpartition("/")[2],
            path=path,
            op=container,
            inputs=(enters,),
            output=Value(path, shape),
            position=draft.position,
            named=draft.named,
            graphs=graphs,
            expressions=_expressions(draft, draft.split or draft.arguments),
        )

    def inner(self, draft: Draft, graph: DraftGraph, shape: Shape) -> Graph | None:
        value = Value(f"{self.paths[draft]}:{graph.name or 'input'}", shape)
        entered = self.values.get(draft.sources[0])
        self.owners[value], self.values[graph.port] = graph.port.owner, value
        if entered and entered.shape == shape:  # else it is a share of it
            self.givers[value] = self.givers.get(entered, entered)
        self.expectations.follow(value, [entered] if entered else [])
        return self.graph(graph, value)

    def instance(self, draft: Draft) -> Instance | None:
        found = {k: self.settler.evaluated(draft, b) for k, b in draft.arguments.items()}
        if any(v is FAILED for v in found.values()):
            return None
        return Instance(draft.template, cast(dict[str, Argument], found), draft.patched)

    def fork(
        self, draft: Draft, enters: Value
    ) -> tuple[Container, tuple[Graph, ...], Shape] | None:
        shares = self.shares(draft, enters)
        if shares is None:
            return None
        graphs = [
            self.inner(draft, graph, (*enters.shape[:-1], share))
            for graph, share in zip(draft.graphs, shares, strict=True)
        ]
        found = tuple(g for g in graphs if g)
        if len(found) < len(graphs):
            return None
        outputs = [g.output for g in found]
        try:
            shape = JOINS[draft.join].infer(tuple(v.shape for v in outputs))
        except ShapeError as error:
            path = self.paths[draft]
            prefix = path if draft.named else path.rpartition("/")[0]
            rows = self.rows(outputs, [f"{prefix}/{g.name}".removeprefix("/") for g in found])
            position = first_odd(outputs, [r.position or draft.position for r in rows])
            self.report.error(
                error.code,
                error.message,
                position or draft.position,
                rows=rows,
                hint=join_hint(outputs),
            )
            return None
        return Fork(draft.join, tuple(shares) if draft.split is not None else None), found, shape

    def shares(self, draft: Draft, enters: Value) -> list[int] | None:
        """Return the channels that enter each branch."""
        if draft.split is None:
            return [enters.channels] * len(draft.graphs)
        found = {
            k: self.settler.checked(draft, k, fields.Count, b) if b.value is not None else FAILED
            for k, b in draft.split.items()
        }
        if any(v is FAILED for v in found.values()):
            return None
        sizes = cast(dict[str, int], found)
        if sum(sizes.values()) != enters.channels:
            self.report.error(
                "E408",
                f"`split` adds up to {sum(sizes.values())}, but {enters.channels} channels enter",
                next(iter(draft.split.values())).position,
                rows=self.rows([enters], [self.label(enters)]),
            )
            return None
        return [sizes[g.name] for g in draft.graphs]


def _expressions(draft: Draft, bound: dict[str, Bound]) -> dict[str, str]:
    """Return the attributes that the enclosing block's own text gave as expressions."""
    return {
        name: b.value.text
        for name, b in bound.items()
        if isinstance(b.value, Expression) and b.scope is draft.scope
    }


def _end_points(drafts: Sequence[Draft]) -> Iterator[Draft]:
    for draft in drafts:
        for graph in draft.graphs:
            yield from _end_points(graph.layers)
        if draft.end_point:
            yield draft

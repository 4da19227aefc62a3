"""The table of a network: what each layer is, what it gives, what it costs.

Nothing is cut: a line that would be too long is broken before its numbers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archcompiler.diagnostics import show
from archcompiler.fields import shape_text
from archcompiler.ir import Fork, Graph, Group, Head, Instance, Network, Node, totals

LONGEST_OP = 16
"""Longer names of blocks do not widen their column where the table has no room for that."""

_GAP = "  "


def table(network: Network, width: int = 100) -> str:
    """Return the table and the totals without a last line end; `*` marks end points.

    No line is longer than `width`, which is at least 80.
    """
    summary = f": {show(network.summary)}" if network.summary else ""
    title = f"{network.name}{summary}, input {shape_text(network.input.shape)}"
    heads = ", ".join(_head(h, network.output) for h in network.heads)
    parts = (
        _wrapped(title, width),
        _columns([_HEADER, *_rows(network)], width),
        _totals(network),
        _wrapped(f"* end point. Heads: {heads}", width),
    )
    return "\n\n".join("\n".join(lines) for lines in parts)


@dataclass(frozen=True, slots=True)
class _Row:
    depth: int
    name: str
    op: str
    shape: str
    params: str
    macs: str


_HEADER = _Row(0, "Layer", "Op", "Output", "Params", "MACs")


def _rows(network: Network) -> Iterator[_Row]:
    marked = {e.node for e in network.end_points}
    for node in (*network.trunk, *(h.node for h in network.heads)):
        yield from _node(node, 0, marked)


def _node(node: Node, depth: int, marked: set[Node]) -> Iterator[_Row]:
    name = node.name if node.named else f"({node.name})"
    star = " *" if node in marked else ""
    yield _row(depth, name + star, _kind(node), node.output.shape, [node])
    yield from _inner(node, depth + 1, marked)


def _inner(node: Node, depth: int, marked: set[Node]) -> Iterator[_Row]:
    for graph in node.graphs:
        only = graph.nodes[0] if len(graph.nodes) == 1 else None
        if isinstance(node.op, Fork) and not node.has_single(graph):
            yield _row(depth, graph.name, "branch", graph.output.shape, graph.nodes)
            yield from _graph(graph, depth + 1, marked)
        elif only and isinstance(only.op, Fork) and not only.named:
            yield from _inner(only, depth, marked)  # its numbers are those of what holds it
        else:
            yield from _graph(graph, depth, marked)


def _graph(graph: Graph, depth: int, marked: set[Node]) -> Iterator[_Row]:
    for node in graph.nodes:
        yield from _node(node, depth, marked)


def _row(depth: int, name: str, op: str, shape: tuple[int, ...], nodes: Sequence[Node]) -> _Row:
    sums = totals(inner for node in nodes for inner in node.walk())
    return _Row(depth, name, op, shape_text(shape), _count(sums.params), _count(sums.macs))


def _count(number: int) -> str:
    return f"{number:,}" if number else "-"


def _kind(node: Node) -> str:
    if isinstance(node.op, Instance):
        return node.op.template
    if isinstance(node.op, Fork):
        return node.op.join
    return "group" if isinstance(node.op, Group) else node.op.key


def _columns(rows: Sequence[_Row], width: int) -> list[str]:
    """Align the columns; rows that are too long for theirs take two lines or three."""
    shape, params, macs = (
        max(len(getattr(row, field)) for row in rows) for field in ("shape", "params", "macs")
    )
    op = max(len(row.op) for row in rows)
    widest = max(2 * row.depth + len(row.name) for row in rows)
    if widest + op + shape + params + macs + 4 * len(_GAP) > width:
        op = max(len(row.op) for row in rows if len(row.op) <= LONGEST_OP)
    room = width - shape - params - macs - op - 4 * len(_GAP)
    step = 2 if all(2 * row.depth + len(row.name) <= room for row in rows) else 1
    names = [" " * (step * row.depth) + row.name for row in rows]
    left = max((len(name) for name in names if len(name) <= room), default=0)
    lines = []
    for row, name in zip(rows, names, strict=True):
        numbers = f"{row.shape:<{shape}}{_GAP}{row.params:>{params}}{_GAP}{row.macs:>{macs}}"
        if len(name) <= left and len(row.op) <= op:
            lines.append(f"{name:<{left}}{_GAP}{row.op:<{op}}{_GAP}{numbers}")
            continue
        name = name[max(0, len(name) - width) :]  # deep nesting costs indentation, never letters
        if len(name) + len(_GAP) + len(row.op) <= width:
            lines.append(f"{name}{_GAP}{row.op}")
        else:
            lines += [name, f"{' ' * (left + len(_GAP))}{row.op}"]
            lines[-1] = lines[-1][max(0, len(lines[-1]) - width) :]
        indent = left + op + 2 * len(_GAP)
        lines.append(" " * max(0, min(indent, width - len(numbers))) + numbers)
    return [line.rstrip() for line in lines]


def _totals(network: Network) -> list[str]:
    rows = [("Parameters", "params"), ("trainable", "trainable"), ("MACs", "macs")]
    columns = [("", [label for label, _ in rows])]
    sums = [("Total", network.totals())]
    if network.training_heads:
        sums.append(("without training-only heads", network.totals(inference=True)))
    columns += [(title, [f"{getattr(s, field):,}" for _, field in rows]) for title, s in sums]
    widths = [max(map(len, (title, *cells))) for title, cells in columns]
    table = zip(*((title, *cells) for title, cells in columns), strict=True)
    lines = []
    for first, *rest in table:
        cells = [f"{cell:>{w}}" for cell, w in zip(rest, widths[1:], strict=True)]
        lines.append(_GAP.join([f"{first:<{widths[0]}}", *cells]))
    return lines


def _head(head: Head, output: str) -> str:
    if head.training_only:
        return f"{head.name} (training only, loss weight {head.loss_weight})"
    return f"{head.name} (output)" if head.name == output else head.name


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)

"""A diff as a person would say it: what is equal in all uses of a block or in many layers, once.

A layer takes two lines where its figures differ, before and after; what stays is not said again.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from archcompiler.diagnostics import WIDTH, show
from archcompiler.diff import Change, Diff, Difference
from archcompiler.errors import listed
from archcompiler.fields import shape_text
from archcompiler.ir import Totals
from archcompiler.lock import EVALUATION, Figures

MANY = 4
"""A change of so many layers, not counting uses of one block, is said once."""
_MOST_NAMED = 6
"""So many layers with one change are listed; of more, the first three."""
_MOST_EXCEPTED = 3
"""A change of all layers but so many names these instead."""
_TITLES = {"removed": "Removed", "added": "Added", "renamed": "Renamed", "changed": "Changed"}
_GAP = "  "
_NARROWEST = 24
_ALIKE = "layers, wiring, attributes and heads are the same"


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of text, and beside them the figures before and after."""

    text: tuple[str, ...]
    before: tuple[str, str, str] | None = None
    after: tuple[str, str, str] | None = None


def to_text(found: Diff, old: str, new: str, width: int = WIDTH) -> str:
    """Return the diff without a last line end; `old` and `new` are what the sides are called."""
    title = [f"- {show(old)}", f"+ {show(new)}"]
    if found.equal:
        params = ["", "Parameters", *(f"  {_change(c)}" for c in found.params)]
        alike = f"no difference at {shape_text(found.input)}: {_ALIKE}"
        return "\n".join([*title, *(params if found.params else ()), "", alike])
    layers, many = _said_once(found)
    sections: list[tuple[str, list[_Block]]] = [
        ("Network", [_Block((_change(c),)) for c in found.network]),
        ("Parameters", [_Block((_change(c),)) for c in found.params]),
        ("Changed in many layers", many),
    ]
    for kind, name in _TITLES.items():
        blocks = [_layer(d, names) for d, names in _runs(layers) if d.kind == kind]
        sections.append((name, blocks))
    shown = {path for d, uses in layers if not uses for path in (d.path, d.old_path)}
    points = {n: pair for n, pair in found.end_points.items() if n not in shown}
    sections += [
        (
            "Further end points" if shown & found.end_points.keys() else "End points",
            [_Block((name,), *_pair(*p)) for name, p in points.items()],
        ),
        ("Total", _totals(found)),
    ]
    sections = [(name, blocks) for name, blocks in sections if blocks]
    columns = [
        max(
            (
                len(row[n])
                for _, blocks in sections
                for b in blocks
                for row in (b.before, b.after)
                if row
            ),
            default=0,
        )
        for n in range(3)
    ]
    columns = [max(c, len(h)) for c, h in zip(columns, ("Output", "Params", "MACs"), strict=True)]
    lines = []
    for name, blocks in sections:
        lines += ["", *_section(name, blocks, columns, width)]
    return "\n".join(line.rstrip() for line in (*title, *lines))


# What is said once


_Said = tuple[Difference, tuple[str, ...]]
"""A layer, and what is said of its uses."""


def _said_once(found: Diff) -> tuple[list[_Said], list[_Block]]:
    """Return layers with what is said of their uses, and blocks for changes of many layers."""
    grouped: dict[object, list[Difference]] = {}
    for d in found.layers:
        use = (d.use.block, d.use.new_block, d.use.inside) if d.use else ("", "", d.path)
        grouped.setdefault(
            (d.kind, d.what, d.changes, use, d.old_path if not d.use else ""), []
        ).append(d)
    wide: dict[tuple[str, Change], list[list[Difference]]] = {}
    for group in grouped.values():
        for change in group[0].changes if group[0].kind == "changed" else ():
            wide.setdefault((group[0].what, change), []).append(group)
    wide = {key: groups for key, groups in wide.items() if len(groups) >= MANY}
    layers = []
    for group in grouped.values():
        first = group[0]
        changes = tuple(c for c in first.changes if (first.what, c) not in wide)
        if changes or first.kind != "changed":
            layers.append(_together([replace(d, changes=changes) for d in group], found))
    order = {d.path: n for n, d in enumerate(found.layers)}
    together: dict[tuple[str, tuple[str, ...]], list[Change]] = {}
    for (what, change), groups in wide.items():
        paths = tuple(sorted((d.path for g in groups for d in g), key=order.__getitem__))
        together.setdefault((what, paths), []).append(change)
    counts = {what: Counter(found.ops.get(what, ())) for what in {what for what, _ in together}}
    many = [
        _many(what, paths, changes, found.ops.get(what, ()), counts[what])
        for (what, paths), changes in together.items()
    ]
    return layers, many


def _together(group: list[Difference], found: Diff) -> tuple[Difference, tuple[str, ...]]:
    """Make one of the uses of a block that differ alike."""
    first = group[0]
    if first.use is None or len(group) == 1:
        return first, ()
    uses = found.uses_after if first.kind == "added" else found.uses
    block = first.use.new_block if first.kind == "added" else first.use.block
    total = uses.get(block, 0)
    shared = ""
    if block == first.use.new_block == first.use.block:
        total = found.shared_uses.get(block, 0)
        lone = max(found.uses.get(block, 0), found.uses_after.get(block, 0)) > total
        shared = " that both have" if lone else ""
    names = [d.use.instance for d in group if d.use]
    if len(group) == total:
        where = f"in all {total} uses of {block}{shared}"
    else:
        where = f"in {_named(names)}, of {total} uses of {block}{shared}"
    sums = (_sum([d.before for d in group]), _sum([d.after for d in group]))
    old_path = first.old_path.removeprefix(f"{first.use.instance}/")
    same = replace(
        first,
        path=first.use.inside or first.use.block,
        old_path=old_path,
        before=sums[0],
        after=sums[1],
    )
    return same, (f"{where} (sum)",)


def _runs(layers: Sequence[_Said]) -> Iterator[_Said]:
    """Yield what is said of layers, of many numbered copies that came or went together once."""
    runs: list[list[_Said]] = []
    for said in layers:
        if not (runs and _follows(runs[-1][-1], said)):
            runs.append([])
        runs[-1].append(said)
    for run in runs:
        first, last = run[0][0], run[-1][0]
        if len(run) < MANY:
            yield from run
            continue
        before, after = (_sum([getattr(d, side) for d, _ in run]) for side in ("before", "after"))
        note = f"and on to {last.path.rpartition('/')[2]}, {len(run)} layers (sum)"
        yield replace(first, before=before, after=after), (note,)


def _follows(said: _Said, other: _Said) -> bool:
    """Tell whether of two layers that came or went the second is the next copy of the first."""
    (one, notes), (two, more) = said, other
    alike = [(d.kind, d.what, d.before, d.after) for d in (one, two)]
    if notes or more or one.kind not in ("added", "removed") or alike[0] != alike[1]:
        return False
    first = re.fullmatch("(.*_)([1-9][0-9]*)", one.path)
    return first is not None and two.path == f"{first[1]}{int(first[2]) + 1}"


def _sum(figures: Sequence[Figures | None]) -> Figures | None:
    known = [f for f in figures if f]
    if not known:
        return None
    shapes = {f.shape for f in known}
    shape = known[0].shape if len(shapes) == 1 else ()
    return Figures(
        shape=shape, params=sum(f.params for f in known), macs=sum(f.macs for f in known)
    )


def _many(
    what: str,
    paths: tuple[str, ...],
    changes: list[Change],
    every: Sequence[str],
    counts: Mapping[str, int],
) -> _Block:
    """Say changes of many layers, and of how many of their op; `counts` are those of `every`.

    There may be many such changes: only one that leaves few layers out looks at all the others.
    """
    named = set(paths)
    others = len(every) - sum(counts.get(path, 0) for path in named)
    if not others:
        where = f"in all {len(paths)} {what} layers"
    else:
        where = f"in {len(paths)} of the {len(every)} {what} layers"
        if others <= _MOST_EXCEPTED:
            where += f", all but {listed([p for p in every if p not in named])}"
        else:
            where += f": {_named(paths)}"
    return _Block((*map(_change, changes), f"  {where}"))


def _named(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMED:
        return listed(list(names))
    return f"{', '.join(names[:3])} and {len(names) - 3} more"


# One layer


def _layer(d: Difference, uses: tuple[str, ...]) -> _Block:
    name = f"{d.old_path} -> {d.path.rpartition('/')[2]}" if d.kind == "renamed" else d.path
    if d.kind in ("added", "removed"):
        name += f" ({d.what})"
    text = (name, *(f"  {use}" for use in uses), *(f"  {_change(c)}" for c in d.changes))
    return _Block(text, *_pair(d.before, d.after))


def _change(change: Change) -> str:
    return f"{change.name} {change.old} -> {change.new}".lstrip()


def _pair(
    before: Figures | None, after: Figures | None
) -> tuple[tuple[str, str, str] | None, tuple[str, str, str] | None]:
    return (_cells(before) if before else None, _cells(after) if after else None)


def _cells(found: Figures) -> tuple[str, str, str]:
    return shape_text(found.shape), f"{found.params:,}", f"{found.macs:,}"


def _totals(found: Diff) -> list[_Block]:
    names = {"total": "all", EVALUATION: "without training heads"}
    if len(found.totals) == 1:
        names = {"total": "all"}
    return [
        _Block((names[key],), _total_cells(old), _total_cells(new))
        for key, (old, new) in found.totals.items()
    ]


def _total_cells(found: Totals) -> tuple[str, str, str]:
    return "", f"{found.params:,}", f"{found.macs:,}"


# Lines


def _section(
    name: str, blocks: Sequence[_Block], columns: Sequence[int], width: int
) -> Iterator[str]:
    right = sum(columns) + 3 * len(_GAP)
    left = width - right - len(_GAP)
    with_figures = any(b.before or b.after for b in blocks)
    heads = ("Output" if name != "Total" else "", "Params", "MACs")
    yield f"{name:<{left}}  {_figures(' ', heads, columns)}" if with_figures else name
    for block in blocks:
        yield from _lines(block, columns, left if with_figures else width)


def _lines(block: _Block, columns: Sequence[int], left: int) -> Iterator[str]:
    """Write a block: its text at the left, the figures beside it from the first line that fits."""
    rows = _rows(block, columns)
    room = left - 2
    first, *rest = block.text
    texts = [first, *(line for text in rest for line in _wrapped(text, room))]
    if not rows:
        yield from (f"  {line}" for line in _wrapped(first, room))
        yield from (f"  {line}" for line in texts[1:])
        return
    if len(first) > room:  # a long path has a line to itself
        yield f"  {first}"
        texts = texts[1:]
    for n in range(max(len(texts), len(rows))):
        text = texts[n] if n < len(texts) else ""
        row = rows[n] if n < len(rows) else ""
        yield f"  {text:<{room}}  {row}"


def _wrapped(text: str, room: int) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.wrap(
        text, max(room, _NARROWEST), subsequent_indent=indent, drop_whitespace=True,
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip


def _rows(block: _Block, columns: Sequence[int]) -> list[str]:
    before, after = block.before, block.after
    if before and after:
        if before == after:
            return [_figures(" ", before, columns)]
        changed = [new if new != old else "" for old, new in zip(before, after, strict=True)]
        return [_figures("-", before, columns), _figures("+", changed, columns)]
    if before:
        return [_figures("-", before, columns)]
    return [_figures("+", after, columns)] if after else []


def _figures(sign: str, cells: Sequence[str], columns: Sequence[int]) -> str:
    shape, params, macs = (f"{c:>{w}}" for c, w in zip(cells, columns, strict=True))
    return _GAP.join((f"{sign} {shape}", params, macs))

"""Values as a table: what each is called, what it is, who wrote it and where."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archcompiler.position import Position

_NARROWEST = 14


@dataclass(frozen=True, slots=True)
class Line:
    """A value: what it is called, what it is, how it was written, by what and where."""

    name: str
    value: str
    written: str
    kind: str
    position: Position | None


def table(lines: Iterable[Line], room: int) -> Iterator[str]:
    """Align the columns; a long value does not widen its own, and no place is broken."""
    rows = [
        (line.name, f"{line.value}  ({line.written})" if line.written else line.value, line.kind,
         str(line.position) if line.position else "")
        for line in lines
    ]  # fmt: skip
    names, kinds, places = (max(len(row[n]) for row in rows) for n in (0, 2, 3))
    left = max(room - names - kinds - places - 6, _NARROWEST)
    wrapped = [textwrap.wrap(row[1], left, break_on_hyphens=False) or [""] for row in rows]
    values = max(len(part) for parts in wrapped for part in parts)
    for (name, _, kind, place), (first, *rest) in zip(rows, wrapped, strict=True):
        start, end = f"{name:<{names}}  ", f"{kind:<{kinds}}  {place}".rstrip()
        line = f"{start}{first:<{values}}  {end}"
        fits = len(line) <= room or not (place and kind)
        yield line.rstrip() if fits else f"{start}{first:<{values}}  {kind}".rstrip()
        yield from (f"{' ' * (names + 2)}{part}" for part in rest)
        if not fits:
            yield f"{' ' * max(0, min(names + 2, room - len(place)))}{place}"

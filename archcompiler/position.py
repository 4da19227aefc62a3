"""Where a value was written: a source text, a line, a column."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from archcompiler import shipped

LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Where libyaml begins a new line."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that positions point into: a spec file, or one command-line assignment."""

    name: str
    text: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """Return what people are told it is called; programs take the name."""
        return shipped.shown(self.name)

    def line(self, number: int) -> str:
        """Return line `number` (from 1) without its line end; empty where there is none."""
        lines = LINE_END.split(self.text, number)
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def at(self, index: int) -> Position:
        """Return the position of the character at `index`."""
        starts = [end.end() for end in LINE_END.finditer(self.text, 0, index)]
        return Position(self, len(starts) + 1, index - (starts[-1] if starts else 0) + 1)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source; line and column count from 1, the column in characters."""

    source: Source
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.shown}:{self.line}:{self.column}"

"""Where a value was written: a source text, a line, a column."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that positions point into: a spec file, or one command-line assignment."""

    name: str
    text: str = field(default="", repr=False)

    def line(self, number: int) -> str:
        """Return line `number` (from 1) without its line end; empty where there is none."""
        lines = self.text.split("\n", number)
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source; line and column count from 1, the column in characters."""

    source: Source
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

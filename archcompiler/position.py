"""Where a value was written: a source text, a line, a column."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

from archcompiler import shipped

LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Where libyaml begins a new line."""
_STEP = 1024
"""Lines from one that is found at once to the next: few to search, few to keep."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that positions point into: a spec file, or one command-line assignment."""

    name: str
    text: str = field(default="", repr=False)
    _starts: list[int] = field(default_factory=list, init=False, repr=False)
    """Where lines 1, 1,025, 2,049 and so on begin, once a line was asked for."""

    @property
    def shown(self) -> str:
        """Return what people are told it is called; programs take the name."""
        return shipped.shown(self.name)

    def line(self, number: int) -> str:
        """Return line `number` (from 1) without its line end; empty where there is none."""
        if number < 1:
            return ""
        if not self._starts:
            ends = LINE_END.finditer(self.text)
            self._starts.append(0)
            self._starts.extend(e.end() for e in itertools.islice(ends, _STEP - 1, None, _STEP))
        steps, more = divmod(number - 1, _STEP)
        if steps >= len(self._starts):
            return ""
        start = self._starts[steps]
        for _ in range(more):
            end = LINE_END.search(self.text, start)
            if not end:
                return ""
            start = end.end()
        end = LINE_END.search(self.text, start)
        return self.text[start : end.start() if end else len(self.text)]

    def at(self, index: int) -> Position:
        """Return the position of the character at `index`."""
        line, start = 1, 0
        for end in LINE_END.finditer(self.text, 0, index):
            line, start = line + 1, end.end()
        return Position(self, line, index - start + 1)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source; line and column count from 1, the column in characters."""

    source: Source
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source.shown}:{self.line}:{self.column}"

"""Whitespace that YAML's parsers do not agree on: tabs and rare line ends, outside of quotes.

libyaml takes a tab for a space, the pure parser of PyYAML refuses it; editors do not break a line
where YAML 1.1 does. A spec means the same on every machine, so it has spaces and common line ends.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from archcompiler.errors import Diagnostic
from archcompiler.position import LINE_END, Source

_ODD = re.compile("[\t\x85\u2028\u2029]")
_COMMENT = re.compile(r"(?:^|(?<=\s))#", re.MULTILINE)


class Whitespace:
    """Finds odd whitespace between the events of one text, in their order."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.odd = [found.start() for found in _ODD.finditer(source.text)]
        self.starts = [0, *(e.end() for e in LINE_END.finditer(source.text))] if self.odd else []
        self.done = 0
        """Where the last event ended."""
        self.odd.reverse()

    def after(self, event: yaml.Event) -> Diagnostic | None:
        """Return what is wrong up to the end of an event."""
        if not self.odd:
            return None
        if problem := self._until(self.index(event.start_mark)):
            return problem
        if isinstance(event, yaml.ScalarEvent):
            end = self.index(event.end_mark)
            if not event.style and self.odd and self.odd[-1] < end:
                return self._problem(self.odd[-1])
            self._skip(end)
        return None

    def before(self, mark: Any, quote: Any = None) -> Diagnostic | None:
        """Return what is wrong up to a syntax error, which the whitespace may be.

        `quote` is where a quoted text begins that the error lies in.
        """
        if not self.odd:
            return None
        return self._until(self.index(quote) if quote else self.index(mark) + 1)

    def _until(self, end: int) -> Diagnostic | None:
        while self.odd and self.odd[-1] < end:
            index = self.odd.pop()
            line = max(self.done, self.source.text.rfind("\n", 0, index) + 1)
            if not _COMMENT.search(self.source.text, line, index):
                return self._problem(index)
            rest = self.source.text.find("\n", index)  # all of it is the same comment
            while self.odd and self.odd[-1] < (end if rest < 0 else min(end, rest)):
                self.odd.pop()
        self.done = max(self.done, end)
        return None

    def index(self, mark: Any) -> int:
        """Return where a mark is in the text: some parsers count bytes, all count columns."""
        if mark.line >= len(self.starts):  # libyaml's end of a text without a last line end
            return len(self.source.text)
        return int(self.starts[mark.line] + mark.column)

    def _skip(self, end: int) -> None:
        self.done = end
        while self.odd and self.odd[-1] < end:
            self.odd.pop()

    def _problem(self, index: int) -> Diagnostic:
        text, at = self.source.text, self.source.at(index)
        if text[index] != "\t":
            message = f"U+{ord(text[index]):04X} is not allowed outside of quotes"
            hint = "in a quoted text it can be written as an escape"
            return Diagnostic(code="E109", message=message, position=at, hint=hint)
        if not text[self.starts[at.line - 1] : index].strip():
            message, hint = "YAML forbids tabs for indentation", "indent with spaces"
        else:
            message, hint = "a tab cannot stand here", "write spaces; in quotes it can be `\\t`"
        return Diagnostic(code="E104", message=message, position=at, hint=hint)

"""Whitespace that YAML's parsers do not agree on: tabs and rare line ends, outside of quotes.

libyaml takes a tab for a space, the pure parser of PyYAML refuses it; editors do not break a line
where YAML 1.1 does, so that a key could stand in what looks like a comment. A spec means the same
on every machine and to every reader, so it has spaces and common line ends.
"""

from __future__ import annotations

import re
from array import array
from typing import Any

import yaml

from archcompiler.errors import Diagnostic
from archcompiler.position import LINE_END, Source

_ODD = re.compile("[\t\x85\u2028\u2029]|\r(?!\n)")
_UNTABBED = re.compile("[\n\r\x85\u2028\u2029]")
_COMMENT = re.compile(r"(?:^|(?<=\s))#", re.MULTILINE)


class Whitespace:
    """Finds odd whitespace between the events of one text, in their order."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.odd = [found.start() for found in _ODD.finditer(source.text)]
        ends = LINE_END.finditer(source.text) if self.odd else ()
        self.starts = array("q", (0, *(e.end() for e in ends)))
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
        """Each character between `done` and `end` is looked at a fixed number of times."""
        text, commented, line = self.source.text, 0, self.done
        while self.odd and self.odd[-1] < end:
            index = self.odd.pop()
            if index < commented:
                continue
            line = max(line, text.rfind("\n", line, index) + 1)
            character, in_comment = text[index], bool(_COMMENT.search(text, line, index))
            if character == "\r" and not in_comment:  # old files end all lines so
                line = index + 1
                continue
            if character != "\t" or not in_comment:
                return self._problem(index)
            line_end = _UNTABBED.search(text, index, end)
            commented = line_end.start() if line_end else end
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
        if text[index] == "\r":
            message = "this comment ends in U+000D alone, where most editors show no line end"
            return Diagnostic(code="E109", message=message, position=at, hint="write a line feed")
        if text[index] != "\t":
            message = f"U+{ord(text[index]):04X} is not allowed outside of quotes"
            hint = "in a quoted text it can be written as an escape"
            return Diagnostic(code="E109", message=message, position=at, hint=hint)
        if not text[self.starts[at.line - 1] : index].strip():
            message, hint = "YAML forbids tabs for indentation", "indent with spaces"
        else:
            message, hint = "a tab cannot stand here", "write spaces; in quotes it can be `\\t`"
        return Diagnostic(code="E104", message=message, position=at, hint=hint)

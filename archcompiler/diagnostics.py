"""How diagnostics are shown: for people (full, concise), for programs (json), for GitHub's log.

Whatever archc prints goes through `say`, `put` or `report`, and so through `escape.py`: no spec can
drive a terminal or a log.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TextIO, get_args

import click

from archcompiler.errors import MOST_ERRORS_SHOWN, Diagnostic, Row
from archcompiler.escape import (
    annotation,
    annotation_property,
    json_document,
    no_commands,
    show_lines,
)
from archcompiler.escape import show as show
from archcompiler.position import Position

Format = Literal["full", "concise", "json", "github"]
FORMATS: tuple[Format, ...] = get_args(Format)

WIDTH = 80
_WIDEST = 160
"""Wider lines are not read."""
_INDENT = "   "
_CUT = "..."
_AROUND = 4 * WIDTH
"""How many characters on either side of the caret are looked at: a line may have millions."""
_LONGEST = 600
"""How many characters of a message people are shown: a spec may quote itself at any length."""


def render(diagnostics: Sequence[Diagnostic], form: Format, *, color: bool = False) -> str:
    """Return the lines for `diagnostics`, without a last line end; empty where there are none.

    For people it is cut after 20; programs get all of them.
    """
    if form == "json":
        return json_document(documented(diagnostics))
    if form == "github":
        return "\n".join(map(_annotation, diagnostics))
    lines: list[str] = []
    for diagnostic in diagnostics[:MOST_ERRORS_SHOWN]:
        lines += _full(diagnostic, color) if form == "full" else [_headline(diagnostic, color)]
    if len(diagnostics) > MOST_ERRORS_SHOWN:
        lines.append(f"... and {len(diagnostics) - MOST_ERRORS_SHOWN} more")
    return no_commands("\n".join(lines))


def wants_color(stream: TextIO | None) -> bool:
    """Tell whether `stream` is a terminal whose owner did not set NO_COLOR."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream is not None and stream.isatty() and not plain


def room(default: int) -> int:
    """Return how many columns a table may take: COLUMNS, else the terminal's, else the default."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and columns.isascii():
        found = int(columns[:4])
    else:
        try:
            found = os.get_terminal_size(sys.stdout.fileno()).columns
        except (OSError, ValueError, AttributeError):  # no terminal, or no file at all
            found = default
    return min(max(found, WIDTH), _WIDEST)


def report(diagnostics: Sequence[Diagnostic], form: Format = "full", *, err: bool = True) -> None:
    """Show diagnostics; on stderr, except where they are what the command was called for."""
    if diagnostics or form == "json":
        stream = sys.stderr if err else sys.stdout
        click.echo(render(diagnostics, form, color=wants_color(stream)), err=err)


def say(text: str, *, err: bool = False) -> None:
    """Print lines for people, each escaped."""
    click.echo(show_lines(text), err=err)


def put(document: str) -> None:
    """Print a document for programs, whose writer has escaped it: JSON or YAML."""
    click.echo(document, nl=not document.endswith("\n"))


# For people


def _headline(diagnostic: Diagnostic, color: bool) -> str:
    place = f"{show(str(diagnostic.position))}: " if diagnostic.position else ""
    message = _shortened(diagnostic.message)
    kind = f"{diagnostic.severity}[{diagnostic.code}]"
    if not color:
        return f"{place}{kind} {message}"
    hue = "red" if diagnostic.severity == "error" else "cyan"
    return f"{place}{click.style(kind, fg=hue, bold=True)} {click.style(message, bold=True)}"


def _full(diagnostic: Diagnostic, color: bool) -> Iterator[str]:
    yield _headline(diagnostic, color)
    if diagnostic.position:
        yield from _snippet(diagnostic.position, color)
    yield from (_INDENT + line for line in _columns(diagnostic.rows))
    if diagnostic.hint:
        yield from _hint(diagnostic.hint, color)


def _shortened(text: str) -> str:
    """Escape text, and leave its middle out where it is longer than a person reads."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 100]} {_CUT} {text[-100:]}"
    return show(text)


def _snippet(position: Position, color: bool) -> Iterator[str]:
    """Yield the line of the source and a caret under the column, cut to the width around it."""
    line = position.source.line(position.line)
    if not line.strip():
        return
    at = position.column - 1
    start, end = max(at - _AROUND, 0), at + _AROUND
    before, after = show(line[start:at]), show(line[at:end])
    gutter = f"{_INDENT}| {position.line:>3} | "
    before, after = _cut(before, after, WIDTH - len(gutter), start > 0, end < len(line))
    bars = (f"{_INDENT}|", f"{position.line:>3} |", "^")
    if color:
        bars = (click.style(bars[0], dim=True), click.style(bars[1], dim=True),
                click.style(bars[2], fg="red", bold=True))  # fmt: skip
    yield f"{bars[0]} {bars[1]} {before}{after}".rstrip()
    yield f"{bars[0]}{' ' * (len(gutter) - len(_INDENT) - 1 + _cells(before))}{bars[2]}"


def _cut(before: str, after: str, room: int, earlier: bool, later: bool) -> tuple[str, str]:
    """Shorten a line to `room` columns, keeping what stands around the caret between its parts.

    `earlier` and `later` tell whether the line has more than these parts on either side.
    """
    start = room + 1 if earlier else _cells(before)
    rest = room + 1 if later else max(_cells(after), 1)  # the caret may stand behind the line
    if start + rest <= room:
        return before, after
    if start > room * 2 // 3:
        kept = max(room // 2, room - rest)
        before = _CUT + _fitting(before[::-1], kept - len(_CUT))[::-1]
    if later or _cells(before) + _cells(after) > room:
        after = _fitting(after, room - _cells(before) - len(_CUT)) + _CUT
    return before, after


def _fitting(text: str, room: int) -> str:
    """Return the longest beginning of `text` that takes at most `room` columns."""
    end = min(len(text), room)
    while _cells(text[:end]) > room:
        end -= 1
    return text[:end]


def _cells(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(bool(unicodedata.combining(c)) for c in text)


def _columns(rows: Sequence[Row]) -> Iterator[str]:
    """Align rows: what, its value, where it was written."""
    texts = [(_shortened(r.label), _shortened(r.value)) for r in rows]
    labels = max((len(label) for label, _ in texts), default=0)
    values = max((len(value) for _, value in texts), default=0)
    for row, (label, value) in zip(rows, texts, strict=True):
        value = f"  {value:<{values}}" if values else ""
        place = f"   {_place(row.position)}" if row.position else ""
        yield f"{label:<{labels}}{value}{place}".rstrip()


def _place(position: Position) -> str:
    return f"{show(position.source.shown)}:{position.line}"


def _hint(hint: str, color: bool) -> list[str]:
    """Wrap a hint, but never inside backticks: what stands there is meant to be pasted."""
    words = re.findall(r"(?:`[^`]*`|\S)+", _shortened(hint))
    hard = {w: w.replace(" ", "\0").replace("-", "\1") for w in words}
    lines = textwrap.wrap(
        " ".join(hard[w] for w in words),
        WIDTH,
        initial_indent=f"{_INDENT}hint: ",
        subsequent_indent=f"{_INDENT}      ",
        break_long_words=False,
    )
    lines = [line.replace("\0", " ").replace("\1", "-") for line in lines]
    if color and lines:
        lines[0] = lines[0].replace("hint:", click.style("hint:", fg="green"), 1)
    return lines


# For programs


def documented(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Return diagnostics as plain values, for JSON."""
    return [_document(d) for d in diagnostics]


def _document(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **_coordinates(diagnostic.position),
        "rows": [
            {"label": r.label, "value": r.value, **_coordinates(r.position)}
            for r in diagnostic.rows
        ],
        "hint": diagnostic.hint,
    }


def _coordinates(position: Position | None) -> dict[str, str | int | None]:
    if position is None:
        return {"file": None, "line": None, "column": None}
    return {"file": position.source.name, "line": position.line, "column": position.column}


def _annotation(diagnostic: Diagnostic) -> str:
    """Write one workflow command; only its own escapes can hold a line end."""
    command = "error" if diagnostic.severity == "error" else "notice"
    fields = {}
    if position := diagnostic.position:
        fields = {"file": position.source.name, "line": position.line, "col": position.column}
    written = ",".join(
        f"{k}={annotation_property(v)}" for k, v in {**fields, "title": diagnostic.code}.items()
    )
    parts = [_shortened(diagnostic.message), *_columns(diagnostic.rows)]
    if diagnostic.hint:
        parts.append(f"hint: {_shortened(diagnostic.hint)}")
    return f"::{command} {written}::{annotation(chr(10).join(parts))}"

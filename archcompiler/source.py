"""Room 1, load: bytes to values with positions.

Reads libyaml's *events* and builds the nodes itself, under budgets: libyaml's own composer recurses
without a limit and expands aliases without a bound. Scalars follow the YAML 1.2 core schema, so
`1e-3` is a float and `no`, `1_000`, `1:30` are strings. This room knows no key's meaning.
"""

from __future__ import annotations

import codecs
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from archcompiler import syntax
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, Row
from archcompiler.habits import keyless, shell_expression
from archcompiler.position import Position, Source
from archcompiler.scalars import core_value
from archcompiler.whitespace import Whitespace

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000

# libyaml where PyYAML was built with it, else the same events from Python. What one of them refuses
# neither may read (`_same_as_...`, `whitespace.py`): a spec means the same on every machine.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What YAML forbids, as its complement: far cheaper to compile.
_NOT_YAML = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_CHARACTER = re.compile(
    r"\\(?:u[dD][89a-fA-F][0-9a-fA-F]{2}|U(?!000[0-9a-fA-F]|0010)[0-9a-fA-F]{8}"
    r"|U0000[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_LONE_COLON = re.compile(r" *:(?=[,?\[\]{}])")
_TAG = re.compile(r"!(?:<[^>]*>|[^\s,\[\]{}]*)")
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_SPACE = re.compile(r"(?:[ \t\r\n]|(?<=[ \t\r\n])#[^\r\n]*)*")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: its value by the YAML 1.2 core rules and the text it was written as."""

    value: bool | int | float | str | None
    text: str
    position: Position


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: tuple[Node, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` of a mapping, with the position of its key."""

    key: str
    position: Position
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping; keys are unique strings, in the order of the file."""

    entries: dict[str, Entry]
    position: Position


Node = Scalar | Sequence | Mapping


def load(path: Path, name: str | None = None) -> Node:
    """Read one spec file.

    `name` is what messages call the file; by default the path as given. Raises `ArchcError`: E101
    when it cannot be read, E102 when it is larger than 4 MiB, else as `parse`.
    """
    shown = name or str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise _unreadable(shown, f"it is {kind}")
        if status.st_size > MAX_BYTES:
            raise _fail("E102", f"{shown} is larger than 4 MiB", None)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(shown, (error.strerror or "unknown reason").lower()) from None
    if len(data) > MAX_BYTES:
        raise _fail("E102", f"{shown} is larger than 4 MiB", None)
    return parse(decode(data, shown), shown)


def decode(data: bytes, name: str) -> str:
    """Decode UTF-8, with or without a byte order mark; E103 names the first wrong byte."""
    mark = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    try:
        return data[mark:].decode("utf-8")
    except UnicodeDecodeError as error:
        source = Source(name, data[mark:].decode("utf-8", "replace"))
        raise _fail(
            "E103",
            f"the file is not UTF-8 at byte {mark + error.start}",
            source.at(len(data[mark : mark + error.start].decode("utf-8"))),
            hint="save it as UTF-8",
        ) from None


def parse(text: str, name: str) -> Node:
    """Build the nodes of one YAML document. Raises `ArchcError` with a code E104 to E112."""
    return _Builder(Source(name, text)).document()


class _Builder:
    """Builds nodes from parser events; holds the budgets and the anchors of one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.count = 0
        self.anchors: dict[str, tuple[Node, int] | None] = {}
        self.flow = False
        """Whether brackets or braces are around what is read."""
        self.ended = 0
        """Where the last event of the pure parser ended."""
        self.events: Iterator[yaml.Event] = self._read_events()

    def _read_events(self) -> Iterator[yaml.Event]:
        if found := _NOT_YAML.search(self.source.text):
            raise self._bad_character(found)
        spaces = Whitespace(self.source)
        try:
            for event in yaml.parse(self.source.text, Loader=_LOADER):
                if problem := spaces.after(event):
                    raise ArchcError(problem)
                if _LOADER is yaml.SafeLoader:
                    self._same_as_libyaml(event)
                else:
                    self._same_as_pure(event)
                yield event
        except yaml.MarkedYAMLError as error:
            quoted = "quoted scalar" in (error.context or "")
            mark = error.problem_mark or error.context_mark
            odd = spaces.before(mark, error.context_mark if quoted else None) if mark else None
            raise ArchcError(odd) if odd else self._syntax_error(error) from None
        except (ValueError, OverflowError):  # of `chr`: an escape beyond Unicode
            found = _NO_CHARACTER.search(self.source.text, self.ended)
            raise self._no_character(found.start() if found else self.ended) from None

    def _same_as_pure(self, event: yaml.Event) -> None:
        """Refuse what the pure parser of PyYAML refuses, and libyaml does not."""
        if self.flow and isinstance(event, yaml.ScalarEvent) and not event.style:
            place = event.value.find("?")
            if place >= 0:
                at = self.at(event.start_mark)
                raise self._question(Position(self.source, at.line, at.column + place))

    def _question(self, position: Position) -> ArchcError:
        trouble = syntax.QUESTION
        return _fail("E104", trouble.message, position, hint=trouble.hint)

    def _same_as_libyaml(self, event: yaml.Event) -> None:
        """Refuse what libyaml refuses, and the pure parser of PyYAML does not."""
        text, start, end = self.source.text, _index(event.start_mark), _index(event.end_mark)
        if isinstance(event, yaml.DocumentStartEvent) and not (event.version or event.tags):
            if unknown := _DIRECTIVE.search(text, self.ended, end):
                trouble = syntax.DIRECTIVE
                at = self.source.at(unknown.start())
                raise _fail("E104", trouble.message, at, hint=trouble.hint)
        elif isinstance(event, yaml.ScalarEvent):
            if _SURROGATE.search(event.value):
                found = _NO_CHARACTER.search(text, start, end)
                raise self._no_character(found.start() if found else start)
            colon = _LONE_COLON.match(text, end) if self.flow and event.style is None else None
            if colon:
                at, trouble = self.source.at(colon.end() - 1), syntax.COLON
                raise _fail("E104", trouble.message, at, hint=trouble.hint)
        self.ended = end

    def _no_character(self, index: int) -> ArchcError:
        trouble = syntax.ESCAPE
        return _fail("E104", trouble.message, self.source.at(index), hint=trouble.hint)

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> ArchcError:
        mark = error.problem_mark or error.context_mark
        if mark is None:
            return _fail("E104", error.problem or "this is not YAML", None)
        position = self.at(mark)
        last = self.source.at(len(self.source.text))
        if position.line > last.line:  # libyaml's end of a text without a last line end
            position = last
        opening = self.at(error.context_mark) if error.context_mark else position
        context = error.context or ""
        if "tag" in context:
            raise self._tag(opening)
        if self.source.line(position.line)[position.column - 1 : position.column] == "?" and (
            "flow" in context or "next token" in context
        ):
            raise self._question(position)
        line = self.source.line(position.line)
        if found := shell_expression(line, position.column):
            at = Position(self.source, position.line, found[0])
            return _fail("E104", "braces cannot stand in an expression", at, hint=found[1])
        trouble = syntax.explain(
            error.problem or "",
            context,
            same_line=opening.line == position.line and position != last,
        )
        if trouble is syntax.DIRECTIVE:
            position = Position(self.source, position.line, 1)
        elif trouble is syntax.ESCAPE:
            line = self.source.line(position.line)
            position = Position(
                self.source, position.line, line.rfind("\\", 0, position.column) + 1
            )
        if trouble.at_opening:
            position, opening = opening, position
        rows = (Row(label=trouble.opening, position=opening),) if trouble.opening else ()
        return _fail("E104", trouble.message, position, rows=rows, hint=trouble.hint)

    def _bad_character(self, found: re.Match[str]) -> ArchcError:
        return _fail(
            "E109",
            f"U+{ord(found[0]):04X} is not allowed in YAML",
            self.source.at(found.start()),
            hint="in a quoted text it can be written as an escape",
        )

    def at(self, mark: Any) -> Position:
        return Position(self.source, mark.line + 1, mark.column + 1)

    def document(self) -> Node:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if event.version or event.tags:
                    raise _fail(
                        "E106",
                        "directives are not used in a spec",
                        self.at(event.start_mark),
                        hint="remove this line",
                    )
                if root is not None and event.explicit:
                    raise _fail(
                        "E106",
                        "a file holds one spec, and here a second document begins",
                        self.at(event.start_mark),
                        hint="remove the `---`, or move what follows to a file of its own",
                    )
                root = self.node(next(self.events), 1)
        if root is None or (isinstance(root, Scalar) and root.value is None):
            raise _fail(
                "E110",
                "the spec is empty",
                Position(self.source, 1, 1),
                hint="a spec starts with `archc: 1` and `name: my_net`",
            )
        return root

    def node(self, event: yaml.Event, depth: int) -> Node:
        position = self.at(event.start_mark)
        self.count += 1
        if depth > MAX_DEPTH:
            raise _fail("E107", f"nested deeper than {MAX_DEPTH} levels", position)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, position)
        self.check_budget(position)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._tag(position)
        anchor, before = getattr(event, "anchor", None), self.count
        if anchor is not None:
            self.anchors[anchor] = None
        built: Node
        if isinstance(event, yaml.ScalarEvent):
            built = self.scalar(event, position)
        else:
            outside, self.flow = self.flow, self.flow or bool(getattr(event, "flow_style", False))
            inside = isinstance(event, yaml.SequenceStartEvent)
            built = self.sequence(position, depth) if inside else self.mapping(position, depth)
            self.flow = outside
        if anchor is not None:
            self.anchors[anchor] = (built, self.count - before + 1)
        return built

    def _tag(self, position: Position) -> ArchcError:
        written = self.source.line(position.line)[position.column - 1 :]
        found = _TAG.search(written)
        shown = f"the tag `{found[0]}`" if found else "a tag"
        return _fail("E106", f"{shown} is not allowed", position, hint="remove it")

    def check_budget(self, position: Position) -> None:
        if self.count > MAX_NODES:
            raise _fail("E107", f"more than {MAX_NODES:,} nodes after aliases", position)

    def alias(self, event: yaml.AliasEvent, position: Position) -> Node:
        if event.anchor not in self.anchors:
            raise _fail(
                "E112",
                f"`*{event.anchor}` has no anchor `&{event.anchor}` before it",
                position,
                hint=f"a parameter is read with a dollar: `${event.anchor}`",
            )
        known = self.anchors[event.anchor]
        if known is None:
            raise _fail("E112", f"`*{event.anchor}` contains itself", position)
        node, size = known
        self.count += size
        self.check_budget(position)
        return node

    def scalar(self, event: yaml.ScalarEvent, position: Position) -> Scalar:
        if not event.implicit[0]:  # quoted or block: text, whatever it looks like
            return Scalar(event.value, event.value, position)
        if self.flow and not event.value and _LOADER is yaml.SafeLoader:
            space = _SPACE.match(self.source.text, _index(event.start_mark))
            position = self.source.at(space.end()) if space else position
        return Scalar(core_value(event.value, position), event.value, position)

    def sequence(self, position: Position, depth: int) -> Sequence:
        items = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.node(event, depth + 1))
        return Sequence(tuple(items), position)

    def mapping(self, position: Position, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self.node(event, depth + 1)
            node = self.node(next(self.events), depth + 1)
            entry = self.entry(key, node)
            if entry.key in entries:
                raise _fail(
                    "E105",
                    f"`{entry.key}` is written twice in this mapping",
                    entry.position,
                    rows=(Row(label="first", position=entries[entry.key].position),),
                )
            entries[entry.key] = entry
        return Mapping(entries, position)

    def entry(self, key: Node, node: Node) -> Entry:
        if not isinstance(key, Scalar) or not isinstance(key.value, str):
            what = f", `{key.text}` is none" if isinstance(key, Scalar) else ""
            words = [*key.entries] if isinstance(key, Mapping) else []
            alone = isinstance(node, Scalar) and node.value is None and self.flow
            hint = keyless(getattr(key, "text", ""), words) if alone else None
            raise _fail("E111", f"a key must be a word{what}", key.position, hint=hint)
        if key.text == "<<":
            raise _fail(
                "E106",
                "the merge key `<<` is not used in a spec",
                key.position,
                hint="put what is shared in `defaults` or in a block",
            )
        return Entry(key.value, key.position, node)


def _index(mark: Any) -> int:
    """Return where a mark is; libyaml's count bytes there, those of the pure parser characters."""
    index: int = mark.index
    return index


def _unreadable(name: str, reason: str) -> ArchcError:
    return _fail("E101", f"cannot read {name}: {reason}", None, exit_code=USAGE_OR_ENVIRONMENT)


def _fail(
    code: str,
    message: str,
    position: Position | None,
    *,
    rows: tuple[Row, ...] = (),
    hint: str | None = None,
    exit_code: int = 1,
) -> ArchcError:
    diagnostic = Diagnostic(code=code, message=message, position=position, rows=rows, hint=hint)
    return ArchcError(diagnostic, exit_code=exit_code)

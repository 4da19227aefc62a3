"""A spec and its bases become one document: what each file says anew replaces what was there.

`params` merge by name, `defaults` by op and attribute, `blocks` and `heads` by name, everything
else is replaced whole; null removes. Patches are gathered in the order in which they apply: those
of a base before the child's sections, which come before the child's own patches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archcompiler import fields, parameters, source
from archcompiler.errors import ArchcError, Diagnostic, Report, Row, did_you_mean
from archcompiler.habits import spaced
from archcompiler.position import Position, Source
from archcompiler.source import Entry, Mapping, Node, Scalar

OWN = ("archc", "name", "summary", "extends", "patch")
"""What a spec does not inherit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One document, and in what order its parts were written.

    `born` counts the files and patches before what now stands there; what was dropped is in it.
    """

    root: Mapping
    versions: tuple[Entry, ...]
    born: dict[str, int]
    patches: tuple[tuple[int, Node], ...]
    bases: frozenset[Source]
    names: tuple[Entry, ...]
    """What gives the names of the specs that it extends, the nearest first."""
    extends: Position | None
    """Where the spec says what it extends."""
    inherited: frozenset[str]
    """The parameters that its bases have, or had."""
    dropped: dict[str, Position]
    """By path, as `heads/AuxLogits`, the null that removed a parameter, a block or a head."""


def merge(documents: Sequence[Node]) -> Merged:
    """Merge a chain of documents, the first base in front.

    Raises `ArchcError`: E204 for what is no spec, E318 for a null that removes what is not there.
    """
    report = Report()
    entries: dict[str, Entry] = {}
    versions: list[Entry] = []
    born: dict[str, int] = {}
    patches: list[tuple[int, Node]] = []
    dropped: dict[str, Position] = {}
    order = 0
    maps = [_mapping(document) for document in documents]
    for document in maps:
        entries = {k: e for k, e in entries.items() if k not in OWN}
        entries = _over(entries, document, report, first=document is maps[0])
        versions += [document.entries["archc"]] if "archc" in document.entries else []
        for part in _parts(document):
            born[part] = order
        if order:
            dropped |= _dropped(document)
        order += 1
        for node in _patches(document, report):
            patches.append((order, node))
            order += 1
    report.raise_errors()
    root = Mapping(entries, documents[-1].position)
    bases = frozenset(document.position.source for document in documents[:-1])
    names = [d.entries["name"] for d in maps[-2::-1] if "name" in d.entries]
    extends = entries["extends"].node.position if "extends" in entries else None
    return Merged(
        root=root,
        versions=tuple(versions),
        born=born,
        patches=tuple(patches),
        bases=bases,
        names=tuple(names),
        extends=extends,
        inherited=frozenset(name for d in maps[:-1] for name in _parameters(d)),
        dropped=dropped,
    )


def _over(
    below: dict[str, Entry], document: Mapping, report: Report, *, first: bool
) -> dict[str, Entry]:
    """Return the base's entries with those of a document on top."""
    if first:
        return document.entries
    found = dict(below)
    for key, entry in document.entries.items():
        if key == "params" and key in below:
            entry = _typed(below[key], entry, report)
        found[key] = merged(below[key], entry, report) if key in below else entry
    return found


def _typed(base: Entry, entry: Entry, report: Report) -> Entry:
    """Return parameters with the types that they have in the base."""
    if not isinstance(base.node, Mapping) or not isinstance(entry.node, Mapping):
        return entry
    found = dict(entry.node.entries)
    for name, item in found.items():
        below = base.node.entries.get(name)
        old, new = below.node if below else None, item.node
        if not isinstance(old, Scalar) or not isinstance(new, Scalar):
            continue  # `validate` says what is wrong
        if old.value is None or new.value is None:
            continue
        value = parameters.alike(new.value, old.value)
        if value is None:
            row = Row(label="base", value=fields.plain(old.value), position=old.position)
            message = f"`{name}`: expected {parameters.kind(old.value)} like the base's"
            report.error("E204", message, new.position, rows=[row])
        else:
            found[name] = Entry(name, item.position, Scalar(value, new.text, new.position))
    return Entry(entry.key, entry.position, Mapping(found, entry.node.position))


NAMED = {
    "params": "parameter", "blocks": "block", "heads": "head", "with": "argument",
    "branches": "branch", "split": "share of",
}  # fmt: skip
"""Keys whose values merge by name, and what they name."""


def merged(base: Entry, entry: Entry, report: Report) -> Entry:
    """Put what is written under a key over what was: by name, by op and attribute, or whole."""
    if not isinstance(base.node, Mapping) or not isinstance(entry.node, Mapping):
        return entry
    if entry.key in NAMED:
        return _named(base, entry, NAMED[entry.key], report)
    return _defaults(base, entry, report) if entry.key == "defaults" else entry


def _named(base: Entry, entry: Entry, what: str, report: Report) -> Entry:
    """Replace by name; what has the value null goes."""
    assert isinstance(base.node, Mapping)
    assert isinstance(entry.node, Mapping)
    found = dict(base.node.entries)
    for name, item in entry.node.entries.items():
        if not is_null(item.node):
            found[name] = item
        elif name in found:
            del found[name]
        else:
            report.error(
                "E318",
                f"null removes, and there is no {what} `{name}` to remove",
                item.position,
                hint=spaced(name, base.node.entries) or did_you_mean(name, base.node.entries),
            )
    return Entry(entry.key, entry.position, Mapping(found, entry.node.position))


def _defaults(base: Entry, entry: Entry, report: Report) -> Entry:
    """Merge defaults by op, and of an op attribute by attribute."""
    assert isinstance(base.node, Mapping)
    assert isinstance(entry.node, Mapping)
    merged = {}
    for op, item in entry.node.entries.items():
        below = base.node.entries.get(op)
        below = below if below and isinstance(below.node, Mapping) else empty(item)
        both = isinstance(item.node, Mapping)
        merged[op] = _named(below, item, f"`{op}` default", report) if both else item
    node = Mapping(merged, entry.node.position)
    return _named(base, Entry(entry.key, entry.position, node), "default of", report)


def empty(entry: Entry) -> Entry:
    """Return an entry that says nothing yet under the key of another."""
    return Entry(entry.key, entry.position, Mapping({}, entry.position))


def is_null(node: Node) -> bool:
    """Tell whether a node is null or empty."""
    return isinstance(node, Scalar) and node.value is None


def _mapping(document: Node) -> Mapping:
    if not isinstance(document, Mapping):
        message = "a spec is a mapping with `archc: 1` on top"
        raise ArchcError(Diagnostic(code="E204", message=message, position=document.position))
    return document


def _parts(document: Mapping) -> Iterable[str]:
    """Name what a document writes: sections, heads, blocks."""
    for section in ("stem", "body"):
        if section in document.entries:
            yield section
    for key in ("heads", "blocks"):
        entry = document.entries.get(key)
        if entry and isinstance(entry.node, Mapping):
            yield from (f"{key}/{name}" for name in entry.node.entries)


def _parameters(document: Mapping) -> Iterable[str]:
    entry = document.entries.get("params")
    return entry.node.entries if entry and isinstance(entry.node, Mapping) else ()


def _dropped(document: Mapping) -> Iterable[tuple[str, Position]]:
    """Name what a document drops of its base, and where it says so."""
    for key in ("params", "heads", "blocks"):
        entry = document.entries.get(key)
        if entry and isinstance(entry.node, Mapping):
            for name, item in entry.node.entries.items():
                if is_null(item.node):
                    yield f"{key}/{name}", item.position


def _patches(document: Mapping, report: Report) -> tuple[Node, ...]:
    entry = document.entries.get("patch")
    if entry is None or is_null(entry.node):
        return ()
    if isinstance(entry.node, source.Sequence):
        return entry.node.items
    report.error(
        "E204",
        "`patch`: expected a list of patches",
        entry.node.position,
        hint="write each on a line of its own: `- {set: PATH, kernel: 3}`",
    )
    return ()

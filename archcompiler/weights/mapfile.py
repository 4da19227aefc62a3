"""Reads a name map from its YAML, with a position for every mistake (E911)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping as Table
from pathlib import Path
from typing import NoReturn, cast

from archcompiler.errors import ArchcError, Diagnostic, WrongValue, did_you_mean, one_of
from archcompiler.fields import check, yaml_text
from archcompiler.names import problem
from archcompiler.position import Position
from archcompiler.source import Mapping, Node, Scalar, Sequence, load
from archcompiler.weights import pattern
from archcompiler.weights.namemap import KINDS, WEIGHTS, Layout, NameMap, Place, Requirement

REQUIRED = ("archc_map", "network", "source", "title")
KEYS = (
    *REQUIRED, "same_as", "layout", "tensors", "layers", "ignore", "without", "requires", "notes",
    "renumber", "depth_order",
)  # fmt: skip
LAYOUTS = ("torch", "tensorflow")
OTHERS = "*"


def read_map(path: Path) -> NameMap:
    """Read a map. Raises `ArchcError`: E911 for what it says, or a code of the room load."""
    root = load(path)
    entries = _table(root, KEYS, "a name map")
    for key in REQUIRED:
        if key not in entries:
            _wrong(root.position, f"a name map says `{key}`")
    if _word(entries["archc_map"]) != "1":
        _wrong(entries["archc_map"].position, "this archc reads `archc_map: 1`")
    own = NameMap(
        network=_name(entries["network"]),
        source=_word(entries["source"]),
        title=_word(entries["title"]),
        layout=_layout(entries.get("layout")),
        tensors=_tensors(entries.get("tensors")),
        layers={},
        others=None,
        ignore=_words(entries.get("ignore")),
        without=_words(entries.get("without")),
        requires=_requires(entries.get("requires")),
        notes=_words(entries.get("notes")),
        renumber=_words(entries.get("renumber")),
        depth_order=tuple(w for t in _words(entries.get("depth_order")) for w in t.split()),
        position=root.position,
    )
    layers, others = _layers(entries.get("layers"))
    own = dataclasses.replace(own, layers=layers, others=others)
    if "same_as" in entries:
        return _like(own, entries["same_as"], path)
    for key in ("layout", "tensors", "layers"):
        if key not in entries:
            _wrong(root.position, f"a name map says `{key}`, or `same_as` with another's name")
    return own


def _like(own: NameMap, node: Node, path: Path) -> NameMap:
    """Complete a map by that of another source of the network, which may not be such a map too."""
    other = path.with_name(f"{own.network}.{_name(node)}.yaml")
    if other == path or not other.is_file():
        _wrong(node.position, f"there is no {other.name} beside this file")
    if isinstance(root := load(other), Mapping) and "same_as" in root.entries:
        _wrong(node.position, f"{other.name} says `same_as` itself")
    base = read_map(other)
    names = ("ignore", "without", "requires", "renumber", "depth_order")
    return dataclasses.replace(
        base,
        source=own.source,
        title=own.title,
        notes=own.notes,
        **{name: getattr(own, name) or getattr(base, name) for name in names},
    )


def _layout(node: Node | None) -> Layout:
    if node is None:
        return "tensorflow"
    word = _word(node)
    if word not in LAYOUTS:
        _wrong(node.position, f"`{word}` is no layout", f"{one_of(LAYOUTS)}")
    return cast(Layout, word)


def _tensors(node: Node | None) -> dict[str, dict[str, str]]:
    if node is None:
        return {}
    return {
        kind: _names(names, f"`{kind}`") for kind, names in _table(node, KINDS, "`tensors`").items()
    }


def _names(node: Node, what: str) -> dict[str, str]:
    """Read what the tensors of a layer are called, by our names."""
    found = {}
    for weight, name in _table(node, WEIGHTS, what).items():
        found[weight] = _word(name)
        if found[weight].count("{}") != 1:
            _wrong(name.position, "the name needs one `{}`, where the layer's word goes")
    return found


def _layers(node: Node | None) -> tuple[dict[tuple[str, ...], Place], Place | None]:
    layers: dict[tuple[str, ...], Place] = {}
    others: Place | None = None
    if node is None:
        return layers, others
    if not isinstance(node, Mapping):
        _wrong(node.position, "`layers` maps paths of the network to layers of the source")
    for entry in node.entries.values():
        place = _place(entry.node)
        if entry.key == OTHERS:
            others = place
            continue
        try:
            choices = [pattern.names(word.strip()) for word in entry.key.split("|")]
            for alternatives in zip(*choices, strict=True):
                paths = tuple(path for path, _ in alternatives)
                if paths in layers:
                    _wrong(entry.position, f"the map names `{paths[0]}` twice")
                word = pattern.fill(place.word, alternatives[0][1])
                layers[paths] = dataclasses.replace(place, word=word, position=entry.position)
        except pattern.PatternError as error:
            _wrong(entry.position, str(error))
        except ValueError:
            _wrong(entry.position, "the names around `|` need equally many alternatives")
    return layers, others


def _place(node: Node) -> Place:
    if isinstance(node, Scalar):
        return Place(word=node.text, kind="conv", flatten=None, position=node.position)
    entries = _table(node, (*KINDS, "flatten", "tensors"), "a layer of the source")
    kinds = [kind for kind in KINDS if kind in entries]
    if len(kinds) != 1:
        _wrong(node.position, f"a layer of the source is one {one_of(KINDS)}")
    flatten = None
    if "flatten" in entries:
        text = _word(entries["flatten"])
        sizes = [] if text == "none" else text.split("x")
        if len(sizes) not in (0, 3) or not all(n.isdecimal() and 0 < int(n) < 2**31 for n in sizes):
            _wrong(entries["flatten"].position, "`flatten` is a map, as in `4x4x128`, or `none`")
        flatten = tuple(map(int, sizes))
    own = _names(entries["tensors"], "`tensors`") if "tensors" in entries else None
    word, kind = _word(entries[kinds[0]]), kinds[0]
    return Place(word=word, kind=kind, flatten=flatten, position=node.position, tensors=own)


def _requires(node: Node | None) -> tuple[Requirement, ...]:
    from archcompiler.op import plain_attributes
    from archcompiler.ops import BY_KEY

    found = []
    for op, attributes in (_table(node, BY_KEY, "`requires`") if node else {}).items():
        known = plain_attributes(BY_KEY[op])
        for name, value in _table(attributes, known, f"`{op}`").items():
            if not isinstance(value, Scalar) or value.value is None:
                _wrong(value.position, f"`{name}` needs one value")
            try:
                wanted = check(known[name], value.value)
            except WrongValue as error:
                _wrong(value.position, f"`{name}`: {error}", error.hint)
            found.append(
                Requirement(
                    op=op,
                    attribute=name,
                    value=wanted,
                    text=yaml_text(value.value),
                    position=value.position,
                )
            )
    return tuple(found)


def _table(node: Node, known: Table[str, object] | tuple[str, ...], what: str) -> dict[str, Node]:
    if not isinstance(node, Mapping):
        _wrong(node.position, f"{what} is a mapping")
    for entry in node.entries.values():
        if entry.key not in known:
            hint = did_you_mean(entry.key, known) or f"it may have {one_of(list(known))}"
            _wrong(entry.position, f"{what} has no `{entry.key}`", hint)
    return {key: entry.node for key, entry in node.entries.items()}


def _words(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple(map(_word, items))


def _word(node: Node) -> str:
    if not isinstance(node, Scalar) or not node.text:
        _wrong(node.position, "a word is expected here")
    return node.text


def _name(node: Node) -> str:
    """Read a word that is part of a file's name."""
    word = _word(node)
    if why := problem(word):
        _wrong(node.position, why)
    return word


def _wrong(position: Position, message: str, hint: str | None = None) -> NoReturn:
    raise ArchcError(Diagnostic(code="E911", message=message, position=position, hint=hint))

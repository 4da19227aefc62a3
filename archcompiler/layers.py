"""How room 2 reads layers: one walk over a list of them, each checked by its op or container."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from archcompiler import fields
from archcompiler.elsewhere import op_hint, part_hint
from archcompiler.errors import one_of
from archcompiler.habits import spaced
from archcompiler.op import Op, attributes
from archcompiler.ops import BY_KEY
from archcompiler.source import Entry, Mapping, Node, Scalar, Sequence
from archcompiler.spec import (
    COMMON,
    CONTAINERS,
    Attribute,
    Attributes,
    Branch,
    Defaults,
    Layer,
    Name,
)
from archcompiler.values import Values, argument_hint, main_hint, section_hint

CONTAINER_KEYS = {
    "layers": ("layers",),
    "branches": ("branches", "join", "split"),
    "block": ("block", "with"),
}


def as_group(node: Node) -> Mapping:
    """Write a list of layers, or one layer, as the group it means."""
    return Mapping({"layers": Entry("layers", node.position, node)}, node.position)


def spelled_out(node: Node) -> Node:
    """Write a bare word as the layer it means."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return node
    op = Entry(node.value, node.position, Scalar(None, "", node.position))
    return Mapping({op.key: op}, node.position)


class Layers(Values):
    """Reads nodes into layers; methods leave out what they reported."""

    def sequence(self, node: Node) -> tuple[Layer, ...]:
        """Check a list of layers, or one layer."""
        nodes = node.items if isinstance(node, Sequence) else (node,)
        layers = [self.layer(n) for n in nodes]
        return tuple(layer for layer in layers if layer)

    def listed(self, node: Node) -> Layer:
        """Make a list of layers, or one layer, a group."""
        layers = self.sequence(node)
        return Layer(key="layers", position=node.position, node=as_group(node), layers=layers)

    def container(self, node: Node) -> Layer | None:
        """Check what a block is made of."""
        return self.layer(node, extra=("params",), only_containers=True)

    def keyed_layer(self, node: Node, key: str, extra: tuple[str, ...] = ()) -> Layer | None:
        """Check a branch's or head's layer: one layer, or a list that becomes a group."""
        if isinstance(node, Sequence):
            return self.listed(node)
        return self.layer(node, extra=extra, nameless=f"`{key}`")

    def layer(
        self,
        node: Node,
        *,
        extra: tuple[str, ...] = (),
        only_containers: bool = False,
        nameless: str | None = None,
    ) -> Layer | None:
        """Check one layer.

        `extra` keys were read by the caller; a `nameless` one has its name from its key.
        """
        node = spelled_out(node)
        if not isinstance(node, Mapping):
            self.report.error(
                "E204", "expected a layer like {conv: 64, kernel: 3, name: a}", node.position
            )
            return None
        kind = self._kind(node, only_containers)
        if kind is None:
            return None
        key = kind.key
        own = CONTAINER_KEYS[key] if key in CONTAINERS else tuple(self._op_keys(BY_KEY[key]))
        common = ("defaults",) if only_containers else COMMON
        known = (*own, *common, *extra)
        where = f"`{key}`" if not only_containers else "a block" if extra else "a section"
        otherwise = main_hint(BY_KEY[key]) if key in BY_KEY else argument_hint(key)
        if where == "a section":
            otherwise = section_hint
        found = self.entries(node, (key, *known), where, otherwise=otherwise)
        if nameless and "name" in found:
            self.report.error(
                "E209",
                f"{nameless} is the name already",
                found.pop("name").position,
                hint="drop `name`, or write a list of layers",
            )
        if nameless and "repeat" in found:
            self.report.error(
                "E209",
                f"{nameless} is one layer, and `repeat` gives several",
                found.pop("repeat").position,
                hint="write a list of layers",
            )
        details = self._contents(key, found) if key in CONTAINERS else self._op(BY_KEY[key], found)
        return Layer(
            key=key,
            position=kind.position,
            node=node,
            name=self.entry_name(found.get("name")),
            sources=self._sources(found.get("from")),
            expect=self.attribute(found.get("expect"), fields.ShapeField),
            end_point=self.entry(found.get("end_point"), fields.Flag),
            repeat=self._repeat(found.get("repeat")),
            defaults=self.defaults(found.get("defaults")),
            **details,
        )

    def _kind(self, node: Mapping, only_containers: bool) -> Entry | None:
        """Find the one key that says what the layer is."""
        kinds = [e for k, e in node.entries.items() if k in CONTAINERS or k in BY_KEY]
        if only_containers:
            kinds = [e for e in kinds if e.key in ("layers", "branches")]
        if len(kinds) == 1:
            return kinds[0]
        if kinds:
            self.report.error(
                "E203",
                f"a layer is one op, this one is {' and '.join(f'`{e.key}`' for e in kinds)}",
                kinds[1].position,
                hint=part_hint([e.key for e in kinds])
                or "write two layers, each `- {op: ...}` on a line of its own",
            )
            return None
        self._unknown_kind(node, only_containers)
        return None

    def _unknown_kind(self, node: Mapping, only_containers: bool) -> None:
        if only_containers:
            self.report.error(
                "E202",
                "expected `layers:` or `branches:` here",
                node.position,
                hint="write the layers as a list under `layers:`",
            )
            return
        rest = [
            e for e in node.entries.values() if e.key not in COMMON and not e.key.startswith("x-")
        ]
        words = {e.key for e in rest}
        fitting = [key for key, op in BY_KEY.items() if words and words <= set(attributes(op))]
        attribute_names = {a for op in BY_KEY.values() for a in attributes(op)}
        rest = [e for e in rest if e.key not in attribute_names]
        if not rest:
            self.report.error(
                "E202",
                "this layer has no op",
                node.position,
                hint=f"these are keys of {one_of(fitting)}"
                if fitting
                else "`from` belongs to an op, as `{identity, from: ...}`, or to a head"
                if "from" in node.entries
                else "write it like {conv: 64, kernel: 3, name: a}",
            )
            return
        word, inner = rest[0].key, rest[0].node
        hint = spaced(word, (*BY_KEY, *CONTAINERS)) or op_hint(word)
        if isinstance(inner, Mapping) and any(k in BY_KEY for k in inner.entries):
            hint = f"a name is an attribute of its layer: add `name: {word}` to what follows"
        self.report.error("E202", f"`{word}` is no op", rest[0].position, hint=hint)

    def _op_keys(self, op: type[Op]) -> Iterable[str]:
        return (name for name in attributes(op) if name != op.main)

    def _op(self, op: type[Op], found: dict[str, Entry]) -> dict[str, Any]:
        values: Attributes = {}
        for name in attributes(op):
            entry = found.get(op.key if name == op.main else name)
            if entry is None or (name == op.main and self.is_null(entry.node)):
                continue
            if value := self.op_attribute(op, name, entry):
                values[name] = value
        if op.main is None and not self.is_null(found[op.key].node):
            self.report.error(
                "E204", f"`{op.key}` takes no number", found[op.key].node.position,
                hint=f"write `{{{op.key}, name: a}}`",
            )  # fmt: skip
        return {"attributes": values}

    def _contents(self, key: str, found: dict[str, Entry]) -> dict[str, Any]:
        if key == "layers":
            return {"layers": self.sequence(found["layers"].node)}
        if key == "block":
            block = self.entry_reference(found["block"])
            return {"block": block, "arguments": self.values(found.get("with"))}
        branches = [self.branch(b) for b in self.named_nodes(found["branches"], "branches")]
        split = self._split(found["split"]) if "split" in found else None
        return {
            "branches": tuple(b for b in branches if b),
            "join": self.word(found.get("join"), ("concat", "add")) or "concat",
            "split": split,
        }

    def _split(self, entry: Entry) -> Attributes:
        values: Attributes = {}
        for item in self.items(entry):
            if self.is_null(item.node):
                hint = spaced(item.key, [item.key.partition(":")[0]])
                self.report.error(
                    "E204", f"`{item.key}`: expected a number", item.position, hint=hint
                )
            elif value := self.attribute(item, fields.Count):
                values[item.key] = value
        return values

    def branch(self, entry: Entry) -> Branch | None:
        """Check a branch: a list of layers, or one layer that has its key as its name."""
        name = self.name(entry.key, entry.position)
        single = not isinstance(entry.node, Sequence)
        layers: tuple[Layer, ...]
        if single:
            layer = self.layer(entry.node, nameless=f"`{entry.key}`")
            layers = (layer,) if layer else ()
        else:
            layers = self.sequence(entry.node)
        if name is None or (single and not layers):
            return None
        defaults: Defaults = {}
        own = {*entry.node.entries} if isinstance(entry.node, Mapping) else set()
        if {k for k in own if not k.startswith("x-")} == {"layers", "defaults"}:
            single, layers, defaults = False, layers[0].layers, layers[0].defaults
        return Branch(name=name, node=entry.node, layers=layers, single=single, defaults=defaults)

    def _sources(self, entry: Entry | None) -> tuple[Name, ...]:
        if entry is None:
            return ()
        nodes = entry.node.items if isinstance(entry.node, Sequence) else (entry.node,)
        words = []
        for node in nodes or (entry.node,):
            if isinstance(node, Scalar) and isinstance(node.value, str):
                words.append(Name(node.value, node.position))
            else:
                self.report.error(
                    "E204", "`from`: expected a name, or a list of names", node.position
                )
        return tuple(words)

    def _repeat(self, entry: Entry | None) -> Attribute | None:
        if entry is None:
            return None
        if isinstance(entry.node, Sequence):
            found = [self.node_name(n) for n in entry.node.items]
            if not found:
                self.report.error("E204", "`repeat`: expected at least one name", entry.position)
            return Attribute([n for n in found if n], entry.node.position)
        if names := self._names_of(entry.node):
            self.report.error(
                "E204",
                f"`repeat`: expected how often, or a list of names, got {fields.plain(names)}",
                entry.node.position,
                hint=f"write `[{', '.join(re.split('[, ]+', names))}]`",
            )
            return None
        return self.attribute(entry, fields.Count)

    def _names_of(self, node: Node) -> str | None:
        """Return words that look like several names, and are no list."""
        words = node.value if isinstance(node, Scalar) else None
        if isinstance(node, Mapping) and all(self.is_null(e.node) for e in node.entries.values()):
            words = ", ".join(node.entries)
        if isinstance(words, str) and re.fullmatch(r"[A-Za-z]\w*([, ]+[A-Za-z]\w*)+", words):
            return words
        return None

"""Room 2, validate: nodes to a `Spec`.

Knows which keys and types the language has and nothing of what they add up to. Every independent
mistake is reported; what is wrong is left out, so that it causes no second error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archcompiler import fields
from archcompiler.elsewhere import op_hint
from archcompiler.errors import Report, one_of
from archcompiler.expression import Value
from archcompiler.op import Op, attributes
from archcompiler.ops import BY_KEY
from archcompiler.position import Position
from archcompiler.source import Entry, Mapping, Node, Scalar, Sequence
from archcompiler.spec import (
    COMMON,
    CONTAINERS,
    Attribute,
    Attributes,
    Block,
    Branch,
    Head,
    Layer,
    Name,
    Spec,
)
from archcompiler.values import Values, argument_hint, main_hint

TOP = (
    "archc", "name", "summary", "input", "output", "params", "defaults", "blocks", "stem", "body",
    "heads",
)  # fmt: skip
REQUIRED = ("archc", "name", "input", "stem", "body", "heads")
CONTAINER_KEYS = {
    "layers": ("layers",),
    "branches": ("branches", "join", "split"),
    "block": ("block", "with"),
}
HEAD_KEYS = ("training_only", "loss_weight")


def validate(root: Node) -> Spec:
    """Check a whole document. Raises `ArchcError` with all errors E201 to E210 found."""
    report = Report()
    spec = _Validator(report).spec(root)
    report.raise_errors()
    assert spec is not None, "no errors, so there is a spec"
    return spec


class _Validator(Values):
    """One walk over the nodes; every method reports into `report` and returns what was right."""

    # Documents

    def spec(self, root: Node) -> Spec | None:
        if not isinstance(root, Mapping):
            self.report.error("E204", "a spec is a mapping with `archc: 1` on top", root.position)
            return None
        found = self.entries(root, TOP, "a spec", required=REQUIRED)
        self.version(found.get("archc"))
        name = self.entry_name(found.get("name"))
        shape = self.entry(found.get("input"), fields.MapField)
        head_nodes = self.named_nodes(found.get("heads"), "heads")
        heads = [self.head(h) for h in head_nodes]
        spec_params = self.spec_params(found.get("params"))
        blocks = [self.block(b) for b in self.named_nodes(found.get("blocks"), "blocks")]
        stem, body = self.section(found.get("stem")), self.section(found.get("body"))
        defaults = self.defaults(found.get("defaults"))
        summary = self.entry_text(found.get("summary"))
        output = self.entry_reference(found.get("output"))
        if name is None or shape is None or stem is None or body is None:
            return None
        return Spec(
            name=name,
            summary=summary,
            input=shape,
            input_position=found["input"].node.position,
            output=output,
            params=spec_params,
            defaults=defaults,
            blocks={b.name.text: b for b in blocks if b},
            stem=stem,
            body=body,
            heads=tuple(h for h in heads if h),
            position=root.position,
        )

    def version(self, entry: Entry | None) -> None:
        if entry is None:
            return
        value = entry.node.value if isinstance(entry.node, Scalar) else None
        if type(value) is not int or value != 1:
            self.report.error(
                "E207",
                "this archc reads version 1 of the language",
                entry.node.position,
                hint="write `archc: 1`, or install a newer archc",
            )

    def spec_params(self, entry: Entry | None) -> dict[str, tuple[Value, Position]]:
        found: dict[str, tuple[Value, Position]] = {}
        for item in self.items(entry):
            if not self.parameter_name(item):
                continue
            node = item.node
            if not isinstance(node, Scalar) or node.value is None or self.is_expression(node):
                self.report.error(
                    "E204",
                    f"`{item.key}`: a parameter of a spec is a number, true, false or a word",
                    node.position,
                    hint="an expression stands where it is used"
                    if self.is_expression(node)
                    else None,
                )
                continue
            if self.finite(item.key, node.value, node.position):
                found[item.key] = (node.value, node.position)
        return found

    def block(self, entry: Entry) -> Block | None:
        name = self.name(entry.key, entry.position)
        if not isinstance(entry.node, Mapping):
            self.report.error(
                "E204",
                "a block is a mapping with `layers` or `branches`",
                entry.node.position,
                hint=f"write `{entry.key}: {{layers: [...]}}`",
            )
            return None
        params: Attributes = {}
        for item in self.items(entry.node.entries.get("params")):
            if self.parameter_name(item):
                value = self.plain(item.node)
                if isinstance(value, dict | list):
                    self.report.error(
                        "E204",
                        f"`{item.key}`: a parameter is a number, true, false, a word or null",
                        item.node.position,
                    )
                    continue
                if self.finite(item.key, value, item.node.position):
                    params[item.key] = Attribute(value, item.node.position)
        layer = self.layer(entry.node, extra=("params",), only_containers=True)
        if name is None or layer is None:
            return None
        return Block(name=name, params=params, layer=layer)

    def head(self, entry: Entry) -> Head | None:
        name = self.name(entry.key, entry.position)
        node = entry.node
        training_only, weight = False, None
        if isinstance(node, Mapping):
            training_only = bool(self.entry(node.entries.get("training_only"), fields.Flag))
            weight = self.entry(node.entries.get("loss_weight"), fields.NotNegative)
            if training_only and "loss_weight" not in node.entries:
                self.report.error(
                    "E205",
                    f"the training-only head `{entry.key}` needs its `loss_weight`",
                    node.entries["training_only"].position,
                    hint="add `loss_weight: 0.4`, its share in the training loss",
                )
            if weight is not None and not training_only:
                self.report.error(
                    "E209",
                    "`loss_weight` belongs to a head with `training_only: true`",
                    node.entries["loss_weight"].position,
                )
        layer = self.keyed_layer(node, entry.key, extra=HEAD_KEYS)
        if name is None or layer is None:
            return None
        return Head(name=name, layer=layer, training_only=training_only, loss_weight=weight)

    def section(self, entry: Entry | None) -> Layer | None:
        if entry is None:
            return None
        node = entry.node
        if isinstance(node, Mapping) and "layers" in node.entries:
            return self.layer(node, only_containers=True)
        return Layer(key="layers", position=node.position, layers=self.sequence(node))

    # Layers

    def sequence(self, node: Node) -> tuple[Layer, ...]:
        """Check a list of layers, or one layer."""
        nodes = node.items if isinstance(node, Sequence) else (node,)
        layers = [self.layer(n) for n in nodes]
        return tuple(layer for layer in layers if layer)

    def keyed_layer(self, node: Node, key: str, extra: tuple[str, ...] = ()) -> Layer | None:
        """Check a branch's or head's layer: one layer, or a list that becomes a group."""
        if isinstance(node, Sequence):
            layers = self.sequence(node)
            return Layer(key="layers", position=node.position, layers=layers)
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
        if isinstance(node, Scalar) and isinstance(node.value, str):
            node = Mapping(
                {node.value: Entry(node.value, node.position, Scalar(None, "", node.position))},
                node.position,
            )
        if not isinstance(node, Mapping):
            self.report.error(
                "E204", "expected a layer like {conv: 64, kernel: 3, name: a}", node.position
            )
            return None
        kind = self.kind(node, only_containers)
        if kind is None:
            return None
        key = kind.key
        own = CONTAINER_KEYS[key] if key in CONTAINERS else tuple(self.op_keys(BY_KEY[key]))
        common = ("defaults",) if only_containers else COMMON
        known = (*own, *common, *extra)
        where = f"`{key}`" if not only_containers else "a block" if extra else "a section"
        otherwise = main_hint(BY_KEY[key]) if key in BY_KEY else argument_hint(key)
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
        details = self.container(key, found) if key in CONTAINERS else self.op(BY_KEY[key], found)
        return Layer(
            key=key,
            position=kind.position,
            name=self.entry_name(found.get("name")),
            sources=self.sources(found.get("from")),
            expect=self.attribute(found.get("expect"), fields.ShapeField),
            end_point=self.entry(found.get("end_point"), fields.Flag),
            repeat=self.repeat(found.get("repeat")),
            defaults=self.defaults(found.get("defaults")),
            **details,
        )

    def kind(self, node: Mapping, only_containers: bool) -> Entry | None:
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
                hint="write two layers, each `- {op: ...}` on a line of its own",
            )
            return None
        self.unknown_kind(node, only_containers)
        return None

    def unknown_kind(self, node: Mapping, only_containers: bool) -> None:
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
                else "write it like {conv: 64, kernel: 3, name: a}",
            )
            return
        word, inner = rest[0].key, rest[0].node
        hint = op_hint(word)
        if isinstance(inner, Mapping) and any(k in BY_KEY for k in inner.entries):
            hint = f"a name is an attribute of its layer: add `name: {word}` to what follows"
        self.report.error("E202", f"`{word}` is no op", rest[0].position, hint=hint)

    def op_keys(self, op: type[Op]) -> Iterable[str]:
        return (name for name in attributes(op) if name != op.main)

    def op(self, op: type[Op], found: dict[str, Entry]) -> dict[str, Any]:
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

    def container(self, key: str, found: dict[str, Entry]) -> dict[str, Any]:
        if key == "layers":
            return {"layers": self.sequence(found["layers"].node)}
        if key == "block":
            block = self.entry_reference(found["block"])
            return {"block": block, "arguments": self.values(found.get("with"))}
        branches = [self.branch(b) for b in self.named_nodes(found["branches"], "branches")]
        split = self.split(found["split"]) if "split" in found else None
        return {
            "branches": tuple(b for b in branches if b),
            "join": self.word(found.get("join"), ("concat", "add")) or "concat",
            "split": split,
        }

    def split(self, entry: Entry) -> Attributes:
        values: Attributes = {}
        for item in self.items(entry):
            if self.is_null(item.node):
                self.report.error("E204", f"`{item.key}`: expected a number", item.position)
            elif value := self.attribute(item, fields.Count):
                values[item.key] = value
        return values

    def branch(self, entry: Entry) -> Branch | None:
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
        return Branch(name=name, layers=layers, single=single)

    def sources(self, entry: Entry | None) -> tuple[Name, ...]:
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

    def repeat(self, entry: Entry | None) -> Attribute | None:
        if entry is None:
            return None
        if isinstance(entry.node, Sequence):
            found = [self.node_name(n) for n in entry.node.items]
            if not found:
                self.report.error("E204", "`repeat`: expected at least one name", entry.position)
            return Attribute([n for n in found if n], entry.node.position)
        return self.attribute(entry, fields.Count)

"""Room 2, validate: nodes to a `Spec`.

Knows which keys and types the language has and nothing of what they add up to. Every independent
mistake is reported; what is wrong is left out, so that it causes no second error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

from archcompiler import fields
from archcompiler.errors import Report, one_of
from archcompiler.expression import Value
from archcompiler.habits import verb_hint
from archcompiler.layers import Layers
from archcompiler.merge import Merged
from archcompiler.names import IDENTIFIER
from archcompiler.op import attributes
from archcompiler.ops import BY_KEY, OPS
from archcompiler.position import Position
from archcompiler.source import MAX_DEPTH, Entry, Mapping, Node, Scalar, Sequence
from archcompiler.spec import (
    CONTAINERS,
    Attribute,
    Attributes,
    Block,
    Head,
    Layer,
    Patch,
    Spec,
    Verb,
)

TOP = (
    "archc", "name", "summary", "input", "output", "params", "defaults", "blocks", "stem", "body",
    "heads", "extends", "patch",
)  # fmt: skip
REQUIRED = ("archc", "name", "input", "stem", "body", "heads")
VERBS = ("set", "replace", "remove", "before", "after")
CONTENT = {"replace": "by", "before": "insert", "after": "insert"}
"""By verb, the key of what it brings in."""
HEAD_KEYS = ("training_only", "loss_weight")


def validate(merged: Merged) -> Spec:
    """Check a whole spec. Raises `ArchcError` with all errors E201 to E211 found."""
    report = Report()
    spec = Validator(report).spec(merged)
    report.raise_errors()
    assert spec is not None, "no errors, so there is a spec"
    return spec


class Validator(Layers):
    """One walk over the nodes; every method reports into `report` and returns what was right."""

    def spec(self, merged: Merged) -> Spec | None:
        """Check a document in which all that it extends is merged."""
        root = merged.root
        found = self.entries(root, TOP, "a spec", required=REQUIRED, otherwise=_top_hint(root))
        for version in merged.versions:
            self._version(version)
        name = self.entry_name(found.get("name"))
        lineage = [self.entry_name(entry) for entry in merged.names]
        shape = self.entry(found.get("input"), fields.MapField)
        head_nodes = self.named_nodes(found.get("heads"), "heads")
        heads = [self.head(h) for h in head_nodes]
        spec_params = self._spec_params(found.get("params"))
        blocks = [self.block(b) for b in self.named_nodes(found.get("blocks"), "blocks")]
        stem, body = self.section(found.get("stem")), self.section(found.get("body"))
        defaults = self.defaults(found.get("defaults"))
        summary = self.entry_text(found.get("summary"))
        output = self.entry_reference(found.get("output"))
        patches = [self.patch(node, order) for order, node in merged.patches]
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
            patches=tuple(p for p in patches if p),
            born=merged.born,
            bases=merged.bases,
            lineage=tuple(n.text for n in lineage if n),
            extends=merged.extends,
            inherited=merged.inherited,
            dropped=merged.dropped,
        )

    def _version(self, entry: Entry) -> None:
        value = entry.node.value if isinstance(entry.node, Scalar) else None
        if type(value) is not int or value != 1:
            self.report.error(
                "E207",
                "this archc reads version 1 of the language",
                entry.node.position,
                hint="write `archc: 1`, or install a newer archc",
            )

    def _spec_params(self, entry: Entry | None) -> dict[str, tuple[Value, Position]]:
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
        """Check a block: its parameters and its container."""
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
        layer = self.container(entry.node)
        if name is None or layer is None:
            return None
        return Block(name=name, node=entry.node, params=params, layer=layer)

    def head(self, entry: Entry) -> Head | None:
        """Check a head: a layer, and what training does with it."""
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
                    hint="leave it out, in a patch by `loss_weight: null`, or write "
                    "`training_only: true`",
                )
        layer = self.keyed_layer(node, entry.key, extra=HEAD_KEYS)
        if name is None or layer is None:
            return None
        return Head(
            name=name,
            node=node,
            layer=layer,
            training_only=training_only,
            loss_weight=weight,
        )

    def section(self, entry: Entry | None) -> Layer | None:
        """Check the stem or the body: a list of layers, or a group with defaults."""
        if entry is None:
            return None
        node = entry.node
        if isinstance(node, Mapping) and "layers" in node.entries:
            return self.layer(node, only_containers=True)
        return self.listed(node)

    # Patches

    def _sets_something(self, entries: dict[str, Entry]) -> None:
        """Report keys of a `set` that have nothing below them."""
        for entry in entries.values():
            inner = [entry]
            if entry.key == "defaults" and isinstance(entry.node, Mapping):
                inner += entry.node.entries.values()
            for one in inner:
                if isinstance(one.node, Mapping) and not one.node.entries:
                    message = f"`{one.key}` says nothing here, and so sets nothing"
                    self.report.error("E211", message, one.position, hint="fill it, or drop it")

    def patch(self, node: Node, order: int) -> Patch | None:
        """Check the form of a patch; what it brings in is checked where it is applied."""
        if not isinstance(node, Mapping):
            self.report.error(
                "E204",
                "a patch is a mapping like `{set: PATH, kernel: 3}`",
                node.position,
                hint=f"the verbs are {', '.join(VERBS)}",
            )
            return None
        found = {k: e for k, e in node.entries.items() if not k.startswith("x-")}
        verbs = [e for k, e in found.items() if k in VERBS]
        if len(verbs) != 1:
            shown = one_of([e.key for e in verbs], "and")
            self.report.error(
                "E211",
                f"a patch has one verb, this one has {shown or 'none'}",
                verbs[1].position if verbs else node.position,
                hint="write two patches" if verbs else verb_hint(found),
            )
            return None
        (verb,) = verbs
        path = self._patch_path(verb)
        del found[verb.key]
        if verb.key == "set":
            if not found:
                self.report.error(
                    "E211",
                    "this patch sets nothing",
                    verb.position,
                    hint=f"add what to set: `{{set: {path or 'PATH'}, kernel: 3}}`",
                )
                return None
            self._sets_something(found)
            content = None
        else:
            word = CONTENT.get(verb.key)
            known = (verb.key, word) if word else (verb.key,)
            mine = Mapping({k: e for k, e in found.items()}, node.position)
            where, otherwise = f"`{verb.key}`", _all_in(word)
            beside = [*found] if word not in found and {*BY_KEY, *CONTAINERS} & {*found} else []
            if not word or not beside:
                brought = self.entries(mine, known, where, otherwise=otherwise)
            if word and (beside or word not in brought):
                shown = f"{{{', '.join(f'{key}: ...' for key in beside)}}}" if beside else "[...]"
                self.report.error(
                    "E205",
                    f"{where} needs `{word}:`",
                    verb.position,
                    hint=f"write `{{{verb.key}: {path or 'PATH'}, {word}: {shown}}}`",
                )
                return None
            content = brought[word].node if word else None
            if word == "insert" and isinstance(content, Sequence) and not content.items:
                message = f"this patch inserts nothing {verb.key} `{path}`"
                self.report.error("E211", message, content.position, hint="fill it, or drop it")
            found = {}
        if path is None:
            return None
        return Patch(
            verb=cast(Verb, verb.key),
            path=path,
            position=verb.node.position,
            order=order,
            entries=found,
            content=content,
        )

    def _patch_path(self, verb: Entry) -> str | None:
        node = verb.node
        if isinstance(node, Scalar) and isinstance(node.value, str):
            parts = node.value.split("/")
            if len(parts) > MAX_DEPTH:
                message = f"`{verb.key}`: nothing is deeper than {MAX_DEPTH} names"
                self.report.error("E211", message, node.position)
                return None
            if all(IDENTIFIER.fullmatch(p) for p in parts):
                return node.value
        written = node.value if isinstance(node, Scalar) else None
        parts = [p for p in re.split(r"[/.]", written) if p] if isinstance(written, str) else []
        right = parts and all(IDENTIFIER.fullmatch(p) for p in parts)
        self.report.error(
            "E211",
            f"`{verb.key}`: expected a path like Mixed_7c/Branch_3 or blocks/inception_c/Branch_3",
            node.position,
            hint=_dotted(verb.key, parts) if right else _nameless(self.plain(node)),
        )
        return None


def _is_empty_above(entry: Entry, at: Position) -> bool:
    """Tell whether a key that holds nothing stands above a place in the same file."""
    same = entry.position.source is at.source and entry.position.line < at.line
    return same and isinstance(entry.node, Scalar) and entry.node.value is None


def _top_hint(root: Mapping) -> Callable[[str], str | None]:
    """Return what says where a key goes that somebody writes at the top of a spec."""
    params = root.entries["params"].node if "params" in root.entries else None

    def hint(key: str) -> str | None:
        node = root.entries[key].node
        if isinstance(params, Mapping) and key in params.entries:
            return f"a parameter goes in `params: {{{key}: ...}}`"
        if key in VERBS:
            return f"a patch goes in `patch: [{{{key}: ...}}]`"
        if key in BY_KEY:
            return f"what layers have in common goes in `defaults: {{{key}: ...}}`"
        at = root.entries[key].position
        above = [e for e in root.entries.values() if _is_empty_above(e, at)]
        if above:
            return f"if it is part of `{above[-1].key}:`, indent it"
        if isinstance(node, Mapping) and "extends" in root.entries:
            return f"a layer is changed by `patch: [{{set: {key}, ...}}]`"
        return None

    return hint


def _all_in(word: str | None) -> Callable[[str], str | None]:
    """Return what says where a key goes that stands beside the `word` of what a patch brings in."""
    return lambda _: f"what it brings in is all in `{word}: {{...}}`" if word else None


def _dotted(verb: str, parts: list[str]) -> str:
    """Return what was meant by a path with dots: on a command line the last is an attribute."""
    *path, last = parts
    if verb == "set" and "with" in path[1:]:
        where = path.index("with", 1)
        return f"write `{{set: {'/'.join(path[:where])}, with: {{{last}: ...}}}}`"
    if verb == "set" and path and any(last in attributes(op) or last == op.key for op in OPS):
        return f"write `{{set: {'/'.join(path)}, {last}: ...}}`"
    return f"write `{'/'.join(parts)}`"


def _nameless(path: object) -> str | None:
    if isinstance(path, str) and "(" in path:
        return "a layer without a name cannot be addressed: address one beside it, or name it"
    if isinstance(path, list):
        return "one path a patch: write a patch for each, or one of the block that they share"
    if isinstance(path, str) and "*" in path:
        return "a path has no wildcards: `blocks/NAME/...` changes all uses of a block"
    return None

"""How room 2 reads values, names and keys: each checked alone, each mistake reported once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from archcompiler import expression, fields, names
from archcompiler.elsewhere import attribute_hint, norm_hint, of_norm, op_hint
from archcompiler.errors import Report, Row, WrongValue, did_you_mean, one_of
from archcompiler.expression import ExpressionError
from archcompiler.habits import as_expression, spaced
from archcompiler.op import Op, attributes
from archcompiler.ops import BY_KEY
from archcompiler.ops.unit import NORMS, NormField
from archcompiler.position import Position
from archcompiler.source import Entry, Mapping, Node, Scalar, Sequence
from archcompiler.spec import Attribute, Attributes, Defaults, Name, WrittenNorm
from archcompiler.suggest import suggestion


class Values:
    """Reads nodes into checked values; methods return None for what they reported."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def op_attribute(self, op: type[Op], name: str, entry: Entry) -> Attribute | None:
        """Check one attribute of an op, wherever it is written."""
        annotation = attributes(op)[name]
        if annotation is NormField:
            return self.norm(entry)
        return self.attribute(entry, annotation)

    def norm(self, entry: Entry) -> Attribute | None:
        """Check the `norm` of a unit: a word, or one norm with options."""
        node = entry.node
        if isinstance(node, Mapping) and len(node.entries) == 1:
            inner = next(iter(node.entries.values()))
            if inner.key in NORMS and isinstance(inner.node, Mapping):
                own = self.op_defaults(NORMS[inner.key], inner.node)
                return Attribute(WrittenNorm(inner.key, own), node.position)
        if isinstance(node, Scalar):
            if node.value in NORMS:
                return Attribute(WrittenNorm(str(node.value), {}), node.position)
            if node.value is None or node.value == "none" or self.is_expression(node):
                return self.attribute(entry, NormField)
        self.report.error(
            "E204",
            f"`{entry.key}`: expected {fields.says(NormField).sentence}, "
            f"got {fields.plain(self.plain(node))}",
            node.position,
            hint=norm_hint(self.plain(node)),
        )
        return None

    def defaults(self, entry: Entry | None) -> Defaults:
        """Check a `defaults` mapping: by op, attribute by attribute."""
        found: Defaults = {}
        for item in self.items(entry):
            op = BY_KEY.get(item.key)
            if op is None:
                self.report.error(
                    "E202",
                    f"`{item.key}` is no op, and defaults are by op",
                    item.position,
                    hint=_by_op(item.key) or op_hint(item.key, BY_KEY),
                )
            elif isinstance(item.node, Mapping):
                found[item.key] = self.op_defaults(op, item.node)
            else:
                self.report.error(
                    "E204",
                    f"`{item.key}`: expected a mapping of attributes",
                    item.node.position,
                    hint=f"write `{item.key}: {{padding: same}}`, attribute by attribute",
                )
        return found

    def op_defaults(self, op: type[Op], node: Mapping) -> Attributes:
        """Check a mapping of attributes of one op."""
        known = tuple(op.key if name == op.main else name for name in attributes(op))
        found = self.entries(node, known, f"`{op.key}`", otherwise=default_hint(op))
        values: Attributes = {}
        for key, entry in found.items():
            name = op.main if key == op.key and op.main else key
            if value := self.op_attribute(op, name, entry):
                values[name] = value
        return values

    def attribute(self, entry: Entry | None, annotation: Any) -> Attribute | None:
        """Check one value of a type; expressions wait until they can be evaluated."""
        if entry is None:
            return None
        value = self.plain(entry.node)
        attribute = Attribute(value, entry.node.position)
        if value is None or attribute.open:
            return attribute
        try:
            checked = fields.check(annotation, value)
            # None would unset, so that `none` stays the word until infer.
            return Attribute("none" if checked is None else checked, entry.node.position)
        except WrongValue as error:
            self.report.error(
                "E204",
                f"`{entry.key}`: {error}",
                entry.node.position,
                hint=error.hint or suggestion(annotation, value) or _expression_hint(value),
            )
            return None

    def values(self, entry: Entry | None) -> Attributes:
        """Read `with`: words to scalars or expressions."""
        found: Attributes = {}
        for item in self.items(entry):
            if value := self.argument(item):
                found[item.key] = value
        return found

    def argument(self, item: Entry) -> Attribute | None:
        """Check one argument of a block: a scalar or an expression."""
        value = self.plain(item.node)
        if isinstance(value, dict | list):
            self.report.error(
                "E204",
                f"`{item.key}`: expected one value, no list or mapping",
                item.node.position,
            )
            return None
        if not self.finite(item.key, value, item.node.position):
            return None
        return Attribute(value, item.node.position)

    def finite(self, name: str, value: object, position: Position) -> bool:
        """Check that a parameter's value is not infinite and not NaN."""
        if not isinstance(value, float) or math.isfinite(value):
            return True
        self.report.error(
            "E204", f"`{name}`: expected a finite number, got {fields.plain(value)}", position
        )
        return False

    def plain(self, node: Node) -> object:
        """Return the node as plain values, `$` scalars as expressions."""
        if isinstance(node, Sequence):
            return [self.plain(n) for n in node.items]
        if isinstance(node, Mapping):
            return {k: self.plain(e.node) for k, e in node.entries.items()}
        if not self.is_expression(node):
            return node.value
        try:
            return expression.parse(str(node.value)[1:], node.position)
        except ExpressionError as error:
            inner = str(node.value)[1:].strip()
            meant = as_expression(str(node.value))
            hint = f"write `{meant}`" if meant else None
            if inner.count("(") > inner.count(")"):
                hint = f'a comma ends it inside braces: quote it: `"${inner}, ...)"`'
            self.report.error("E208", str(error), node.position, hint=hint)
            return None

    def is_expression(self, node: Node) -> bool:
        """Tell whether the node is a scalar that starts with `$`."""
        return (
            isinstance(node, Scalar) and isinstance(node.value, str) and node.value.startswith("$")
        )

    def is_null(self, node: Node) -> bool:
        """Tell whether the node is null or empty."""
        return isinstance(node, Scalar) and node.value is None

    def entry(self, entry: Entry | None, annotation: Any) -> Any:
        """Check a value that cannot be an expression; None where it is absent or wrong."""
        if entry is None:
            return None
        if not self.is_expression(entry.node):
            found = self.attribute(entry, annotation)
            if found is None:
                return None  # reported
            if not found.open and found.value is not None:
                return found.value
        got = entry.node.text or "nothing" if isinstance(entry.node, Scalar) else "an expression"
        self.report.error(
            "E204",
            f"`{entry.key}`: expected {fields.says(annotation).sentence}, got {got}",
            entry.node.position,
            hint=None if self.is_null(entry.node) else "an expression cannot stand here",
        )
        return None

    def entry_text(self, entry: Entry | None) -> str:
        """Check free text; white space is folded."""
        if entry is None:
            return ""
        if isinstance(entry.node, Scalar) and isinstance(entry.node.value, str):
            return " ".join(entry.node.value.split())
        self.report.error("E204", f"`{entry.key}`: expected text", entry.node.position)
        return ""

    def word(self, entry: Entry | None, words: tuple[str, ...]) -> str | None:
        """Check one of a few words."""
        if entry is None:
            return None
        if isinstance(entry.node, Scalar) and entry.node.value in words:
            return str(entry.node.value)
        shown = fields.plain(self.plain(entry.node))
        self.report.error(
            "E204",
            f"`{entry.key}`: expected {one_of(words)}, got {shown}",
            entry.node.position,
            hint=op_hint(shown.strip("'"), words, listing=False),
        )
        return None

    # Names and keys

    def name(self, text: str, position: Position) -> Name | None:
        """Check a new name."""
        problem = names.problem(text)
        if problem:
            free = names.free_name(text)
            self.report.error("E206", problem, position, hint=f"try `{free}`" if free else None)
            return None
        return Name(text, position)

    def node_name(self, node: Node) -> Name | None:
        """Check a new name that is a value."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return self.name(node.value, node.position)
        got = f", got `{node.text}`" if isinstance(node, Scalar) and node.text else ""
        self.report.error(
            "E206", f"expected a name{got}", node.position, hint="a name starts with a letter"
        )
        return None

    def entry_name(self, entry: Entry | None) -> Name | None:
        """Check the new name behind a key."""
        return self.node_name(entry.node) if entry else None

    def entry_reference(self, entry: Entry | None) -> Name | None:
        """Read a word that refers to something named elsewhere."""
        if entry is None:
            return None
        if isinstance(entry.node, Scalar) and isinstance(entry.node.value, str):
            return Name(entry.node.value, entry.node.position)
        self.report.error("E204", f"`{entry.key}`: expected a name", entry.node.position)
        return None

    def parameter_name(self, item: Entry) -> bool:
        """Check the name of a parameter."""
        problem = names.parameter_problem(item.key)
        if problem:
            free = names.free_name(item.key)
            hint = f"try `{free}`" if free else None
            self.report.error("E206", problem, item.position, hint=hint)
        return problem is None

    def items(self, entry: Entry | None) -> list[Entry]:
        """Return the entries of a mapping of free words, such as `params`."""
        if entry is None or self.is_null(entry.node):
            return []
        if not isinstance(entry.node, Mapping):
            self.report.error(
                "E204",
                f"`{entry.key}`: expected a mapping",
                entry.node.position,
                hint=_MAPPINGS.get(entry.key),
            )
            return []
        return [e for k, e in entry.node.entries.items() if not k.startswith("x-")]

    def named_nodes(self, entry: Entry | None, what: str) -> list[Entry]:
        """Return entries whose keys are names, unique ignoring case."""
        items = self.items(entry)
        by_folded: dict[str, Entry] = {}
        for item in items:
            first = by_folded.setdefault(item.key.lower(), item)
            if first is not item:
                self.report.error(
                    "E305",
                    f"`{item.key}` and `{first.key}` differ only in case",
                    item.position,
                    rows=[Row(label="first", position=first.position)],
                )
        needed = {"heads": "one head", "branches": "two branches"}.get(what)
        empty = entry and (isinstance(entry.node, Mapping) or self.is_null(entry.node))
        if entry and empty and not items and needed:
            self.report.error("E205", f"`{what}` needs at least {needed}", entry.position)
        return items

    def entries(
        self,
        node: Mapping,
        known: tuple[str, ...],
        where: str,
        required: tuple[str, ...] = (),
        otherwise: Callable[[str], str | None] = attribute_hint,
    ) -> dict[str, Entry]:
        """Return the known entries; report unknown and missing ones. `x-` keys are the user's.

        `otherwise` gives the hint for an unknown key that is near no known one.
        """
        found: dict[str, Entry] = {}
        missing = [key for key in required if key not in node.entries]
        for key, entry in node.entries.items():
            if key in known:
                found[key] = entry
            elif not key.startswith("x-"):
                near = spaced(key, known) or of_norm(key, known) or did_you_mean(key, known)
                meant = re.split("[: ]", key)[0]
                missing = [m for m in missing if m != meant and near != f"did you mean `{m}`?"]
                self.report.error(
                    "E201",
                    f"{where} has no key `{key}`",
                    entry.position,
                    hint=near
                    or (_CUT if key.count(")") > key.count("(") else otherwise(key))
                    or f"its keys are {', '.join(dict.fromkeys(known))}",
                )
        if missing:
            words = one_of([f"{key}:" for key in missing], "and")
            self.report.error("E205", f"{where} needs {words}", node.position)
        return found


def _expression_hint(value: object) -> str | None:
    """Say how a word that would be an expression is written as one."""
    if isinstance(value, str) and any(sign in value for sign in "+-*/%($"):
        meant = as_expression(value)
        return f"an expression begins with `$`: `{meant}`" if meant else None
    return None


_CUT = "a comma ends a value inside braces: quote it, or write a size as `1x7`"

_MAPPINGS = {
    "heads": "name each head: `Logits: [...]`",
    "branches": "name each branch: `Branch_0: [...]`",
    "blocks": "name each block: `cell: {layers: [...]}`",
    "params": "name each parameter: `num_classes: 1000`",
    "defaults": "say it by op: `conv: {padding: same}`",
    "with": "name each parameter: `with: {filters: 64}`",
}


def main_hint(op: type[Op]) -> Callable[[str], str | None]:
    """Return what says how to write the main number of `op`, for those who call it by its name."""

    def hint(key: str) -> str | None:
        if key == op.main:
            return f"`{op.key}` has its {key} right behind it: `{op.key}: ...`"
        return attribute_hint(key)

    return hint


def default_hint(op: type[Op]) -> Callable[[str], str | None]:
    """Return what says how to write a default of the main number of `op`."""

    def hint(key: str) -> str | None:
        if key == op.main:
            return f"the {key} of `{op.key}` has the op's name here, too: `{op.key}: ...`"
        return attribute_hint(key)

    return hint


def argument_hint(key: str) -> Callable[[str], str | None]:
    """Return what says where a block's parameters are given."""

    def hint(word: str) -> str | None:
        if key != "block":
            return None
        if word == "params":
            return "an instance gives its block's parameters `with: {NAME: ...}`"
        having = [key for key, op in BY_KEY.items() if word in attributes(op)]
        hint = f"a parameter goes in `with: {{{word}: ...}}`"
        if having:
            hint += f", what its layers have in `defaults: {{{having[0]}: {{{word}: ...}}}}`"
        return hint

    return hint


def section_hint(word: str) -> str | None:
    """Say how a section has what an op, or an attribute of one, is set to for all its layers."""
    having = [word] if word in BY_KEY else [k for k, op in BY_KEY.items() if word in attributes(op)]
    inner = "..." if word in BY_KEY else f"{{{word}: ...}}"
    return f"for its layers: `defaults: {{{having[0]}: {inner}}}`" if having else None


def _by_op(word: str) -> str | None:
    """Return a hint where somebody gives an attribute to all ops at once."""
    having = [op.key for op in BY_KEY.values() if word in attributes(op)]
    return f"say of which op: `{having[0]}: {{{word}: ...}}`" if having else None

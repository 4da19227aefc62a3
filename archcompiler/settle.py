"""Attributes get their values: expressions evaluated, types checked, norms completed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from archcompiler import fields
from archcompiler.draft import Bound, Draft, DraftNorm, Port, Source
from archcompiler.errors import Report, Row, WrongValue, one_of
from archcompiler.evaluate import Unknown, evaluate
from archcompiler.expression import Expression, ExpressionError
from archcompiler.ir import Value
from archcompiler.op import Op, attributes, required
from archcompiler.ops import BY_KEY
from archcompiler.ops.unit import NORMS, NormField

FAILED = object()
"""Stands for a value whose error was reported."""

_EXAMPLES = {"epsilon": "1e-3", "decay": "0.99", "gamma": "true"}


@dataclass(slots=True)
class Settler:
    """Settles written values; `values` are what is known so far of the network's own."""

    report: Report
    values: Mapping[Source, Value | None]
    paths: Mapping[Draft, str]

    def attribute(self, draft: Draft, name: str, bound: Bound) -> object:
        """Return the value of an op's attribute; `FAILED` where that was reported."""
        annotation = attributes(BY_KEY[draft.key])[name]
        if annotation is NormField:
            return self._norm(draft, bound)
        return self.checked(draft, name, annotation, bound)

    def checked(self, draft: Draft, name: str, annotation: object, bound: Bound) -> object:
        """Evaluate one value and check it against its type; `FAILED` where that was reported."""
        value = bound.value
        if not _is_open(value):
            return None if value == "none" else value
        found = self.evaluated(draft, bound)
        if found is FAILED:
            return found
        if isinstance(found, float) and found.is_integer() and annotation is fields.Count:
            found = int(found)
        try:
            return fields.check(annotation, found)
        except WrongValue as error:
            key = draft.key if name == BY_KEY.get(draft.key, Op).main else name
            shown = f"`{key}`: `{value}`" if isinstance(value, Expression) else f"`{key}`"
            self.report.error(
                "E409",
                f"{shown}: {error}",
                bound.position,
                rows=self._readings(draft, bound),
                hint=error.hint,
            )
            return FAILED

    def evaluated(self, draft: Draft, bound: Bound) -> object:
        """Return the value of an expression, or of what holds some; else the value as written."""
        try:
            return evaluate(bound.value, bound.scope, self.channels, draft.scope.enters)
        except Unknown:
            return FAILED
        except ExpressionError as error:
            message = f"`{bound.value}` has no value: {error}"
            self.report.error("E401", message, bound.position, rows=self._readings(draft, bound))
            return FAILED

    def _readings(self, draft: Draft, bound: Bound) -> list[Row]:
        """Say what an expression read: the values of its names, and where these were written."""
        rows = []
        for name in bound.value.names if isinstance(bound.value, Expression) else ():
            source = bound.scope.params.get(name)
            try:
                if source:
                    found = evaluate(source.value, source.scope, self.channels, draft.scope.enters)
                else:
                    found = self.channels(bound.scope.enters or draft.scope.enters or Port(""))
            except (ExpressionError, Unknown):
                continue
            position = source.position if source else None
            rows.append(Row(label=name, value=fields.plain(found), position=position))
        path = self.paths[draft]
        return [Row(label="layer", value=path), *rows] if "/" in path else rows

    def channels(self, port: Port) -> int:
        """Return the channels that enter by a port. Raises `Unknown` after an earlier error."""
        value = self.values.get(port)
        if value is None:
            raise Unknown
        return value.channels

    def _norm(self, draft: Draft, bound: Bound) -> object:
        value = bound.value
        if isinstance(value, Expression):
            value = self.evaluated(draft, bound)
            if value is FAILED:
                return value
            if value in NORMS:
                value = DraftNorm(str(value), {})
        if value is None or value == "none":
            return None
        if not isinstance(value, DraftNorm):
            expected = f"expected {fields.says(NormField).sentence}, got {fields.plain(value)}"
            self.report.error("E409", f"`norm`: {expected}", bound.position)
            return FAILED
        op = NORMS[value.key]
        merged = draft.defaults.get(value.key, {}) | value.attributes
        merged = {k: b for k, b in merged.items() if b.value is not None}
        missing = [name for name in required(op) if name not in merged]
        if missing:
            options = ", ".join(f"{name}: {_EXAMPLES.get(name, '...')}" for name in missing)
            self.report.error(
                "E309",
                f"`norm: {value.key}` needs {one_of(missing, 'and')}",
                bound.position,
                hint=f"say it once: `defaults: {{{value.key}: {{{options}}}}}`",
            )
        found = {k: self.checked(draft, k, attributes(op)[k], b) for k, b in merged.items()}
        if missing or any(v is FAILED for v in found.values()):
            return FAILED
        return op(**cast(dict[str, Any], found))


def _is_open(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_is_open, value.values()))
    if isinstance(value, list):
        return any(map(_is_open, value))
    return isinstance(value, Expression)

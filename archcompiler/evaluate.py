"""Values of written attributes: expressions in their scopes, with or without shapes."""

from __future__ import annotations

from collections.abc import Callable

from archcompiler import expression
from archcompiler.draft import Port, Scope
from archcompiler.expression import Expression, ExpressionError, Value

Channels = Callable[[Port], int]
"""Gives the channels that enter a block, head or section."""


class NeedsShapes(Exception):
    """The value depends on `in_channels`, and shapes are not known yet."""


class Unknown(Exception):
    """The value depends on a shape that an earlier error left unknown."""


def evaluate(
    value: object,
    scope: Scope,
    channels: Channels | None,
    asking: Port | None = None,
    seen: tuple[tuple[int, str], ...] = (),
) -> object:
    """Replace every expression in `value` by its value.

    `asking` is the port of the layer that asks: it serves where the scope has none. Raises
    `ExpressionError`, `NeedsShapes` when `channels` is None and a shape is read, `Unknown`.
    """
    if isinstance(value, dict):
        return {k: evaluate(v, scope, channels, asking, seen) for k, v in value.items()}
    if isinstance(value, list):
        return [evaluate(v, scope, channels, asking, seen) for v in value]
    if not isinstance(value, Expression):
        return value

    def lookup(name: str) -> Value:
        if name == "in_channels" and name not in scope.params:
            port = scope.enters or asking
            if channels is None or port is None:
                raise NeedsShapes
            return channels(port)
        key = (id(scope), name)
        if key in seen:
            circle = " > ".join(n for _, n in (*seen[seen.index(key) :], key))
            raise ExpressionError(f"it depends on itself: {circle}")
        bound = scope.params[name]
        found = evaluate(bound.value, bound.scope, channels, asking, (*seen, key))
        assert isinstance(found, bool | int | float | str)
        return found

    return expression.evaluate(value, lookup)

"""Values of written attributes: expressions in their scopes, with or without shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from archcompiler import expression
from archcompiler.draft import Port, Scope
from archcompiler.expression import Expression, ExpressionError, Value

MAX_DEPTH = 100

Channels = Callable[[Port], int]
"""Gives the channels that enter a block, head or section."""


class NeedsShapes(Exception):
    """The value depends on `in_channels`, and shapes are not known yet."""


class Unknown(Exception):
    """The value depends on a shape or a name that an earlier error left unknown."""


def evaluate(
    value: object, scope: Scope, channels: Channels | None, asking: Port | None = None
) -> object:
    """Replace every expression in `value` by its value.

    `asking` is the port of the layer that asks: it serves where the scope has none. Raises
    `ExpressionError`, `NeedsShapes` when `channels` is None and a shape is read, `Unknown`.
    """
    return _Evaluation(channels, asking).value(value, scope)


@dataclass(slots=True)
class _Evaluation:
    """One evaluation; a parameter that is read twice is evaluated once."""

    channels: Channels | None
    asking: Port | None
    known: dict[tuple[int, str], Value] = field(default_factory=dict)
    open: list[tuple[int, str]] = field(default_factory=list)

    def value(self, value: object, scope: Scope) -> object:
        if isinstance(value, dict):
            return {k: self.value(v, scope) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(v, scope) for v in value]
        if isinstance(value, Expression):
            return expression.evaluate(value, lambda name: self.lookup(name, scope))
        return value

    def lookup(self, name: str, scope: Scope) -> Value:
        if name == "in_channels" and name not in scope.params:
            port = scope.enters or self.asking
            if self.channels is None or port is None:
                raise NeedsShapes
            return self.channels(port)
        key = (id(scope), name)
        if key in self.known:
            return self.known[key]
        if key in self.open:
            circle = " > ".join(n for _, n in (*self.open[self.open.index(key) :], key))
            raise ExpressionError(f"it depends on itself: {circle}")
        if len(self.open) == MAX_DEPTH:
            raise ExpressionError(f"its parameters depend on more than {MAX_DEPTH} others in turn")
        bound = scope.params.get(name)
        if bound is None:
            raise Unknown  # expand has reported it
        self.open.append(key)
        try:
            found = self.value(bound.value, bound.scope)
        except RecursionError:
            raise ExpressionError("its parameters are nested too deep") from None
        finally:
            self.open.pop()
        assert isinstance(found, bool | int | float | str)
        self.known[key] = found
        return found

"""Values of written attributes: expressions in their scopes, with or without shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from archcompiler import expression
from archcompiler.draft import Bound, Known, Port, Scope
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


@dataclass(frozen=True, slots=True)
class _Frame:
    """A parameter that is being evaluated, and the names that it reads and were not looked at."""

    name: str
    scope: Scope
    bound: Bound
    unread: Iterator[str]


@dataclass(slots=True)
class _Evaluation:
    """One evaluation. What depends on no shape is kept in its scope, and so evaluated once."""

    channels: Channels | None
    asking: Port | None
    shaped: dict[tuple[int, str], Known] = field(default_factory=dict)
    """What depends on `in_channels`, by scope and name: of this evaluation alone."""

    def value(self, value: object, scope: Scope) -> object:
        if isinstance(value, dict):
            return {k: self.value(v, scope) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(v, scope) for v in value]
        if isinstance(value, Expression):
            return expression.evaluate(value, lambda name: self.lookup(name, scope))
        return value

    def lookup(self, name: str, scope: Scope) -> Value:
        if _is_shape(name, scope):
            port = scope.enters or self.asking
            if self.channels is None or port is None:
                raise NeedsShapes
            return self.channels(port)
        return (self.known(name, scope) or self.settle(name, scope)).value

    def known(self, name: str, scope: Scope) -> Known | None:
        return scope.known.get(name) or self.shaped.get((id(scope), name))

    def settle(self, name: str, scope: Scope) -> Known:
        """Evaluate a parameter after all that it reads, which may be a chain of any length."""
        frames = [_frame(name, scope)]
        while True:
            frame = frames[-1]
            for needed in frame.unread:
                if _is_shape(needed, frame.bound.scope):
                    continue
                known = self.known(needed, frame.bound.scope)
                if len(frames) + (known.depth if known else 1) > MAX_DEPTH:
                    raise ExpressionError(
                        f"its parameters depend on more than {MAX_DEPTH} others in turn"
                    )
                if not known:
                    frames.append(_inside(frames, needed))
                    break
            else:
                found = self.close(frame)
                frames.pop()
                if not frames:
                    return found

    def close(self, frame: _Frame) -> Known:
        """Evaluate a parameter, all that it reads being known."""
        bound = frame.bound
        value = self.value(bound.value, bound.scope)
        assert isinstance(value, bool | int | float | str)
        shaped, depth = False, 0
        for name in _names(bound):
            known = self.known(name, bound.scope)
            shaped |= known is None or (id(bound.scope), name) in self.shaped
            depth = max(depth, known.depth if known else 0)
        found = Known(value, depth + 1)
        if shaped:
            self.shaped[id(frame.scope), frame.name] = found
        else:
            frame.scope.known[frame.name] = found
        return found


def _is_shape(name: str, scope: Scope) -> bool:
    return name == "in_channels" and name not in scope.params


def _names(bound: Bound) -> tuple[str, ...]:
    return bound.value.names if isinstance(bound.value, Expression) else ()


def _frame(name: str, scope: Scope) -> _Frame:
    bound = scope.params.get(name)
    if bound is None:
        raise Unknown  # expand has reported it
    return _Frame(name, scope, bound, iter(_names(bound)))


def _inside(frames: list[_Frame], name: str) -> _Frame:
    """Return the frame of what the last one reads, which must not be open already."""
    frame = _frame(name, frames[-1].bound.scope)
    for number, other in enumerate(frames):
        if other.scope is frame.scope and other.name == name:
            circle = " > ".join(f.name for f in (*frames[number:], frame))
            raise ExpressionError(f"it depends on itself: {circle}")
    return frame

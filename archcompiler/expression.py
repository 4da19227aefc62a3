"""Expressions: `$mid`, `$in_channels // 8`, `$min(width, 16)`.

The text is parsed by Python's own grammar and walked against an allow-list; nothing is compiled or
executed. Integers stay within 2^53 and floats finite at every step.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from archcompiler.position import Position

MAX_LENGTH = 200
MAX_NODES = 100
MAX_INTEGER = 2**53

Value = bool | int | float | str

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "int": int,
    "round": round,
    "ceil": math.ceil,
    "floor": math.floor,
}


class ExpressionError(ValueError):
    """An expression that is not allowed, or that has no value."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its text without the `$`, the names it reads, where it was written."""

    text: str
    names: tuple[str, ...]
    position: Position

    @property
    def is_name(self) -> bool:
        """Tell whether the expression is a bare parameter."""
        return self.names == (self.text,)

    def __str__(self) -> str:
        return f"${self.text}"


def parse(text: str, position: Position) -> Expression:
    """Parse what follows the `$`. Raises `ExpressionError`."""
    text = text.strip()
    tree = _tree(text)
    names = dict.fromkeys(
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id not in _FUNCTIONS
    )
    return Expression(text, tuple(names), position)


@lru_cache(maxsize=10_000)
def _tree(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters")
    if not text:
        raise ExpressionError("an expression needs something behind the `$`")
    try:
        with warnings.catch_warnings():  # `3if` is no expression anyway
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ExpressionError(f"`{text}` is not an expression") from None
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        raise ExpressionError(f"an expression has at most {MAX_NODES} parts")
    for node in nodes:
        _allow(node, text)
    called = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in _FUNCTIONS and id(node) not in called:
            raise ExpressionError(f"`{node.id}` is a function and needs its numbers in brackets")
    return tree


def _allow(node: ast.AST, text: str) -> None:
    if isinstance(node, ast.Constant):
        if type(node.value) in (int, float):
            return
        raise ExpressionError("an expression has numbers and names only")
    if isinstance(node, ast.Call):
        known = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
        if known and node.args and not node.keywords:
            return
        raise ExpressionError(f"an expression may call {', '.join(_FUNCTIONS)} with numbers")
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return
    if isinstance(node, ast.Name | ast.operator | ast.unaryop | ast.Load):
        return
    raise ExpressionError(
        f"`{text}` is not an expression: use + - * / // % ( ), numbers, names, min and max"
    )


def evaluate(expression: Expression, lookup: Callable[[str], Value]) -> Value:
    """Return the value; `lookup` gives the value of a name. Raises `ExpressionError`."""
    return _evaluate(_tree(expression.text), lookup)


def _evaluate(node: ast.expr, lookup: Callable[[str], Value]) -> Value:
    if isinstance(node, ast.Name):
        return lookup(node.id)
    try:
        return _bounded(_number(node, lookup))
    except ZeroDivisionError:
        raise ExpressionError("it divides by zero") from None
    except (OverflowError, TypeError, ValueError) as error:
        raise ExpressionError(str(error)) from None


def _number(node: ast.expr, lookup: Callable[[str], Value]) -> float:
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int | float)
        return node.value
    if isinstance(node, ast.UnaryOp):
        value = _operand(node.operand, lookup)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        left, right = _operand(node.left, lookup), _operand(node.right, lookup)
        return _BINARY[type(node.op)](left, right)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return _FUNCTIONS[node.func.id](*(_operand(a, lookup) for a in node.args))


def _operand(node: ast.expr, lookup: Callable[[str], Value]) -> float:
    value = _evaluate(node, lookup)
    if isinstance(value, bool | str):
        shown = str(value).lower() if isinstance(value, bool) else value
        raise ExpressionError(f"`{shown}` is no number")
    return value


def _bounded(value: float) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("it is not finite")
    if abs(value) > MAX_INTEGER:
        raise ExpressionError("it leaves the range of +-2^53")
    return value

"""Expressions of emitted code, as text: sums of channels, and paddings that follow a kernel."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from archcompiler.expression import evaluate, parse
from archcompiler.position import Position, Source

_NOWHERE = Position(Source("emitted code"), 1, 1)

Term = tuple[int | str, ...]
"""A sum: a number, and expressions of parameters."""

SAME_IN_PYTHON = frozenset({"int", "max", "min", "round"})
"""The functions of expressions that emitted code may call without an import."""


class Sources(ast.NodeTransformer):
    """Puts expressions in the place of names."""

    def __init__(self, given: Mapping[str, ast.expr]) -> None:
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return what stands for the name."""
        return self.given.get(node.id, node)


def half(
    values: Sequence[object],
    kernels: tuple[Sequence[object], str],
    dilations: tuple[Sequence[object], str],
) -> str | None:
    """Write paddings as half of what kernels reach; both are values by use, and their source.

    None where that is another number, or where both sources are numbers.
    """
    (extents, kernel), (rates, dilation) = kernels, dilations
    if not any(c.isalpha() for c in kernel + dilation) or any(type(d) is not int for d in rates):
        return None
    step = cast(Sequence[int], rates)
    if all(type(k) is int for k in extents):
        sizes = cast(Sequence[int], extents)
        right = [
            k % 2 and d * (k - 1) // 2 == v for k, d, v in zip(sizes, step, values, strict=True)
        ]
        if not all(right):
            return None
        if kernel.isdigit():
            return _times(dilation, sizes[0] // 2)
        if dilation == "1":
            return f"{_factor(kernel)} // 2"
        return f"{_factor(dilation)} * ({kernel} - 1) // 2"
    if not constant(extents) or not isinstance(extents[0], tuple):
        return None
    height, width = (k // 2 for k in extents[0])
    if any(v != (height * d, width * d) for d, v in zip(step, values, strict=True)):
        return None
    return f"({_times(dilation, height)}, {_times(dilation, width)})"


def _times(source: str, number: int) -> str:
    return "0" if not number else source if number == 1 else f"{_factor(source)} * {number}"


def _factor(source: str) -> str:
    return source if source.isidentifier() or source.isdigit() else f"({source})"


def substituted(term: Term, sources: Mapping[str, str]) -> Term | None:
    """Put the sources of arguments in the place of a definition's own parameters."""
    found: list[int | str] = []
    for part in term:
        if isinstance(part, int):
            found.append(part)
            continue
        tree = ast.parse(part, mode="eval")
        own = names(tree)
        if not own <= sources.keys():
            return None
        given = {n: ast.parse(sources[n], mode="eval").body for n in own}
        found.append(atom(ast.unparse(Sources(given).visit(tree))))
    return added(found)


def names(tree: ast.AST) -> set[str]:
    """Return the parameters that an expression reads."""
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - SAME_IN_PYTHON


def added(parts: Iterable[int | str]) -> Term:
    """Return a sum with its numbers in one, in front; shorter where parts cancel or repeat."""
    listed = [*parts]
    number = sum(a for a in listed if isinstance(a, int))
    words = [a for a in listed if isinstance(a, str)]
    total: Counter[str] = Counter()
    for word in words:
        _count(ast.parse(word, mode="eval").body, 1, total)
    number += total.pop("", 0)
    left = {text: times for text, times in total.items() if times}
    if len(left) < len(words) and all(times > 0 for times in left.values()):
        words = [_times(text, times) for text, times in left.items()]
    else:
        number = sum(a for a in listed if isinstance(a, int))
    return (*((number,) if number or not words else ()), *words)


def _count(tree: ast.expr, times: int, total: Counter[str]) -> None:
    """Add up what a sum is made of: how often each part of it, and its numbers under no name."""
    match tree:
        case ast.Constant(value=int(number)):
            total[""] += times * number
        case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
            _count(left, times, total)
            _count(right, -times if isinstance(op, ast.Sub) else times, total)
        case ast.BinOp(ast.Constant(value=int(number)), ast.Mult(), part):
            _count(part, times * number, total)
        case ast.BinOp(part, ast.Mult(), ast.Constant(value=int(number))):
            _count(part, times * number, total)
        case _:
            total[ast.unparse(tree)] += times


def constant(values: Sequence[object]) -> bool:
    """Tell whether all uses have one value."""
    return same(values, [values[0]] * len(values))


def same(left: Sequence[object], right: Sequence[object]) -> bool:
    """Tell whether two lists of values are equal in type, too: 1 is not 1.0 or true."""
    return [(type(v), v) for v in left] == [(type(v), v) for v in right]


def atom(source: str) -> int | str:
    """Return the number that the source is, or the source."""
    if source.isidentifier() or names(ast.parse(source, mode="eval")):
        return source
    value = evaluate(parse(source, _NOWHERE), str)
    return value if type(value) is int else source

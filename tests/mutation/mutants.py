"""Makes mutants of functions: one small change of the source each, in the order of the source."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

CONTEXT = 60
"""A change is shown in the largest expression around it that has at most so many characters."""

ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


def _arithmetic(node: ast.BinOp) -> Iterator[ast.expr]:
    one = isinstance(node.right, ast.Constant) and node.right.value == 1
    if isinstance(node.op, ARITHMETIC):
        for kind in ARITHMETIC:
            if not isinstance(node.op, kind) and not (one and kind in (ast.Mult, ast.FloorDiv)):
                yield ast.BinOp(node.left, kind(), node.right)
    yield from (node.left, node.right)


def _unary(node: ast.UnaryOp) -> Iterator[ast.expr]:
    yield node.operand


def _comparison(node: ast.Compare) -> Iterator[ast.expr]:
    for n, op in enumerate(node.ops):
        for other in COMPARISONS[type(op)]:
            yield ast.Compare(node.left, [*node.ops[:n], other(), *node.ops[n + 1 :]],
                              node.comparators)  # fmt: skip


def _logic(node: ast.BoolOp) -> Iterator[ast.expr]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    yield from node.values


def _choice(node: ast.IfExp) -> Iterator[ast.expr]:
    yield ast.IfExp(node.test, node.orelse, node.body)


def _tuple(node: ast.Tuple) -> Iterator[ast.expr]:
    """Swap neighbours: height and width, top and bottom."""
    if isinstance(node.ctx, ast.Load):
        for n in range(len(node.elts) - 1):
            one, other = node.elts[n : n + 2]
            yield ast.Tuple([*node.elts[:n], other, one, *node.elts[n + 2 :]], node.ctx)


def _constant(node: ast.Constant) -> Iterator[ast.expr]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))


def _index(node: ast.Constant) -> Iterator[ast.expr]:
    """Swap the first two: height and width. The last of one is the first, so -1 tells nothing."""
    yield ast.Constant(1 - node.value)


def _name(node: ast.Name) -> Iterator[ast.expr]:
    if node.id in NAMES:
        yield ast.Name(NAMES[node.id], ast.Load())


CHANGES: dict[type[ast.AST], Callable[[Any], Iterator[ast.expr]]] = {
    ast.BinOp: _arithmetic,
    ast.UnaryOp: _unary,
    ast.Compare: _comparison,
    ast.BoolOp: _logic,
    ast.IfExp: _choice,
    ast.Tuple: _tuple,
    ast.Constant: _constant,
    ast.Name: _name,
}
"""By kind of expression, what may stand in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one function, with the code that it then has."""

    file: str
    function: str
    line: int
    change: str
    code: CodeType

    @property
    def key(self) -> str:
        """Return what names the mutant as long as its function does not change."""
        return f"{self.file} {self.function}: {self.change}"

    def apply(self) -> None:
        """Give the function, wherever it was imported, the mutant's code."""
        owner: Any = importlib.import_module(self.file.removesuffix(".py").replace("/", "."))
        for name in self.function.split("."):
            owner = inspect.getattr_static(owner, name)
        owner = getattr(owner, "fget", owner) or owner
        function = inspect.unwrap(getattr(owner, "__func__", owner))
        assert isinstance(function, FunctionType), self.function
        function.__code__ = self.code


def mutants(root: Path, file: str, functions: tuple[str, ...] = ()) -> Iterator[Mutant]:
    """Yield the mutants of a file's functions; of those given, if any are."""
    tree = ast.parse((root / file).read_text("utf-8"))
    found = dict(_functions(tree.body, ""))
    for name in functions or found:
        same: Counter[str] = Counter()
        for place in _places(found[name]):
            for other in place.others():
                before = place.text
                place.put(other)
                change = f"{before} -> {place.text}"
                code = compile(ast.fix_missing_locations(tree), str(root / file), "exec")
                place.put(place.node)
                same[change] += 1
                number = f" #{same[change]}" if same[change] > 1 else ""
                yield Mutant(
                    file=file,
                    function=name,
                    line=place.node.lineno,
                    change=change + number,
                    code=_code(code, name),
                )


@dataclass(frozen=True)
class _Place:
    """Where an expression stands: in a field of its parent, at an index if that is a list."""

    node: ast.expr
    parent: ast.AST
    field: str
    index: int | None
    around: tuple[ast.AST, ...]

    def put(self, node: ast.expr) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node

    def others(self) -> Iterator[ast.expr]:
        """Yield what may stand here instead; `strict=` only asserts what nothing should break."""
        change = CHANGES.get(type(self.node))
        if isinstance(self.parent, ast.Subscript) and ast.unparse(self.node) in ("0", "1"):
            change = _index
        if change and not (isinstance(self.parent, ast.keyword) and self.parent.arg == "strict"):
            same = ast.unparse(self.node)
            yield from (other for other in change(self.node) if ast.unparse(other) != same)
        condition = self.field == "test" and isinstance(self.parent, ast.If | ast.While)
        if condition and not isinstance(self.node, ast.Compare):
            yield ast.UnaryOp(ast.Not(), self.node)

    @cached_property
    def host(self) -> ast.AST | None:
        """The largest expression around that is short; None where that is the node itself."""
        host = None
        for node in reversed(self.around):
            if not isinstance(node, ast.expr) or len(ast.unparse(node)) > CONTEXT:
                break
            host = node
        return host

    @property
    def text(self) -> str:
        now = getattr(self.parent, self.field)
        return ast.unparse(self.host or (now if self.index is None else now[self.index]))


def _functions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node


def _places(function: ast.FunctionDef) -> Iterator[_Place]:
    for statement in function.body[1 if ast.get_docstring(function) else 0 :]:
        yield from _inside(statement, ())


def _inside(node: ast.AST, around: tuple[ast.AST, ...]) -> Iterator[_Place]:
    inner = (*around, node)
    for field, value in ast.iter_fields(node):
        if field == "annotation":
            continue
        several = isinstance(value, list)
        for n, child in enumerate(value if several else [value]):
            if isinstance(child, ast.expr):
                yield _Place(child, node, field, n if several else None, inner)
            if isinstance(child, ast.AST):
                yield from _inside(child, inner)


def _code(module: CodeType, function: str) -> CodeType:
    """Return the code of a function from that of its module."""
    waiting = [module]
    while waiting:
        code = waiting.pop()
        if code.co_qualname == function:
            return code
        waiting += [c for c in code.co_consts if isinstance(c, CodeType)]
    raise KeyError(function)

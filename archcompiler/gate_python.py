"""The gate's look at Python: what a generated file may hold, beside the lines of templates."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_STDLIB = frozenset(
    {"argparse", "collections", "collections.abc", "csv", "json", "os", "pathlib", "platform"}
    | {"statistics", "time", "typing"}
)
"""The modules of Python itself that templates import."""
_STDLIB_NAMES = frozenset(
    {"collections.OrderedDict", "typing.Any", "typing.Literal", "typing.NamedTuple"}
)
"""What a line which is not a template's may take from them."""

_BUILTINS = frozenset(
    {"ValueError", "all", "bool", "dict", "float", "id", "int", "isinstance", "len", "list", "map"}
    | {"max", "min", "object", "range", "round", "sorted", "str", "sum", "super", "tuple", "zip"}
)
"""The builtins that such a line may use."""
_DUNDERS = frozenset({"__init__"})

_NODES = frozenset(
    {ast.Import, ast.ImportFrom, ast.alias, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg}
    | {ast.Return, ast.Raise, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.If, ast.With}
    | {ast.withitem, ast.Expr, ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Subscript}
    | {ast.Slice, ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.Tuple, ast.List, ast.Dict}
    | {ast.Set, ast.Starred, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp}
    | {ast.comprehension, ast.IfExp, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare}
)
"""The nodes that emitters write: no lambda, await, yield, delete, global, try, match or walrus."""
_OPERATORS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
_LEAVES = frozenset(
    {ast.Load, ast.Store, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitOr}
    | {ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt}
    | {ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn}
)
"""The operators: no power or shift, with which a line of few digits takes all memory."""

_CODING = re.compile(r"[ \t\f]*#.*?coding[:=]")
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")
_PATH = re.compile(rf"[./]?(?:{_NAME.pattern}(?:[./]{_NAME.pattern})*[./]?)?")
"""A path, or a part of one in an f-string; what starts a name never continues the last."""
_MOST_MISSED = 30
"""So many entries of a list are told that a backend should have."""


class UnsafeOutput(RuntimeError):
    """A generated file holds what no emitter writes: a bug of archc or of the backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What one backend's Python files may hold; `Backend` says what each list is."""

    imports: frozenset[str]
    names: frozenset[str]
    attributes: frozenset[str]
    words: frozenset[str]
    lines: frozenset[str]
    """The lines of its templates, without indentation; they are trusted."""


def parsed(name: str, text: str) -> ast.Module:
    """Parse a file of a build as Python will. Raises `UnsafeOutput`."""
    lines = text.split("\n")
    if any(_CODING.match(line) for line in lines[:2]):
        raise UnsafeOutput(f"{name} names an encoding")
    try:
        return ast.parse(text.encode(), name)  # bytes, as Python will read them
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnsafeOutput(f"{name} is no Python: {error}") from None


def defined(tree: ast.Module) -> Iterator[str]:
    """Yield what a file itself defines for the others of its build: not what it imports."""
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield every statement of a file, nested ones included."""
    holders: list[ast.AST] = [tree]
    while holders:
        holder = holders.pop()
        for inside in ("body", "orelse", "finalbody", "handlers", "cases"):
            nodes = getattr(holder, inside, ())
            if isinstance(nodes, list):  # an expression's `body` is none
                holders += nodes
                yield from (node for node in nodes if isinstance(node, ast.stmt))


@dataclass(slots=True)
class Missed:
    """What the files hold and the backend could declare, but does not."""

    first: str = ""
    lists: dict[str, set[str]] = field(default_factory=dict)

    def tell(self) -> None:
        """Raise `UnsafeOutput` if there is anything."""
        if self.first:
            lists = (f"{name}: {_some(sorted(found))}" for name, found in self.lists.items())
            raise UnsafeOutput(f"{self.first}; its backend does not declare {'; '.join(lists)}")


def _some(entries: list[str]) -> str:
    more = len(entries) - _MOST_MISSED
    return ", ".join(entries[:_MOST_MISSED]) + (f" and {more} more" if more > 0 else "")


@dataclass(slots=True)
class Python:
    """The check of one Python file."""

    name: str
    text: str
    tree: ast.Module
    allowed: Allowed
    words: frozenset[str]
    """The names of the spec."""
    own: Mapping[str, frozenset[str]]
    """What files of the build that others import define, by the names of these modules."""
    missed: Missed
    imported: dict[str, str] = field(default_factory=dict)
    """What each imported name stands for, such as `torch.nn.functional` for `F`."""
    fields: set[str] = field(default_factory=set)
    """The annotated names in bodies of classes."""
    known: set[str] = field(default_factory=set)
    used: dict[str, ast.Name] = field(default_factory=dict)
    inert: set[ast.AST] = field(default_factory=set)
    """Strings that nothing reads but people: docstrings, and messages of errors."""
    trusted: list[bool] = field(default_factory=list)

    def check(self) -> None:
        """Check the file. Raises `UnsafeOutput`; notes what the backend could declare."""
        lines = self.text.split("\n")
        self.trusted = [line.strip() in self.allowed.lines for line in ("", *lines)]
        for statement in _statements(self.tree):
            self.define(statement)
        self.docstring(self.tree)
        for statement in self.tree.body:
            self.visit(statement)
        for name, node in self.used.items():
            if name not in self.known and name not in _BUILTINS:
                raise self.unsafe(node, f"the name {name}")

    def define(self, node: ast.stmt) -> None:
        """Note what a statement defines; check what it imports, on whichever line."""
        match node:
            case ast.ClassDef(name=name, body=body):
                self.known.add(name)
                for inner in body:
                    if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
                        self.fields.add(inner.target.id)
            case ast.FunctionDef(name=name):
                self.known.add(name)
            case ast.Import(names=names):
                for alias in names:
                    self.module(node, alias.name)
                    first = alias.name.partition(".")[0]
                    self.imported[alias.asname or first] = alias.name if alias.asname else first
            case ast.ImportFrom(module=module, names=names, level=level):
                self.module(node, "." * level + (module or ""))
                for alias in names:
                    self.imported[alias.asname or alias.name] = f"{module}.{alias.name}"
                    self.imports(node, f"{module}.{alias.name}")

    def module(self, node: ast.stmt, module: str) -> None:
        """Check a module that is imported."""
        if module.startswith("."):
            raise self.unsafe(node, f"an import of {module}")
        if not (module in self.allowed.imports or module in _STDLIB or module in self.own):
            self.miss(node, f"an import of {module}", "imports", module)

    def imports(self, node: ast.stmt, name: str) -> None:
        """Check what is imported of a module; a template may import anything of it."""
        if self.is_template(node) or name in self.allowed.imports or self.may_reach(name):
            return
        if name.endswith("*"):
            raise self.unsafe(node, f"an import of {name}")
        self.miss(node, f"an import of {name}", "names", name)

    def is_template(self, node: ast.stmt | ast.expr) -> bool:
        """Tell whether all lines of a node are of templates."""
        return all(self.trusted[node.lineno : (node.end_lineno or node.lineno) + 1])

    def may_reach(self, name: str) -> bool:
        """Tell whether a line may write what has this name in full."""
        module, _, last = name.rpartition(".")
        return (
            name in self.allowed.names or name in _STDLIB_NAMES or last in self.own.get(module, ())
        )

    def visit(self, node: ast.AST) -> None:
        """Check a node and what it holds, except for lines of templates."""
        if isinstance(node, ast.stmt):
            if self.is_template(node):
                if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                    stored = (n for n in ast.walk(node) if isinstance(n, ast.Name))
                    self.known.update(n.id for n in stored if isinstance(n.ctx, ast.Store))
                return
        trusted = self.trusted[getattr(node, "lineno", 0)]
        if type(node) not in _NODES and not trusted:
            raise self.unsafe(node, type(node).__name__)
        match node:
            case ast.ClassDef() | ast.FunctionDef():
                self.docstring(node)
            case ast.arg(arg=name):
                self.known.add(name)
            case ast.Name(id=name):
                if isinstance(node.ctx, ast.Store):
                    self.known.add(name)
                elif not trusted:
                    self.read(node, name)
            case ast.Attribute():
                self.dotted(node)
                return
            case ast.Raise(exc=ast.Call(args=arguments)):
                self.inert.update(p for a in arguments for p in (a, *ast.iter_child_nodes(a)))
            case ast.Constant(value=value):
                if node not in self.inert and not trusted:
                    self.constant(node, value)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, _OPERATORS):
                self.visit(child)
            elif type(child) not in _LEAVES and not trusted:
                raise self.unsafe(node, type(child).__name__)

    def docstring(self, node: ast.Module | ast.ClassDef | ast.FunctionDef) -> None:
        """Note a docstring, which may hold any text."""
        match node.body:
            case [ast.Expr(value=ast.Constant(value=str()) as text), *_]:
                self.inert.add(text)

    def read(self, node: ast.Name, name: str) -> None:
        """Check a name that stands alone; a module cannot."""
        if name not in self.imported:
            self.used.setdefault(name, node)
        elif not self.may_reach(self.imported[name]):
            self.miss(node, f"the name {name}", "names", self.imported[name])

    def dotted(self, node: ast.Attribute) -> None:
        """Check a dotted name as a whole, or each attribute of what is no import."""
        chain, first = [node], node.value
        while isinstance(first, ast.Attribute):
            chain.append(first)
            first = first.value
        root = first.id if isinstance(first, ast.Name) else ""
        if root in self.imported:
            if self.is_template(node):
                return
            if isinstance(node.ctx, ast.Store):
                raise self.unsafe(node, f"an assignment to {ast.unparse(node)}")
            full = ".".join([self.imported[root], *(a.attr for a in reversed(chain))])
            if not self.may_reach(full):
                self.miss(node, ast.unparse(node), "names", full)
            return
        for part in chain:
            if not self.trusted[part.end_lineno or part.lineno]:
                self.attribute(part, root == "self")
        self.visit(first)

    def attribute(self, node: ast.Attribute, of_self: bool) -> None:
        """Check an attribute of what is no import; those of `self` may have names of the spec."""
        name = node.attr
        if name.startswith("_") and name not in _DUNDERS:
            raise self.unsafe(node, f"the attribute {name}")
        known = name in self.words if of_self else name in self.fields
        if not (known or name in _DUNDERS or name in self.allowed.attributes):
            self.miss(node, f"the attribute {name}", "attributes", name)

    def constant(self, node: ast.Constant, value: object) -> None:
        """Check a constant: strings are paths of known words."""
        if value is None or isinstance(value, bool | int | float):
            return
        if not isinstance(value, str) or not _PATH.fullmatch(value):
            raise self.unsafe(node, repr(value))
        for part in _NAME.findall(value):
            if part not in self.words and part not in self.allowed.words:
                self.miss(node, repr(value), "words", part)

    def miss(self, node: ast.AST, what: str, declared: str, entry: str) -> None:
        """Note what the backend could declare in one of its lists."""
        self.missed.first = self.missed.first or str(self.unsafe(node, what))
        self.missed.lists.setdefault(declared, set()).add(entry)

    def unsafe(self, node: ast.AST, what: str) -> UnsafeOutput:
        """Return the error that names a line."""
        return UnsafeOutput(
            f"{self.name}:{getattr(node, 'lineno', 1)} holds {what}, which no emitter may write"
        )

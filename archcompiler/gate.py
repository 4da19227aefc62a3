"""The last look at a build before it is written: no spec can have put code into it.

Every line of a generated Python file is a line of the backend's templates, or it is checked: nodes,
imports, names, attributes and strings must be of the few kinds that emitters write, and strings
must be names of the spec or words of the backend. Documents must read back. What does not pass is a
bug of archc or of a backend, never of the spec: it raises `UnsafeOutput`, and nothing is written.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from archcompiler.backend import Backend
from archcompiler.ir import Network
from archcompiler.manifest import BUILT
from archcompiler.op import Op, write_attributes

_STDLIB = frozenset(
    {"argparse", "collections", "collections.abc", "csv", "json", "os", "pathlib", "platform"}
    | {"statistics", "time", "typing"}
)
"""What the shared skeletons import of Python itself."""
_OWN = frozenset({"model"})
"""The files of a build that import each other."""

_BUILTINS = frozenset(
    {"ValueError", "all", "bool", "dict", "float", "id", "int", "isinstance", "len", "list", "map"}
    | {"max", "min", "object", "range", "round", "sorted", "str", "sum", "super", "tuple", "zip"}
)
"""The builtins that a line which is not a template's may use."""
_DUNDERS = frozenset({"__init__"})
_DANGEROUS = frozenset(
    {"cpp_extension", "eval", "exec", "hub", "import_module", "load", "load_library", "load_model"}
    | {"load_op_library", "numpy_function", "open", "py_func", "py_function", "save", "system"}
)
"""What a line which is not a template's may not take from an imported module."""

_NODES = frozenset(
    {ast.Import, ast.ImportFrom, ast.alias, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg}
    | {ast.Return, ast.Raise, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.If, ast.With}
    | {ast.withitem, ast.Expr, ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Subscript}
    | {ast.Slice, ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.Tuple, ast.List, ast.Dict}
    | {ast.Set, ast.Starred, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp}
    | {ast.comprehension, ast.IfExp, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare}
)
_LEAVES = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
"""The nodes that emitters write: no lambda, await, yield, delete, global, try, match or walrus."""

_ODD = re.compile(r"[^\n -~]")
_CODING = re.compile(r"[ \t\f]*#.*?coding[:=]")
_JINJA = re.compile(r"\{[{%#]")
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")
_PATH = re.compile(rf"([./]?{_NAME.pattern})*[./]?")
"""A path, or a part of one in an f-string."""


class UnsafeOutput(RuntimeError):
    """A generated file holds what no emitter writes: a bug of archc or of the backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What one backend's Python files may hold."""

    imports: frozenset[str]
    """Modules beside those of the skeletons, such as `torch.nn.functional`."""
    words: frozenset[str]
    """Parts of strings that the backend's own code writes, such as `same` or `conv`."""
    lines: frozenset[str]
    """The lines of its templates, without indentation; they are trusted."""


def template_lines(texts: Iterable[str]) -> frozenset[str]:
    """Return the lines of templates that reach a file as they are."""
    lines = (line.strip() for text in texts for line in text.split("\n"))
    return frozenset(line for line in lines if line and not _JINJA.search(line))


def allowed(backend: Backend) -> Allowed:
    """Return what a backend declares, with the lines of its templates and of the skeletons."""
    return _allowed(type(backend))


@cache
def _allowed(backend: type[Backend]) -> Allowed:
    packages = {base.__module__.partition(".")[0] for base in backend.__mro__}
    texts = [text for package in sorted(packages) for text in _templates(package)]
    return Allowed(imports=backend.imports, words=backend.words, lines=template_lines(texts))


def _templates(package: str) -> Iterator[str]:
    """Yield the texts of a package's templates, if it is a package and has any."""
    if not hasattr(sys.modules.get(package), "__path__"):
        return
    folders = [resources.files(package) / "templates"]
    while folders:
        folder = folders.pop()
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.is_dir():
                folders.append(entry)
            elif entry.name.endswith(".jinja"):
                yield entry.read_text("utf-8")


def check(files: Mapping[str, str], network: Network, allowed: Allowed) -> None:
    """Check the files of one build, by name. Raises `UnsafeOutput` with the first line at fault."""
    words = allowed.words | _names(network)
    for name, text in files.items():
        if name not in BUILT:
            raise UnsafeOutput(f"{name} is no file of a build")
        if odd := _ODD.search(text):
            raise UnsafeOutput(f"{name} holds U+{ord(odd[0]):04X}")
        if name.endswith(".py"):
            _Python(name, text, allowed, words).check()
        elif name.endswith(".json"):
            _json(name, text)
        else:
            _markdown(name, text, allowed.lines)


def _names(network: Network) -> frozenset[str]:
    """Return the checked identifiers of a network, of which its paths consist.

    A loop over `step_1` to `step_9` says `step_` and the number.
    """
    nodes = list(network.walk())
    parts = {part for node in nodes for part in node.path.split("/")}
    parts |= {part.rstrip("0123456789") for part in parts if part[-1].isdigit()}
    graphs = {graph.name for node in nodes for graph in node.graphs}
    points = {part for point in network.end_points for part in point.name.split("/")}
    ops = {node.op for node in nodes if isinstance(node.op, Op)}
    said = {word for op in ops for word in _said(op)}
    return frozenset(parts | graphs | points | said | {network.name})


def _said(op: Op) -> Iterator[str]:
    """Yield the words of the language that an op and its attributes are."""
    yield op.key
    values = list(write_attributes(op).values())
    while values:
        match values.pop():
            case str(word):
                yield word
            case dict(inner):
                values += [*inner, *inner.values()]


@dataclass(slots=True)
class _Python:
    """The check of one Python file."""

    name: str
    text: str
    allowed: Allowed
    words: frozenset[str]
    modules: set[str] = field(default_factory=set)
    """The names under which modules are imported."""
    known: set[str] = field(default_factory=set)
    used: dict[str, ast.Name] = field(default_factory=dict)
    inert: set[ast.AST] = field(default_factory=set)
    """Strings that nothing reads but people: docstrings, and messages of errors."""
    trusted: list[bool] = field(default_factory=list)

    def check(self) -> None:
        lines = self.text.split("\n")
        if any(_CODING.match(line) for line in lines[:2]):
            raise UnsafeOutput(f"{self.name} names an encoding")
        try:
            tree = ast.parse(self.text.encode(), self.name)  # bytes, as Python will read them
        except (SyntaxError, ValueError, RecursionError) as error:
            raise UnsafeOutput(f"{self.name} is no Python: {error}") from None
        self.trusted = [line.strip() in self.allowed.lines for line in ("", *lines)]
        self.docstring(tree)
        for statement in tree.body:
            self.visit(statement)
        for name, node in self.used.items():
            if name not in self.known and name not in _BUILTINS:
                raise self.unsafe(node, f"the name {name}")

    def visit(self, node: ast.AST) -> None:
        """Check a node and what it holds, except for lines of templates."""
        if isinstance(node, ast.stmt):
            self.define(node)
            if all(self.trusted[node.lineno : (node.end_lineno or node.lineno) + 1]):
                if not isinstance(node, ast.ClassDef | ast.FunctionDef):
                    stored = (n for n in ast.walk(node) if isinstance(n, ast.Name))
                    self.known.update(n.id for n in stored if isinstance(n.ctx, ast.Store))
                return
        if isinstance(node, _LEAVES):
            return
        if type(node) not in _NODES and not self.trusted[getattr(node, "lineno", 0)]:
            raise self.unsafe(node, type(node).__name__)
        match node:
            case ast.ClassDef() | ast.FunctionDef():
                self.docstring(node)
            case ast.arg(arg=name):
                self.known.add(name)
            case ast.Name(id=name):
                if isinstance(node.ctx, ast.Store):
                    self.known.add(name)
                elif not self.trusted[node.lineno]:
                    self.used.setdefault(name, node)
            case ast.Attribute():
                self.attribute(node)
            case ast.Raise(exc=ast.Call(args=arguments)):
                self.inert.update(p for a in arguments for p in (a, *ast.iter_child_nodes(a)))
            case ast.Constant(value=value):
                if node not in self.inert and not self.trusted[node.lineno]:
                    self.constant(node, value)
        self.children(node)

    def children(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    def define(self, node: ast.stmt) -> None:
        """Note what a statement defines; check what it imports, on whichever line."""
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                self.known.add(name)
            case ast.Import(names=names):
                for alias in names:
                    self.imported(node, alias.name)
                    self.module(alias.name, alias.asname or alias.name.partition(".")[0])
            case ast.ImportFrom(module=module, names=names, level=level):
                self.imported(node, "." * level + (module or ""))
                for alias in names:
                    if alias.name in ("*", *_DANGEROUS) and not self.trusted[node.lineno]:
                        raise self.unsafe(node, f"an import of {module}.{alias.name}")
                    if f"{module}.{alias.name}" in self.allowed.imports:
                        self.module(f"{module}.{alias.name}", alias.asname or alias.name)
                    self.known.add(alias.asname or alias.name)

    def module(self, module: str, name: str) -> None:
        """Note a module's name; those of Python itself are for lines of templates only."""
        if module not in _STDLIB:
            self.modules.add(name)
            self.known.add(name)

    def imported(self, node: ast.AST, module: str) -> None:
        if module not in self.allowed.imports | _STDLIB | _OWN:
            raise self.unsafe(node, f"an import of {module}")

    def docstring(self, node: ast.Module | ast.ClassDef | ast.FunctionDef) -> None:
        match node.body:
            case [ast.Expr(value=ast.Constant(value=str()) as text), *_]:
                self.inert.add(text)

    def attribute(self, node: ast.Attribute) -> None:
        if self.trusted[node.end_lineno or node.lineno]:
            return
        if node.attr.startswith("_") and node.attr not in _DUNDERS:
            raise self.unsafe(node, f"the attribute {node.attr}")
        if node.attr in _DANGEROUS and self.root(node) in self.modules:
            raise self.unsafe(node, ast.unparse(node))

    def root(self, node: ast.Attribute) -> str:
        """Return the name that a dotted name starts with; empty where it starts otherwise."""
        first: ast.expr = node
        while isinstance(first, ast.Attribute):
            first = first.value
        return first.id if isinstance(first, ast.Name) else ""

    def constant(self, node: ast.Constant, value: object) -> None:
        if value is None or isinstance(value, bool | int | float):
            return
        if not isinstance(value, str) or not _PATH.fullmatch(value):
            raise self.unsafe(node, repr(value))
        if any(part not in self.words for part in _NAME.findall(value)):
            raise self.unsafe(node, repr(value))

    def unsafe(self, node: ast.AST, what: str) -> UnsafeOutput:
        return UnsafeOutput(
            f"{self.name}:{getattr(node, 'lineno', 1)} holds {what}, which no emitter may write"
        )


def _json(name: str, text: str) -> None:
    def refuse(word: str) -> None:
        raise UnsafeOutput(f"{name} holds {word}, which is no JSON")

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise UnsafeOutput(f"{name} is no JSON: {error}") from None


_PLAIN = re.compile(r"\\[!-/:-@[-`{-~]|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
"""An escaped character, or a code span."""


def _markdown(name: str, text: str, trusted: frozenset[str]) -> None:
    """Check for HTML and links outside of templates' lines, and that fences and tables close."""
    first, *rest = text.split("\n")
    if not re.fullmatch(r"<!-- (?:(?!--|[<>]).)* -->", first):
        raise UnsafeOutput(f"{name}:1 is no comment")
    columns = 0
    for number, line in _outside_fences(name, rest):
        plain = _PLAIN.sub("", line)
        if line.strip() not in trusted and re.search(r"[<`]|\]\(", plain):
            raise UnsafeOutput(f"{name}:{number} holds Markdown that no emitter may write")
        cells = plain.count("|") if plain.startswith("|") else 0
        if cells and columns and cells != columns:
            raise UnsafeOutput(f"{name}:{number} has another number of cells than its table")
        columns = cells


def _outside_fences(name: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(lines, 2):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line
    if fenced:
        raise UnsafeOutput(f"{name} ends in a code block")

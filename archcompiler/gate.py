"""The last look at a build before it is written: no spec can have put code into it.

Every line of a generated Python file is a line of the backend's templates, or it is checked: nodes,
operators, imports, names, attributes and strings must be those that emitters write. Which these
are is said by lists, here and in the backend, never by what is forbidden. Documents must read back.
What does not pass is a bug of archc or of a backend, never of the spec: it raises `UnsafeOutput`,
and nothing is written.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources

from archcompiler import gate_card
from archcompiler.backend import Backend
from archcompiler.gate_python import Allowed, Missed, Python, UnsafeOutput, defined, parsed
from archcompiler.ir import Network
from archcompiler.manifest import BUILT
from archcompiler.op import Op, write_attributes

_ODD = re.compile(r"[^\n -~]")
_JINJA = re.compile(r"\{[{%#]")


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
    return Allowed(
        imports=backend.imports,
        names=backend.names,
        attributes=backend.attributes,
        words=backend.words,
        lines=template_lines(texts),
    )


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
    """Check the files of one build, by name. Raises `UnsafeOutput` with the first line at fault.

    Where it is only that the backend declares too little, the error tells all that is missing.
    """
    for name, text in files.items():
        if name not in BUILT:
            raise UnsafeOutput(f"{name} is no file of a build")
        if odd := _ODD.search(text):
            raise UnsafeOutput(f"{name} holds U+{ord(odd[0]):04X}")
        if name.endswith(".json"):
            _json(name, text)
        elif name.endswith(".md"):
            gate_card.check(name, text, network.name, allowed.lines)
    trees = {name: parsed(name, text) for name, text in files.items() if name.endswith(".py")}
    own = {"model": frozenset(defined(trees["model.py"]))} if "model.py" in trees else {}
    names, missed = _names(network), Missed()
    try:
        for name, tree in trees.items():
            Python(name, files[name], tree, allowed, names, own, missed).check()
    finally:
        missed.tell()  # which came before what no backend can declare


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


def _json(name: str, text: str) -> None:
    def refuse(word: str) -> None:
        raise UnsafeOutput(f"{name} holds {word}, which is no JSON")

    try:
        json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise UnsafeOutput(f"{name} is no JSON: {error}") from None

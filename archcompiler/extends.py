"""Room 1, continued: the specs that a spec extends, read and in order, the first base in front."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from pathlib import Path

from archcompiler import locate, source
from archcompiler.errors import ArchcError, Diagnostic, Row, did_you_mean, listed, nearest
from archcompiler.names import IDENTIFIER
from archcompiler.source import Mapping, Node, Scalar

MAX_SPECS = 16
MAX_PATH = 1_024
"""Characters of a path: following one takes time, and no folder is so deep."""

_FORM = "the name of a shipped spec, or a path like base.yaml"


@dataclass(frozen=True, slots=True)
class _Document:
    """One spec file: where it is, what messages call it, and the folder it may read from."""

    node: Node
    path: Path
    shown: str
    folder: Path


def chain(node: Node, path: Path | None = None) -> tuple[Node, ...]:
    """Return a spec's document behind all that it extends.

    `path` is the file it was read from; without one, it may extend shipped specs only. A base is a
    shipped spec, or a file in the folder of the spec or below, called like a spec and not hidden,
    also where links lead; a shipped spec's base is shipped.
    Raises `ArchcError`: E114 for a base that cannot be read, E115 for a circle of specs and for
    more than 16 of them, else as `load`.
    """
    if not isinstance(node, Mapping) or "extends" not in node.entries:
        return (node,)
    here = Path(path) if path else Path()
    folder = here.parent.resolve()
    shown = node.position.source.name
    documents = [_Document(node, here.resolve() if path else Path(shown), shown, folder)]
    while (target := _target(documents[-1], bool(path) or len(documents) > 1)) is not None:
        found, at = target
        names = [*(d.shown for d in documents), found.shown]
        if found.path in [d.path for d in documents]:
            raise _fail("E115", f"a spec extends itself: {' > '.join(names)}", at)
        if len(names) > MAX_SPECS:
            shown = f"{' > '.join(names[:3])} > ... > {names[-1]}"
            raise _fail("E115", f"more than {MAX_SPECS} specs extend each other: {shown}", at)
        documents.append(found)
    return tuple(d.node for d in reversed(documents))


def _target(document: _Document, has_file: bool) -> tuple[_Document, Scalar] | None:
    """Read what a document extends; None where it extends nothing."""
    if not isinstance(document.node, Mapping) or "extends" not in document.node.entries:
        return None
    at = document.node.entries["extends"].node
    if not isinstance(at, Scalar) or not isinstance(at.value, str):
        raise _fail("E114", f"`extends`: expected {_FORM}", at)
    path, shown, folder = _resolved(at, document, has_file)
    try:
        node = source.load(path, shown)
    except ArchcError as error:
        raise _wrapped(error, at) from None
    return _Document(node, path, shown, folder), at


def _resolved(at: Scalar, document: _Document, has_file: bool) -> tuple[Path, str, Path]:
    """Find the file that `extends` means, what to call it, and the folder it may read from."""
    text = str(at.value)
    if len(text) > MAX_PATH:
        raise _fail(
            "E114",
            f"`{text[:40]}...` is longer than {MAX_PATH:,} characters",
            at,
            hint="write a short path like base.yaml, or move the base near to the spec",
        )
    shipped = locate.shipped()
    if IDENTIFIER.fullmatch(text):
        if text not in shipped:
            beside = [p.name for p in locate.specs_in(document.path.parent)] if has_file else []
            near = f"did you mean `{text}.yaml`?" if f"{text}.yaml" in beside else None
            raise _fail(
                "E114",
                f"there is no shipped spec `{text}`",
                at,
                hint=near or did_you_mean(text, shipped) or f"there are {listed([*shipped])}",
            )
        path = shipped[text]
        return path.resolve(), str(locate.relative(path)), path.parent.resolve()
    plain = text.isprintable() and not any(c in text for c in "\\:~$")
    if not plain or os.path.isabs(text) or not text.endswith(locate.SUFFIXES):
        hint = did_you_mean(text, shipped)
        if os.path.isabs(text):
            hint = "a path starts at the folder of this file"
        raise _fail("E114", f"`extends`: expected {_FORM}", at, hint=hint)
    if not has_file:
        raise _fail("E114", "a spec that is no file can extend shipped specs only", at)
    written = document.path.parent / text
    try:
        path = written.resolve()
    except (OSError, RuntimeError, ValueError):
        raise _fail("E114", f"`{text}` cannot be followed", at) from None
    if not path.is_relative_to(document.folder):
        raise _fail(
            "E114",
            f"`{text}` is outside the folder of the spec",
            at,
            hint="a base stands beside the spec or below it, or is a shipped one's name",
        )
    if not locate.is_open_spec(path, document.folder):
        raise _fail(
            "E114",
            f"`{text}` is hidden or no spec, or leads to such a file",
            at,
            hint="a base ends in .yaml or .yml, and no name on the way to it starts with a dot",
        )
    try:
        exists = path.exists()
    except OSError:
        raise _fail("E114", f"`{text}` cannot be followed", at) from None
    if not exists:
        raise _fail("E114", f"there is no file {text}", at, hint=_near_file(text, path))
    shown = os.path.normpath(os.path.join(os.path.dirname(document.shown), text))
    return path, shown, document.folder


def _near_file(text: str, path: Path) -> str | None:
    """Return a hint with what a path to nothing means: a shipped spec, or a file of that folder."""
    if path.stem in locate.shipped():
        return f"a shipped spec goes by its name alone: `extends: {path.stem}`"
    beside = {p.stem: p.name for p in locate.specs_in(path.parent)}
    near = nearest(path.stem, beside)
    if near:
        return f"did you mean `{os.path.join(os.path.dirname(text), beside[near])}`?"
    return did_you_mean(path.stem, locate.shipped())


def _wrapped(error: ArchcError, at: Scalar) -> ArchcError:
    """Say of a base that cannot be read at all where it was asked for."""
    first = error.diagnostics[0]
    if first.position is None or first.code == "E103":
        return _fail("E114", f"`{at.value}` cannot be extended: {first.message}", at)
    row = Row(label="extended at", position=at.position)
    return ArchcError(
        Diagnostic(
            code=first.code,
            message=first.message,
            position=first.position,
            rows=(*first.rows, row),
            hint=first.hint,
        )
    )


def _fail(code: str, message: str, at: Node, *, hint: str | None = None) -> ArchcError:
    return ArchcError(Diagnostic(code=code, message=message, position=at.position, hint=hint))

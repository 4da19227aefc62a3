"""The shape lock: every end point's shape, parameters and MACs in a small file beside the spec.

`NAME.lock` beside `NAME.yaml` is YAML, one end point a line, so that a review of a spec shows what
a change did to its figures. archc writes it and reads it as it reads a spec: under budgets, with a
position for every value. It does not end in `.yaml`, so that neither a folder of specs, nor a
pattern like `specs/*.yaml`, nor an editor's schema takes it for a spec.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NoReturn, TypeVar, cast

from archcompiler import fields
from archcompiler.errors import ArchcError, Diagnostic, WrongValue, did_you_mean, one_of
from archcompiler.escape import comment
from archcompiler.fields import Shape, shape_text
from archcompiler.ir import Network, Totals, totals
from archcompiler.locate import relative, typed
from archcompiler.position import Position
from archcompiler.source import Entry, Mapping, Node, Scalar, load
from archcompiler.yaml_writer import flow

SUFFIX = ".lock"
VERSION_KEY = "archc_lock"
VERSION = 1
EVALUATION = "evaluation"
TOTALS = ("total", EVALUATION)
_KEYS = (VERSION_KEY, "input", *TOTALS, "end_points")
_COUNTS = ("params", "trainable", "macs")
_FIGURES = ("shape", "params", "macs")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """An end point's shape, and the parameters and MACs of its layer with all that is inside."""

    shape: Shape
    params: int
    macs: int


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """What a line of a lock says, and where the line is."""

    value: T
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock as read; the positions are those of its keys."""

    input: Placed[Shape]
    totals: dict[str, Placed[Totals]]
    end_points: dict[str, Placed[Figures]]
    position: Position
    """Where the end points begin."""


def lock_path(spec: Path) -> Path:
    """Return where the lock of a spec is."""
    return spec.with_suffix(SUFFIX)


def owner(spec: Path) -> Path:
    """Return the spec to which the lock beside `spec` belongs: another where both are links."""
    path = lock_path(spec)
    if spec.is_symlink() and path.is_symlink() and not _is_elsewhere(path, spec):
        return relative(Path(os.path.realpath(spec)))
    return spec


def command(spec: Path) -> str:
    """Return the command that writes the lock of a spec, to be shown and pasted."""
    return f"`archc lock {typed(owner(spec))}`"


def figures(network: Network) -> dict[str, Figures]:
    """Return the figures of every end point, by name."""
    found = {}
    for point in network.end_points:
        sums = totals(point.node.walk())
        shape = point.node.output.shape
        found[point.name] = Figures(shape=shape, params=sums.params, macs=sums.macs)
    return found


def sums(network: Network) -> dict[str, Totals]:
    """Return the totals that a lock has: those without training heads only where there are any."""
    found = {"total": network.totals()}
    return found | ({EVALUATION: network.totals(inference=True)} if network.training_heads else {})


def to_text(network: Network, spec: str) -> str:
    """Return the lock of a network, whose file is called `spec`.

    Columns are not aligned, so that one changed end point is one changed line.
    """
    lines = [
        f"# `archc check` holds {comment(spec)} to these figures. Do not edit: `archc lock` writes "
        "them.",
        f"{VERSION_KEY}: {VERSION}",
        f"input: {shape_text(network.input.shape)}",
    ]
    for key, sum_ in sums(network).items():
        lines.append(f"{key}: {flow({name: getattr(sum_, name) for name in _COUNTS})}")
    lines.append("end_points:")
    for name, found in figures(network).items():
        shape = fields.write(fields.ShapeField, found.shape)
        written = {"shape": shape, "params": found.params, "macs": found.macs}
        lines.append("  " + flow({name: written})[1:-1])
    return "\n".join(lines) + "\n"


def is_ours(text: str) -> bool:
    """Tell whether archc can have written a file, even where a merge or an edit broke it."""
    return not text.strip() or any(line.startswith(f"{VERSION_KEY}:") for line in text.splitlines())


def read(spec: Path) -> Lock:
    """Read the lock of a spec.

    Raises `ArchcError`: E606 for what is not a lock as archc writes it, at the place, and for a
    link to anything but such a lock; E101 where the file cannot be read.
    """
    if _is_elsewhere(lock_path(spec), spec):
        message = f"{lock_path(spec)} is a link to something that is not this spec's lock"
        hint = f"move it away; {command(spec)} writes the lock"
        raise ArchcError(Diagnostic(code="E606", message=message, hint=hint))
    try:
        return _lock(load(lock_path(spec)))
    except ArchcError as error:
        found = error.diagnostics[0]
        if found.position is None:
            raise
        message = found.message
        if found.code != "E606":
            why = "it is empty" if found.code == "E110" else message
            message = f"this lock cannot be read: {why}"
        hint = f"{command(spec)} writes it anew"
        if not is_ours(found.position.source.text):
            hint = f"if it is not archc's, move it away: it has the name of {spec}'s lock"
        raise ArchcError(
            dataclasses.replace(found, code="E606", message=message, rows=(), hint=hint)
        ) from None


def _is_elsewhere(path: Path, spec: Path) -> bool:
    """Tell whether a lock is a link out: nobody named what is there, and errors quote what is read.

    A link may lead to the lock beside the file that the spec itself is a link to.
    """
    beside = os.path.join(os.path.realpath(path.parent), path.name)
    return os.path.realpath(path) not in (beside, str(lock_path(Path(os.path.realpath(spec)))))


def _lock(root: Node) -> Lock:
    entries = _table(root, _KEYS, "a lock", optional=(EVALUATION,))
    version = entries[VERSION_KEY].node
    value = version.value if isinstance(version, Scalar) else None
    if type(value) is not int or value != VERSION:  # true and 1.0 are equal to 1
        _wrong(version.position, f"this archc reads `{VERSION_KEY}: {VERSION}`")
    points = _mapping(entries["end_points"].node, "`end_points`").entries
    return Lock(
        input=Placed(_shape(entries["input"]), entries["input"].position),
        totals={key: _totals(entries[key]) for key in TOTALS if key in entries},
        end_points={key: _figures(entry) for key, entry in points.items()},
        position=entries["end_points"].position,
    )


def _totals(entry: Entry) -> Placed[Totals]:
    counts = {k: _count(e) for k, e in _table(entry.node, _COUNTS, f"`{entry.key}`").items()}
    return Placed(Totals(**counts), entry.position)


def _figures(entry: Entry) -> Placed[Figures]:
    parts = _table(entry.node, _FIGURES, f"`{entry.key}`")
    found = Figures(
        shape=_shape(parts["shape"]), params=_count(parts["params"]), macs=_count(parts["macs"])
    )
    return Placed(found, entry.position)


def _shape(entry: Entry) -> Shape:
    value = entry.node.value if isinstance(entry.node, Scalar) else None
    try:
        return cast(Shape, fields.check(fields.ShapeField, value))
    except WrongValue as error:
        _wrong(entry.node.position, f"`{entry.key}`: {error}")


def _count(entry: Entry) -> int:
    value = entry.node.value if isinstance(entry.node, Scalar) else None
    if type(value) is not int or value < 0:
        _wrong(entry.node.position, f"`{entry.key}`: a count is expected here")
    return value


def _table(
    node: Node, known: tuple[str, ...], what: str, optional: Collection[str] = ()
) -> dict[str, Entry]:
    entries = _mapping(node, what).entries
    for key, entry in entries.items():
        if key not in known:
            near = did_you_mean(key, known)
            _wrong(entry.position, f"{what} has no `{key}`" + (f", {near}" if near else ""))
    if missing := [key for key in known if key not in entries and key not in optional]:
        _wrong(node.position, f"{what} lacks {one_of(missing, 'and')}")
    return entries


def _mapping(node: Node, what: str) -> Mapping:
    if not isinstance(node, Mapping):
        _wrong(node.position, f"{what} is a mapping")
    return node


def _wrong(position: Position, message: str) -> NoReturn:
    raise ArchcError(Diagnostic(code="E606", message=message, position=position))

"""Changes from the command line: `param=value`, `input=HxW`, `PATH.attribute=value`.

Each becomes a value with a position in the argument itself, so that errors point into it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass

from archcompiler import fields, parameters, source
from archcompiler.errors import (
    USAGE_OR_ENVIRONMENT,
    ArchcError,
    Diagnostic,
    Report,
    WrongValue,
    did_you_mean,
)
from archcompiler.position import Position, Source
from archcompiler.source import Node, Scalar
from archcompiler.spec import Patch, Spec
from archcompiler.values import Values

COMMAND_LINE = "command line"
"""What messages call the source of an assignment."""


MOST_DOTS = 16
"""Values are never nested so deep."""
FIXED = ("name", "repeat", "expect")
"""What any layer has and only the file may say: structure, and what the file expects of itself."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One `target=value` of the command line; `position` is that of the target."""

    target: str
    node: Node
    position: Position

    @property
    def path(self) -> str:
        """Return the path of the layer, empty for a parameter or the input."""
        return self.target.partition(".")[0] if "." in self.target else ""

    @property
    def attribute(self) -> str:
        """Return what follows the path, such as `kernel` or `with.mid`."""
        return self.target.partition(".")[2]

    def after(self, start: str) -> Position:
        """Return the position behind the first words of the target."""
        return dataclasses.replace(self.position, column=len(start) + 1)


def parse_assignment(text: str) -> Assignment:
    """Read one argument. Raises E704, exit code 2, when it is no assignment."""
    target, equals, value = text.partition("=")
    position = Position(Source(COMMAND_LINE, text), 1, 1)
    if not equals or not target:
        diagnostic = Diagnostic(
            code="E704",
            message=f"`{text}` is no assignment",
            position=position,
            hint="write num_classes=10, input=224x224 or Mixed_5b/Branch_1/Conv2d_0b_5x5.kernel=3",
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    if value.startswith("="):
        hint = f"one `=` is enough: `{target}{value}`"
        diagnostic = Diagnostic(
            code="E704", message=f"`{text}` is no assignment", position=position, hint=hint
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    if target.count(".") > MOST_DOTS:
        diagnostic = Diagnostic(
            code="E704",
            message=f"an assignment goes at most {MOST_DOTS} names deep",
            position=position,
            hint="write it as body.defaults.conv.activation=relu, or in the file",
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    if target.count("/") >= source.MAX_DEPTH:
        diagnostic = Diagnostic(
            code="E704",
            message=f"nothing is deeper than {source.MAX_DEPTH} names",
            position=position,
            hint="a path is like Mixed_5b/Branch_1/Conv2d_0b_5x5, with what changes as `.kernel`",
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    at = Position(position.source, 1, len(target) + 2)
    if value.strip() in ("", "~", "null"):  # alone, this would be an empty document
        return Assignment(target, Scalar(None, "", at), position)
    if value.lstrip().startswith("#"):
        diagnostic = Diagnostic(
            code="E704",
            message=f"`{value}` is a comment, and no value",
            position=at,
            hint=f"a text that begins with `#` is quoted twice: '{target}=\"#...\"'",
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)
    try:
        node = source.parse(" " * (len(target) + 1) + value, COMMAND_LINE)
    except ArchcError as error:
        diagnostic = Diagnostic(
            code="E704",
            message=f"`{value}` cannot be read: {error.diagnostics[0].message}",
            position=at,
            hint=error.diagnostics[0].hint,
        )
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT) from None
    return Assignment(target, _moved(node, position.source), position)


def _moved(node: Node, to: Source) -> Node:
    """Let positions point into the argument as the user typed it."""
    position = Position(to, node.position.line, node.position.column)
    if isinstance(node, source.Sequence):
        return source.Sequence(tuple(_moved(n, to) for n in node.items), position)
    if isinstance(node, source.Mapping):
        entries = {
            k: source.Entry(k, Position(to, e.position.line, e.position.column), _moved(e.node, to))
            for k, e in node.entries.items()
        }
        return source.Mapping(entries, position)
    return Scalar(node.value, node.text, position)


def apply(spec: Spec, assignments: Iterable[Assignment], report: Report) -> Spec:
    """Change parameters and the input; what names a layer becomes the last of the patches."""
    patches = list(spec.patches)
    order = max([*spec.born.values(), *(p.order for p in patches), 0])
    for number, assignment in enumerate(assignments, 1):
        if assignment.path:
            patches += _patch(assignment, order + number, report)
        elif assignment.target == "input":
            spec = _with_input(spec, assignment, report)
        elif assignment.target in spec.params:
            spec = _with_parameter(spec, assignment, report)
        else:
            report.error(
                "E310",
                f"the spec has no parameter `{assignment.target}`",
                assignment.position,
                hint=did_you_mean(assignment.target, (*spec.params, "input"))
                or f"it has {', '.join((*spec.params, 'input'))}",
            )
    return dataclasses.replace(spec, patches=tuple(patches))


def _patch(assignment: Assignment, order: int, report: Report) -> list[Patch]:
    """Write `PATH.attribute=value` as the patch that it is."""
    key, *inner = assignment.attribute.split(".")
    if key in FIXED and not inner:
        report.error(
            "E310",
            f"`{key}` cannot be changed on the command line",
            assignment.after(f"{assignment.path}."),
            hint="edit the file",
        )
        return []
    node = assignment.node
    for depth in range(len(inner), 0, -1):
        start = ".".join((assignment.path, key, *inner[: depth - 1], ""))
        at = assignment.after(start)
        word = inner[depth - 1]
        node = source.Mapping({word: source.Entry(word, at, node)}, at)
    entry = source.Entry(key, assignment.after(f"{assignment.path}."), node)
    return [
        Patch(
            verb="set",
            path=assignment.path,
            position=assignment.position,
            order=order,
            entries={key: entry},
            by_command_line=True,
        )
    ]


def _with_input(spec: Spec, assignment: Assignment, report: Report) -> Spec:
    node = assignment.node
    written = text = node.text if isinstance(node, Scalar) else ""
    if text.count("x") == 1:
        text += f"x{spec.input[2]}"
    try:
        shape = fields.check(fields.MapField, text)
    except WrongValue:
        report.error(
            "E204",
            f"`input`: expected a size like 224x224 or 224x224x3, got {fields.plain(written)}",
            node.position,
            hint=_size_hint(text),
        )
        return spec
    assert isinstance(shape, tuple)
    return dataclasses.replace(spec, input=shape, input_position=node.position)


def _size_hint(text: str) -> str | None:
    """Return a hint with the size that numbers mean, whatever stands between them."""
    numbers = re.findall(r"[0-9]+", text)
    if not re.fullmatch(r"[0-9xX*, ()\[\]]*", text) or not 1 <= len(numbers) <= 3:
        return None
    if any(len(n) > len(f"{fields.MAX_COUNT}") or int(n) > fields.MAX_COUNT for n in numbers):
        return f"at most {fields.MAX_COUNT:,} each"
    return f"write input={'x'.join(numbers * 2 if len(numbers) == 1 else numbers)}"


def _with_parameter(spec: Spec, assignment: Assignment, report: Report) -> Spec:
    old, _ = spec.params[assignment.target]
    node = assignment.node
    value = parameters.alike(node.value if isinstance(node, Scalar) else None, old)
    if value is None:
        report.error(
            "E204",
            f"`{assignment.target}`: expected {parameters.kind(old)} like its default "
            f"{fields.plain(old)}",
            node.position,
        )
        return spec
    if not Values(report).finite(assignment.target, value, node.position):
        return spec
    params = spec.params | {assignment.target: (value, node.position)}
    return dataclasses.replace(spec, params=params)

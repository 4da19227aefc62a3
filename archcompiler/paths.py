"""Paths: every layer's full name, unique ignoring case, and the changes aimed at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archcompiler import overrides
from archcompiler.errors import Report, Row, did_you_mean
from archcompiler.overrides import Assignment
from archcompiler.position import Position
from archcompiler.spec import Layer


def join(prefix: str, name: str) -> str:
    """Return the path of `name` inside `prefix`."""
    return f"{prefix}/{name}" if prefix else name


@dataclass(slots=True)
class Paths:
    """The paths of a network under expansion, and the command line's assignments by path."""

    assignments: Sequence[Assignment]
    report: Report
    positions: dict[str, Position] = field(default_factory=dict)
    """By path in lower case."""
    shown: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    templates: dict[str, None] = field(default_factory=dict)
    by_path: dict[str, list[int]] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for index, assignment in enumerate(self.assignments):
            if assignment.path and index not in self.used:
                self.by_path.setdefault(assignment.path, []).append(index)

    def register(self, path: str, position: Position, hint: str | None = None) -> bool:
        """Note a path; False where it is taken. Of what is inside a taken one, nothing is said."""
        first = self.positions.get(path.lower())
        self.positions.setdefault(path.lower(), position)
        self.shown.append(path)
        if first is None:
            return True  # else maybe the very same position: an alias, or an unnamed repeat
        if path.rpartition("/")[0].lower() not in self.taken:
            self.report.error(
                "E305",
                f"`{path}` is the name of another layer",
                position,
                rows=[Row(label="first", position=first)],
                hint=hint or "names are unique in their list, ignoring case",
            )
        self.taken.add(path.lower())
        return False

    def changed(self, layer: Layer, path: str, template: str) -> Layer:
        """Apply the command line: to the template first, then to the instance."""
        if not self.by_path:
            return layer
        if template:
            self.templates.setdefault(template)
        for target in (template, path):
            for index in self.by_path.get(target, ()) if target else ():
                self.used.add(index)
                layer = overrides.change(layer, self.assignments[index], self.report)
        return layer

    def _near(self, path: str) -> str | None:
        """Return a hint with the nearest path: one that ends the same, or is spelt alike."""
        known = list(self.templates) if path.startswith("blocks/") else self.shown
        names = [p for p in known if p.lower().endswith(f"/{path.lower()}")]
        return f"did you mean `{names[0]}`?" if names else did_you_mean(path, known)

    def report_unused(self) -> None:
        """Report assignments to layers that there are not."""
        for index, assignment in enumerate(self.assignments):
            if assignment.path and index not in self.used:
                path = assignment.path
                inner = [p for p in self.shown if p.startswith(f"{path}/")]
                self.report.error(
                    "E310",
                    f"`{path}` is a branch" if inner else f"there is no layer `{path}`",
                    assignment.position,
                    hint=f"name a layer in it, as `{inner[0]}`" if inner else self._near(path),
                )

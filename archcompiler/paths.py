"""Paths: every layer's full name, unique ignoring case."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from archcompiler.errors import Report, Row
from archcompiler.position import Position

NUMBERED = re.compile(r"(.+)_[0-9]+")
"""What a copy of a repeated layer is called, and in it the name before."""


def join(prefix: str, name: str) -> str:
    """Return the path of `name` inside `prefix`."""
    return f"{prefix}/{name}" if prefix else name


@dataclass(slots=True)
class Paths:
    """The paths of a network under expansion."""

    report: Report
    positions: dict[str, Position] = field(default_factory=dict)
    """By path in lower case."""
    shown: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

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

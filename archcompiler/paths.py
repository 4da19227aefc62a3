"""Paths: every layer's full name, unique ignoring case."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from archcompiler.errors import Report, Row
from archcompiler.position import Position

NUMBERED = re.compile(r"(.+)_[0-9]+")
"""What a copy of a repeated layer is called, and in it the name before."""


def join(prefix: str, name: str) -> str:
    """Return the path of `name` inside `prefix`; either may be empty."""
    return f"{prefix}/{name}" if prefix and name else prefix or name


@dataclass(frozen=True, slots=True)
class Former:
    """A name, or a path, that something had until the patch of an `order` gave it another."""

    text: str
    until: int


@dataclass(frozen=True, slots=True)
class Address:
    """What patches call something: its path since an `order`, and its former ones, oldest first."""

    path: str = ""
    since: int = 0
    former: tuple[Former, ...] = ()

    def inside(self, name: str, former: Sequence[Former] = ()) -> Address:
        """Return the address of what stands in it, by a name and those that it had before."""
        if not name and not former:
            return self
        since = max(self.since, former[-1].until if former else 0)
        ends = sorted({each.until for each in (*self.former, *former)})
        found = []
        for end in ends:
            start = next((f.text for f in self.former if f.until >= end), self.path)
            own = next((f.text for f in former if f.until >= end), name)
            found.append(Former(join(start, own), end))
        return Address(join(self.path, name), since, tuple(found))

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """Yield each path, behind which order it held, and the last one."""
        start = 0
        for former in self.former:
            yield former.text, start, former.until
            start = former.until
        yield self.path, self.since, sys.maxsize


TOP = Address()


@dataclass(slots=True)
class Paths:
    """The paths of a network under expansion."""

    report: Report
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    """By what is around a layer and its name, in lower case: few long texts for many layers."""
    shown: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    _around: str = ""
    """In lower case, what is around the layer that was noted last."""

    def register(self, path: str, position: Position, hint: str | None = None) -> bool:
        """Note a path; False where it is taken. Of what is inside a taken one, nothing is said."""
        around, _, name = path.lower().rpartition("/")
        if around != self._around:
            self._around = around
        key = (self._around, name)
        first = self.positions.get(key)
        self.positions.setdefault(key, position)
        self.shown.append(path)
        if first is None:
            return True  # else maybe the very same position: an alias, or an unnamed repeat
        if around not in self.taken:
            self.report.error(
                "E305",
                f"`{path}` is the name of another layer",
                position,
                rows=[Row(label="first", position=first)],
                hint=hint or "names are unique in their list, ignoring case",
            )
        self.taken.add(path.lower())
        return False

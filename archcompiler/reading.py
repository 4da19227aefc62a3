"""What patches made of written nodes is read again, once for all that share it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from archcompiler import rewrite
from archcompiler.errors import Report, Row
from archcompiler.source import Node
from archcompiler.spec import Patch
from archcompiler.validate import Validator

MOST_READ_AGAIN = 50_000
"""So many values patches may make archc read again: the product of two long lists takes minutes."""

T = TypeVar("T")


@dataclass(slots=True)
class Reading:
    """Reads what patches make."""

    report: Report
    _made: dict[tuple[int, int], tuple[object, object]] = field(default_factory=dict)
    """By what was patched and the patch, what came of it: instances share their templates."""
    _count: int = 0

    def once(self, target: object, patch: Patch, make: Callable[[], T]) -> T:
        """Make something of a target by a patch, or return what was made of it before."""
        key = (id(target), patch.order)
        if key not in self._made:
            self._made[key] = (target, make())  # with the target, whose identity must stay
        return cast(T, self._made[key][1])

    def checked(self, patch: Patch, node: Node, read: Callable[[Validator], T | None]) -> T | None:
        """Read what a patch made; a mistake that lies outside the patch names it."""
        self._count += rewrite.size(node)
        if self._count > MOST_READ_AGAIN:
            message = f"patches change more than {MOST_READ_AGAIN:,} values"
            self.report.error("E304", message, patch.position)
            self.report.raise_errors()
        inner = Report()
        found = read(Validator(inner))
        own = set(rewrite.positions(patch))
        for problem in inner.diagnostics:
            if problem.position not in own:
                row = Row(label="patched", position=patch.position)
                problem = dataclasses.replace(problem, rows=(*problem.rows, row))
            self.report.add(problem)
        return None if inner.diagnostics else found

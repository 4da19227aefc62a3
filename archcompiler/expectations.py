"""Expectations: what a file says of its own shapes, held against what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from archcompiler import fields
from archcompiler.draft import Draft
from archcompiler.errors import Report, Row
from archcompiler.fields import shape_text
from archcompiler.ir import Node, Value
from archcompiler.position import Position
from archcompiler.settle import FAILED, Settler

MOST_BEHIND = 3
"""So many failures behind another one are shown; more are only counted."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """An expectation that does not hold; `behind` another one on the way from the input."""

    message: str
    position: Position
    rows: list[Row]
    behind: bool


@dataclass(slots=True)
class Expectations:
    """Checks expectations; they are `binding` unless the command line changed something."""

    report: Report
    binding: bool
    settler: Settler
    failed: list[_Failed] = field(default_factory=list)
    off: set[Value] = field(default_factory=set)
    """Values that are not as expected, or come from one that is not."""

    def follow(self, output: Value, inputs: Iterable[Value]) -> None:
        """Note that a value comes from others."""
        if any(v in self.off for v in inputs):
            self.off.add(output)

    def check(self, draft: Draft, node: Node, rows: Callable[[], list[Row]]) -> None:
        """Check a layer's expectation, if it has one; `rows` say where its shape comes from."""
        bound = draft.expect
        if bound is None or bound.value is None:
            return
        expected = self.settler.checked(draft, "expect", fields.ShapeField, bound)
        shape = node.output.shape
        if expected is FAILED:
            return
        if expected == shape:
            self.off.discard(node.output)
            return
        assert isinstance(expected, tuple)
        message = f"`{node.path}` gives {shape_text(shape)}, not {shape_text(expected)}"
        behind = node.output in self.off
        self.off.add(node.output)
        self.failed.append(_Failed(message, bound.position, rows(), behind))

    def report_all(self) -> None:
        """Report what failed; a crowd behind another that failed is only counted."""
        if self.failed and not self.binding:
            first, *others = self.failed
            rest = f" (and {len(others)} more like it)" if others else ""
            message = f"changed so, {first.message} as the file expects{rest}"
            self.report.note("E406", message, first.position)
            return
        behind = sum(f.behind for f in self.failed)
        hint = None
        if behind > MOST_BEHIND:
            hint = (
                f"{behind} more behind it do not hold either; for one run with another input "
                "or parameter, change it on the command line: there they are a note"
            )
        for failed in self.failed:
            if not (hint and failed.behind):
                self.report.error(
                    "E406", failed.message, failed.position, rows=failed.rows, hint=hint
                )

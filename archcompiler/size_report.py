"""`archc check --input A..B`: reading the range, and saying what became of each size."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from archcompiler.diagnostics import WIDTH, show
from archcompiler.draft import DraftNetwork
from archcompiler.errors import Diagnostic
from archcompiler.fields import Size
from archcompiler.sizes import Group, Limits, Search, Survey

MOST_SIZES = 4096
_LARGEST = 65_536
_MOST_RUNS = 6
_RANGE = re.compile(r"([0-9]{1,5})(?:x([0-9]{1,5}))?(?:\.\.([0-9]{1,5})(?:x([0-9]{1,5}))?)?")


def read_range(text: str) -> tuple[Size, ...]:
    """Return the sizes of `75..331` or `75x100..331x356`, where both sides grow together.

    Raises `ValueError` with a sentence for anything else.
    """
    found = _RANGE.fullmatch(text)
    if not found:
        raise ValueError("write 75..331, or 75x100..331x356 for images that are not square")
    height, width, last_height, last_width = (int(n) if n else None for n in found.groups())
    assert height is not None
    first = (height, height if width is None else width)
    last = first
    if last_height is not None:
        last = (last_height, last_height if last_width is None else last_width)
    steps = last[0] - first[0]
    if last[1] - first[1] != steps:
        raise ValueError("height and width grow together: write 75x100..331x356")
    if steps < 0:
        raise ValueError("the range ends before it begins")
    if not 0 < min(first) <= max(last) <= _LARGEST:
        raise ValueError(f"a size is 1 to {_LARGEST:,}")
    if steps >= MOST_SIZES:
        raise ValueError(f"at most {MOST_SIZES:,} sizes are tried at once")
    return tuple((first[0] + n, first[1] + n) for n in range(steps + 1))


def lines(draft: DraftNetwork, sizes: Sequence[Size], found: Survey) -> list[str]:
    """Say in a few lines which of the sizes are legal, and which of all square ones."""
    square = "square " if all(h == w for h, w in sizes) else ""
    inputs = "input" if len(sizes) == 1 else "inputs"
    title = f"{show(draft.name)}  {len(sizes):,} {square}{inputs}, {_span(sizes[0], sizes[-1])}"
    modes = _modes(draft, found)
    rows = []
    for mode, (legal, limit) in modes.items():
        head = f"   {mode:<10}  " if len(modes) > 1 else "   "
        count = "all" if len(legal) == len(sizes) else f"{len(legal):,}" if legal else "none"
        where = f": {spans(legal)}" if 0 < len(legal) < len(sizes) else ""
        text = f"{head}{count} legal{where}{_limits_text(limit)}"
        rows += textwrap.wrap(text, WIDTH, subsequent_indent=" " * len(head))
    return [title, *rows]


def findings(found: Survey) -> list[Diagnostic]:
    """Return one error for each layer that fails first at some of the sizes."""
    return [_finding(group) for group in found.groups]


def document(draft: DraftNetwork, found: Survey) -> dict[str, Any]:
    """Return the legal sizes as plain values, for JSON: runs of first, last and step."""
    return {
        mode: {
            "legal": [
                {"first": _size(first), "last": _size(last), "step": step}
                for first, last, step in runs(legal)
            ],
            "smallest_square": limit.smallest,
            "largest_square": limit.largest,
        }
        for mode, (legal, limit) in _modes(draft, found).items()
    }


def _modes(draft: DraftNetwork, found: Survey) -> dict[str, tuple[tuple[Size, ...], Limits]]:
    search = Search(draft)
    modes = {"training": (found.training, search.limits(training=True))}
    if any(head.training_only for head in draft.heads):
        modes["evaluation"] = (found.evaluation, search.limits(training=False))
    return modes


def _limits_text(limit: Limits) -> str:
    if limit.smallest is None:
        return ""
    largest = f", largest {limit.largest}" if limit.largest else ""
    return f"; smallest square {limit.smallest}{largest}"


def _finding(group: Group) -> Diagnostic:
    where = spans(group.sizes)
    only = " in training" if group.failure.training_only else ""
    at = f" (at {_short(group.shown)})" if len(group.sizes) > 1 else ""
    why = group.failure.why
    return dataclasses.replace(why, message=f"{where}{only}: {why.message}{at}", severity="error")


def spans(sizes: Sequence[Size]) -> str:
    """Write sizes as a person would: `75 to 106, 108`."""
    parts = []
    for first, last, step in runs(sizes):
        span = _span(first, last)
        parts.append(f"{span} in steps of {step}" if step > 1 else span)
    if len(parts) > _MOST_RUNS:
        parts[_MOST_RUNS - 1 :] = [f"and {len(parts) - _MOST_RUNS + 1} more ranges"]
    return ", ".join(parts)


def _span(first: Size, last: Size) -> str:
    return _short(first) if first == last else f"{_short(first)} to {_short(last)}"


def _short(size: Size) -> str:
    return str(size[0]) if size[0] == size[1] else _size(size)


def _size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def runs(sizes: Sequence[Size]) -> Iterator[tuple[Size, Size, int]]:
    """Yield the first, the last and the step of runs of evenly spaced sizes, in order."""
    start = 0
    while start < len(sizes):
        end, step = start, 1
        if start + 1 < len(sizes):
            step = sizes[start + 1][0] - sizes[start][0]
            end = start + 1
            while end + 1 < len(sizes) and sizes[end + 1][0] - sizes[end][0] == step:
                end += 1
        if step > 1 and end - start < 2:  # two sizes apart are no run
            end, step = start, 1
        yield sizes[start], sizes[end], step
        start = end + 1

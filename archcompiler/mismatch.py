"""Values that should be alike and are not: which one is odd, and what would help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from archcompiler.ir import Value
from archcompiler.position import Position


def first_odd(values: Sequence[Value], positions: Sequence[Position]) -> Position | None:
    """Return the position of the first value that is not like most: in size, else in channels."""
    sizes, shapes = [v.shape[:-1] for v in values], [v.shape for v in values]
    for parts in (sizes, shapes):
        usual = Counter(parts).most_common(1)[0][0]
        for part, position in zip(parts, positions, strict=False):
            if part != usual:
                return position
    return None


def join_hint(values: Sequence[Value]) -> str:
    """Say how values that do not join would."""
    if len({v.shape[:-1] for v in values}) > 1:
        return "equal strides and paddings on every path give equal sizes"
    return "a 1x1 conv on one of the paths gives it as many channels"

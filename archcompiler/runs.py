"""Runs of equal layers whose names count on: what `repeat` made, which emitted code loops over."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

SHORTEST = 4
"""A shorter run is written out."""

_NUMBERED = re.compile(r"(.+_)([1-9][0-9]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Items of a list, from `start` to before `stop`; `base` and a number from `first` name them.

    An item of its own has no `base`.
    """

    start: int
    stop: int
    base: str = ""
    first: int = 0

    @property
    def numbers(self) -> str:
        """Return the numbers as Python's range."""
        return f"range({self.first}, {self.first + self.stop - self.start})"


def runs(items: Sequence[tuple[str, Hashable]]) -> Iterator[Run]:
    """Cut a list of names, each with what the rest of its layer is, into runs and single items.

    What is None is like nothing else.
    """
    start = 0
    while start < len(items):
        stop = start + 1
        if found := _NUMBERED.fullmatch(items[start][0]):
            base, first = found[1], int(found[2])
            rest = items[start][1]
            while (
                rest is not None
                and stop < len(items)
                and items[stop] == (f"{base}{first + stop - start}", rest)
            ):
                stop += 1
            if stop - start >= SHORTEST:
                yield Run(start=start, stop=stop, base=base, first=first)
                start = stop
                continue
        yield Run(start=start, stop=start + 1)
        start += 1

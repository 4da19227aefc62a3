"""The patches of a spec by what they address, under every name that it has had."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from archcompiler.paths import Address
from archcompiler.spec import CONTENT, Patch


@dataclass(slots=True)
class Patches:
    """Patches, to be asked for by address."""

    patches: Iterable[Patch]
    _by_path: dict[str, list[Patch]] = field(default_factory=dict)
    """Each list in order."""
    _below: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """By path, what patches address from there, and their order."""

    def __post_init__(self) -> None:
        for patch in self.patches:
            self._by_path.setdefault(patch.path, []).append(patch)
            parts = patch.path.split("/")
            beside = patch.verb in ("before", "after")
            if beside:  # what it changes is the list
                parts.pop()
            for depth in range(1, len(parts)):
                below = ("/".join(parts[depth:]), patch.order)
                self._below.setdefault("/".join(parts[:depth]), []).append(below)
            if beside or {"defaults", *CONTENT} & patch.entries.keys():
                self._below.setdefault("/".join(parts), []).append((".", patch.order))

    def __bool__(self) -> bool:
        return bool(self._by_path)

    def behind(self, last: int, addresses: Iterable[Address]) -> Patch | None:
        """Return the first patch of what has these addresses behind an order."""
        found: list[Patch] = []
        for path, since, until in (span for one in addresses for span in one.spans()):
            known = self._by_path.get(path, [])
            start = bisect_right(known, max(last, since), key=lambda patch: patch.order)
            found += (patch for patch in known[start : start + 1] if patch.order <= until)
        return min(found, key=lambda patch: patch.order, default=None)

    def below(self, born: int, addresses: Iterable[Address]) -> Iterator[str]:
        """Yield the paths, from there, of what patches behind an order address; `.` is it."""
        for path, since, until in (span for one in addresses for span in one.spans()):
            for below, order in self._below.get(path, ()):
                if max(born, since) < order <= until:
                    yield below

"""Which images a network takes: legal input sizes, in evaluation and in training.

A network is expanded once and inferred at each size. Training-only heads have no shape at sizes
that evaluation could still take, so the two are told apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from archcompiler.draft import DraftNetwork, shown_paths
from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.fields import Size
from archcompiler.infer import Failure, failures

LARGEST = 4096
"""No larger image is tried."""
MOST_LAYERS = 10_000
"""So many layers may be inferred for the sake of a hint."""
TOO_SMALL, TOO_LARGE = "E404", "E411"
_FEWEST_TRIES = 12
_LONGEST_GAP = 32
_FAR = 4
"""A limit that is so many times smaller than the input is no hint to anybody."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest and the largest legal square input; None where none was found."""

    smallest: int | None
    largest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Sizes at which the same layer fails first: why, at one of them that is near a legal one."""

    sizes: tuple[Size, ...]
    shown: Size
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What became of each size; `evaluation` has the sizes that fail in training only, too."""

    training: tuple[Size, ...]
    evaluation: tuple[Size, ...]
    groups: tuple[Group, ...]


def survey(draft: DraftNetwork, sizes: Sequence[Size]) -> Survey:
    """Infer a network at each of the sizes."""
    firsts = {size: _first(failures_at(draft, size)) for size in sizes}
    groups: dict[tuple[str, str, bool], list[Size]] = {}
    for size, first in firsts.items():
        if first:
            key = (first.path, first.why.code, first.training_only)
            groups.setdefault(key, []).append(size)
    return Survey(
        training=tuple(s for s, first in firsts.items() if not first),
        evaluation=tuple(s for s, first in firsts.items() if not first or first.training_only),
        groups=tuple(_group(tuple(found), firsts) for found in groups.values()),
    )


def failures_at(draft: DraftNetwork, size: Size) -> tuple[Failure, ...]:
    """Return the layers that fail first where the image has this height and width."""
    return failures(dataclasses.replace(draft, input=(*size, draft.input[2])))


def _first(found: Sequence[Failure]) -> Failure | None:
    """Return the first failure; one of training alone only where evaluation has none."""
    return next((f for f in found if not f.training_only), found[0] if found else None)


def _group(sizes: tuple[Size, ...], firsts: dict[Size, Failure | None]) -> Group:
    """Choose the size to show: the last, if the next one is better, else the first."""
    order = list(firsts)
    after = order.index(sizes[-1]) + 1
    following = firsts[order[after]] if after < len(order) else None
    better = after == len(order) or following is None or following.training_only
    shown = sizes[-1] if better and len(sizes) < len(order) else sizes[0]
    failure = firsts[shown]
    assert failure is not None
    return Group(sizes=sizes, shown=shown, failure=failure)


class Spent(Exception):
    """The budget of a search is used up."""


class _Hidden(Exception):
    """Other failures hide whether a size is too small or too large."""


@dataclass(slots=True)
class Search:
    """Finds limits of legal square inputs; tries each size once, and at most `most` of them.

    The limits are exact: where a window is larger than its map, or a map that should be 1x1 is
    larger, every smaller or larger image fails, too. A size that fails for another reason hides
    whether it is such a one; then its neighbours decide, and where none of the next 32 does, there
    is no limit. Methods raise `Spent`.
    """

    draft: DraftNetwork
    most: int | None = None
    known: dict[int, tuple[Failure, ...]] = field(default_factory=dict)

    def limits(self, *, training: bool) -> Limits:
        """Return the smallest and the largest legal square, with or without training heads."""
        return Limits(self.smallest(training), self.largest(training))

    def smallest(self, training: bool) -> int | None:
        """Return the smallest legal square input; None where none was found."""
        start = min(max(self.draft.input[:2]), LARGEST)
        with suppress(_Hidden):
            first = _boundary(start, lambda n: TOO_SMALL not in self._settled(n, training, 1))
            tried = range(first, first + _LONGEST_GAP) if first else ()
            return next((n for n in tried if not self._codes(n, training)), None)
        return None

    def largest(self, training: bool) -> int | None:
        """Return the largest legal square input; None where none was found up to `LARGEST`."""
        with suppress(_Hidden):
            first = _boundary(1, lambda n: TOO_LARGE in self._settled(n, training, -1))
            tried = range(first - 1, max(0, first - _LONGEST_GAP), -1) if first else ()
            return next((n for n in tried if not self._codes(n, training)), None)
        return None

    def _settled(self, size: int, training: bool, step: int) -> set[str]:
        """Return the codes of the nearest size from here on that is legal, too small or too large.

        What is smaller than a size that is too small is so, too, and so for larger ones. Raises
        `_Hidden`.
        """
        for near in range(size, size + step * _LONGEST_GAP, step):
            if near == 0:  # nothing is smaller than the smallest image
                return set()
            codes = self._codes(near, training)
            if not codes or codes & {TOO_SMALL, TOO_LARGE}:
                return codes
        raise _Hidden

    def _codes(self, size: int, training: bool) -> set[str]:
        """Return the codes of all first failures at a square input."""
        if size not in self.known:
            if self.most is not None and len(self.known) >= self.most:
                raise Spent
            self.known[size] = failures_at(self.draft, (size, size))
        return {f.why.code for f in self.known[size] if training or not f.training_only}


def _boundary(start: int, beyond: Callable[[int], bool]) -> int | None:
    """Return the smallest size that is `beyond`, a property that larger sizes keep."""
    below, size = 0, start
    while not beyond(size):
        if size == LARGEST:
            return None
        below, size = size, min(2 * size, LARGEST)
    while size - below > 1:
        middle = (below + size) // 2
        below, size = (below, middle) if beyond(middle) else (middle, size)
    return size


def with_sizes(error: ArchcError, draft: DraftNetwork) -> ArchcError:
    """Say in the hints of an error how large or small an input must be, where that is known.

    The search tries as many sizes as a hint is worth; a very large network gets none.
    """
    most = MOST_LAYERS // max(1, len(shown_paths(draft)))
    wanted = {TOO_SMALL, TOO_LARGE} & {d.code for d in error.diagnostics}
    if not wanted or most < _FEWEST_TRIES:
        return error
    height, _, channels = draft.input
    if height <= 4 < channels:  # 3x224x224
        hint = f"an input is height x width x channels, as {draft.input[1]}x{channels}x{height}"
        found = (
            d if d.code not in wanted else dataclasses.replace(d, hint=hint)
            for d in error.diagnostics
        )
        return ArchcError(*found, exit_code=error.exit_code)
    search = Search(draft, most)
    hints = {}
    with suppress(Spent):
        if TOO_SMALL in wanted:
            hints[TOO_SMALL] = _hint("smallest", search.smallest(True), search.smallest(False))
        if TOO_LARGE in wanted:
            largest = search.largest(True)
            if largest and _FAR * largest >= max(draft.input[:2]):
                hints[TOO_LARGE] = _hint("largest", largest, search.largest(False))
    told = (_told(d, hints.get(d.code)) for d in error.diagnostics)
    return ArchcError(*told, exit_code=error.exit_code)


def _hint(word: str, size: int | None, without: int | None) -> str | None:
    """Say a limit, and that of evaluation where it is another one."""
    if size is None:
        return None
    other = f" ({without}x{without} without training heads)" if without not in (None, size) else ""
    return f"the {word} legal square input is {size}x{size}{other}"


def _told(diagnostic: Diagnostic, hint: str | None) -> Diagnostic:
    if hint is None:
        return diagnostic
    hint = f"{diagnostic.hint}; {hint}" if diagnostic.hint else hint
    return dataclasses.replace(diagnostic, hint=hint)

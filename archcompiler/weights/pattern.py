"""Names that stand for several: `Mixed_{5b,5c}/Branch_0`, and what `{}` means behind them.

`{1..20}` is the numbers from 1 to 20, `{2..20..4}` every fourth of them from 2.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

_GROUP = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d{1,4})\.\.(\d{1,4})(?:\.\.(\d{1,4}))?")


class PatternError(ValueError):
    """Raised where the groups of two names do not fit; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Pick:
    """The alternative that a group stands for: which one, of how many, and its text."""

    index: int
    count: int
    text: str


def names(pattern: str) -> list[tuple[str, tuple[Pick, ...]]]:
    """Return every name that `pattern` stands for, with what each of its groups picked."""
    parts = _GROUP.split(pattern)
    if any(c in part for part in parts[::2] for c in "{}"):
        raise PatternError(f"`{pattern}` has a brace without its other half")
    groups = [_alternatives(group) for group in parts[1::2]]
    if any(not word for group in groups for word in group):
        raise PatternError(f"`{pattern}` has an empty alternative")
    found = []
    for choice in itertools.product(*(enumerate(group) for group in groups)):
        picks = tuple(
            Pick(index, len(group), word)
            for (index, word), group in zip(choice, groups, strict=True)
        )
        text = "".join(_woven(parts[::2], [p.text for p in picks]))
        found.append((text, picks))
    return found


def fill(pattern: str, picks: Sequence[Pick]) -> str:
    """Put picks into a name, group by group: `{}` is the pick's text, `{a,b}` the one beside it."""
    parts = _GROUP.split(pattern)
    if any(c in part for part in parts[::2] for c in "{}"):
        raise PatternError(f"`{pattern}` has a brace without its other half")
    groups = parts[1::2]
    if len(groups) > len(picks):
        raise PatternError(f"`{pattern}` has more groups than the name before it")
    words = []
    for group, pick in zip(groups, picks, strict=False):
        own = _alternatives(group) if group else []
        if own and len(own) != pick.count:
            raise PatternError(
                f"`{{{group}}}` has {len(own)} alternatives, the name before it {pick.count}"
            )
        words.append(own[pick.index] if own else pick.text)
    return "".join(_woven(parts[::2], words))


def _alternatives(group: str) -> list[str]:
    """Return the alternatives of a group, ranges written out."""
    found: list[str] = []
    for word in map(str.strip, group.split(",")):
        if numbers := _RANGE.fullmatch(word):
            first, last, step = (int(n) for n in numbers.groups("1"))
            if step == 0 or last < first:
                raise PatternError(f"`{word}` has no numbers")
            found += map(str, range(first, last + 1, step))
        else:
            found.append(word)
    return found


def _woven(outer: Sequence[str], inner: Sequence[str]) -> list[str]:
    return [w for pair in itertools.zip_longest(outer, inner, fillvalue="") for w in pair]

"""The known word that a wrong one was probably meant to be, in bounded time.

A spec may have thousands of long names and hundreds of mistakes. So a cheap bound orders the words,
and only the likeliest are compared letter by letter, until no other can be nearer.
"""

from __future__ import annotations

import difflib
import functools
import itertools
from collections.abc import Iterable

MOST_WORDS = 1_000
"""So many known words are looked at."""
LONGEST = 128
"""Nobody mistypes a longer word, and no word is near to one."""
MOST_LETTERS = 2**15
"""Letters compared with letters for one word: eight names of 64, or a hundred of 18."""
_CUTOFF = 0.65


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word nearest to `word`, or None when nothing is near."""
    if len(word) > LONGEST:
        return None
    by_folded = {k.lower(): k for k in itertools.islice(known, MOST_WORDS)}
    wanted = word.lower()
    bounds = ((_bound(wanted, k), k) for k in by_folded)
    candidates = sorted((b for b in bounds if b[0] >= _CUTOFF), reverse=True)
    best, left = (_CUTOFF, ""), MOST_LETTERS
    matcher = difflib.SequenceMatcher(b=wanted)
    for bound, folded in candidates:
        if bound < best[0] or left <= 0:
            break
        matcher.set_seq1(folded)
        best = max(best, (matcher.ratio(), folded))
        left -= len(wanted) * len(folded)
    return by_folded[best[1]] if best[1] else None


def _bound(one: str, other: str) -> float:
    """Return what the ratio of two words is at most: that of the letters that both have."""
    letters = len(one) + len(other)
    shorter = min(len(one), len(other))
    if not letters or 2 * shorter < _CUTOFF * letters:
        return 0.0
    return 2 * (_letters(one) & _letters(other)).bit_count() / letters


@functools.lru_cache(maxsize=2 * MOST_WORDS)
def _letters(word: str) -> int:
    """Return a set of bits: one for the first `a` of a word, one for its second, and so on."""
    seen: dict[str, int] = {}
    bits = 0
    for letter in word:
        seen[letter] = count = seen.get(letter, -1) + 1
        bits |= 1 << (count * 128 + ord(letter) % 128)
    return bits

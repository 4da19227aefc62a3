"""Measure two things in alternating pairs, so that a drift of the machine meets both alike."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from statistics import median, quantiles

Pairs = list[tuple[float, float]]


def measure(first: Callable[[], float], second: Callable[[], float], pairs: int) -> Pairs:
    """Return the seconds that `first` and `second` report, pair by pair.

    The order is swapped in every other pair. Warming up is the caller's.
    """
    found = []
    for number in range(pairs):
        if number % 2:
            after, before = second(), first()
        else:
            before, after = first(), second()
        found.append((before, after))
    return found


def ratio(found: Pairs) -> str:
    """Describe the first's time over the second's: median of the pairs' ratios, quartiles."""
    values = [first / second for first, second in found]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return f"ratio {middle:.3f} (quartiles {low:.3f} to {high:.3f} of {len(values)} pairs)"


def medians(found: Pairs) -> tuple[float, float]:
    """Return the median seconds of the firsts and of the seconds."""
    return median(f for f, _ in found), median(s for _, s in found)


def environment(*packages: str) -> str:
    """Name the versions and the machine that the figures belong to."""
    return ", ".join([*packages, f"Python {platform.python_version()}", platform.platform()])


def count(text: str) -> int:
    """Read `--pairs` or `--copies`: quartiles need two pairs, a comparison two copies."""
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError("at least 2")
    return number

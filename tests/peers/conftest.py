"""Fixtures for the comparisons, and the table of their figures that a run ends with."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
from support import Comparison, Twins

HEADER = ("the emitted", "compared with", "floats", "end points", "largest difference", "where")


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Twins]:
    """Give a network by name, type and changes; the last two are kept for other tests."""

    @functools.lru_cache(maxsize=2)
    def get(name: str, dtype: str, *changes: str) -> Twins:
        return Twins(name, tmp_path_factory.mktemp(name), dtype, *changes)

    return lambda name, *changes, dtype="float32": get(name, dtype, *changes)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Record a comparison for the table: what was emitted, for what, and with what compared."""

    def record(emitted: str, peer: str, comparison: Comparison) -> None:
        where = comparison.largest
        largest = comparison.differences[where]
        count = len(comparison.differences)
        row = (
            emitted,
            peer,
            comparison.dtype,
            str(count),
            f"{largest:.1e}" if largest else "none",
            where if largest else "",
        )
        record_property("figure", row)

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of the tests that passed."""
    rows = {
        tuple(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == "figure"
    }
    if not rows:
        return
    terminalreporter.section("largest difference over largest value")
    table = [HEADER, *sorted(rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADER))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())

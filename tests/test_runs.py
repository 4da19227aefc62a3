"""Runs of numbered layers, which emitted code writes as loops."""

from __future__ import annotations

import pytest

from archcompiler.runs import Run, runs


def numbered(base: str, numbers: range, rest: str | None = "a") -> list[tuple[str, str | None]]:
    return [(f"{base}{n}", rest) for n in numbers]


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        (numbered("c_", range(1, 5)), [("c_", 1, 4)]),
        (numbered("c_", range(1, 4)), []),
        (numbered("c_", range(9, 14)), [("c_", 9, 5)]),
        (
            [*numbered("c_", range(1, 5)), *numbered("d_", range(5, 9))],
            [("c_", 1, 4), ("d_", 5, 4)],
        ),
        (
            [*numbered("c_", range(1, 6)), *numbered("c_", range(6, 10), "b")],
            [("c_", 1, 5), ("c_", 6, 4)],
        ),
        ([("c_1", "b"), *numbered("c_", range(2, 6))], [("c_", 2, 4)]),
        ([("c_1", "a"), ("c_2", "a"), ("c_4", "a"), ("c_5", "a")], []),
        ([("c_01", "a"), ("c_02", "a"), ("c_03", "a"), ("c_04", "a")], []),
        (numbered("c", range(1, 9)), []),
        (numbered("c_", range(1, 9), None), []),
    ],
)  # fmt: skip
def test_runs(items: list[tuple[str, str | None]], wanted: list[tuple[str, int, int]]) -> None:
    found = list(runs(items))
    assert [(r.base, r.first, r.stop - r.start) for r in found if r.base] == wanted
    assert [n for r in found for n in range(r.start, r.stop)] == list(range(len(items)))


def test_numbers_are_a_range() -> None:
    assert Run(start=3, stop=8, base="c_", first=2).numbers == "range(2, 7)"

"""The mutants of tests/mutation, which change one operator of the shape rules each."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "mutation"
SOURCE = """
def rule(shape, least=1):
    '''Return 1 + 1.'''
    count: list[1] = []
    if not shape and least < 2:
        return shape[0] // 3, max(shape[1], -2)
    return min(zip(shape, count, strict=True))
"""
CHANGES = [
    "not shape and least < 2 -> not shape or least < 2",
    "not shape and least < 2 -> not shape",
    "not shape and least < 2 -> least < 2",
    "not shape and least < 2 -> not (not shape and least < 2)",
    "not shape and least < 2 -> shape and least < 2",
    "not shape and least < 2 -> not shape and least <= 2",
    "not shape and least < 2 -> not shape and least >= 2",
    "not shape and least < 2 -> not shape and least < 3",
    "not shape and least < 2 -> not shape and least < 1",
    "(shape[0] // 3, max(shape[1], -2)) -> (max(shape[1], -2), shape[0] // 3)",
    *(
        f"(shape[0] // 3, max(shape[1], -2)) -> ({one}, {other})"
        for one, other in [
            ("shape[0] + 3", "max(shape[1], -2)"),
            ("shape[0] - 3", "max(shape[1], -2)"),
            ("shape[0] * 3", "max(shape[1], -2)"),
            ("shape[0] % 3", "max(shape[1], -2)"),
            ("shape[0]", "max(shape[1], -2)"),
            ("3", "max(shape[1], -2)"),
            ("shape[1] // 3", "max(shape[1], -2)"),
            ("shape[0] // 4", "max(shape[1], -2)"),
            ("shape[0] // 2", "max(shape[1], -2)"),
            ("shape[0] // 3", "min(shape[1], -2)"),
            ("shape[0] // 3", "max(shape[0], -2)"),
            ("shape[0] // 3", "max(shape[1], 2)"),
            ("shape[0] // 3", "max(shape[1], -3)"),
            ("shape[0] // 3", "max(shape[1], -1)"),
        ]
    ),
    "min(zip(shape, count, strict=True)) -> max(zip(shape, count, strict=True))",
]


def test_mutants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    from mutants import mutants

    (tmp_path / "rules.py").write_text(SOURCE, "utf-8")
    found = list(mutants(tmp_path, "rules.py"))
    assert [m.change for m in found] == CHANGES
    assert {m.function for m in found} == {"rule"}
    assert len({m.code for m in found}) == len(found)


def test_a_handful_is_killed() -> None:
    command = [sys.executable, FOLDER / "run.py", "--only", "archcompiler/ops/squeeze.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stdout.splitlines()[-1]
    wanted = r"7 mutants: 6 killed \(85\.7%\); without 1 equivalent ones 100\.0%"
    assert re.fullmatch(wanted, last), done.stdout + done.stderr
    assert done.returncode == 0

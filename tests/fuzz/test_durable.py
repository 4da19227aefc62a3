"""The small tier of killed builds, full disks, concurrent builds and odd surroundings.

The large tier is the same program with larger counts: see docs/security.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import archcompiler

pytestmark = pytest.mark.skipif(os.name != "posix", reason="uses POSIX signals, links and limits")

HERE = Path(__file__).parent


def durable(scratch: Path, *words: str) -> tuple[int, list[str]]:
    """Run the program, which forks and so wants a process without threads."""
    root = Path(archcompiler.__file__).parents[1]
    path = os.pathsep.join([str(root), str(root / "backends")])
    done = subprocess.run(
        [sys.executable, str(HERE / "durable.py"), *words],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(scratch)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


def test_nothing_is_lost(tmp_path: Path) -> None:
    code, lines = durable(tmp_path, "all", "--seed", "1", "--count", "200")
    assert code == 0, "\n".join(lines)
    figure = "0 lost, 0 torn, 0 mixed, 0 stale, 0 strange, 0 exit, 0 crash"
    assert lines[-1].startswith(f"all: 200 runs from seed 1, {figure}")
    for reached in (
        "kill: killed while it wrote", "kill: interrupted", "kill: terminated", "kill: refused",
        "full: full: failed, all as it was", "full: limit: failed, all as it was",
        "together: all built", "together: with some killed",
    ):  # fmt: skip
        assert any(line.endswith(reached) for line in lines), reached
    assert not list(tmp_path.iterdir())


def test_twenty_builds_are_one(tmp_path: Path) -> None:
    code, lines = durable(tmp_path, "same", "--seed", "1", "--count", "20")
    assert code == 0, "\n".join(lines)
    assert lines[-1].endswith(", 1 sha256")


@pytest.mark.parametrize(
    ("writer", "mode", "seed", "count", "what"),
    [
        ("in place", "kill", 1, 15, "lost"),
        ("unsynced", "kill", 1, 60, "torn"),
        ("manifest first", "kill", 5, 60, "strange"),
        ("no finish", "kill", 1, 15, "stale"),
        ("forgetful", "kill", 1, 60, "strange"),
        ("no backup", "full", 1, 15, "lost"),
        ("no undo", "full", 1, 60, "mixed"),
        ("no lock", "together", 1, 8, "exit"),
        ("signals at once", "kill", 5, 60, "stale"),
    ],
)
def test_a_broken_writer_is_seen(
    tmp_path: Path, writer: str, mode: str, seed: int, count: int, what: str
) -> None:
    words = (mode, "--seed", str(seed), "--count", str(count))
    code, lines = durable(tmp_path, *words, "--writer", writer)
    assert code == 1
    assert f", 0 {what}" not in lines[-1]

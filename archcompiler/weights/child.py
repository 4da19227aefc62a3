"""Runs a reader of files in a process of its own, which a damaged file may hang or kill."""

from __future__ import annotations

import os
import subprocess
import sys

BYTES_A_SECOND = 5_000_000
"""The slowest disk that is waited for."""


def time_limit(start: float, size: int) -> float:
    """Return the seconds that reading a file may take: those to start, and a share of its size."""
    return start + size / BYTES_A_SECOND


def run(module: str, *words: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a module of this package. Raises `subprocess.TimeoutExpired`, the process being gone.

    `-P` keeps the working directory off its path: a file beside the weights is not ours to import.
    """
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.run(
        [sys.executable, "-P", "-m", f"archcompiler.weights.{module}", *words],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=seconds,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that a failed process said."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {done.returncode}"

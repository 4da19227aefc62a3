"""What several test files share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of one test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def mypy(shared_folder: Path) -> Callable[..., str]:
    """Return what runs mypy in a folder, and returns its output, or nothing where all is right.

    All runs share a cache: what a framework says of its types is read once, not for each.
    """

    def run(folder: Path, *words: str) -> str:
        cache = shared_folder / "mypy"
        command = [sys.executable, "-m", "mypy", "--config-file=", f"--cache-dir={cache}", *words]
        with FileLock(f"{cache}.lock"):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        told = f"{done.stdout}{done.stderr}exit code {done.returncode}"
        return told if done.returncode else ""

    return run

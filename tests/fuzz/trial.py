"""What every mode of `run.py` shares: the specs to break, the clock, what a failure is."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from archcompiler import source
from archcompiler.compiler import compile_node
from archcompiler.ir import Network
from archcompiler.locate import shipped

ROOT = Path(__file__).parents[2]
LIMIT_S = 1.0


class Slow(Exception):
    """One spec took longer than the limit."""


class Wrong(Exception):
    """archc did what it must not do."""


def specs() -> list[str]:
    """Return the texts that are broken: the shipped specs, and small ones of the tests."""
    small = [*sorted((ROOT / "tests/cases/emitted").glob("*.yaml"))]
    small += sorted((ROOT / "tests/cases/variants/written_out").glob("*.yaml"))
    return [path.read_text("utf-8") for path in (*sorted(shipped().values()), *small)]


@contextmanager
def clock() -> Iterator[None]:
    """Raise `Slow` when this process has computed for `LIMIT_S`; other processes do not count."""

    def stop(*_: object) -> None:
        raise Slow

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def compiled(data: bytes) -> Network:
    """Compile the bytes of a spec, which may extend shipped specs only."""
    node = source.parse(source.decode(data, "spec.yaml"), "spec.yaml")
    return compile_node(node, source="spec.yaml").network


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder, which is the working directory meanwhile."""
    folder, before = Path(_scratch().name), os.getcwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def tidy_up() -> None:
    """Remove the folder of this process: one of several does not end as Python's do."""
    _scratch().cleanup()
    _scratch.cache_clear()


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Return the one folder of this process, which goes with it."""
    return tempfile.TemporaryDirectory(prefix="archc-fuzz-")

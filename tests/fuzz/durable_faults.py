"""Stops a build, or makes it fail, at its n-th step: what a child installs before it builds.

A step is a call that changes a folder, syncs or lists it, or that writes bytes.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHANGES = ("mkdir", "rename", "replace", "link", "unlink", "rmdir", "fsync", "scandir", "listdir")
NEED_SPACE = ("open", "write", "mkdir", "link", "fsync")
MAY_NEED_SPACE = (*NEED_SPACE, "rename", "replace")
KINDS = {
    "kill": "SIGKILL",
    "power": "SIGKILL, and what was not synced is lost",
    "int": "SIGINT",
    "term": "SIGTERM",
    "int, kill": "SIGINT, and SIGKILL some steps later",
    "space": "one call that needs space finds none",
    "full": "from here on no call finds space",
    "space, kill": "no space, and SIGKILL some steps later",
    "broken": "one call fails with EIO",
    "dead": "from here on each call fails with EIO",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens at step `at`, counted from 1; what follows does so `later` steps later."""

    kind: str
    at: int
    later: int = 0
    links: bool = True
    """Whether the file system has hard links."""
    code: int = errno.ENOSPC


class _Torn(io.FileIO):
    """A file whose writes are steps: one that fails or dies there has written half."""

    faults: Faults

    def __init__(self, path: Any, mode: str, faults: Faults) -> None:
        super().__init__(path, mode)
        self.faults = faults
        faults.forget(self.fileno())

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        half = len(view) // 2
        self.faults.forget(self.fileno())
        self.faults.step("write", lambda: super(_Torn, self).write(view[:half]))
        return super().write(view)


class Faults:
    """The steps of one process, and the fault among them."""

    def __init__(self, fault: Fault | None, home: Path) -> None:
        self.fault, self.home = fault, home
        self.steps = 0
        self.armed = self.failed = False
        self.synced: set[tuple[int, int]] = set()

    def install(self) -> None:
        """Wrap the calls; nothing counts before `armed`."""
        if self.fault and self.fault.kind == "power":  # otherwise others may be at work there
            self.synced = {_inode(path.stat()) for path in self._files()}
        for name in CHANGES:
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        real = io.open

        def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if not self.armed or not set(mode) & set("wxa+"):
                return real(file, mode, *args, **kwargs)
            self.step("open")
            if "b" not in mode or isinstance(file, int):
                return real(file, mode, *args, **kwargs)
            return io.BufferedWriter(_Torn(file, mode.replace("b", ""), self))

        io.open = builtins.open = opened  # type: ignore[assignment]

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.armed:
                self.step(name)
                if name == "link" and self.fault and not self.fault.links:
                    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
            result = real(*args, **kwargs)
            if name == "fsync":
                self.synced.add(_inode(os.fstat(args[0])))
            return result

        return call

    def forget(self, descriptor: int) -> None:
        """Note that a file has bytes which are not synced."""
        self.synced.discard(_inode(os.fstat(descriptor)))

    def _files(self) -> list[Path]:
        self.armed, before = False, self.armed
        found = [p for p in self.home.rglob("*") if p.is_file() and not p.is_symlink()]
        self.armed = before
        return found

    def step(self, name: str, half: Callable[[], object] = lambda: None) -> None:
        """Count a step; where it is the one, do what the fault says, with half of it done."""
        self.steps += 1
        fault = self.fault
        if fault is None or self.steps < fault.at:
            return
        first, _, then = fault.kind.partition(", ")
        now = self.steps == fault.at
        if then and self.steps == fault.at + fault.later:
            self._die(half)
        elif first in ("kill", "power") and now:
            self._die(half, lost=first == "power")
        elif first in ("int", "term") and now:
            os.kill(os.getpid(), signal.SIGINT if first == "int" else signal.SIGTERM)
        elif first == "dead" or (first == "broken" and now):
            self._fail(half)
        elif first == "full" and name in NEED_SPACE:
            self._fail(half)
        elif first == "space" and name in MAY_NEED_SPACE and not self.failed:
            self._fail(half)

    def _fail(self, half: Callable[[], object]) -> None:
        assert self.fault
        self.failed = True
        half()
        raise OSError(self.fault.code, os.strerror(self.fault.code))

    def _die(self, half: Callable[[], object], *, lost: bool = False) -> None:
        half()
        if lost:
            for path in self._files():
                if _inode(path.stat()) not in self.synced:
                    os.truncate(path, path.stat().st_size // 3)
        os.kill(os.getpid(), signal.SIGKILL)


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino

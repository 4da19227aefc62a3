"""Sees what this process does to the machine, and says what a spec must not make it do.

Python tells an audit hook (PEP 578) of each file that it opens, process that it starts, address
that it reaches, and name that it unpickles. What C code does without Python is seen by
`syscalls.py`.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import archcompiler

FORBIDDEN = (
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile",
    "pty.", "socket.", "urllib.", "http.", "ftplib.", "smtplib.", "webbrowser.", "ctypes.",
    "pickle.", "code.__new__", "sys.settrace", "sys.setprofile",
)  # fmt: skip
"""What starts a process, reaches a network, or runs what data says."""
CHANGES = (
    "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "os.chown", "os.utime", "shutil.",
)  # fmt: skip
BETWEEN = ("os.rename", "os.link", "os.symlink")
"""What has two paths."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

BEGIN, END = "archc-watch-begin:{}", "archc-watch-end"
"""Files that are never there: asking for them marks what `syscalls.py` looks at."""


def own() -> tuple[str, ...]:
    """Return the folders that archc itself may read: its code and specs, Python, its libraries."""
    package = Path(archcompiler.__file__).resolve().parents[1]
    paths = sysconfig.get_paths()
    known = {str(package), sys.prefix, sys.base_prefix, paths["purelib"], paths["stdlib"]}
    known |= {sys.pycache_prefix or str(package), *filter(os.path.isabs, sys.path)}
    return tuple(os.path.realpath(path) for path in known)


class Watch:
    """An audit hook; there can be one in a process, and it can never be taken off."""

    def __init__(self) -> None:
        self._folder: str | None = None
        self._found: list[str] = []
        self._own = own()
        sys.addaudithook(self._hook)

    @contextmanager
    def held_to(self, folder: Path) -> Iterator[list[str]]:
        """Give a list of what is done that must not be: only `folder` is free to read and write."""
        self._found = []
        before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # that is no spec's doing
        self._folder = os.path.realpath(folder)
        os.access(BEGIN.format(self._folder), os.F_OK)
        try:
            yield self._found
        finally:
            os.access(END, os.F_OK)
            self._folder = None
            sys.dont_write_bytecode = before

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        if self._folder is None:
            return
        folder, self._folder = self._folder, None  # what follows is this hook's own doing
        try:
            if event.startswith(FORBIDDEN):
                self._found.append(f"{event} {str(args)[:200]}")
            elif event in ("open", "os.listdir", "os.scandir"):
                writes = event == "open" and isinstance(args[2], int) and bool(args[2] & WRITING)
                self._file(event, args[0], folder, writes=writes)
            elif event.startswith(CHANGES):
                for path in args[: 2 if event in BETWEEN else 1]:
                    self._file(event, path, folder, writes=True)
        finally:
            self._folder = folder

    def _file(self, event: str, path: object, folder: str, *, writes: bool) -> None:
        if not isinstance(path, str | bytes) and path is not None:
            return  # a descriptor, which was opened before
        at = os.path.realpath(os.fsdecode(path or "."))
        allowed = (folder,) if writes else (folder, *self._own)
        if not any(at == root or at.startswith(root + os.sep) for root in allowed):
            self._found.append(f"{event} {at!r}{' to write' * writes}")


@cache
def watch() -> Watch:
    """Return the watch of this process."""
    return Watch()

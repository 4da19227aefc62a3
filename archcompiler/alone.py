"""Be the only build in a folder, from its lock on, and let no signal come between.

A build moves files one by one. Where Ctrl-C came between two of them, or twice, the folder would be
half of one build and half of another; so signals that ask a process to end wait until it is done,
which takes milliseconds. Waiting for another build can be interrupted.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archcompiler.manifest import OURS, in_the_way

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_LOCK = f"{OURS}lock.tmp"
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make the folder and keep other builds out of it; on failure leave no new folder behind."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = folder / _LOCK
    while True:
        with _signals_wait():
            descriptor = None
            try:
                folder.mkdir(parents=True, exist_ok=True)
                descriptor = _taken(lock)
                if descriptor is not None:
                    yield
                    return
            finally:
                if descriptor is not None:
                    _give_back(lock, descriptor)
                with suppress(OSError):  # a folder with anything in it stays
                    for path in missing:
                        path.rmdir()
        _wait(lock)


@contextmanager
def _signals_wait() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _taken(lock: Path) -> int | None:
    """Take the lock; None where another build has it, or has just removed it or the folder.

    Raises E603 where its name is that of something else, which is neither opened nor removed.
    """
    with suppress(FileNotFoundError):
        found = os.lstat(lock)
        if not stat.S_ISREG(found.st_mode) or found.st_size:  # a lock is an empty file
            raise in_the_way(lock)
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
    except FileNotFoundError:
        return None
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.lstat(lock)):
                return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _wait(lock: Path) -> None:
    """Wait until who holds the lock lets go; makes no file, so an interrupt leaves none."""
    if sys.platform == "win32":  # where taking the lock has waited
        return
    with suppress(FileNotFoundError):
        descriptor = os.open(lock, os.O_RDWR | _NO_LINK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        finally:
            os.close(descriptor)


def _give_back(lock: Path, descriptor: int) -> None:
    if sys.platform == "win32":  # which removes no open file
        os.close(descriptor)
    with suppress(OSError):
        lock.unlink()
    if sys.platform != "win32":  # where the name must go while the lock is held
        os.close(descriptor)

"""Reading regular files only, and writing files whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic
from archcompiler.weights.problems import unreadable


def regular(path: Path) -> int:
    """Return the size of a regular file in bytes. Raises E101 for anything else."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise unreadable(path, f"it is {kind}")
        with path.open("rb"):
            return status.st_size
    except OSError as error:
        raise unreadable(path, (error.strerror or "unknown reason").lower()) from None
    except ValueError as error:  # a zero byte in the name
        raise unreadable(path, str(error)) from None


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise E917 where a file would be replaced and nobody asked for that."""
    if not force and os.path.lexists(path):
        raise ArchcError(
            Diagnostic(
                code="E917",
                message=f"{path} exists already",
                hint="give another name, or `--force` to replace it",
            ),
            exit_code=USAGE_OR_ENVIRONMENT,
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a file beside `path` to write; it takes its place when all went well.

    Raises E603 where the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("xb"):
            pass
        try:
            yield beside
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all. Raises E603.

    Libraries give their content as bytes: over a full disk they raise errors of their own.
    """
    with replacing(path) as beside:
        beside.write_bytes(content)


def unwritable(path: Path, error: OSError) -> ArchcError:
    """Return E603: a file cannot be written."""
    reason = (error.strerror or str(error) or "unknown reason").lower()
    diagnostic = Diagnostic(code="E603", message=f"cannot write {path}: {reason}")
    return ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)

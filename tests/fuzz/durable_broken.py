"""Writers with one mistake each, to show that the checks of durable.py can fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from archcompiler import alone, writer
from archcompiler.manifest import MANIFEST


def _in_place() -> None:
    """Write over the files, as most programs do."""

    def move(folder: Path, stage: Path, names: Sequence[str], *_: object) -> None:
        for name in names:
            with (folder / name).open("wb") as file:
                file.write((stage / name).read_bytes())

    writer._move = move


def _unsynced() -> None:
    """Move files that may not be on the disk."""

    def put(path: Path, data: bytes) -> None:
        with path.open("xb") as file:
            file.write(data)

    writer._put = put


def _manifest_first() -> None:
    """Say that the build is there before it is."""
    real = writer._move

    def move(folder: Path, stage: Path, names: Sequence[str], *rest: list[str]) -> None:
        real(folder, stage, [MANIFEST, *(name for name in names if name != MANIFEST)], *rest)

    writer._move = move


def _no_finish() -> None:
    """Leave what a killed build has left."""
    writer._finish_interrupted = lambda folder: None


def _forgetful() -> None:
    """Remove what a killed build has left, and finish nothing."""
    writer._finish_interrupted = lambda folder: [
        writer.discard(stage) for stage in folder.iterdir() if stage.name.startswith(".archc-")
    ]  # type: ignore[assignment]


def _no_undo() -> None:
    """Stop where an error comes."""
    writer._undo = lambda *_: None


def _no_lock() -> None:
    """Let every build in."""

    @contextmanager
    def open_to_all(folder: Path) -> Iterator[None]:
        folder.mkdir(parents=True, exist_ok=True)
        yield

    writer.alone_in = open_to_all


def _no_backup() -> None:
    """Replace edited files."""
    real = os.rename

    def rename(path: Path, target: Path) -> None:
        if ".bak" in target.name:
            path.unlink()
        else:
            real(path, target)

    os.rename = rename  # type: ignore[assignment]


def _signals_at_once() -> None:
    """Stop in the middle when a signal comes, and undo nothing."""
    alone._signals_wait = nullcontext  # type: ignore[assignment]
    writer._undo = lambda *_: None


WRITERS: dict[str, Callable[[], None]] = {
    "in place": _in_place,
    "unsynced": _unsynced,
    "manifest first": _manifest_first,
    "no finish": _no_finish,
    "forgetful": _forgetful,
    "no undo": _no_undo,
    "no lock": _no_lock,
    "no backup": _no_backup,
    "signals at once": _signals_at_once,
}

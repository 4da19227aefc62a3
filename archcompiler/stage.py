"""The folder in an output folder where a build is staged, and what is believed of one found there.

An output folder may come from a stranger, with anything in it. So a new stage is a folder that was
not there before, and one that is found is only taken for a killed build's if it is a folder, no
link, that holds nothing but what a build puts there. Whatever else has its name is an error, and
left alone.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from archcompiler.manifest import BUILT, MANIFEST, OURS, in_the_way

BACKUP = f"{OURS}backup"
"""A backup before it gets its name."""
BACKUPS = f"{OURS}backups"
"""A folder that has each backup under its name."""
SAVED = f"{OURS}saved"
"""A folder of the files that the build replaces."""
_NAMES = BUILT | {MANIFEST}
_STAGE = re.compile(rf"{re.escape(OURS)}\d+\.tmp")
_BACKUP_NAME = re.compile(r"(.+)\.bak\d*")


def new(folder: Path) -> Path:
    """Make the stage of this process. Raises `FileExistsError` where anything has its name."""
    stage = folder / f"{OURS}{os.getpid()}.tmp"
    stage.mkdir()
    return stage


def left(folder: Path) -> list[Path]:
    """Return the stages that killed builds have left. Raises E603 for what only has such a name."""
    found = [folder / name for name in sorted(os.listdir(folder)) if _STAGE.fullmatch(name)]
    for stage in found:
        if not _is_stage(stage):
            raise in_the_way(stage)
    return found


def kept(backup: str) -> str:
    """Return which file a backup keeps, or "" for what is not the name of one."""
    name = _BACKUP_NAME.fullmatch(backup)
    return name[1] if name and name[1] in _NAMES else ""


def backups(folder: Path, stage: Path) -> list[str]:
    """Return the backups that the stage's build has made: they are one file with those in it.

    A copy that somebody made is another file, even with the same bytes. Without hard links nothing
    tells the two apart, and no backup is returned.
    """
    marks = stage / BACKUPS
    names = sorted(os.listdir(marks)) if marks.exists() else []
    return [name for name in names if _are_one(marks / name, folder / name)]


def discard(stage: Path) -> None:
    """Remove a stage, its manifest first: without it, there is nothing to finish."""
    with suppress(OSError):
        (stage / MANIFEST).unlink()
    shutil.rmtree(stage, ignore_errors=True)


def _is_stage(stage: Path) -> bool:
    """Say whether this is a folder with nothing but what a build stages. Follows no link."""
    if stage.is_symlink() or not stage.is_dir():
        return False
    folders = {SAVED: _NAMES.__contains__, BACKUPS: lambda name: bool(kept(name))}
    return _holds_only(stage, (_NAMES | {BACKUP}).__contains__, folders) and all(
        _holds_only(stage / name, is_ours)
        for name, is_ours in folders.items()
        if (stage / name).exists()
    )


def _holds_only(
    folder: Path, is_ours: Callable[[str], bool], folders: Collection[str] = ()
) -> bool:
    """Say whether a folder holds but regular files of such names, and such folders."""
    with os.scandir(folder) as entries:
        return all(
            entry.is_dir(follow_symlinks=False)
            if entry.name in folders
            else is_ours(entry.name) and entry.is_file(follow_symlinks=False)
            for entry in entries
        )


def _are_one(path: Path, other: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.lstat(path), os.lstat(other))
    return False

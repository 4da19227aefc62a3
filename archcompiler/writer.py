"""Put a build into its folder: all of it or nothing, never over a file that archc did not write.

A build is staged in `.archc-<pid>.tmp/`, synced, and moved file by file, the manifest last. The
staged manifest is written once its stage is whole, and from then on every file of the build is in
the stage or in its place, so where a process was killed, the next run finds a stage that it can
finish. A lock keeps builds of one folder apart, and who holds it knows that every stage it finds
belongs to a dead process, or came with the folder: `stage.py` says what is believed of it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import count
from pathlib import Path

from archcompiler import stage as stages
from archcompiler.alone import alone_in
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic
from archcompiler.manifest import BUILT, NOT_A_FILE, OURS, Manifest, fingerprint, read, sha256
from archcompiler.manifest import MANIFEST as MANIFEST
from archcompiler.manifest import drift as drift
from archcompiler.stage import BACKUP, BACKUPS, SAVED, discard
from archcompiler.surroundings import GONE, is_gone

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Why a link fails where links are known: what is copied instead would fail, too, or be no link."""
_IGNORED = ("__pycache__", "*.py[co]", ".DS_Store", f"{OURS}*.tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a build did to its folder, as names of files; `archc.lock` is one of them."""

    folder: Path
    written: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    backups: tuple[str, ...] = ()


def write(folder: Path, files: Mapping[str, str], *, source: str, force: bool = False) -> Written:
    """Make `files` the build in `folder`: afterwards it holds all of them, or is as it was.

    `source` is the spec's name, for the manifest. Raises `ArchcError` (exit code 2): E601 for files
    that archc did not write, E602 for edited ones (`force` keeps both as `NAME.bak`), E603 where
    the folder cannot be written. Stale files of the last build go, unless somebody edited them.
    """
    if odd := [name for name in files if name not in BUILT]:
        raise ValueError(f"not the name of a file of a build: {odd[0]!r}")
    wanted = {name: files[name].encode() for name in sorted(files)}
    built = Manifest(files={name: sha256(data) for name, data in wanted.items()}, spec=source)
    wanted[MANIFEST] = built.to_bytes()
    try:
        if not _changed(folder, wanted) and not any(n.startswith(OURS) for n in os.listdir(folder)):
            return Written(folder=folder, unchanged=tuple(wanted))
        with alone_in(folder):
            _finish_interrupted(folder)
            return _build(folder, wanted, force=force)
    except OSError as error:
        message = f"cannot write to {folder}: {_reason(folder, error)}"
        hint = "put that right and build again, or choose another folder"
        diagnostic = Diagnostic(code="E603", message=message, hint=hint)
        raise ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT) from error


def _reason(folder: Path, error: OSError) -> str:
    """Say why a folder cannot be written, and name what is in the way, if something is."""
    for path in (folder, *folder.parents):
        name = "it" if path == folder else str(path)
        if path.is_symlink() and not path.exists():
            return f"{name} is a link that leads nowhere"
        if path.is_file():
            return f"{name} is a file"
    if isinstance(error, FileNotFoundError) and is_gone():
        return GONE
    reason = (error.strerror or str(error)).lower()
    at = error.filename if isinstance(error.filename, str) else ""
    return f"{at}: {reason}" if os.path.lexists(at) and Path(at) != folder else reason


def _changed(folder: Path, wanted: Mapping[str, bytes]) -> dict[str, str | None]:
    """Return the fingerprint of each file that is not as wanted: None where it is missing."""
    found = {name: fingerprint(folder / name) for name in wanted}
    return {name: found[name] for name, data in wanted.items() if found[name] != sha256(data)}


def _unedited(folder: Path, hashes: Mapping[str, str]) -> list[str]:
    return sorted(name for name, known in hashes.items() if fingerprint(folder / name) == known)


def _build(folder: Path, wanted: Mapping[str, bytes], *, force: bool) -> Written:
    old = read(folder / MANIFEST)
    known = old.files if old else {}
    changed = _changed(folder, wanted)
    theirs = [name for name, found in changed.items() if found not in (None, known.get(name))]
    if old and MANIFEST in theirs:
        theirs.remove(MANIFEST)
    stale = _unedited(folder, {n: h for n, h in known.items() if n not in wanted})
    problems = [_not_a_file(folder / name) for name in changed if changed[name] == NOT_A_FILE]
    if not problems and not force:
        problems += [] if old else _foreign(folder, wanted)
        problems += [_not_ours(folder / name, edited=name in known) for name in theirs]
    if problems:
        raise ArchcError(*problems, exit_code=USAGE_OR_ENVIRONMENT)
    if not changed and not stale:
        return Written(folder=folder, unchanged=tuple(wanted))

    names = [*(name for name in changed if name != MANIFEST), MANIFEST]
    stage = stages.new(folder)
    backups: list[str] = []
    begun: list[str] = []
    try:
        (stage / SAVED).mkdir()
        (stage / BACKUPS).mkdir()
        for name in names[:-1]:
            _put(stage / name, wanted[name])
        for name in (*names, *stale):
            if (folder / name).exists():
                _keep(folder / name, stage / SAVED / name)
        for name in theirs:
            backup = _free_backup(folder / name)
            backups.append(backup.name)
            _keep(folder / name, stage / BACKUPS / backup.name)
            _keep(stage / BACKUPS / backup.name, stage / BACKUP)
            os.rename(stage / BACKUP, backup)
        _put(stage / MANIFEST, wanted[MANIFEST])
        _move(folder, stage, names, stale, begun)
    except BaseException:
        _undo(folder, stage, begun, stale)  # where this fails, too, the next run finishes the stage
        _take_back(folder, backups)
        discard(stage)
        raise
    discard(stage)
    return Written(
        folder=folder,
        written=tuple(names),
        unchanged=tuple(name for name in wanted if name not in names),
        removed=tuple(stale),
        backups=tuple(backups),
    )


def _not_a_file(path: Path) -> Diagnostic:
    message = f"cannot write {path}: a link, folder or device has this name"
    return Diagnostic(code="E603", message=message, hint="move it away, then build again")


def _not_ours(path: Path, *, edited: bool) -> Diagnostic:
    message = "was edited since archc wrote it" if edited else "exists and archc did not write it"
    hint = f"--force keeps a copy as {_free_backup(path).name}"
    return Diagnostic(code="E602" if edited else "E601", message=f"{path} {message}", hint=hint)


def _foreign(folder: Path, wanted: Mapping[str, bytes]) -> list[Diagnostic]:
    """Say that the folder is somebody else's, if it holds more than names we want to write."""
    names = [name for name in os.listdir(folder) if name not in wanted]
    names = sorted(n for n in names if not any(fnmatch(n, pattern) for pattern in _IGNORED))
    if not names:
        return []
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    message = f"{folder} is not a folder that archc wrote: it holds {names[0]}{more}"
    hint = "choose an empty folder; --force builds into this one and leaves other files alone"
    return [Diagnostic(code="E601", message=message, hint=hint)]


def _free_backup(path: Path) -> Path:
    names = (f"{path.name}.bak{number or ''}" for number in count())
    return next(path.with_name(n) for n in names if not os.path.lexists(path.with_name(n)))


def _put(path: Path, data: bytes) -> None:
    """Write a new file, and wait until it is on the disk: only such files are moved."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _keep(path: Path, copy: Path) -> None:
    """Give the file a second name: no bytes move, and `path` is there at every moment."""
    try:
        os.link(path, copy)
    except OSError as error:
        if error.errno in _FULL:
            raise
        # a file system without hard links
        shutil.copyfile(path, copy)
        with copy.open("rb+") as file:
            os.fsync(file.fileno())
        shutil.copystat(path, copy)


def _move(
    folder: Path, stage: Path, names: Sequence[str], stale: Sequence[str], begun: list[str]
) -> None:
    """Remove `stale`, move `names` from the stage, the manifest last; `begun` says how far."""
    for name in (*stale, *names):
        begun.append(name)
        if name in names:
            os.replace(stage / name, folder / name)
        else:
            (folder / name).unlink()


def _undo(folder: Path, stage: Path, begun: Sequence[str], stale: Sequence[str]) -> None:
    """Put back what was saved, and the new files into their stage, so that it stays whole."""
    for name in begun:
        saved = stage / SAVED / name
        if name not in stale and not (stage / name).exists():
            with suppress(OSError):  # a full disk without hard links
                _keep(folder / name, stage / name)
        if saved.exists():
            os.replace(saved, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


def _take_back(folder: Path, backups: Sequence[str]) -> None:
    """Remove the backups of files that are still there, of a build that came to nothing."""
    for backup in backups:
        kept = fingerprint(folder / backup)
        if kept not in (None, NOT_A_FILE) and kept == fingerprint(folder / stages.kept(backup)):
            (folder / backup).unlink()


def _finish_interrupted(folder: Path) -> None:
    """Finish the build that was killed while it moved its files; forget one that was not ready.

    A file that somebody edited since then has the hash of neither build, and is left alone.
    """
    for stage in stages.left(folder):
        old, new = read(folder / MANIFEST), read(stage / MANIFEST)
        if new and (old or fingerprint(folder / MANIFEST) is None):
            known = old.files if old else {}
            staged = _unedited(stage, new.files)
            safe = [n for n in staged if fingerprint(folder / n) in (None, known.get(n))]
            stale = _unedited(folder, {n: h for n, h in known.items() if n not in new.files})
            _move(folder, stage, [*safe, MANIFEST], stale, [])
        _take_back(folder, stages.backups(folder, stage))
        discard(stage)

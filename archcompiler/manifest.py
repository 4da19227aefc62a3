"""What archc wrote into a folder before: its manifest, and where the files differ from a build.

The manifest lists each file with its sha256, so that archc knows its own files again. What is read
back is as untrusted as any other file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from archcompiler import __version__
from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic, Row

MANIFEST = "archc.lock"
BUILT = frozenset({"README.md", "architecture.json", "benchmark.py", "model.py", "weights.py"})
"""The files that a build may have. What a manifest lists may be replaced and removed, and anybody
can have edited it, so one that lists another name is not believed at all."""
OURS = ".archc-"
NOT_A_FILE = "not a regular file"
_MOST_BYTES = 1 << 20
_WIDEST_VALUE = 100
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one build wrote: the sha256 of each file by its name, and the spec it came from."""

    files: Mapping[str, str]
    spec: str
    version: str = __version__

    def to_bytes(self) -> bytes:
        """Return the manifest as sorted JSON: the same build, the same bytes."""
        text = json.dumps(
            {"archc": self.version, "files": dict(self.files), "spec": self.spec},
            indent=2,
            sort_keys=True,
        )
        return f"{text}\n".encode()


def read(path: Path) -> Manifest | None:
    """Return the manifest at `path`; None where there is none that archc can have written."""
    if fingerprint(path) in (None, NOT_A_FILE) or path.stat().st_size > _MOST_BYTES:
        return None
    try:
        match json.loads(path.read_bytes()):
            case {"archc": str(version), "files": dict(files), "spec": str(spec)}:
                known = all(n in BUILT and _SHA256.fullmatch(str(h)) for n, h in files.items())
                return Manifest(files=files, spec=spec, version=version) if known else None
    except (ValueError, RecursionError):
        pass
    return None


def sha256(data: bytes) -> str:
    """Return the digest that a manifest holds for `data`."""
    return hashlib.sha256(data).hexdigest()


def fingerprint(path: Path) -> str | None:
    """Return the sha256 of a regular file, None where nothing is, else `NOT_A_FILE`.

    Follows no symbolic link and opens no pipe or device, so it neither leaves the folder nor waits.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return NOT_A_FILE
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:  # also when a build beside this one removes it just now
        return None


def in_the_way(path: Path) -> ArchcError:
    """Return the error E603: something has a name that archc uses while it builds."""
    message = f"{path} is in the way: archc did not make it"
    diagnostic = Diagnostic(code="E603", message=message, hint="move it away, then build again")
    return ArchcError(diagnostic, exit_code=USAGE_OR_ENVIRONMENT)


def drift(folder: Path, files: Mapping[str, str]) -> list[Diagnostic]:
    """Return one E604 for each file that is missing, differs or is stale; writes nothing."""
    if not folder.exists():
        return [_drifted(f"{folder} does not exist", hint="archc build without --check writes it")]
    try:
        built = read(folder / MANIFEST)
        found = [_difference(folder / name, files[name]) for name in sorted(files)]
        for name in sorted(set(built.files if built else ()) - set(files)):
            if fingerprint(folder / name) is not None:
                message = f"{folder / name} is stale: the spec no longer gives this file"
                found.append(_drifted(message))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message, hint = f"cannot read {folder}: {reason}", "check the path and who may read it"
        unread = Diagnostic(code="E603", message=message, hint=hint)
        raise ArchcError(unread, exit_code=USAGE_OR_ENVIRONMENT) from error
    return [diagnostic for diagnostic in found if diagnostic]


def _difference(path: Path, text: str) -> Diagnostic | None:
    wanted = text.encode()
    match fingerprint(path):
        case None:
            return _drifted(f"{path} is missing")
        case found if found == NOT_A_FILE:
            return _drifted(f"{path} is not a regular file")
        case found if found == sha256(wanted):
            return None
    with path.open("rb") as file:  # the first difference is at most one byte past the end
        read_back = file.read(len(wanted) + _WIDEST_VALUE)
    both = zip_longest(wanted.split(b"\n"), read_back.split(b"\n"))
    number, (left, right) = next((n, pair) for n, pair in enumerate(both, 1) if pair[0] != pair[1])
    return _drifted(
        f"{path} differs from what the spec gives, first in line {number}",
        Row(label=f"line {number} expected", value=_shown(left, right)),
        Row(label=f"line {number} found", value=_shown(right, left)),
    )


_HINT = "archc build without --check brings the folder up to date; over an edit it needs --force"


def _drifted(message: str, *rows: Row, hint: str = _HINT) -> Diagnostic:
    return Diagnostic(code="E604", message=message, rows=rows, hint=hint)


def _shown(line: bytes | None, other: bytes | None) -> str:
    """Return `line`, or the part of it where it first differs from `other`."""
    if line is None:
        return "(the file has ended)"
    pairs = zip_longest(line, other or b"")
    start = next((n for n, (a, b) in enumerate(pairs) if a != b), 0) - _WIDEST_VALUE // 2
    shown = line[max(0, start) : max(0, start) + _WIDEST_VALUE].decode(errors="backslashreplace")
    cut = len(line) > max(0, start) + _WIDEST_VALUE
    return f"{'...' if start > 0 else ''}{shown}{'...' if cut else ''}"

"""Folders to build into, with somebody's files in them, and what must hold of them afterwards."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archcompiler.manifest import MANIFEST, Manifest, sha256

Tree = dict[str, bytes | None]
"""Everything below a folder by its path: the bytes of files, None for folders."""

BACKUP = re.compile(r"(.+)\.bak\d*")
TEMPORARY = ".archc-"
IGNORED = re.compile(r"__pycache__|.*\.py[co]|\.DS_Store|\.archc-.*\.tmp")


class Wrong(Exception):
    """archc did what it must not do; the first word says what kind of wrong it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What one command builds: its words, and the files with their manifest."""

    words: tuple[str, ...]
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, words: tuple[str, ...], files: Mapping[str, str], spec: str) -> Build:
        """Return a build whose manifest is computed here."""
        data = {name: text.encode() for name, text in files.items()}
        manifest = Manifest(files={n: sha256(data[n]) for n in sorted(data)}, spec=spec)
        return cls(words=words, files={**data, MANIFEST: manifest.to_bytes()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A folder before a build: all of it, and the part of it that is a user's."""

    kind: str
    tree: Tree | None = None
    """None where there is no folder."""
    theirs: dict[str, bytes] = field(default_factory=dict)
    earlier: Build | None = None

    def put(self, folder: Path) -> None:
        """Make the folder."""
        for name, data in (self.tree or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                (folder / name).mkdir(exist_ok=True)
            else:
                (folder / name).write_bytes(data)
        if self.tree is not None:
            folder.mkdir(parents=True, exist_ok=True)


STARTS = (
    "nothing", "empty", "earlier", "earlier", "earlier", "incomplete", "edited", "edited",
    "beside", "foreign", "no manifest",
)  # fmt: skip


def start(draw: random.Random, builds: list[Build]) -> Start:
    """Draw a folder to build into."""
    kind = draw.choice(STARTS)
    if kind in ("nothing", "empty"):
        return Start(kind=kind, tree=None if kind == "nothing" else {})
    earlier = draw.choice(builds)
    tree: Tree = dict(earlier.files)
    names = [name for name in earlier.files if name != MANIFEST]
    if kind == "incomplete":
        for name in draw.sample(names, draw.randint(1, 3)):
            del tree[name]
    theirs: dict[str, bytes] = {}
    if kind == "edited":
        theirs = {n: _bytes(draw) for n in draw.sample(names, draw.randint(1, len(names)))}
    if kind in ("beside", "foreign") or draw.random() < 0.3:
        more_names = (
            "notes.txt",
            "weights/best.bin",
            "model.py.bak",
            "model.py.orig",
            "a b/\u00e9",
        )
        theirs |= {n: _bytes(draw) for n in draw.sample(more_names, draw.randint(1, 4))}
    if kind == "foreign":  # that archc never built into
        tree = {}
        theirs |= {n: _bytes(draw) for n in draw.sample(names, draw.randint(0, 2))}
    if kind == "no manifest":
        del tree[MANIFEST]
        theirs |= {n: d for n, d in tree.items() if d is not None}
    tree |= theirs
    tree |= dict.fromkeys({n.rpartition("/")[0] for n in theirs if "/" in n})
    return Start(kind=kind, tree=tree, theirs=theirs, earlier=earlier)


def _bytes(draw: random.Random) -> bytes:
    """Return bytes that nobody else has."""
    return f"mine {draw.getrandbits(64)}\n".encode() + draw.randbytes(draw.randrange(2000))


def tree(folder: Path) -> Tree | None:
    """Return what is in a folder, None where there is none."""
    if not folder.exists():
        return None
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def temporary(found: Tree | None) -> list[str]:
    """Return what archc left behind."""
    return sorted(name for name in found or {} if name.startswith(TEMPORARY))


@dataclass(slots=True)
class Case:
    """One folder, what it was, and all that was built into it since."""

    start: Start
    builds: list[Build] = field(default_factory=list)
    links: bool = True
    """Whether every build had hard links; without, a killed one may leave a needless backup."""

    def every(self) -> list[Build]:
        return [*([self.start.earlier] if self.start.earlier else []), *self.builds]

    def hold(self, found: Tree | None) -> None:
        """Check what is true at every moment: no byte lost, nothing torn, nothing strange."""
        found = {n: d for n, d in (found or {}).items() if not n.startswith(TEMPORARY)}
        names = {name for build in self.every() for name in build.files}
        for name, data in self.start.theirs.items():
            if any(build.files.get(name) == data for build in self.builds):
                continue  # which archc writes, too, and so takes for its own
            places = [n for n, d in found.items() if d == data and _is_or_keeps(n, name)]
            if not places or (name not in names and name not in places):
                raise Wrong(f"LOST {name}")
        theirs = set(self.start.theirs.values())
        for name, found_data in found.items():
            kept = BACKUP.fullmatch(name)
            if name in self.start.theirs and found_data == self.start.theirs[name]:
                continue
            if name in names:
                known = [b.files[name] for b in self.every() if name in b.files]
                if found_data not in known:
                    raise Wrong(f"TORN {name} of {len(found_data or b'')} bytes")
            elif kept and kept[1] in names:
                if found_data not in theirs:
                    raise Wrong(f"STRANGE {name} keeps what nobody wrote")
            elif found_data is not None or name not in (self.start.tree or {}):
                raise Wrong(f"STRANGE {name}")
        if self.start.earlier and self.start.kind not in ("incomplete", "foreign", "no manifest"):
            for name in set.intersection(*(set(b.files) for b in self.every())):
                if name not in found:
                    raise Wrong(f"MIXED {name} is missing")

    def whole(self, found: Tree | None) -> Build | None:
        """Check that the folder is one build, or as it was; returns the build."""
        if found == self.start.tree or (not self.links and self._needed(found) == self.start.tree):
            return self.start.earlier
        found = found or {}
        if found.get(MANIFEST) is None:
            raise Wrong("MIXED there is no manifest")
        build = next((b for b in self.every() if b.files[MANIFEST] == found[MANIFEST]), None)
        if not build:
            raise Wrong("MIXED the manifest is of no build")
        theirs = set(self.start.theirs.values())
        for name in {name for b in self.every() for name in b.files}:
            if found.get(name) not in (build.files.get(name), *theirs):
                raise Wrong(f"MIXED {name} is not of the build that the manifest names")
        return build

    def _needed(self, found: Tree | None) -> Tree:
        """Return a folder without the backups of files that are still there."""
        kept = {name: BACKUP.fullmatch(name) for name in found or {}}
        return {
            name: data
            for name, data in (found or {}).items()
            if not ((of := kept[name]) and (found or {}).get(of[1]) == data)
        }

    def refused(self, found: Tree | None, wanted: Build) -> bool:
        """Say whether a build without --force must be refused."""
        found = found or {}
        theirs = set(self.start.theirs.values())
        if any(found.get(n) in theirs - {d} for n, d in wanted.files.items()):
            return True
        foreign = [n for n in found if n not in wanted.files and not IGNORED.fullmatch(n)]
        return MANIFEST not in found and bool(foreign)

    def after(self, found: Tree | None, wanted: Build, code: int, *, force: bool) -> None:
        """Check what a build that nobody disturbed has made of the folder."""
        self.hold(found)
        if left := temporary(found):
            raise Wrong(f"STALE {left[0]}")
        build = self.whole(found)
        if code == 0:
            if any((found or {}).get(name) != data for name, data in wanted.files.items()):
                raise Wrong("MIXED the build is not what was asked for")
        elif code != 2 or force or not self.refused(found, wanted):
            raise Wrong(f"EXIT {code} with {'its own' if build else 'no'} build in the folder")


def _is_or_keeps(name: str, wanted: str) -> bool:
    kept = BACKUP.fullmatch(name)
    return name == wanted or (kept is not None and kept[1] == wanted)

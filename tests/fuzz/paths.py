"""Leads archc out of a spec's folder, by what the spec extends and by links beside it.

Around the folder stand files with a secret, and in it some that are hidden or no specs. Whatever a
spec says and wherever links lead: nothing outside is opened, nothing of the secret is printed, and
nothing outside changes.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from told import told
from trial import ROOT, Wrong, clock, scratch
from watch import watch

from archcompiler.yaml_writer import flow

WAYS = ROOT / "tests/cases/hostile/paths.json"
SECRET = "archc: 1\nname: hunter2\nx-password: hunter2\n"
SPEC = """\
archc: 1
name: {name}
input: 8x8x3
stem: {{conv: 4, kernel: 3, padding: same, name: a}}
body: []
heads: {{Logits: [global_avg_pool]}}
"""
LINKS = {
    "file.yaml": "../secret.yaml", "far.yaml": "/etc/passwd", "env.yaml": "/proc/self/environ",
    "endless.yaml": "/dev/zero", "round.yaml": "round.yaml", "two.yaml": "file.yaml",
    "nothing.yaml": "../nothing.yaml", "up": "..", "root": "/", "here": "/proc/self/cwd",
    "deep": "up/outside", "inner/back.yaml": "../../secret.yaml", "good.yaml": "base.yaml",
    "token.yaml": ".npmrc", "notes.yaml": "inner/notes", "config.yaml": ".git/config.yaml",
    "git": ".git",
}  # fmt: skip
"""Links in the folder of the specs, and what each leads to."""
UNSAID = (".npmrc", "inner/notes", ".git/config.yaml")
"""Files with the secret in the folder of the specs, or below, that are no specs of it."""
PARTS = (
    "..", ".", "", "inner", "up", "root", "here", "deep", "outside", "etc", "secret.yaml",
    "base.yaml", "file.yaml", "passwd", "~", "~root", "$HOME", "%2e%2e", "\u2024\u2024",
    "\uff0e\uff0e", "...", " ..", ".. ", "..\t", "\0", "*", "[a-z]*", "{..}", "a" * 300, "specs",
)  # fmt: skip
STARTS = (
    *("",) * 12, "/", "//", "./", "~/", "file://", "file:", "http://localhost/", "C:\\",
    "\\\\host\\",
)  # fmt: skip
INSIDE = ("inner", ".", "inner/..", "here", "up/specs", "")
FILES = (
    *("base.yaml",) * 2, "good.yaml", "two.yaml", "pipe.yaml", "secret.yaml", "token.yaml",
)  # fmt: skip
SEPARATORS = ("/",) * 8 + ("//", "\\", "/./", ":")
COMMANDS = (
    ("check", "net.yaml"), ("check", "net.yaml", "--format", "github"), ("check", "."),
    ("resolve", "net.yaml"), ("lock", "net.yaml"), ("lock", "--check", "net.yaml"),
    ("explain", "net.yaml", "a"), ("diff", "base.yaml", "net.yaml"),
    ("build", "net.yaml", "-b", "torch", "-o", "out"), ("build", "net.yaml", "-b", "torch"),
    ("build", "net.yaml", "-b", "torch", "--check"),
    ("new", "inner/new.yaml", "--from", "net.yaml"),
)  # fmt: skip


@cache
def ways() -> tuple[str, ...]:
    """Return the known ways out, each as it stands behind `extends:`."""
    return tuple(json.loads(WAYS.read_text("utf-8")))


def paths(draw: random.Random, _: list[str]) -> tuple[bytes, str]:
    """Extend one path, known or made of parts, with links about, and run one command."""
    way = draw.choice(ways()) if draw.random() < 0.3 else _made(draw)
    lock = draw.choice((*(None,) * 3 * len(LINKS), *LINKS.values()))
    return attempt(way, draw.choice(COMMANDS), lock=lock, links=draw.random() < 0.5)


def attempt(
    way: str,
    command: tuple[str, ...] = COMMANDS[0],
    *,
    lock: str | None = None,
    links: bool = False,
) -> tuple[bytes, str]:
    """Run a command on a spec that extends `way`, whose lock is a link to `lock`.

    With `links` the files of a build are links out. Raises `Wrong`.
    """
    written = f"archc: 1\nname: net\nextends: {flow(way)}\n"
    with _folder() as (specs, outside):
        (specs / "net.yaml").write_text(written, "utf-8")
        if lock:
            (specs / "net.lock").symlink_to(lock)
        if links and "-o" not in command:  # where nobody says so, no build may be
            (specs / "out").symlink_to(outside)
        elif links:
            (specs / "out").mkdir()
            for name in ("model.py", "archc.lock", ".archc-1.tmp"):
                (specs / "out" / name).symlink_to(outside / "secret.yaml")
        before = _tree(outside.parent, specs)
        with watch().held_to(specs) as seen, clock():
            done = told(command)
        if any(secret in done.output for secret in ("hunter2", "root:x:0", "HOME=/")):
            raise Wrong(f"{way!r}: {command} tells what is outside: {done.output[:300]}")
        if _tree(outside.parent, specs) != before:
            raise Wrong(f"{way!r}: {command} changes what is outside")
        if seen:
            raise Wrong(f"{way!r}: {command} did {seen[0]}")
    return written.encode(), "refused" if done.exit_code else "good"


def _made(draw: random.Random) -> str:
    if draw.random() < 0.4:  # a way that stays inside, or does so but for one part
        return "/".join([*draw.choices(INSIDE, k=draw.randint(0, 4)), draw.choice(FILES)])
    parts = draw.choices(PARTS, k=draw.randint(1, 6))
    path = "".join(part + draw.choice(SEPARATORS) for part in parts)
    return draw.choice(STARTS) + path + draw.choice(("secret.yaml", "base.yaml", "passwd", ""))


@contextmanager
def _folder() -> Iterator[tuple[Path, Path]]:
    """Give a folder of specs, the working directory, and a folder beside it, of somebody else."""
    with scratch() as top:
        specs, outside = top / "specs", top / "outside"
        (specs / "inner").mkdir(parents=True)
        outside.mkdir()
        for path in (top / "secret.yaml", outside / "secret.yaml", top / "base.yaml"):
            path.write_text(SECRET, "utf-8")
        (specs / "base.yaml").write_text(SPEC.format(name="base"), "utf-8")
        (specs / "inner" / "base.yaml").write_text(SPEC.format(name="inner"), "utf-8")
        (specs / "inner" / "out.yaml").write_text("archc: 1\nextends: ../../secret.yaml\n", "utf-8")
        for name in UNSAID:
            (specs / name).parent.mkdir(exist_ok=True)
            (specs / name).write_text("hunter2: hunter2\n", "utf-8")  # errors quote it
        os.mkfifo(specs / "pipe.yaml")
        for name, target in LINKS.items():
            (specs / name).symlink_to(target)
        before = os.getcwd()
        os.chdir(specs)
        try:
            yield specs, outside
        finally:
            os.chdir(before)


def _tree(top: Path, but: Path) -> dict[str, bytes | None]:
    """Return every file below a folder with its bytes, except what is below another."""
    found: dict[str, bytes | None] = {}
    for folder, _, files in os.walk(top):
        if Path(folder) != but and but not in Path(folder).parents:
            found[folder] = None
            found |= {f"{folder}/{name}": Path(folder, name).read_bytes() for name in files}
    return found

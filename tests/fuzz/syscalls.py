"""Asks the kernel what archc did to the machine while it read hostile specs.

    python tests/fuzz/syscalls.py paths --seed 1 --count 200
    python tests/fuzz/syscalls.py strings --seed 1 --count 10000

Runs a mode of `run.py` under `strace`, and counts, between the marks that `watch.py` makes, files
that were opened outside of the spec's folder and of archc's own, programs that were started, and
addresses that were reached. The last line is the figure. Linux, with `strace` installed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from watch import BEGIN, END, own

OPENS = ("open", "openat", "openat2", "creat")
STARTS = ("execve", "execveat", "fork", "vfork", "clone", "clone3")
REACHES = ("socket", "connect", "bind", "sendto", "sendmsg")
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
GIVEN = re.compile(r"= \d+<(.*)>$")
"""The file that a call gave, as the kernel names it: links are followed."""
SYSTEM = ("/proc/self/", "/proc/meminfo", "/sys/", "/dev/null", "/dev/urandom", "/usr/lib", "/lib")
"""What Python and its libraries may open whenever they like, whatever a spec says."""


@dataclass(slots=True)
class Seen:
    """What happened between the marks."""

    trials: int = 0
    opened: int = 0
    outside: Counter[str] = field(default_factory=Counter)
    started: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)


def read(lines: Iterable[str], free: tuple[str, ...]) -> Seen:
    """Sort the calls of a log of `strace -y`; `free` are folders that any spec may have read."""
    seen, folder, here = Seen(), None, "/"
    begin = re.compile(re.escape(BEGIN).replace(r"\{\}", '([^"]*)'))
    for line in lines:
        found = CALL.match(line)
        if not found:
            continue
        call, rest = found.groups()
        if mark := begin.search(rest):
            folder, seen.trials = mark[1], seen.trials + 1
        elif END in rest:
            folder = None
        if call == "chdir" and (moved := PATH.search(rest)):
            here = os.path.normpath(os.path.join(here, moved[1]))
        if folder is None:
            continue
        if call in STARTS:
            seen.started[call] += 1
        elif call in REACHES:
            seen.reached[call] += 1
        elif call in OPENS and (path := _opened(rest, here)):
            seen.opened += 1
            if not _below(path, (folder, *free)) and not path.startswith(SYSTEM):
                seen.outside[path] += 1
    return seen


def _opened(rest: str, here: str) -> str | None:
    """Return the file that a call opened, or, where it failed, the one that it asked for."""
    if given := GIVEN.search(rest):
        return given[1]
    asked = PATH.search(rest)
    return os.path.normpath(os.path.join(here, asked[1])) if asked else None


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def traced(words: list[str]) -> Seen:
    """Run `run.py` under strace; raises `CalledProcessError` where either of them fails."""
    calls = ",".join((*OPENS, *STARTS, *REACHES, "chdir", "access", "faccessat", "faccessat2"))
    calls = ",".join(f"?{call}" for call in calls.split(","))  # `?`: where the machine has it
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        run = [sys.executable, str(Path(__file__).with_name("run.py")), *words]
        strace = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={calls}", "-o", str(log)]
        subprocess.run([*strace, *run], check=True, stdout=sys.stderr)
        with log.open(encoding="utf-8", errors="replace") as lines:
            return read(_stripped(lines), own())


def _stripped(lines: Iterable[str]) -> Iterator[str]:
    return (line.rstrip("\n") for line in lines)


def main() -> int:
    """Run and print: the exit code is 1 where anything was opened, started or reached."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("mode", choices=("paths", "strings", "mutate"))
    parser.add_argument("--seed", default="1")
    parser.add_argument("--count", default="200")
    args = parser.parse_args()
    seen = traced([args.mode, "--seed", args.seed, "--count", args.count])
    for what in (seen.outside, seen.started, seen.reached):
        for name, number in what.most_common(10):
            print(f"{number:>9,}  {name}")
    print(
        f"{args.mode}: {seen.trials:,} specs, {seen.opened:,} files opened, "
        f"{sum(seen.outside.values())} outside, {sum(seen.started.values())} programs started, "
        f"{sum(seen.reached.values())} addresses reached"
    )
    return int(bool(seen.outside or seen.started or seen.reached))


if __name__ == "__main__":
    sys.exit(main())

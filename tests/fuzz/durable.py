"""Kills builds, fills their disk, runs eight at once, and counts what is lost.

    python tests/fuzz/durable.py kill --seed 1 --count 2000
    python tests/fuzz/durable.py full --seed 1 --count 2000
    python tests/fuzz/durable.py together --seed 1 --count 2000
    python tests/fuzz/durable.py all --seed 1 --count 2000
    python tests/fuzz/durable.py same --seed 1 --count 20 --every

Builds are child processes, forked from this one so that each costs milliseconds. The last line is
the figure. `--writer NAME` breaks the writer first (see durable_broken.py): the figure must be bad.
Cases are repeated by their seed, and so are their outcomes, but where signals come by the clock.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import durable_broken
from durable_child import Builder, Child
from durable_faults import Fault
from durable_folders import Case, Tree, Wrong, start, temporary, tree
from durable_same import same

STEPS = 75
"""A build has about as many steps as this; a fault that comes later never comes."""
SPACE = (errno.ENOSPC, errno.EDQUOT)


def _plain(code: int, said: str, *, expected: Sequence[int]) -> None:
    """Check an exit code, and that what was said is no traceback."""
    if "Traceback" in said or "bug in archc" in said:
        raise Wrong(f"CRASH {said.strip().splitlines()[-1][:200]}")
    if code == -signal.SIGALRM:
        raise Wrong("CRASH it hung")
    if code not in expected:
        raise Wrong(f"EXIT {code} {said[:200]}")


def _next(builder: Builder, draw: random.Random, folder: Path, case: Case, force: bool) -> None:
    """Run the next build, undisturbed: the same, or another."""
    same = draw.random() < 0.5
    build = case.builds[-1] if same else draw.choice(builder.builds)
    force = force if same else draw.random() < 0.5
    case.builds.append(build)
    code, said = builder.run(folder, build, force=force)
    _plain(code, said, expected=(0, 2))
    case.after(tree(folder), build, code, force=force)


def _settled(case: Case, found: Tree | None) -> None:
    """Check a folder that a process left in good order: no build is half there."""
    case.hold(found)
    if left := temporary(found):
        raise Wrong(f"STALE {left[0]} beside a process that ended in order")
    case.whole(found)


def kill(builder: Builder, draw: random.Random, home: Path) -> str:
    """Kill up to three builds in a row, then build; before and after, look at the folder.

    Signals come at a step, so that what is reached is the same each time, however slow the machine
    is; in three runs of ten they come by the clock, and the outcome says so.
    """
    folder = home / "some" / "out"
    case = Case(start(draw, builder.builds))
    case.start.put(folder)
    found, outcome, force = case.start.tree, "", False
    by_clock = draw.random() < 0.3
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        build, force = draw.choice(builder.builds), draw.random() < 0.6
        case.builds.append(build)
        kinds = ("kill", "power", "int", "term", "int, kill", "space, kill")
        kind = draw.choices(kinds, (6, 4, 2, 2, 1, 2))[0]
        if by_clock:
            name = draw.choice((signal.SIGKILL, signal.SIGINT, signal.SIGTERM))
            child = builder.start(folder, build, force=force)
            if draw.random() < 0.8:  # most while it writes, others from its beginning on
                _wait_for(child, 2)
            else:
                _wait_for(child, 1)
            _pause(draw.uniform(0, 0.02))
            os.kill(child.pid, name)
        else:
            fault = Fault(kind=kind, at=draw.randint(1, STEPS), later=draw.randint(1, 12),
                          links=draw.random() < 0.8)  # fmt: skip
            case.links &= fault.links
            child = builder.start(folder, build, force=force, fault=fault)
        code, said = child.end()
        if by_clock and code in (-signal.SIGINT, -signal.SIGTERM):  # after the command's end
            code = 128 - code
        elif by_clock and (code, said) == (3, ""):  # the same, while the child cleared up
            code = 130
        _plain(code, said, expected=(0, 2, 130, 143, -signal.SIGKILL))
        before, found = found, tree(folder)
        case.hold(found)
        if code == 0 or (code != -signal.SIGKILL and not temporary(before)):
            _settled(case, found)
        if code == 2 and kind != "space, kill" and (force or not case.refused(found, build)):
            raise Wrong(f"EXIT 2 {said[:200]}")
        outcome = _how(code, found)
    _next(builder, draw, folder, case, force)
    return f"{outcome}, by the clock" if by_clock else outcome


def _how(code: int, found: Tree | None) -> str:
    if code == -signal.SIGKILL:
        return "killed while it wrote" if temporary(found) else "killed before or after"
    return {0: "ended before", 2: "refused", 130: "interrupted", 143: "terminated"}[code]


def _wait_for(child: Child, letters: int) -> None:
    """Wait until the child has said so many letters, or has ended."""
    for _ in range(letters):
        os.read(child.begun, 1)


def _pause(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def full(builder: Builder, draw: random.Random, home: Path) -> str:
    """Let a build run out of space, or out of luck with its disk; then build with all well."""
    folder = home / "some" / "out"
    case = Case(start(draw, builder.builds))
    build, force = draw.choice(builder.builds), draw.random() < 0.6
    kind = draw.choices(("space", "full", "broken", "dead", "limit"), (4, 3, 2, 2, 2))[0]
    fault, largest = None, None
    case.start.put(folder)
    if kind == "limit":
        largest = draw.randint(1, max(map(len, build.files.values())))
    else:
        code = draw.choice(SPACE) if kind in ("space", "full") else errno.EIO
        fault = Fault(kind=kind, at=draw.randint(1, STEPS), links=draw.random() < 0.8, code=code)
        case.links &= fault.links or kind in ("space", "full")
    case.builds.append(build)
    child = builder.start(folder, build, force=force, fault=fault, largest=largest)
    code, said = child.end()
    _plain(code, said, expected=(0, 2))
    found = tree(folder)
    case.hold(found)
    outcome = f"{kind}: built all the same"
    if code == 2:
        outcome = f"{kind}: refused before"
        if "error[E603]" in said or not case.refused(case.start.tree, build):
            outcome = f"{kind}: failed, all as it was"
            _one_line(said)
        if kind in ("space", "full", "limit"):
            if found != case.start.tree:
                raise Wrong(f"MIXED {kind}: not as it was")
        elif temporary(found):
            outcome = f"{kind}: failed, the next run undoes or finishes it"
        else:
            case.whole(found)
    elif kind in ("space", "full", "limit"):
        case.after(found, build, code, force=force)
    _next(builder, draw, folder, case, force)
    return outcome


def _one_line(said: str) -> None:
    lines = said.splitlines()
    if not (len(lines) == 2 and lines[0].startswith("error[E603] cannot write to ")):
        raise Wrong(f"EXIT said {said[:300]!r}")


def together(builder: Builder, draw: random.Random, home: Path) -> str:
    """Start eight builds of up to four kinds at once; in a third of the cases, kill some."""
    folder = home / "some" / "out"
    case = Case(start(draw, builder.builds))
    case.start.put(folder)
    wanted = draw.sample(builder.builds, draw.randint(2, 4))
    force, some_die = draw.random() < 0.5, draw.random() < 0.33
    gate, go = os.pipe()
    children = []
    for number in range(8):
        build = wanted[number % len(wanted)]
        case.builds.append(build)
        fault = None
        if number < 2 and some_die:  # who finds its build made has one step, at which one may die
            fault = Fault(kind="kill", at=1 if draw.random() < 0.2 else draw.randint(2, STEPS))
        children.append(builder.start(folder, build, force=force, gate=gate, fault=fault))
    os.write(go, b"!" * 8)
    ends = [child.end() for child in children]
    os.close(gate)
    os.close(go)
    allowed = (0, 2, -signal.SIGKILL) if some_die else (0, 2)
    for code, said in ends:
        _plain(code, said, expected=allowed)
        if code == 2 and not said.startswith(("error[E601]", "error[E602]")):
            raise Wrong(f"EXIT said {said[:300]!r}")
    found = tree(folder)
    case.hold(found)
    codes = Counter(code for code, _ in ends)
    if not codes[-signal.SIGKILL]:
        _settled(case, found)
        if codes[2] and (
            force
            or not any(case.refused(was, b) for b in wanted for was in (found, case.start.tree))
        ):
            raise Wrong("EXIT 2 where nothing is anybody's")
    _next(builder, draw, folder, case, force)
    if codes[-signal.SIGKILL]:
        return "with some killed"
    return "all built" if codes[0] == 8 else "some refused, for what is a user's"


MODES: dict[str, Callable[[Builder, random.Random, Path], str]] = {
    "kill": kill, "full": full, "together": together,
}  # fmt: skip
SHARES = (5, 3, 2)
WRONGS = ("LOST", "TORN", "MIXED", "STALE", "STRANGE", "EXIT", "CRASH")


def run(mode: str, seed: int, count: int, builder: Builder, *, keep: bool) -> Counter[str]:
    """Run one mode, or all by turns, `count` times; returns what came of it, and what was wrong."""
    found = Counter[str]()
    for number in range(count):
        draw = random.Random(f"{mode} {seed} {number}")
        one = draw.choices(tuple(MODES), SHARES)[0] if mode == "all" else mode
        home = builder.home / f"{mode}_{number}"
        home.mkdir()
        try:
            outcome = f"{one}: {MODES[one](builder, draw, home)}"
        except Wrong as wrong:
            outcome = str(wrong)
            if keep:
                print(f"{home}: {wrong}", flush=True)
        found[outcome] += 1
        if not (keep and outcome.startswith(WRONGS)):
            shutil.rmtree(home)
    return found


def main() -> int:
    """Run and print: the exit code is 1 where anything was lost, mixed, stale or wrong."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("mode", choices=(*MODES, "all", "same"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="a folder for what goes wrong")
    parser.add_argument("--writer", choices=durable_broken.WRITERS, help="a broken one")
    parser.add_argument("--every", action="store_true", help="with `same`: every shipped spec")
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
    began = time.perf_counter()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="archc-durable-") as scratch:
        home = (args.keep or Path(scratch)).resolve()
        if args.mode == "same":
            return same(args.seed, args.count, Path(scratch).resolve(), every=args.every)
        if args.writer:
            durable_broken.WRITERS[args.writer]()
        builder = Builder(home)
        builder.prepare()
        found = run(args.mode, args.seed, args.count, builder, keep=bool(args.keep))
    for what, number in found.most_common(30):
        print(f"{number:>7,}  {what}")
    bad = Counter(what.split()[0] for what in found.elements() if what.startswith(WRONGS))
    told = ", ".join(f"{bad[wrong]} {wrong.lower()}" for wrong in WRONGS)
    spent = time.perf_counter() - began
    print(f"{args.mode}: {args.count:,} runs from seed {args.seed}, {told}, {spent:.0f} s")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())

"""Feeds archc broken, hostile and wrong specs at random, and counts what goes wrong.

    python tests/fuzz/run.py mutate --seed 1 --count 20000
    python tests/fuzz/run.py invalid --seed 1 --count 500
    python tests/fuzz/run.py strings --seed 1 --count 10000
    python tests/fuzz/run.py paths --seed 1 --count 2000
    python tests/fuzz/run.py loaders --seed 1 --count 2000

Each spec has a clock of its own. Where there are many, each 10,000 have a process of their own, on
all cores: click's runner of commands leaves something behind in each. The last line is the figure,
with the peak of the largest process. What failed is written to a folder of `--keep`.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import random
import resource
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from hostile_text import FIELDS, strings
from mutate import mutated
from paths import paths
from told import told
from trial import Wrong, clock, compiled, scratch, specs, tidy_up
from violate import violated
from watch import watch

from archcompiler import source
from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.diagnostics import FORMATS, render
from archcompiler.errors import ArchcError
from archcompiler.locate import shipped

RULED = (
    "googlenet", "googlenet_torchvision", "inception_v3", "inception_v3_torchvision",
    "inception_resnet_v2", "inception_next_tiny",
)  # fmt: skip
"""Shipped specs that have what the rules of `violate.py` break; two of them patch others."""

COMMANDS = (
    *(("check", "spec.yaml", "--format", form) for form in FORMATS),
    ("summary", "spec.yaml"), ("resolve", "spec.yaml"),
    ("resolve", "spec.yaml", "--format", "json"),
    ("diff", "spec.yaml", "inception_v3"), ("lock", "spec.yaml"), ("lock", "--check", "spec.yaml"),
    ("explain", "spec.yaml", "stem"), ("new", "new.yaml", "--from", "spec.yaml"),
    ("build", "spec.yaml", "-b", "torch", "-o", "out"), ("check", "spec.yaml", "input=64x64"),
)  # fmt: skip
BAD = ("CRASH", "accepted", "other", "not")
"""How outcomes start that must not be."""
MOST_MB = 300
CHUNK = 10_000


def mutate(draw: random.Random, texts: list[str]) -> tuple[bytes, str]:
    """Compile a mutated spec; show its errors in every format, and build it where it is right.

    One of eight is given to a command instead, as a file.
    """
    data = mutated(draw.choice(texts), draw)
    try:
        with scratch() as folder, watch().held_to(folder) as seen, clock():
            if draw.randrange(8) == 0:
                (folder / "spec.yaml").write_bytes(data)
                outcome = f"exit code {told(draw.choice(COMMANDS)).exit_code}"
            else:
                network, outcome = compiled(data), "good"
                if draw.randrange(4) == 0:
                    emit(network, backend(draw.choice(("torch", "tensorflow"))))
        if seen:
            raise Wrong(f"it did {seen[0]}")
    except ArchcError as error:
        for form in FORMATS:
            shown = render(error.diagnostics, form)
            if not shown.replace("\n", "").isprintable():
                raise Wrong(f"{form} is not printable") from None
        return data, error.diagnostics[0].code
    return data, outcome


def invalid(draw: random.Random, _: list[str]) -> tuple[bytes, str]:
    """Compile a spec with one rule broken; it must be refused, for that, at that line."""
    path = draw.choice([*(shipped()[name] for name in RULED), FIELDS])
    text, rule, place = violated(path.read_text("utf-8"), draw)
    try:
        with clock():
            compiled(text.encode())
    except ArchcError as error:
        found = [d for d in error.diagnostics if d.code in rule.codes]
        if not found:
            return text.encode(), f"other code {error.diagnostics[0].code} for {rule.put}"
        lines = {d.position.line for d in found if d.position}
        lines |= {r.position.line for d in found for r in d.rows if r.position}
        right = not lines.isdisjoint(place)
        return text.encode(), "right line" if right else f"other line for {rule.put}"
    return text.encode(), f"accepted: {rule.put} at line {place[0]}"


def loaders(draw: random.Random, texts: list[str]) -> tuple[bytes, str]:
    """Read a mutated spec with libyaml and without it."""
    import yaml

    data, read = mutated(draw.choice(texts), draw), []
    try:
        for loader in (yaml.CSafeLoader, yaml.SafeLoader):
            source._LOADER = loader
            try:
                read.append(repr(source.parse(source.decode(data, "spec.yaml"), "spec.yaml")))
            except ArchcError as error:
                found = error.diagnostics[0]
                read.append(f"{found.code} {found.position} {found.message}")
    finally:
        source._LOADER = yaml.CSafeLoader
    return data, "alike" if read[0] == read[1] else "not alike"


MODES: dict[str, Callable[[random.Random, list[str]], tuple[bytes, str]]] = {
    "mutate": mutate, "invalid": invalid, "strings": strings, "paths": paths, "loaders": loaders,
}  # fmt: skip


def run(
    mode: str,
    seed: int,
    count: int,
    keep: Path | None = None,
    *,
    first: int = 0,
    tidy: bool = False,
) -> Counter[str]:
    """Run one mode `count` times; returns what came of it, failures as `CRASH ...`.

    `tidy` collects garbage as it goes, so that the peak of memory is that of one spec: costly in a
    process that holds much else.
    """
    texts, found = specs(), Counter[str]()
    for number in range(first, first + count):
        draw = random.Random(f"{mode} {seed} {number}")
        data = b""
        try:
            data, outcome = MODES[mode](draw, texts)
        except (Exception, RecursionError) as error:
            outcome = f"CRASH {type(error).__name__}: {str(error)[:200]}"
        found[outcome] += 1
        if tidy and outcome.startswith(BAD):
            print(f"number {number}: {outcome}", file=sys.stderr, flush=True)
        if tidy and number % 500 == 0:  # the collector rests while archc works
            gc.collect()
        if keep and outcome.startswith(BAD):
            keep.mkdir(parents=True, exist_ok=True)
            draw = random.Random(f"{mode} {seed} {number}")
            if not data and mode == "mutate":
                data = mutated(draw.choice(texts), draw)
            data = data or f"{mode} {seed} {number}: {outcome}".encode()
            (keep / f"{mode}_{seed}_{number}.yaml").write_bytes(data)
    return found


def chunk(of: tuple[str, int, int, Path | None, int]) -> Counter[str]:
    """Run a part in this process, which leaves nothing behind: mode, seed, count, keep, first."""
    mode, seed, count, keep, first = of
    try:
        return run(mode, seed, count, keep, first=first, tidy=True)
    finally:
        tidy_up()


def run_all(mode: str, seed: int, count: int, keep: Path | None) -> Counter[str]:
    """Run one mode in processes of `CHUNK`, or in this one where one will do."""
    firsts = range(0, count, CHUNK)
    parts = [(mode, seed, min(CHUNK, count - first), keep, first) for first in firsts]
    if len(parts) < 2:
        return run(mode, seed, count, keep, tidy=True)
    found = Counter[str]()
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        for done, part in enumerate(pool.imap_unordered(chunk, parts), 1):
            found += part
            if done % 5 == 0:
                print(f"{done * CHUNK:,} done", file=sys.stderr, flush=True)
        pool.close()
        pool.join()
    return found


def main() -> int:
    """Run and print: the exit code is 1 where anything is bad, or took too much memory."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    found = run_all(args.mode, args.seed, args.count, args.keep)
    bad = sum(n for what, n in found.items() if what.startswith(BAD))
    for place, (what, number) in enumerate(found.most_common()):
        if place < 25 or what.startswith(BAD):
            print(f"{number:>9,}  {what}")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    peak = max(one.ru_maxrss for one in used) // 1024
    print(
        f"{args.mode}: {args.count:,} specs from seed {args.seed}, {bad} bad, "
        f"peak {peak} MB, {sum(one.ru_utime for one in used):.0f} s of one core"
    )
    return int(bool(bad) or peak > MOST_MB)


if __name__ == "__main__":
    sys.exit(main())

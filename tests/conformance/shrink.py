"""Shrinks a spec that shows something wrong to one that a person can read.

`python tests/conformance/shrink.py SEED NAME WRONG` shrinks the random network of a seed and writes
`tests/cases/random/NAME.yaml`, with what was wrong as a comment. The tests run all files there.
"""

from __future__ import annotations

import argparse
import copy
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
from networks import FIXTURES, Tally, case, compare, compiled, refusal
from spec_writer import Spec, without_unused, write_spec
from unread import without_idle

from archcompiler.errors import ArchcError
from archcompiler.yaml_writer import to_yaml

Path_ = tuple[str | int, ...]
"""Where in a spec: keys of mappings and numbers in lists."""
Fails = Callable[[Sequence[Spec]], list[bool]]
"""Tells which of some specs are right, and still show what is wrong."""

REMOVE = object()
REQUIRED = frozenset({"archc", "name", "input", "stem", "body", "heads"})


class Splice(list[Any]):
    """Layers that take the place of one."""


Edit = tuple[Path_, object]
"""A place, and what stands there afterwards."""


def shrink(spec: Spec, fails: Fails) -> Spec:
    """Return the smallest spec that `fails` accepts and that no single edit makes smaller.

    Each round tries all edits alone, then more and more of those that passed together.
    """
    while True:
        tried = {_key(edited): (edit, edited) for edit in edits(spec) for edited in
                 [apply(spec, [edit])] if size(edited) < size(spec)}  # fmt: skip
        options = sorted(tried.values(), key=lambda option: size(option[1]))
        passed = fails([edited for _, edited in options])
        hits = [option for option, good in zip(options, passed, strict=True) if good]
        if not hits:
            return spec
        best = hits[0][1]
        counts = sorted({min(2**n, len(hits)) for n in range(1, 12)})
        together = [apply(spec, [edit for edit, _ in hits[:count]]) for count in counts]
        passed = fails(together)
        spec = min([best, *(s for s, good in zip(together, passed, strict=True) if good)], key=size)


def size(spec: Spec) -> tuple[int, int, int]:
    """Return what makes one spec smaller than another: layers, then text, then numbers."""
    text = to_yaml(spec)
    numbers = sum(int(n) for n in re.findall(r"\d+", text))
    return (
        _layers([spec["stem"], spec["body"], spec["heads"], spec.get("blocks")]),
        len(text),
        numbers,
    )


def _layers(value: object) -> int:
    if isinstance(value, dict):
        return ("name" in value or bool(value)) + sum(map(_layers, value.values()))
    return sum(map(_layers, value)) if isinstance(value, list) else 0


def _key(spec: Spec) -> str:
    return to_yaml(spec)


def apply(spec: Spec, changes: Sequence[Edit]) -> Spec:
    """Return a spec after some edits; those that an earlier one left no place for are skipped."""
    found = copy.deepcopy(spec)
    # Later places first, so that what is removed moves none of the others.
    for path, value in sorted(changes, key=lambda edit: _order(edit[0]), reverse=True):
        *way, last = path
        parent: Any = found
        try:
            for step in way:
                parent = parent[step]
            parent[last]
        except (KeyError, IndexError, TypeError):
            continue
        if value is REMOVE:
            del parent[last]
        elif isinstance(value, Splice):
            parent[last : last + 1] = copy.deepcopy([*value])
        else:
            parent[last] = copy.deepcopy(value)
    _tidy(found, found.get("blocks", {}))
    return without_idle(without_unused(found))


def _tidy(value: object, blocks: Mapping[str, Any]) -> None:
    """Take away arguments, in place, for parameters that are gone."""
    if isinstance(value, dict):
        known = blocks.get(value.get("block"), {}).get("params", {})
        if "with" in value and not {*value["with"]} <= {*known}:
            value["with"] = {k: v for k, v in value["with"].items() if k in known}
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        _tidy(part, blocks)


def _order(path: Path_) -> tuple[tuple[int, str], ...]:
    return tuple((step, "") if isinstance(step, int) else (0, step) for step in path)


def edits(spec: Spec) -> Iterator[Edit]:
    """Yield every edit that may make a spec smaller; not all leave it right."""
    yield from _edits(spec, (), spec)


def _edits(spec: Spec, path: Path_, value: object) -> Iterator[Edit]:
    in_list = bool(path) and isinstance(path[-1], int)
    if isinstance(value, dict):
        if in_list:
            yield from ((path, Splice(layers)) for layers in _inner(spec, value))
        if len(path) > 1 and path[-2] in ("branches", "heads"):
            yield path, []
        for key, part in value.items():
            if path or key not in REQUIRED:
                yield (*path, key), REMOVE
            yield from _edits(spec, (*path, key), part)
    elif isinstance(value, list):
        if not in_list and len(value) > 1:
            yield path, []
            # What one layer reads of another, removing them one by one may not get rid of.
            for number in range(1, len(value)):
                yield path, value[number:]
                yield path, value[:number]
        for number, part in enumerate(value):
            yield (*path, number), REMOVE
            yield from _edits(spec, (*path, number), part)
    elif path[-1] not in ("name", "archc", "output"):
        yield from ((path, smaller) for smaller in _smaller(value))


def _inner(spec: Spec, layer: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the lists of layers that may take a container's place."""
    block = spec.get("blocks", {}).get(layer.get("block"), {})
    if "branches" in block:
        yield [{k: v for k, v in block.items() if k not in ("params", "defaults")}]
    for container in (layer, block):
        if "layers" in container:
            yield container["layers"]
        for name, branch in container.get("branches", {}).items():
            yield branch if isinstance(branch, list) else [{**branch, "name": name}]


def _smaller(value: object) -> Iterator[object]:
    if type(value) is int:
        yield from (n for n in dict.fromkeys((0, 1, value // 2, value - 1)) if 0 <= n < value)
    elif isinstance(value, str) and value.startswith("$"):
        yield from (1, 2, 3, 4)
    elif isinstance(value, str) and re.fullmatch(r"\d+(x\d+)+", value):
        sides = [int(n) for n in value.split("x")]
        for number, side in enumerate(sides):
            for less in (1, side // 2, side - 1):
                if 0 < less < side:
                    yield "x".join(map(str, [*sides[:number], less, *sides[number + 1 :]]))
        if len(sides) == 2:
            yield from sides


# With the frameworks


def mismatching(like: Spec) -> Fails:
    """Return what tells which specs show a mismatch of a kind that this spec shows."""
    kinds = {m.what for m in _mismatches([like])[0]}

    def fails(specs: Sequence[Spec]) -> list[bool]:
        return [bool(kinds & {m.what for m in found}) for found in _mismatches(specs)]

    return fails


def _mismatches(specs: Sequence[Spec]) -> list[list[Any]]:
    """Run all specs at once; a spec that is wrong, or refused, has no mismatch."""
    cases = {}
    for number, spec in enumerate(specs):
        try:
            network = compiled(spec | {"name": f"net{number}"})
        except ArchcError:
            continue
        if not any(refusal(network, framework) for framework in harness.FRAMEWORKS):
            cases[number] = case(network)
    found: list[list[Any]] = [[] for _ in specs]
    with tempfile.TemporaryDirectory(prefix="archc-") as folder:
        run = harness.run(Path(folder) / "job", lambda framework: [*cases.values()])
        for number, one in cases.items():
            tally = Tally()
            compare(run, one, tally)
            found[number] = tally.mismatches
    print(f"tried {len(cases)} of {len(specs)}, {sum(map(bool, found))} mismatch", flush=True)
    return found


def keep(spec: Spec, name: str, wrong: str, folder: Path = FIXTURES) -> Path:
    """Write a spec as a fixture, with what was wrong as a comment."""
    path = folder / f"{name}.yaml"
    path.write_text(f"# {wrong}\n{to_yaml(spec | {'name': name})}", encoding="utf-8")
    return path


def main() -> int:
    """Shrink the network of a seed, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seed", type=int)
    parser.add_argument("name", help="the fixture's name")
    parser.add_argument("wrong", help="what was wrong, in a sentence")
    given = parser.parse_args()
    spec = write_spec(given.seed)
    small = shrink(spec, mismatching(spec))
    print(keep(small, given.name, given.wrong).read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

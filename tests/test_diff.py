"""`archc diff`: what is said of two specs, and that equal is what has the same canonical form.

NAME.txt in cases/diff has a command, which lays NAME.yaml beside `base.yaml` or NAME_before.yaml,
what it prints, and its exit code. To write the texts anew, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_diff.py && git diff tests/cases/diff
"""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from archcompiler.cli import main
from archcompiler.compiler import compile_file, compile_node
from archcompiler.diff import diff
from archcompiler.diff_items import Items
from archcompiler.diff_text import to_text
from archcompiler.errors import ArchcError
from archcompiler.ir import Network
from archcompiler.locate import shipped
from archcompiler.ops import BY_KEY
from archcompiler.resolve import document, to_yaml
from archcompiler.source import parse

FOLDER = Path(__file__).parent / "cases"
CASES = FOLDER / "diff"
NAMES = sorted(path.stem for path in CASES.glob("*.txt"))
PAIRS = sorted(CASES.glob("*_before.yaml"))
LANGUAGE = sorted((FOLDER / "language").glob("*.yaml"))


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def compiled(resolved: dict[str, Any]) -> Network:
    return compile_node(parse(to_yaml(resolved), "x.yaml"), source="x.yaml").network


@pytest.mark.parametrize("name", NAMES)
def test_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    path = CASES / f"{name}.txt"
    wanted = path.read_text("utf-8")
    command = wanted.partition("\n")[0]
    result = run(*command.split()[2:])
    assert not result.stderr
    found = f"{command}\n{result.stdout}(exit code {result.exit_code})\n"
    if os.environ.get("ARCHC_UPDATE"):
        path.write_text(found, "utf-8")
    else:
        assert found == wanted


@pytest.mark.parametrize("width", [80, 100])
def test_fits(width: int) -> None:
    base = compile_file(CASES / "base.yaml").network
    others = [compile_file(CASES / f"{name}.yaml").network for name in NAMES]
    shipped_ones = [compile_file(path).network for path in shipped().values()]
    for old, new in [*((base, other) for other in others), tuple(shipped_ones)[:2]]:
        for line in to_text(diff(old, new), "a", "b", width).splitlines():
            assert len(line) <= width
            assert line == line.rstrip()


# What is equal


@pytest.mark.parametrize("path", [*LANGUAGE, *shipped().values()], ids=lambda p: p.stem)
def test_a_spec_equals_its_canonical_form(path: Path) -> None:
    network = compile_file(path).network
    assert diff(network, network).equal
    again = compiled(document(network))
    for found in (diff(network, again), diff(again, network)):
        assert (found.layers, found.network, found.end_points) == ((), (), {})


Change = partial[None]


def changes(value: Any, layer: bool = False) -> Iterator[Change]:
    """Yield functions that change a document in place: one number, switch, name, order, `from`."""
    if isinstance(value, list):
        if layer or (value and isinstance(value[0], dict) and len(value) > 1):
            for n in range(len(value) - 1):
                yield partial(swap, value, n)
        for n, part in enumerate(value):
            if isinstance(part, bool | int | float) and layer:
                yield partial(set_at, value, n, changed(part))
            yield from changes(part, layer)
        return
    if not isinstance(value, dict):
        return
    is_layer = bool(value.keys() & (BY_KEY.keys() | {"layers", "branches"}))
    branches = value.get("branches")
    if isinstance(branches, dict):
        for names in ([*branches], *([name] for name in branches)):
            yield partial(rename, value, names)
        yield partial(value.update, branches=dict(reversed(branches.items())))
    for key, part in value.items():
        if isinstance(part, bool | int | float):
            if is_layer or layer:
                yield partial(set_at, value, key, changed(part))
        elif key == "from" and isinstance(part, list):
            yield partial(value.update, {"from": part[::-1]})
        elif isinstance(part, list) and part and isinstance(part[0], dict):
            layers = [item for item in part if isinstance(item, dict)]
            names = [layer["name"] for layer in layers if "name" in layer]
            for item in layers[
                1:
            ]:  # what the first one reads, or nothing in a group, has two names
                if isinstance(item.get("from", ""), str) and "layers" not in item:
                    yield from (partial(item.update, {"from": n}) for n in ("input", *names))
            yield from changes(part)
        else:
            yield from changes(part, layer or (is_layer and key not in ("layers", "branches")))


def changed(value: float) -> float:
    return not value if isinstance(value, bool) else value + 1


def set_at(place: Any, key: Any, value: object) -> None:
    place[key] = value


def swap(items: list[object], n: int) -> None:
    items[n], items[n + 1] = items[n + 1], items[n]


def rename(fork: dict[str, Any], names: list[str]) -> None:
    branches = fork["branches"]
    fork["branches"] = {f"{n}_x" if n in names else n: part for n, part in branches.items()}


@pytest.mark.parametrize("path", [*LANGUAGE, *PAIRS], ids=lambda p: p.stem)
def test_any_change_is_a_difference(path: Path) -> None:
    """Change each thing in turn: equal is what has one canonical form, and nothing else."""
    network = compile_file(path).network
    plain = document(network)
    written = to_yaml(plain)  # as text, because the order of branches counts
    values, structure = [], []
    for number, change in enumerate(changes(plain)):
        (values if change.func is set_at else structure).append(number)
    for number in values[:: 1 + len(values) // 30] + structure[:: 1 + len(structure) // 60]:
        other = copy.deepcopy(plain)
        list(changes(other))[number]()
        try:
            found = compiled(other)
        except ArchcError:
            continue
        same = to_yaml(document(found)) == written
        assert diff(network, found).equal == same, to_yaml(other)
        assert diff(found, network).equal == same, to_yaml(other)


def test_very_many_unnamed_layers_are_laid_side_by_side_in_order() -> None:
    """Comparing each with each would take the square of their number."""
    pools = "".join(f"  - {{max_pool: {2 + n % 2}}}\n" for n in range(101))
    head = "archc: 1\nname: many\ninput: 8x8x3\ndefaults: {max_pool: {padding: same, stride: 1}}\n"
    one, other = (
        compile_node(
            parse(f"{head}stem: []\nbody:\n{body}heads: {{Logits: []}}\n", "x.yaml"),
            source="x.yaml",
        ).network
        for body in (pools, "  - {max_pool: 5}\n" + pools)
    )
    kinds = Counter(d.kind for d in diff(one, other).layers)
    assert kinds == {"changed": 101, "added": 1}


def network_of(body: str, heads: str = "{Logits: [global_avg_pool]}") -> Network:
    start = "archc: 1\nname: x\ninput: 8x8x3\ndefaults: {conv: {padding: same, kernel: 1}}\n"
    stem = "stem: {conv: 4, name: S}\nbody:\n"
    return compile_node(
        parse(f"{start}{stem}{body}heads: {heads}\n", "x.yaml"), source="x.yaml"
    ).network


class Hashed(str):
    """A path that counts how often it is looked up."""

    count = 0

    def __hash__(self) -> int:
        Hashed.count += 1
        return super().__hash__()


@pytest.mark.parametrize("alike", [4, 400])
def test_the_text_takes_a_few_looks_at_each_layer(alike: int) -> None:
    """Changes in four layers each are many, and one in all of them has long lists of paths."""
    one, other = (
        network_of(
            "".join(f"  - {{conv: {2 * (n // alike) + k}, name: C{n}}}\n" for n in range(400))
        )
        for k in (1, 2)
    )
    found = diff(one, other)
    found = replace(
        found,
        layers=tuple(replace(d, path=Hashed(d.path)) for d in found.layers),
        ops={what: tuple(map(Hashed, paths)) for what, paths in found.ops.items()},
    )
    Hashed.count = 0
    assert f"in {alike} of the 401 conv layers" in to_text(found, "a", "b")
    assert Hashed.count < 20 * 400


def test_a_chain_that_went_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here all of 60 heads read what was behind 60 layers that are gone."""
    heads = f"{{{', '.join(f'H{n}: {{activate: relu}}' for n in range(60))}}}\noutput: H0"
    gone = "".join(f"  - {{conv: 4, name: C{n}}}\n" for n in range(60))
    one, other = network_of(gone, heads), network_of("  - {conv: 5, name: D}\n", heads)
    reads, source = [], Items.source
    monkeypatch.setattr(Items, "source", lambda side, v: reads.append(v) or source(side, v))
    found = diff(one, other)
    assert not any(d.what == "activate" for d in found.layers)
    assert len(reads) < 300


@pytest.mark.parametrize(("columns", "wide"), [("100", True), ("80", False), ("40", False)])
def test_columns(columns: str, wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    monkeypatch.setenv("COLUMNS", columns)
    lines = run("diff", "base.yaml", "long_paths.yaml").stdout.splitlines()
    assert (max(map(len, lines)) > 80) == wide


def test_figures_add_up() -> None:
    """What is added and removed accounts for the totals where nothing else changes."""
    base = compile_file(CASES / "base.yaml").network
    for name in ("added", "removed", "head"):
        found = diff(base, compile_file(CASES / f"{name}.yaml").network)
        own = [d for d in found.layers]
        shown = {d.path for d in own}
        follows = [p for n, p in found.end_points.items() if n not in shown]
        pairs = [(d.before, d.after) for d in own] + follows
        gained = sum((a.params if a else 0) - (b.params if b else 0) for b, a in pairs)
        old, new = found.totals["total"]
        assert new.params - old.params == gained, name


# The command


def test_changes_apply_to_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    one = run("diff", "base.yaml", "num_classes=20")
    two = run("diff", "base.yaml", "base.yaml", "num_classes=20")
    assert one.exit_code == two.exit_code == 1
    assert one.stdout == two.stdout
    assert one.stdout.startswith("- small  base.yaml\n+ small  base.yaml num_classes=20\n")
    back = run("diff", "params.yaml", "base.yaml", "num_classes=20")
    assert back.exit_code == 0
    assert not back.stderr, "what the file expected is not the question"


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    result = run("diff", "base.yaml", "block.yaml", "--format", "json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["equal"] is False
    assert found["b"] == {"spec": "block.yaml", "changes": []}
    assert [d["path"] for d in found["layers"]] == [f"Mixed_{n}/Right/Conv" for n in (1, 2, 3)]
    first = found["layers"][0]
    assert first["changes"] == [
        {"attribute": "kernel", "before": "3", "after": "5"},
        {"attribute": "dilation", "before": "1", "after": "2"},
    ]
    line = (CASES / "block.yaml").read_text().splitlines()[first["line"] - 1]
    assert "name: Conv}" in line
    # By hand: 8 channels in, 16 out, a gamma, a beta and two statistics for each of these.
    assert first["before"]["params"] == 3 * 3 * 8 * 16 + 4 * 16
    assert first["after"]["params"] == 5 * 5 * 8 * 16 + 4 * 16
    equal = run("diff", "base.yaml", "equal.yaml", "--format", "json")
    assert (equal.exit_code, json.loads(equal.stdout)["equal"]) == (0, True)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["base.yaml"], 2, "say what to compare it with"),
        (["base.yaml", "block.yaml", "many.yaml"], 2, "takes two specs, got 3"),
        (["num_classes=3"], 2, "say which spec"),
        (["base.yaml", "none.yaml"], 2, "error[E703] there is no file none.yaml"),
        (["base.yaml", "nme=3"], 1, "error[E310]"),
    ],
)
def test_usage(words: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    result = run("diff", *words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr

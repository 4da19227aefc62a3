"""`archc diff`: what is said of two specs, and that equal is what has the same canonical form.

Each file in cases/diff is compared with `base.yaml`; NAME.txt has the command, what it prints, its
exit code. To write the texts anew, and then to read each of them:

    ARCHC_UPDATE=1 pytest tests/test_diff.py && git diff tests/cases/diff
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from archcompiler.cli import main
from archcompiler.compiler import compile_file, compile_node
from archcompiler.diff import diff
from archcompiler.diff_text import to_text
from archcompiler.errors import ArchcError
from archcompiler.ir import Network
from archcompiler.locate import shipped
from archcompiler.ops import BY_KEY
from archcompiler.resolve import document, to_yaml
from archcompiler.source import parse

FOLDER = Path(__file__).parent / "cases"
CASES = FOLDER / "diff"
NAMES = sorted({path.stem for path in CASES.iterdir()} - {"base"})
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


def leaves(value: object, layer: tuple[Any, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yield the dict or list and the key of every number and switch of a layer."""
    items = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    inside = layer or (isinstance(value, dict) and bool(value.keys() & BY_KEY.keys()))
    for key, part in items:
        if isinstance(part, dict | list):
            yield from leaves(part, layer)
        elif inside and isinstance(part, bool | int | float):
            yield value, key


@pytest.mark.parametrize("path", LANGUAGE, ids=lambda p: p.stem)
def test_any_change_is_a_difference(path: Path) -> None:
    """Change each number in turn: equal is what has one canonical form, and nothing else."""
    network = compile_file(path).network
    plain = document(network)
    count = sum(1 for _ in leaves(plain))
    for number in range(0, count, 1 + count // 40):
        other = copy.deepcopy(plain)
        place, key = list(leaves(other))[number]
        before = place[key]
        place[key] = not before if isinstance(before, bool) else before + 1
        try:
            changed = compiled(other)
        except ArchcError:
            continue
        found = diff(network, changed)
        assert found.equal == (document(changed) == plain), (key, before)
        assert diff(changed, network).equal == found.equal


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

"""`archc explain SPEC PATH`: each value of a layer with the line that said it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from archcompiler.cli import main

SPEC = """archc: 1
name: child
extends: bases/base.yaml
params: {wide: 6}
patch:
  - {set: Mixed_2/b, kernel: 3}
  - {replace: Mixed_1/b, by: {max_pool: 3, stride: 1}}
"""
BASE = """archc: 1
name: base
input: 8x8x3
params: {wide: 4}
defaults:
  conv: {padding: same, norm: batch_norm}
  max_pool: {padding: same}
  batch_norm: {epsilon: 1e-3, decay: 0.9, gamma: true}
blocks:
  cell:
    params: {mid: $wide * 2, size: 3}
    branches:
      a: {conv: $mid, kernel: $size}
      b: {conv: 5, kernel: 1}
stem: []
body:
  - {block: cell, name: Mixed_1}
  - {block: cell, with: {size: 1}, name: Mixed_2}
heads: {Logits: [global_avg_pool]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bases").mkdir()
    (tmp_path / "child.yaml").write_text(SPEC, "utf-8")
    (tmp_path / "bases" / "base.yaml").write_text(BASE, "utf-8")
    monkeypatch.chdir(tmp_path)


def explained(*words: str) -> list[str]:
    result = CliRunner().invoke(main, ["explain", "child.yaml", *words])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def rows(*words: str) -> dict[str, list[str]]:
    """Return the rows of values: the words behind each name."""
    lines = explained(*words)
    found = [line.split() for line in lines[lines.index("") + 1 :]]
    return {first: rest for first, *rest in found}


def test_a_value_comes_from_its_layer_a_default_or_nothing() -> None:
    found = rows("Mixed_2/a")
    assert found["padding"] == ["same", "defaults", "bases/base.yaml:6:19"]
    assert found["norm.epsilon"] == ["0.001", "defaults", "bases/base.yaml:8:25"]
    assert found["groups"] == ["1", "built", "in"]


def test_an_expression_shows_what_it_reads() -> None:
    found = rows("Mixed_2/a")
    assert found["conv"] == ["12", "($mid)", "layer", "bases/base.yaml:13:17"]
    assert found["$mid"][-2:] == ["argument", "bases/base.yaml:11:19"]
    assert found["$wide"] == ["6", "spec", "child.yaml:4:16"]
    assert found["kernel"][:2] == ["1", "($size)"]
    assert found["$size"] == ["1", "argument", "bases/base.yaml:18:32"]


def test_a_patch_is_named() -> None:
    assert rows("Mixed_2/b")["kernel"] == ["3", "layer,", "patch", "child.yaml:6:30"]
    replaced = explained("Mixed_1/b")
    assert replaced[0] == "Mixed_1/b  max_pool  8x8x3 -> 8x8x3"
    assert "written at child.yaml:7:31 by a patch" in replaced


def test_the_command_line_wins() -> None:
    found = rows("Mixed_2/b", "Mixed_2/b.kernel=5", "Mixed_1/b.max_pool=1")
    assert found["kernel"] == ["5", "command", "line", "command", "line:1:18"]


def test_an_instance_shows_its_arguments() -> None:
    found = rows("Mixed_2")
    assert found["size"] == ["1", "with", "bases/base.yaml:18:32"]
    assert found["mid"] == ["12", "($wide", "*", "2)", "block", "bases/base.yaml:11:19"]


def test_a_parameter_has_a_place_too() -> None:
    assert rows("wide")["wide"] == ["6", "spec", "child.yaml:4:16"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("Mixed_2/aa", "did you mean `Mixed_2/a`?"),
        ("blocks/cell/a", "name a layer of one of its instances"),
        ("b", "did you mean `Mixed_1/b`?"),
    ],
)
def test_an_unknown_path(path: str, hint: str) -> None:
    result = CliRunner().invoke(main, ["explain", "child.yaml", path])
    assert result.exit_code == 2
    assert "error[E703]" in result.stderr
    assert hint in result.stderr

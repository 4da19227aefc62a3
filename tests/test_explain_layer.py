"""`archc explain SPEC PATH`: each value of a layer with the line that said it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from archcompiler.cli import main
from archcompiler.locate import shipped

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
    assert found["$mid"][-3:] == ["param", "default", "bases/base.yaml:11:19"]
    assert found["$wide"] == ["6", "spec", "child.yaml:4:16"]
    assert found["kernel"][:2] == ["1", "($size)"]
    assert found["$size"] == ["1", "with", "bases/base.yaml:18:32"]


def test_a_patch_is_named() -> None:
    assert rows("Mixed_2/b")["kernel"] == ["3", "layer,", "patch", "child.yaml:6:30"]
    assert rows("Mixed_2/b")["before"] == ["1", "layer", "bases/base.yaml:14:28"]
    replaced = explained("Mixed_1/b")
    assert replaced[0] == "Mixed_1/b  max_pool  8x8x3 -> 8x8x3"
    assert "written at child.yaml:7:31 by a patch" in replaced


def test_the_command_line_wins() -> None:
    found = rows("Mixed_2/b", "Mixed_2/b.kernel=5", "Mixed_1/b.max_pool=1")
    assert found["kernel"] == ["5", "command", "line", "command", "line:1:18"]


def test_an_instance_shows_its_arguments() -> None:
    found = rows("Mixed_2")
    assert found["size"] == ["1", "with", "bases/base.yaml:18:32"]
    assert found["mid"] == ["12", "($wide", "*", "2)", "param", "default", "bases/base.yaml:11:19"]


def test_a_parameter_has_a_place_too() -> None:
    assert rows("wide")["wide"] == ["6", "spec", "child.yaml:4:16"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("Mixed_2/aa", "did you mean `Mixed_2/a`?"),
        ("Mixed_2/Branch_7", "in `Mixed_2` there is concat, a, b"),
        ("blocks/cell/aa", "did you mean `blocks/cell/a`?"),
        ("zzz", "`archc summary child.yaml` shows its layers"),
        ("b", "did you mean `Mixed_1/b`?"),
    ],
)
def test_an_unknown_path(path: str, hint: str) -> None:
    result = CliRunner().invoke(main, ["explain", "child.yaml", path])
    assert result.exit_code == 2
    assert "error[E703]" in result.stderr
    assert hint in result.stderr


MANY = """archc: 1
name: many
extends: bases/many.yaml
patch:
  - {set: a, dilation: 2}
  - {set: a, conv: 24, kernel: 5}
  - {set: s, kernel: 3}
  - {set: blocks/cell/c, kernel: 3}
  - {set: F/L, end_point: true}
  - {set: x_2, join: add}
"""
MANY_BASE = """archc: 1
name: many_base
input: 8x8x3
defaults: {conv: {padding: same, kernel: 1}}
blocks:
  cell:
    params: {size: 2}
    branches:
      c: {conv: $size, kernel: 1}
      d: [{conv: $size, name: e}]
stem: []
body:
  - {conv: 3, kernel: 3, name: a}
  - {block: cell, name: x, repeat: 2}
  - {conv: 3, name: s, repeat: 2}
  - name: F
    from: a
    branches:
      L: {conv: 1}
      R: [{conv: 1, name: r, from: input}]
  - {concat, from: [F, s_2], name: J}
heads: {Logits: [global_avg_pool]}
"""


def told(path: str) -> list[str]:
    Path("bases/many.yaml").write_text(MANY_BASE, "utf-8")
    Path("child.yaml").write_text(MANY, "utf-8")
    return explained(path)


@pytest.mark.parametrize(
    ("path", "written", "patched"),
    [
        ("a", "bases/many.yaml:13:6", ["child.yaml:5:11 as a", "child.yaml:6:11 as a"]),
        ("s_1", "bases/many.yaml:15:6", ["child.yaml:7:11 as s"]),
        ("s", "bases/many.yaml:15:6", ["child.yaml:7:11 as s"]),
        ("x_1/c", "bases/many.yaml:9:11", ["child.yaml:8:11 as blocks/cell/c"]),
        ("x_1/d/e", "bases/many.yaml:10:12", []),
        ("F/L", "bases/many.yaml:19:11", ["child.yaml:9:11 as F/L"]),
        ("x_2", "bases/many.yaml:14:6", ["child.yaml:10:11 as x_2"]),
        ("x_1", "bases/many.yaml:14:6", []),
    ],
)
def test_each_patch_is_told_once_and_the_layer_stands_in_the_base(
    path: str, written: str, patched: list[str]
) -> None:
    lines = told(path)
    found = [line for line in lines if line.startswith(("written", "patched"))]
    assert found == [f"written at {written}", *(f"patched at {one}" for one in patched)]


def test_what_is_no_attribute_is_told_too() -> None:
    def row(path: str, key: str) -> list[str]:
        return next(line.split() for line in told(path) if line.split()[:1] == [key])

    assert row("F", "from") == ["from", "a", "layer", "bases/many.yaml:17:11"]
    assert row("F", "join") == ["join", "concat", "built", "in"]
    assert row("F", "branches") == ["branches", "L,", "R", "layer", "bases/many.yaml:19:7"]
    assert row("F/L", "end_point") == ["end_point", "true", "layer,", "patch", "child.yaml:9:27"]
    assert row("x_2", "join") == ["join", "add", "layer,", "patch", "child.yaml:10:22"]
    assert row("s_2", "repeat") == ["repeat", "2", "layer", "bases/many.yaml:15:32"]
    assert row("a", "end_point") == ["end_point", "true", "by", "its", "place"]


@pytest.mark.parametrize(
    ("path", "first", "listed"),
    [
        ("body", "body  section of many", ["a", "x_1", "x_2", "s_1", "s_2", "F", "J"]),
        ("stem", "stem  section of many", []),
        ("F/R", "F/R  branch of many", ["F/R/r"]),
        ("x_2/d", "x_2/d  branch of many", ["x_2/d/e"]),
        ("blocks/cell", "blocks/cell  block of many", ["x_1", "x_2"]),
        ("blocks/cell/d", "blocks/cell/d  branch of many", ["x_1/d", "x_2/d"]),
        ("blocks/cell/d/e", "blocks/cell/d/e  layer of many", ["x_1/d/e", "x_2/d/e"]),
        ("s", "s  repeated layer of many", ["s_1", "s_2"]),
        ("input", "input  the image of many, 8x8x3", []),
    ],
)
def test_every_path_that_a_patch_takes(path: str, first: str, listed: list[str]) -> None:
    lines = told(path)
    assert lines[0] == first
    assert lines[1].startswith("written at bases/many.yaml:")
    assert [line.strip() for line in lines if line.startswith("  ")] == listed


@pytest.mark.parametrize("columns", ["80", "100", "40"])
def test_places_are_short_and_whole(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shipped spec has one short name, wherever it is installed; a place is never broken."""
    monkeypatch.setenv("COLUMNS", columns)
    path = "Repeat_1/block17_2/Branch_0/Conv2d_1x1"
    result = CliRunner().invoke(main, ["explain", "inception_resnet_v2", path])
    lines = result.stdout.splitlines()
    assert str(shipped()["inception_resnet_v2"]) not in result.stdout
    assert all(len(line) <= max(80, int(columns)) for line in lines)
    places = [w for line in lines for w in line.split() if "yaml" in w]
    assert places
    assert all(re.fullmatch(r"specs/inception_resnet_v2\.yaml:\d+:\d+", p) for p in places)


def test_places_are_short_where_archc_is_installed_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a virtual environment of the project."""
    monkeypatch.chdir(shipped()["inception_v3"].parent.parent.parent)
    result = CliRunner().invoke(main, ["explain", "inception_v3", "Conv2d_1a_3x3"])
    places = [w for line in result.stdout.splitlines() for w in line.split() if "yaml" in w]
    assert places
    assert all(place.startswith("specs/inception_v3.yaml:") for place in places)


def test_errors_of_shipped_specs_are_short_for_people_only() -> None:
    words = ["check", "inception_v3", "input=20x20"]
    whole = str(shipped()["inception_v3"])
    for form in ("full", "concise"):
        found = CliRunner().invoke(main, [*words, "--format", form]).stdout
        assert whole not in found
        assert "specs/inception_v3.yaml:" in found
    for form in ("json", "github"):
        assert whole in CliRunner().invoke(main, [*words, "--format", form]).stdout


@pytest.mark.parametrize(
    ("code", "hint"), [("E999", "E9xx: E901, "), ("E4", "E4xx: E401, "), ("conv", "lists them all")]
)
def test_an_unknown_code_gets_its_family(code: str, hint: str) -> None:
    result = CliRunner().invoke(main, ["explain", code])
    assert result.exit_code == 2
    assert f"hint: {hint}" in result.stderr or hint in result.stderr


def test_what_a_patch_brought_into_a_template_is_known_and_what_it_took(tmp_path: Path) -> None:
    (tmp_path / "child.yaml").write_text(
        "archc: 1\nname: child\nextends: bases/base.yaml\npatch:\n"
        "  - {set: blocks/cell, params: {wider: 9, size: 5},\n"
        "     branches: {c: [{conv: $wider, kernel: 1, name: one}]}}\n"
        "  - {remove: blocks/cell/b}\n",
        "utf-8",
    )
    block = explained("blocks/cell")
    assert [line.split() for line in block if line.startswith("param")] == [
        ["param", "mid", "$wide", "*", "2", "block", "bases/base.yaml:11:19"],
        ["param", "size", "5", "block,", "patch", "child.yaml:5:49"],
        ["param", "wider", "9", "block,", "patch", "child.yaml:5:40"],
    ]
    assert explained("blocks/cell/c")[:2] == [
        "blocks/cell/c  branch of child", "written at child.yaml:6:17 by a patch",
    ]  # fmt: skip
    inner = explained("blocks/cell/c/one")
    assert inner[0] == "blocks/cell/c/one  layer of child"
    assert inner[-2:] == ["  Mixed_1/c/one", "  Mixed_2/c/one"]
    assert "removed at child.yaml:7:14" in explained("blocks/cell/b")
    result = CliRunner().invoke(main, ["explain", "child.yaml", "blocks/cell/d"])
    assert "in `blocks/cell` there is a, c" in result.output

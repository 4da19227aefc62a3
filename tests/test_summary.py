"""The table of a network: nothing cut, nothing too wide, and the numbers add up."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from archcompiler.cli import main
from archcompiler.compiler import compile_file, compile_node
from archcompiler.ir import Network
from archcompiler.source import parse
from archcompiler.summary import table

CASES = Path(__file__).parent / "cases" / "language"
SPECS = Path(__file__).parents[1] / "specs"
PATHS = sorted([*CASES.glob("*.yaml"), *SPECS.glob("*.yaml")])


def compiled(text: str) -> Network:
    return compile_node(parse(text, "net.yaml"), source="net.yaml").network


SPEC = """
archc: 1
name: net
summary: A small one
input: 8x8x2
output: Logits
defaults: {conv: {kernel: 1, padding: valid}, max_pool: {padding: same, stride: 1}}
blocks:
  mix: {branches: {a: [{conv: 3, name: c}, {max_pool: 3}], b: {conv: 5}, d: []}}
  pair: {layers: [{block: mix, name: one}, {branches: {e: [], f: []}, join: add}]}
stem: [{conv: 4, name: s}]
body: [{block: pair, name: p}]
heads:
  Side: {from: s, training_only: true, loss_weight: 0.5, layers: [flatten, {dense: 2, name: fc}]}
  Logits: [flatten, {dense: 9, name: fc, end_point: true}]
  Soft: {activate: softmax, from: Logits}
"""

# By hand: s has 2 * 4 + 4 parameters, a and b of `mix` 4 * 3 + 3 and 4 * 5 + 5, and 64 pixels each.
TABLE = """\
net: A small one, input 8x8x2

Layer             Op        Output  Params   MACs
s *               conv      8x8x4       12    512
p *               pair      8x8x12      40  2,048
  one             mix       8x8x12      40  2,048
    a             branch    8x8x3       15    768
      c           conv      8x8x3       15    768
      (max_pool)  max_pool  8x8x3        -      -
    b             conv      8x8x5       25  1,280
    d             branch    8x8x4        -      -
  (add)           add       8x8x12       -      -
    e             branch    8x8x12       -      -
    f             branch    8x8x12       -      -
Side *            group     2          514    512
  (flatten)       flatten   256          -      -
  fc              dense     2          514    512
Logits *          group     9        6,921  6,912
  (flatten)       flatten   768          -      -
  fc *            dense     9        6,921  6,912
Soft *            activate  9            -      -

            Total  without training-only heads
Parameters  7,487                        6,973
trainable   7,487                        6,973
MACs        9,984                        9,472

* end point. Heads: Side (training only, loss weight 0.5), Logits (output), Soft"""


def test_table() -> None:
    network = compiled(SPEC)
    assert table(network) == TABLE
    assert table(network, 80) == TABLE


def test_without_training_heads_there_is_one_total() -> None:
    text = SPEC.replace("training_only: true, loss_weight: 0.5, ", "")
    assert "without" not in table(compiled(text))
    assert "Total\nParameters  7,487\n" in table(compiled(text))


def words(text: str) -> list[str]:
    return text.replace(" *\n", "\n").split()


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_fits_and_holds_everything(path: Path, width: int) -> None:
    network = compile_file(path).network
    text = table(network, width)
    assert max(map(len, text.splitlines())) <= width
    assert not any(line.endswith(" ") for line in text.splitlines())
    found = words(text)
    for node in network.walk():
        shown = node.name if node.named else f"({node.name})"
        if shown not in found:  # a fork that is all that its block holds
            assert not node.named
            assert node.op.key == "branches"
        assert "x".join(map(str, node.output.shape)) in found
    assert text.count(" *\n") + text.count(" * ") >= len(network.end_points)


def nested(depth: int, name: str, op: str, width: int) -> str:
    layers = f"[{{conv: 1000000, kernel: 1, padding: valid, name: {name}}}]"
    for _ in range(depth):
        layers = f"[{{layers: {layers}, name: {name}}}]"
    text = f"""
archc: 1
name: {name}
summary: {"many words " * 40}{"x" * 150}
input: 1000x1000x1000
blocks: {{{op}: {{layers: {layers}}}}}
stem: []
body: [{{block: {op}, name: {name}}}]
heads: {{Logits: [flatten, {{activate: relu, name: a}}]}}
"""
    return table(compiled(text), width)


@pytest.mark.parametrize("width", [80, 100, 132])
@pytest.mark.parametrize("depth", [0, 5, 16])
@pytest.mark.parametrize("name", ["a", "n" * 30, "n" * 64])
@pytest.mark.parametrize("op", ["b", "o" * 17, "o" * 64])
def test_long_names_and_deep_nesting_break_lines(
    width: int, depth: int, name: str, op: str
) -> None:
    text = nested(depth, name, op, width)
    assert max(map(len, text.splitlines())) <= width
    found = words(text)
    assert found.count(name) >= depth + 2
    assert op in found
    assert found.count("1000x1000x1000000") == depth + 2
    assert found.count("1,000,000,000,000,000") == depth + 3
    assert found.count("1,001,000,000") == depth + 4


def test_indentation_shows_depth_as_long_as_there_is_room() -> None:
    lines = nested(16, "n" * 30, "b", 100).splitlines()
    shown = [line for line in lines if line.strip().startswith("n" * 30) and ":" not in line]
    indents = [len(line) - len(line.lstrip()) for line in shown]
    assert indents == sorted(set(indents))
    assert len(indents) == 18


def test_what_a_spec_says_cannot_drive_the_terminal() -> None:
    text = SPEC.replace("A small one", r'"a \e[2J bell \a \u202e"')
    assert table(compiled(text)).splitlines()[0].isprintable()


def test_a_long_op_has_one_line_where_there_is_room() -> None:
    text = SPEC.replace("{conv: 4, name: s}", "{adaptive_avg_pool: 8, name: Pool}").replace(
        "from: s,", "from: Pool,"
    )
    for width in (80, 100):
        (line,) = (n for n in table(compiled(text), width).splitlines() if "adaptive" in n)
        assert line.split() == ["Pool", "*", "adaptive_avg_pool", "8x8x2", "-", "-"]


def test_the_table_follows_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    path = SPECS / "inception_resnet_v2.yaml"
    network = compile_file(path).network
    for columns, width in (("80", 80), ("100", 100), ("9", 80), ("1000", 160), ("", 100)):
        monkeypatch.setenv("COLUMNS", columns)
        result = CliRunner().invoke(main, ["summary", str(path)])
        assert result.stdout == table(network, width) + "\n"


def test_one_spec_is_not_padded_to_the_name_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a_long_name_of_a_file.yaml").write_text(SPEC, "utf-8")
    result = CliRunner().invoke(main, ["check", "a_long_name_of_a_file.yaml"])
    assert result.stdout.startswith("net  8x8x2 -> ")

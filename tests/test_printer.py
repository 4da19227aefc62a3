"""The printer: what the goldens of cases/language cannot show."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from archcompiler.compiler import compile_file, compile_node
from archcompiler.ir import Network
from archcompiler.printer import to_text
from archcompiler.source import parse

CASES = sorted((Path(__file__).parent / "cases" / "language").glob("*.yaml"))


def compiled(text: str) -> Network:
    return compile_node(parse(text, "net.yaml"), source="net.yaml").network


SPEC = """
archc: 1
name: net
summary: "a: b"
input: 4x4x2
stem: []
body:
  - {conv: 3, kernel: 1, padding: valid, name: a}
  - {branches: {b: {conv: 3, kernel: 1, padding: valid}, c: []}, join: add, name: d}
heads:
  Logits: [flatten]
"""

TEXT = """\
network net: 4x4x2 -> Logits
summary "a: b"
end points a, d, Logits
totals 21 params, 21 trainable, 240 MACs
stem(%/input):
  -> %in
body(%/input):
  %a: 4x4x3 = conv(%in) {filters: 3, kernel: 1, padding: valid}
  %d: 4x4x3 = branches(%a) join add:
    %b: 4x4x3 = conv(%in) {filters: 3, kernel: 1, padding: valid}
    c:
      -> %in
head:
  %Logits: 48 = layers(%/d):
    %(flatten): 48 = flatten(%in)  # follows the size
"""


def test_text() -> None:
    assert to_text(compiled(SPEC)) == TEXT


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("bias: true", ""),
        ("bias: false", ", bias: false"),
        ("stride: 1, dilation: 1, groups: 1", ""),
        ("stride: 2x1", ", stride: 2x1"),
        ("activation: none, norm: none, weight_decay: 0", ""),
        ("init: glorot_uniform, bias_init: zeros", ""),
        ("bias_init: ones", ", bias_init: ones"),
    ],
)
def test_built_in_values_are_left_out(written: str, shown: str) -> None:
    line = to_text(compiled(SPEC.replace("name: a}", f"{written}, name: a}}"))).splitlines()[7]
    assert line.endswith(f"= conv(%in) {{filters: 3, kernel: 1, padding: valid{shown}}}")


def test_a_bias_is_left_out_where_the_norm_decides() -> None:
    options = "{epsilon: 0.1, decay: 0.9, gamma: true, beta: true}"
    norm = f"norm: {{batch_norm: {options}}}"
    texts = [
        to_text(compiled(SPEC.replace("name: a}", f"{norm}{bias}, name: a}}")))
        for bias in ("", ", bias: false", ", bias: true")
    ]
    assert texts[0] == texts[1]
    assert "valid, norm: {batch_norm: {epsilon: 0.1, decay: 0.9, gamma: true}}}" in texts[0]
    assert "valid, bias: true, norm:" in texts[2]


def test_a_graph_that_ends_early_says_so() -> None:
    network = compiled(SPEC)
    body = dataclasses.replace(network.body, output=network.body.nodes[0].output)
    text = to_text(dataclasses.replace(network, body=body))
    assert "      -> %in\n  -> %a\n" in text


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_every_layer_has_one_line(path: Path) -> None:
    network = compile_file(path).network
    text = to_text(network)
    assert text.count(" = ") >= len(list(network.walk()))
    assert sum(line.lstrip().startswith("%") for line in text.splitlines()) == len(
        list(network.walk())
    )
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert text == to_text(compile_file(path).network)

"""The canonical form: the same network, said without anything that must be looked up."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcompiler import source
from archcompiler.compiler import compile_file, compile_node
from archcompiler.ir import Group, Instance, Network
from archcompiler.ops import OPS
from archcompiler.ops.unit import Unit
from archcompiler.resolve import document, to_yaml
from archcompiler.source import parse

CASES = Path(__file__).parent / "cases" / "language"
SPECS = Path(__file__).parents[1] / "specs"
PATHS = sorted([*CASES.glob("*.yaml"), *SPECS.glob("*.yaml")])


def compiled(text: str) -> Network:
    return compile_node(parse(text, "net.yaml"), source="net.yaml").network


def facts(network: Network) -> object:
    """Return all that the canonical form must keep: an instance may have become a group."""

    def kind(op: Any) -> object:
        return "container" if isinstance(op, Group | Instance) else op

    def where(name: str) -> str:
        return name.partition(":")[0] if name.endswith(":input") else name

    return (
        [(n.path, n.named, kind(n.op), n.output.shape, n.weights, n.macs) for n in network.walk()],
        [[where(v.name) for v in n.inputs] for n in network.walk()],
        [(e.name, e.node.path) for e in network.end_points],
        [(h.name, h.training_only, h.loss_weight) for h in network.heads],
        (network.name, network.summary, network.output, network.input.shape),
    )


def plain(node: source.Node) -> Any:
    if isinstance(node, source.Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, source.Sequence):
        return [plain(item) for item in node.items]
    return node.value


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_is_the_same_network(path: Path) -> None:
    network = compile_file(path).network
    again = compiled(to_yaml(document(network)))
    assert facts(again) == facts(network)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_is_a_fixed_point(path: Path) -> None:
    once = to_yaml(document(compile_file(path).network))
    assert to_yaml(document(compiled(once))) == once


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_text_says_what_the_document_says(path: Path) -> None:
    found = document(compile_file(path).network)
    assert plain(parse(to_yaml(found), "net.yaml")) == found


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from value
    for part in value.values() if isinstance(value, Mapping) else value:
        if isinstance(part, Mapping | list):
            yield from keys(part)


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_nothing_is_left_open(path: Path) -> None:
    text = to_yaml(document(compile_file(path).network))
    assert not set(keys(plain(parse(text, "net.yaml")))) & {
        "params", "defaults", "repeat", "with", "shrink", "width", "expect",
    }  # fmt: skip
    assert "$" not in text
    assert not re.search(r"\b(map|null)$", text, re.MULTILINE)


UNITS = {op.key for op in OPS if issubclass(op, Unit)}


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_every_attribute_is_said(path: Path) -> None:
    """Nothing depends on what a later archc has built in."""
    network = compile_file(path).network
    said: list[dict[str, Any]] = []

    def collect(value: Any) -> None:
        if isinstance(value, Mapping):
            said.extend([dict(value)] if UNITS & value.keys() else [])
        for part in value.values() if isinstance(value, Mapping) else value:
            if isinstance(part, Mapping | list):
                collect(part)

    collect(document(network))
    units = [n for n in network.walk() if isinstance(n.op, Unit)]
    assert len(said) == len(units)
    biased = {"bias_init", "bias_decay"}
    for entry in said:
        (op,) = UNITS & entry.keys()
        unit = next(n.op for n in units if n.op.key == op)
        assert {f.name for f in dataclasses.fields(unit)} - {unit.main} - biased <= entry.keys()
        assert biased <= entry.keys() or not entry["bias"]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_style(path: Path) -> None:
    text = to_yaml(document(compile_file(path).network))
    assert text.endswith("\n")
    for line in text.splitlines():
        assert len(line) <= 100
        assert line == line.rstrip()
    assert "\n\n\n" not in text


# By hand: how each construct is written

HEAD = "archc: 1\nname: net\ninput: 4x4x2\n"


def body(layers: str, extra: str = "") -> str:
    """Return the canonical body of a spec whose body has these layers."""
    text = to_yaml(document(compiled(f"{HEAD}{extra}stem: []\nbody: {layers}\nheads: {{H: []}}\n")))
    blocks = text.partition("\nblocks:\n")[2].partition("\nstem:")[0]
    return blocks + text.partition("\nbody:\n")[2].partition("\n\nheads:")[0]


def test_a_whole_document() -> None:
    spec = """
archc: 1
name: net
summary: "with: a colon"
input: 4x4x2
params: {f: 2}
blocks:
  b: {params: {n: null}, layers: [{conv: $n * f, kernel: map, padding: valid, name: c}]}
stem: []
body: [{block: b, with: {n: 3}, name: x}]
heads: {Logits: [squeeze, {activate: softmax, name: s, end_point: true}]}
"""
    assert (
        to_yaml(document(compiled(spec)))
        == """\
archc: 1
name: net
summary: "with: a colon"
input: 4x4x2
output: Logits

stem: []

body:
  - name: x
    layers:
      - conv: 6
        kernel: 4
        padding: valid
        stride: 1
        dilation: 1
        groups: 1
        bias: true
        norm: none
        activation: none
        init: glorot_uniform
        bias_init: zeros
        weight_decay: 0.0
        bias_decay: 0.0
        name: c

heads:
  Logits:
    - squeeze
    - {activate: softmax, name: s, end_point: true}
"""
    )


POOL = "max_pool: 2, stride: 1, padding: same"
SAID = f"{POOL}, ceil_mode: false"


def test_a_repeat_becomes_its_layers() -> None:
    assert body(f"[{{{POOL}, repeat: 2, name: p}}]") == (
        f"  - {{{SAID}, name: p_1}}\n  - {{{SAID}, name: p_2}}"
    )
    assert body(f"[{{{POOL}, repeat: [a, b]}}]") == (
        f"  - {{{SAID}, name: a}}\n  - {{{SAID}, name: b}}"
    )


def test_unnamed_layers_stay_unnamed() -> None:
    assert body(f"[identity, {{{POOL}}}, {{layers: [identity]}}]") == (
        f"  - identity\n  - {{{SAID}}}\n  - layers:\n      - identity"
    )


def test_an_instance_becomes_a_group() -> None:
    blocks = "blocks: {b: {layers: [identity]}}\n"
    assert body("[{block: b, name: x}]", blocks) == "  - name: x\n    layers:\n      - identity"


def test_an_instance_that_reads_its_input_stays_a_block() -> None:
    blocks = "blocks: {b: {layers: [{identity, name: a}, {add, from: [a, input], name: c}]}}\n"
    assert (
        body("[{block: b, name: x}]", blocks)
        == """\
  x:
    layers:
      - {identity, name: a}
      - {add, from: [a, input], name: c}
  - {block: x, name: x}"""
    )


def test_an_input_that_is_next_anyway_needs_no_block() -> None:
    blocks = "blocks: {b: {layers: [{identity, name: a, from: input}]}}\n"
    assert body("[{block: b, name: x}]", blocks) == (
        "  - name: x\n    layers:\n      - {identity, name: a}"
    )


def test_forks() -> None:
    text = "[{branches: {a: [identity], b: identity, c: []}, split: {c: 2, a: 1, b: 1}, name: f}]"
    with pytest.raises(Exception, match="adds up to 4"):
        body(text)
    text = text.replace("c: 2", "c: 1").replace("split: {c: 1, a: 1, b: 1}", "join: add")
    assert (
        body(text)
        == """\
  - name: f
    join: add
    branches:
      a: [identity]
      b: identity
      c: []"""
    )


def test_end_points_are_said_where_they_are_not_the_rule() -> None:
    assert body(
        "[{identity, name: a, end_point: false}, {identity, name: b, end_point: true}]"
    ) == ("  - {identity, name: a, end_point: false}\n  - {identity, name: b}")
    assert body(
        "[{layers: [{identity, name: a, end_point: true}], name: g, end_point: false}]"
    ) == (
        "  - name: g\n    end_point: false\n    layers:\n"
        "      - {identity, name: a, end_point: true}"
    )


def test_a_pass_may_end_a_list_early() -> None:
    """The language cannot say it in another way than with one more layer."""
    network = compiled(f"{HEAD}stem: []\nbody: [{{{POOL}, name: a}}, identity]\nheads: {{H: []}}\n")
    end = network.body.nodes[0].output
    early = dataclasses.replace(network, body=dataclasses.replace(network.body, output=end))
    assert "- {identity, from: a}" in to_yaml(document(early))


def test_what_cannot_be_referred_to_is_an_error() -> None:
    network = compiled(f"{HEAD}stem: []\nbody: [identity, {{{POOL}, name: a}}]\nheads: {{H: []}}\n")
    first, last = network.body.nodes
    lost = dataclasses.replace(last, inputs=(dataclasses.replace(first.output, name="lost"),))
    body = dataclasses.replace(network.body, nodes=(first, lost), output=lost.output)
    with pytest.raises(ValueError, match="no reference can reach `lost`"):
        document(dataclasses.replace(network, body=body))


def test_a_layer_that_a_pass_made_another_read_gets_its_name() -> None:
    """And being named at the top it must say that it is no end point."""
    network = compiled(
        f"{HEAD}stem: []\nbody: [identity, {{{POOL}, name: a}}, {{{POOL}, name: b}}]\n"
        "heads: {H: []}\n"
    )
    first, a, b = network.body.nodes
    moved = dataclasses.replace(b, inputs=(first.output,))
    body = dataclasses.replace(network.body, nodes=(first, a, moved), output=moved.output)
    ends = tuple(e for e in network.end_points if e.node is not b)
    changed = dataclasses.replace(network, body=body, end_points=ends)
    text = to_yaml(document(changed))
    assert "- {identity, name: identity, end_point: false}" in text
    assert "    from: identity\n    name: b\n    end_point: false\n" in text


# Text

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=40)
ODD = st.text("aZ09 .,:;#-+_'\"\\{}[]&*!|>%@`$~?<=\n\t\x85\u2028é日x", max_size=12)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXTS | ODD
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["null", "~", "true", "False", "1e5", ".5", "0x3", "1x7", "no", "-", "- a"])
)  # fmt: skip
KEYS = (TEXTS | ODD | st.sampled_from(["null", "1", "a b"])).filter(lambda key: key != "<<")
VALUES = st.recursive(
    LEAVES,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(["a", "b", "layers"]), VALUES, min_size=1))
def test_any_value_is_written_so_that_it_reads_the_same(value: dict[str, Any]) -> None:
    assert plain(parse(to_yaml(value), "net.yaml")) == value


@settings(deadline=None)
@given(TEXTS | ODD)
def test_any_summary_survives(text: str) -> None:
    """Also one that is longer than a line."""
    network = dataclasses.replace(
        compiled(f"{HEAD}stem: []\nbody: []\nheads: {{H: []}}\n"),
        summary=" ".join(text.split()) * 4,
    )
    written = to_yaml(document(network))
    assert compiled(written).summary == network.summary

"""What each op gives: its shape, weights and multiply-adds, or its error.

Each case of cases/ops is a layer in the notation of specs, what enters it, and all that it gives.
`weights` are shapes by part and name, in order; all are trained but those of `fixed`.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import pytest
import yaml

from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError, WrongValue
from archcompiler.fields import (
    MAX_COUNT,
    KernelField,
    PaddingField,
    Shape,
    SizeField,
    check,
    shape_text,
    write,
)
from archcompiler.initializer import init_text
from archcompiler.ir import Fork, Network
from archcompiler.op import Op, ShapeError, Weight, read_attributes
from archcompiler.ops import BY_KEY, OPS
from archcompiler.ops.convolution import by_channel, is_depthwise
from archcompiler.ops.unit import NormField, Unit
from archcompiler.source import parse

CASES = Path(__file__).parent / "cases" / "ops"
TABLE = {
    f"{path.stem}-{n}": case
    for path in sorted(CASES.glob("*.yaml"))
    for n, case in enumerate(yaml.safe_load(path.read_text("utf-8")))
}


def shape(text: str) -> Shape:
    return tuple(map(int, text.split("x")))


def resolve(case: dict[str, Any], inputs: tuple[Shape, ...]) -> tuple[Op, dict[str, Any]]:
    """Return the op and what was written of it."""
    key, main = next(iter(case["layer"].items()))
    op = BY_KEY[key]
    attributes = {k: numbers(v) for k, v in case["layer"].items() if k != key}
    if op.main:
        attributes[op.main] = main
    written = read_attributes(op, attributes)
    return op.resolve(written, inputs), written


def numbers(value: Any) -> Any:
    """Read `1e-3` as a number, as specs do and PyYAML does not."""
    if isinstance(value, dict):
        return {k: numbers(v) for k, v in value.items()}
    return float(value) if isinstance(value, str) and value[:2] == "1e" else value


def name(weight: Weight) -> str:
    return f"{weight.part}/{weight.name}".removeprefix("/")


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_case(case: dict[str, Any]) -> None:
    inputs = tuple(map(shape, case.get("inputs") or [case["input"]]))
    if "error" in case:
        with pytest.raises(ShapeError) as caught:
            resolve(case, inputs)[0].infer(inputs)
        error = caught.value
        assert (error.code, error.message) == (case["error"], case["says"])
        assert error.field == case.get("field")
        assert error.hint == case.get("hint", error.hint)
        return
    op, written = resolve(case, inputs)
    output = op.infer(inputs)
    weights = op.weights(inputs)
    assert shape_text(output) == case["gives"]
    assert op.macs(inputs, output) == case.get("macs", 0)
    assert op.follows_size(inputs, written) is case.get("follows_size", False)
    found = [(name(w), shape_text(w.shape)) for w in weights]
    assert found == [(k, str(v)) for k, v in case.get("weights", {}).items()]
    assert [name(w) for w in weights if not w.trainable] == case.get("fixed", [])
    if "inits" in case:
        assert {name(w): init_text(w.init) for w in weights} == case["inits"]
    decays = {name(w): w.decay for w in weights if w.decay}
    assert decays == case.get("decays", {})


@pytest.mark.parametrize("op", OPS, ids=[op.key for op in OPS])
def test_examples_give_what_they_say(op: type[Op]) -> None:
    for example in op.examples:
        made = op.resolve(read_attributes(op, example.written), example.inputs)
        weights = made.weights(example.inputs)
        assert made.infer(example.inputs) == example.output
        assert sum(w.count for w in weights) == sum(prod(w.shape) for w in weights)
        assert sum(w.count for w in weights) == example.params
        assert made.macs(example.inputs, example.output) == example.macs


def test_every_op_has_cases() -> None:
    assert {next(iter(case["layer"])) for case in TABLE.values()} == set(BY_KEY)


NET = """
archc: 1
name: net
input: 4x4x3
stem: []
body:
  - {depthwise_conv: 3, padding: same, multiplier: 2, name: alone, bias: true}
  - {depthwise_conv: 3, padding: same, activation: relu, name: unit}
  - {separable_conv: 5, kernel: 3, padding: same, multiplier: 4, name: separable}
  - {conv: 5, kernel: 3, padding: same, name: full}
heads: {Logits: [flatten]}
"""
BY_CHANNEL = {
    "alone/kernel": (3, 3, 3, 2),
    "alone/bias": (6,),
    "unit/conv/kernel": (3, 3, 6, 1),
    "unit/conv/bias": (6,),
    "separable/depthwise/kernel": (3, 3, 6, 4),
    "separable/pointwise/kernel": (1, 1, 24, 5),
    "separable/pointwise/bias": (5,),
    "full/kernel": (3, 3, 5, 5),
    "full/bias": (5,),
}
"""A depthwise kernel is height x width x channels x multiplier, as TensorFlow stores it."""


def test_depthwise_kernels_by_channel() -> None:
    network = compiled(NET)
    tensors = {n.weight_name(w): (n, w) for n in network.walk() for w in n.weights}
    assert {key: by_channel(*pair) for key, pair in tensors.items()} == BY_CHANNEL
    depthwise = [key for key, pair in tensors.items() if is_depthwise(*pair)]
    assert depthwise == ["alone/kernel", "unit/conv/kernel", "separable/depthwise/kernel"]


NORM = {"layer_norm": {"epsilon": 1e-3}}


@pytest.mark.parametrize(
    ("key", "more", "single", "own", "last"),
    [
        ("conv", {}, True, "", ""),
        ("conv", {"activation": "relu"}, False, "conv", ""),
        ("conv", {"norm": NORM}, False, "conv", "norm"),
        ("conv", {"norm": NORM, "activation": "relu"}, False, "conv", ""),
        ("separable_conv", {}, False, "pointwise", "pointwise"),
        ("separable_conv", {"norm": NORM}, False, "pointwise", "norm"),
        ("separable_conv", {"activation": "relu"}, False, "pointwise", ""),
    ],
)
def test_parts_of_units(key: str, more: dict[str, Any], single: bool, own: str, last: str) -> None:
    written = {"filters": 2, "kernel": 1, "padding": "valid", **more}
    op = BY_KEY[key].resolve(read_attributes(BY_KEY[key], written), ((4, 4, 3),))
    assert isinstance(op, Unit)
    assert (op.single, op.own_part, op.last_part) == (single, own, last)
    assert op.bias is ("norm" not in more)


@pytest.mark.parametrize(
    ("kind", "written", "value", "plain"),
    [
        (SizeField, 3, (3, 3), 3),
        (SizeField, "1x7", (1, 7), "1x7"),
        (SizeField, (2, 5), (2, 5), "2x5"),
        (SizeField, MAX_COUNT, (MAX_COUNT, MAX_COUNT), MAX_COUNT),
        (KernelField, "map", "map", None),
        (KernelField, "3x1", (3, 1), None),
        (PaddingField, "same", "same", "same"),
        (PaddingField, "valid", "valid", "valid"),
        (PaddingField, 0, "valid", "valid"),
        (PaddingField, [0, 0, 0, 0], "valid", "valid"),
        (PaddingField, 2, (2, 2, 2, 2), 2),
        (PaddingField, "0x2", (0, 0, 2, 2), "0x2"),
        (PaddingField, [0, 1, 0, 2], (0, 1, 0, 2), [0, 1, 0, 2]),
        (PaddingField, [1, 2, 2, 1], (1, 2, 2, 1), [1, 2, 2, 1]),
        (PaddingField, [1, 2, 1, 2], (1, 2, 1, 2), [1, 2, 1, 2]),
        (PaddingField, (1, 1, 2, MAX_COUNT), (1, 1, 2, MAX_COUNT), [1, 1, 2, MAX_COUNT]),
        (NormField, "none", None, "none"),
        (NormField, None, None, None),
    ],
)
def test_what_may_be_written(kind: Any, written: object, value: object, plain: object) -> None:
    if written is not None:
        assert check(kind, written) == value
    if plain is not None:
        assert write(kind, value) == plain


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        *((SizeField, v) for v in (0, -1, True, 1.5, "map", "3", "1x", "0x3", "3x0", (0, 3))),
        *((SizeField, v) for v in ([1, 2], " 3x4", "3x 4", "+3x4", "1_0x4", "3x4x5", "3x4\n")),
        *((SizeField, v) for v in ((3,), (1, 2, 3), MAX_COUNT + 1, f"3x{MAX_COUNT + 1}", None)),
        (KernelField, "maps"),
        *((PaddingField, v) for v in (-1, "1x-1", "full", None, [1], [1, 2], [1, 2, 3, -1])),
        *((PaddingField, v) for v in ([1, 2, 3], [1, 2, 3, True], [1.0, 2, 3, 4])),
        (PaddingField, [1, 2, 3, MAX_COUNT + 1]),
        *((NormField, v) for v in (1, "ones", [], {}, [1], ["batch_norm"], {"layer_norm": None})),
        *((NormField, v) for v in ({"layer_norm": 1}, {"conv": {}}, {"conv": 1}, True)),
        (NormField, {"layer_norm": {"epsilon": 1e-3}, "batch_norm": {}}),
    ],
)  # fmt: skip
def test_what_may_not_be_written(kind: Any, written: object) -> None:
    with pytest.raises(WrongValue):
        check(kind, written)


FORK = """
archc: 1
name: net
input: 4x4x4
params: {odd: 0.5}
stem: [{conv: $odd * 8, kernel: 1, padding: valid, name: c}]
body: [{branches: {a: [], b: []}, name: fork%s}]
heads: {Logits: [flatten]}
"""


def compiled(text: str) -> Network:
    return compile_node(parse(text, "net.yaml"), source="net.yaml").network


@pytest.mark.parametrize(
    ("split", "shares", "channels"),
    [("", None, 8), (", split: {a: 1, b: 3}", (1, 3), 4), (", split: {b: 1, a: 3}", (3, 1), 4)],
)
def test_shares_of_branches(split: str, shares: tuple[int, ...] | None, channels: int) -> None:
    fork = next(n for n in compiled(FORK % split).trunk if isinstance(n.op, Fork))
    assert isinstance(fork.op, Fork)
    assert fork.op.split == shares
    assert [g.input.channels for g in fork.graphs] == [*(shares or (4, 4))]
    assert fork.output.shape == (4, 4, channels)


@pytest.mark.parametrize(
    ("split", "code"),
    [
        ("{a: $odd, b: 2}", "E409"),
        ("{a: 2, b: $odd}", "E409"),
        ("{a: 2, b: 1}", "E408"),
        ("{a: 2, b: 3}", "E408"),
    ],
)
def test_no_shares_of_branches(split: str, code: str) -> None:
    with pytest.raises(ArchcError) as caught:
        compiled(FORK % f", split: {split}")
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_weights_up_to_the_limit() -> None:
    dense = "{dense: 1048576, bias: %s, name: big}"
    text = "archc: 1\nname: net\ninput: 1x1x1048576\nstem: []\nbody: []\n"
    text += f"heads: {{a: [squeeze, {dense}]}}"
    assert compiled(text % "false").totals().params == 2**40
    with pytest.raises(ArchcError, match="1,099,512,676,352 weights are more than"):
        compiled(text % "true")
    twice = "archc: 1\nname: net\ninput: 1x1x1048576\nstem: [squeeze]\n"
    layer = "{dense: 1048576, name: %s}"
    twice += f"body: [{layer % 'first'}]\nheads: {{a: [{layer % 'second'}]}}"
    with pytest.raises(ArchcError) as caught:
        compiled(twice)
    assert [row.label for d in caught.value.diagnostics for row in d.rows] == ["most in first"]

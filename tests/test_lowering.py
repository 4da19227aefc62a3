"""What the backends lower with alike."""

from __future__ import annotations

from typing import ClassVar

import pytest

from archcompiler.compiler import compile_node
from archcompiler.definition import Call
from archcompiler.errors import ArchcError
from archcompiler.ir import Network
from archcompiler.lowering import FileNames, UnitStyle, file_doc, short_size
from archcompiler.ops.batch_norm import BatchNorm
from archcompiler.ops.conv import Conv
from archcompiler.ops.dense import Dense
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.identity import Identity
from archcompiler.ops.layer_norm import LayerNorm
from archcompiler.ops.separable_conv import SeparableConv
from archcompiler.source import parse

NORM = BatchNorm(epsilon=1e-3, decay=0.9, gamma=True)
SPEC = """\
archc: 1
name: small
input: 4x6x3
{summary}
output: Logits
stem: []
body: [{{identity, name: same}}]
heads:
  Logits: [flatten, {{dense: 2, name: fc}}]
{aux}
"""
AUX = """\
  AuxLogits:
    {from: same, training_only: true, loss_weight: 0.5, layers: [flatten, {dense: 3, name: fc}]}
"""


def _network(summary: str = "", aux: str = "") -> Network:
    text = SPEC.format(summary=f"summary: {summary}" if summary else "", aux=aux)
    return compile_node(parse(text, "small.yaml"), source="small.yaml").network


class _Close(FileNames):
    separator: ClassVar[str] = ""


def test_a_name_is_taken_once_and_then_numbered() -> None:
    names = FileNames(taken={"conv", "conv_2"})
    assert [names.unused("conv"), names.unused("conv"), names.unused("pool")] == [
        "conv_3", "conv_4", "pool",
    ]  # fmt: skip
    assert names.taken == {"conv", "conv_2", "conv_3", "conv_4", "pool"}
    assert _Close(taken={"Conv"}).unused("Conv") == "Conv2"
    assert _Close(taken={"ConvRelu6"}).unused("ConvRelu6") == "ConvRelu6_2"


def test_helpers_stand_in_the_order_of_their_first_use() -> None:
    names = FileNames()
    assert [names.need(n) for n in ("Split", "GELU", "Split")] == ["Split", "GELU", "Split"]
    assert list(names.helpers) == ["Split", "GELU"]


def test_a_table_builds_what_it_has_and_refuses_the_rest() -> None:
    names = FileNames()
    same = next(n for n in _network().walk() if isinstance(n.op, Identity))
    assert names.look_up({Identity: lambda _, node: Call(node.name)}, same, "it") == Call("same")
    with pytest.raises(ArchcError, match="the Fortran backend has no `identity`: `same`"):
        names.look_up({}, same, "the Fortran backend")


@pytest.mark.parametrize(
    ("style", "parts", "title"),
    [
        (UnitStyle(Conv, False, NORM, "relu", False), "conv norm relu",
         "Convolution without bias, batch norm, ReLU"),
        (UnitStyle(Conv, True, None, None, False), "conv", "Convolution with bias"),
        (UnitStyle(Conv, False, None, "tanh", True), "padded conv unbiased tanh",
         "Convolution without bias, tanh"),
        (UnitStyle(Dense, True, NORM, "gelu", False), "dense bias norm gelu",
         "Dense layer with bias, batch norm, GELU"),
        (UnitStyle(SeparableConv, True, None, "relu", False), "separable conv relu",
         "Separable convolution with bias, ReLU"),
        (UnitStyle(DepthwiseConv, False, LayerNorm(epsilon=1e-6), None, False),
         "depthwise conv norm", "Depthwise convolution without bias, layer norm"),
    ],
)  # fmt: skip
def test_a_style_says_what_it_does(style: UnitStyle, parts: str, title: str) -> None:
    assert " ".join(style.parts).replace("_", " ") == parts
    assert style.title == title


def test_a_size_is_one_number_where_both_are_the_same() -> None:
    assert (short_size((3, 3)), short_size((1, 3))) == (3, (1, 3))


def test_the_docstring_counts() -> None:
    assert file_doc(_network(), "Images enter.") == (
        "small, built by archc.",
        "",
        "Images enter. 146 parameters and norm statistics; evaluation takes 144 MACs an image.",
    )
    first, _, *rest = file_doc(_network("A net.", AUX), "Images enter.")
    assert first == "A net."
    assert " ".join(rest) == (
        "Images enter. 365 parameters and norm statistics, 146 without the training heads; "
        "evaluation takes 144 MACs an image."
    )

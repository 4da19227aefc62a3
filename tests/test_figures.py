"""The size of shipped networks is that of the implementations that they follow.

Weights with norm statistics, those that are trained, and multiply-adds of convolutions and dense
layers were counted on the other implementations themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from archcompiler.compiler import compile_file
from archcompiler.ir import Network, Totals
from archcompiler.ops.conv import Conv
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.separable_conv import SeparableConv
from archcompiler.ops.unit import Unit
from archcompiler.overrides import parse_assignment

SPECS = Path(__file__).parents[1] / "specs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was counted; `giga` are multiply-adds in units of 10^9.

    A separable convolution counts as one.
    """

    params: int
    trainable: int
    giga: str
    convolutions: int
    norms: int


CASES = {
    # TF-slim's inception_v1, without a training head
    ("inception_v1", 1000, True): Figures(
        params=6_632_184, trainable=6_617_624, giga="1.4984", convolutions=58, norms=57
    ),
    # TF-slim's inception_v2
    ("inception_v2", 1000, True): Figures(
        params=11_198_112, trainable=11_178_336, giga="1.9349", convolutions=70, norms=68
    ),
    # pretrainedmodels' BNInception
    ("bn_inception", 1000, True): Figures(
        params=11_315_272, trainable=11_295_240, giga="2.0326", convolutions=69, norms=69
    ),
    # TF-slim's inception_v4, with its training head and 1001 classes
    ("inception_v4", 1001, False): Figures(
        params=46_074_066, trainable=46_009_106, giga="12.2605", convolutions=151, norms=151
    ),
    ("inception_v4", 1001, True): Figures(
        params=46_074_066 - 3_361_129, trainable=42_649_769, giga="12.2540", convolutions=149,
        norms=149,
    ),
    # keras.applications' InceptionResNetV2, which has no training head
    ("inception_resnet_v2", 1000, True): Figures(
        params=55_873_736, trainable=55_813_192, giga="13.1558", convolutions=244, norms=204
    ),
    # facenet-pytorch's InceptionResnetV1, without the 14,800 gammas that it has beside
    ("inception_resnet_v1", 10, True): Figures(
        params=23_487_754 + 14_800, trainable=23_487_754 - 14_800, giga="1.4177",
        convolutions=132, norms=112,
    ),
    # torchvision's GoogLeNet, with its two training heads
    ("googlenet_torchvision", 1000, False): Figures(
        params=13_019_960, trainable=13_004_888, giga="1.5067", convolutions=59, norms=59
    ),
    ("googlenet_torchvision", 1000, True): Figures(
        params=13_019_960 - 6_380_496, trainable=6_624_904, giga="1.4984", convolutions=57,
        norms=57,
    ),
    # keras.applications' Xception
    ("xception", 1000, True): Figures(
        params=22_910_480, trainable=22_855_952, giga="8.3574", convolutions=40, norms=40
    ),
    # timm's inception_next_tiny
    ("inception_next_tiny", 1000, True): Figures(
        params=28_070_464, trainable=28_055_680, giga="4.1886", convolutions=94, norms=1
    ),
}  # fmt: skip


def count(network: Network, inference: bool) -> Figures:
    totals: Totals = network.totals(inference=inference)
    units = [n.op for n in network.walk(inference=inference) if isinstance(n.op, Unit)]
    return Figures(
        params=totals.params,
        trainable=totals.trainable,
        giga=f"{totals.macs / 1e9:.4f}",
        convolutions=sum(isinstance(op, (Conv, DepthwiseConv, SeparableConv)) for op in units),
        norms=sum(op.norm is not None for op in units),
    )


@pytest.mark.parametrize(("name", "classes", "inference"), CASES)
def test_figures_are_those_of_the_source(name: str, classes: int, inference: bool) -> None:
    network = compile_file(
        SPECS / f"{name}.yaml", [parse_assignment(f"num_classes={classes}")]
    ).network
    assert count(network, inference) == CASES[name, classes, inference]


def test_shipped_specs_are_short() -> None:
    lines = {p.stem: p.read_text("utf-8").splitlines() for p in SPECS.glob("*.yaml")}
    assert max(map(len, lines.values())) <= 165
    assert len(lines["inception_v4"]) <= 150
    assert max(len(line) for text in lines.values() for line in text) <= 100

"""Depthwise convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Count, Shape
from archcompiler.op import Example
from archcompiler.ops.sliding import NORM, Sliding


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv(Sliding):
    """y[i, j, c * multiplier + m] = bias[c, m] + sum of kernel * x over the window in channel c.

    Then the norm, then the activation. It is a `conv` with a group for each channel, and its kernel
    has that one's axes: h x w x 1 x channels * multiplier. MACs: height * width of the output times
    the kernel's size.
    """

    key: ClassVar[str] = "depthwise_conv"
    part: ClassVar[str] = "conv"

    multiplier: Count = 1

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            inputs=((5, 5, 3),),
            written={"kernel": 3, "padding": "same"},
            output=(5, 5, 3),
            params=30,
            macs=675,
        ),
        Example(
            inputs=((8, 8, 2),),
            written={"kernel": "3x2", "stride": 2, "padding": "same", "multiplier": 3},
            output=(4, 4, 6),
            params=42,
            macs=576,
        ),
        Example(
            inputs=((6, 6, 2),),
            written={"kernel": 2, "stride": 3, "padding": "valid", "bias": False},
            output=(2, 2, 2),
            params=8,
            macs=32,
        ),
        Example(
            inputs=((6, 5, 4),),
            written={"kernel": 3, "padding": [0, 1, 2, 1], "activation": "relu"},
            output=(5, 6, 4),
            params=40,
            macs=1080,
        ),
        Example(
            inputs=((9, 7, 3),),
            written={"kernel": "1x5", "padding": "0x2", "norm": NORM, "activation": "gelu"},
            output=(9, 7, 3),
            params=27,
            macs=945,
        ),
        Example(
            inputs=((9, 9, 2),),
            written={"kernel": 3, "padding": "same", "dilation": 2, "norm": NORM, "bias": True},
            output=(9, 9, 2),
            params=28,
            macs=1458,
        ),
        Example(
            inputs=((9, 8, 2),),
            written={"kernel": 3, "padding": "valid", "dilation": "2x3", "multiplier": 2},
            output=(5, 2, 4),
            params=40,
            macs=360,
        ),
        Example(
            inputs=((7, 7, 2),),
            written={
                "kernel": 3, "padding": 1, "stride": 2, "multiplier": 2, "activation": "softmax",
                "norm": {"batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False}},
            },
            output=(4, 4, 4),
            params=48,
            macs=576,
        ),
        Example(
            inputs=((4, 6, 3),),
            written={"kernel": "map", "padding": "valid", "activation": "silu"},
            output=(1, 1, 3),
            params=75,
            macs=72,
        ),
        Example(
            inputs=((3, 8, 1),),
            written={"kernel": 5, "padding": "valid", "shrink": True},
            output=(1, 4, 1),
            params=16,
            macs=60,
        ),
        Example(
            inputs=((1, 1, 4),),
            written={
                "kernel": 3, "padding": "same",
                "norm": {
                    "batch_norm": {"epsilon": 1e-5, "decay": 0.5, "gamma": True, "beta": False}
                },
            },
            output=(1, 1, 4),
            params=48,
            macs=36,
        ),
        Example(
            inputs=((6, 4, 3),),
            written={
                "kernel": 1, "padding": "valid", "stride": 2,
                "norm": {
                    "batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False, "beta": False}
                },
            },
            output=(3, 2, 3),
            params=9,
            macs=18,
        ),
        Example(
            inputs=((6, 5, 1),),
            written={"kernel": 4, "padding": "same", "multiplier": 5, "activation": "sigmoid"},
            output=(6, 5, 5),
            params=85,
            macs=2400,
        ),
        Example(
            inputs=((7, 6, 2),),
            written={"kernel": 2, "padding": [1, 0, 0, 1], "dilation": 2, "norm": NORM},
            output=(6, 5, 2),
            params=16,
            macs=240,
        ),
        Example(
            inputs=((6, 8, 2),),
            written={"kernel": 3, "padding": 1, "dilation": 2, "multiplier": 2, "norm": NORM},
            output=(4, 6, 4),
            params=52,
            macs=864,
        ),
    )  # fmt: skip

    @override
    def kernel_shape(self, channels: int) -> Shape:
        return (*self.kernel, 1, self.outputs(channels))

    @override
    def outputs(self, channels: int) -> int:
        return channels * self.multiplier

    @override
    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        height, width = self.kernel
        return output[0] * output[1] * height * width * output[2]

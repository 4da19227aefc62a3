"""Depthwise separable convolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from archcompiler.fields import Count, Shape
from archcompiler.op import Example, Weight
from archcompiler.ops.sliding import NORM, WINDOW_AND_WIDTH, Sliding


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparableConv(Sliding):
    """A depthwise convolution, then a 1x1 convolution with bias: nothing stands between the two.

    Then the norm, then the activation. Window, stride, padding, dilation and `multiplier` are the
    depthwise one's, `filters` the other's. Both kernels start by `init` and decay by
    `weight_decay`, as in slim and Keras. MACs: those of the two. Chollet, arXiv 1610.02357; with a
    multiplier, the first layer of slim's Inception V2.
    """

    key: ClassVar[str] = "separable_conv"
    main: ClassVar[str | None] = "filters"
    part: ClassVar[str] = "pointwise"
    depthwise_part: ClassVar[str] = "depthwise"
    written_only: ClassVar[Mapping[str, Any]] = WINDOW_AND_WIDTH

    filters: Count
    multiplier: Count = 1

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            inputs=((5, 5, 3),),
            written={"filters": 4, "kernel": 3, "padding": "same"},
            output=(5, 5, 4),
            params=43,
            macs=975,
        ),
        Example(
            inputs=((8, 8, 3),),
            written={
                "filters": 4, "kernel": 7, "stride": 2, "padding": "same", "multiplier": 8,
                "activation": "relu",
            },
            output=(4, 4, 4),
            params=1276,
            macs=20352,
        ),
        Example(
            inputs=((7, 8, 2),),
            written={"filters": 3, "kernel": "3x2", "padding": "same", "bias": False, "norm": NORM},
            output=(7, 8, 3),
            params=30,
            macs=1008,
        ),
        Example(
            inputs=((6, 6, 2),),
            written={"filters": 3, "kernel": 2, "stride": 3, "padding": "valid", "bias": False},
            output=(2, 2, 3),
            params=14,
            macs=56,
        ),
        Example(
            inputs=((6, 5, 4),),
            written={
                "filters": 2, "kernel": 3, "padding": [0, 1, 2, 1], "norm": NORM,
                "activation": "gelu",
            },
            output=(5, 6, 2),
            params=52,
            macs=1320,
        ),
        Example(
            inputs=((9, 9, 2),),
            written={
                "filters": 2, "kernel": 3, "padding": "same", "dilation": 2, "bias": True,
                "norm": {"batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False}},
            },
            output=(9, 9, 2),
            params=30,
            macs=1782,
        ),
        Example(
            inputs=((9, 8, 2),),
            written={
                "filters": 3, "kernel": 3, "padding": "valid", "dilation": "2x3", "multiplier": 2,
                "norm": {
                    "batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": True, "beta": False}
                },
            },
            output=(5, 2, 3),
            params=57,
            macs=480,
        ),
        Example(
            inputs=((4, 6, 3),),
            written={"filters": 1, "kernel": "map", "padding": "valid", "activation": "tanh"},
            output=(1, 1, 1),
            params=76,
            macs=75,
        ),
        Example(
            inputs=((3, 8, 1),),
            written={
                "filters": 2, "kernel": 5, "padding": "valid", "shrink": True, "multiplier": 3
            },
            output=(1, 4, 2),
            params=53,
            macs=204,
        ),
        Example(
            inputs=((1, 1, 4),),
            written={
                "filters": 8, "kernel": 3, "padding": 1,
                "width": {"multiplier": 0.3, "minimum": 2},
                "norm": {
                    "batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False, "beta": False}
                },
            },
            output=(1, 1, 2),
            params=48,
            macs=44,
        ),
        Example(
            inputs=((6, 5, 2),),
            written={
                "filters": 3, "kernel": 4, "padding": "same", "multiplier": 3,
                "activation": "softmax",
            },
            output=(6, 5, 3),
            params=117,
            macs=3420,
        ),
        Example(
            inputs=((7, 7, 2),),
            written={"filters": 3, "kernel": 1, "stride": 2, "padding": "valid", "norm": NORM},
            output=(4, 4, 3),
            params=20,
            macs=128,
        ),
        Example(
            inputs=((7, 9, 2),),
            written={"filters": 3, "kernel": "1x5", "padding": "0x2", "activation": "silu"},
            output=(7, 9, 3),
            params=19,
            macs=1008,
        ),
        Example(
            inputs=((7, 6, 2),),
            written={"filters": 2, "kernel": 2, "padding": [1, 0, 0, 1], "dilation": 2},
            output=(6, 5, 2),
            params=14,
            macs=360,
        ),
        Example(
            inputs=((6, 8, 2),),
            written={"filters": 3, "kernel": 3, "padding": 1, "dilation": 2, "multiplier": 2},
            output=(4, 6, 3),
            params=51,
            macs=1152,
        ),
    )  # fmt: skip

    @property
    @override
    def single(self) -> bool:
        return False

    @override
    def kernels(self, channels: int) -> tuple[Weight, ...]:
        shape = (*self.kernel, 1, channels * self.multiplier)
        return (
            self.kernel_weight(shape, self.depthwise_part),
            self.kernel_weight(self.kernel_shape(channels), self.part),
        )

    @override
    def kernel_shape(self, channels: int) -> Shape:
        return (1, 1, channels * self.multiplier, self.filters)

    @override
    def outputs(self, channels: int) -> int:
        return self.filters

    @override
    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        height, width = self.kernel
        between = inputs[0][-1] * self.multiplier
        return output[0] * output[1] * between * (height * width + self.filters)

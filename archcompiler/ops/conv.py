"""Convolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from archcompiler.fields import Count, Shape
from archcompiler.op import Example, ShapeError
from archcompiler.ops.sliding import NORM, WINDOW_AND_WIDTH, Sliding


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(Sliding):
    """y[i, j, f] = bias[f] + sum of kernel * x over the window and its channels.

    Then the norm, then the activation. A cross-correlation, as in every framework. With `groups` g,
    an output channel sees the input channels of its group only: the kernel is h x w x in / g x
    filters. MACs: height * width of the output times the kernel's size.
    """

    key: ClassVar[str] = "conv"
    main: ClassVar[str | None] = "filters"
    part: ClassVar[str] = "conv"
    written_only: ClassVar[Mapping[str, Any]] = WINDOW_AND_WIDTH

    filters: Count
    groups: Count = 1

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            inputs=((5, 4, 3),),
            written={"filters": 8, "kernel": 3, "padding": "same"},
            output=(5, 4, 8),
            params=224,
            macs=4320,
        ),
        Example(
            inputs=((7, 8, 2),),
            written={"filters": 4, "kernel": "3x2", "stride": 2, "padding": "same", "bias": False},
            output=(4, 4, 4),
            params=48,
            macs=768,
        ),
        Example(
            inputs=((6, 6, 2),),
            written={"filters": 3, "kernel": 2, "stride": 3, "padding": "valid"},
            output=(2, 2, 3),
            params=27,
            macs=96,
        ),
        Example(
            inputs=((6, 5, 4),),
            written={"filters": 6, "kernel": 3, "padding": [0, 1, 2, 1], "groups": 2},
            output=(5, 6, 6),
            params=114,
            macs=3240,
        ),
        Example(
            inputs=((9, 9, 2),),
            written={
                "filters": 2, "kernel": 3, "padding": "same", "dilation": 2,
                "norm": NORM,
                "activation": "relu",
            },
            output=(9, 9, 2),
            params=44,
            macs=2916,
        ),
        Example(
            inputs=((4, 6, 3),),
            written={"filters": 5, "kernel": "map", "padding": "valid", "activation": "gelu"},
            output=(1, 1, 5),
            params=365,
            macs=360,
        ),
        Example(
            inputs=((3, 8, 1),),
            written={"filters": 2, "kernel": 5, "padding": "valid", "shrink": True},
            output=(1, 4, 2),
            params=32,
            macs=120,
        ),
        Example(
            inputs=((1, 1, 4),),
            written={
                "filters": 8, "kernel": 1, "padding": "valid",
                "width": {"multiplier": 0.3, "minimum": 2},
            },
            output=(1, 1, 2),
            params=10,
            macs=8,
        ),
        Example(
            inputs=((6, 5, 2),),
            written={"filters": 3, "kernel": 4, "padding": "same"},
            output=(6, 5, 3),
            params=99,
            macs=2880,
        ),
        Example(
            inputs=((8, 8, 2),),
            written={"filters": 3, "kernel": 3, "stride": 2, "padding": 1},
            output=(4, 4, 3),
            params=57,
            macs=864,
        ),
        Example(
            inputs=((7, 6, 3),),
            written={
                "filters": 6, "kernel": "3x5", "stride": "2x1", "padding": "1x2", "groups": 3,
                "activation": "silu",
            },
            output=(4, 6, 6),
            params=96,
            macs=2160,
        ),
        Example(
            inputs=((9, 7, 2),),
            written={"filters": 2, "kernel": 3, "padding": [2, 1, 0, 1], "dilation": "3x2"},
            output=(6, 4, 2),
            params=38,
            macs=864,
        ),
        Example(
            inputs=((1, 1, 3),),
            written={
                "filters": 4, "kernel": 3, "padding": "same", "bias": True,
                "norm": {"batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False}},
                "activation": "relu6",
            },
            output=(1, 1, 4),
            params=124,
            macs=108,
        ),
        Example(
            inputs=((7, 8, 2),),
            written={
                "filters": 3, "kernel": 1, "stride": 3, "padding": "same",
                "norm": {
                    "batch_norm": {"epsilon": 1e-5, "decay": 0.5, "gamma": True, "beta": False}
                },
            },
            output=(3, 3, 3),
            params=15,
            macs=54,
        ),
        Example(
            inputs=((8, 6, 4),),
            written={
                "filters": 6, "kernel": 3, "stride": "2x1", "padding": "same", "groups": 2,
                "norm": {
                    "batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False, "beta": False}
                },
            },
            output=(4, 6, 6),
            params=120,
            macs=2592,
        ),
        Example(
            inputs=((5, 7, 2),),
            written={
                "filters": 3, "kernel": 2, "padding": "valid", "dilation": 2,
                "activation": "softmax",
            },
            output=(3, 5, 3),
            params=27,
            macs=360,
        ),
        Example(
            inputs=((6, 4, 2),),
            written={"filters": 1, "kernel": 3, "padding": 1, "dilation": 2},
            output=(4, 2, 1),
            params=19,
            macs=144,
        ),
        Example(
            inputs=((5, 5, 2),),
            written={
                "filters": 3, "kernel": 2, "padding": [1, 0, 0, 1],
                "norm": NORM,
                "activation": "tanh",
            },
            output=(5, 5, 3),
            params=36,
            macs=600,
        ),
    )  # fmt: skip

    @override
    def check_channels(self, channels: int) -> None:
        for name, count in (("channels", channels), ("filters", self.filters)):
            if count % self.groups:
                raise ShapeError(
                    "E407", f"{self.groups} groups do not divide {count} {name}", field="groups"
                )

    @override
    def kernel_shape(self, channels: int) -> Shape:
        return (*self.kernel, channels // self.groups, self.filters)

    @override
    def outputs(self, channels: int) -> int:
        return self.filters

    @override
    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        height, width = self.kernel
        channels = inputs[0][-1] // self.groups
        return output[0] * output[1] * height * width * channels * self.filters

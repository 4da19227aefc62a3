"""Average pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archcompiler.fields import Flag
from archcompiler.op import Example
from archcompiler.ops.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class AvgPool(Pool):
    """The mean of each window.

    The divisor is the number of pixels of the image in the window; with `count_include_pad` padded
    pixels count too. What ceil mode reaches over beyond the padding never counts.
    """

    key: ClassVar[str] = "avg_pool"
    count_include_pad: Flag = False

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            inputs=((6, 5, 2),),
            written={"kernel": 3, "stride": 1, "padding": "same"},
            output=(6, 5, 2),
        ),
        Example(
            inputs=((8, 8, 1),),
            written={"kernel": 3, "stride": 2, "padding": "same"},
            output=(4, 4, 1),
        ),
        Example(
            inputs=((6, 6, 2),),
            written={"kernel": 3, "stride": 1, "padding": 1, "count_include_pad": True},
            output=(6, 6, 2),
        ),
        Example(
            inputs=((8, 7, 1),),
            written={
                "kernel": 3, "stride": 2, "padding": 1, "ceil_mode": True,
                "count_include_pad": True,
            },
            output=(5, 4, 1),
        ),
        Example(
            inputs=((6, 6, 1),),
            written={
                "kernel": 3, "stride": 2, "padding": [0, 1, 0, 1], "count_include_pad": True,
            },
            output=(3, 3, 1),
        ),
        Example(
            inputs=((4, 4, 3),),
            written={"kernel": 8, "stride": 2, "padding": "valid", "shrink": True},
            output=(1, 1, 3),
        ),
        Example(
            inputs=((7, 6, 2),),
            written={"kernel": 2, "stride": 2, "padding": "valid"},
            output=(3, 3, 2),
        ),
        Example(
            inputs=((8, 7, 1),),
            written={"kernel": 3, "stride": 2, "padding": "valid", "ceil_mode": True},
            output=(4, 3, 1),
        ),
        Example(
            inputs=((8, 7, 2),),
            written={"kernel": 3, "stride": 2, "padding": 1, "ceil_mode": True},
            output=(5, 4, 2),
        ),
        Example(
            inputs=((6, 7, 1),),
            written={
                "kernel": 3, "stride": 2, "padding": "same", "count_include_pad": True,
            },
            output=(3, 4, 1),
        ),
        Example(
            inputs=((7, 8, 1),),
            written={
                "kernel": 2, "stride": 3, "padding": [1, 0, 0, 1], "ceil_mode": True,
            },
            output=(3, 3, 1),
        ),
        Example(
            inputs=((6, 6, 1),),
            written={"kernel": "1x4", "stride": 1, "padding": "0x2"},
            output=(6, 7, 1),
        ),
        Example(
            inputs=((3, 5, 2),),
            written={"kernel": "map", "stride": 1, "padding": "valid"},
            output=(1, 1, 2),
        ),
        Example(
            inputs=((1, 1, 2),),
            written={"kernel": 3, "stride": 2, "padding": "same"},
            output=(1, 1, 2),
        ),
        Example(
            inputs=((7, 6, 1),),
            written={"kernel": 1, "stride": "2x3", "padding": "valid"},
            output=(4, 2, 1),
        ),
        Example(
            inputs=((4, 5, 1),),
            written={"kernel": 3, "stride": 1, "padding": 2},
            output=(6, 7, 1),
        ),
        Example(
            inputs=((6, 7, 2),),
            written={
                "kernel": 3, "stride": 2, "padding": [2, 0, 1, 0], "ceil_mode": True,
                "count_include_pad": True,
            },
            output=(4, 4, 2),
        ),
        Example(
            inputs=((7, 6, 1),),
            written={
                "kernel": "3x2", "stride": 2, "padding": [1, 0, 0, 1], "ceil_mode": True,
            },
            output=(4, 3, 1),
        ),
    )  # fmt: skip

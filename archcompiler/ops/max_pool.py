"""Max pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from archcompiler.op import Example
from archcompiler.ops.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool(Pool):
    """The largest value of each window; padding counts as minus infinity."""

    key: ClassVar[str] = "max_pool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            inputs=((7, 6, 2),),
            written={"kernel": 3, "stride": 2, "padding": "same"},
            output=(4, 3, 2),
        ),
        Example(
            inputs=((8, 7, 2),),
            written={"kernel": 3, "stride": 2, "padding": "valid", "ceil_mode": True},
            output=(4, 3, 2),
        ),
        Example(
            inputs=((6, 6, 1),),
            written={"kernel": 3, "stride": 1, "padding": 1},
            output=(6, 6, 1),
        ),
        Example(
            inputs=((5, 5, 1),),
            written={"kernel": 2, "stride": 3, "padding": [0, 1, 1, 0], "ceil_mode": True},
            output=(2, 2, 1),
        ),
        Example(
            inputs=((4, 3, 2),),
            written={"kernel": "map", "stride": 1, "padding": "valid"},
            output=(1, 1, 2),
        ),
        Example(
            inputs=((6, 7, 2),),
            written={"kernel": 2, "stride": 2, "padding": "valid"},
            output=(3, 3, 2),
        ),
        Example(
            inputs=((6, 5, 1),),
            written={"kernel": 2, "stride": 1, "padding": "same"},
            output=(6, 5, 1),
        ),
        Example(
            inputs=((7, 8, 1),),
            written={"kernel": 1, "stride": 3, "padding": "valid", "ceil_mode": True},
            output=(3, 3, 1),
        ),
        Example(
            inputs=((6, 7, 2),),
            written={"kernel": "3x4", "stride": "2x3", "padding": "1x2", "ceil_mode": True},
            output=(4, 3, 2),
        ),
        Example(
            inputs=((5, 6, 2),),
            written={"kernel": 3, "stride": 2, "padding": [2, 1, 0, 2]},
            output=(3, 3, 2),
        ),
        Example(
            inputs=((1, 1, 3),),
            written={"kernel": 3, "stride": 2, "padding": "same"},
            output=(1, 1, 3),
        ),
        Example(
            inputs=((3, 9, 1),),
            written={"kernel": 5, "stride": 2, "padding": "valid", "shrink": True},
            output=(1, 3, 1),
        ),
        Example(
            inputs=((8, 6, 2),),
            written={"kernel": 3, "stride": 2, "padding": "same"},
            output=(4, 3, 2),
        ),
    )

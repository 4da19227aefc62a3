"""Global average pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Shape
from archcompiler.op import Example, Op, one_map


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalAvgPool(Op):
    """The mean of each channel over the whole map: height x width x channels to a vector.

    `avg_pool: map` keeps the 1x1 map instead.
    """

    key: ClassVar[str] = "global_avg_pool"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((5, 4, 3),), output=(3,)),
        Example(inputs=((1, 1, 4),), output=(4,)),
        Example(inputs=((4, 6, 2),), output=(2,)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return (one_map(self, inputs)[2],)

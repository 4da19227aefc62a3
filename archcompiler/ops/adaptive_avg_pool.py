"""Average pooling to a given size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Shape, SizeField
from archcompiler.op import Example, Op, one_map


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveAvgPool(Op):
    """The means of size x size windows that cover the map, whatever its height and width.

    Of n pixels and s windows, window i has those from floor(i * n / s) to before
    ceil((i + 1) * n / s): torch's rule. Windows may overlap, and may be larger by a pixel.
    """

    key: ClassVar[str] = "adaptive_avg_pool"
    main: ClassVar[str | None] = "size"

    size: SizeField

    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((14, 14, 2),), written={"size": 4}, output=(4, 4, 2)),
        Example(inputs=((8, 6, 3),), written={"size": "4x2"}, output=(4, 2, 3)),
        Example(inputs=((7, 5, 2),), written={"size": "3x4"}, output=(3, 4, 2)),
        Example(inputs=((5, 7, 1),), written={"size": 1}, output=(1, 1, 1)),
        Example(inputs=((3, 2, 2),), written={"size": "3x2"}, output=(3, 2, 2)),
        Example(inputs=((3, 4, 2),), written={"size": "5x7"}, output=(5, 7, 2)),
        Example(inputs=((1, 1, 3),), written={"size": 2}, output=(2, 2, 3)),
        Example(inputs=((9, 11, 2),), written={"size": "7x6"}, output=(7, 6, 2)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return (*self.size, one_map(self, inputs)[2])

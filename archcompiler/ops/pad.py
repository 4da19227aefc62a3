"""Zero padding as a layer of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import PaddingField, Shape
from archcompiler.op import Example, Op, ShapeError, one_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(Op):
    """Zeros around a map: `pad: 1`, `pad: 1x2`, or `pad: [top, bottom, left, right]`."""

    key: ClassVar[str] = "pad"
    main: ClassVar[str | None] = "amount"

    amount: PaddingField

    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((3, 2, 4),), written={"amount": [0, 1, 2, 3]}, output=(4, 7, 4)),
        Example(inputs=((3, 2, 1),), written={"amount": "1x2"}, output=(5, 6, 1)),
        Example(inputs=((2, 3, 2),), written={"amount": 1}, output=(4, 5, 2)),
        Example(inputs=((1, 1, 2),), written={"amount": [0, 1, 0, 2]}, output=(2, 3, 2)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = one_map(self, inputs)
        if isinstance(self.amount, str):
            raise ShapeError(
                "E409",
                "`pad` needs at least one pixel on some side",
                field="amount",
                hint="write `pad: 1`, `pad: 1x2` or `pad: [top, bottom, left, right]`",
            )
        top, bottom, left, right = self.amount
        return (top + height + bottom, left + width + right, channels)

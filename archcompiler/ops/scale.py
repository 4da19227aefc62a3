"""Multiplication by a constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Number, Shape
from archcompiler.op import Example, Op


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(Op):
    """y = factor * x; the residual scaling of Inception-ResNet (arXiv 1602.07261)."""

    key: ClassVar[str] = "scale"
    main: ClassVar[str | None] = "factor"

    factor: Number

    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((3, 2, 4),), written={"factor": 0.17}, output=(3, 2, 4)),
        Example(inputs=((5,),), written={"factor": -2.0}, output=(5,)),
        Example(inputs=((2, 2, 1),), written={"factor": 0.0}, output=(2, 2, 1)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]

"""Addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Shape
from archcompiler.op import Example, Op, ShapeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Op):
    """The sum of inputs of one shape; nothing is broadcast."""

    key: ClassVar[str] = "add"
    several_inputs: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((3, 2, 4), (3, 2, 4)), output=(3, 2, 4)),
        Example(inputs=((5,), (5,), (5,)), output=(5,)),
        Example(inputs=((1, 1, 3), (1, 1, 3), (1, 1, 3), (1, 1, 3)), output=(1, 1, 3)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        if len(set(inputs)) > 1:
            raise ShapeError("E403", "add needs equal shapes")
        return inputs[0]

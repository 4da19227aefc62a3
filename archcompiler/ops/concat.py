"""Concatenation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Shape
from archcompiler.op import Example, Op, ShapeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat(Op):
    """The inputs' channels one after the other, in the order of `from` or of the branches."""

    key: ClassVar[str] = "concat"
    several_inputs: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((3, 2, 4), (3, 2, 5), (3, 2, 1)), output=(3, 2, 10)),
        Example(inputs=((4,), (3,)), output=(7,)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        if len({shape[:-1] for shape in inputs}) > 1:
            raise ShapeError("E402", "concat needs equal height and width")
        return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))

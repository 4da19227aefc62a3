"""Nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Shape
from archcompiler.op import Example, Op


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Op):
    """y = x; gives a name to a value, or to an end point."""

    key: ClassVar[str] = "identity"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((3, 2, 4),), output=(3, 2, 4)),
        Example(inputs=((4,),), output=(4,)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]

"""Dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Shape, Share
from archcompiler.op import Example, Op


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout(Op):
    """In training, zero each value with probability `rate` and divide the others by 1 - rate.

    `rate` is what is dropped; slim's keep_prob is 1 - rate. Srivastava et al., 2014.
    """

    key: ClassVar[str] = "dropout"
    main: ClassVar[str | None] = "rate"

    rate: Share

    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((2, 2, 3),), written={"rate": 0.5}, output=(2, 2, 3)),
        Example(inputs=((4,),), written={"rate": 0.0}, output=(4,)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]

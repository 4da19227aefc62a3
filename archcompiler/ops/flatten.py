"""Map to vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from typing_extensions import override

from archcompiler.fields import Shape
from archcompiler.op import Example, Op, one_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten(Op):
    """A map as one vector, in the order height, width, channels in every backend."""

    key: ClassVar[str] = "flatten"
    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((2, 3, 4),), output=(24,)),
        Example(inputs=((1, 1, 5),), output=(5,)),
        Example(inputs=((1, 3, 2),), output=(6,)),
        Example(inputs=((2, 4, 3),), output=(24,)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return (prod(one_map(self, inputs)),)

    @override
    def follows_size(self, inputs: tuple[Shape, ...], written: Mapping[str, Any]) -> bool:
        return True

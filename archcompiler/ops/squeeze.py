"""1x1 map to vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from archcompiler.fields import Shape
from archcompiler.op import Example, Op, ShapeError, one_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Squeeze(Op):
    """A 1x1 map as its vector of channels; any other map is an error."""

    key: ClassVar[str] = "squeeze"
    examples: ClassVar[tuple[Example, ...]] = (Example(inputs=((1, 1, 5),), output=(5,)),)

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = one_map(self, inputs)
        if (height, width) != (1, 1):
            raise ShapeError(
                "E411",
                f"squeeze needs a 1x1 map, got {height}x{width}",
                hint="pool the whole map first: `avg_pool: map` or `global_avg_pool`",
            )
        return (channels,)

    @override
    def follows_size(self, inputs: tuple[Shape, ...], written: Mapping[str, Any]) -> bool:
        return True

"""Layer scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Number, Shape
from archcompiler.initializer import Init
from archcompiler.op import Example, Op, Weight, one_map


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerScale(Op):
    """y = gamma * x, with a learned gamma for each channel that starts at `initial`.

    Touvron and others, arXiv 2103.17239: at the end of a residual branch, small at first.
    """

    key: ClassVar[str] = "layer_scale"
    main: ClassVar[str | None] = "initial"

    initial: Number

    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((3, 2, 4),), written={"initial": 1e-6}, output=(3, 2, 4), params=4),
        Example(inputs=((5, 5, 1),), written={"initial": 1.0}, output=(5, 5, 1), params=1),
        Example(inputs=((2, 4, 3),), written={"initial": 0.17}, output=(2, 4, 3), params=3),
        Example(inputs=((1, 1, 5),), written={"initial": 0.0}, output=(1, 1, 5), params=5),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return one_map(self, inputs)

    @override
    def weights(self, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
        return (Weight(name="gamma", shape=(inputs[0][-1],), init=Init("constant", self.initial)),)

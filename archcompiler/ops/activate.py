"""Activation as a layer of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import ACTIVATIONS, ActivationField, Shape
from archcompiler.op import Example, Op


@dataclass(frozen=True, slots=True, kw_only=True)
class Activate(Op):
    """An elementwise function, or softmax over the channels. gelu is the exact one (with erf)."""

    key: ClassVar[str] = "activate"
    main: ClassVar[str | None] = "function"

    function: ActivationField

    examples: ClassVar[tuple[Example, ...]] = (
        *(
            Example(inputs=((3, 2, 4),), written={"function": name}, output=(3, 2, 4))
            for name in ACTIVATIONS
        ),
        *(Example(inputs=((7,),), written={"function": name}, output=(7,)) for name in ACTIVATIONS),
        Example(inputs=((3, 2, 4),), written={"function": "none"}, output=(3, 2, 4)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]

"""Layer normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Flag, Positive, Shape
from archcompiler.initializer import Init
from archcompiler.op import Example, Op, Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(Op):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, over the channels of each pixel.

    Mean and biased variance are those of the pixel's own channels, in training and in evaluation.
    Ba, Kiros and Hinton, arXiv 1607.06450; over channels alone as in ConvNeXt, arXiv 2201.03545.
    """

    key: ClassVar[str] = "layer_norm"
    epsilon: Positive
    gamma: Flag = True
    beta: Flag = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((5, 4, 3),), written={"epsilon": 1e-6}, output=(5, 4, 3), params=6),
        Example(
            inputs=((3, 2, 4),),
            written={"epsilon": 1e-3, "gamma": False},
            output=(3, 2, 4),
            params=4,
        ),
        Example(
            inputs=((1, 1, 6),),
            written={"epsilon": 1e-5, "beta": False},
            output=(1, 1, 6),
            params=6,
        ),
        Example(
            inputs=((2, 3, 5),),
            written={"epsilon": 0.1, "gamma": False, "beta": False},
            output=(2, 3, 5),
        ),
        Example(inputs=((7,),), written={"epsilon": 1e-6}, output=(7,), params=14),
        Example(inputs=((4,),), written={"epsilon": 1e-3, "gamma": False}, output=(4,), params=4),
        Example(inputs=((5,),), written={"epsilon": 1e-5, "beta": False}, output=(5,), params=5),
        Example(
            inputs=((6,),), written={"epsilon": 1e-3, "gamma": False, "beta": False}, output=(6,)
        ),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]

    @override
    def weights(self, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
        return self.tensors(inputs[0][-1])

    def tensors(self, channels: int, part: str = "") -> tuple[Weight, ...]:
        """Return gamma and beta where there are any."""
        shape = (channels,)
        scale = Weight(name="gamma", shape=shape, part=part, init=Init("ones"))
        shift = Weight(name="beta", shape=shape, part=part)
        return (*((scale,) if self.gamma else ()), *((shift,) if self.beta else ()))

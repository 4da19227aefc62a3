"""Fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Count, Shape, shape_text
from archcompiler.op import Example, ShapeError
from archcompiler.ops.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense(Unit):
    """y = x @ kernel + bias on a vector, then norm, then activation. MACs: in * units."""

    key: ClassVar[str] = "dense"
    main: ClassVar[str | None] = "units"
    part: ClassVar[str] = "dense"

    units: Count

    examples: ClassVar[tuple[Example, ...]] = (
        Example(inputs=((12,),), written={"units": 5}, output=(5,), params=65, macs=60),
        Example(
            inputs=((4,),),
            written={"units": 3, "bias": False, "activation": "relu"},
            output=(3,),
            params=12,
            macs=12,
        ),
        Example(
            inputs=((5,),),
            written={
                "units": 4, "activation": "tanh",
                "norm": {"batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": True}},
            },
            output=(4,),
            params=36,
            macs=20,
        ),
        Example(
            inputs=((3,),),
            written={
                "units": 4, "bias": True,
                "norm": {
                    "batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": True, "beta": False}
                },
            },
            output=(4,),
            params=28,
            macs=12,
        ),
        Example(
            inputs=((1,),),
            written={"units": 1, "activation": "sigmoid"},
            output=(1,),
            params=2,
            macs=1,
        ),
        Example(
            inputs=((4,),),
            written={
                "units": 5, "activation": "softmax",
                "norm": {"batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False}},
            },
            output=(5,),
            params=35,
            macs=20,
        ),
        Example(
            inputs=((3,),),
            written={
                "units": 2,
                "norm": {
                    "batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False, "beta": False}
                },
            },
            output=(2,),
            params=10,
            macs=6,
        ),
    )  # fmt: skip

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        shape = inputs[0]
        if len(shape) != 1:
            raise ShapeError(
                "E405",
                f"dense needs a vector, got a map of {shape_text(shape)}",
                hint="put `flatten`, `squeeze` or `global_avg_pool` before it",
            )
        return (self.units,)

    @override
    def kernel_shape(self, channels: int) -> Shape:
        return (channels, self.units)

    @override
    def outputs(self, channels: int) -> int:
        return self.units

    @override
    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return inputs[0][0] * self.units

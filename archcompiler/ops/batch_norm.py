"""Batch normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Flag, Positive, Shape, Share
from archcompiler.initializer import Init
from archcompiler.op import Example, Op, Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm(Op):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, per channel.

    Training uses the batch's mean and biased variance and moves the statistics by
    moving = decay * moving + (1 - decay) * batch; evaluation uses the moving statistics.
    Ioffe and Szegedy, arXiv 1502.03167. `decay` is the share that is kept (torch's momentum is
    1 - decay).
    """

    key: ClassVar[str] = "batch_norm"
    epsilon: Positive
    decay: Share
    gamma: Flag
    beta: Flag = True

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            inputs=((5, 4, 3),),
            written={"epsilon": 1e-3, "decay": 0.9, "gamma": True},
            output=(5, 4, 3),
            params=12,
        ),
        Example(
            inputs=((1, 1, 4),),
            written={"epsilon": 1e-5, "decay": 0.99, "gamma": False},
            output=(1, 1, 4),
            params=12,
        ),
        Example(
            inputs=((6,),),
            written={"epsilon": 1e-3, "decay": 0.99, "gamma": False, "beta": False},
            output=(6,),
            params=12,
        ),
        Example(
            inputs=((3, 3, 2),),
            written={"epsilon": 1e-3, "decay": 0.5, "gamma": True, "beta": False},
            output=(3, 3, 2),
            params=6,
        ),
        Example(
            inputs=((4,),),
            written={"epsilon": 1e-2, "decay": 0.0, "gamma": True},
            output=(4,),
            params=16,
        ),
        Example(
            inputs=((5,),),
            written={"epsilon": 1e-3, "decay": 0.9, "gamma": True, "beta": False},
            output=(5,),
            params=15,
        ),
        Example(
            inputs=((3, 2, 2),),
            written={"epsilon": 1e-4, "decay": 0.9, "gamma": False, "beta": False},
            output=(3, 2, 2),
            params=4,
        ),
        Example(
            inputs=((5,),),
            written={"epsilon": 1e-3, "decay": 0.9, "gamma": False},
            output=(5,),
            params=15,
        ),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        return inputs[0]

    @override
    def weights(self, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
        return self.tensors(inputs[0][-1])

    def tensors(self, channels: int, part: str = "") -> tuple[Weight, ...]:
        """Return gamma and beta where there are any, then the two statistics."""
        ones, shape = Init("ones"), (channels,)
        scale = (Weight(name="gamma", shape=shape, part=part, init=ones),) if self.gamma else ()
        shift = (Weight(name="beta", shape=shape, part=part),) if self.beta else ()
        return (
            *scale,
            *shift,
            Weight(name="moving_mean", shape=shape, part=part, trainable=False),
            Weight(name="moving_variance", shape=shape, part=part, trainable=False, init=ones),
        )

"""A fixed gain and offset for each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from archcompiler.fields import Numbers, Shape
from archcompiler.op import Example, Op, ShapeError, one_map


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAffine(Op):
    """y = gain * x + offset, per channel; one number holds for all channels. Nothing is learned.

    What torchvision's Inception does with images that were normed for other networks.
    """

    key: ClassVar[str] = "channel_affine"

    gain: Numbers
    offset: Numbers

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            inputs=((5, 4, 3),),
            written={"gain": [0.458, 0.448, 0.45], "offset": [-0.03, -0.088, -0.188]},
            output=(5, 4, 3),
        ),
        Example(inputs=((3, 3, 2),), written={"gain": 2, "offset": -1.0}, output=(3, 3, 2)),
        Example(inputs=((1, 1, 2),), written={"gain": 1.0, "offset": [0.1, 0]}, output=(1, 1, 2)),
        Example(
            inputs=((2, 4, 4),),
            written={"gain": [-0.17, 0, 1, 1e-3], "offset": 0.3},
            output=(2, 4, 4),
        ),
        Example(inputs=((4, 2, 1),), written={"gain": [0.3], "offset": [0.7]}, output=(4, 2, 1)),
    )

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        shape = one_map(self, inputs)
        for name in ("gain", "offset"):
            count = len(getattr(self, name))
            if count not in (1, shape[2]):
                raise ShapeError(
                    "E409",
                    f"`{name}` has {count} numbers for {shape[2]} channels",
                    field=name,
                    hint="write one number for each channel, or one for all",
                )
        return shape

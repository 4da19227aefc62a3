"""What the convolutions share: a unit whose kernel slides over a map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from archcompiler.fields import Flag, KernelField, PaddingField, Shape, SizeField, WidthField
from archcompiler.op import one_map
from archcompiler.ops.unit import Unit, settle_bias
from archcompiler.window import follows_size, output_size, resolve_kernel

WINDOW: Mapping[str, Any] = {"kernel": KernelField, "shrink": Flag}
WINDOW_AND_WIDTH = {**WINDOW, "width": WidthField}
"""What a spec may write: of any convolution, and of one that has `filters`."""

NORM = {"batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": True}}
"""The norm of most examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliding(Unit):
    """Base of the convolutions: a window, where it stands, and the size of what it gives."""

    main: ClassVar[str | None] = "kernel"
    written_only: ClassVar[Mapping[str, Any]] = WINDOW

    kernel: SizeField
    padding: PaddingField
    stride: SizeField = (1, 1)
    dilation: SizeField = (1, 1)

    @classmethod
    @override
    def settle(cls, written: dict[str, Any], inputs: tuple[Shape, ...]) -> None:
        settle_bias(written)
        resolve_kernel(written, inputs[0])
        width = written.pop("width", None)
        if width is not None:
            written["filters"] = width.scale(written["filters"])

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = one_map(self, inputs)
        self.check_channels(channels)
        size = output_size(
            (height, width), self.kernel, self.stride, self.padding, dilation=self.dilation
        )
        return (*size, self.outputs(channels))

    def check_channels(self, channels: int) -> None:
        """Raise `ShapeError` where the layer cannot take so many channels."""
        return

    @override
    def follows_size(self, inputs: tuple[Shape, ...], written: Mapping[str, Any]) -> bool:
        return follows_size(written, self.kernel, self.stride, self.padding)

"""What max_pool and avg_pool share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from archcompiler.fields import Flag, KernelField, PaddingField, Shape, SizeField
from archcompiler.op import Op, ShapeError, one_map
from archcompiler.window import follows_size, output_size, pads, resolve_kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Op):
    """A window that slides over each channel. Padding and stride must be said."""

    main: ClassVar[str | None] = "kernel"
    written_only: ClassVar[Mapping[str, Any]] = {"kernel": KernelField, "shrink": Flag}

    kernel: SizeField
    stride: SizeField
    padding: PaddingField
    ceil_mode: Flag = False

    @classmethod
    @override
    def settle(cls, written: dict[str, Any], inputs: tuple[Shape, ...]) -> None:
        resolve_kernel(written, inputs[0])

    @override
    def infer(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width, channels = one_map(self, inputs)
        if self.ceil_mode and self.padding == "same":
            raise ShapeError(
                "E412",
                "`padding: same` never leaves a rest for ceil_mode to round up",
                field="ceil_mode",
                hint="drop `ceil_mode`, or write the padding as a number",
            )
        around = pads((height, width), self.kernel, self.stride, self.padding)
        for side, pad in zip(("top", "bottom", "left", "right"), around, strict=True):
            extent = self.kernel[0 if side in ("top", "bottom") else 1]
            if pad >= extent:
                raise ShapeError(
                    "E412",
                    f"a padding of {pad} at the {side} holds a whole window of {extent}",
                    field="padding",
                    hint=f"pad at most {extent - 1}",
                )
        size = output_size(
            (height, width), self.kernel, self.stride, self.padding, ceil_mode=self.ceil_mode
        )
        return (*size, channels)

    @override
    def follows_size(self, inputs: tuple[Shape, ...], written: Mapping[str, Any]) -> bool:
        # What ceil mode's last windows reach over depends on the size, too.
        settled = follows_size(written, self.kernel, self.stride, self.padding)
        return settled or self.ceil_mode

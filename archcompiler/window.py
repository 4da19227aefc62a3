"""The arithmetic of sliding windows: padding, output size, kernels that follow the map.

Source of the rules: TensorFlow's `SAME` (the odd pixel goes bottom/right), Dumoulin and Visin,
arXiv 1603.07285 for the sizes, Caffe for ceil mode (the last window must start inside image + pad).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from archcompiler.fields import Pads, Shape, Size
from archcompiler.op import ShapeError

Padding = Literal["same", "valid"] | Pads


def pads(
    shape: Shape, kernel: Size, stride: Size, padding: Padding, dilation: Size = (1, 1)
) -> Pads:
    """Return the pixels of padding at top, bottom, left, right of a map of `shape`."""
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding != "same":
        return padding
    sides: list[int] = []
    for size, k, s, d in zip(shape, kernel, stride, dilation, strict=False):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        sides += [total // 2, total - total // 2]
    top, bottom, left, right = sides
    return top, bottom, left, right


def output_size(
    shape: Shape,
    kernel: Size,
    stride: Size,
    padding: Padding,
    *,
    dilation: Size = (1, 1),
    ceil_mode: bool = False,
) -> Size:
    """Return the output's height and width. Raises E404 when the kernel does not fit."""
    around = pads(shape, kernel, stride, padding, dilation)
    sizes = []
    for axis, name in enumerate(("high", "wide")):
        before, after = around[2 * axis], around[2 * axis + 1]
        extent = (kernel[axis] - 1) * dilation[axis] + 1
        room = shape[axis] + before + after - extent
        if room < 0:
            padded = f" with its padding of {before + after}" if before + after else ""
            dilated = "dilated " if dilation[axis] > 1 else ""
            # Shrinking fits the kernel to the map, but not what dilation makes of it.
            less = "kernel or dilation" if dilated else "kernel, `shrink: true`"
            raise ShapeError(
                "E404",
                f"the {dilated}kernel is {extent} {name} but the map only {shape[axis]}{padded}",
                field="kernel",
                hint=f"a smaller {less}, or a larger input",
            )
        steps = -(-room // stride[axis]) if ceil_mode else room // stride[axis]
        if ceil_mode and steps * stride[axis] >= shape[axis] + before:
            steps -= 1
        sizes.append(steps + 1)
    return sizes[0], sizes[1]


def overhang(shape: Shape, kernel: Size, stride: Size, padding: Padding, output: Shape) -> Pads:
    """Return the pads, grown at bottom and right by what ceil mode's last windows reach over."""
    top, bottom, left, right = pads(shape, kernel, stride, padding)
    below = (output[0] - 1) * stride[0] + kernel[0] - shape[0] - top
    beside = (output[1] - 1) * stride[1] + kernel[1] - shape[1] - left
    return top, max(bottom, below), left, max(right, beside)


def resolve_kernel(written: dict[str, Any], shape: Shape) -> None:
    """Turn `kernel: map` and `shrink: true` into a plain size, in place."""
    kernel = written["kernel"]
    shrink = written.pop("shrink", False)
    if len(shape) != 3:
        written["kernel"] = (1, 1) if kernel == "map" else kernel  # infer reports the vector
    elif kernel == "map":
        written["kernel"] = (shape[0], shape[1])
    elif shrink:
        written["kernel"] = (min(kernel[0], shape[0]), min(kernel[1], shape[1]))


def follows_size(written: Mapping[str, Any], kernel: Size, stride: Size, padding: Padding) -> bool:
    """Tell whether a kernel or a padding was settled by the size of the map."""
    if written.get("kernel") == "map" or written.get("shrink"):
        return True
    return padding == "same" and any(k > 1 and s > 1 for k, s in zip(kernel, stride, strict=True))

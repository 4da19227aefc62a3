"""What the ops with a sliding kernel are, for those who treat them alike."""

from __future__ import annotations

from archcompiler.ops.conv import Conv
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.separable_conv import SeparableConv

Convolution = Conv | DepthwiseConv | SeparableConv
"""Each has `kernel`, `stride`, `padding` and `dilation`."""

Depthwise = DepthwiseConv | SeparableConv
"""Each has a kernel that sees one channel at a time, and a `multiplier`."""

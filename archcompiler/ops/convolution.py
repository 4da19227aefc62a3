"""What the ops with a sliding kernel are, for those who treat them alike."""

from __future__ import annotations

from archcompiler.fields import Shape
from archcompiler.ir import Node
from archcompiler.op import Weight
from archcompiler.ops.conv import Conv
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.separable_conv import SeparableConv

Convolution = Conv | DepthwiseConv | SeparableConv
"""Each has `kernel`, `stride`, `padding` and `dilation`."""

Depthwise = DepthwiseConv | SeparableConv
"""Each has a kernel that sees one channel at a time, and a `multiplier`."""


def is_depthwise(node: Node, weight: Weight) -> bool:
    """Tell whether a weight is a kernel that sees one channel at a time."""
    alone = isinstance(node.op, DepthwiseConv) and weight.name == "kernel"
    return alone or weight.part == SeparableConv.depthwise_part


def by_channel(node: Node, weight: Weight) -> Shape:
    """Return a weight's shape where a depthwise kernel is h x w x channels x multiplier.

    So TensorFlow has them: the same numbers in the same order.
    """
    if not is_depthwise(node, weight):
        return weight.shape
    *window, _, outputs = weight.shape
    channels = node.inputs[0].channels
    return (*window, channels, outputs // channels)

"""All ops, in the order people meet them. To add one: one file, one line here."""

from __future__ import annotations

from archcompiler.op import Op
from archcompiler.ops.activate import Activate
from archcompiler.ops.adaptive_avg_pool import AdaptiveAvgPool
from archcompiler.ops.add import Add
from archcompiler.ops.avg_pool import AvgPool
from archcompiler.ops.batch_norm import BatchNorm
from archcompiler.ops.channel_affine import ChannelAffine
from archcompiler.ops.concat import Concat
from archcompiler.ops.conv import Conv
from archcompiler.ops.dense import Dense
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.dropout import Dropout
from archcompiler.ops.flatten import Flatten
from archcompiler.ops.global_avg_pool import GlobalAvgPool
from archcompiler.ops.identity import Identity
from archcompiler.ops.layer_norm import LayerNorm
from archcompiler.ops.layer_scale import LayerScale
from archcompiler.ops.lrn import Lrn
from archcompiler.ops.max_pool import MaxPool
from archcompiler.ops.pad import Pad
from archcompiler.ops.scale import Scale
from archcompiler.ops.separable_conv import SeparableConv
from archcompiler.ops.squeeze import Squeeze

OPS: tuple[type[Op], ...] = (
    Conv,
    DepthwiseConv,
    SeparableConv,
    Dense,
    MaxPool,
    AvgPool,
    GlobalAvgPool,
    AdaptiveAvgPool,
    BatchNorm,
    LayerNorm,
    Lrn,
    Activate,
    Dropout,
    Flatten,
    Squeeze,
    Concat,
    Add,
    Scale,
    LayerScale,
    ChannelAffine,
    Identity,
    Pad,
)

BY_KEY: dict[str, type[Op]] = {op.key: op for op in OPS}

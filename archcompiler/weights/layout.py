"""Axes: from a source's layout to the IR's, and back.

The IR has kernels as height x width x in x out, or in x out. PyTorch has out x in x height x width,
or out x in; where it flattens a map, the inputs run channels first. TensorFlow has depthwise
kernels as height x width x channels x multiplier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archcompiler.ops.convolution import by_channel
from archcompiler.weights.namemap import Layout
from archcompiler.weights.plan import Match

if TYPE_CHECKING:
    from archcompiler.emitted import Array


@dataclass(frozen=True, slots=True)
class Converted:
    """A tensor in other axes, and what was done to it beyond the layout's own order."""

    value: Array
    how: str | None = None


def to_ours(value: Array, match: Match, layout: Layout) -> Converted:
    """Bring a tensor of the source into the IR's axes, and its shape where that loses nothing.

    A tensor that does not fit is returned as far as it went; its shape then differs.
    """
    weight = match.weight
    if weight is None or weight.name != "kernel":
        return Converted(value)
    how = None
    if layout == "torch" and value.ndim in (2, 4):
        value = value.transpose((2, 3, 1, 0) if value.ndim == 4 else (1, 0))
        if match.flatten and value.ndim == 2:
            value, how = _channels_last(value, match.flatten), "rows: C, H, W to H, W, C"
    if layout == "tensorflow" and value.shape == by_channel(match.node, weight):
        value = value.reshape(weight.shape)
    if value.shape == weight.shape:
        return Converted(value, how)
    if _same_layer(value.shape, weight.shape, match):
        shape = (*weight.shape[:-1], value.shape[-1])  # one class more is for others to judge
        return Converted(value.reshape(shape), _step(value.ndim))
    return Converted(value)


def to_theirs(value: Array, match: Match, layout: Layout) -> Converted:
    """Bring a weight of the IR into the shape and axes that the source has; undoes `to_ours`."""
    weight = match.weight
    if weight is None or weight.name != "kernel":
        return Converted(value)
    how = None
    if match.dense and value.ndim == 4:
        value, how = value.reshape(-1, value.shape[-1]), _step(4)
    elif not match.dense and value.ndim == 2:
        value, how = value.reshape(1, 1, *value.shape), _step(2)
    if layout == "torch":
        if match.flatten and value.ndim == 2:
            value, how = _channels_first(value, match.flatten), "rows: H, W, C to C, H, W"
        value = value.transpose((3, 2, 0, 1) if value.ndim == 4 else (1, 0))
    elif value.shape == weight.shape:
        value = value.reshape(by_channel(match.node, weight))
    return Converted(value, how)


def _same_layer(theirs: tuple[int, ...], ours: tuple[int, ...], match: Match) -> bool:
    """Tell whether a dense kernel and a convolution's are the same numbers in the same order."""
    if {len(theirs), len(ours)} != {2, 4}:
        return False
    window = ours[:-1] if len(ours) == 4 else theirs[:-1]
    one_pixel = window[:2] == (1, 1) or window == match.flatten
    return one_pixel and math.prod(theirs[:-1]) == math.prod(ours[:-1])


def _step(rank: int) -> str:
    return "dense to convolution" if rank == 2 else "convolution to dense"


def _channels_last(value: Array, flat: tuple[int, ...]) -> Array:
    height, width, channels = flat
    if value.shape[0] != math.prod(flat):
        return value
    rows = value.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
    return rows.reshape(value.shape)


def _channels_first(value: Array, flat: tuple[int, ...]) -> Array:
    height, width, channels = flat
    if value.shape[0] != math.prod(flat):
        return value
    return value.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(value.shape)

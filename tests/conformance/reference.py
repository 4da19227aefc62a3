"""Every op in NumPy, one output pixel at a time, written from the ops' definitions alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from archcompiler.ir import Network, Node, Value

Array = np.ndarray
Weights = Mapping[str, Array]


def evaluate(
    network: Network, weights: Weights, images: Array, *, training: bool = False
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Run a network without containers; return its heads, and the batch statistics of norms.

    The statistics are by the IR's names: the batch's mean and its biased variance.
    """
    values: dict[Value, Array] = {network.input: images}
    moments: dict[str, Array] = {}
    for node in (*network.trunk, *(h.node for h in network.heads)):
        inputs = [values[v] for v in node.inputs]
        own = {w.name: weights[node.weight_name(w)] for w in node.weights}
        result = OPS[node.op.key](node, inputs, own)
        norm = node.op if node.op.key == "batch_norm" else getattr(node.op, "norm", None)
        if norm is not None:
            if training:
                axes = tuple(range(result.ndim - 1))
                mean = result.mean(axes)
                own["moving_mean"], own["moving_variance"] = mean, ((result - mean) ** 2).mean(axes)
                for weight in node.weights:
                    if not weight.trainable:
                        moments[node.weight_name(weight)] = own[weight.name]
            result = _normalised(result, norm, own)
        result = _activated(result, getattr(node.op, "activation", None))
        values[node.output] = result
    return {h.name: values[h.node.output] for h in network.heads}, moments


def _normalised(x: Array, norm: Any, own: Weights) -> Array:
    y = (x - own["moving_mean"]) / np.sqrt(own["moving_variance"] + norm.epsilon)
    return y * own.get("gamma", 1.0) + own.get("beta", 0.0)


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


ACTIVATIONS: dict[str | None, Callable[[Array], Array]] = {
    None: lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "relu6": lambda x: np.clip(x, 0.0, 6.0),
    "gelu": lambda x: x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0))),
    "silu": lambda x: x / (1.0 + np.exp(-x)),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "tanh": np.tanh,
    "softmax": _softmax,
}


def _activated(x: Array, function: str | None) -> Array:
    return ACTIVATIONS[function](x)


# Windows


def _padding(node: Node, axis: int) -> tuple[int, int]:
    """Return the pixels before and after; `same` gives ceil(size / stride) windows."""
    op, size = node.op, node.inputs[0].shape[axis]
    if op.padding == "valid":
        return 0, 0
    if op.padding != "same":
        return op.padding[2 * axis], op.padding[2 * axis + 1]
    windows = -(-size // op.stride[axis])
    total = (windows - 1) * op.stride[axis] + _extent(op, axis) - size
    return (total // 2, total - total // 2) if total > 0 else (0, 0)


def _extent(op: Any, axis: int) -> int:
    dilation = getattr(op, "dilation", (1, 1))[axis]
    return dilation * (op.kernel[axis] - 1) + 1


def _starts(node: Node, axis: int) -> list[int]:
    """Return where windows start, counted from the image's first pixel."""
    op, size = node.op, node.inputs[0].shape[axis]
    before, after = _padding(node, axis)
    start, found = -before, []
    while start + _extent(op, axis) <= size + after:
        found.append(start)
        start += op.stride[axis]
    reached = found[-1] + _extent(op, axis)
    if getattr(op, "ceil_mode", False) and reached < size + after and start < size:
        found.append(start)
    return found


def _windows(node: Node) -> Iterator[tuple[int, int, list[int], list[int]]]:
    """Yield each output pixel with the rows and columns that it sees, outside ones too."""
    op = node.op
    step = getattr(op, "dilation", (1, 1))
    for i, top in enumerate(_starts(node, 0)):
        for j, left in enumerate(_starts(node, 1)):
            rows = [top + a * step[0] for a in range(op.kernel[0])]
            columns = [left + b * step[1] for b in range(op.kernel[1])]
            yield i, j, rows, columns


def _empty(node: Node, x: Array) -> Array:
    return np.zeros((len(x), len(_starts(node, 0)), len(_starts(node, 1)), node.output.channels))


def conv(node: Node, inputs: list[Array], own: Weights) -> Array:
    (x,), kernel, groups = inputs, own["kernel"], node.op.groups
    result = _empty(node, x)
    inner, outer = kernel.shape[2], kernel.shape[3] // groups
    for i, j, rows, columns in _windows(node):
        for a, row in enumerate(rows):
            for b, column in enumerate(columns):
                if not (0 <= row < x.shape[1] and 0 <= column < x.shape[2]):
                    continue
                for g in range(groups):
                    seen = x[:, row, column, g * inner : (g + 1) * inner]
                    to = slice(g * outer, (g + 1) * outer)
                    result[:, i, j, to] += seen @ kernel[a, b, :, to]
    return result + own.get("bias", 0.0)


def max_pool(node: Node, inputs: list[Array], own: Weights) -> Array:
    (x,) = inputs
    result = _empty(node, x)
    for i, j, rows, columns in _windows(node):
        inside = [(r, c) for r in rows for c in columns if _is_inside(x, r, c)]
        result[:, i, j] = np.max([x[:, r, c] for r, c in inside], axis=0)
    return result


def avg_pool(node: Node, inputs: list[Array], own: Weights) -> Array:
    (x,) = inputs
    result = _empty(node, x)
    (top, bottom), (left, right) = _padding(node, 0), _padding(node, 1)
    for i, j, rows, columns in _windows(node):
        inside = [(r, c) for r in rows for c in columns if _is_inside(x, r, c)]
        count = len(inside)
        if node.op.count_include_pad:
            count = sum(-top <= r < x.shape[1] + bottom for r in rows) * sum(
                -left <= c < x.shape[2] + right for c in columns
            )
        result[:, i, j] = np.sum([x[:, r, c] for r, c in inside], axis=0) / count
    return result


def _is_inside(x: Array, row: int, column: int) -> bool:
    return 0 <= row < x.shape[1] and 0 <= column < x.shape[2]


# The others


def lrn(node: Node, inputs: list[Array], own: Weights) -> Array:
    (x,), op = inputs, node.op
    result = np.empty_like(x)
    for c in range(x.shape[-1]):
        near = slice(max(c - op.size // 2, 0), c + op.size // 2 + 1)
        total = (x[..., near] ** 2).sum(-1)
        result[..., c] = x[..., c] / (op.k + op.alpha / op.size * total) ** op.beta
    return result


def pad(node: Node, inputs: list[Array], own: Weights) -> Array:
    (x,), (top, bottom, left, right) = inputs, node.op.amount
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


OPS: dict[str, Callable[[Node, list[Array], Weights], Array]] = {
    "conv": conv,
    "dense": lambda node, inputs, own: inputs[0] @ own["kernel"] + own.get("bias", 0.0),
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "global_avg_pool": lambda node, inputs, own: inputs[0].mean((1, 2)),
    "batch_norm": lambda node, inputs, own: inputs[0],
    "lrn": lrn,
    "activate": lambda node, inputs, own: _activated(inputs[0], node.op.function),
    "dropout": lambda node, inputs, own: inputs[0],
    "flatten": lambda node, inputs, own: inputs[0].reshape(len(inputs[0]), -1),
    "squeeze": lambda node, inputs, own: inputs[0][:, 0, 0],
    "concat": lambda node, inputs, own: np.concatenate(inputs, -1),
    "add": lambda node, inputs, own: sum(inputs[1:], start=inputs[0]),
    "scale": lambda node, inputs, own: inputs[0] * node.op.factor,
    "identity": lambda node, inputs, own: inputs[0],
    "pad": pad,
}
"""What each op computes; norm and activation of a unit, and batch_norm's own, come after."""

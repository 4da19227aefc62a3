"""Every op in NumPy, written from the ops' definitions alone: what a network means in numbers.

Nothing here comes from a framework, nor from the arithmetic that archc infers shapes with, so that
a mistake in either shows. Its worth is that it can be read beside docs/numerics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from archcompiler.ir import Fork, Graph, Network, Node, Value

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a batch of images became.

    `values` has the result of every node by its path, batch x height x width x channels or batch x
    channels. `statistics` has, of training alone, the batch's mean and biased variance under the
    names of the weights that they move.
    """

    values: Mapping[str, Array]
    statistics: Mapping[str, Array]


def evaluate(
    network: Network, weights: Weights, images: Array, *, training: bool = False
) -> Evaluation:
    """Run a network, heads that only training has included; dropout keeps every value.

    `weights` are by the IR's names and in its layout, H, W, in, out; `images` are batch x height x
    width x channels. The result has their dtype.
    """
    run = _Run(weights=weights, training=training, values={network.input: images})
    for node in (*network.trunk, *(h.node for h in network.heads)):
        run.node(node)
    values = {node.path: run.values[node.output] for node in network.walk()}
    return Evaluation(values=values, statistics=run.statistics)


def slopes(
    network: Network,
    weights: Weights,
    images: Array,
    weighings: Weights,
    along: Weights,
    *,
    training: bool = False,
    step: float = 1e-5,
) -> dict[str, float]:
    """Return, by central differences in float64, how fast nodes grow along a direction.

    `along` is the direction: by the names of weights, and `input` for the images. `weighings` tell
    by node path what a value is multiplied with before it is added up to the number that grows.
    """

    def totals(sign: float) -> dict[str, float]:
        moved = {k: v + sign * step * along.get(k, 0.0) for k, v in weights.items()}
        entering = images + sign * step * along.get("input", 0.0)
        values = evaluate(network, moved, np.asarray(entering), training=training).values
        return {k: float((values[k] * w).sum()) for k, w in weighings.items()}

    more, less = totals(1.0), totals(-1.0)
    return {k: (more[k] - less[k]) / (2.0 * step) for k in more}


@dataclass(slots=True, kw_only=True)
class _Run:
    weights: Weights
    training: bool
    values: dict[Value, Array]
    statistics: dict[str, Array] = field(default_factory=dict)

    def graph(self, graph: Graph, entering: Array) -> Array:
        self.values[graph.input] = entering
        for node in graph.nodes:
            self.node(node)
        return self.values[graph.output]

    def node(self, node: Node) -> None:
        inputs = [self.values[v] for v in node.inputs]
        if isinstance(node.op, Fork):
            shares = _shares(inputs[0], node.op, len(node.graphs))
            branches = [self.graph(g, x) for g, x in zip(node.graphs, shares, strict=True)]
            result = JOINS[node.op.join](branches)
        elif node.graphs:
            result = self.graph(node.graphs[0], inputs[0])
        else:
            result = self.layer(node, inputs)
        self.values[node.output] = result

    def layer(self, node: Node, inputs: list[Array]) -> Array:
        op: Any = node.op
        own = {w.name: self.weights[node.weight_name(w)] for w in node.weights}
        own |= {f"{w.part}_{w.name}": self.weights[node.weight_name(w)] for w in node.weights}
        result = OPS[op.key](node, inputs, own)
        norm = op if op.key in NORMS else getattr(op, "norm", None)
        if norm is not None and norm.key == "layer_norm":
            mean = result.mean(-1, keepdims=True)
            variance = ((result - mean) ** 2).mean(-1, keepdims=True)
        elif norm is not None:
            mean, variance = own["moving_mean"], own["moving_variance"]
            if self.training:
                axes = tuple(range(result.ndim - 1))
                mean = result.mean(axes)
                variance = ((result - mean) ** 2).mean(axes)
                batch = {"moving_mean": mean, "moving_variance": variance}
                moved = (w for w in node.weights if not w.trainable)
                self.statistics |= {node.weight_name(w): batch[w.name] for w in moved}
        if norm is not None:
            result = (result - mean) / np.sqrt(variance + norm.epsilon)
            result = result * own.get("gamma", 1.0) + own.get("beta", 0.0)
        return ACTIVATIONS[getattr(op, "activation", None)](result)


def _shares(x: Array, fork: Fork, branches: int) -> list[Array]:
    """Return what enters each branch: all of x, or its channels in turn."""
    if fork.split is None:
        return [x] * branches
    ends = np.cumsum(fork.split)
    return [x[..., end - size : end] for end, size in zip(ends, fork.split, strict=True)]


def _sum(inputs: list[Array]) -> Array:
    total = inputs[0]
    for x in inputs[1:]:
        total = total + x
    return total


def _concatenated(inputs: list[Array]) -> Array:
    return np.concatenate(inputs, -1)


NORMS = ("batch_norm", "layer_norm")

JOINS: dict[str, Callable[[list[Array]], Array]] = {"concat": _concatenated, "add": _sum}


# Activations


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _erf(x: Array) -> Array:
    return np.asarray(np.vectorize(math.erf, otypes=[x.dtype])(x))


ACTIVATIONS: dict[str | None, Callable[[Array], Array]] = {
    None: lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "relu6": lambda x: np.clip(x, 0.0, 6.0),
    "gelu": lambda x: x * 0.5 * (1.0 + _erf(x / math.sqrt(2.0))),
    "silu": lambda x: x / (1.0 + np.exp(-x)),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "tanh": np.tanh,
    "softmax": _softmax,
}


# Windows: every window has a row of pixels along each axis, some of them outside of the map


def _padding(node: Node, axis: int) -> tuple[int, int]:
    """Return the pixels before and after; `same` gives ceil(size / stride) windows."""
    op: Any = node.op
    size = node.inputs[0].shape[axis]
    if op.padding == "valid":
        return 0, 0
    if op.padding != "same":
        return op.padding[2 * axis], op.padding[2 * axis + 1]
    windows = -(-size // op.stride[axis])
    total = (windows - 1) * op.stride[axis] + _extent(op, axis) - size
    return (total // 2, total - total // 2) if total > 0 else (0, 0)


def _dilation(op: Any, axis: int) -> int:
    return int(getattr(op, "dilation", (1, 1))[axis])


def _extent(op: Any, axis: int) -> int:
    return int(_dilation(op, axis) * (op.kernel[axis] - 1) + 1)


def _starts(node: Node, axis: int) -> Array:
    """Return where windows start, counted from the map's first pixel."""
    op: Any = node.op
    size = node.inputs[0].shape[axis]
    before, after = _padding(node, axis)
    start, found = -before, []
    while start + _extent(op, axis) <= size + after:
        found.append(start)
        start += op.stride[axis]
    reached = found[-1] + _extent(op, axis)
    if getattr(op, "ceil_mode", False) and reached < size + after and start < size:
        found.append(start)
    return np.array(found)


def _windows(node: Node, axis: int) -> Array:
    """Return the places that windows see along an axis: windows x the kernel's size."""
    op: Any = node.op
    steps = np.arange(op.kernel[axis]) * _dilation(op, axis)
    return np.asarray(_starts(node, axis)[:, None] + steps)


def _pixels(node: Node, x: Array, outside: float) -> Iterator[tuple[int, int, Array]]:
    """Yield, for each place of the kernel, the pixel that each window has there."""
    rows, columns = _windows(node, 0), _windows(node, 1)
    height, width = x.shape[1:3]
    for a in range(rows.shape[1]):
        for b in range(columns.shape[1]):
            row, column = rows[:, a], columns[:, b]
            inside = (_within(row, 0, height)[:, None] & _within(column, 0, width))[..., None]
            seen = x[:, row.clip(0, height - 1)][:, :, column.clip(0, width - 1)]
            yield a, b, np.where(inside, seen, x.dtype.type(outside))


def _within(places: Array, first: int, end: int) -> Array:
    return np.asarray((first <= places) & (places < end))


def conv(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Sum the kernel times the window; a group of filters sees its share of the channels."""
    op: Any = node.op
    (x,), kernel = inputs, own["kernel"]
    result = np.zeros((len(x), *node.output.shape), x.dtype)
    inner, outer = kernel.shape[2], kernel.shape[3] // op.groups
    for a, b, seen in _pixels(node, x, 0.0):
        for g in range(op.groups):
            to = slice(g * outer, (g + 1) * outer)
            result[..., to] += seen[..., g * inner : (g + 1) * inner] @ kernel[a, b, :, to]
    return np.asarray(result + own.get("bias", 0.0))


def depthwise_conv(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Sum the kernel times the window, channel by channel, each as often as the multiplier says."""
    return np.asarray(_depthwise(node, inputs[0], own["kernel"]) + own.get("bias", 0.0))


def separable_conv(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Mix, pixel by pixel, what a depthwise convolution gives."""
    between = _depthwise(node, inputs[0], own["depthwise_kernel"])
    return np.asarray(between @ own["pointwise_kernel"][0, 0] + own.get("bias", 0.0))


def _depthwise(node: Node, x: Array, kernel: Array) -> Array:
    op: Any = node.op
    places = (
        np.repeat(seen, op.multiplier, -1) * kernel[a, b, 0] for a, b, seen in _pixels(node, x, 0.0)
    )
    return _sum([*places])


def max_pool(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Take the largest pixel inside of the map."""
    result: Array = np.full((), -np.inf, inputs[0].dtype)
    for _, _, seen in _pixels(node, inputs[0], -np.inf):
        result = np.maximum(result, seen)
    return result


def avg_pool(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Divide the sum of a window by the pixels that count."""
    op: Any = node.op
    counts = []
    for axis in (0, 1):
        before, after = _padding(node, axis) if op.count_include_pad else (0, 0)
        counted = _within(_windows(node, axis), -before, node.inputs[0].shape[axis] + after)
        counts.append(counted.sum(1))
    total = _sum([seen for _, _, seen in _pixels(node, inputs[0], 0.0)])
    count = (counts[0][:, None] * counts[1])[..., None]
    return np.asarray(total / count.astype(total.dtype))


# The others


def lrn(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Divide each channel by a power of the squares around it."""
    op: Any = node.op
    (x,) = inputs
    result = np.empty_like(x)
    for c in range(x.shape[-1]):
        near = slice(max(c - op.size // 2, 0), c + op.size // 2 + 1)
        total = (x[..., near] ** 2).sum(-1)
        result[..., c] = x[..., c] / (op.k + op.alpha / op.size * total) ** op.beta
    return result


def pad(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Put zeros around the map."""
    op: Any = node.op
    top, bottom, left, right = op.amount
    return np.pad(inputs[0], ((0, 0), (top, bottom), (left, right), (0, 0)))


def dense(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Multiply by the kernel, add the bias."""
    return np.asarray(inputs[0] @ own["kernel"] + own.get("bias", 0.0))


def activate(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Apply the function."""
    op: Any = node.op
    return ACTIVATIONS[op.function](inputs[0])


def scale(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Multiply by the factor."""
    op: Any = node.op
    return np.asarray(inputs[0] * op.factor)


def channel_affine(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Multiply by the gain, add the offset."""
    op: Any = node.op
    gain, offset = (np.array(n, inputs[0].dtype) for n in (op.gain, op.offset))
    return np.asarray(inputs[0] * gain + offset)


def adaptive_avg_pool(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Take the mean of windows that begin and end where the map's share does, rounded outwards."""
    op: Any = node.op
    (x,) = inputs
    spans = [
        [(i * n // s, -(-(i + 1) * n // s)) for i in range(s)]
        for n, s in zip(x.shape[1:3], op.size, strict=True)
    ]
    rows = [[x[:, a:b, c:d].mean((1, 2)) for c, d in spans[1]] for a, b in spans[0]]
    return np.stack([np.stack(row, 1) for row in rows], 1)


def same(node: Node, inputs: list[Array], own: Weights) -> Array:
    """Hand the input on."""
    return inputs[0]


OPS: dict[str, Callable[[Node, list[Array], Weights], Array]] = {
    "conv": conv,
    "depthwise_conv": depthwise_conv,
    "separable_conv": separable_conv,
    "dense": dense,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "global_avg_pool": lambda node, inputs, own: np.asarray(inputs[0].mean((1, 2))),
    "adaptive_avg_pool": adaptive_avg_pool,
    "batch_norm": same,
    "layer_norm": same,
    "lrn": lrn,
    "activate": activate,
    "dropout": same,
    "flatten": lambda node, inputs, own: inputs[0].reshape(len(inputs[0]), -1),
    "squeeze": lambda node, inputs, own: inputs[0][:, 0, 0],
    "concat": lambda node, inputs, own: _concatenated(inputs),
    "add": lambda node, inputs, own: _sum(inputs),
    "scale": scale,
    "layer_scale": lambda node, inputs, own: np.asarray(inputs[0] * own["gamma"]),
    "channel_affine": channel_affine,
    "identity": same,
    "pad": pad,
}
"""What each op computes; norm and activation of a unit, and a norm's own, come after."""

"""Weights and images for comparing numbers, the same on every machine.

Fresh weights compare nothing: in evaluation some networks' activations vanish, others' explode.
Kernels here keep the variance of what passes: He-scaled (arXiv 1502.01852) before an activation
that drops half of what it gets, else 1 / fan_in. Norms are far from the identity, so that a wrong
epsilon, a forgotten shift or a counted pad shows.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from archcompiler.ir import Network, Node
from archcompiler.op import Weight
from archcompiler.ops.unit import Unit

if TYPE_CHECKING:
    from archcompiler.emitted import Array, Arrays

LOGITS = 0.02
"""Gain of a head's last weights: logits stay near one, and softmax far from 0 and 1."""

HALVING = ("relu", "relu6", "gelu", "silu")
"""Activations that drop what is below zero, or nearly."""


def generator(*seed: object) -> np.random.Generator:
    """Return a generator that depends on the text of its seed alone."""
    return np.random.default_rng(zlib.crc32(repr(seed).encode()))


def weights(network: Network, logits: float = LOGITS) -> Arrays:
    """Return every tensor by the IR's name, in float64.

    `logits` is the gain of what is linear in a head.
    """
    heads = {id(node) for head in network.heads for node in head.node.walk()}
    return {
        node.weight_name(weight): _draw(node, weight, logits if id(node) in heads else 1.0)
        for node in network.walk()
        for weight in node.weights
    }


def images(network: Network, count: int) -> Array:
    """Return `count` images, uniform in [-1, 1]: float64 values that float32 has, too."""
    shape = (count, *network.input.shape)
    drawn = generator("images", network.input.shape).uniform(-1.0, 1.0, shape)
    return drawn.astype("float32").astype("float64")


def labels(network: Network, count: int) -> Array:
    """Return a class for each image, int64."""
    classes = network.output_head.node.output.shape[-1]
    return generator("labels", classes).integers(0, classes, count)


def weighing(network: Network, count: int) -> Array:
    """Return what the output is multiplied with before it is added up, for gradients."""
    shape = (count, *network.output_head.node.output.shape)
    return generator("weighing", shape).normal(size=shape)


def _draw(node: Node, weight: Weight, linear: float) -> Array:
    random = generator(node.weight_name(weight))
    if weight.name == "kernel":
        fan = weight.count / weight.shape[-1]
        alone = isinstance(node.op, Unit) and node.op.single
        gain = linear if alone else 1.0
        if getattr(node.op, "activation", None) in HALVING and weight.part != "depthwise":
            gain = 2.0
        return random.normal(0.0, (gain / fan) ** 0.5, weight.shape)
    if weight.name in ("gamma", "moving_variance"):
        return random.uniform(0.5, 1.5, weight.shape)
    return random.normal(0.0, 0.2, weight.shape)

"""Initial values and weight decay, and where each weight of the IR lives in Keras."""

from __future__ import annotations

from archcompiler.definition import Arg
from archcompiler.initializer import Init
from archcompiler.ir import Node
from archcompiler.op import Weight
from archcompiler.ops.unit import Unit
from archcompiler.pretty import literal

_CLASSES = {
    "truncated_normal": ("initializers.TruncatedNormal", "stddev={}"),
    "normal": ("initializers.RandomNormal", "stddev={}"),
    "uniform": ("initializers.RandomUniform", "-{}", "{}"),
    "constant": ("initializers.Constant", "{}"),
    "zeros": ("initializers.Zeros",),
    "ones": ("initializers.Ones",),
    "glorot_uniform": ("initializers.GlorotUniform",),
    "glorot_normal": ("initializers.GlorotNormal",),
    "he_uniform": ("initializers.HeUniform",),
    "he_normal": ("initializers.HeNormal",),
}
"""Each kind's class and arguments, `{}` being its number."""

_DISTRIBUTIONS = {"normal": "untruncated_normal"}


def path(node: Node, weight: Weight) -> str:
    """Return a weight's path in Keras: the layer's path with dots, the part, the name."""
    layer = ".".join(p for p in (node.path.replace("/", "."), weight.part) if p)
    return f"{layer}/{weight.name}"


def initializer(init: Init) -> tuple[str, ...]:
    """Return the call of an initialiser: its class, then its arguments, `{}` being its number."""
    if init.kind in _CLASSES:
        return _CLASSES[init.kind]
    distribution = _DISTRIBUTIONS.get(init.distribution or "", init.distribution)
    return ("initializers.VarianceScaling", "{}", literal(init.mode), literal(distribution))


REGULARIZER = ("regularizers.L2", "{}")
"""Adds its number * ||w||^2: half of the decay."""


def kernel_source(op: Unit) -> list[Arg]:
    """Return the arguments of a layer that stands alone: how its kernel starts and decays."""
    args = []
    if op.init != Init("glorot_uniform"):
        wrap = initializer(op.init)
        args.append(Arg(keyword="kernel_initializer", value=op.init.value, wrap=wrap))
    if op.weight_decay:
        half = op.weight_decay / 2
        args.append(Arg(keyword="kernel_regularizer", value=half, wrap=REGULARIZER))
    return args


def bias_source(op: Unit) -> list[Arg]:
    """Return the arguments of a layer that stands alone: how its bias starts and decays."""
    if not op.bias:
        return []
    args = []
    if op.bias_init != Init("zeros"):
        wrap = initializer(op.bias_init)
        args.append(Arg(keyword="bias_initializer", value=op.bias_init.value, wrap=wrap))
    if op.bias_decay:
        half = op.bias_decay / 2
        args.append(Arg(keyword="bias_regularizer", value=half, wrap=REGULARIZER))
    return args

"""Initial values and weight decay, and where each weight of the IR lives in Keras."""

from __future__ import annotations

from archcompiler.definition import Arg
from archcompiler.fields import Shape
from archcompiler.initializer import Init
from archcompiler.ir import Node
from archcompiler.op import Weight
from archcompiler.ops.convolution import is_depthwise
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.unit import GLOROT, Unit
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

DEPTHWISE_SCALING, CUT_NORMAL = "DepthwiseScaling", "CutNormal"
DRAWING = (DEPTHWISE_SCALING, CUT_NORMAL)
"""The helpers that draw weights: depthwise kernels, and a normal within given bounds."""


def path(node: Node, weight: Weight) -> str:
    """Return a weight's path in Keras: the layer's path with dots, the part, the name."""
    layer = ".".join(p for p in (node.path.replace("/", "."), weight.part) if p)
    return f"{layer}/{weight.name}"


def canonical_shape(node: Node, weight: Weight, shape: Shape) -> Shape:
    """Return the shape in the IR of a weight that has `shape` in Keras."""
    if not is_depthwise(node, weight) or len(shape) != 4:
        return shape
    *window, channels, multiplier = shape
    return (*window, 1, channels * multiplier)


def initializer(init: Init) -> tuple[str, ...]:
    """Return the call of an initialiser: its class, then its arguments, `{}` being its number."""
    if init.cut is not None:
        return (CUT_NORMAL, "stddev={}", f"cut={init.cut!r}")
    if init.kind in _CLASSES:
        return _CLASSES[init.kind]
    distribution = _DISTRIBUTIONS.get(init.distribution or "", init.distribution)
    return ("initializers.VarianceScaling", "{}", literal(init.mode), literal(distribution))


REGULARIZER = ("regularizers.L2", "{}")
"""Adds its number * ||w||^2: half of the decay."""


_SCALED = {
    "glorot_uniform": ("1.0", "fan_avg", "uniform"),
    "glorot_normal": ("1.0", "fan_avg", "truncated_normal"),
    "he_uniform": ("2.0", "fan_in", "uniform"),
    "he_normal": ("2.0", "fan_in", "truncated_normal"),
}


def depthwise_initializer(init: Init, multiplier: int) -> tuple[str, ...]:
    """Return the call of a depthwise kernel's initialiser.

    Keras takes the fans from height x width x channels x multiplier, as if an output saw all
    channels. Their mean is right for a multiplier of 1; else a helper draws.
    """
    scale, mode, kind = _SCALED.get(init.kind, ("{}", init.mode, init.distribution))
    if mode is None or (mode == "fan_avg" and multiplier == 1):
        return initializer(init)
    return (DEPTHWISE_SCALING, scale, literal(mode), literal(_DISTRIBUTIONS.get(kind or "", kind)))


def kernel_keywords(op: type[Unit]) -> tuple[str, str]:
    """Return Keras's words for how a kernel starts and what decays it."""
    kind = "depthwise" if issubclass(op, DepthwiseConv) else "kernel"
    return f"{kind}_initializer", f"{kind}_regularizer"


def kernel_source(op: Unit) -> list[Arg]:
    """Return the arguments of a layer that stands alone: how its kernel starts and decays."""
    args = []
    starts, decays = kernel_keywords(type(op))
    wrap = initializer(op.init)
    if isinstance(op, DepthwiseConv):
        wrap = depthwise_initializer(op.init, op.multiplier)
    if wrap != initializer(GLOROT):
        args.append(Arg(keyword=starts, value=op.init.value, wrap=wrap))
    if op.weight_decay:
        args.append(Arg(keyword=decays, value=op.weight_decay / 2, wrap=REGULARIZER))
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

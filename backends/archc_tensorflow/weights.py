"""Initial values and weight decay, and where each weight of the IR lives in Keras."""

from __future__ import annotations

from archcompiler.fields import Init
from archcompiler.ir import Node
from archcompiler.op import Weight
from archcompiler.pretty import literal
from archcompiler.unify import Arg
from archcompiler.unit import Unit

_CLASSES = {
    "truncated_normal": "initializers.TruncatedNormal(stddev={})",
    "normal": "initializers.RandomNormal(stddev={})",
    "uniform": "initializers.RandomUniform(-{0}, {0})",
    "constant": "initializers.Constant({})",
    "zeros": "initializers.Zeros()",
    "ones": "initializers.Ones()",
    "glorot_uniform": "initializers.GlorotUniform()",
    "glorot_normal": "initializers.GlorotNormal()",
    "he_uniform": "initializers.HeUniform()",
    "he_normal": "initializers.HeNormal()",
}
_DISTRIBUTIONS = {"normal": "untruncated_normal"}


def path(node: Node, weight: Weight) -> str:
    """Return a weight's path in Keras: the layer's path with dots, the part, the name."""
    layer = ".".join(p for p in (node.path.replace("/", "."), weight.part) if p)
    return f"{layer}/{weight.name}"


def initializer(init: Init, number: str) -> str:
    """Return the source of an initialiser whose number reads `number`."""
    if init.kind in _CLASSES:
        return _CLASSES[init.kind].format(number)
    distribution = _DISTRIBUTIONS.get(init.distribution or "", init.distribution)
    return f"initializers.VarianceScaling({number}, {literal(init.mode)}, {literal(distribution)})"


def regularizer(decay: float) -> str:
    """Return the source of a regulariser that adds decay / 2 * ||w||^2."""
    return f"regularizers.L2({decay / 2!r})"


def kernel_source(op: Unit) -> list[Arg]:
    """Return the arguments of a layer that stands alone: how its kernel starts and decays."""
    args = []
    if op.init != Init("glorot_uniform"):
        wrap = initializer(op.init, "{}")
        args.append(Arg(keyword="kernel_initializer", value=op.init.value, wrap=wrap))
    if op.weight_decay:
        half = op.weight_decay / 2
        args.append(Arg(keyword="kernel_regularizer", value=half, wrap="regularizers.L2({})"))
    return args


def bias_source(op: Unit) -> list[Arg]:
    """Return the arguments of a layer that stands alone: how its bias starts and decays."""
    if not op.bias:
        return []
    args = []
    if op.bias_init != Init("zeros"):
        wrap = initializer(op.bias_init, "{}")
        args.append(Arg(keyword="bias_initializer", value=op.bias_init.value, wrap=wrap))
    if op.bias_decay:
        half = op.bias_decay / 2
        args.append(Arg(keyword="bias_regularizer", value=half, wrap="regularizers.L2({})"))
    return args

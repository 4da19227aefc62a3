"""What other frameworks call the things of this language, for hints."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from archcompiler.errors import did_you_mean
from archcompiler.fields import ACTIVATIONS, yaml_text
from archcompiler.op import attributes
from archcompiler.ops import BY_KEY
from archcompiler.ops.unit import NORMS
from archcompiler.spec import CONTAINERS

_OPS = {
    "conv2d": "conv", "convolution": "conv", "convolution2d": "conv", "conv2d_bn": "conv",
    "basicconv2d": "conv", "linear": "dense", "fc": "dense", "fully_connected": "dense",
    "innerproduct": "dense", "depthwiseconv2d": "depthwise_conv",
    "depthwise_conv2d": "depthwise_conv", "separableconv2d": "separable_conv",
    "separable_conv2d": "separable_conv", "sepconv": "separable_conv",
    "maxpool": "max_pool", "maxpool2d": "max_pool",
    "maxpooling2d": "max_pool", "max_pool2d": "max_pool", "avgpool": "avg_pool",
    "avgpool2d": "avg_pool", "averagepooling2d": "avg_pool", "avg_pool2d": "avg_pool",
    "globalaveragepooling2d": "global_avg_pool", "globalavgpool": "global_avg_pool",
    "adaptiveavgpool2d": "adaptive_avg_pool",
    "adaptiveaveragepooling2d": "adaptive_avg_pool", "layerscale": "layer_scale",
    "normalize": "channel_affine", "rescaling": "channel_affine",
    "bn": "batch_norm", "ln": "layer_norm",
    "layernorm": "layer_norm", "layernorm2d": "layer_norm", "layernormalization": "layer_norm",
    "batchnorm": "batch_norm", "batchnorm2d": "batch_norm", "batchnormalization": "batch_norm",
    "localresponsenorm": "lrn", "concatenate": "concat", "cat": "concat",
    "sum": "add", "plus": "add",
    "zeropad2d": "pad", "zeropadding2d": "pad", "dropout2d": "dropout",
    "sequential": "layers", "activation": "activate",
    **{name: f"activate: {name}" for name in ACTIVATIONS},
}  # fmt: skip

_ATTRIBUTES = {
    "momentum": "write `decay`, the share of the moving average that is kept: Keras's momentum, "
    "or 1 minus torch's",
    "depth_multiplier": "did you mean `multiplier`?",
    "eps": "did you mean `epsilon`?",
    "affine": "write `gamma` and `beta`",
    "center": "did you mean `beta`?",
    "activation_fn": "did you mean `activation`?",
    "normalizer_fn": "did you mean `norm`?",
    "rate": "did you mean `dilation`?",
    "keep_prob": "write {dropout: 0.2}: the share that is dropped, 1 minus keep_prob",
}


def op_name(word: str) -> str | None:
    """Return what this language calls another framework's op, if it knows the word."""
    return _OPS.get(word.lower().rsplit(".", 1)[-1])


def op_hint(
    word: str, known: Collection[str] = (*BY_KEY, *CONTAINERS), *, listing: bool = True
) -> str | None:
    """Say which op somebody means by `word`, or, where a `listing` is wanted, which are `known`."""
    own = op_name(word)
    if own and own.partition(":")[0] in known:
        return f"in archc this is `{own}`"
    near = did_you_mean(word, known)
    if not listing:
        return near
    if near or "block" not in known or not word.isidentifier():
        return near or f"the ops are {', '.join(known)}"
    return f"the ops are {', '.join(known)}; a block is used by `{{block: {word}, name: a}}`"


def attribute_hint(word: str) -> str | None:
    """Say which attribute somebody means by `word`, where its name differs much."""
    return _ATTRIBUTES.get(word)


def norm_hint(value: object) -> str | None:
    """Say how a norm is written that somebody calls otherwise, or whose name they leave out."""
    if isinstance(value, dict):
        words = {str(key) for key in value}
        found = next(
            (key for key, op in NORMS.items() if words and words <= {*attributes(op)}), None
        )
        return f"say of which norm: `norm: {{{found}: {yaml_text(value)}}}`" if found else None
    if value is False or value in ("no", "off"):
        return "write `none`"
    word = str(value)
    own = op_name(word)
    return f"in archc this is `{own}`" if own in NORMS else did_you_mean(word, (*NORMS, "none"))


def of_norm(word: str, known: Collection[str]) -> str | None:
    """Say where an attribute of a norm goes that somebody gives to its unit."""
    for key, op in NORMS.items():
        if word in attributes(op) and "norm" in known:
            return f"that is the norm's: `norm: {{{key}: {{{word}: ...}}}}`"
    return None


_PARTS = {"pad": "padding", "activate": "activation"}


def part_hint(keys: Sequence[str]) -> str | None:
    """Say how a unit has what is an op of its own, too, where a layer has both; else None."""
    unit = next((key for key in keys if key in BY_KEY and "norm" in attributes(BY_KEY[key])), None)
    part = next((key for key in keys if key in NORMS or key in _PARTS), None)
    if unit is None or part is None:
        return None
    written = f"norm: {part}" if part in NORMS else f"{_PARTS[part]}: ..."
    return f"`{unit}` has it as an attribute: `{written}`"

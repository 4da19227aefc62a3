"""The unit classes and norm functions at the top of the emitted file."""

from __future__ import annotations

from dataclasses import dataclass

from archc_torch.lines import ACTIVATION_CALLS, Lines, Style, norm_class, plain_norm
from archcompiler.lowering import NORM_WORDS
from archcompiler.ops.dense import Dense
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.separable_conv import SeparableConv
from archcompiler.ops.unit import Norm
from archcompiler.pretty import assign, call


def norm_functions(lines: Lines) -> list[tuple[str, ...]]:
    """Return a function for each norm without gamma or beta: a plain norm, less a weight."""
    return [tuple(_norm(norm, rank, name)) for (norm, rank), name in lines.norms.items()]


def _norm(norm: Norm, rank: int, name: str) -> list[str]:
    missing = [
        f'    norm.register_parameter("{attribute}", None)'
        for attribute, present in (("weight", norm.gamma), ("bias", norm.beta))
        if not present
    ]
    return [
        f"def {name}(channels: int) -> {norm_class(norm, rank)}:",
        f'    """{NORM_WORDS[norm.key].capitalize()} {_describe(norm)}."""',
        *assign("norm", plain_norm(norm, rank, "channels"), 4),
        *missing,
        "    return norm",
    ]


def _describe(norm: Norm) -> str:
    if norm.beta:
        return "with a learned shift and no scale"
    return "with a learned scale and no shift" if norm.gamma else "without scale and shift"


def unit_classes(lines: Lines) -> list[tuple[str, ...]]:
    """Return one class for each style of unit."""
    return [tuple(_unit(lines, style, name)) for style, name in lines.styles.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weights:
    """The part of a unit class that has the kernels: its arguments, its lines, how it is called."""

    signature: tuple[str, ...]
    members: tuple[str, ...]
    source: str
    outputs: str


def _unit(lines: Lines, style: Style, name: str) -> list[str]:
    rank = 1 if issubclass(style.op, Dense) else 3
    weights = _dense(style) if rank == 1 else _convolution(lines, style)
    members, source = [*weights.members], weights.source
    if style.norm:
        norm = lines.norm_call(style.norm, rank, weights.outputs)
        members += assign("self.norm", norm, 8)
        source = f"self.norm({source})"
    body = _forward(source, style.activation)
    init = call("def __init__", "self", *weights.signature, tail=" -> None:").lines(4)
    return [
        f"class {name}(nn.Module):",
        f'    """{style.title}."""',
        "",
        *init,
        "        super().__init__()",
        *members,
        "",
        "    def forward(self, x: Tensor) -> Tensor:",
        *body,
    ]


def _dense(style: Style) -> _Weights:
    made = call("nn.Linear", "in_features", "out_features", *_bias(style.bias))
    return _Weights(
        signature=("in_features: int", "out_features: int"),
        members=tuple(assign("self.dense", made, 8)),
        source="self.dense(x)",
        outputs="out_features",
    )


def _convolution(lines: Lines, style: Style) -> _Weights:
    """Return what a unit's convolution, or its two, are made of."""
    optional = {"stride": "Size = 1", "padding": "Size = 0", "dilation": "Size = 1"}
    if style.padded:
        optional["pad"] = "tuple[int, int, int, int] = (0, 0, 0, 0)"
    optional |= {"groups": "int = 1", "multiplier": "int = 1"}
    given = {k: kind for k, kind in optional.items() if k in lines.options[style]}
    depthwise, separable = style.op is DepthwiseConv, style.op is SeparableConv
    enters = "channels" if depthwise else "in_channels"
    leaves = f"{enters} * multiplier" if given.pop("multiplier", None) else enters
    if not (depthwise or separable):
        leaves = "out_channels"
    window = [f"{option}={option}" for option in given]
    if depthwise or separable:
        window.append(f"groups={enters}")
    layer = lines.need("PaddedConv2d") if style.padded else "nn.Conv2d"
    part = SeparableConv.depthwise_part if separable else style.op.part
    bias = _bias(style.bias and not separable)
    made = call(layer, enters, leaves, "kernel_size", *window, *bias)
    members = assign(f"self.{part}", made, 8)
    source, outputs = f"self.{part}(x)", leaves
    if separable:
        mixed = call("nn.Conv2d", leaves, "out_channels", "1", *_bias(style.bias))
        members += assign(f"self.{style.op.part}", mixed, 8)
        source, outputs = f"self.{style.op.part}({source})", "out_channels"
    channels = [f"{enters}: int"] if depthwise else [f"{enters}: int", "out_channels: int"]
    options = [f"{k}: {kind}" for k, kind in optional.items() if k in lines.options[style]]
    return _Weights(
        signature=(*channels, "kernel_size: Size", *options),
        members=tuple(members),
        source=source,
        outputs=outputs,
    )


def _bias(present: bool) -> tuple[str, ...]:
    return () if present else ("bias=False",)


def _forward(source: str, activation: str | None) -> list[str]:
    if activation is None:
        return [f"        x = {source}", "        return x"]
    return [f"        return {ACTIVATION_CALLS[activation].format(source)}"]

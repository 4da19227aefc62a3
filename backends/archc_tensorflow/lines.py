"""How each op is built in Keras: one small function an op, in one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from archc_tensorflow.weights import (
    DRAWING,
    bias_source,
    depthwise_initializer,
    kernel_source,
)
from archcompiler.backend import no_such_op
from archcompiler.definition import Arg, Call
from archcompiler.fields import Pads, Shape, Size
from archcompiler.initializer import Init
from archcompiler.ir import Network, Node
from archcompiler.lowering import FileNames, UnitStyle, padding_depends, short_size
from archcompiler.op import Op
from archcompiler.ops.activate import Activate
from archcompiler.ops.adaptive_avg_pool import AdaptiveAvgPool
from archcompiler.ops.avg_pool import AvgPool
from archcompiler.ops.batch_norm import BatchNorm
from archcompiler.ops.channel_affine import ChannelAffine
from archcompiler.ops.conv import Conv
from archcompiler.ops.convolution import Convolution, Depthwise
from archcompiler.ops.dense import Dense
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.dropout import Dropout
from archcompiler.ops.layer_norm import LayerNorm
from archcompiler.ops.layer_scale import LayerScale
from archcompiler.ops.lrn import Lrn
from archcompiler.ops.max_pool import MaxPool
from archcompiler.ops.pad import Pad
from archcompiler.ops.pool import Pool
from archcompiler.ops.scale import Scale
from archcompiler.ops.separable_conv import SeparableConv
from archcompiler.ops.unit import Norm, Unit
from archcompiler.window import overhang, pads

NO_PADS = (0, 0, 0, 0)
LAYERS: Mapping[type[Unit], str] = {
    Conv: "layers.Conv2D",
    DepthwiseConv: "layers.DepthwiseConv2D",
    SeparableConv: "layers.Conv2D",
    Dense: "layers.Dense",
}
"""The layer of Keras that has a unit's last kernel."""


@dataclass(frozen=True, slots=True)
class Style(UnitStyle):
    """What the units of one function have in common."""

    init: Init
    """Without its number, where layers differ in it."""
    bias_init: Init
    bias_decay: float
    depthwise_init: tuple[str, ...] = ()
    """The call of the initialiser of a kernel that sees one channel at a time."""

    @property
    def single(self) -> bool:
        """Tell whether the unit is one layer of Keras."""
        separable = issubclass(self.op, SeparableConv)
        return self.norm is None and self.activation is None and not separable

    @property
    def base_name(self) -> str:
        """Name the function by what it does: `conv_norm_relu`."""
        return "_".join(self.parts)


@dataclass(slots=True)
class Options:
    """The optional arguments of a style's function: those its layers use, with their defaults."""

    values: dict[str, Counter[object]] = field(default_factory=dict)

    def add(self, args: tuple[Arg, ...]) -> None:
        """Count the values that one layer passes."""
        for arg in args:
            if arg.default is not ...:
                self.values.setdefault(arg.keyword, Counter())[arg.value] += 1

    def default(self, keyword: str) -> object:
        """Return the most common value."""
        return self.values[keyword].most_common(1)[0][0]

    def used(self) -> list[str]:
        """Return the arguments whose values differ between layers."""
        return [k for k, found in self.values.items() if len(found) > 1]


@dataclass(slots=True)
class Lines(FileNames):
    """Describes the layers of one network; remembers which functions and layers they use."""

    styles: dict[Style, str] = field(default_factory=dict)
    options: dict[Style, Options] = field(default_factory=dict)

    def prepare(self, network: Network) -> None:
        """Look at every unit first, so that one function serves all layers of a style."""
        for node in network.walk():
            if isinstance(node.op, Unit):
                style = style_of(node)
                if style.single and not style.padded:
                    continue
                if style not in self.styles:
                    self.styles[style] = self.unused(style.base_name)
                self.options.setdefault(style, Options()).add(_unit_args(node))

    def describe(self, node: Node) -> Call | None:
        """Return what builds an op's layer."""
        if not isinstance(node.op, Op):
            return None
        return self.look_up(TABLE, node, "the TensorFlow backend")


def style_of(node: Node) -> Style:
    """Return the style of a unit."""
    op = cast(Unit, node.op)
    padded = isinstance(op, Convolution) and _padding(node) is None
    init = replace(op.init, value=None)
    starts = depthwise_initializer(op.init, op.multiplier) if isinstance(op, Depthwise) else ()
    return Style(
        type(op), op.bias, op.norm, op.activation, padded, init, op.bias_init, op.bias_decay, starts
    )


def _named_padding(
    shape: Shape, kernel: Size, stride: Size, dilation: Size, around: Pads
) -> str | None:
    """Return Keras's word for a padding; None where it has none."""
    if around == NO_PADS:
        return "valid"
    same = pads(shape, kernel, stride, "same", dilation)
    return "same" if around == same else None


def _padding(node: Node) -> str | None:
    op = cast(Convolution, node.op)
    shape = node.inputs[0].shape
    around = pads(shape, op.kernel, op.stride, op.padding, op.dilation)
    if op.padding == "same":
        return "same"
    return _named_padding(shape, op.kernel, op.stride, op.dilation, around)


def _nested(around: Pads) -> tuple[tuple[int, int], tuple[int, int]]:
    top, bottom, left, right = around
    return (top, bottom), (left, right)


def _unit_args(node: Node) -> tuple[Arg, ...]:
    """Return a unit function's arguments; those with defaults may be left out by all layers."""
    op = cast(Unit, node.op)
    args: list[Arg] = []
    if isinstance(op, Dense):
        args.append(Arg(keyword="units", value=op.units, field="units", positional=True))
    elif isinstance(op, Conv | SeparableConv):
        args.append(Arg(keyword="filters", value=op.filters, field="filters", positional=True))
    if isinstance(op, Convolution):
        args += _window_args(op, node)
    if isinstance(op, Depthwise):
        times = op.multiplier
        args.append(Arg(keyword="depth_multiplier", value=times, field="multiplier", default=1))
    elif isinstance(op, Conv):
        args.append(Arg(keyword="groups", value=op.groups, field="groups", default=1))
    if op.init.value is not None:
        args.append(Arg(keyword="init", value=op.init.value, default=None))
    args.append(Arg(keyword="weight_decay", value=op.weight_decay, default=0.0))
    return tuple(args)


def _window_args(op: Convolution, node: Node) -> list[Arg]:
    _refuse(op, node)
    padding = _padding(node)
    args = [
        Arg(keyword="kernel_size", value=short_size(op.kernel), field="kernel", positional=True),
        Arg(keyword="strides", value=short_size(op.stride), field="stride", default=1),
    ]
    if padding is None:
        around = pads(node.inputs[0].shape, op.kernel, op.stride, op.padding, op.dilation)
        args.append(Arg(keyword="pad", value=_nested(around), depends=padding_depends(op)))
    else:
        told = ("padding",) if isinstance(op.padding, str) else ("padding", "kernel", "dilation")
        args.append(Arg(keyword="padding", value=padding, depends=told, default="valid"))
    dilation = short_size(op.dilation)
    return [*args, Arg(keyword="dilation_rate", value=dilation, field="dilation", default=1)]


def _refuse(op: Convolution, node: Node) -> None:
    """Raise E501 for strides that TensorFlow lacks."""
    if op.stride != (1, 1) and op.dilation != (1, 1):
        raise no_such_op(
            "TensorFlow",
            node,
            "convolution with stride and dilation",
            "use one of the two, or the torch backend",
        )
    if isinstance(op, Depthwise) and op.stride[0] != op.stride[1]:
        raise no_such_op(
            "TensorFlow",
            node,
            "depthwise convolution whose strides differ",
            "use a `conv` with as many groups as channels, or the torch backend",
        )


def _unit(lines: Lines, node: Node) -> Call:
    style = style_of(node)
    args = _unit_args(node)
    if style in lines.styles:
        options = lines.options[style]
        used = options.used()
        kept = [
            a
            if a.default is ...
            else replace(a, default=options.default(a.keyword), settled=a.keyword not in used)
            for a in args
        ]
        return Call(lines.styles[style], tuple(kept))
    op = cast(Unit, node.op)
    layer = LAYERS[type(op)]
    plain = [a for a in args if a.keyword not in ("init", "weight_decay")]
    if not op.bias:
        plain.append(Arg(keyword="use_bias", value=False, field="bias"))
    plain += kernel_source(op) + bias_source(op)
    for helper in (a.wrap[0] for a in plain if a.wrap and a.wrap[0] in DRAWING):
        lines.need(helper)
    return Call(layer, tuple(plain))


def _pool(lines: Lines, node: Node) -> Call:
    op = cast(Pool, node.op)
    shape = node.inputs[0].shape
    around = pads(shape, op.kernel, op.stride, op.padding)
    reach = overhang(shape, op.kernel, op.stride, around, node.output.shape)
    args = [
        Arg(keyword="pool_size", value=short_size(op.kernel), field="kernel", positional=True),
        Arg(keyword="strides", value=short_size(op.stride), field="stride", positional=True),
    ]
    counts = isinstance(op, AvgPool) and op.count_include_pad and any(around)
    word = _named_padding(shape, op.kernel, op.stride, (1, 1), reach)
    if op.padding == "same" and not counts:
        word = "same"
    averages = isinstance(op, AvgPool)
    if word is not None and not counts:
        told = ("padding",) if isinstance(op.padding, str) else ("padding", "kernel")
        args.append(Arg(keyword="padding", value=word, depends=told, default="valid"))
        layer = "layers.AveragePooling2D" if averages else "layers.MaxPooling2D"
        return Call(layer, tuple(args))
    depends = ("ceil_mode", *padding_depends(op))
    if not averages:
        args.append(Arg(keyword="pad", value=_nested(reach), depends=depends))
        return Call(lines.need("PaddedMaxPool2D"), tuple(args))
    counted = around if counts else NO_PADS
    rest = tuple(r - c for r, c in zip(reach, counted, strict=True))
    zeros = _nested(NO_PADS)
    args += [
        Arg(keyword="counted", value=_nested(counted), depends=depends, default=zeros),
        Arg(keyword="pad", value=_nested(cast(Pads, rest)), depends=depends, default=zeros),
    ]
    return Call(lines.need("PaddedAvgPool2D"), tuple(args))


NORM_LAYERS: Mapping[type[Norm], str] = {
    BatchNorm: "layers.BatchNormalization",
    LayerNorm: "layers.LayerNormalization",
}


def norm_args(norm: Norm) -> tuple[Arg, ...]:
    """Return the arguments of Keras's layer of a norm."""
    decay: tuple[Arg, ...] = ()
    if isinstance(norm, BatchNorm):
        decay = (Arg(keyword="momentum", value=norm.decay, field="decay"),)
    return (
        *decay,
        Arg(keyword="epsilon", value=norm.epsilon, field="epsilon"),
        Arg(keyword="scale", value=norm.gamma, field="gamma", default=True),
        Arg(keyword="center", value=norm.beta, field="beta", default=True),
    )


def _norm(lines: Lines, node: Node) -> Call:
    norm = cast(Norm, node.op)
    return Call(NORM_LAYERS[type(norm)], norm_args(norm))


def _lrn(lines: Lines, node: Node) -> Call:
    op = cast(Lrn, node.op)
    return Call(
        lines.need("LocalResponseNorm"),
        (
            Arg(keyword="size", value=op.size, field="size", positional=True),
            Arg(keyword="alpha", value=op.alpha, field="alpha"),
            Arg(keyword="beta", value=op.beta, field="beta"),
            Arg(keyword="k", value=op.k, field="k"),
        ),
    )


def _activate(lines: Lines, node: Node) -> Call:
    function = cast(Activate, node.op).function
    # A parameter that may be `none` is one of a single function, in Keras's own word for it.
    if function is None and "function" not in node.expressions:
        return Call("layers.Identity")
    if function == "gelu":
        return Call(lines.need("GELU"))
    word = Arg(keyword="activation", value=function or "linear", field="function", positional=True)
    return Call("layers.Activation", (word,))


def _dropout(lines: Lines, node: Node) -> Call:
    rate = cast(Dropout, node.op).rate
    return Call("layers.Dropout", (Arg(keyword="rate", value=rate, field="rate", positional=True),))


def _scale(lines: Lines, node: Node) -> Call:
    factor = cast(Scale, node.op).factor
    arg = Arg(keyword="factor", value=factor, field="factor", positional=True)
    return Call(lines.need("Scale"), (arg,))


def _layer_scale(lines: Lines, node: Node) -> Call:
    initial = cast(LayerScale, node.op).initial
    arg = Arg(keyword="initial", value=initial, field="initial", positional=True)
    return Call(lines.need("LayerScale"), (arg,))


def _channel_affine(lines: Lines, node: Node) -> Call:
    op = cast(ChannelAffine, node.op)
    gain = Arg(keyword="gain", value=op.gain, field="gain")
    offset = Arg(keyword="offset", value=op.offset, field="offset")
    return Call(lines.need("ChannelAffine"), (gain, offset))


def _adaptive_avg_pool(lines: Lines, node: Node) -> Call:
    size = short_size(cast(AdaptiveAvgPool, node.op).size)
    arg = Arg(keyword="output_size", value=size, field="size", positional=True)
    return Call("layers.AdaptiveAveragePooling2D", (arg,))


def _pad(lines: Lines, node: Node) -> Call:
    around = _nested(cast(Pads, cast(Pad, node.op).amount))
    return Call("layers.ZeroPadding2D", (Arg(keyword="padding", value=around, positional=True),))


def _simple(layer: str) -> Callable[[Lines, Node], Call]:
    return lambda lines, node: Call(layer)


def _table() -> Mapping[type[Any], Callable[[Lines, Node], Call]]:
    from archcompiler.ops.add import Add
    from archcompiler.ops.concat import Concat
    from archcompiler.ops.flatten import Flatten
    from archcompiler.ops.global_avg_pool import GlobalAvgPool
    from archcompiler.ops.identity import Identity
    from archcompiler.ops.squeeze import Squeeze

    return {
        Conv: _unit,
        DepthwiseConv: _unit,
        SeparableConv: _unit,
        Dense: _unit,
        MaxPool: _pool,
        AvgPool: _pool,
        GlobalAvgPool: _simple("layers.GlobalAveragePooling2D"),
        AdaptiveAvgPool: _adaptive_avg_pool,
        BatchNorm: _norm,
        LayerNorm: _norm,
        Lrn: _lrn,
        Activate: _activate,
        Dropout: _dropout,
        Flatten: _simple("layers.Flatten"),
        Squeeze: _simple("layers.Flatten"),
        Concat: _simple("layers.Concatenate"),
        Add: _simple("layers.Add"),
        Scale: _scale,
        LayerScale: _layer_scale,
        ChannelAffine: _channel_affine,
        Identity: _simple("layers.Identity"),
        Pad: _pad,
    }


TABLE = _table()
"""What builds each op."""

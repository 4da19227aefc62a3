"""How each op is built in torch: one small function an op, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, ClassVar, cast

from archcompiler.definition import Arg, Call
from archcompiler.fields import Pads
from archcompiler.ir import Network, Node
from archcompiler.lowering import FileNames, UnitStyle, padding_depends, short_size
from archcompiler.names import camel_case
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
from archcompiler.pretty import Expression, call
from archcompiler.window import overhang, pads

ACTIVATION_MODULES = {
    "relu": "nn.ReLU", "relu6": "nn.ReLU6", "gelu": "nn.GELU", "silu": "nn.SiLU",
    "sigmoid": "nn.Sigmoid", "tanh": "nn.Tanh", "softmax": "nn.Softmax", None: "nn.Identity",
}  # fmt: skip
ACTIVATION_CALLS = {
    "relu": "F.relu({}, inplace=True)", "relu6": "F.relu6({}, inplace=True)", "gelu": "F.gelu({})",
    "silu": "F.silu({})", "sigmoid": "torch.sigmoid({})", "tanh": "torch.tanh({})",
    "softmax": "F.softmax({}, 1)",
}  # fmt: skip

NORM_CLASSES = {
    ("batch_norm", 1): "nn.BatchNorm1d",
    ("batch_norm", 3): "nn.BatchNorm2d",
    ("layer_norm", 1): "nn.LayerNorm",
    ("layer_norm", 3): "LayerNorm2d",
}
"""By the op and the rank of what is normed: a vector, or a map."""


class Style(UnitStyle):
    """What the units of one class have in common."""

    __slots__ = ()

    @property
    def base_name(self) -> str:
        """Name the class by what it does: `ConvNormRelu`."""
        return "".join(map(camel_case, self.parts))


@dataclass(slots=True)
class Lines(FileNames):
    """Describes the layers of one network; remembers which helpers and unit classes they use."""

    separator: ClassVar[str] = ""

    styles: dict[Style, str] = field(default_factory=dict)
    options: dict[Style, set[str]] = field(default_factory=dict)
    """Optional arguments that a style's layers use."""
    norms: dict[tuple[Norm, int], str] = field(default_factory=dict)
    """The functions for norms without gamma or beta, by the rank of what they norm."""

    def prepare(self, network: Network) -> None:
        """Look at every unit first, so that one class serves all layers of a style."""
        for node in network.walk():
            if isinstance(node.op, Unit) and not node.op.single:
                style = _style(node.op, node)
                if style not in self.styles:
                    self.styles[style] = self.unused(style.base_name)
                options = self.options.setdefault(style, set())
                options |= {a.keyword for a in _unit_args(node) if a.value != a.default}
            norm = node.op.norm if isinstance(node.op, Unit) else node.op
            if isinstance(norm, Norm):
                self.prepare_norm(norm, len(node.output.shape))

    def prepare_norm(self, norm: Norm, rank: int) -> None:
        """Note what a norm needs: a helper, or a function where it lacks gamma or beta."""
        if norm_class(norm, rank) == "LayerNorm2d":
            self.need("LayerNorm2d")
        if not (norm.gamma and norm.beta) and (norm, rank) not in self.norms:
            self.norms[norm, rank] = self.unused(norm.key if rank == 3 else f"{norm.key}_1d")

    def describe(self, node: Node) -> Call | None:
        """Return what builds an op's module; None for concat and add, which are expressions."""
        if not isinstance(node.op, Op) or node.op.key in EXPRESSIONS:
            return None
        return self.look_up(TABLE, node, "the torch backend")

    def norm_call(self, norm: Norm, rank: int, channels: str) -> Expression:
        """Return the source of a norm of maps (rank 3) or vectors (rank 1)."""
        if (norm, rank) in self.norms:
            return call(self.norms[norm, rank], channels)
        return plain_norm(norm, rank, channels)


def plain_norm(norm: Norm, rank: int, channels: str) -> Expression:
    """Return the source of torch's norm, gamma and beta included."""
    options = [f"eps={norm.epsilon!r}"]
    if isinstance(norm, BatchNorm):
        options.append(f"momentum={momentum(norm)!r}")
    return call(norm_class(norm, rank), channels, *options)


def norm_class(norm: Norm, rank: int) -> str:
    """Return torch's class of a norm, or the helper where it has none."""
    return NORM_CLASSES[norm.key, rank]


def momentum(norm: BatchNorm) -> float:
    """Return torch's momentum, 1 - decay, in decimal arithmetic."""
    return float(1 - Decimal(repr(norm.decay)))


def _style(op: Unit, node: Node) -> Style:
    padded = isinstance(op, Convolution) and not _symmetric(_conv_pads(op, node))
    return Style(type(op), op.bias, op.norm, op.activation, padded)


def _conv_pads(op: Convolution, node: Node) -> Pads:
    return pads(node.inputs[0].shape, op.kernel, op.stride, op.padding, op.dilation)


def _symmetric(around: Pads) -> bool:
    top, bottom, left, right = around
    return top == bottom and left == right


def _padding(around: Pads, op: Convolution | Pool) -> Arg:
    """torch pads symmetrically itself; else left, right, top, bottom are padded before."""
    top, bottom, left, right = around
    depends = padding_depends(op)
    if _symmetric(around):
        half = op.padding == "same" and op.stride == (1, 1)
        value = short_size((top, left))
        return Arg(keyword="padding", value=value, depends=depends, half=half, default=0)
    return Arg(keyword="pad", value=(left, right, top, bottom), depends=depends)


def _enters(node: Node, keyword: str, *, positional: bool = True) -> Arg:
    """Return the argument for the channels that a layer reads."""
    enters = node.inputs[0]
    return Arg(keyword=keyword, value=enters.channels, channels=enters, positional=positional)


def _window_args(op: Convolution, node: Node) -> tuple[Arg, ...]:
    return (
        Arg(keyword="kernel_size", value=short_size(op.kernel), field="kernel"),
        Arg(keyword="stride", value=short_size(op.stride), field="stride", default=1),
        _padding(_conv_pads(op, node), op),
        Arg(keyword="dilation", value=short_size(op.dilation), field="dilation", default=1),
    )


def _unit_args(node: Node) -> tuple[Arg, ...]:
    """Return what the class of a unit's style is told."""
    op = node.op
    if isinstance(op, Dense):
        out = Arg(keyword="out_features", value=op.units, field="units", positional=True)
        return (_enters(node, "in_features"), out)
    op = cast(Convolution, op)
    if isinstance(op, DepthwiseConv):
        first: tuple[Arg, ...] = (_enters(node, "channels"),)
    else:
        out = Arg(keyword="out_channels", value=op.filters, field="filters", positional=True)
        first = (_enters(node, "in_channels"), out)
    if isinstance(op, Depthwise):
        last = Arg(keyword="multiplier", value=op.multiplier, field="multiplier", default=1)
    else:
        last = Arg(keyword="groups", value=op.groups, field="groups", default=1)
    return (*first, *_window_args(op, node), last)


def _depthwise_args(op: DepthwiseConv, node: Node) -> tuple[Arg, ...]:
    """Return what torch's own convolution is told, to see one channel at a time."""
    count = node.output.channels
    out = Arg(keyword="out_channels", value=count, positional=True)
    if op.multiplier == 1:
        out = _enters(node, "out_channels")
    groups = _enters(node, "groups", positional=False)
    return (_enters(node, "in_channels"), out, *_window_args(op, node), groups)


def _unit(lines: Lines, node: Node) -> Call:
    op = cast(Unit, node.op)
    if not op.single:
        style = _style(op, node)
        known = lines.options[style]
        args = (
            replace(a, settled=a.default is not ... and a.keyword not in known)
            for a in _unit_args(node)
        )
        return Call(lines.styles[style], tuple(args))
    bias = Arg(keyword="bias", value=op.bias, field="bias", default=True)
    if isinstance(op, Dense):
        return Call("nn.Linear", (*_unit_args(node), bias))
    padded = _style(op, node).padded
    function = lines.need("PaddedConv2d") if padded else "nn.Conv2d"
    own = _depthwise_args(op, node) if isinstance(op, DepthwiseConv) else _unit_args(node)
    return Call(function, (*own, bias))


def _pool(lines: Lines, node: Node) -> Call:
    op = cast(Pool, node.op)
    around = pads(node.inputs[0].shape, op.kernel, op.stride, op.padding)
    fits = _symmetric(around) and all(
        2 * pad <= extent for pad, extent in zip(around[::2], op.kernel, strict=True)
    )
    args = [
        Arg(keyword="kernel_size", value=short_size(op.kernel), field="kernel", positional=True),
        Arg(keyword="stride", value=short_size(op.stride), field="stride", positional=True),
    ]
    averages = isinstance(op, AvgPool)
    if fits:
        args += [_padding(around, op), Arg(keyword="ceil_mode", value=op.ceil_mode, default=False)]
        if isinstance(op, AvgPool) and any(around):
            include = Arg(keyword="count_include_pad", value=op.count_include_pad, default=True)
            args.append(include)
        return Call("nn.AvgPool2d" if averages else "nn.MaxPool2d", tuple(args))
    reach = overhang(node.inputs[0].shape, op.kernel, op.stride, around, node.output.shape)
    depends = ("ceil_mode", *padding_depends(op))
    if isinstance(op, AvgPool) and op.count_include_pad:
        lines.need("PaddedAvgPool2d")
        top, bottom, left, right = around
        counted = Arg(keyword="counted", value=(left, right, top, bottom), depends=depends)
        rest = (reach[2] - left, reach[3] - right, reach[0] - top, reach[1] - bottom)
        args += [counted, Arg(keyword="pad", value=rest, depends=depends, default=(0, 0, 0, 0))]
        return Call("PaddedAvgPool2d", tuple(args))
    top, bottom, left, right = reach
    pad = Arg(keyword="pad", value=(left, right, top, bottom), depends=depends)
    if averages:
        lines.need("PaddedAvgPool2d")
        none = Arg(keyword="counted", value=(0, 0, 0, 0), default=(0, 0, 0, 0))
        return Call("PaddedAvgPool2d", (*args, none, pad))
    return Call(lines.need("PaddedMaxPool2d"), (*args, pad))


def _norm(lines: Lines, node: Node) -> Call:
    op, rank = cast(Norm, node.op), len(node.output.shape)
    channels = _enters(node, "channels")
    if (op, rank) in lines.norms:
        return Call(lines.norms[op, rank], (channels,))
    args = [channels, Arg(keyword="eps", value=op.epsilon, field="epsilon")]
    if isinstance(op, BatchNorm):
        args.append(Arg(keyword="momentum", value=momentum(op), depends=("decay",)))
    return Call(norm_class(op, rank), tuple(args))


def _lrn(lines: Lines, node: Node) -> Call:
    op = cast(Lrn, node.op)
    return Call(
        "nn.LocalResponseNorm",
        (
            Arg(keyword="size", value=op.size, field="size", positional=True),
            Arg(keyword="alpha", value=op.alpha, field="alpha"),
            Arg(keyword="beta", value=op.beta, field="beta"),
            Arg(keyword="k", value=op.k, field="k"),
        ),
    )


def _activate(lines: Lines, node: Node) -> Call:
    function = cast(Activate, node.op).function
    if "function" in node.expressions and function != "softmax":
        name = Arg(keyword="name", value=function or "none", field="function", positional=True)
        return Call(lines.need("activation_module"), (name,))
    args = (Arg(keyword="dim", value=1),) if function == "softmax" else ()
    return Call(ACTIVATION_MODULES[function], args)


def _dropout(lines: Lines, node: Node) -> Call:
    rate = cast(Dropout, node.op).rate
    return Call("nn.Dropout", (Arg(keyword="p", value=rate, field="rate", positional=True),))


def _flatten(lines: Lines, node: Node) -> Call:
    one_pixel = node.inputs[0].shape[:2] == (1, 1)
    return Call("nn.Flatten" if one_pixel else lines.need("Flatten"))


def _scale(lines: Lines, node: Node) -> Call:
    factor = Arg(
        keyword="factor", value=cast(Scale, node.op).factor, field="factor", positional=True
    )
    return Call(lines.need("Scale"), (factor,))


def _layer_scale(lines: Lines, node: Node) -> Call:
    initial = cast(LayerScale, node.op).initial
    starts = Arg(keyword="initial", value=initial, field="initial", positional=True)
    return Call(lines.need("LayerScale"), (_enters(node, "channels"), starts))


def _channel_affine(lines: Lines, node: Node) -> Call:
    op = cast(ChannelAffine, node.op)
    gain = Arg(keyword="gain", value=op.gain, field="gain")
    offset = Arg(keyword="offset", value=op.offset, field="offset")
    return Call(lines.need("ChannelAffine"), (gain, offset))


def _adaptive_avg_pool(lines: Lines, node: Node) -> Call:
    size = short_size(cast(AdaptiveAvgPool, node.op).size)
    arg = Arg(keyword="output_size", value=size, field="size", positional=True)
    return Call("nn.AdaptiveAvgPool2d", (arg,))


def _pad(lines: Lines, node: Node) -> Call:
    top, bottom, left, right = cast(Pads, cast(Pad, node.op).amount)
    pad = Arg(keyword="padding", value=(left, right, top, bottom), positional=True)
    return Call("nn.ZeroPad2d", (pad,))


def _simple(function: str, *, helper: bool = False) -> Callable[[Lines, Node], Call]:
    return lambda lines, node: Call(lines.need(function) if helper else function)


def _table() -> Mapping[type[Op], Callable[[Lines, Node], Call]]:
    from archcompiler.ops.flatten import Flatten
    from archcompiler.ops.global_avg_pool import GlobalAvgPool
    from archcompiler.ops.identity import Identity
    from archcompiler.ops.squeeze import Squeeze

    table: dict[type[Any], Callable[[Lines, Node], Call]] = {
        Conv: _unit,
        DepthwiseConv: _unit,
        SeparableConv: _unit,
        Dense: _unit,
        MaxPool: _pool,
        AvgPool: _pool,
        GlobalAvgPool: _simple("GlobalAvgPool", helper=True),
        AdaptiveAvgPool: _adaptive_avg_pool,
        BatchNorm: _norm,
        LayerNorm: _norm,
        Lrn: _lrn,
        Activate: _activate,
        Dropout: _dropout,
        Flatten: _flatten,
        Squeeze: _simple("nn.Flatten"),
        Scale: _scale,
        LayerScale: _layer_scale,
        ChannelAffine: _channel_affine,
        Identity: _simple("nn.Identity"),
        Pad: _pad,
    }
    return table


TABLE = _table()
"""What builds each op."""

EXPRESSIONS = ("concat", "add")
"""Ops that are written as expressions, without a module."""

"""The unit functions at the top of the emitted file."""

from __future__ import annotations

from archc_tensorflow.lines import LAYERS, NORM_LAYERS, Lines, Options, Style, norm_args
from archc_tensorflow.weights import DRAWING, REGULARIZER, initializer
from archcompiler.definition import Text
from archcompiler.ops.dense import Dense
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.separable_conv import SeparableConv
from archcompiler.ops.unit import GLOROT, ZEROS, Unit
from archcompiler.pretty import Expression, assign, call, literal

_TYPES = {
    "filters": "int",
    "units": "int",
    "kernel_size": "Size",
    "strides": "Size",
    "padding": 'Literal["same", "valid"]',
    "dilation_rate": "Size",
    "groups": "int",
    "depth_multiplier": "int",
    "init": "float",
    "weight_decay": "float",
}
_USUAL = {
    "strides": 1,
    "padding": "valid",
    "dilation_rate": 1,
    "groups": 1,
    "depth_multiplier": 1,
}
"""Keras's own defaults."""


def unit_functions(lines: Lines) -> list[tuple[str, ...]]:
    """Return one function for each style of unit."""
    return [tuple(_unit(lines, style, name)) for style, name in lines.styles.items()]


def _unit(lines: Lines, style: Style, name: str) -> list[str]:
    options = lines.options[style]
    used = options.used()
    own_first: dict[type[Unit], list[str]] = {Dense: ["units"], DepthwiseConv: ["kernel_size"]}
    first = own_first.get(style.op, ["filters", "kernel_size"])
    signature = ["x: KerasTensor", "name: str", *(f"{k}: {_TYPES[k]}" for k in first)]
    if style.padded:
        signature.append("pad: tuple[tuple[int, int], tuple[int, int]]")
    signature += [f"{k}: {_TYPES[k]} = {literal(options.default(k))}" for k in used]
    found = Expression(f"def {name}(", signature, close=") -> KerasTensor:").lines(0)
    found.append(f'    """{style.title}."""')
    if style.padded:
        pad = call("layers.ZeroPadding2D", "pad", 'name=f"{name}.pad"', tail="(x)")
        found += assign("x", pad, 4)
    window = _window(options, used)
    if issubclass(style.op, SeparableConv):
        starts = _kernel(lines, style, options, style.depthwise_init, "depthwise")
        label = f'name=f"{{name}}.{style.op.depthwise_part}"'
        kernel = ("kernel_size", *window, "use_bias=False", *starts, label)
        found += assign("x", call("layers.DepthwiseConv2D", *kernel, tail="(x)"), 4)
        first, window = ["filters", "1"], []
    own = "name" if style.single else f'f"{{name}}.{style.op.part}"'
    unbiased = () if style.bias else ("use_bias=False",)
    kind, init = "kernel", initializer(style.init)
    if issubclass(style.op, DepthwiseConv):
        kind, init = "depthwise", style.depthwise_init
    starts = _kernel(lines, style, options, init, kind)
    arguments = (*first, *window, *unbiased, *starts, *_bias(lines, style), f"name={own}")
    layer = call(LAYERS[style.op], *arguments, tail="(x)")
    if style.single or not (style.norm or style.activation):
        return [*found, *layer.lines(4, "return ")]
    found += assign("x", layer, 4)
    if style.norm:
        given = [
            f"{a.keyword}={literal(a.value)}" for a in norm_args(style.norm) if a.value != a.default
        ]
        label = 'name=f"{name}.norm"'
        norm = call(NORM_LAYERS[type(style.norm)], *given, label, tail="(x)")
        found += assign("x", norm, 4) if style.activation else norm.lines(4, "return ")
    if style.activation:
        found.append(f"    return {_activation(lines, style.activation)}(x)")
    return found


def _activation(lines: Lines, function: str) -> str:
    if function == "gelu":
        return f"{lines.need('GELU')}(name=name)"
    return f"layers.Activation({literal(function)}, name=name)"


def _window(options: Options, used: list[str]) -> list[str | Expression]:
    """Return what a window is told: variables where layers differ, else constants."""
    found = []
    for keyword, usual in _USUAL.items():
        if keyword in used:
            found.append(_text(keyword, keyword))
        elif keyword in options.values and options.default(keyword) != usual:
            found.append(_text(keyword, literal(options.default(keyword))))
    return [text.written() for text in found]


def _kernel(
    lines: Lines, style: Style, options: Options, init: tuple[str, ...], kind: str
) -> list[str | Expression]:
    """Return how a kernel starts and decays; `kind` is Keras's word for the kernel."""
    used, found = options.used(), []
    if init != initializer(GLOROT):
        number = "init"
        if "init" not in used:
            number = literal(options.default("init")) if "init" in options.values else ""
        if init[0] in DRAWING:
            lines.need(init[0])
        found.append(_text(f"{kind}_initializer", number, init))
    decay = options.default("weight_decay")
    assert isinstance(decay, float)
    if "weight_decay" in used:
        found.append(_text(f"{kind}_regularizer", "weight_decay / 2", REGULARIZER))
    elif decay:
        found.append(_text(f"{kind}_regularizer", literal(decay / 2), REGULARIZER))
    return [text.written() for text in found]


def _bias(lines: Lines, style: Style) -> list[str | Expression]:
    """Return how a bias starts and decays."""
    found = []
    if style.bias and style.bias_init != ZEROS:
        number, wrap = literal(style.bias_init.value), initializer(style.bias_init)
        if wrap[0] in DRAWING:
            lines.need(wrap[0])
        found.append(_text("bias_initializer", number, wrap))
    if style.bias and style.bias_decay:
        found.append(_text("bias_regularizer", literal(style.bias_decay / 2), REGULARIZER))
    return [text.written() for text in found]


def _text(keyword: str, source: str, wrap: tuple[str, ...] = ()) -> Text:
    return Text(keyword=keyword, source=source, wrap=wrap)

"""The unit functions at the top of the emitted file."""

from __future__ import annotations

from archc_tensorflow.lines import Lines, Options, Style, norm_args
from archc_tensorflow.weights import REGULARIZER, initializer
from archcompiler.definition import Text
from archcompiler.ops.conv import Conv
from archcompiler.ops.unit import GLOROT, ZEROS
from archcompiler.pretty import Expression, assign, call, literal

_TYPES = {
    "strides": "Size",
    "padding": 'Literal["same", "valid"]',
    "dilation_rate": "Size",
    "groups": "int",
    "init": "float",
    "weight_decay": "float",
}


def unit_functions(lines: Lines) -> list[tuple[str, ...]]:
    """Return one function for each style of unit."""
    return [tuple(_unit(lines, style, name)) for style, name in lines.styles.items()]


def _unit(lines: Lines, style: Style, name: str) -> list[str]:
    options = lines.options[style]
    convolution = issubclass(style.op, Conv)
    used = options.used()
    signature = ["x: KerasTensor", "name: str"]
    signature += ["filters: int", "kernel_size: Size"] if convolution else ["units: int"]
    if style.padded:
        signature.append("pad: tuple[tuple[int, int], tuple[int, int]]")
    signature += [f"{k}: {_TYPES[k]} = {literal(options.default(k))}" for k in used]
    found = Expression(f"def {name}(", signature, close=") -> KerasTensor:").lines(0)
    found.append(f'    """{style.title}."""')
    if style.padded:
        pad = call("layers.ZeroPadding2D", "pad", 'name=f"{name}.pad"', tail="(x)")
        found += assign("x", pad, 4)
    own = "name" if style.single else f'f"{{name}}.{style.op.part}"'
    arguments: list[str | Expression] = ["filters", "kernel_size"] if convolution else ["units"]
    arguments += _optional(style, options, used)
    arguments.append(f"name={own}")
    layer = call("layers.Conv2D" if convolution else "layers.Dense", *arguments, tail="(x)")
    if style.single:
        return [*found, *layer.lines(4, "return ")]
    found += assign("x", layer, 4)
    if style.norm:
        given = [
            f"{a.keyword}={literal(a.value)}" for a in norm_args(style.norm) if a.value != a.default
        ]
        label = 'name=f"{name}.norm"'
        norm = call("layers.BatchNormalization", *given, label, tail="(x)")
        found += assign("x", norm, 4) if style.activation else norm.lines(4, "return ")
    if style.activation:
        found.append(f"    return {_activation(lines, style.activation)}(x)")
    return found


def _activation(lines: Lines, function: str) -> str:
    if function == "gelu":
        return f"{lines.need('GELU')}(name=name)"
    return f"layers.Activation({literal(function)}, name=name)"


def _optional(style: Style, options: Options, used: list[str]) -> list[str | Expression]:
    """Return the layer's keyword arguments: variables where layers differ, else constants."""
    plain = {"strides": 1, "padding": "valid", "dilation_rate": 1, "groups": 1}
    found = []
    for keyword, usual in plain.items():
        if keyword in used:
            found.append(_text(keyword, keyword))
        elif keyword in options.values and options.default(keyword) != usual:
            found.append(_text(keyword, literal(options.default(keyword))))
    if not style.bias:
        found.append(_text("use_bias", "False"))
    if style.init != GLOROT:
        number = "init"
        if "init" not in used:
            number = literal(options.default("init")) if "init" in options.values else ""
        found.append(_text("kernel_initializer", number, initializer(style.init)))
    decay = options.default("weight_decay")
    assert isinstance(decay, float)
    if "weight_decay" in used:
        found.append(_text("kernel_regularizer", "weight_decay / 2", REGULARIZER))
    elif decay:
        found.append(_text("kernel_regularizer", literal(decay / 2), REGULARIZER))
    if style.bias and style.bias_init != ZEROS:
        number = literal(style.bias_init.value)
        found.append(_text("bias_initializer", number, initializer(style.bias_init)))
    if style.bias and style.bias_decay:
        found.append(_text("bias_regularizer", literal(style.bias_decay / 2), REGULARIZER))
    return [text.written() for text in found]


def _text(keyword: str, source: str, wrap: tuple[str, ...] = ()) -> Text:
    return Text(keyword=keyword, source=source, wrap=wrap)

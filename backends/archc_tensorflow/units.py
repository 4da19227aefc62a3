"""The unit functions at the top of the emitted file."""

from __future__ import annotations

from archc_tensorflow.lines import Lines, Options, Style, norm_args
from archc_tensorflow.weights import initializer, regularizer
from archcompiler.ops.conv import Conv
from archcompiler.pretty import Expression, assign, call, literal

_TYPES = {
    "strides": "Size",
    "padding": 'Literal["same", "valid"]',
    "dilation_rate": "Size",
    "groups": "int",
    "init": "float",
    "weight_decay": "float",
}
_WORDS = {"relu": "ReLU", "relu6": "ReLU6", "gelu": "GELU", "silu": "SiLU"}


def unit_functions(lines: Lines) -> list[tuple[str, ...]]:
    """Return one function for each style of unit."""
    return [tuple(_unit(style, name, lines.options[style])) for style, name in lines.styles.items()]


def _unit(style: Style, name: str, options: Options) -> list[str]:
    convolution = issubclass(style.op, Conv)
    used = options.used()
    signature = ["x: KerasTensor", "name: str"]
    signature += ["filters: int", "kernel_size: Size"] if convolution else ["units: int"]
    if style.padded:
        signature.append("pad: tuple[tuple[int, int], tuple[int, int]]")
    signature += [f"{k}: {_TYPES[k]} = {literal(options.default(k))}" for k in used]
    lines = Expression(f"def {name}(", signature, close=") -> KerasTensor:").lines(0)
    lines.append(f'    """{_title(style)}."""')
    if style.padded:
        pad = call("layers.ZeroPadding2D", "pad", 'name=f"{name}.pad"', tail="(x)")
        lines += assign("x", pad, 4)
    own = "name" if style.single else f'f"{{name}}.{style.op.part}"'
    arguments = ["filters", "kernel_size"] if convolution else ["units"]
    arguments += _optional(style, options, used)
    arguments.append(f"name={own}")
    layer = call("layers.Conv2D" if convolution else "layers.Dense", *arguments, tail="(x)")
    if style.single:
        return [*lines, *layer.lines(4, "return ")]
    lines += assign("x", layer, 4)
    if style.norm:
        given = [
            f"{a.keyword}={literal(a.value)}" for a in norm_args(style.norm) if a.value != a.default
        ]
        label = 'name=f"{name}.norm"' if style.activation else "name=name"
        norm = call("layers.BatchNormalization", *given, label, tail="(x)")
        lines += assign("x", norm, 4) if style.activation else norm.lines(4, "return ")
    if style.activation:
        lines.append(f"    return layers.Activation({literal(style.activation)}, name=name)(x)")
    return lines


def _optional(style: Style, options: Options, used: list[str]) -> list[str]:
    """Return the layer's keyword arguments: variables where layers differ, else constants."""
    plain = {"strides": 1, "padding": "valid", "dilation_rate": 1, "groups": 1}
    found = []
    for keyword, usual in plain.items():
        if keyword in used:
            found.append(f"{keyword}={keyword}")
        elif keyword in options.values and options.default(keyword) != usual:
            found.append(f"{keyword}={literal(options.default(keyword))}")
    if not style.bias:
        found.append("use_bias=False")
    number = "init" if "init" in used else ""
    if not number and "init" in options.values:
        number = literal(options.default("init"))
    if style.init.kind != "glorot_uniform":
        found.append(f"kernel_initializer={initializer(style.init, number)}")
    decay = options.default("weight_decay")
    assert isinstance(decay, float)
    if "weight_decay" in used:
        found.append("kernel_regularizer=regularizers.L2(weight_decay / 2)")
    elif decay:
        found.append(f"kernel_regularizer={regularizer(decay)}")
    if style.bias and style.bias_init.kind != "zeros":
        start = initializer(style.bias_init, literal(style.bias_init.value))
        found.append(f"bias_initializer={start}")
    if style.bias and style.bias_decay:
        found.append(f"bias_regularizer={regularizer(style.bias_decay)}")
    return found


def _title(style: Style) -> str:
    what = "Convolution" if issubclass(style.op, Conv) else "Dense layer"
    parts = [f"{what} {'with' if style.bias else 'without'} bias"]
    if style.norm:
        parts.append("batch norm")
    if style.activation:
        parts.append(_WORDS.get(style.activation, style.activation))
    return ", ".join(parts)

"""The unit classes and norm functions at the top of the emitted file."""

from __future__ import annotations

from archc_torch.lines import ACTIVATION_CALLS, NORM_CLASSES, Lines, Style, plain_norm
from archcompiler.ops.batch_norm import BatchNorm
from archcompiler.ops.conv import Conv
from archcompiler.pretty import assign, call


def norm_functions(lines: Lines) -> list[tuple[str, ...]]:
    """Return a function for each norm without gamma or beta: a plain norm, less a weight."""
    return [tuple(_norm(norm, rank, name)) for (norm, rank), name in lines.norms.items()]


def _norm(norm: BatchNorm, rank: int, name: str) -> list[str]:
    missing = [
        f'    norm.register_parameter("{attribute}", None)'
        for attribute, present in (("weight", norm.gamma), ("bias", norm.beta))
        if not present
    ]
    return [
        f"def {name}(channels: int) -> {NORM_CLASSES[rank]}:",
        f'    """Batch norm {_describe(norm)}."""',
        *assign("norm", plain_norm(norm, rank, "channels"), 4),
        *missing,
        "    return norm",
    ]


def _describe(norm: BatchNorm) -> str:
    if norm.beta:
        return "with a learned shift and no scale"
    return "with a learned scale and no shift" if norm.gamma else "without scale and shift"


def unit_classes(lines: Lines) -> list[tuple[str, ...]]:
    """Return one class for each style of unit."""
    return [tuple(_unit(lines, style, name)) for style, name in lines.styles.items()]


def _unit(lines: Lines, style: Style, name: str) -> list[str]:
    convolution = issubclass(style.op, Conv)
    options = lines.options[style]
    bias = "" if style.bias else "bias=False"
    if convolution:
        outputs = "out_channels"
        signature = ["in_channels: int", "out_channels: int", "kernel_size: Size"]
        arguments = ["in_channels", "out_channels", "kernel_size"]
        optional = {"stride": "Size = 1", "padding": "Size = 0", "dilation": "Size = 1"}
        if style.padded:
            optional["pad"] = "tuple[int, int, int, int] = (0, 0, 0, 0)"
        optional["groups"] = "int = 1"
        for option, kind in optional.items():
            if option in options:
                signature.append(f"{option}: {kind}")
                arguments.append(f"{option}={option}")
        layer = lines.need("PaddedConv2d") if style.padded else "nn.Conv2d"
    else:
        outputs, layer = "out_features", "nn.Linear"
        signature = ["in_features: int", "out_features: int"]
        arguments = ["in_features", "out_features"]
    part = style.op.part
    source = f"self.{part}(x)"
    members = assign(f"self.{part}", call(layer, *arguments, *([bias] if bias else [])), 8)
    if style.norm:
        norm = lines.norm_call(style.norm, 3 if convolution else 1, outputs)
        members += assign("self.norm", norm, 8)
        source = f"self.norm({source})"
    body = _forward(source, style.activation)
    init = call("def __init__", "self", *signature, tail=" -> None:").lines(4)
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


def _forward(source: str, activation: str | None) -> list[str]:
    if activation is None:
        return [f"        x = {source}", "        return x"]
    return [f"        return {ACTIVATION_CALLS[activation].format(source)}"]

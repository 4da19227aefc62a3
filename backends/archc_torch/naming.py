"""The names that the emitted file chooses: classes, and the fields of the training output."""

from __future__ import annotations

import keyword

from archcompiler.ir import Head, Network
from archcompiler.names import camel_case, snake_case

RESERVED = frozenset(
    {"Any", "END_POINTS", "F", "INPUT_SHAPE", "NamedTuple", "OrderedDict", "Output", "Size"}
    | {"BIAS_DECAY", "SKIPPED", "TRUNK", "Tensor", "WEIGHT_DECAY", "nn", "torch"}
    | {"OTHER_KERNEL_INIT", "OTHER_BIAS_INIT", "OTHER_DECAY"}
    | {"ChannelAffine", "Flatten", "GlobalAvgPool", "LayerNorm2d", "LayerScale"}
    | {"PaddedAvgPool2d", "PaddedConv2d", "PaddedMaxPool2d", "Scale"}
    | {"activation_module", "chain", "check_size", "loss", "truncated_normal_", "variance_scaling_"}
    | {"ValueError", "bool", "dict", "float", "int", "isinstance", "list", "str", "super", "tuple"}
    | {*keyword.kwlist}
)
"""What a class, a function or a parameter of the emitted file must not hide."""

LONGEST = 64


def class_name(name: str, instance: str = "") -> str:
    """Return the class name that a template wishes for, or one form of it: `Cell_Mixed_5b`."""
    found = camel_case(name.replace("/", "_"))
    return (f"{found}_{instance}" if instance else found)[:LONGEST]


def network_name(network: Network) -> str:
    """Return the name of the network's own class."""
    name = class_name(network.name)
    return f"{name}Network" if name in RESERVED else name


def fields(network: Network) -> dict[Head, str]:
    """Return the fields of what training computes: the output, then the heads it alone has."""
    found: dict[Head, str] = {}
    for head in (network.output_head, *network.training_heads):
        name = snake_case(head.name)[:LONGEST]
        # A tuple has methods of these names.
        if keyword.iskeyword(name) or name in ("count", "index"):
            name += "_"
        wanted, number = name, 2
        while name in found.values():
            name, number = f"{wanted}_{number}", number + 1
        found[head] = name
    return found

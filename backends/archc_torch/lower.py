"""Room 5 for torch: a `Network` to a `Module`, all decisions taken."""

from __future__ import annotations

from dataclasses import dataclass

from archc_torch.classes import Classes, ClassSource
from archc_torch.layout import lay_out
from archc_torch.lines import Lines
from archc_torch.naming import RESERVED, class_name, fields, network_name
from archc_torch.network import NetworkWriter
from archc_torch.units import norm_functions, unit_classes
from archc_torch.weights import InitLines, init_lines, weight_decay
from archcompiler.fields import shape_text
from archcompiler.ir import Network
from archcompiler.lowering import file_doc
from archcompiler.unify import unify


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """Everything that `model.py` says; the template only frames it."""

    name: str
    doc: tuple[str, ...]
    imports: tuple[str, ...]
    constants: tuple[str, ...]
    helpers: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]
    """Norm functions, unit classes, the size check."""
    uses_size: bool
    classes: tuple[ClassSource, ...]
    network: ClassSource
    outputs: tuple[str, ...]
    end_points: tuple[str, ...]
    init_weights: InitLines
    param_groups: tuple[str, ...]
    loss: tuple[str, ...]


def lower(network: Network) -> Module:
    """Decide everything about the emitted file."""
    laid_out = lay_out(network)
    own_name = network_name(network)
    lines = Lines(taken={*RESERVED, own_name})
    lines.prepare(laid_out)
    definitions = unify(
        laid_out,
        lines.describe,
        lambda template, instance: lines.unused(class_name(template, instance)),
        lambda definition, of: Classes(lines, of).block(definition).text,
        own_name=own_name,
        reserved=lines.taken,
        with_channels=True,
    )
    classes = Classes(lines, definitions.of)
    blocks = tuple(classes.block(d) for d in definitions.blocks)
    writer = NetworkWriter(laid_out, lines, classes, definitions.network)
    own = writer.network_class()
    decay, inits, loss = weight_decay(laid_out), init_lines(laid_out), writer.loss()
    check = [writer.check_size()] if network.follows_size else []
    parts = (*norm_functions(lines), *unit_classes(lines), *check)
    # `chain` comes first: readers meet it in every class.
    helpers = sorted([*lines.helpers, *inits.helpers], key=lambda h: h != "chain")
    source = [line for part in parts for line in part]
    padded = any(h.startswith(("LayerNorm2d", "Padded")) for h in helpers)
    functional = padded or bool(loss) or any("F." in line for line in source)
    heads = [line for c in (*blocks, own) for line in c.init]
    sized = {"PaddedMaxPool2d", "PaddedAvgPool2d"} & {*helpers}
    return Module(
        name=own_name,
        doc=file_doc(
            network,
            f"Images enter as batch x channels x height x width, built for "
            f"{shape_text(network.input.shape)} (height x width x channels, as every shape in "
            f"this file).",
        ),
        imports=_imports("chain" in helpers, bool(network.training_heads), functional),
        constants=(*writer.constants(), *decay.constants, *inits.constants),
        helpers=tuple(helpers),
        parts=parts,
        uses_size=bool(sized) or any(": Size" in line for line in (*source, *heads)),
        classes=blocks,
        network=own,
        outputs=tuple(f"{f}: Tensor" for f in fields(network).values())
        if network.training_heads
        else (),
        end_points=writer.end_points(),
        init_weights=inits,
        param_groups=decay.lines,
        loss=loss,
    )


def _imports(chain: bool, training_heads: bool, functional: bool) -> tuple[str, ...]:
    return (
        *(["from collections import OrderedDict"] if chain else []),
        f"from typing import {'Any, NamedTuple' if training_heads else 'Any'}",
        "",
        "import torch",
        *(["import torch.nn.functional as F"] if functional else []),
        "from torch import Tensor, nn",
    )

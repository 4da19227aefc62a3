"""What backends say and name alike: the names of one file, its docstring, words for units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from archcompiler.backend import no_such_op
from archcompiler.definition import Call
from archcompiler.fields import Size, macs_text, shape_text
from archcompiler.ir import Network, Node
from archcompiler.ops.conv import Conv
from archcompiler.ops.convolution import Convolution
from archcompiler.ops.dense import Dense
from archcompiler.ops.depthwise_conv import DepthwiseConv
from archcompiler.ops.pool import Pool
from archcompiler.ops.separable_conv import SeparableConv
from archcompiler.ops.unit import Norm, Unit
from archcompiler.pretty import docstring, paragraph

ACTIVATION_WORDS = {"relu": "ReLU", "relu6": "ReLU6", "gelu": "GELU", "silu": "SiLU"}
"""What docstrings call activations; the others by their own names."""

NORM_WORDS = {"batch_norm": "batch norm", "layer_norm": "layer norm"}
"""What docstrings call norms."""
UNIT_WORDS: Mapping[type[Unit], str] = {
    Conv: "Convolution",
    DepthwiseConv: "Depthwise convolution",
    SeparableConv: "Separable convolution",
    Dense: "Dense layer",
}
"""What docstrings call units."""


@dataclass(slots=True)
class FileNames:
    """The names that an emitted file has, and the helpers that it needs."""

    separator: ClassVar[str] = "_"
    """What stands between a name and its number."""

    taken: set[str] = field(default_factory=set)
    helpers: dict[str, None] = field(default_factory=dict)

    def unused(self, name: str) -> str:
        """Return the name, numbered if the file has it already, and take it."""
        number, found = 2, name
        separator = "_" if name[-1:].isdigit() else self.separator
        while found in self.taken:
            found, number = f"{name}{separator}{number}", number + 1
        self.taken.add(found)
        return found

    def need(self, helper: str) -> str:
        """Note that the file needs a helper."""
        self.helpers[helper] = None
        return helper

    def look_up(
        self, table: Mapping[type[Any], Callable[[Self, Node], Call]], node: Node, title: str
    ) -> Call:
        """Return what builds an op's layer, by the backend's table. Raises E501: it has no line."""
        make = table.get(type(node.op))
        if make is None:
            raise no_such_op(title, node)
        return make(self, node)


@dataclass(frozen=True, slots=True)
class UnitStyle:
    """What the units of one class or function have in common, whatever the backend."""

    op: type[Unit]
    bias: bool
    norm: Norm | None
    activation: str | None
    padded: bool

    @property
    def parts(self) -> tuple[str, ...]:
        """Name the style by what it does: `conv`, `norm`, `relu`."""
        usual = self.bias == (self.norm is None)
        said = "" if usual else ("bias" if self.bias else "unbiased")
        padded, norm = "padded" if self.padded else "", "norm" if self.norm else ""
        return tuple(p for p in (padded, self.op.key, said, norm, self.activation or "") if p)

    @property
    def title(self) -> str:
        """Tell what it does: `Convolution without bias, batch norm, ReLU`."""
        said = [f"{UNIT_WORDS[self.op]} {'with' if self.bias else 'without'} bias"]
        if self.norm:
            said.append(NORM_WORDS[self.norm.key])
        if self.activation:
            said.append(ACTIVATION_WORDS.get(self.activation, self.activation))
        return ", ".join(said)


def padding_depends(op: Convolution | Pool) -> tuple[str, ...]:
    """Return the attributes that what a window adds around its input is computed from."""
    if op.padding != "same" or op.kernel == (1, 1):
        return ("padding",)
    return ("padding", "kernel", "stride", "dilation")


def short_size(size: Size) -> int | Size:
    """Return one number where height and width agree."""
    return size[0] if size[0] == size[1] else size


def file_doc(network: Network, images: str) -> tuple[str, ...]:
    """Return the lines of the file's docstring; `images` is the sentence on what enters."""
    summary = docstring(network.title)
    total, inference = network.totals(), network.totals(inference=True)
    counts = f"{total.params:,} parameters and norm statistics"
    if network.training_heads:
        counts += f", {inference.params:,} without the training heads"
    text = f"{images} {counts}; evaluation takes {macs_text(inference.macs)} an image."
    title = summary if summary.endswith(".") else f"{summary}."
    first = paragraph(f'"""{title}')
    return (first[0][3:], *first[1:], "", *paragraph(text))


def maps(network: Network) -> dict[str, str]:
    """Return the trained heads that give a map, and its shape: there is no loss for them."""
    heads = (network.output_head, *network.training_heads)
    found = {h.name: h.node.output.shape for h in heads}
    return {name: shape_text(shape) for name, shape in found.items() if len(shape) != 1}

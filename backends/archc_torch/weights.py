"""Initial values and weight decay, and where each weight of the IR lives in torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archcompiler.initializer import Init
from archcompiler.ir import Network, Node
from archcompiler.op import Weight
from archcompiler.ops.batch_norm import BatchNorm
from archcompiler.ops.layer_norm import LayerNorm
from archcompiler.ops.unit import Norm, Unit
from archcompiler.pretty import Expression, call, literal

NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""The IR's name of a weight to torch's."""

RESET = {"channel_affine": "ChannelAffine", "layer_scale": "LayerScale"}
"""The helpers that know how they start."""

_CALLS = {
    "normal": ("nn.init.normal_", "{t}", "std={n}"),
    "uniform": ("nn.init.uniform_", "{t}", "-{n}", "{n}"),
    "constant": ("nn.init.constant_", "{t}", "{n}"),
    "zeros": ("nn.init.zeros_", "{t}"),
    "ones": ("nn.init.ones_", "{t}"),
    "glorot_uniform": ("nn.init.xavier_uniform_", "{t}"),
}
_SCALED = {
    "glorot_uniform": (1.0, "fan_avg", "uniform"),
    "glorot_normal": (1.0, "fan_avg", "truncated_normal"),
    "he_normal": (2.0, "fan_in", "truncated_normal"),
    "he_uniform": (2.0, "fan_in", "uniform"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InitLines:
    """What `init_weights` is made of."""

    constants: tuple[str, ...]
    helpers: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def by_name(self) -> bool:
        """Tell whether a module's name says how it is drawn."""
        return any(re.search(r"\bname\b", line) for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayLines:
    """What `param_groups` is made of."""

    constants: tuple[str, ...]
    lines: tuple[str, ...]


def key(node: Node, weight: Weight) -> str:
    """Return a weight's key in the state_dict: the layer's path, the part, torch's name."""
    name = "gamma" if node.op.key == "layer_scale" else NAMES[weight.name]
    parts = [node.path.replace("/", "."), weight.part, name]
    return ".".join(p for p in parts if p)


def _weights(network: Network) -> Iterator[tuple[Node, Weight]]:
    for node in network.walk():
        for weight in node.weights:
            yield node, weight


def _owner(node: Node, weight: Weight) -> str:
    return key(node, weight).rpartition(".")[0]


def init_lines(network: Network) -> InitLines:
    """Write the loop that draws every weight, with one default and named exceptions."""
    helpers: dict[str, None] = {}
    constants: list[str] = []
    units = any(isinstance(n.op, Unit) for n in network.walk())
    lines: list[str] = []
    if units:
        lines.append(f"            if isinstance(module, {_unit_kinds(network)}):")
        kernels = {_owner(n, w): w.init for n, w in _weights(network) if w.name == "kernel"}
        biases = {_owner(n, w): w.init for n, w in _weights(network) if w.name == "bias"}
        lines += _draw(kernels, "module.weight", "OTHER_KERNEL_INIT", helpers, constants, 16)
        if biases:
            lines.append("                if module.bias is not None:")
            lines += _draw(biases, "module.bias", "OTHER_BIAS_INIT", helpers, constants, 20)
    for found, statistics in ((BatchNorm, True), (LayerNorm, False)):
        lines += _norms(network, found, "elif" if lines else "if", statistics=statistics)
    filled = {n.op.key for n in network.walk()} & {*RESET}
    if filled:
        kinds = [RESET[key] for key in sorted(filled)]
        kind = kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"
        lines.append(f"            {'elif' if lines else 'if'} isinstance(module, {kind}):")
        lines.append("                module.reset_parameters()")
    return InitLines(constants=tuple(constants), helpers=tuple(helpers), lines=tuple(lines))


def _norms(network: Network, kind: type[Norm], word: str, *, statistics: bool) -> list[str]:
    """Let norms of one op start as the identity."""
    nodes = [n for n in network.walk() if isinstance(getattr(n.op, "norm", n.op), kind)]
    weights = {w.name for n in nodes for w in n.weights}
    ranks = {len(n.output.shape) for n in nodes}
    attributes = [
        (attribute, function)
        for attribute, function, name in (("weight", "ones_", "gamma"), ("bias", "zeros_", "beta"))
        if name in weights
    ]
    if not nodes or not (attributes or statistics):
        return []
    tested = "nn.LayerNorm"
    if kind is BatchNorm:
        tested = "(nn.BatchNorm1d, nn.BatchNorm2d)" if 1 in ranks else "nn.BatchNorm2d"
    lines = [f"            {word} isinstance(module, {tested}):"]
    if statistics:
        lines.append("                module.reset_running_stats()")
    for attribute, function in attributes:
        lines.append(f"                if module.{attribute} is not None:")
        lines.append(f"                    nn.init.{function}(module.{attribute})")
    return lines


def _draw(
    inits: Mapping[str, Init],
    tensor: str,
    constant: str,
    helpers: dict[str, None],
    constants: list[str],
    indent: int,
) -> list[str]:
    """Draw one tensor: a number by name where only numbers differ, else a chain of ifs."""
    pad = " " * indent
    common, _ = Counter(inits.values()).most_common(1)[0]
    others = {name: init for name, init in inits.items() if init != common}
    if not others:
        return _statement(common, tensor, _number(common), helpers, indent)
    if (
        common.value is not None
        and common.mode is None
        and {(i.kind, i.cut) for i in others.values()} == {(common.kind, common.cut)}
    ):
        items = [f"{literal(name)}: {init.value!r}" for name, init in others.items()]
        constants += Expression(f"{constant} = {{", items, close="}").lines(0)
        return [
            f"{pad}value = {constant}.get(name, {common.value!r})",
            *_statement(common, tensor, "value", helpers, indent),
        ]
    lines: list[str] = []
    for number, init in enumerate(dict.fromkeys(others.values())):
        names = [literal(n) for n, i in others.items() if i == init]
        suffix = f"_{number + 1}" if number else ""
        constants += Expression(f"{constant}{suffix} = {{", names, close="}").lines(0)
        word = "elif" if number else "if"
        lines.append(f"{pad}{word} name in {constant}{suffix}:")
        lines += _statement(init, tensor, _number(init), helpers, indent + 4)
    lines.append(f"{pad}else:")
    lines += _statement(common, tensor, _number(common), helpers, indent + 4)
    return lines


def _number(init: Init) -> str:
    return repr(init.value)


def _statement(
    init: Init, tensor: str, number: str, helpers: dict[str, None], indent: int
) -> list[str]:
    """Write the call that draws a tensor, in lines."""
    if init.cut is not None:
        bounds = (f"std={number}", f"a={-init.cut!r}", f"b={init.cut!r}")
        return call("nn.init.trunc_normal_", tensor, *bounds).lines(indent)
    if init.kind == "truncated_normal":
        helpers["truncated_normal_"] = None
        return call("truncated_normal_", tensor, number).lines(indent)
    # torch's own refuses a bias, which has no two dimensions.
    if init.kind in _CALLS and (init.kind, tensor) != ("glorot_uniform", "module.bias"):
        function, *arguments = (part.format(t=tensor, n=number) for part in _CALLS[init.kind])
        return call(function, *arguments).lines(indent)
    helpers["variance_scaling_"] = None
    scaled = _SCALED.get(init.kind, (init.value, init.mode, init.distribution))
    scale, mode, distribution = scaled
    drawn = (repr(scale), literal(mode), literal(distribution))
    return call("variance_scaling_", tensor, *drawn).lines(indent)


def weight_decay(network: Network) -> DecayLines:
    """Write the optimizer's groups: by kind where one kind's weights decay alike, else by name."""
    decays: dict[str, set[float]] = {"kernel": set(), "bias": set()}
    for _, w in _weights(network):
        if w.name in decays:
            decays[w.name].add(w.decay)
    kernels = [w.decay for _, w in _weights(network) if w.name == "kernel"]
    common = Counter(kernels).most_common(1)[0][0] if kernels else 0.0
    constants = [f"WEIGHT_DECAY = {common!r}"]
    if len(decays["kernel"]) <= 1 and decays["bias"] <= {0.0}:
        return DecayLines(constants=tuple(constants), lines=_GROUPS)
    if len(decays["kernel"]) == len(decays["bias"]) == 1:
        constants.append(f"BIAS_DECAY = {decays['bias'].pop()!r}")
        return DecayLines(constants=tuple(constants), lines=_groups_with_biases(network))
    exceptions = {
        key(n, w): w.decay
        for n, w in _weights(network)
        if w.trainable and w.decay != (common if w.name == "kernel" else 0.0)
    }
    items = [f"{literal(name)}: {decay!r}" for name, decay in exceptions.items()]
    constants += Expression("OTHER_DECAY = {", items, close="}").lines(0)
    return DecayLines(constants=tuple(constants), lines=_GROUPS_BY_NAME)


_GROUPS = (
    '        """Return the optimizer\'s groups: kernels decay, biases and norms do not."""',
    "        kernels = [p for p in self.parameters() if p.ndim > 1]",
    "        others = [p for p in self.parameters() if p.ndim == 1]",
    "        return [",
    '            {"params": kernels, "weight_decay": weight_decay},',
    '            {"params": others, "weight_decay": 0.0},',
    "        ]",
)
_GROUPS_BY_NAME = (
    '        """Return the optimizer\'s groups: kernels decay, except as OTHER_DECAY says."""',
    "        groups: dict[float, list[nn.Parameter]] = {}",
    "        for name, parameter in self.named_parameters():",
    "            usual = weight_decay if parameter.ndim > 1 else 0.0",
    "            decay = OTHER_DECAY.get(name, usual)",
    "            groups.setdefault(decay, []).append(parameter)",
    '        return [{"params": p, "weight_decay": d} for d, p in groups.items()]',
)


def _groups_with_biases(network: Network) -> tuple[str, ...]:
    """Write the groups of a network whose biases decay, but those of norms, which are betas."""
    return (
        '        """Return the optimizer\'s groups: kernels and biases decay, norms do not."""',
        f"        layers = [m for m in self.modules() if isinstance(m, {_unit_kinds(network)})]",
        "        biases = {id(m.bias) for m in layers if m.bias is not None}",
        "        groups: dict[float, list[nn.Parameter]] = {}",
        "        for parameter in self.parameters():",
        "            usual = BIAS_DECAY if id(parameter) in biases else 0.0",
        "            decay = weight_decay if parameter.ndim > 1 else usual",
        "            groups.setdefault(decay, []).append(parameter)",
        '        return [{"params": p, "weight_decay": d} for d, p in groups.items()]',
    )


def _unit_kinds(network: Network) -> str:
    """Return the modules that have kernels, as the second argument of `isinstance`."""
    units = [n for n in network.walk() if isinstance(n.op, Unit)]
    kinds = sorted({"nn.Linear" if n.op.key == "dense" else "nn.Conv2d" for n in units})
    return kinds[0] if len(kinds) == 1 else f"({', '.join(kinds)})"

"""The PyTorch backend: readable `nn.Module` source whose state_dict keys are the spec's paths."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import ClassVar, Literal

from typing_extensions import override

from archc_torch.names import ATTRIBUTES, NAMES
from archcompiler.backend import Backend, Measured
from archcompiler.emitted import DType, Emitted
from archcompiler.ir import Network, Node
from archcompiler.op import Weight


def _norms_one_value(network: Network) -> bool:
    """Tell whether a batch norm sees a single value a channel of an image."""
    normed = (n for n in network.walk() if any(w.name == "moving_mean" for w in n.weights))
    return any(prod(n.output.shape[:-1]) == 1 for n in normed)


class TorchBackend(Backend):
    """Writes torch."""

    name: ClassVar[str] = "torch"
    title: ClassVar[str] = "PyTorch"
    framework: ClassVar[str] = "torch"
    requirement: ClassVar[str] = "archcompiler[torch]"
    layout: ClassVar[Literal["torch", "tensorflow"]] = "torch"
    oldest: ClassVar[tuple[int, ...]] = (2, 6)
    unbiased: ClassVar[bool] = True
    imports: ClassVar[frozenset[str]] = frozenset(
        {"torch", "torch.nn", "torch.nn.functional", "safetensors", "safetensors.torch"}
    )
    names: ClassVar[frozenset[str]] = NAMES
    attributes: ClassVar[frozenset[str]] = ATTRIBUTES
    words: ClassVar[frozenset[str]] = frozenset(
        {"conv", "dense", "depthwise", "pointwise"}
        | {"weight", "bias", "params", "weight_decay", "fan_in", "fan_out", "fan_avg"}
        | {"normal", "truncated_normal", "uniform"}
    )

    @override
    def emit(self, network: Network) -> dict[str, str]:
        from archc_torch.lower import lower
        from archcompiler.render import benchmark, header, render, weights_file

        module = lower(network)
        first = header(network.origin)
        return {
            "model.py": render("archc_torch", "model.py.jinja", module=module, header=first),
            "weights.py": weights_file("archc_torch", network),
            "benchmark.py": benchmark("archc_torch", network, module.name, bool(module.loss)),
        }

    @override
    def usage(self, network: Network) -> str:
        from archc_torch.naming import fields, network_name
        from archcompiler.escape import markdown_code
        from archcompiler.lowering import maps
        from archcompiler.render import render

        height, width, channels = network.input.shape
        heads = fields(network)
        return render(
            "archc_torch",
            "usage.md.jinja",
            name=network_name(network),
            height=height,
            width=width,
            channels=channels,
            heads=[*heads.values()] if network.training_heads else [],
            has_loss=not maps(network),
            maps=maps(network),
            norms=_norms_one_value(network),
            follows_size=network.follows_size,
            command=markdown_code(network.command_for_size(self.name)),
        )

    @override
    def weight_key(self, node: Node, weight: Weight) -> str:
        from archc_torch.weights import key

        return key(node, weight)

    @override
    def measure(self, folder: Path, network: Network) -> Measured:
        from archc_torch.measure import measure

        return measure(folder, network)

    @override
    def load(self, folder: Path, network: Network, dtype: DType) -> Emitted:
        from archc_torch.emitted import TorchEmitted

        return TorchEmitted(folder, network, dtype)


BACKEND = TorchBackend()

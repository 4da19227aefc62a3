"""The PyTorch backend: readable `nn.Module` source whose state_dict keys are the spec's paths."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from archcompiler.backend import Backend, Measured
from archcompiler.ir import Network


class TorchBackend(Backend):
    """Writes torch."""

    name: ClassVar[str] = "torch"
    title: ClassVar[str] = "PyTorch"
    framework: ClassVar[str] = "torch"
    requirement: ClassVar[str] = "archcompiler[torch]"

    @override
    def emit(self, network: Network) -> dict[str, str]:
        from archc_torch.lower import lower
        from archcompiler.render import benchmark, header, render

        module = lower(network)
        first = header(network.source)
        return {
            "model.py": render("archc_torch", "model.py.jinja", module=module, header=first),
            "benchmark.py": benchmark("archc_torch", network, module.name, bool(module.loss)),
        }

    @override
    def usage(self, network: Network) -> str:
        from archcompiler.names import camel_case, snake_case
        from archcompiler.render import render

        height, width, channels = network.input.shape
        heads = (network.output_head, *network.training_heads)
        return render(
            "archc_torch",
            "usage.md.jinja",
            name=camel_case(network.name),
            height=height,
            width=width,
            channels=channels,
            heads=[snake_case(h.name) for h in heads] if len(heads) > 1 else [],
            norms=any(w.name == "moving_mean" for n in network.walk() for w in n.weights),
            follows_size=network.follows_size,
            source=network.source,
        )

    @override
    def measure(self, folder: Path, network: Network) -> Measured:
        from archc_torch.measure import measure

        return measure(folder, network)


BACKEND = TorchBackend()

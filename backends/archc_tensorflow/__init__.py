"""The TensorFlow backend: readable Keras 3 source whose layers carry the spec's paths."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from typing_extensions import override

from archc_tensorflow.names import NAMES
from archcompiler.backend import Backend, Measured, too_old
from archcompiler.emitted import DType, Emitted
from archcompiler.ir import Network, Node
from archcompiler.op import Weight


class TensorflowBackend(Backend):
    """Writes Keras 3 on TensorFlow."""

    name: ClassVar[str] = "tensorflow"
    title: ClassVar[str] = "TensorFlow"
    framework: ClassVar[str] = "tensorflow"
    requirement: ClassVar[str] = "archcompiler[tensorflow]"
    oldest: ClassVar[tuple[int, ...]] = (2, 18)
    layout: ClassVar[Literal["torch", "tensorflow"]] = "tensorflow"
    imports: ClassVar[frozenset[str]] = frozenset(
        {"keras", "keras.initializers", "keras.layers", "keras.regularizers", "tensorflow"}
        | {"numpy", "safetensors", "safetensors.numpy"}
    )
    names: ClassVar[frozenset[str]] = NAMES
    words: ClassVar[frozenset[str]] = frozenset(
        {"conv", "dense", "depthwise", "linear", "pointwise"}
        | {"concat", "input", "norm", "pad", "same", "split", "valid"}
        | {"fan_in", "fan_out", "fan_avg", "normal", "uniform"}
        | {"truncated_normal", "untruncated_normal"}
    )

    @override
    def unusable(self) -> str:
        if reason := super().unusable() or too_old("keras", (3,)):
            return reason
        import keras

        used = keras.backend.backend()
        return "" if used == "tensorflow" else f"KERAS_BACKEND makes Keras run on {used}"

    @override
    def emit(self, network: Network) -> dict[str, str]:
        from archc_tensorflow.lower import lower
        from archcompiler.render import benchmark, header, render, weights_file

        module = lower(network)
        first = header(network.origin)
        return {
            "model.py": render("archc_tensorflow", "model.py.jinja", module=module, header=first),
            "weights.py": weights_file("archc_tensorflow", network),
            "benchmark.py": benchmark("archc_tensorflow", network, "", bool(module.loss)),
        }

    @override
    def usage(self, network: Network) -> str:
        from archc_tensorflow.lower import lower
        from archcompiler.escape import markdown_code
        from archcompiler.lowering import maps
        from archcompiler.render import render
        from archcompiler.softmax import gives_probabilities

        height, width, channels = network.input.shape
        module = lower(network)
        output = network.output_head
        trained = (output, *network.training_heads) if module.loss else ()
        return render(
            "archc_tensorflow",
            "usage.md.jinja",
            height=height,
            width=width,
            channels=channels,
            heads=[h.name for h in network.heads],
            helpers=module.helpers,
            maps=maps(network),
            losses={h.name: h.loss_weight if h.training_only else 1.0 for h in trained},
            from_logits=not gives_probabilities(network, output),
            command=markdown_code(network.command_for_size(self.name)),
        )

    @override
    def weight_key(self, node: Node, weight: Weight) -> str:
        from archc_tensorflow.weights import path

        return path(node, weight)

    @override
    def measure(self, folder: Path, network: Network) -> Measured:
        from archc_tensorflow.measure import measure

        return measure(folder, network)

    @override
    def load(self, folder: Path, network: Network, dtype: DType) -> Emitted:
        from archc_tensorflow.emitted import TensorflowEmitted

        return TensorflowEmitted(folder, network, dtype)


BACKEND = TensorflowBackend()

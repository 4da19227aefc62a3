"""Runs emitted torch code in the IR's terms."""

from __future__ import annotations

import copy
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from archc_torch.naming import network_name
from archc_torch.weights import key
from archcompiler.emitted import DType, Emitted
from archcompiler.ir import Network

if TYPE_CHECKING:
    from archcompiler.emitted import Array, Arrays


class TorchEmitted(Emitted):
    """A torch build."""

    def __init__(self, folder: Path, network: Network, dtype: DType) -> None:
        import torch

        sys.path.insert(0, str(folder))
        self.model = importlib.import_module("model")
        self.weights = importlib.import_module("weights")
        torch.manual_seed(0)
        torch.set_default_dtype(getattr(torch, dtype))
        self.module = getattr(self.model, network_name(network))().eval()
        self.network = network
        self.names = {key(n, w): n.weight_name(w) for n in network.walk() for w in n.weights}

    @override
    def load_weights(self, path: Path) -> None:
        self.weights.load_weights(self.module, path)

    @override
    def save_weights(self, path: Path) -> None:
        self.weights.save_weights(self.module, path)

    @override
    def end_points(self, images: Array) -> Arrays:
        import torch

        with torch.inference_mode():
            points = self.module.end_points(_batch(images))
        return {name: _from(tensor) for name, tensor in points.items()}

    @override
    def nodes(self, images: Array) -> Arrays:
        found: dict[str, Array] = {}

        def keep(path: str) -> Any:
            def hook(module: object, inputs: object, output: Any) -> None:
                # A copy: the next layer may work in place.
                found[path] = _from(output).copy()

            return hook

        modules = dict(self.module.named_modules())
        hooks = [
            modules[name].register_forward_hook(keep(node.path))
            for node in self.network.walk()
            if (name := node.path.replace("/", ".")) in modules
        ]
        try:
            points = self.end_points(images)
        finally:
            for handle in hooks:
                handle.remove()
        return {p.node.path: points[p.name] for p in self.network.end_points} | found

    @override
    def differentiate(self, images: Array, weighing: Array, *, training: bool) -> Arrays:
        module = copy.deepcopy(self.module)
        if training:
            _train(module)
        x = _batch(images).requires_grad_()
        output = _leaves(module(x))[0]
        (output * _batch(weighing)).sum().backward()
        tensors = {k: p.grad for k, p in module.named_parameters() if p.grad is not None}
        if training:
            tensors |= {k: b for k, b in module.named_buffers() if k in self.names}
        found = {"output": _from(output)}
        if x.grad is not None:
            found["input"] = _from(x.grad)
        for name, tensor in tensors.items():
            found[self.names[name]] = self.weights.to_file(tensor).detach().numpy()
        return found

    @override
    def step(self, images: Array, labels: Array, rate: float) -> float:
        import torch

        _train(self.module)
        # A new optimizer each time: plain descent remembers nothing.
        optimizer = torch.optim.SGD(self.module.param_groups(), lr=rate)
        loss = self.model.loss(self.module(_batch(images)), torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        self.module.eval()
        return float(loss.detach())


def _train(module: Any) -> None:
    from torch import nn

    module.train()
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()


def _leaves(output: Any) -> list[Any]:
    return list(output) if isinstance(output, tuple) else [output]


def _batch(values: Array) -> Any:
    """Turn a batch of maps or vectors into a tensor."""
    import numpy as np
    import torch

    moved = values.transpose(0, 3, 1, 2) if values.ndim == 4 else values
    return torch.from_numpy(np.ascontiguousarray(moved))


def _from(tensor: Any) -> Array:
    values: Array = tensor.detach().numpy()
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values

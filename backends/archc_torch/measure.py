"""Measures emitted torch code on the meta device: nothing is allocated."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from archc_torch.naming import network_name
from archc_torch.weights import key
from archcompiler.backend import Measured
from archcompiler.fields import Shape
from archcompiler.ir import Network


def measure(folder: Path, network: Network) -> Measured:
    """Import `model.py` from `folder`, run `end_points` on shapes, list every tensor."""
    import torch

    sys.path.insert(0, str(folder))
    model = importlib.import_module("model")
    height, width, channels = model.INPUT_SHAPE
    with torch.device("meta"):
        built = getattr(model, network_name(network))()
        points = built.eval().end_points(torch.empty(1, channels, height, width))
    names = {key(n, w): n.weight_name(w) for n in network.walk() for w in n.weights}
    tensors = {k: v for k, v in built.state_dict().items() if not k.endswith("num_batches_tracked")}
    trained = {k for k, _ in built.named_parameters()}
    return Measured(
        end_points={k: canonical_map(tuple(v.shape)) for k, v in points.items()},
        weights={names.get(k, k): canonical_weight(tuple(v.shape)) for k, v in tensors.items()},
        trainable=frozenset(names.get(k, k) for k in trained),
    )


def canonical_map(shape: Shape) -> Shape:
    """Turn batch x channels x height x width into height x width x channels."""
    _, channels, *size = shape
    return (*size, channels)


def canonical_weight(shape: Shape) -> Shape:
    """Turn out x in (x height x width) into (height x width x) in x out."""
    if len(shape) < 2:
        return shape
    outputs, inputs, *size = shape
    return (*size, inputs, outputs)

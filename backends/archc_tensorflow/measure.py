"""Measures emitted Keras code: shapes are symbolic, only the weights are allocated."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from archc_tensorflow.weights import canonical_shape, path
from archcompiler.backend import Measured
from archcompiler.ir import Network


def measure(folder: Path, network: Network) -> Measured:
    """Import `model.py` from `folder`, build the model, list end points and variables."""
    sys.path.insert(0, str(folder))
    model = importlib.import_module("model")
    built = model.build()
    points = model.end_points(built).output
    tensors = {path(n, w): (n, w) for n in network.walk() for w in n.weights}
    names = {key: n.weight_name(w) for key, (n, w) in tensors.items()}
    shapes = {v.path: tuple(v.shape) for v in built.weights}
    shapes |= {k: canonical_shape(*tensors[k], s) for k, s in shapes.items() if k in tensors}
    return Measured(
        end_points={k: tuple(v.shape[1:]) for k, v in points.items()},
        weights={names.get(key, key): shape for key, shape in shapes.items()},
        trainable=frozenset(names.get(v.path, v.path) for v in built.trainable_variables),
    )

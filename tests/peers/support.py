"""Networks as emitted for both frameworks, with the same weights, and what compares end points.

Every model gets the same weights: He-scaled kernels and norm statistics away from the identity, so
that no activation vanishes or explodes (fresh weights do either, and then nothing is compared).
What must be small is an end point's largest difference over its largest value.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file
from archcompiler.draw import HALVING, LOGITS
from archcompiler.ir import Node
from archcompiler.names import camel_case
from archcompiler.op import Weight
from archcompiler.overrides import parse_assignment

TESTS = Path(__file__).parents[1]
SPECS = TESTS.parent / "specs"
GAINS = {"inception_next_tiny": (0.3, 0.1)}
"""Gains of what is linear before the heads and in them, where both are not that of logits."""
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}

Array = np.ndarray[Any, np.dtype[Any]]
Points = Mapping[str, Array]


class Twins:
    """A network as emitted for both frameworks, with the same weights and the same two images."""

    def __init__(self, name: str, folder: Path, dtype: str, *changes: str) -> None:
        """Compile a spec, with changes as on the command line; emit into a folder."""
        path = SPECS / f"{name}.yaml"
        self.folder, self.dtype = folder, dtype
        self.network = compile_file(path, [parse_assignment(c) for c in changes]).network
        self.end_points = [point.name for point in self.network.end_points]

    @functools.cached_property
    def images(self) -> Array:
        """Two images, height x width x channels."""
        shape = (2, *self.network.input.shape)
        return np.random.default_rng(1).uniform(-1, 1, shape).astype("f").astype(self.dtype)

    @functools.cached_property
    def torch_images(self) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(self.images.transpose(0, 3, 1, 2)))

    @functools.cached_property
    def weights(self) -> dict[str, Array]:
        """Every tensor by the IR's name, its axes as in the IR."""
        rng = np.random.default_rng(2)
        heads = {id(node) for head in self.network.heads for node in head.node.walk()}
        trunk, head = GAINS.get(self.network.name, (LOGITS, LOGITS))
        return {
            node.weight_name(w): _drawn(rng, node, w, head if id(node) in heads else trunk).astype(
                self.dtype
            )
            for node in self.network.walk()
            for w in node.weights
        }

    def module(self, framework: str) -> ModuleType:
        """Emit `model.py` for a framework and import it."""
        path = self.folder / f"{self.network.name}_{framework}.py"
        path.write_text(emit(self.network, backend(framework))["model.py"], "utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def torch_class(self) -> Any:
        return getattr(self.module("torch"), camel_case(self.network.name))

    @functools.cached_property
    def torch_model(self) -> Any:
        import torch

        from archc_torch.weights import key

        network = self.torch_class()
        network.init_weights = lambda model: None  # which takes seconds, for nothing
        model = network().eval().to(getattr(torch, self.dtype))
        state = {
            key(node, w): torch.from_numpy(in_torch(self.weights[node.weight_name(w)]))
            for node in self.network.walk()
            for w in node.weights
        }
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert not unexpected
        assert all(name.endswith("num_batches_tracked") for name in missing)
        return model

    @functools.cached_property
    def torch_tensors(self) -> dict[str, Any]:
        """Every end point, as torch computes it in evaluation."""
        import torch

        with torch.inference_mode():
            points: dict[str, Any] = self.torch_model.end_points(self.torch_images)
        return points

    @functools.cached_property
    def torch_points(self) -> Points:
        return {name: from_torch(value) for name, value in self.torch_tensors.items()}

    @functools.cached_property
    def keras_module(self) -> ModuleType:
        return self.module("tensorflow")

    @functools.cached_property
    def keras_model(self) -> Any:
        from archc_tensorflow.weights import canonical_shape, path

        with keras_floats(self.dtype):
            model = self.keras_module.build()
        state = {path(node, w): (node, w) for node in self.network.walk() for w in node.weights}
        assert {variable.path for variable in model.weights} == set(state)
        for variable in model.weights:
            node, weight = state[variable.path]
            shape = tuple(variable.shape)  # of a depthwise kernel, by channel and multiplier
            assert canonical_shape(node, weight, shape) == weight.shape
            variable.assign(self.weights[node.weight_name(weight)].reshape(shape))
        return model

    @functools.cached_property
    def keras_points(self) -> Points:
        with keras_floats(self.dtype):
            view = self.keras_module.end_points(self.keras_model)
            points = view(self.images, training=False)
        return {name: value.numpy() for name, value in points.items()}


@contextmanager
def keras_floats(dtype: str) -> Iterator[None]:
    """Build and run Keras models in a type."""
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def _drawn(rng: np.random.Generator, node: Node, weight: Weight, linear: float) -> Array:
    if weight.name == "kernel":
        # Logits stay about one: a softmax turns their absolute error into a relative one.
        gain = 1 if weight.part else linear
        if getattr(node.op, "activation", None) in HALVING and weight.part != "depthwise":
            gain = 2
        variance = gain / math.prod(weight.shape[:-1])
        return rng.standard_normal(weight.shape, "f") * np.float32(math.sqrt(variance))
    around_one = weight.name in ("moving_variance", "gamma")
    return rng.uniform(*((0.5, 1.5) if around_one else (-0.2, 0.2)), weight.shape).astype("f")


def in_torch(value: Array) -> Array:
    """Turn (height x width x) in x out into out x in (x height x width)."""
    *size, inputs, outputs = range(value.ndim) if value.ndim > 1 else (0, 0)
    axes = (outputs, inputs, *size)[: value.ndim]
    return np.ascontiguousarray(value.transpose(axes))


def from_torch(value: Any) -> Array:
    """Turn batch x channels x height x width into batch x height x width x channels."""
    array: Array = value.numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def softmax(logits: Array) -> Array:
    powers: Array = np.exp(logits - logits.max(1, keepdims=True))
    total: Array = powers.sum(1, keepdims=True)
    return np.divide(powers, total)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far apart the end points are that two models share, in the first one's order."""

    differences: Mapping[str, float]
    """An end point's largest difference over its largest value."""
    dtype: str

    @property
    def apart(self) -> dict[str, float]:
        """Those end points that do not agree."""
        bound = TOLERANCE[self.dtype]
        return {name: d for name, d in self.differences.items() if not d <= bound}

    @property
    def largest(self) -> str:
        """The end point that differs most."""
        return max(self.differences, key=lambda name: self.differences[name])


def compare(found: Points, wanted: Points) -> Comparison:
    """Compare what two models share; a type of their own is a mistake."""
    shared = [name for name in found if name in wanted]
    [dtype] = {str(points[name].dtype) for points in (found, wanted) for name in shared}
    return Comparison({name: difference(found[name], wanted[name]) for name in shared}, dtype)


def difference(found: Array, wanted: Array) -> float:
    """Return the largest difference over the largest value."""
    # PreLogits is a map of 1x1 in some models and a vector in others.
    apart = np.abs(found.reshape(wanted.shape) - wanted).max()
    return float(apart / np.abs(wanted).max())

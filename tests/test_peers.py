"""The shipped networks hold against each other in both frameworks, and against known models.

Every model gets the same weights: He-scaled kernels and norm statistics away from the identity, so
that no activation vanishes or explodes (fresh weights do either, and then nothing is compared).
What must be small is an end point's largest difference over its largest value, in float32.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file
from archcompiler.names import camel_case
from archcompiler.op import Weight

SPECS = Path(__file__).parents[1] / "specs"
END_POINTS = {"inception_v3": 22, "googlenet": 23}
"""The networks, and how many end points each has."""
TOLERANCE = 1e-5

Array = np.ndarray[Any, np.dtype[np.float32]]
Points = Mapping[str, Array]


class Twins:
    """A network as emitted for both frameworks, with the same weights and the same two images."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.network = compile_file(SPECS / f"{name}.yaml").network
        self.end_points = [point.name for point in self.network.end_points]

    @functools.cached_property
    def images(self) -> Array:
        shape = (2, *self.network.input.shape)
        return np.random.default_rng(1).uniform(-1, 1, shape).astype("f")

    @functools.cached_property
    def torch_images(self) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(self.images.transpose(0, 3, 1, 2)))

    @functools.cached_property
    def weights(self) -> dict[str, Array]:
        """Every tensor by the IR's name, its axes as in the IR."""
        rng = np.random.default_rng(2)
        nodes = self.network.walk()
        return {node.weight_name(w): drawn(rng, w) for node in nodes for w in node.weights}

    def module(self, framework: str) -> ModuleType:
        """Emit `model.py` for a framework and import it."""
        path = self.folder / f"{self.name}_{framework}.py"
        path.write_text(emit(self.network, backend(framework))["model.py"], "utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def torch_class(self) -> Any:
        return getattr(self.module("torch"), camel_case(self.name))

    @functools.cached_property
    def torch_model(self) -> Any:
        import torch

        from archc_torch.weights import key

        model = self.torch_class()().eval()
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
    def torch_points(self) -> Points:
        import torch

        with torch.inference_mode():
            points = self.torch_model.end_points(self.torch_images)
        return {name: from_torch(value) for name, value in points.items()}

    @functools.cached_property
    def keras_module(self) -> ModuleType:
        return self.module("tensorflow")

    @functools.cached_property
    def keras_model(self) -> Any:
        from archc_tensorflow.weights import path

        model = self.keras_module.build()
        state = {
            path(node, w): self.weights[node.weight_name(w)]
            for node in self.network.walk()
            for w in node.weights
        }
        assert {variable.path for variable in model.weights} == set(state)
        for variable in model.weights:
            variable.assign(state[variable.path])
        return model

    @functools.cached_property
    def keras_points(self) -> Points:
        points = self.keras_module.end_points(self.keras_model)(self.images, training=False)
        return {name: value.numpy() for name, value in points.items()}


@pytest.fixture(scope="module", params=END_POINTS)
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return Twins(request.param, tmp_path_factory.mktemp(request.param))


only_inception_v3 = pytest.mark.parametrize("twins", ["inception_v3"], indirect=True)


def drawn(rng: np.random.Generator, weight: Weight) -> Array:
    if weight.name == "kernel":
        # Logits stay about one: a softmax turns their absolute error into a relative one.
        variance = (2 if weight.part else 0.02) / math.prod(weight.shape[:-1])
        return rng.standard_normal(weight.shape, "f") * np.float32(math.sqrt(variance))
    low, high = (0.5, 1.5) if weight.name == "moving_variance" else (-0.2, 0.2)
    return rng.uniform(low, high, weight.shape).astype("f")


def in_torch(value: Array) -> Array:
    """Turn (height x width x) in x out into out x in (x height x width)."""
    *size, inputs, outputs = range(value.ndim) if value.ndim > 1 else (0, 0)
    axes = (outputs, inputs, *size)[: value.ndim]
    return np.ascontiguousarray(value.transpose(axes))


def from_torch(value: Any) -> Array:
    array: Array = value.numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def softmax(logits: Array) -> Array:
    powers: Array = np.exp(logits - logits.max(1, keepdims=True))
    total: Array = powers.sum(1, keepdims=True)
    return np.divide(powers, total)


def difference(found: Array, wanted: Array) -> float:
    largest = np.abs(wanted).max()
    # PreLogits is a map of 1x1 in some models and a vector in others.
    return float(np.abs(found.reshape(wanted.shape) - wanted).max() / largest)


def differing(found: Points, wanted: Points) -> dict[str, float]:
    """Return how far apart the end points are that do not agree, in our order."""
    apart = {name: difference(found[name], wanted[name]) for name in found if name in wanted}
    return {name: value for name, value in apart.items() if not value <= TOLERANCE}


def test_no_activation_vanishes_or_explodes(twins: Twins) -> None:
    for name, value in twins.torch_points.items():
        if name not in ("Predictions", "prob"):
            assert 0.2 < value.std() < 20, name
            assert difference(*value) > 100 * TOLERANCE, f"{name} hardly depends on the image"


def test_torch_equals_tensorflow(twins: Twins) -> None:
    assert list(twins.torch_points) == twins.end_points
    assert twins.keras_points.keys() == set(twins.end_points)
    assert len(twins.end_points) == END_POINTS[twins.name]
    apart = differing(twins.torch_points, twins.keras_points)
    assert not apart


def test_evaluation_returns_the_logits(twins: Twins) -> None:
    import torch

    output = twins.network.output
    with torch.inference_mode():
        logits = twins.torch_model(twins.torch_images).numpy()
    assert difference(logits, twins.torch_points[output]) <= TOLERANCE
    view = twins.keras_module.inference(twins.keras_model)
    logits = view(twins.images, training=False).numpy()
    assert difference(logits, twins.keras_points[output]) <= TOLERANCE


def test_macs_are_what_torch_counts(twins: Twins) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    height, width, channels = twins.network.input.shape
    with torch.device("meta"):
        model = twins.torch_class()().eval()
        image = torch.empty(1, channels, height, width)
    for run, inference in ((model, True), (model.end_points, False)):
        with FlopCounterMode(display=False) as counter:
            run(image)
        operations = counter.get_total_flops()  # two for a multiply-add
        assert operations == 2 * twins.network.totals(inference=inference).macs


def in_order(model: Any) -> list[Any]:
    """Return the layers of a functional Keras model in the order that its code creates them."""
    givers = {id(layer.output): layer for layer in model.layers}
    found: dict[int, Any] = {}

    def visit(tensor: Any) -> None:
        layer = givers[id(tensor)]
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        for value in inputs:
            if id(value) not in found and value is not tensor:  # an image enters itself
                visit(value)
        found[id(tensor)] = layer

    visit(model.output)
    return list(found.values())


@only_inception_v3
def test_keras_applications(twins: Twins) -> None:
    import keras

    peer = keras.applications.InceptionV3(weights=None, classifier_activation=None)
    theirs = [layer for layer in in_order(peer) if layer.weights]
    view = twins.keras_module.inference(twins.keras_model)
    ours = [layer for layer in in_order(view) if layer.weights]
    for target, source in zip(theirs, ours, strict=True):
        pairs = zip(source.get_weights(), target.weights, strict=True)
        target.set_weights([value.reshape(variable.shape) for value, variable in pairs])

    stem = [name for name in twins.end_points if name.startswith(("Conv2d", "MaxPool"))]
    blocks = [name for name in twins.end_points if name.startswith("Mixed")]
    kinds = (keras.layers.Activation, keras.layers.MaxPooling2D)
    layers = [layer for layer in in_order(peer) if isinstance(layer, kinds)][: len(stem)]
    layers += [peer.get_layer(f"mixed{number}") for number in range(len(blocks))]
    layers += [peer.get_layer("avg_pool"), peer.get_layer("predictions")]
    names = [*stem, *blocks, "PreLogits", "Logits"]
    outputs = {name: layer.output for name, layer in zip(names, layers, strict=True)}
    points = keras.Model(peer.input, outputs)(twins.images, training=False)
    wanted = {name: value.numpy() for name, value in points.items()}
    wanted["Predictions"] = softmax(wanted["Logits"])

    assert twins.keras_points.keys() - wanted.keys() == {"AuxLogits"}  # the peer has none
    apart = differing(twins.keras_points, wanted)
    assert not apart


@pytest.fixture
def torchvision_inception(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of torchvision that has Inception V3; skips where there is no torchvision."""
    # Shapes of compiled operators for detection, which are not there beside another build of
    # torch. No model of classification has any.
    stub = "torchvision._meta_registrations"
    monkeypatch.setitem(sys.modules, stub, ModuleType(stub))
    reason = "torchvision is not installed (CONTRIBUTING.md says how)"
    pytest.importorskip("torchvision", reason=reason)
    return importlib.import_module("torchvision.models.inception")


def copy_to_torchvision(ours: Any, peer: Any) -> None:
    """Copy all weights: blocks have our names, and each has its layers in our order."""
    import torch
    from torch import nn

    def weighted(module: Any) -> Iterator[Any]:
        kinds = (nn.Conv2d, nn.BatchNorm2d, nn.Linear)
        return (m for m in module.modules() if isinstance(m, kinds))

    for name, child in peer.named_children():
        if not any(weighted(child)):
            continue
        same = ours.get_submodule("Logits" if name == "fc" else name)
        for target, source in zip(weighted(child), weighted(same), strict=True):
            state = source.state_dict()
            if isinstance(target, nn.BatchNorm2d):
                state["weight"] = torch.ones_like(state["bias"])  # gamma, which we have not
            elif isinstance(target, nn.Linear):
                state["weight"] = state["weight"].flatten(1)  # our 1x1 convolution
            target.load_state_dict(state)


def torchvision_points(peer: Any, images: Any) -> Points:
    """Run the peer and return its results by our names."""
    import torch

    names = {"maxpool1": "MaxPool_3a_3x3", "maxpool2": "MaxPool_5a_3x3"}
    names |= {"avgpool": "PreLogits", "fc": "Logits"}
    points: dict[str, Array] = {}

    def keep(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            points[name] = from_torch(output)

        return hook

    children = [(n, c) for n, c in peer.named_children() if n not in ("AuxLogits", "dropout")]
    hooks = [c.register_forward_hook(keep(names.get(n, n))) for n, c in children]
    with torch.inference_mode():
        peer(images)
        middle = torch.from_numpy(points["Mixed_6e"].transpose(0, 3, 1, 2))
        points["AuxLogits"] = from_torch(peer.AuxLogits(middle))
    for handle in hooks:
        handle.remove()
    return points | {"Predictions": softmax(points["Logits"])}


@only_inception_v3
def test_torchvision(
    twins: Twins, torchvision_inception: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch.nn.functional as F

    peer = torchvision_inception.Inception3(init_weights=False).eval()
    copy_to_torchvision(twins.torch_model, peer)
    apart = differing(twins.torch_points, torchvision_points(peer, twins.torch_images))
    assert next(iter(apart)) == "Mixed_5b"  # the first block with an average pool

    # All that differs in evaluation: its average pools count the padding.
    excluding = functools.partial(F.avg_pool2d, count_include_pad=False)
    functions = SimpleNamespace(**(vars(F) | {"avg_pool2d": excluding}))
    monkeypatch.setattr(torchvision_inception, "F", functions)
    wanted = torchvision_points(peer, twins.torch_images)
    assert wanted.keys() == set(twins.end_points)
    apart = differing(twins.torch_points, wanted)
    assert not apart
